"""A warm start: a classifier of one network is where fine-tuning on another network's few labels begins."""

from pathlib import Path

from clgan_tf.common.errors import ConfigError
from clgan_tf.data.description import DataFacts
from clgan_tf.models import archive
from clgan_tf.models.filling import NGRAMS, TRUNK, FillingGAN

LOGITS = "logits"
REMEDY = "give a classifier.keras that --model=clgan_plus has made of such sessions"


def load(path: Path, model: FillingGAN, data: DataFacts) -> None:
    """Puts what a saved classifier of CLGAN+ knows of bytes into a model, and what it knows of classes by their names.

    Logits of classes that it lacks stay as they are. A classifier has no generator and no decoder: the model's are as
    new, so that what follows must do without.

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
    logits = model.last_layer
    weights = logits.get_weights()
    for weight, learned in zip(weights, known[LOGITS].get_weights(), strict=True):
        for label, name in enumerate(data.class_names):
            if name in head.class_names:
                weight[..., label] = learned[..., head.class_names.index(name)]
    logits.set_weights(weights)
