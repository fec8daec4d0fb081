"""Exported classifiers say what the classifier says, run without clgan_tf, and carry what one must know of them."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clgan_tf import models, serving
from clgan_tf.main import main
from clgan_tf.models.classifier import build_classifier
from clgan_tf.serving.export import FORMATS, metadata
from clgan_tf.settings import EXPORT_FORMATS
from tests.conftest import random_ngrams

DOCS = Path(__file__).parents[2] / "docs/export.md"
TARGETS = {"saved_model": "models/traffic/1", "onnx": "traffic.onnx", "litert": "traffic.tflite"}
SCRIPTS = dict(
    zip(TARGETS, re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL), strict=True)
)
SESSIONS = 5


@pytest.fixture(scope="module")
def classifiers(prepared, tmp_path_factory):
    """One of the default network and one of the paper's, untrained, and one of a forest, by name."""
    paths = {}
    for name, config in (("clgan_plus", {"width": 16}), ("clgan", {})):
        built = models.build(name, len(prepared.facts.class_names), seed=0, **config)
        network = built.classifier(random_ngrams(len(prepared.facts.class_names))) if config else built.classifier()
        paths[name] = tmp_path_factory.mktemp(name) / "classifier.keras"
        build_classifier(network, prepared.facts, prepared.read("train").images).save(paths[name])
    train = prepared.read("train")
    forest = models.build_on_bytes("random_forest", 0).fit(train.images, train.labels)
    paths["forest"] = tmp_path_factory.mktemp("forest") / "classifier.keras"
    network = forest.network(len(prepared.facts.class_names))
    build_classifier(network, prepared.facts, train.images).save(paths["forest"])
    return paths


@pytest.mark.parametrize("model", ["clgan_plus", "clgan", "forest"])
@pytest.mark.parametrize("name", TARGETS)
def test_the_documented_script_alone_gives_the_same(name, model, classifiers, prepared, tmp_path):
    images = prepared.read("test").images[:SESSIONS]
    np.save(tmp_path / "sessions.npy", images[..., 0])
    flags = ["--mode=export", f"--classifier={classifiers[model]}", f"--format={name}"]
    assert main([*flags, f"--output={tmp_path / TARGETS[name]}"]) == 0
    script = SCRIPTS[name]
    assert "clgan_tf import" not in script
    assert len(script.splitlines()) <= 15
    script += "    for probability in row: print('=', probability)\n"
    printed = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    rows = [line for line in printed.stdout.splitlines() if not line.startswith("=")]
    found = [float(line.removeprefix("= ")) for line in printed.stdout.splitlines() if line.startswith("=")]
    classifier = serving.load(classifiers[model])
    expected = classifier.predict_bytes(images)
    np.testing.assert_allclose(np.reshape(found, expected.shape), expected, atol=1e-5)
    names = [classifier.class_names[label] for label in expected.argmax(axis=1)]
    assert [line.rsplit(" ", 1)[0] for line in rows] == names


def test_familiarity_is_exported_too(classifiers, prepared, tmp_path):
    import onnxruntime

    images = prepared.read("test").images
    classifier = serving.load(classifiers["clgan"])
    serving.export(classifier, "onnx", tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    (familiarity,) = session.run(["familiarity"], {"bytes": images})
    np.testing.assert_allclose(familiarity, classifier.familiarity(images), atol=2e-3)  # one quantile of 1,001
    facts = metadata(classifier)
    assert (facts["representation"], facts["unit"]) == ("packets", "session")
    assert facts["data_fingerprint"] == prepared.facts.fingerprint


@pytest.mark.parametrize(("name", "furthest"), [("litert", 1e-5), ("litert_int8", 0.01)])
def test_litert_takes_many_sessions_at_once_and_8_bits_are_near(name, furthest, classifiers, prepared, tmp_path):
    """Eight bits make a smaller file with nearly the same probabilities; one session and many give the same."""
    from ai_edge_litert.interpreter import Interpreter

    images = prepared.read("train").images[:256]
    classifier = serving.load(classifiers["clgan"])
    serving.export(classifier, name, tmp_path / "a.tflite")
    interpreter = Interpreter(str(tmp_path / "a.tflite"))
    many = interpreter.get_signature_runner("serving_many")(bytes=images)["probabilities"]
    np.testing.assert_allclose(many, classifier.predict_bytes(images), atol=furthest)
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 28, 28, 1]  # of who asks for no signature
    one = interpreter.get_signature_runner("serving_default")(bytes=images[:1])["probabilities"]
    np.testing.assert_allclose(one, many[:1], atol=furthest)
    is_small = (tmp_path / "a.tflite").stat().st_size < 2 * classifier.model.count_params()
    assert is_small == (name == "litert_int8")


def test_the_settings_name_every_format():
    assert tuple(FORMATS) == EXPORT_FORMATS


@pytest.mark.parametrize(
    ("name", "target", "status", "words"),
    [
        ("onnx", "a.tflite", 2, "--output of --format=onnx must end in .onnx"),
        ("litert", "a", 2, "--output of --format=litert must end in .tflite"),
        ("saved_model", "there", 2, "there exists; choose another --output, or remove it first"),
        ("torch", "a", 2, "--format takes saved_model, onnx, litert, litert_int8, not 'torch'"),
    ],
)
def test_what_cannot_be_written_is_told(name, target, status, words, classifiers, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    flags = [f"--classifier={classifiers['clgan']}", f"--format={name}", f"--output={tmp_path / target}"]
    assert main(["--mode=export", *flags]) == status
    assert words in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]


def test_a_package_that_is_not_there_is_named(classifiers, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    flags = [f"--classifier={classifiers['clgan']}", "--format=onnx", f"--output={tmp_path / 'a.onnx'}"]
    assert main(["--mode=export", *flags]) == 2
    assert "--format=onnx needs the package tf2onnx; install clgan_tf's extra `export`" in capsys.readouterr().err


def test_it_needs_a_classifier(capsys):
    assert main(["--mode=export", "--output=a"]) == 2
    assert "--mode=export needs --classifier or --run_dir" in capsys.readouterr().err
