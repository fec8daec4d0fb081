"""The shortcut audit: how well groups of header fields alone, without any payload, tell the classes apart.

A field group that does identifies hosts or moments of capture, not applications: a score on such data says little
about other networks. Fields are those of a session's first packet, as far as the representation shows them.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from clgan_tf.capture.representation import ROW_PAYLOAD, Beginning, FieldGroup, Representation
from clgan_tf.common.errors import DataError
from clgan_tf.data.examples import UNLABELLED, Examples
from clgan_tf.data.prepare import fates_of
from clgan_tf.data.recipe import Fate
from clgan_tf.evaluation.headers import (
    ETHERNET,
    FRAME,
    PCAP_HEADER,
    Headers,
    at,
    field,
    headers_of,
    link_type_of,
    number,
)

FOLDS = 5
LEAVES = 1024  # of the tree: it may cut a range of times or addresses into so many pieces
WARNING_LEVEL = 0.8  # of the way from the majority class to every session right
FIRST_BYTES = 16


@dataclass(frozen=True)
class Finding:
    """One field group: columns it has, and cross-validated accuracies in [0, 1] of a lookup and of a tree."""

    group: FieldGroup
    columns: int
    lookup: float
    tree: float
    majority: float

    @property
    def accuracy(self) -> float:
        """The better of both."""
        return max(self.lookup, self.tree)

    @property
    def is_shortcut(self) -> bool:
        """Whether the group alone goes most of the way from the majority class to a perfect score."""
        return self.accuracy - self.majority > WARNING_LEVEL * (1 - self.majority)


def field_groups(examples: Examples, representation: Representation) -> dict[FieldGroup, np.ndarray]:
    """Columns float64 [n, c] by field group, of those groups that the representation shows.

    A session whose first packet has no such field has -1 there.
    """
    image = examples.images.reshape(len(examples), 784).astype(np.int64)
    if representation.begins_with is Beginning.PAYLOAD:
        groups = {FieldGroup.FIRST_PAYLOAD_BYTES: image[:, :FIRST_BYTES].astype(float)}
    elif representation.begins_with is Beginning.PACKET_ROW:
        groups = {
            FieldGroup.LENGTHS: number(image, 1, 2)[:, np.newaxis].astype(float),
            FieldGroup.FIRST_PAYLOAD_BYTES: image[:, ROW_PAYLOAD : ROW_PAYLOAD + FIRST_BYTES].astype(float),
        }
    else:
        groups = _ip_fields(image, headers_of(image, representation))
    if representation.begins_with is Beginning.CAPTURE_HEADER:
        link_type = link_type_of(image)
        ethernet = link_type[:, np.newaxis] == ETHERNET
        groups[FieldGroup.CAPTURE_TIME] = np.stack(
            [number(image, PCAP_HEADER, 4), number(image, PCAP_HEADER + 4, 4)], 1
        ).astype(float)
        groups[FieldGroup.LINK_TYPE] = link_type[:, np.newaxis].astype(float)
        groups[FieldGroup.MAC] = np.where(ethernet, image[:, FRAME : FRAME + 12], -1).astype(float)
    whole = examples.num_bytes[:, np.newaxis].astype(float)
    in_headers = groups.get(FieldGroup.LENGTHS, whole[:, :0])
    groups[FieldGroup.LENGTHS] = np.concatenate([whole, in_headers], 1)
    return {group: groups[group] for group in representation.shows}


def _ip_fields(image: np.ndarray, of: Headers) -> dict[FieldGroup, np.ndarray]:
    """The fields of the first packet's IP header in each row of `image`, and of what it carries."""
    four, network, transport = of.four, of.network, of.transport
    ip = four | of.six

    def columns(*values: np.ndarray, where: np.ndarray = ip) -> np.ndarray:
        return np.stack([np.where(where, value, -1) for value in values], 1).astype(float)

    high = [
        np.where(four, field(image, network, 12 + 4 * side, 4), field(image, network, 8 + 16 * side, 4))
        for side in (0, 1)
    ]
    low = [np.where(four, 0, field(image, network, 20 + 16 * side, 4)) for side in (0, 1)]
    return {
        FieldGroup.IP: columns(*high, *low),
        FieldGroup.PORTS: columns(field(image, transport, 0, 2), field(image, transport, 2, 2)),
        FieldGroup.TTL: columns(np.where(four, at(image, network, 8), at(image, network, 7))),
        FieldGroup.IP_ID: columns(field(image, network, 4, 2), where=four),
        FieldGroup.TCP_NUMBERS: columns(field(image, transport, 4, 4), field(image, transport, 8, 4), where=of.tcp),
        FieldGroup.LENGTHS: np.concatenate(
            [columns(of.length), columns(field(image, transport, 4, 2), where=of.udp)],
            1,
        ),
        FieldGroup.FIRST_PAYLOAD_BYTES: columns(*(at(image, of.payload, offset) for offset in range(FIRST_BYTES))),
    }


def audit(examples: Examples, representation: Representation, seed: int = 0) -> list[Finding]:
    """Every field group's cross-validated accuracy on the labelled examples, best first.

    Raises:
      DataError: a class has fewer sessions than there are folds.
    """
    examples = examples[examples.labels != UNLABELLED]
    labels = examples.labels
    if np.unique(labels, return_counts=True)[1].min() < FOLDS:
        raise DataError(f"The audit needs {FOLDS} sessions of every class; add captures of the smallest.")
    majority = np.bincount(labels).max() / len(labels)
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels))
    findings = []
    for group, columns in field_groups(examples, representation).items():
        right = {"lookup": 0, "tree": 0}
        for train, test in folds:
            right["lookup"] += int((_look_up(columns[train], labels[train], columns[test]) == labels[test]).sum())
            tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, random_state=seed).fit(columns[train], labels[train])
            right["tree"] += int((tree.predict(columns[test]) == labels[test]).sum())
        scores = {name: count / len(labels) for name, count in right.items()}
        findings.append(Finding(group, columns.shape[1], majority=float(majority), **scores))
    return sorted(findings, key=lambda finding: -finding.accuracy)


def _look_up(known: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The most frequent label of exactly these values; the most frequent of all where they were never seen."""
    values, group = np.unique(np.concatenate([known, asked]), axis=0, return_inverse=True)
    counts = np.zeros((len(values), labels.max() + 1), np.int64)
    np.add.at(counts, (group[: len(known)], labels), 1)
    best = np.where(counts.any(axis=1), counts.argmax(axis=1), np.bincount(labels).argmax())
    return best[group[len(known) :]]


def overlap(splits: dict[str, Examples]) -> dict[str, int]:
    """Images that splits share, sessions whose image another one has too, and those whose image has two labels."""
    whole = Examples.concatenate(list(splits.values()))
    fates = fates_of(whole)
    names = np.concatenate([np.full(len(part), index) for index, part in enumerate(splits.values())])
    _, group = np.unique(whole.image_hashes(), return_inverse=True)
    lowest, highest = np.full(group.max(initial=-1) + 1, len(splits)), np.full(group.max(initial=-1) + 1, -1)
    np.minimum.at(lowest, group, names)
    np.maximum.at(highest, group, names)
    return {
        "images_in_several_splits": int((highest > lowest).sum()),
        "repeated_sessions": fates.count(Fate.DUPLICATE),
        "sessions_with_two_labels": fates.count(Fate.CONFLICT),
    }
