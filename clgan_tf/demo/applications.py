"""What six applications say: each a mixture of the ways in which its programs speak, with overlaps.

Mixtures overlap on purpose (the same browser profile serves chat, mail, files and streaming; DNS is
everywhere), as they do in real captures: with few labels the classes cannot be told apart by one trait.
"""

import random
from collections.abc import Callable

from clgan_tf.demo import tls
from clgan_tf.demo.conversation import CLIENT, SERVER, Message

Speech = tuple[str, int, list[Message]]  # "tcp" or "udp", server port, messages

APPLICATIONS = ("Chat", "Email", "File", "P2P", "Streaming", "VoIP")

SERVER_NAMES = {
    "Chat": ("chat.example.com", "msg-edge.example.net", "push.example.org"),
    "Email": ("imap.example.com", "smtp-relay.example.net", "webmail.example.org"),
    "File": ("files.example.com", "upload.example.net", "storage-eu.example.org"),
    "P2P": ("tracker.example.com", "relay7.example.net", "peers.example.org"),
    "Streaming": ("video.example.com", "edge-cache12.example.net", "live.example.org"),
    "VoIP": ("voice.example.com", "turn3.example.net", "sip.example.org"),
}
SHARED_NAMES = ("cdn.example.net", "api.example.com", "static.example.org", "login.example.com")


def speak(rng: random.Random, application: str) -> Speech:
    """One session of `application`."""
    ways, weights = zip(*_WAYS[application], strict=True)
    return rng.choices(ways, weights)[0](rng, application)


def _server_name(rng: random.Random, application: str) -> str:
    return rng.choice(SHARED_NAMES if rng.random() < 0.4 else SERVER_NAMES[application])


def _sizes(rng: random.Random, application: str) -> list[tuple[int, int]]:
    """Application records: (who, bytes)."""
    if application == "Chat":
        return [(rng.choice((CLIENT, SERVER)), rng.randint(30, 400)) for _ in range(rng.randint(2, 8))]
    if application == "Email":
        return [(CLIENT, rng.randint(20, 120)), (SERVER, rng.randint(100, 900))] * rng.randint(1, 4)
    if application == "File":
        return [(CLIENT, rng.randint(200, 700))] + [(CLIENT, rng.randint(2000, 9000))] * rng.randint(1, 2)
    if application == "Streaming":
        return [(CLIENT, rng.randint(300, 900)), (SERVER, rng.randint(3000, 12000))]
    if application == "P2P":
        return [(CLIENT, 68), (SERVER, 68), (SERVER, rng.randint(1000, 6000))]
    return [(CLIENT, rng.randint(300, 800)), (SERVER, rng.randint(200, 600))]  # VoIP: signalling


def _tls(*profiles: str, port: int = 443) -> Callable[[random.Random, str], Speech]:
    def way(rng: random.Random, application: str) -> Speech:
        name = _server_name(rng, application)
        return "tcp", port, tls.conversation(rng, rng.choice(profiles), name, _sizes(rng, application))

    return way


def _starttls(rng: random.Random, application: str) -> Speech:
    """A mail session that begins in the clear and then starts TLS (RFC 3207)."""
    name = rng.choice(SERVER_NAMES["Email"])
    opening = [
        (SERVER, f"220 {name} ESMTP ready\r\n".encode()),
        (CLIENT, f"EHLO host{rng.randint(1, 99)}.local\r\n".encode()),
        (SERVER, f"250-{name}\r\n250-SIZE {rng.choice((10, 35, 50))}000000\r\n250 STARTTLS\r\n".encode()),
        (CLIENT, b"STARTTLS\r\n"),
        (SERVER, b"220 2.0.0 Ready to start TLS\r\n"),
    ]
    profile = rng.choice(("mail", "mail_returning"))
    return "tcp", 587, opening + tls.conversation(rng, profile, name, _sizes(rng, application))


def _ssh_like(rng: random.Random, application: str) -> Speech:
    """An SFTP-like session: version strings in the clear, then packets without visible structure."""
    client = rng.choice((b"SSH-2.0-OpenSSH_9.6\r\n", b"SSH-2.0-libssh2_1.11.0\r\n", b"SSH-2.0-PuTTY_Release_0.81\r\n"))
    messages = [(CLIENT, client), (SERVER, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")]
    for _ in range(rng.randint(4, 8)):
        messages.append((rng.choice((CLIENT, SERVER)), rng.randbytes(rng.randint(4, 90) * 16 + 16)))
    return "tcp", 22, messages


def _dns(rng: random.Random, application: str) -> Speech:
    """One query and its answer (RFC 1035)."""
    name = _server_name(rng, application)
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    question += rng.choice((b"\x00\x01", b"\x00\x1c", b"\x00\x41")) + b"\x00\x01"
    identifier = rng.randbytes(2)
    query = identifier + bytes.fromhex("01000001000000000000") + question
    answer = identifier + bytes.fromhex("81800001000100000000") + question
    answer += bytes.fromhex("c00c00010001") + rng.randint(30, 3600).to_bytes(4, "big") + b"\x00\x04" + rng.randbytes(4)
    return "udp", 53, [(CLIENT, query), (SERVER, answer)]


def _quic_like(rng: random.Random, application: str) -> Speech:
    """QUIC's packet shapes (RFC 9000): padded long-header initials, then short headers; protected bytes random."""
    sizes = {"Streaming": (1000, 1230), "Chat": (60, 300)}.get(application, (200, 900))
    connection = rng.randbytes(8)
    first = bytes([0xC0 | rng.getrandbits(4)]) + b"\x00\x00\x00\x01\x08" + connection + b"\x00\x00"
    first += (0x4000 | 1182).to_bytes(2, "big")
    length = rng.choice((1200, 1228, 1250))
    messages = [
        (CLIENT, first + rng.randbytes(length - len(first))),
        (SERVER, first + rng.randbytes(1200 - len(first))),
    ]
    for _ in range(rng.randint(3, 8)):
        who = rng.choices((CLIENT, SERVER), (1, 3 if application == "Streaming" else 1))[0]
        body = rng.randbytes(rng.randint(*sizes) if who == SERVER else rng.randint(35, 90))
        messages.append((who, bytes([0x40 | rng.getrandbits(5)]) + connection + body))
    return "udp", 443, messages


def _stun(rng: random.Random) -> list[Message]:
    """A STUN binding request and response (RFC 8489)."""
    transaction = b"\x21\x12\xa4\x42" + rng.randbytes(12)
    user = rng.randbytes(rng.choice((9, 13, 21))).hex().encode()[:20]
    attributes = b"\x00\x06" + len(user).to_bytes(2, "big") + user + b"\x80\x28\x00\x04" + rng.randbytes(4)
    request = b"\x00\x01" + len(attributes).to_bytes(2, "big") + transaction + attributes
    response = b"\x01\x01\x00\x0c" + transaction + b"\x00\x20\x00\x08\x00\x01" + rng.randbytes(6)
    return [(CLIENT, request), (SERVER, response)]


def _srtp_like(rng: random.Random, application: str) -> Speech:
    """Media: STUN, a DTLS-like hello (RFC 9147), then SRTP-like packets (RFC 3711) of a codec's size."""
    messages = _stun(rng) if rng.random() < 0.7 else []
    if rng.random() < 0.5:
        body = b"\x01" + rng.randint(120, 190).to_bytes(3, "big") + rng.randbytes(rng.randint(120, 190))
        hello = b"\x16\xfe\xff" + bytes(8) + len(body).to_bytes(2, "big") + body
        messages += [(CLIENT, hello), (SERVER, hello[:13] + rng.randbytes(rng.randint(400, 900)))]
    video = application == "Streaming"
    kind, size = (rng.choice((96, 98)), (700, 1100)) if video else (rng.choice((0, 8, 111)), (40, 180))
    sequence, stamp, source = rng.getrandbits(15), rng.getrandbits(31), rng.randbytes(4)
    base = rng.randint(*size)
    for step in range(rng.randint(6, 14)):
        header = bytes([0x80, kind]) + (sequence + step).to_bytes(2, "big") + (stamp + 160 * step).to_bytes(4, "big")
        who = SERVER if video else step % 2
        messages.append((who, header + source + rng.randbytes(base + rng.randint(0, 12))))
    return "udp", rng.randint(16384, 32767), messages


def _peer_udp(rng: random.Random, application: str) -> Speech:
    """uTP-like packets (BEP 29) with encrypted content, or a distributed-hash-table query (BEP 5)."""
    if rng.random() < 0.3:
        query = b"d1:ad2:id20:" + rng.randbytes(20) + b"6:target20:" + rng.randbytes(20)
        query += b"e1:q9:find_node1:t2:" + rng.randbytes(2) + b"1:y1:qe"
        answer = b"d1:rd2:id20:" + rng.randbytes(20) + b"5:nodes208:" + rng.randbytes(208) + b"e1:t2:aa1:y1:re"
        return "udp", rng.randint(6881, 6999), [(CLIENT, query), (SERVER, answer)]
    connection = rng.randbytes(2)
    messages = []
    for step in range(rng.randint(4, 9)):
        kind = 0x41 if step == 0 else rng.choice((0x01, 0x21))
        header = bytes([kind, 0]) + connection + rng.randbytes(8) + b"\x00\x10\x00\x00" + step.to_bytes(4, "big")
        size = 0 if kind != 0x01 else rng.choice((300, 600, 1380))
        messages.append((step % 2, header + rng.randbytes(size)))
    return "udp", rng.randint(20000, 60000), messages


def _peer_tcp(rng: random.Random, application: str) -> Speech:
    """BitTorrent's message-stream encryption: keys and random padding, nothing in the clear."""
    messages = [(CLIENT, rng.randbytes(96 + rng.randint(0, 512))), (SERVER, rng.randbytes(96 + rng.randint(0, 512)))]
    messages += [(rng.choice((CLIENT, SERVER)), rng.randbytes(rng.randint(70, 1400))) for _ in range(4)]
    return "tcp", rng.randint(20000, 60000), messages


_Way = Callable[[random.Random, str], Speech]
_WAYS: dict[str, list[tuple[_Way, float]]] = {
    "Chat": [(_tls("messenger"), 6), (_tls("browser_returning"), 1.5), (_quic_like, 1), (_dns, 0.3)],
    "Email": [(_tls("mail", port=993), 4), (_starttls, 5), (_tls("browser"), 0.5), (_dns, 0.3)],
    "File": [(_tls("uploader"), 4), (_ssh_like, 5), (_tls("browser"), 0.5), (_dns, 0.3)],
    "P2P": [(_peer_udp, 7), (_peer_tcp, 2), (_tls("peer"), 0.8), (_dns, 0.2)],
    "Streaming": [(_quic_like, 6), (_tls("player", "browser"), 2), (_srtp_like, 1), (_dns, 0.3)],
    "VoIP": [(_srtp_like, 8), (_tls("mobile"), 1), (_dns, 0.3)],
}
