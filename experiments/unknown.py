"""Is the unknown told as unknown? Classes held out of training, and traffic that a classifier has never met.

    python experiments/unknown.py --classifier=runs/demo/run/classifier.keras --dataset=runs/demo/dataset
    python experiments/unknown.py --held_out=runs/sweeps/lead/data/ustc_l7 [--draws=5] [--elsewhere]

The first command labels nDPI's test captures ($CLGAN_DATA/captures) with a classifier of the demo's traffic, by
protocol, as nDPI's packet inspection names it, and port scans. The second holds a quarter of the classes out, five
draws, and trains CLGAN+ with 10 labels for each of the others: without any session of the classes held out or, with
--elsewhere, with them among the unlabelled ones, as in one's own network.
Both print AUROC, known sessions rejected (of the test split), unknown ones rejected, and FPR at 95 % TPR (unknown
sessions that pass where 95 % of the known do). Rows are kept in experiments/results/unknown.jsonl, unknown.md is made
of them.
"""

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clgan_tf import capture
from clgan_tf.common import typed_json
from clgan_tf.common.quiet import import_tensorflow
from clgan_tf.reporting import markdown

# What the demo's traffic has too, if from other programs; link-local names are asked for in DNS's messages.
KNOWN_PROTOCOLS = (
    *("TLS", "QUIC", "DNS", "LLMNR", "MDNS", "STUN", "DTLS", "RTP", "SRTP", "BitTorrent", "SSH", "SMTP", "SMTPS"),
    *("IMAPS", "WireGuard"),
)
SCANS = ("synscan.pcap", "tcp_scan.pcapng")
LEAST_SESSIONS = 5  # distinct ones of a protocol
SHOWN_ALONE = 15  # protocols with fewer sessions are one line of the page
RATES = (0.01, 0.05)
HELD_OUT = 0.25  # of the classes
LABELS = 10  # for each other class
RESULTS = Path("experiments/results/unknown.jsonl")


@dataclass(frozen=True)
class Separation:
    """How well a score tells known sessions from unknown ones. fpr95: FPR at 95 % TPR, in [0, 1]."""

    auroc: float
    fpr95: float


@dataclass(frozen=True)
class Row:
    """A line of results. known, unknown: sessions; rejected: shares of both by rate; path: of the data."""

    experiment: str
    what: str
    data: str
    known: int
    unknown: int
    familiarity: Separation
    probability: Separation
    rejected: dict[str, tuple[float, float]]
    draw: int | None = None
    path: str | None = None


def separation(known: np.ndarray, unknown: np.ndarray) -> Separation:
    """Of a score that is high for known sessions: [n] and [m]."""
    from sklearn.metrics import roc_auc_score

    truth = np.concatenate([np.ones(len(known)), np.zeros(len(unknown))])
    return Separation(
        auroc=float(roc_auc_score(truth, np.concatenate([known, unknown]))),
        fpr95=float(np.mean(unknown >= np.quantile(known, 0.05))),
    )


class Judged(NamedTuple):
    """What a classifier says of sessions: familiarity and greatest probability, float [n] each."""

    familiarity: np.ndarray
    probability: np.ndarray

    def rejected(self, rate: float) -> float:
        """The share that `--reject=RATE` tells as unknown."""
        return float(np.mean(self.familiarity < rate))


def row(known: Judged, unknown: Judged, **what: str | int) -> Row:
    """One line of results."""
    return Row(
        **what,
        known=len(known.familiarity),
        unknown=len(unknown.familiarity),
        familiarity=separation(known.familiarity, unknown.familiarity),
        probability=separation(known.probability, unknown.probability),
        rejected={str(rate): (known.rejected(rate), unknown.rejected(rate)) for rate in RATES},
    )


def judged(classifier: object, images: np.ndarray) -> Judged:
    """What a `serving.Classifier` says of sessions uint8 [n, ...]."""
    images = images.reshape(-1, 28, 28)
    return Judged(classifier.familiarity(images), classifier.predict_bytes(images).max(axis=1))


def of_captures(path: Path, dataset: Path) -> list[Row]:
    """A saved classifier on traffic of other kinds."""
    from ndpi_cross_capture import told_apart

    from clgan_tf import serving
    from clgan_tf.data.registered import open_any

    classifier, data = serving.load(path), open_any(dataset)
    known = judged(classifier, data.read("test").images)
    representation, folder = classifier.head.representation, Path(os.environ["CLGAN_DATA"]) / "captures"
    by_protocol = {"port scans": list(capture.load([folder / "ndpi" / name for name in SCANS], representation).images)}
    for _, found, protocols in told_apart(folder, representation):
        for image, protocol in zip(found.images, protocols, strict=True):
            if protocol:
                by_protocol.setdefault(protocol, []).append(image)
    rows = []
    for protocol, images in by_protocol.items():
        distinct = np.unique(np.array(images), axis=0)
        if len(distinct) >= LEAST_SESSIONS:
            experiment = "known protocol" if protocol in KNOWN_PROTOCOLS else "unknown protocol"
            shown = f"{data.facts.source_kind}, {representation}"
            rows.append(row(known, judged(classifier, distinct), experiment=experiment, what=protocol, data=shown))
    return sorted(rows, key=lambda one: (one.experiment, -one.unknown))


def held_out(path: Path, draw: int, elsewhere: bool) -> Row:
    """One draw of classes that are unknown."""
    from clgan_tf.data.examples import Examples
    from clgan_tf.data.few_labels import in_memory, ranks_within_class
    from clgan_tf.data.registered import open_any
    from clgan_tf.models.classifier import build_classifier
    from clgan_tf.serving import Classifier
    from clgan_tf.settings import TuningSettings
    from clgan_tf.training import byte_phases

    data = open_any(path)
    names = data.facts.class_names
    unknown = np.sort(np.random.default_rng(draw).permutation(len(names))[: round(HELD_OUT * len(names))])
    known = [label for label in range(len(names)) if label not in unknown]
    train, test = data.read("train"), data.read("test")
    is_known = np.isin(train.labels, known)
    sessions = train if elsewhere else train[is_known]
    shown = train[is_known & (ranks_within_class(train.sessions, train.labels, draw) < LABELS)]
    new = {label: index for index, label in enumerate(known)}
    labelled = Examples.of_images(shown.images, np.array([new[label] for label in shown.labels.tolist()]))
    first, second = byte_phases.usual_schedules()
    model = byte_phases.pretrained(sessions.images, len(known), first, draw)
    pool = in_memory(sessions.images)
    network = byte_phases.learn_classes(model, labelled, pool, second, TuningSettings(), draw)
    facts = replace(data.facts, class_names=[names[label] for label in known])
    built = build_classifier(network, facts, sessions.images)
    classifier = Classifier(built, built.get_layer("probabilities"))
    is_known = np.isin(test.labels, known)
    return row(
        *(judged(classifier, test.images[side]) for side in (is_known, ~is_known)),
        experiment="elsewhere" if elsewhere else "held out",
        what=", ".join(names[label] for label in unknown),
        data=f"{data.facts.source_kind}, {data.facts.representation}",
        draw=draw,
        path=str(path),
    )


def report(rows: list[Row]) -> str:
    """The page."""
    titles = {
        "unknown protocol": "Protocols that the demo's traffic has not, before the demo's classifier",
        "known protocol": "Protocols that it has too, of other networks and programs, before the same",
        "held out": "Classes of which no session was in training",
        "held out, by features alone": "Classes of which no session was in training, by features alone (earlier)",
        "elsewhere": "Classes whose sessions were there in training, without a label",
    }
    parts = [
        "# Is the unknown told as unknown?",
        "From `experiments/unknown.py`, which says how. In per cent but AUROC.",
    ]
    columns = ["data", "unknown", "sessions", "known rejected", "unknown rejected", "AUROC", "FPR at 95 % TPR"]
    columns += ["AUROC of the greatest probability"]
    for experiment, title in titles.items():
        lines = []
        for data in dict.fromkeys(one.data for one in rows if one.experiment == experiment):
            of_data = [one for one in rows if (one.experiment, one.data) == (experiment, data)]
            shown = [one for one in of_data if one.unknown >= SHOWN_ALONE]
            lines += [line(data, one.what, [one]) for one in shown] + [line(data, f"mean of {len(of_data)}", of_data)]
        if lines:
            parts += [f"## {title}", "Rejected at `--reject=0.01` / `0.05`.", markdown.table(columns, lines)]
    return "\n\n".join(parts) + "\n"


def line(data: str, what: str, rows: list[Row]) -> list[str]:
    """One line of the page: means over rows."""
    rejected = [
        " / ".join(f"{100 * np.mean([one.rejected[str(rate)][side] for one in rows]):.1f}" for rate in RATES)
        for side in (0, 1)
    ]
    auroc, fpr95, sure = np.mean(
        [(one.familiarity.auroc, one.familiarity.fpr95, one.probability.auroc) for one in rows], axis=0
    )
    count = f"{sum(one.unknown for one in rows):,}"
    return [data, what, count, *rejected, f"{auroc:.3f}", f"{100 * fpr95:.1f}", f"{sure:.3f}"]


def main() -> None:
    """Adds rows that are missing, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classifier", type=Path)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--held_out", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--elsewhere", action="store_true")
    options = parser.parse_args()
    import_tensorflow()
    rows = typed_json.read_lines(RESULTS, Row) if RESULTS.exists() else []
    if options.classifier:
        of_protocols = of_captures(options.classifier, options.dataset)
        replaced = {(one.experiment, one.data) for one in of_protocols}
        rows = [one for one in rows if (one.experiment, one.data) not in replaced] + of_protocols
    if options.held_out:
        experiment = "elsewhere" if options.elsewhere else "held out"
        done = {(one.experiment, one.path, one.draw) for one in rows}
        for draw in range(options.draws):
            if (experiment, str(options.held_out), draw) in done:
                continue
            rows.append(held_out(options.held_out, draw, options.elsewhere))
            typed_json.write_lines(RESULTS, rows)
    typed_json.write_lines(RESULTS, rows)
    text = report(rows)
    RESULTS.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
