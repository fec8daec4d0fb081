"""CLGAN+: what is hidden stays hidden, each network learns from its own losses, and phase 2 moves one of them."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from clgan_tf.models import hiding, losses
from clgan_tf.models.byte_vectors import HIDDEN, ByteVectors, magnitudes
from clgan_tf.models.clgan_plus import build_filling_generator, build_reading_discriminator, clgan_plus
from clgan_tf.models.filling import marks, put, sampled
from clgan_tf.models.finetuned import FineTuned

BATCH, CLASSES = 8, 5
ROW_VECTORS = 28 * 41 * 192 + 192
CONVOLUTION = 5 * 192 * 192 + 192
DISCRIMINATOR = {  # layer: output shape, parameters
    "byte_vectors": ((784, 41), (257 + 784) * 41),
    "row_vectors": ((28, 192), ROW_VECTORS),
    "row_vectors_normalisation": ((28, 192), 192),
    "convolution_1": ((28, 192), CONVOLUTION),
    "convolution_2": ((28, 192), CONVOLUTION),
    "lstm": ((28, 192), 2 * 4 * 96 * (192 + 96 + 1)),
    "features": ((576,), 0),
    "logits": ((12,), 576 * 12 + 12),
    "back": ((28, 192), 192 * 192 + 192),
    "byte_contexts": ((28, 28 * 32), 192 * 28 * 32 + 28 * 32),
    "decoded": ((784, 32 + 41), 0),
    "bytes": ((None, 256), 73 * 256 + 256),
    "judgement": ((None, 64), 73 * 64 + 64),
}
GENERATOR = {
    "row_vectors": ((28, 96), 28 * 41 * 96 + 96),
    "convolution": ((28, 96), 5 * 96 * 96 + 96),
    "decoded": ((784, 24 + 41), 0),
    "bytes": ((None, 256), 65 * 256 + 256),
}


def sessions(seed: int = 0, count: int = BATCH) -> np.ndarray:
    """Sessions of 300 bytes or more, uint8 [count, 28, 28, 1]."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 256, (count, 784), np.uint8)
    rows[np.arange(784) >= rng.integers(300, 785, count)[:, np.newaxis]] = 0
    return rows.reshape(-1, 28, 28, 1)


def build(**options: object):
    keras.utils.set_random_seed(1)
    model = clgan_plus(CLASSES, seed=1, width=32, **options)
    model.compile(keras.optimizers.AdamW(1e-3), keras.optimizers.AdamW(1e-3))
    return model


def parts(network: keras.Model) -> list[keras.Model]:
    return [network, *(layer for layer in network.layers if isinstance(layer, keras.Model))]


def stream(images: np.ndarray) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(images).repeat()


def values(model: keras.Model) -> list[np.ndarray]:
    return [variable.numpy() for variable in model.trainable_variables]


def moved(before: list[np.ndarray], model: keras.Model) -> dict[str, bool]:
    after = model.trainable_variables
    return {one.path: not np.array_equal(old, one) for old, one in zip(before, after, strict=True)}


@pytest.mark.parametrize(
    ("network", "expected", "total"),
    [(build_reading_discriminator(12), DISCRIMINATOR, 1_095_686), (build_filling_generator(), GENERATOR, 290_841)],
)
def test_shapes_and_parameters(network, expected, total):
    for name, (shape, parameters) in expected.items():
        part = next(part for part in parts(network) if name in {layer.name for layer in part.layers})
        layer = part.get_layer(name)
        assert tuple(layer.output.shape[1:]) == shape, name
        assert layer.count_params() == parameters, name
    assert network.count_params() == total


def test_magnitudes_are_numbers_a_bit_each_and_thresholds():
    table = magnitudes()
    assert table.shape == (257, 17)
    assert table[0, 0] == -1
    assert table[255, 0] == 1
    assert table[5, 1:9].tolist() == [1, -1, 1, -1, -1, -1, -1, -1]  # 5 = 0b00000101, the lowest bit first
    assert table[4, 10] == 0  # a threshold lies at 4
    assert table[32, 12] == 0
    assert not table[HIDDEN].any()
    assert (np.diff(table[:256, 9:], axis=0) >= 0).all()


def test_a_bytes_vector_begins_with_its_magnitude_or_without():
    for magnitude in (True, False):
        layer = ByteVectors(magnitude)
        vectors = layer(np.array([[7, HIDDEN] + [0] * 782])).numpy() - layer.positions.numpy()
        np.testing.assert_allclose(vectors[0, 0, 24:], 0.25 * magnitudes()[7], atol=1e-6) if magnitude else None
        assert np.allclose(vectors[0, 1, 24:], 0, atol=1e-6) == magnitude


@settings(max_examples=30, deadline=None)
@given(size=st.integers(0, 784), share=st.sampled_from([0.03, 0.1, 0.25, 0.5]), seed=st.integers(0, 2**31))
def test_spans_lie_in_the_session_and_repeat_by_their_seed(size, share, seed):
    rows = np.zeros((4, 784), np.int32)
    rows[:, :size] = 1
    marked = hiding.spans(tf.constant(rows), share, tf.constant([seed, 0])).numpy()
    assert not marked[:, size:].any()
    np.testing.assert_array_equal(marked, hiding.spans(tf.constant(rows), share, tf.constant([seed, 0])))


def test_spans_cover_the_share_they_are_asked_for():
    rows = tf.ones((500, 784), tf.int32)
    for share in (0.03, 0.25):
        assert hiding.spans(rows, share, tf.constant([3, 4])).numpy().mean() == pytest.approx(share, rel=0.03)


def test_zeros_inside_a_session_are_bytes_of_it():
    row = np.zeros((1, 784), np.int32)
    row[0, 5] = 9
    assert hiding.sizes_of(tf.constant(row)).numpy().tolist() == [6]
    assert hiding.sizes_of(tf.zeros((1, 784), tf.int32)).numpy().tolist() == [0]


@settings(max_examples=20, deadline=None)
@given(marked=st.sets(st.integers(0, 783), max_size=40), count=st.integers(1, 30), seed=st.integers(0, 1000))
def test_a_sample_of_places_is_of_marked_ones_and_none_twice(marked, count, seed):
    mask = np.zeros((1, 784), bool)
    mask[0, sorted(marked)] = True
    positions, counted = (x.numpy()[0] for x in hiding.some_of(tf.constant(mask), count, tf.constant([seed, 1])))
    assert len(set(positions)) == count
    assert set(positions[counted]) <= marked
    assert counted.sum() == min(count, len(marked))


def test_a_cut_tail_becomes_padding():
    rows = tf.constant(hiding.to_rows(tf.constant(sessions(count=200))))
    cut = hiding.without_tails(rows, 0.5, tf.constant([1, 2])).numpy()
    sizes, before = hiding.sizes_of(tf.constant(cut)).numpy(), hiding.sizes_of(rows).numpy()
    shorter = sizes < before
    assert 70 < shorter.sum() < 130
    assert (sizes >= 0.3 * before - 1).all()
    for row, whole, size in zip(cut, rows.numpy(), sizes, strict=True):
        np.testing.assert_array_equal(row[:size], whole[:size])


@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_what_predicts_hidden_bytes_cannot_see_them(network):
    """Another byte under a hidden place changes no output at all."""
    model = build()
    rows = hiding.to_rows(tf.constant(sessions()))
    marked = hiding.spans(rows, 0.25, tf.constant([1, 1]))
    other = tf.where(marked, (rows + 100) % 255 + 1, rows)
    assert np.any(rows.numpy() != other.numpy())
    positions, _ = hiding.some_of(marked, 50, tf.constant([2, 2]))
    seen, _ = hiding.some_of(~marked, 50, tf.constant([3, 3]))
    outputs = []
    for whole in (rows, other):
        tokens = hiding.hide(whole, marked)
        inputs = [tokens, positions, seen] if network == "discriminator" else [tokens, positions]
        outputs.append(tf.nest.flatten((model.network if network == "discriminator" else model.partner)(inputs)))
    for first, second in zip(*outputs, strict=True):
        np.testing.assert_array_equal(first, second)


def test_losses_worked_out_by_hand():
    even = tf.zeros((1, 2, 256))
    np.testing.assert_allclose(losses.byte_losses(tf.constant([[0, 255]]), even), np.full((1, 2), math.log(256)))
    spent = losses.predictability(tf.constant([0.0, math.log(256) / 2, math.log(256), 9.0]))
    np.testing.assert_allclose(spent, [1.05, 0.55, 0.05, 0.05], rtol=1e-5)
    assert losses.mean_of(tf.constant([1.0, 3.0]), tf.constant([3.0, 1.0])).numpy() == 1.5
    assert losses.mean_of(tf.constant([1.0]), tf.constant([0.0])).numpy() == 0
    np.testing.assert_allclose(
        losses.detection_losses(tf.constant([1.0, 0.0]), tf.constant([math.log(3), math.log(3)])),
        [-math.log(3 / 4), -math.log(1 / 4)],
        rtol=1e-6,
    )


def test_samples_follow_the_softmax():
    probabilities = np.array([0.7, 0.2, 0.1] + [1e-12] * 253)
    logits = np.tile(np.log(probabilities).astype(np.float32), (20, 500, 1))
    drawn = sampled(tf.constant(logits), tf.constant([1, 2])).numpy()
    np.testing.assert_allclose(np.bincount(drawn.ravel())[:3] / drawn.size, [0.7, 0.2, 0.1], atol=0.02)


def test_values_are_put_at_the_positions_that_count():
    rows = tf.zeros((2, 784), tf.int32)
    positions, counted = tf.constant([[3, 5], [0, 783]]), tf.constant([[True, False], [True, True]])
    changed = put(rows, positions, counted, tf.constant([[1, 2], [3, 4]])).numpy()
    assert [(int(i), int(j), int(changed[i, j])) for i, j in np.argwhere(changed)] == [
        (0, 3, 1),
        (1, 0, 3),
        (1, 783, 4),
    ]
    assert np.argwhere(marks(positions, counted).numpy()).tolist() == [[0, 3], [1, 0], [1, 783]]


def test_a_step_moves_every_variable_of_both_networks():
    model = build()
    before = values(model.network), values(model.partner)
    model.fit(stream(sessions()), steps_per_epoch=1, verbose=0, shuffle=False)
    assert all(moved(before[0], model.network).values())
    assert all(moved(before[1], model.partner).values())


@pytest.mark.parametrize(
    ("alone", "still"),
    [
        ("byte_weight", {"logits", "judgement", "judgement_logit"}),
        ("detection_weight", {"logits", "bytes"}),
        ("session_weight", {"bytes", "judgement", "judgement_logit", "byte_contexts", "back", "skip_normalisation"}),
    ],
)
def test_each_loss_moves_its_own_head_and_no_other(alone, still):
    weights = dict.fromkeys(("byte_weight", "detection_weight", "session_weight"), 0.0)
    model = build(**{**weights, alone: 1.0})
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))  # AdamW moves what has no gradient too.
    before = values(model.network)
    model.fit(stream(sessions()), steps_per_epoch=1, verbose=0, shuffle=False)
    after = moved(before, model.network)
    for path, has_moved in after.items():
        assert has_moved == (path.split("/")[0] not in still), path


def test_the_discriminators_gradient_reaches_the_generator_by_the_adversarial_term_alone():
    """Straight through: the vectors are those of the sampled bytes, their gradient is the softmax's."""
    images = sessions()
    generators = {}
    for weight in (0.0, 5.0):
        model = build(adversarial_weight=weight)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
        model.fit(stream(images), steps_per_epoch=1, verbose=0, shuffle=False)
        generators[weight] = values(model.partner)
    assert any(not np.allclose(a, b) for a, b in zip(*generators.values(), strict=True))
    guesses = tf.random.normal((2, 3, 256), seed=1)
    positions = tf.constant([[0, 1, 2], [3, 4, 5]])
    counted = tf.constant([[True, True, False]] * 2)
    with tf.GradientTape() as tape:
        tape.watch(guesses)
        vectors = model._straight_through(guesses, positions, counted)
        loss = tf.reduce_sum(vectors * tf.random.normal(vectors.shape, seed=2))
    assert not vectors.numpy().any()
    gradient = tape.gradient(loss, guesses).numpy()
    assert np.abs(gradient[:, :2]).sum() > 0
    assert not gradient[:, 2].any()


@pytest.mark.parametrize("pieces", [True, False])
def test_pieces_of_other_sessions_need_no_generator(pieces):
    """What the discriminator learns depends on who fills, and not on the generator where that is another session."""
    learned = []
    for scale in (1.0, 5.0):
        model = build(pieces=pieces)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
        model.partner.set_weights([scale * weight for weight in model.partner.get_weights()])
        model.fit(stream(sessions()), steps_per_epoch=1, verbose=0, shuffle=False)
        learned.append(values(model.network))
    assert all(np.array_equal(a, b) for a, b in zip(*learned, strict=True)) == pieces


def test_pieces_and_an_adversarial_generator_are_refused():
    with pytest.raises(ValueError, match="no adversarial loss"):
        build(pieces=True, adversarial_weight=0.1)


def test_cross_attention_lies_between_the_lstm_and_the_pooling():
    plain, attending = (build_reading_discriminator(12, attention=attention) for attention in (False, True))
    more = 192 * 192 + 192 + 3 * (192 * 64 + 64) + 64 * 192 + 192  # the spatial layer, and one head of 64
    assert attending.count_params() == plain.count_params() + more
    assert attending.get_layer("trunk").get_layer("fusion").output.shape == (None, 28, 192)


def test_hidden_bytes_are_learnt():
    model = build()
    images = np.tile(np.arange(1, 29, dtype=np.uint8), (BATCH, 28)).reshape(-1, 28, 28, 1)
    history = model.fit(stream(images), steps_per_epoch=20, epochs=3, verbose=0, shuffle=False).history
    assert history["hidden_byte_loss"][-1] < 0.6 * history["hidden_byte_loss"][0]
    assert set(history) == {*model.MEANS, "loss"}
    both = np.float32(history["discriminator_loss"]) + np.float32(history["generator_loss"])
    np.testing.assert_array_equal(np.float32(history["loss"]), both)


def test_the_classifier_is_the_network_and_only_bytes_go_in():
    model, images = build(), sessions()
    logits = model.classifier().predict(images, verbose=0)
    tokens = images.reshape(BATCH, 784).astype(np.int32)
    positions = np.zeros((BATCH, 1), np.int32)
    np.testing.assert_allclose(logits, model.network([tokens, positions, positions])["logits"], atol=1e-5)


def test_a_saved_and_loaded_model_gives_identical_logits_and_has_both_optimizers(tmp_path):
    model, images = build(pieces=True, attention=True), sessions()
    model.fit(stream(images), steps_per_epoch=2, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(model.predict(images, verbose=0), loaded.predict(images, verbose=0))
    assert (loaded.weights_of_losses, loaded.pieces) == (model.weights_of_losses, True)
    for ours, theirs in ((model.optimizer, loaded.optimizer), (model.partner_optimizer, loaded.partner_optimizer)):
        for one, other in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize(("fills", "consistency"), [(False, 0.0), (True, 0.5)])
def test_phase_2_moves_the_discriminators_classifying_part_alone(fills, consistency):
    model, images = build(), sessions()
    labels = np.arange(BATCH) % CLASSES
    generator = values(model.partner)
    tuned = FineTuned(model, fills, 0.3, consistency, seed=1)
    tuned.compile(keras.optimizers.AdamW(1e-2))
    data = {"labelled": images, "labels": labels, "unlabelled": images}
    before = values(model.network)
    history = tuned.fit(stream(data), steps_per_epoch=30, epochs=2, verbose=0, shuffle=False).history
    assert history["accuracy"][-1] > 0.9
    assert history["loss"][-1] < history["loss"][0]
    for old, new in zip(generator, values(model.partner), strict=True):
        np.testing.assert_array_equal(old, new)
    decoder = {"back", "skip_normalisation", "byte_contexts", "bytes", "judgement", "judgement_logit"}
    for path, has_moved in moved(before, model.network).items():
        assert has_moved == (path.split("/")[0] not in decoder), path


def test_consistency_asks_nothing_where_the_network_is_not_sure():
    """Fresh logits are near 1/K each: unlabelled sessions change no gradient."""
    images, labels = sessions(), np.arange(BATCH) % CLASSES
    ends = []
    for unlabelled in (sessions(7), sessions(8)):
        tuned = FineTuned(build(), consistency=1.0, seed=1)
        tuned.compile(keras.optimizers.SGD(1e-2))
        tuned.fit(
            stream({"labelled": images, "labels": labels, "unlabelled": unlabelled}), steps_per_epoch=1, verbose=0
        )
        ends.append(values(tuned.network))
    for first, second in zip(*ends, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5)  # Sums of another order differ a little.
