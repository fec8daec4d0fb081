"""The shortcut audit: how well groups of header fields alone, without any payload, tell the classes apart.

A field group that does identifies hosts or moments of capture, not applications: a score on such data says little
about other networks. Fields are those of a session's first packet, as far as the representation shows them.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from clgan_tf.capture.representation import Beginning, FieldGroup, Representation
from clgan_tf.common.errors import DataError
from clgan_tf.data.examples import UNLABELLED, Examples
from clgan_tf.data.prepare import fates_of
from clgan_tf.data.recipe import Fate

FOLDS = 5
LEAVES = 1024  # of the tree: it may cut a range of times or addresses into so many pieces
WARNING_LEVEL = 0.8  # of the way from the majority class to every session right
PCAP_HEADER, RECORD_HEADER = 24, 16
FRAME = PCAP_HEADER + RECORD_HEADER  # where the first frame begins
ETHERNET, ETHERNET_HEADER = 1, 14  # link type, bytes
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
    elif representation.begins_with is Beginning.IP_HEADER:
        groups = _ip_fields(image, ip_header(image, representation))
    else:
        link_type, ethernet, frame = _number(image, 20, 4), _is_ethernet(image), FRAME
        groups = _ip_fields(image, ip_header(image, representation))
        groups[FieldGroup.CAPTURE_TIME] = np.stack(
            [_number(image, PCAP_HEADER, 4), _number(image, PCAP_HEADER + 4, 4)], 1
        ).astype(float)
        groups[FieldGroup.LINK_TYPE] = link_type[:, np.newaxis].astype(float)
        groups[FieldGroup.MAC] = np.where(ethernet[:, np.newaxis], image[:, frame : frame + 12], -1).astype(float)
    whole = examples.num_bytes[:, np.newaxis].astype(float)
    in_headers = groups.get(FieldGroup.LENGTHS, whole[:, :0])
    groups[FieldGroup.LENGTHS] = np.concatenate([whole, in_headers], 1)
    return {group: groups[group] for group in representation.shows}


def ip_header(image: np.ndarray, representation: Representation) -> np.ndarray:
    """Where the first packet's IP header begins in each row of `image` int64 [n, 784], which shows one: int64 [n]."""
    if representation.begins_with is Beginning.IP_HEADER:
        return np.zeros(len(image), np.int64)
    return np.where(_is_ethernet(image), FRAME + ETHERNET_HEADER, FRAME)


def _is_ethernet(image: np.ndarray) -> np.ndarray:
    return _number(image, 20, 4) == ETHERNET


def _ip_fields(image: np.ndarray, network: np.ndarray) -> dict[FieldGroup, np.ndarray]:
    """The fields of the IP header that begins at `network` int64 [n] in each row of `image`, and of what it carries."""
    four = _at(image, network, 0) >> 4 == 4
    six = _at(image, network, 0) >> 4 == 6
    transport = network + np.where(four, (_at(image, network, 0) & 15) * 4, 40)
    protocol = np.where(four, _at(image, network, 9), _at(image, network, 6))
    tcp, ip = protocol == 6, four | six

    def columns(*values: np.ndarray, where: np.ndarray = ip) -> np.ndarray:
        return np.stack([np.where(where, value, -1) for value in values], 1).astype(float)

    high = [
        np.where(four, _field(image, network, 12 + 4 * side, 4), _field(image, network, 8 + 16 * side, 4))
        for side in (0, 1)
    ]
    low = [np.where(four, 0, _field(image, network, 20 + 16 * side, 4)) for side in (0, 1)]
    payload = transport + np.where(tcp, (_at(image, transport, 12) >> 4) * 4, 8)
    return {
        FieldGroup.IP: columns(*high, *low),
        FieldGroup.PORTS: columns(_field(image, transport, 0, 2), _field(image, transport, 2, 2)),
        FieldGroup.TTL: columns(np.where(four, _at(image, network, 8), _at(image, network, 7))),
        FieldGroup.IP_ID: columns(_field(image, network, 4, 2), where=four),
        FieldGroup.TCP_NUMBERS: columns(_field(image, transport, 4, 4), _field(image, transport, 8, 4), where=tcp),
        FieldGroup.LENGTHS: np.concatenate(
            [
                columns(np.where(four, _field(image, network, 2, 2), _field(image, network, 4, 2))),
                columns(_field(image, transport, 4, 2), where=protocol == 17),
            ],
            1,
        ),
        FieldGroup.FIRST_PAYLOAD_BYTES: columns(*(_at(image, payload, offset) for offset in range(FIRST_BYTES))),
    }


def _at(image: np.ndarray, begin: np.ndarray, offset: int) -> np.ndarray:
    """The byte at begin + offset of each row; 0 behind the image's end."""
    column = begin + offset
    values = image[np.arange(len(image)), np.minimum(column, image.shape[1] - 1)]
    return np.where(column < image.shape[1], values, 0)


def _field(image: np.ndarray, begin: np.ndarray, first: int, size: int) -> np.ndarray:
    """The big-endian number of `size` bytes there."""
    number = np.zeros(len(image), np.int64)
    for offset in range(size):
        number = number << 8 | _at(image, begin, first + offset)
    return number


def _number(image: np.ndarray, first: int, size: int) -> np.ndarray:
    return _field(image, np.zeros(len(image), np.int64), first, size)


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
