"""CLGAN as Keras users meet it, and the traps of two optimizers, metrics, saving and seeds."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from clgan_tf import models
from clgan_tf.models import GENERATOR_LOSSES, losses
from clgan_tf.models.gan import GAN
from clgan_tf.models.pixels import to_pixels
from clgan_tf.models.two_networks import TwoNetworks

BATCH = 6


def batch(seed: int = 0, count: int = BATCH) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 60, (count, 28, 28, 1))
    images[:, :4] += (labels * 90)[:, None, None, None]  # a trait of each class
    unlabelled = rng.integers(0, 255, (count, 28, 28, 1))
    return {"labelled": images.astype(np.uint8), "labels": labels, "unlabelled": unlabelled.astype(np.uint8)}


def stream(steps: int, seed: int = 0) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(batch(seed)).repeat(steps)


WITH_PHASE_1 = [name for name in models.NETWORKS if name not in ("cnn_lstm", "clgan_plus", "clgan_lite")]
WITH_LABELS_IN_IT = [name for name in WITH_PHASE_1 if name != "masked_autoencoder"]


def build(
    name: str = "clgan", generator_rate: float = 1e-3, discriminator_rate: float = 1e-3, **options
) -> TwoNetworks:
    keras.utils.set_random_seed(7)
    model = models.build(name, 3, **options)
    model.compile(keras.optimizers.Adam(discriminator_rate), keras.optimizers.Adam(generator_rate))
    return model


def weights(network: keras.Model) -> list[np.ndarray]:
    return [np.array(variable) for variable in network.trainable_variables]


def changed(before: list[np.ndarray], network: keras.Model) -> list[bool]:
    return [not np.array_equal(old, new) for old, new in zip(before, weights(network), strict=True)]


@pytest.mark.parametrize("generator_loss", GENERATOR_LOSSES)
def test_each_step_moves_all_of_its_own_network_and_nothing_of_the_other(generator_loss):
    model = build(generator_loss=generator_loss)
    for moved, still in (("discriminator", "generator"), ("generator", "discriminator")):
        for name, optimizer in (("discriminator", model.optimizer), ("generator", model.partner_optimizer)):
            optimizer.learning_rate = 1e-3 if name == moved else 0.0
        before = {name: weights(getattr(model, name)) for name in (moved, still)}
        model.fit(stream(1), verbose=0, shuffle=False)
        assert all(changed(before[moved], getattr(model, moved))), moved
        assert not any(changed(before[still], getattr(model, still))), still


def test_one_pass_gives_the_gradients_of_two_separate_passes():
    """Both objectives from one discriminator call equal those computed network by network."""
    model = build(dropout=0.0, generator_loss="feature_matching")
    model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0))
    data = batch()

    def networks_on(images):
        return model.discriminator(images, training=True)

    noise = model.noise(BATCH, 0)
    with tf.GradientTape() as tape:
        generated = tf.stop_gradient(model.generator(noise, training=True))
        discriminator_loss = (
            losses.labelled_loss(data["labels"], networks_on(to_pixels(data["labelled"]))["logits"])
            + losses.unlabelled_loss(networks_on(to_pixels(data["unlabelled"]))["logits"])
            + losses.generated_loss(networks_on(generated)["logits"])
        )
    discriminator_gradients = tape.gradient(discriminator_loss, model.discriminator.trainable_variables)
    with tf.GradientTape() as tape:
        generator_loss = losses.feature_matching(
            networks_on(to_pixels(data["unlabelled"]))["features"],
            networks_on(model.generator(noise, training=True))["features"],
        )
    generator_gradients = tape.gradient(generator_loss, model.generator.trainable_variables)
    before = weights(model.discriminator) + weights(model.generator)
    logs = model.train_step({name: tf.constant(value) for name, value in data.items()})
    after = weights(model.discriminator) + weights(model.generator)
    for old, new, gradient in zip(before, after, discriminator_gradients + generator_gradients, strict=True):
        np.testing.assert_allclose(old - new, gradient, atol=2e-5)
    assert float(logs["discriminator_loss"]) == pytest.approx(float(discriminator_loss), abs=1e-5)
    assert float(logs["generator_loss"]) == pytest.approx(float(generator_loss), abs=1e-5)


class StopOnceLearnt(keras.callbacks.Callback):
    """Ends a training of few sessions before the game of both networks shakes what was learnt."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = logs["labelled_loss"] < 0.1 and logs["val_accuracy"] == 1.0


@pytest.mark.parametrize("name", WITH_LABELS_IN_IT)
def test_the_loss_falls_and_a_tiny_set_is_learnt(name):
    model = build(name, generator_rate=2e-4, discriminator_rate=2e-4)
    data = batch()
    shown = tf.data.Dataset.from_tensors((data["labelled"], data["labels"]))
    history = model.fit(
        stream(30), validation_data=shown, epochs=20, verbose=0, shuffle=False, callbacks=[StopOnceLearnt()]
    ).history
    assert history["labelled_loss"][-1] < 0.3 * history["labelled_loss"][0]
    result = model.evaluate(shown, verbose=0, return_dict=True)
    assert result["accuracy"] == 1.0


@pytest.mark.parametrize("name", WITH_PHASE_1)
def test_a_saved_and_loaded_model_gives_identical_logits_and_trains_on_identically(name, tmp_path):
    model = build(name)
    model.fit(stream(2), verbose=0, shuffle=False)
    model.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras", safe_mode=True)
    images = batch(3)["labelled"]
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
    assert loaded.get_config()["seed"] == model.seed == 0
    assert (type(loaded), loaded.name) == (type(model), model.name)
    assert int(loaded.optimizer.iterations) == int(loaded.partner_optimizer.iterations) == 2
    for ours, theirs in ((model.optimizer, loaded.optimizer), (model.partner_optimizer, loaded.partner_optimizer)):
        for one, other in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_array_equal(np.array(one), np.array(other))


def test_config_round_trip_before_compiling():
    model = models.build("clgan", 4, generator_loss="non_saturating", seed=11)
    again = GAN.from_config(model.get_config())
    assert (again.generator_loss, again.seed, again.num_classes) == ("non_saturating", 11, 4)


def test_there_are_two_optimizers_and_no_third():
    model = build(generator_rate=1e-3, discriminator_rate=5e-4)
    assert float(model.optimizer.learning_rate) == pytest.approx(5e-4)
    assert model.optimizer is not model.partner_optimizer
    assert len(model.optimizer.variables) == 2 + 2 * len(model.discriminator.trainable_variables)
    assert len(model.partner_optimizer.variables) == 2 + 2 * len(model.generator.trainable_variables)
    default = models.build("clgan", 3)
    default.compile()
    assert [type(o).__name__ for o in (default.optimizer, default.partner_optimizer)] == ["Adam", "Adam"]
    assert float(default.optimizer.learning_rate) == float(default.partner_optimizer.learning_rate) == np.float32(2e-4)


def test_a_learning_rate_schedule_callback_finds_the_optimizer():
    model = build()
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 1e-5)
    model.fit(stream(1), verbose=0, shuffle=False, callbacks=[schedule])
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-5)


def test_logged_values_are_means_over_the_epoch_not_the_last_batch():
    steps = [batch(seed) for seed in range(3)]
    data = tf.data.Dataset.from_tensor_slices({name: np.stack([step[name] for step in steps]) for name in steps[0]})
    together = build("dcgan", 0.0, 0.0, dropout=0.0).fit(data, verbose=0, shuffle=False).history
    model = build("dcgan", 0.0, 0.0, dropout=0.0)  # Its weights stay as they are.
    alone = [model.fit(tf.data.Dataset.from_tensors(step), verbose=0, shuffle=False).history for step in steps]
    assert together["labelled_loss"][0] == pytest.approx(np.mean([one["labelled_loss"][0] for one in alone]), rel=1e-5)
    # The sum to the last bit, whatever order TensorFlow adds in: a resumed run's log is the uninterrupted one's.
    both = np.float32(together["discriminator_loss"]) + np.float32(together["generator_loss"])
    np.testing.assert_array_equal(np.float32(together["loss"]), both)


def test_nan_ends_training():
    model = build()
    model.discriminator.get_layer("logits").bias.assign([np.nan] * 3)
    history = model.fit(stream(3), epochs=4, verbose=0, shuffle=False, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert len(history.history["loss"]) <= 1


def test_training_mode_uses_dropout_and_batch_statistics():
    model = build(generator_rate=0.0, discriminator_rate=0.0)
    moving = np.array(model.generator.get_layer("normalisation_1").moving_mean)
    dropout_state = np.array(model.discriminator.get_layer("dropout").seed_generator.state)
    model.fit(stream(1), verbose=0, shuffle=False)
    assert not np.array_equal(moving, np.array(model.generator.get_layer("normalisation_1").moving_mean))
    assert not np.array_equal(dropout_state, np.array(model.discriminator.get_layer("dropout").seed_generator.state))


def test_noise_is_a_function_of_seed_and_step_in_range():
    model = build(seed=1)
    noise = model.noise(2000, 5).numpy()
    assert noise.shape == (2000, 100)
    assert -1 <= noise.min() < -0.999
    assert 0.999 < noise.max() < 1
    assert abs(noise.mean()) < 0.01
    np.testing.assert_array_equal(noise, model.noise(2000, 5).numpy())
    assert not np.array_equal(noise, model.noise(2000, 6).numpy())
    assert not np.array_equal(noise, build(seed=2).noise(2000, 5).numpy())


def test_training_is_compiled_once_and_reproducible():
    traces = 0

    class Counting(GAN):
        def train_step(self, data):
            nonlocal traces
            traces += 1
            return super().train_step(data)

    runs = []
    for _ in range(2):
        base = build("dcgan")
        model = Counting(base.discriminator, base.generator)
        model.compile()
        model.fit(stream(4), epochs=2, verbose=0, shuffle=False)
        runs.append(weights(model.discriminator) + weights(model.generator))
    assert traces == 2  # one for each model: no step is traced again
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_bytes_go_in_and_generated_bytes_come_out():
    model = build()
    images = batch()["labelled"]
    np.testing.assert_allclose(model(images), model(images.astype(np.float32)), atol=1e-6)
    assert model.generate(5).dtype == tf.uint8
    assert model.generate(5).shape == (5, 28, 28, 1)


def test_half_precision_keeps_float32_heads_and_wraps_neither_optimizer():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = build()
        outputs = model.discriminator(np.zeros((2, 28, 28, 1), np.float32))
        assert outputs["logits"].dtype == tf.float32
        assert model.generator(model.noise(2, 0)).dtype == tf.float32
        history = model.fit(stream(2), verbose=0, shuffle=False).history
        assert np.isfinite(history["loss"][0])
        keras.mixed_precision.set_global_policy("mixed_float16")
        model = build()
        assert type(model.optimizer) is type(model.partner_optimizer) is keras.optimizers.Adam
    finally:
        keras.mixed_precision.set_global_policy("float32")
