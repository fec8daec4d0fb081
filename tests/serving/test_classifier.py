import csv
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import h5py
import keras
import numpy as np
import pytest

from clgan_tf import capture, models, serving
from clgan_tf.common.errors import ModelFileError
from clgan_tf.common.quiet import OF_KERAS
from clgan_tf.main import main
from clgan_tf.models import archive
from clgan_tf.models.classifier import build_classifier
from clgan_tf.models.filling import ngrams_layer
from clgan_tf.serving.classifier import timestamps
from tests import packets as p
from tests.conftest import train_flags


def test_it_needs_nothing_but_its_file_and_gives_the_same_probabilities(finished_run, prepared, demo_corpus, tmp_path):
    alone = tmp_path / "moved.keras"
    shutil.copy(finished_run / "classifier.keras", alone)
    classifier = serving.load(alone)
    assert classifier.class_names == prepared.facts.class_names
    assert classifier.head.representation == "packets"
    assert classifier.head.data_fingerprint == prepared.facts.fingerprint
    images = prepared.read("test").images
    probabilities = classifier.predict_bytes(images)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities, classifier.predict_bytes(images[..., 0]))
    scores = json.loads((finished_run / "metrics.json").read_text())["systems"]["clgan"]
    labels = prepared.read("test").labels
    assert np.mean(probabilities.argmax(axis=1) == labels) == pytest.approx(scores["accuracy"])


def test_times_are_written_as_python_writes_them():
    seconds = np.concatenate([np.random.default_rng(0).uniform(0, 4e9, 2000), np.arange(0, 2, 1 / 64), [1e9 + 1e-6]])
    expected = [datetime.fromtimestamp(one, UTC).isoformat(timespec="microseconds") for one in seconds.tolist()]
    assert timestamps(seconds) == [text.replace("+00:00", "Z") for text in expected]
    assert timestamps(np.zeros(0)) == []


def test_rows_of_some_sessions_are_those_rows_of_all(finished_run, demo_corpus):
    classifier = serving.load(finished_run / "classifier.keras")
    sessions = capture.load(sorted((demo_corpus / "Chat").iterdir())[0])
    outputs = classifier.outputs(sessions.images)
    rows = classifier.rows(sessions, outputs, reject=0.5)
    some = np.array([3, 1])
    assert classifier.rows(sessions, outputs, 0.5, some) == [rows[3], rows[1]]
    assert [(row["source"], row["source_port"]) for row in rows] == [
        sessions.endpoints(number)[:2] for number in range(len(sessions))
    ]
    assert {row["label"] == serving.classifier.UNKNOWN for row in rows} == {True, False}


def test_of_no_session_there_is_nothing_to_say(finished_run):
    classifier = serving.load(finished_run / "classifier.keras")
    none = np.zeros((0, 28, 28), np.uint8)
    assert classifier.predict_bytes(none).shape == (0, 12)
    assert classifier.familiarity(none).shape == (0,)
    assert classifier.features(none).shape == (0, classifier.features(np.zeros((1, 28, 28), np.uint8)).shape[1])


def test_images_are_bytes(finished_run):
    with pytest.raises(TypeError, match="of the type uint8 and not float64"):
        serving.load(finished_run / "classifier.keras").predict_bytes(np.zeros((2, 28, 28)))


def test_a_classifier_that_could_not_be_loaded_again_is_not_saved(prepared, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(archive, "MAX_WEIGHTS_BYTES", 1000)
    flags = train_flags(prepared, tmp_path / "run", "--model=random_forest")
    assert main(flags) == 0
    assert "more than any classifier may have; it is scored and not saved" in capsys.readouterr().err
    assert (tmp_path / "run/metrics.json").exists()
    assert not (tmp_path / "run/classifier.keras").exists()


def test_its_features_are_what_the_last_layer_makes_logits_of(finished_run, prepared):
    classifier = serving.load(finished_run / "classifier.keras")
    images = prepared.read("test").images[:50]
    (last,) = (layer for layer in archive.leaves(classifier.model) if layer.name == "logits")
    kernel, bias = last.get_weights()
    np.testing.assert_allclose(classifier.features(images) @ kernel + bias, classifier.logits(images), atol=1e-4)


@pytest.fixture(scope="module")
def plus(prepared, tmp_path_factory):
    """The file of a classifier of the default network, untrained, that goes by n-grams too."""
    classes = len(prepared.facts.class_names)
    network = models.build(models.PLUS, classes, seed=0, width=16)
    network = network.classifier(ngrams_layer(classes))
    path = tmp_path_factory.mktemp("plus") / "classifier.keras"
    build_classifier(network, prepared.facts, prepared.read("train").images).save(path)
    return path


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (10**6, "NgramLogits is larger than any of ours"),
        (4000, "with its NgramLogits it claims more memory than any of ours"),
        (7, "is damaged"),
    ],
)
def test_ngrams_of_more_classes_than_there_are_take_no_memory(plus, tmp_path, classes, words):
    rewritten(plus, tmp_path / "hostile.keras", config_with('"num_classes": 12', f'"num_classes": {classes}'))
    with pytest.raises(ModelFileError, match=words):
        serving.load(tmp_path / "hostile.keras")


@pytest.mark.parametrize(("kind", "build"), [("NgramLogits", [None, 28, 28, 1]), ("Dense", [None, 16_384])])
def test_many_layers_that_are_each_small_enough_are_not_made(plus, tmp_path, kind, build):
    """A hundred bytes of configuration make Keras take megabytes, before it reads a weight."""

    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        config = json.loads(members["config.json"])
        one = next(item for item in archive._objects(config) if item["class_name"] == kind)
        one["build_config"] = {"input_shape": build}
        for number in range(500):
            again = {**one, "name": f"one_{number}", "config": {**one["config"], "name": f"one_{number}"}}
            config["config"]["layers"].append({**again, "inbound_nodes": []})
        return {**members, "config.json": json.dumps(config).encode()}

    rewritten(plus, tmp_path / "hostile.keras", change)
    with pytest.raises(ModelFileError, match=f"with its {kind} it claims more memory than any of ours"):
        archive.check(tmp_path / "hostile.keras")


def test_a_script_that_imports_nothing_else_loads_a_classifier_of_the_default_network(plus):
    """Keras must know our layers by then, whatever trained it."""
    script = "import sys; from clgan_tf import serving; print(len(serving.load(sys.argv[1]).class_names))"
    done = subprocess.run([sys.executable, "-c", script, plus], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 12


def test_a_classifier_of_an_earlier_version_is_told_apart_from_a_damaged_one(finished_run, tmp_path):
    """It gave probabilities alone."""
    model = serving.load(finished_run / "classifier.keras").model
    keras.Model(model.input, model.output["probabilities"]).save(tmp_path / "old.keras")
    with pytest.raises(ModelFileError, match="shapes and class names of this classifier do not fit; train it again"):
        serving.load(tmp_path / "old.keras")


def test_rows_describe_their_sessions(finished_run, demo_corpus):
    path = demo_corpus / "unseen.pcap"
    classifier = serving.load(finished_run / "classifier.keras")
    rows = list(classifier.classify([path, path], reject=0))
    sessions = capture.load(path)
    assert len(rows) == 2 * len(sessions) == 2 * 48
    first = rows[0]
    assert (
        first["source"],
        first["source_port"],
        first["destination"],
        first["destination_port"],
    ) == sessions.endpoints(0)
    assert first["packets"] == sessions.packets[0]
    assert first["bytes"] == sessions.num_bytes[0]
    assert first["first_time"] < first["last_time"]
    assert first["first_time"].startswith("2026-01-01T0")
    assert first["top"][0]["label"] == first["label"]
    assert len(first["top"]) == 3
    expected = classifier.predict_bytes(sessions.images)
    assert [row["label"] for row in rows[:48]] == [classifier.class_names[best] for best in expected.argmax(axis=1)]


def test_what_is_less_familiar_than_asked_for_is_unknown_and_nothing_else_changes(finished_run, demo_corpus):
    path = demo_corpus / "unseen.pcap"
    classifier = serving.load(finished_run / "classifier.keras")
    plain = list(classifier.classify(path, reject=0))
    familiarity = classifier.familiarity(capture.load(path).images)
    assert [row["familiarity"] for row in plain] == pytest.approx(familiarity.tolist(), abs=1e-6)
    for reject in (0.01, 0.3, 1.0):
        rows = list(classifier.classify(path, reject=reject))
        expected = [{**row, "label": "unknown" if row["familiarity"] < reject else row["label"]} for row in plain]
        assert rows == expected
        assert any(row["label"] == "unknown" for row in rows) == (familiarity.min() < reject)


def test_bytes_of_another_kind_are_unknown_and_those_of_training_are_not(finished_run, prepared):
    classifier = serving.load(finished_run / "classifier.keras")
    assert np.mean(classifier.familiarity(prepared.read("test").images) < 0.05) < 0.15
    strange = np.full((50, 28, 28), 255, np.uint8)
    assert (classifier.familiarity(strange) < 0.01).all()


def classify(finished_run, captures, output, *more: str) -> int:
    flags = ["--mode=classify", f"--run_dir={finished_run}", f"--captures={captures}", f"--output={output}"]
    return main([*flags, *more])


def test_a_capture_whose_name_is_not_utf8_is_labelled_in_both_forms(finished_run, demo_corpus, tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9.pcap")
    shutil.copy(demo_corpus / "unseen.pcap", odd)
    for name in ("rows.jsonl", "rows.csv"):
        assert classify(finished_run, odd, tmp_path / name) == 0
        assert "caf\ufffd.pcap" in (tmp_path / name).read_text().replace("\\ufffd", "\ufffd")


def test_many_captures_of_few_sessions_reach_the_network_together(finished_run, tmp_path, monkeypatch):
    """One call of the network costs as much as reading hundreds of sessions."""
    paths = [
        p.write(
            tmp_path / f"{number:02d}.pcap", p.pcap([p.ethernet(p.ipv4(p.udp(bytes([number]) * 9, 1000 + number)))])
        )
        for number in range(30)
    ]
    classifier = serving.load(finished_run / "classifier.keras")
    one_by_one = [row for path in paths for row in classifier.classify(path)]
    sizes = []
    whole = serving.Classifier.outputs
    monkeypatch.setattr(
        serving.Classifier, "outputs", lambda self, images: sizes.append(len(images)) or whole(self, images)
    )
    rows = list(classifier.classify(paths))
    assert sizes == [30]
    assert [row["capture"] for row in rows] == [str(path) for path in paths]
    for row, alone in zip(rows, one_by_one, strict=True):
        assert (row["source_port"], row["label"]) == (alone["source_port"], alone["label"])
        assert row["probability"] == pytest.approx(alone["probability"], abs=1e-5)
    assert len(classifier.ended) == 30


def test_the_three_outputs_agree(finished_run, demo_corpus, tmp_path, capsys):
    path = demo_corpus / "unseen.pcap"
    for output in (tmp_path / "l.jsonl", tmp_path / "l.csv", "-"):
        assert classify(finished_run, path, output) == 0
    printed = capsys.readouterr()
    assert "48 sessions labelled" in printed.err
    rows = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    assert [json.loads(line) for line in printed.out.splitlines()] == rows
    table = list(csv.DictReader(io.StringIO((tmp_path / "l.csv").read_text())))
    assert [row["label"] for row in table] == [row["label"] for row in rows]
    assert [int(row["source_port"]) for row in table] == [row["source_port"] for row in rows]


def test_a_damaged_capture_is_used_up_to_the_damage_and_the_exit_status_says_so_or_strict_refuses_it(
    finished_run, demo_corpus, tmp_path, capsys
):
    data = (demo_corpus / "unseen.pcap").read_bytes()
    broken = p.write(tmp_path / "broken.pcap", data[: len(data) // 2])
    output = tmp_path / "labels.csv"
    assert classify(finished_run, broken, output, "--strict") == 1
    assert str(broken) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [broken]
    assert classify(finished_run, broken, output) == 3
    assert "Warning: " in capsys.readouterr().err
    assert len(output.read_text().splitlines()) > 5


def rewritten(source, target, change) -> None:
    with zipfile.ZipFile(source) as given:
        members = {name: given.read(name) for name in given.namelist()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as written:
        for name, data in change(members).items():
            written.writestr(name, data)


def config_with(old: str, new: str):
    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        config = members["config.json"].decode()
        assert old in config
        return {**members, "config.json": config.replace(old, new).encode()}

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda members: {**members, "extra.py": b"x"}, "its members are"),
        (lambda members: {**members, "config.json": b"{"}, "cannot be read"),
        (lambda members: {**members, "config.json": b"[" * 100_000}, "cannot be read"),
        (lambda members: {**members, "model.weights.h5": bytes(257 << 20)}, "larger than any classifier"),
        (lambda members: {**members, "model.weights.h5": b"no weights"}, "is damaged"),
        (config_with('"class_name": "Reshape"', '"class_name": "Lambda"'), "names keras.layers.Lambda"),
        (config_with('"module": "keras.layers", "class_name": "Reshape"', '"module": "os", "class_name": "system"'), "names os.system"),
        (config_with('"Vpn_Chat", ', ""), "do not fit"),
        (config_with('"class_names": ["Chat"', '"class_names": [["Chat"]'), "class names are no names"),
        (config_with('"class_name": "Reshape"', '"class_name": ["Reshape"]'), "which no classifier of ours has"),
        (config_with('"units": 256', '"units": 4000000'), "LSTM is larger than any of ours"),
        (config_with('"target_shape": [28, 28]', '"target_shape": [28, 28000000]'), "Reshape has a shape that none of ours"),
        (config_with('"kernel_size": [5]', '"kernel_size": [5000000]'), "Conv1D has a shape that none of ours has"),
        (config_with('"input_shape": [null, 28, 28]', '"input_shape": [null, 28, 400000]'), "has a shape that none of ours has"),
        (config_with('"representation": "packets"', '"representation": "other"'), "is damaged"),
        (config_with('"representation_version": 1', '"representation_version": 9'), "made for packets version 9"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_our_classifier(finished_run, demo_corpus, tmp_path, capsys, change, words):
    path = tmp_path / "hostile.keras"
    rewritten(finished_run / "classifier.keras", path, change)
    with pytest.raises(ModelFileError) as error:
        serving.load(path)
    assert words in str(error.value)
    flags = ["--mode=classify", f"--classifier={path}", f"--captures={demo_corpus / 'unseen.pcap'}", "--output=-"]
    assert main(flags) == 1
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert printed.out == ""


@pytest.fixture(scope="module")
def forest(prepared, tmp_path_factory):
    """A saved forest, and how many leaves it has."""
    train = prepared.read("train")
    network = models.build_on_bytes("extra_trees", 0).fit(train.images, train.labels).network(12)
    path = tmp_path_factory.mktemp("forest") / "classifier.keras"
    build_classifier(network, prepared.facts, train.images).save(path)
    return path, network.get_layer("trees").leaves


@pytest.mark.parametrize(
    ("leaves", "words"),
    [
        (10**12, "Trees is larger than any of ours"),
        (6_000_000, "with its Trees it claims more memory than any of ours"),
        (-1, "is damaged"),
        ("many", "larger than any of ours"),
        (3, "is damaged"),
    ],
)
def test_a_forest_that_claims_other_sizes_than_it_has(forest, tmp_path, leaves, words):
    path, has = forest
    rewritten(path, tmp_path / "hostile.keras", config_with(f'"leaves": {has}', f'"leaves": {json.dumps(leaves)}'))
    with pytest.raises(ModelFileError, match=words):
        serving.load(tmp_path / "hostile.keras")


def test_a_forest_that_leads_nowhere_is_not_loaded(forest, tmp_path):
    """Its file is whole and of the right sizes; one number of its first tree is not."""

    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        buffer = io.BytesIO(members["model.weights.h5"])
        with h5py.File(buffer, "r+") as file:
            file["layers/trees/vars/1"][1, 2] = 10**6
        return {**members, "model.weights.h5": buffer.getvalue()}

    rewritten(forest[0], tmp_path / "hostile.keras", change)
    with pytest.raises(ModelFileError, match="a tree leads to a node that is not there"):
        serving.load(tmp_path / "hostile.keras")


@pytest.mark.parametrize("temperature", ["0.0", "-1.0", "NaN", "1e999"])
def test_a_temperature_that_is_none_is_refused(finished_run, tmp_path, temperature):
    has = serving.load(finished_run / "classifier.keras").head.temperature
    change = config_with(f'"temperature": {json.dumps(has)}', f'"temperature": {temperature}')
    rewritten(finished_run / "classifier.keras", tmp_path / "hostile.keras", change)
    with pytest.raises(ModelFileError, match="train it again"):
        serving.load(tmp_path / "hostile.keras")


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda file: file.create_dataset("x", (2**50,), "f4", chunks=(1024,)), "larger than any classifier's"),
        (lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/")), "lies outside the file"),
        (lambda file: file.__setitem__("x", h5py.SoftLink("/")), "lies outside the file"),
        (lambda file: file.__setitem__("x", file["/"]), "larger than any classifier's"),
        (lambda file: file.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)]), "lies outside the file"),
    ],
)
def test_weights_that_claim_terabytes_or_name_other_files(finished_run, tmp_path, add, words):
    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        buffer = io.BytesIO(members["model.weights.h5"])
        with h5py.File(buffer, "r+") as file:
            add(file)
        return {**members, "model.weights.h5": buffer.getvalue()}

    path = tmp_path / "hostile.keras"
    rewritten(finished_run / "classifier.keras", path, change)
    with pytest.raises(ModelFileError, match=words):
        serving.load(path)


def test_any_other_keras_model_or_file_is_refused(tmp_path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    p.write(tmp_path / "text.keras", b"hello")
    for name in ("other.keras", "text.keras"):
        with pytest.raises(ModelFileError, match="is not a classifier of clgan_tf"):
            serving.load(tmp_path / name)
    with pytest.raises(ModelFileError, match="no such file"):
        serving.load(tmp_path / "none.keras")
    with pytest.raises(ModelFileError, match="Is a directory"):
        serving.load(tmp_path)


def test_classify_imports_nothing_that_it_does_not_use(finished_run, demo_corpus, tmp_path):
    """Keras takes what it finds installed: more than a third of a cold start went into what no mode calls."""
    captures = demo_corpus / "unseen.pcap"
    flags = ["classify", f"--run_dir={finished_run}", f"--captures={captures}", f"--output={tmp_path / 'rows.csv'}"]
    script = f"import sys; from clgan_tf.main import main; assert main({flags}) == 0; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "keras" in imported
    assert not imported & {*OF_KERAS, "clgan_tf.evaluation", "clgan_tf.training", "clgan_tf.reporting"}
