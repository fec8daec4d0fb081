"""A saved classifier in formats that other programs run: TensorFlow's SavedModel, ONNX and LiteRT.

All take bytes uint8 [n, 28, 28, 1] as `bytes` and give `probabilities` float32 [n, K] and `familiarity` float32 [n];
a LiteRT model takes one session or, by its other signature, 256 (LITERT_ROWS).
What the bytes must look like and the class names travel inside, as JSON:
in a SavedModel as assets.extra/clgan_tf.json, in ONNX as the metadata property `clgan_tf`, and behind a LiteRT model as
clgan_tf.json in a ZIP archive, where LiteRT's own tools keep such files.
"""

import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tensorflow as tf

from clgan_tf.common.errors import ConfigError
from clgan_tf.common.files import Marker, written_aside, written_directory
from clgan_tf.common.quiet import standard_error_closed
from clgan_tf.serving.classifier import Classifier

METADATA = "clgan_tf.json"
# Of a model's signatures: LiteRT wants to know beforehand. A program that asks for no signature gets the first by name.
LITERT_ROWS = {"serving_default": 1, "serving_many": 256}
OPSET = 18  # ONNX Runtime has read it since 1.14, of 2023
INSTALL = "install clgan_tf's extra `export` (pip install '.[export]')"


def export(classifier: Classifier, format_name: str, target: str | Path) -> None:
    """Writes the classifier in one of FORMATS, whole or not at all.

    Raises:
      ConfigError: something stands at the target, there is no such format, or it needs a package that is not installed.
    """
    if format_name not in FORMATS:
        raise ConfigError(f"There is no format {format_name!r}; the formats are {', '.join(FORMATS)}.")
    target = Path(target)
    if target.exists():
        raise ConfigError(f"{target} exists; choose another --output, or remove it first.")
    FORMATS[format_name](classifier, target)


def metadata(classifier: Classifier) -> dict[str, Any]:
    """What someone who runs an export must know of it, fit for JSON."""
    head = classifier.head
    return {
        "clgan_tf": version("clgan-tf"),
        "class_names": head.class_names,
        "representation": head.representation,
        "representation_version": head.representation_version,
        "unit": head.unit,
        "rules": head.rules,
        "data_fingerprint": head.data_fingerprint,
    }


def _saved_model(classifier: Classifier, target: Path) -> None:
    with written_directory(target, overwrite=False, marker=Marker("saved_model.pb", "")) as aside:
        module = tf.Module()
        module.classifier = classifier.model  # keeps its variables
        module.serve = _function(classifier, None)
        with standard_error_closed():
            tf.saved_model.save(module, str(aside), signatures=module.serve)
        (aside / "assets.extra").mkdir()  # TensorFlow Serving leaves it alone.
        (aside / "assets.extra" / METADATA).write_text(json.dumps(metadata(classifier), indent=1), encoding="utf-8")


def _onnx(classifier: Classifier, target: Path) -> None:
    with _needing("onnx"):
        import onnx
        import tf2onnx
    function = _function(classifier, None)
    with standard_error_closed():
        model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=OPSET)
    onnx.helper.set_model_props(model, {"clgan_tf": json.dumps(metadata(classifier))})
    with written_aside(target) as aside:
        onnx.save(model, aside)


def _litert(classifier: Classifier, target: Path, int8: bool = False) -> None:
    """int8: weights are stored in 8 bits, and what they multiply is rounded to 8 bits, too."""
    module = tf.Module()
    for name, rows in LITERT_ROWS.items():
        setattr(module, name, _frozen(classifier, rows))
    signatures = {name: getattr(module, name) for name in LITERT_ROWS}
    with standard_error_closed(), tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(LITERT_ROWS))
        converter.optimizations = [tf.lite.Optimize.DEFAULT] if int8 else []
        model = converter.convert()
    with written_aside(target) as aside:
        aside.write_bytes(model)
        with zipfile.ZipFile(aside, "a") as archive:
            archive.writestr(METADATA, json.dumps(metadata(classifier)))


def _frozen(classifier: Classifier, rows: int) -> Any:
    """`_function` with its variables as constants: LSTMs and pools of a number of rows not known do not convert."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = _function(classifier, rows)
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    names = sorted(classifier.model.output)  # the order in which TensorFlow flattens a dictionary
    return tf.function(
        lambda bytes: dict(zip(names, frozen(bytes), strict=True)), input_signature=function.input_signature
    )


def _function(classifier: Classifier, rows: int | None) -> Any:
    """The classifier as one TensorFlow function of `bytes`."""
    signature = [tf.TensorSpec([rows, 28, 28, 1], tf.uint8, name="bytes")]
    return tf.function(lambda images: classifier.model(images, training=False), input_signature=signature)


@contextmanager
def _needing(format_name: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConfigError(f"--format={format_name} needs the package {error.name}; {INSTALL}.") from error


FORMATS: dict[str, Callable[[Classifier, Path], None]] = {
    "saved_model": _saved_model,
    "onnx": _onnx,
    "litert": _litert,
    "litert_int8": partial(_litert, int8=True),
}
