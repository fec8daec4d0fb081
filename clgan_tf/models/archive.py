"""Saved classifiers. A .keras file is checked before Keras reads it: ours, bounded, naming only what we ship?"""

import io
import json
import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from clgan_tf.capture import REPRESENTATIONS, UNITS, SessionRules
from clgan_tf.common import typed_json
from clgan_tf.common.errors import ConfigError, ModelFileError
from clgan_tf.models.byte_ngrams import COARSE, LogitsSum, NgramLogits
from clgan_tf.models.byte_summary import ByteSummary
from clgan_tf.models.byte_vectors import ByteVectors
from clgan_tf.models.classifier import OWN_NAMES, ClassProbabilities
from clgan_tf.models.familiarity import Familiarity
from clgan_tf.models.forest import Trees
from clgan_tf.models.masked_autoencoder import Positions
from clgan_tf.models.pixels import IMAGE_SHAPE
from clgan_tf.models.unrolled_lstm import UnrolledLSTM

MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}
MAX_JSON_BYTES = 8 << 20
MAX_WEIGHTS_BYTES = 256 << 20
MAX_GROUPS = 10_000
MAX_UNITS = 4096
MAX_SIDE, MAX_ELEMENTS = 1 << 14, 1 << 20  # of a shape: Keras makes the weights that it claims before it reads any
MAX_NODES = 16 << 20  # of a forest; a leaf has a number a class
NAMING = ("module", "class_name", "registered_name")
SIZES = {
    **dict.fromkeys(("units", "filters", "key_dim", "value_dim", "num_heads", "input_dim", "output_dim"), MAX_UNITS),
    **dict.fromkeys(("trees", "num_classes", "depth"), MAX_UNITS),
    **dict.fromkeys(("splits", "leaves"), MAX_NODES),
}
SHAPES = ("batch_shape", "shape", "target_shape", "output_shape", "kernel_size", "pool_size")
LAYERS = {
    *("Add", "Bidirectional", "Concatenate", "Conv1D", "Conv2D", "Cropping1D", "Dense", "Dropout", "Embedding"),
    *(
        "Flatten",
        "GlobalAveragePooling1D",
        "GlobalMaxPooling1D",
        "Identity",
        "InputLayer",
        "LSTM",
        "LayerNormalization",
        "LeakyReLU",
        "MaxPooling1D",
    ),
    *("MultiHeadAttention", "RMSNormalization", "Rescaling", "Reshape"),
}


def _own(kind: type) -> tuple[str, str, str]:
    """A layer of ours; Keras knows it because its module was imported here."""
    return kind.__module__, kind.__name__, keras.saving.get_registered_name(kind)


HEAD, FOREST, NGRAMS = _own(ClassProbabilities), _own(Trees), _own(NgramLogits)
# Everything that a classifier's configuration may name, as (module, class, registered name).
ALLOWED = {
    HEAD,
    FOREST,
    NGRAMS,
    _own(ByteSummary),
    _own(ByteVectors),
    _own(Familiarity),
    _own(LogitsSum),
    _own(Positions),
    _own(UnrolledLSTM),
    ("keras", "DTypePolicy", None),
    ("keras.src.models.functional", "Functional", "Functional"),
    *(("keras.layers", name, None) for name in LAYERS),
    *(("keras.initializers", name, None) for name in ("GlorotUniform", "Orthogonal", "RandomUniform", "Zeros", "Ones")),
}


def load(path: Path) -> keras.Model:
    """Loads what `models.classifier.build_classifier` has built, in Keras's safe mode and after `check`.

    Raises:
      ModelFileError: the file is not a classifier of ours, or was made for another version of its representation.
    """
    check(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        for layer in leaves(model):
            if isinstance(layer, Trees):
                layer.require_sound()
        head = model.get_layer("probabilities")
        shapes = {"probabilities": (None, len(head.class_names)), "familiarity": (None,)}
        outputs = model.output if isinstance(model.output, dict) else {}  # an earlier version's has one, of no name
        given = {name: output.shape for name, output in outputs.items()}
        fits = model.input_shape == (None, 28, 28, 1) and given == shapes
        representation = REPRESENTATIONS[head.representation]
        typed_json.convert(head.rules, SessionRules)
    except Exception as error:  # Keras raises whatever a damaged archive makes it meet.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{path}: this classifier is damaged ({reason[:200]}); train it again.") from error
    if not fits or head.unit not in UNITS or not 0 < head.temperature < np.inf:
        raise ModelFileError(f"{path}: shapes and class names of this classifier do not fit; train it again.")
    if head.representation_version != representation.version:
        raise ModelFileError(
            f"{path}: made for {head.representation} version {head.representation_version}, this is version "
            f"{representation.version}; train it again."
        )
    return model


def leaves(model: keras.Model) -> list[keras.Layer]:
    """All layers, those of networks inside in their place."""
    inside = (leaves(layer) if isinstance(layer, keras.Model) else [layer] for layer in model.layers)
    return [leaf for layers in inside for leaf in layers]


def check(path: Path) -> None:
    """Passes a classifier that clgan_tf wrote.

    Raises:
      ModelFileError: the file is missing, no Keras archive, too large, or holds anything but our classifier.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            if set(sizes) != MEMBERS or len(archive.infolist()) != len(MEMBERS):
                raise _not_ours(path, f"its members are {', '.join(sorted(sizes)[:5]) or 'none'}")
            if sizes["model.weights.h5"] > MAX_WEIGHTS_BYTES or sizes["config.json"] > MAX_JSON_BYTES:
                raise _not_ours(path, "it is larger than any classifier")
            config = json.loads(archive.read("config.json"))
            weights = archive.read("model.weights.h5")
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: no such file; make it with --mode=train.") from error
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror or error}; check the path.") from error
    except (zipfile.BadZipFile, zlib.error, ValueError, RecursionError, EOFError, RuntimeError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise _not_ours(path, f"it cannot be read as one: {error}") from error
    objects = _objects(config)
    if reason := _refusal(objects):
        raise _not_ours(path, reason)
    heads = [item.get("config") for item in objects if _named(item) == HEAD]
    if len(heads) != 1:
        raise _not_ours(path, "it has no class names")
    names = heads[0].get("class_names") if isinstance(heads[0], dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _not_ours(path, "its class names are no names")
    _check_weights(path, weights)


def require_fit(network: keras.Model, num_classes: int) -> None:
    """Raises ConfigError where a network, before it is trained, has what no saved classifier may, or other shapes."""
    shapes = (network.input_shape, network.output_shape)
    if shapes != ((None, *IMAGE_SHAPE), (None, num_classes)):
        raise ConfigError(
            f"{network.name} maps {shapes[0]} to {shapes[1]}; it has to map bytes {(None, *IMAGE_SHAPE)} to logits "
            f"{(None, num_classes)} (docs/adding.md)."
        )
    if taken := sorted({layer.name for layer in network.layers} & set(OWN_NAMES)):
        raise ConfigError(f"{network.name} has a layer named {', '.join(taken)}, as a classifier's own is; rename it.")
    objects = _objects(json.loads(network.to_json()))
    if foreign := sorted({str(named[1]) for named in map(_named, objects) if named not in ALLOWED}):
        raise ConfigError(
            f"{network.name} has {', '.join(foreign)}, which could not be loaded again; use other layers, or allow "
            "these in clgan_tf/models/archive.py (docs/adding.md)."
        )
    if reason := _refusal(objects):
        raise ConfigError(f"{network.name} could not be loaded again: {reason}; make it smaller.")


def _refusal(objects: list[dict[str, Any]]) -> str | None:
    """Why a configuration is none of ours, or would fill the memory; None of one that may be loaded."""
    claimed = 0
    for item in objects:
        named = _named(item)
        if named not in ALLOWED:
            return f"it names {named[0]}.{named[1]}, which no classifier of ours has"
        given = item.get("config")
        sizes = given if isinstance(given, dict) else {}
        if any(not isinstance(sizes[key], int) or sizes[key] > SIZES[key] for key in SIZES.keys() & sizes.keys()):
            return f"its {named[1]} is larger than any of ours"
        if not all(map(_is_possible, (item.get("build_config"), *(sizes.get(key) for key in SHAPES)))):
            return f"its {named[1]} has a shape that none of ours has"
        claimed += _claimed(named, sizes, item.get("build_config"))
        if 4 * claimed > MAX_WEIGHTS_BYTES:
            return f"with its {named[1]} it claims more memory than any of ours"
    return None


def _named(item: dict[str, Any]) -> tuple[str | None, ...]:
    """What a serialized object is, as ALLOWED has it; as text: a hostile value may be of any type."""
    return tuple(None if item.get(key) is None else str(item.get(key)) for key in NAMING)


def _claimed(named: tuple[str | None, ...], sizes: dict[str, Any], shapes: Any) -> int:
    """How many numbers Keras makes room for when it makes a layer, before it reads any; at least so many.

    Args:
      sizes: the layer's arguments. shapes: what it was built for, as `_is_possible` takes it.
    """
    counts = {key: max(0, sizes[key]) for key in SIZES.keys() & sizes.keys()}
    if named == FOREST:
        return 4 * counts.get("splits", 0) + counts.get("leaves", 0) * counts.get("num_classes", 0)
    if "key_dim" in counts:  # of heads, whose values have so many numbers or others
        counts["key_dim"] = max(counts["key_dim"], counts.pop("value_dim", 0))
    units = math.prod(counts.values())
    made = sum(map(math.prod, _shapes(shapes)))
    if named == NGRAMS:
        made += COARSE * (units + 1)
    elif counts:
        is_recurrent = str(named[1]).endswith("LSTM")
        kernels = 4 if is_recurrent or named[1] == "MultiHeadAttention" else 1
        each = units * math.prod(map(math.prod, _shapes([sizes.get("kernel_size")])))
        side = max((max(shape, default=1) for shape in _shapes(shapes)), default=MAX_SIDE)
        made += kernels * each * (side + units if is_recurrent else side)
    return made


def _shapes(value: Any) -> Iterator[list[int]]:
    """All shapes in lists and dicts of them, each as its sides, but those that are left open or below 1."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return
    if any(isinstance(side, int) for side in value):
        yield [side for side in value if isinstance(side, int) and side > 0]
    for inside in value:
        yield from _shapes(inside)


def _is_possible(shape: Any) -> bool:
    """Whether a shape, or shapes in lists and dicts, is none that would fill the memory; a side may be left open."""
    if isinstance(shape, dict):
        return all(map(_is_possible, shape.values()))
    if isinstance(shape, int):
        return shape <= MAX_SIDE
    if not isinstance(shape, list):
        return shape is None or isinstance(shape, str | float)
    sides = [side for side in shape if isinstance(side, int)]
    return all(map(_is_possible, shape)) and math.prod(max(1, side) for side in sides) <= MAX_ELEMENTS


def _check_weights(path: Path, weights: bytes) -> None:
    """Passes an HDF5 file of plain arrays that fit into memory: a few bytes can claim terabytes or name other files."""
    try:
        with h5py.File(io.BytesIO(weights), "r") as file:
            total, seen, waiting = 0, 0, [file]
            while waiting:
                group = waiting.pop()
                seen += 1  # hard links may run in a circle
                for name in group:
                    item = group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
                    if isinstance(item, h5py.Group):
                        waiting.append(item)
                    elif isinstance(item, h5py.Dataset) and not item.external and not item.is_virtual:
                        total += item.nbytes
                    else:
                        raise _not_ours(path, f"its weight {name} lies outside the file")
                if total > MAX_WEIGHTS_BYTES or seen > MAX_GROUPS:
                    raise _not_ours(path, "its weights are larger than any classifier's")
    except (OSError, KeyError, RuntimeError) as error:
        raise ModelFileError(f"{path}: this classifier is damaged ({error}); train it again.") from error


def _objects(value: Any) -> list[dict[str, Any]]:
    """Every serialized object in a Keras configuration."""
    objects, waiting = [], [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            # Tensors are described by a class and a shape; they name no code.
            if "class_name" in item and item["class_name"] != "__keras_tensor__":
                objects.append(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return objects


def _not_ours(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(f"{path} is not a classifier of clgan_tf: {reason}; give a run's classifier.keras.")
