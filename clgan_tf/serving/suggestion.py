"""Sessions of captures that are worth a label next, as rows of a CSV file that --session_labels takes back."""

import csv
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from clgan_tf.capture import workers_for
from clgan_tf.capture.parallel import Progress
from clgan_tf.common.files import written_anew
from clgan_tf.data.examples import UNLABELLED
from clgan_tf.data.label_file import WRITTEN_TO, SessionLabels
from clgan_tf.evaluation.selection import worth_labelling
from clgan_tf.serving.classifier import Classifier

COLUMNS = (
    *("label", "guess", "probability", "familiarity", "capture", "protocol"),
    *("source", "source_port", "destination", "destination_port", "first_time", "last_time"),
    *("packets", "first_packet", "last_packet", "bytes", "wireshark_filter"),
)
MOST_SESSIONS = 20_000  # held in memory at once; of more, a uniform sample


class Candidate(NamedTuple):
    """A session that may be chosen: its row, the network's probabilities [K] and last features [d]."""

    row: dict[str, Any]
    probabilities: np.ndarray
    features: np.ndarray


def suggest(
    classifier: Classifier,
    captures: Sequence[str],
    count: int,
    known: SessionLabels | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """At most `count` rows with COLUMNS, the one to label first on top; what `known` labels is left out.

    Raises:
      CaptureError: see clgan_tf.capture.stream.
    """
    generator = np.random.default_rng(seed)
    kept: list[Candidate] = []
    seen = 0
    for sessions, outputs in classifier.judged(captures, progress=progress, workers=workers_for(captures)):
        features = classifier.features(sessions.images)
        is_known = known.of(sessions) != UNLABELLED if known else np.zeros(len(sessions), bool)
        for number in np.flatnonzero(~is_known):
            seen += 1
            at = len(kept) if seen <= MOST_SESSIONS else int(generator.integers(seen))  # Vitter's algorithm R
            if at >= MOST_SESSIONS:
                continue
            numbers = {name: int(getattr(sessions, name)[number]) for name in ("first_packet", "last_packet")}
            row = classifier.rows(sessions, outputs, numbers=np.array([number]))[0] | numbers
            kept[at : at + 1] = [Candidate(row, outputs["probabilities"][number], features[number])]
    if not kept:
        return []
    probabilities, features = (np.stack([getattr(one, name) for one in kept]) for name in ("probabilities", "features"))
    return [_line(kept[at].row) for at in worth_labelling(probabilities, features, count, seed)]


def _line(row: dict[str, Any]) -> dict[str, Any]:
    values = {**row, "label": "", "guess": row["label"], "wireshark_filter": wireshark_filter(row)}
    return {name: values[name] for name in COLUMNS}


def wireshark_filter(row: dict[str, Any]) -> str:
    """A display filter that shows a session's packets in its capture, of a row as `Classifier.classify` gives it."""
    version = "ipv6" if ":" in row["source"] else "ip"
    port = f"{row['protocol'].lower()}.port"
    ends = [f"{version}.addr == {row[side]} && {port} == {row[f'{side}_port']}" for side in ("source", "destination")]
    first, last = (datetime.fromisoformat(row[name]).timestamp() for name in ("first_time", "last_time"))
    times = f"frame.time_epoch >= {first - WRITTEN_TO:.6f} && frame.time_epoch <= {last + WRITTEN_TO:.6f}"
    return " && ".join([*ends, times])


def write(rows: Sequence[dict[str, Any]], output: str) -> None:
    """Writes them as CSV, whole or not at all; a file that stands there is renamed, see `keep_earlier`."""
    with written_anew(output) as aside, open(aside, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
