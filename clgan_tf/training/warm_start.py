"""A warm start: a classifier of one network is where fine-tuning on another network's few labels begins."""

from pathlib import Path

import keras
import numpy as np

from clgan_tf.common.errors import ConfigError
from clgan_tf.data.description import DataFacts
from clgan_tf.models import archive
from clgan_tf.models.byte_ngrams import MOST_CLASSES
from clgan_tf.models.filling import NGRAMS, TRUNK, FillingGAN, ngrams_layer

LOGITS = "logits"
REMEDY = "give a classifier.keras that --model=clgan_plus has made of such sessions"


def load(path: Path, model: FillingGAN, data: DataFacts) -> keras.Model:
    """Puts what a saved classifier of CLGAN+ knows of bytes into a model, and what it knows of classes by their names.

    Logits of classes that it lacks stay as they are. A classifier has no generator and no decoder: the model's are as
    new, so that what follows must do without.

    Returns:
      Bytes [batch, 28, 28, 1] -> logits [batch, K] by the model, whose weights it shares, and by the n-grams of the
      classes that the classifier knows.

    Raises:
      ModelFileError: the file is no classifier of ours, or damaged.
      ConfigError: it is of another model or width, or of sessions that are represented otherwise.
    """
    saved = archive.load(path)
    head = saved.get_layer("probabilities")
    for name in ("representation", "unit"):
        then, now = getattr(head, name), getattr(data, name)
        if then != now:
            raise ConfigError(f"{path} was made of sessions with {name} {then}, not {now}; {REMEDY}.")
    trunk = model.network.get_layer(TRUNK)
    vectors = model.network.get_layer("byte_vectors")
    known = {layer.name: layer for layer in archive.leaves(saved)}
    own = (vectors, *(layer for layer in trunk.layers if layer.weights and layer.name != LOGITS))
    others = {name for name, layer in known.items() if layer.weights} - {layer.name for layer in own}
    if others - {LOGITS, NGRAMS, "familiarity"}:
        raise ConfigError(f"{path} is of another model, or with --attention; {REMEDY}.")
    for layer in own:
        given = known[layer.name].get_weights() if layer.name in known else []
        shapes = [weight.shape for weight in given], [tuple(variable.shape) for variable in layer.weights]
        if shapes[0] != shapes[1] or LOGITS not in known:
            raise ConfigError(f"{path} is of another model, --width or --attention than this run's; {REMEDY}.")
        layer.set_weights(given)
    pairs = [(label, name) for label, name in enumerate(data.class_names) if name in head.class_names]
    now, then = [label for label, _ in pairs], [head.class_names.index(name) for _, name in pairs]
    weights = model.last_layer.get_weights()
    for weight, learned in zip(weights, known[LOGITS].get_weights(), strict=True):
        weight[..., now] = learned[..., then]
    model.last_layer.set_weights(weights)
    if NGRAMS not in known or model.num_classes > MOST_CLASSES:
        return model.classifier()
    learned = known[NGRAMS].table.numpy()
    table = np.zeros((len(learned), model.num_classes + 1), np.float32)
    table[:, [*now, -1]] = learned[:, [*then, -1]]
    ngrams = ngrams_layer(model.num_classes)
    ngrams.table.assign(table)
    return model.classifier(ngrams)
