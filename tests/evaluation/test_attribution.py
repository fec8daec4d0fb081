"""What bytes add to a label's probability, and what they are."""

import keras
import numpy as np
import pytest

from clgan_tf import capture, models
from clgan_tf.capture.representation import REPRESENTATIONS
from clgan_tf.evaluation import attribution
from clgan_tf.evaluation.attribution import integrated_gradients, parts_of
from clgan_tf.models import archive
from clgan_tf.models.classifier import build_classifier
from clgan_tf.models.two_networks import TwoNetworks
from tests import packets as p
from tests.conftest import random_ngrams


@pytest.mark.parametrize("name", ["clgan_plus", "clgan_plus and n-grams", "clgan_lite", "cnn_lstm"])
def test_what_all_bytes_add_is_how_much_more_probable_the_label_is_than_for_zeros(
    prepared, tmp_path, monkeypatch, name
):
    monkeypatch.setattr(attribution, "STEPS", 32)
    keras.utils.set_random_seed(3)
    name, has_ngrams = name.removesuffix(" and n-grams"), "n-grams" in name
    options = {"width": 16} if name == "clgan_plus" else {}
    built = models.build(name, 12, **options)
    test = prepared.read("test")[::9]
    network = built.classifier() if isinstance(built, TwoNetworks) else built
    if has_ngrams:
        network = built.classifier(random_ngrams(12))
    build_classifier(network, prepared.facts, test.images).save(tmp_path / "classifier.keras")
    classifier = archive.load(tmp_path / "classifier.keras")
    added = integrated_gradients(classifier, test.images, test.labels)
    chances, of_nothing = (
        classifier.predict(images, verbose=0)["probabilities"][np.arange(len(test)), test.labels]
        for images in (test.images, np.zeros_like(test.images))
    )
    assert added.shape == (len(test), 784)
    np.testing.assert_allclose(added.sum(axis=1), chances - of_nothing, atol=2e-3)
    assert np.any(added)
    if not has_ngrams:  # Which begin at a zero, too. It is what it is compared with.
        assert not np.any(added[test.images.reshape(len(test), 784) == 0])


def test_a_forest_has_no_gradient(prepared):
    train = prepared.read("train")
    forest = models.build_on_bytes("random_forest", 0).fit(train.images, train.labels).network(12)
    classifier = build_classifier(forest, prepared.facts, train.images)
    assert integrated_gradients(classifier, train.images[:3], train.labels[:3]) is None


FRAME = p.ethernet(p.ipv4(p.udp(bytes(range(1, 31)), 5000, 53)))


@pytest.mark.parametrize(
    ("representation", "sizes"),
    [
        (
            "packets",
            {
                **{"direction and protocol": 28, "payload sizes": 56, "TCP flags": 28},
                **{"first packet's payload": 24, "later packets' payload": 27 * 24},
            },
        ),
        ("l7", {"first 16 bytes of payload": 16, "later payload": 768}),
        (
            "masked",
            {
                **{"IP header": 20, "TCP or UDP header": 8, "first 16 bytes of payload": 16},
                **{"rest of the first packet": 14, "later packets": 784 - 58},
            },
        ),
        (
            "all_layers",
            {
                **{"capture header": 40, "link layer": 14, "IP header": 20, "TCP or UDP header": 8},
                **{"first 16 bytes of payload": 16, "rest of the first packet": 14, "later packets": 784 - 112},
            },
        ),
    ],
)
def test_every_byte_is_of_one_part(tmp_path, representation, sizes):
    sessions = capture.load(p.write(tmp_path / "a.pcap", p.pcap([FRAME, FRAME])), representation)
    parts = parts_of(sessions.images[..., np.newaxis], REPRESENTATIONS[representation])
    assert {name: int(part.sum()) for name, part in parts.items()} == sizes
    assert np.array_equal(sum(part.astype(int) for part in parts.values()), np.ones((1, 784), int))
    first = next(name for name in sizes if name.startswith("first") and "payload" in name)
    payload = sessions.images.reshape(-1)[parts[first][0]]
    assert payload.tolist() == list(range(1, 1 + sizes[first]))


def test_a_runs_page_shows_what_its_network_goes_by(finished_run):
    text = (finished_run / "report.html").read_text()
    assert "<td>payload sizes</td>" in text
    assert "Integrated gradients say the same of single bytes" in text
