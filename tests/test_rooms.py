"""The rooms of the house: imports go one way, and each extra's packages are imported in its own rooms alone."""

import ast
from pathlib import Path

import pytest

from clgan_tf import capture
from clgan_tf.capture.representation import REPRESENTATIONS, Beginning, FieldGroup, Representation, l7
from clgan_tf.main import main
from tests import packets as p

ROOT = Path(__file__).parents[1]
# Each knows only those before it.
ROOMS = (
    *(
        "common",
        "capture",
        "settings",
        "demo",
        "data",
        "runs",
        "models",
        "evaluation",
        "training",
        "estimator",
        "serving",
    ),
    *("sweeps", "reporting", "commands", "flags", "main"),
)
NO_CONFIGURATION = ("models",)
FREE = {  # rooms -> packages that they must not import
    "capture": {"tensorflow", "keras", "tensorboard", "sklearn", "matplotlib", "pandas"},
    "models": {"matplotlib", "pandas"},
}
EXTRAS = {
    "demo": {"dpkt", "cryptography"},
    "tfds": {"tensorflow_datasets", "apache_beam"},
    "export": {"onnx", "tf2onnx"},
}
ABSL = ("flags.py", "main.py")


def imports(path: Path) -> set[tuple[str, bool]]:
    """Names of imported modules, and whether the import is made when the module is."""
    tree = ast.parse(path.read_text())
    found = set()
    inside = {
        id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(alias.name, id(node) not in inside) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "clgan_tf" else [node.module]
            )
            found |= {(name, id(node) not in inside) for name in names}
    return found


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "clgan_tf").parts[0].removesuffix(".py")


FILES = sorted(path for path in (ROOT / "clgan_tf").rglob("*.py") if path != ROOT / "clgan_tf/__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way_and_extras_stay_in_their_rooms(path):
    room = room_of(path)
    for name, at_import in imports(path):
        first, *rest = name.split(".")
        if first == "clgan_tf" and rest:
            other = rest[0]
            assert other == "__version__" or ROOMS.index(other) <= ROOMS.index(room), name
            assert not (room in NO_CONFIGURATION and other == "settings"), name
            assert other != "demo" or room == "demo" or not at_import, name
        assert first not in FREE.get(room, set()) - ({"pandas"} if not at_import else set()), name
        assert first not in EXTRAS["demo"] or room == "demo", name
        assert first not in EXTRAS["tfds"] | EXTRAS["export"] or not at_import, name
        assert first != "absl" or path.name in ABSL, name
        assert name != "unittest.mock", name


def test_datasets_use_no_mock_outside_tests():
    for path in (ROOT / "datasets").rglob("*.py"):
        assert path.name.endswith("_test.py") or not {name for name, _ in imports(path)} & {"unittest", "unittest.mock"}


def test_a_representation_is_one_line_of_its_registry(tmp_path, monkeypatch, capsys):
    """Captures, flags, data sets, the audit and a model card take it from there."""
    tail = Representation(
        name="tail",
        version=3,
        header=lambda _link_type: b"",
        slices=lambda block, segments: (
            segments.payload + (segments.end - segments.payload) // 2,
            l7(block, segments)[1],
        ),
        needs_payload=True,
        begins_with=Beginning.PAYLOAD,
        shows=(FieldGroup.LENGTHS,),
        note="The second half of every payload.",
    )
    monkeypatch.setitem(REPRESENTATIONS, "tail", tail)
    for number, name in enumerate("ab"):
        frames = [p.ipv4(p.udp(bytes([number, n, n, number]), 1000 * (number + 1) + n)) for n in range(40)]
        p.write(tmp_path / f"source/{name}/1.pcap", p.pcap(frames, 101))
    sessions = capture.load(tmp_path / "source/a", "tail")
    assert sessions.images[7].reshape(-1)[:3].tolist() == [7, 0, 0]
    assert tail.leaks == ()
    dataset, run = tmp_path / "dataset", tmp_path / "run"
    arguments = [f"--source={tmp_path / 'source'}", f"--dataset={dataset}", "--representation=tail"]
    train = [f"--run_dir={run}", "--model=random_forest", "--labels=10", "--labels_unit=per_class"]
    assert main(["--mode=prepare,train", *arguments, *train]) == 0
    assert "The second half of every payload." in (run / "model_card.md").read_text()
    assert main(["--mode=audit", f"--dataset={dataset}", f"--output={tmp_path / 'audit.json'}"]) == 0
    printed = capsys.readouterr().out
    assert "| lengths | " in printed
    assert "| first payload bytes | not in this representation" in printed
