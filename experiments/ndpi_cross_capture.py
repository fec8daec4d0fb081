"""Other networks' captures: all systems on nDPI's captures, split by capture so that nothing leaks.

    CLGAN_DATA=... python experiments/ndpi_cross_capture.py [--representation=packets] [--seeds=5]

Labels come by 5-tuple from captures/ndpi_flows.csv (its README there): the part before the dot, of flows that nDPI's
deep packet inspection told alone; 17 classes. Images are distinct, and a class has at most 40 labelled sessions of one
capture. For every seed three tenths of the captures are held out, of 500 draws the one that tests most classes; the
rest trains, with 10 labels a class (or all that it has) and then with all, and every other session without a label.
CLGAN+ is there in four forms: what its phase 1 begins from, and how long it is.
Macro-F1 is over the classes that the test captures have. Nothing is chosen on them, but for the last form's four epochs
and how long the shipped trunk was trained, tried on draws 0 to 2, and how the last layer weighs n-grams, on 0 and 1.

Each line of OUTPUT.jsonl is one system of one seed; a stopped run goes on where it was. The table is OUTPUT.md.
"""

import argparse
import csv
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

from clgan_tf import capture, models
from clgan_tf.common import typed_json
from clgan_tf.common.errors import CaptureError
from clgan_tf.common.quiet import import_tensorflow
from clgan_tf.reporting import markdown

CLASSES = (
    *("HTTP", "TLS", "DNS", "QUIC", "STUN", "LLMNR", "SSDP", "MDNS", "Dropbox", "DHCP", "NetBIOS", "DTLS", "RTP"),
    *("WhatsApp", "Zoom", "SIP", "Spotify"),
)
MOST_OF_A_CAPTURE = 40
TEST_SHARE = 0.3
DRAWS = 500
BUDGETS = ("10 a class", "all")
UNLABELLED = -1


class Phase1(NamedTuple):
    """A form of CLGAN+. epochs: None: the usual ones."""

    title: str
    is_begun_from_shipped_trunk: bool
    epochs: int | None


FORMS = {
    models.PLUS: Phase1("CLGAN+", False, None),
    f"{models.PLUS}, labels alone": Phase1("CLGAN+, no phase 1", False, 0),
    f"{models.PLUS}, shipped": Phase1("CLGAN+, the shipped trunk, no phase 1 of its own", True, 0),
    f"{models.PLUS}, shipped, 4 epochs": Phase1("CLGAN+, 4 epochs of phase 1 from the shipped trunk", True, 4),
}


@dataclass(frozen=True)
class Cell:
    """One system, trained once."""

    representation: str
    seed: int
    budget: str
    system: str


@dataclass(frozen=True)
class Row:
    """A line of OUTPUT.jsonl. labels: shown ones; train, test: sessions; seconds: of training and labelling."""

    cell: Cell
    labels: int
    train: int
    test: int
    accuracy: float
    f1: float
    seconds: float


def sessions(folder: Path, representation: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct images uint8 [n, 28, 28, 1], their labels int64 [n] with -1 for none, and their captures str [n]."""
    images, labels, captures = [], [], []
    seen: set[bytes] = set()
    counts: Counter[tuple[int, str]] = Counter()
    for name, found, protocols in told_apart(folder, representation):
        for image, protocol in zip(found.images, protocols, strict=True):
            content = image.tobytes()
            if content in seen:
                continue
            seen.add(content)
            label = CLASSES.index(protocol) if protocol in CLASSES else UNLABELLED
            counts[label, name] += 1
            images.append(image)
            labels.append(label if counts[label, name] <= MOST_OF_A_CAPTURE else UNLABELLED)
            captures.append(name)
    return np.array(images)[..., np.newaxis], np.array(labels), np.array(captures)


def told_apart(folder: Path, representation: str) -> Iterator[tuple[str, capture.Sessions, list[str]]]:
    """Each capture's name, its sessions, and what nDPI's deep packet inspection took them for; "" if it did not say."""
    flows = flow_protocols(folder / "ndpi_flows.csv")
    for name in sorted({key[0] for key in flows}):
        try:
            found = capture.load(folder / "ndpi" / name, representation)
        except CaptureError as error:  # no session of TCP or UDP in it
            print(f"Left out: {error}", file=sys.stderr)
            continue
        protocols = []
        for row in range(len(found)):
            source, source_port, destination, destination_port = found.endpoints(row)
            ends = sorted([(source, source_port), (destination, destination_port)])
            transport = capture.PROTOCOLS[int(found.key[row]["protocol"])]
            protocols.append(flows.get((name, transport, *ends), ""))
        yield name, found, protocols


def flow_protocols(path: Path) -> dict[tuple, str]:
    """Capture, transport and both ends, sorted -> protocol; "" of flows that packet inspection alone did not tell."""
    protocols = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            ends = sorted((address(row[end]), int(row[f"{end}_port"])) for end in ("source", "destination"))
            told = row["label"].split(".")[0] if row["confidence"] == "DPI" else ""
            protocols[row["capture"], row["protocol"], *ends] = told
    return protocols


def address(text: str) -> str:
    """An address as `Sessions.endpoints` writes it; a few of nDPI's are torn, and match nothing."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def test_captures(labels: np.ndarray, captures: np.ndarray, seed: int) -> np.ndarray:
    """Marks the sessions of the captures that are held out, bool [n]."""
    names, rng = np.unique(captures), np.random.default_rng(seed)
    best, most = np.zeros(len(labels), bool), -1.0
    for _ in range(DRAWS):
        held_out = np.isin(captures, rng.choice(names, round(TEST_SHARE * len(names)), replace=False))
        tests, trains = (
            np.bincount(labels[side & (labels != UNLABELLED)], minlength=len(CLASSES)) for side in (held_out, ~held_out)
        )
        value = float(np.minimum(np.minimum(tests, 6) / 6, np.minimum(trains, 10) / 10).sum())
        if value > most:
            best, most = held_out, value
    return best


def shown(labels: np.ndarray, budget: str, seed: int) -> np.ndarray:
    """Marks the training sessions that show their label, bool [n]."""
    if budget == "all":
        return labels != UNLABELLED
    rng, chosen = np.random.default_rng(seed), np.zeros(len(labels), bool)
    for label in range(len(CLASSES)):
        chosen[rng.permutation(np.flatnonzero(labels == label))[:10]] = True
    return chosen


class Plus:
    """A form of CLGAN+, which is pre-trained once on all training sessions of a seed."""

    def __init__(self, form: Phase1, images: np.ndarray, representation: str, seed: int) -> None:
        import_tensorflow()
        from clgan_tf.training import byte_phases

        self.seed = seed
        schedule, self.schedule = byte_phases.usual_schedules()
        if form.epochs is not None:
            schedule = schedule._replace(epochs=form.epochs)
        shipped = representation if form.is_begun_from_shipped_trunk else None
        self.model = byte_phases.pretrained(images, len(CLASSES), schedule, seed, shipped)
        self.trunk = self.model.get_weights()

    def fit(self, images: np.ndarray, labels: np.ndarray) -> "Plus":
        """Fine-tunes a fresh copy. labels: int64 [n], -1 of none."""
        from clgan_tf.data.examples import Examples
        from clgan_tf.data.few_labels import in_memory
        from clgan_tf.settings import TuningSettings
        from clgan_tf.training import byte_phases

        self.model.set_weights(self.trunk)
        known = labels != UNLABELLED
        labelled, others = Examples.of_images(images[known], labels[known]), in_memory(images[~known])
        tuning = TuningSettings()
        self.network = byte_phases.learn_classes(self.model, labelled, others, self.schedule, tuning, self.seed)
        return self

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Labels int64 [n]."""
        return self.network.predict(images, verbose=0).argmax(axis=1)


def main() -> None:
    """Runs what is missing and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--representation", default="packets", choices=list(capture.REPRESENTATIONS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("experiments/results/ndpi_cross_capture"))
    options = parser.parse_args()
    folder = Path(os.environ["CLGAN_DATA"]) / "captures"
    path = options.output.with_suffix(".jsonl")
    rows = typed_json.read_lines(path, Row) if path.exists() else []
    images, labels, captures = sessions(folder, options.representation)
    for seed in range(options.seeds):
        held_out = test_captures(labels, captures, seed)
        train, truth = images[~held_out], labels[held_out & (labels != UNLABELLED)]
        scored = images[held_out & (labels != UNLABELLED)]
        plus: dict[str, Plus] = {}
        for budget in BUDGETS:
            of_train = labels[~held_out]
            given = np.where(shown(of_train, budget, seed), of_train, UNLABELLED)
            for name in systems(options.representation):
                cell = Cell(options.representation, seed, budget, name)
                if any(row.cell == cell for row in rows):
                    continue
                started = time.perf_counter()
                if name in FORMS:
                    if name not in plus:
                        plus[name] = Plus(FORMS[name], train, options.representation, seed)
                    predicted = plus[name].fit(train, given).predict(scored)
                else:
                    system = models.build_on_bytes(name, seed)
                    known = given != (UNLABELLED if not system.is_semi_supervised else UNLABELLED - 1)
                    predicted = system.fit(train[known], given[known]).predict(scored)
                f1 = f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
                row = Row(
                    cell,
                    labels=int((given != UNLABELLED).sum()),
                    train=len(train),
                    test=len(truth),
                    accuracy=round(float(accuracy_score(truth, predicted)), 4),
                    f1=round(float(f1), 4),
                    seconds=round(time.perf_counter() - started, 1),
                )
                rows.append(row)
                typed_json.write_lines(path, rows)
                print(rows[-1], flush=True)
    text = report(rows)
    options.output.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


def systems(representation: str) -> list[str]:
    """All that are compared, by name; a trunk comes with clgan_tf for some representations."""
    import_tensorflow()
    from clgan_tf.training import trunk

    has_trunk = representation in trunk.all_shipped()
    forms = [name for name, form in FORMS.items() if has_trunk or not form.is_begun_from_shipped_trunk]
    return [*models.ON_BYTES, *forms]


def report(rows: list[Row]) -> str:
    """The table of all systems, mean over seeds."""
    parts = ["# nDPI's captures, split by capture", "", __doc__.strip().splitlines()[0], ""]
    for representation in dict.fromkeys(row.cell.representation for row in rows):
        lines = []
        for name in systems(representation):
            cells = []
            for budget in BUDGETS:
                of_cell = [row for row in rows if row.cell == Cell(representation, row.cell.seed, budget, name)]
                accuracy, f1 = (100 * np.array([getattr(row, of) for row in of_cell]) for of in ("accuracy", "f1"))
                cells.append(f"{accuracy.mean():.1f} / {f1.mean():.1f} ± {f1.std():.1f} ({len(f1)})" if len(f1) else "")
            lines.append([FORMS[name].title if name in FORMS else models.title(name), *cells])
        columns = ["System", *(f"{budget}: accuracy / macro-F1 ± deviation (seeds)" for budget in BUDGETS)]
        parts += [f"## `{representation}`", "", markdown.table(columns, lines), ""]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
