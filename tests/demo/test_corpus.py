"""Demo traffic: genuine TLS, decryptable tunnels, seeded, and hard enough that labels matter."""

import random

import dpkt
import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from clgan_tf import capture, demo
from clgan_tf.common.errors import ConfigError
from clgan_tf.demo import applications, corpus, tls
from clgan_tf.models import build_on_bytes


def test_the_corpus_has_twelve_classes_an_unlabelled_and_an_unseen_capture(demo_corpus):
    folders = {path.name for path in demo_corpus.iterdir()}
    assert folders == {*demo.CLASS_NAMES, "unlabelled", "unseen.pcap", "demo_traffic.txt"}
    assert len(demo.CLASS_NAMES) == 12
    sessions = capture.load(demo_corpus / "Streaming/1.pcap")
    assert len(sessions) == round(0.15 * corpus.SESSIONS_PER_CAPTURE)
    assert sessions.drops == {}


def test_full_size_is_about_4000_sessions():
    total = 12 * (3 * corpus.SESSIONS_PER_CAPTURE + corpus.UNLABELLED_PER_CLASS + corpus.UNSEEN_PER_CLASS)
    assert total == 4008


@pytest.mark.parametrize("profile", list(tls.PROFILES))
def test_tls_is_genuine(profile):
    """dpkt, which made none of it, reads the records and the ClientHello."""
    messages = tls.conversation(random.Random(1), profile, "chat.example.com", [(0, 300), (1, 5000)])
    client = b"".join(data for speaker, data in messages if speaker == 0)
    records, used = dpkt.ssl.tls_multi_factory(client)
    assert used == len(client)
    hello = dpkt.ssl.TLSHandshake(records[0].data)
    assert isinstance(hello.data, dpkt.ssl.TLSClientHello)
    assert b"chat.example.com" in records[0].data
    assert records[-1].type == 23  # application data
    assert sum(len(data) for speaker, data in messages if speaker == 1) > 5000


def test_a_returning_client_offers_its_earlier_session():
    def server_bytes(profile: str) -> int:
        messages = tls.conversation(random.Random(1), profile, "cdn.example.net", [])
        return sum(len(data) for speaker, data in messages if speaker == 1)

    assert server_bytes("mail_returning") < 0.5 * server_bytes("mail")  # no certificate the second time


def test_packets_are_well_formed(demo_corpus):
    with open(demo_corpus / "Email/1.pcap", "rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            packet = dpkt.ethernet.Ethernet(frame).data
            assert isinstance(packet, dpkt.ip.IP)
            assert packet.len == len(bytes(packet))
            stored = packet.sum
            packet.sum = 0
            assert dpkt.ip.IP(bytes(packet)).sum == stored


def test_tunnels_hold_the_encrypted_inner_packets(monkeypatch):
    keys = []

    def recording(key: bytes) -> ChaCha20Poly1305:
        keys.append(key)
        return ChaCha20Poly1305(key)

    monkeypatch.setattr(corpus, "ChaCha20Poly1305", recording)
    packets = corpus.session_packets(random.Random(5), "Vpn_P2P")
    outer = dpkt.ip.IP(packets[0]).data.data
    assert outer[:4] == b"\x04\x00\x00\x00"
    inner = ChaCha20Poly1305(keys[0]).decrypt(bytes(4) + outer[8:16], outer[16:], None)
    assert dpkt.ip.IP(inner).p in (6, 17)


def test_the_seed_decides_everything_but_tls_randomness(tmp_path):
    sizes = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        demo.write_corpus(tmp_path / name, seed, scale=0.02)
        sizes.append([path.stat().st_size for path in sorted(tmp_path.joinpath(name).rglob("*.pcap"))])
    assert (
        max(abs(one - other) for one, other in zip(sizes[0], sizes[1], strict=True)) < 100
    )  # signatures vary in length
    assert sizes[0] != sizes[2]
    plain = [(tmp_path / name / "VoIP/1.pcap").read_bytes()[:40] for name in "ab"]
    assert plain[0] == plain[1]


def test_a_corpus_is_kept_and_a_strange_folder_is_refused(demo_corpus, tmp_path):
    before = (demo_corpus / "unseen.pcap").stat().st_mtime_ns
    demo.write_corpus(demo_corpus, seed=9)
    assert (demo_corpus / "unseen.pcap").stat().st_mtime_ns == before
    (tmp_path / "x").mkdir()
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match=r"no demo corpus|did not make it"):
            demo.write_corpus(tmp_path / "x", seed=0, overwrite=overwrite)


def test_a_corpus_of_another_seed_is_told_of(demo_corpus, capsys):
    demo.write_corpus(demo_corpus, seed=3)
    assert capsys.readouterr().err == ""
    demo.write_corpus(demo_corpus, seed=5)
    assert "holds demo traffic of another seed, which stays" in capsys.readouterr().err


def test_with_ten_labels_a_class_a_forest_stays_clearly_below_95_percent(tmp_path):
    demo.write_corpus(tmp_path / "c", seed=0, scale=0.3)
    images, labels = [], []
    for label, name in enumerate(demo.CLASS_NAMES):
        sessions = capture.load(sorted((tmp_path / "c" / name).iterdir()))
        images.append(sessions.images)
        labels += [label] * len(sessions)
    images, labels = np.concatenate(images), np.array(labels)
    chosen = np.concatenate([np.flatnonzero(labels == label)[:10] for label in range(12)])
    rest = np.setdiff1d(np.arange(len(labels)), chosen)
    predicted = build_on_bytes("random_forest", 0).fit(images[chosen], labels[chosen]).predict(images[rest])
    assert 0.4 < np.mean(predicted == labels[rest]) < 0.85


def test_every_application_speaks():
    rng = random.Random(0)
    for name in applications.APPLICATIONS:
        transports = {applications.speak(rng, name)[0] for _ in range(60)}
        assert transports <= {"tcp", "udp"}
        assert transports
