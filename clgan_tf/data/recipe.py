"""The one recipe from sessions to leak-free splits: de-duplication, conflicts, splits, proof and fingerprint.

Pure rules about groups of sessions, which prepare applies to columns in memory and the TFDS builders to Beam's
groups: the same source gives the same sessions in the same splits under the same fingerprint. Every choice is a
function of a seed and a session's identifier, never of the order of input, so that any number of files or workers gives
the same data. BUILD_NOTES.md says why each rule is as it is.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from clgan_tf.common.errors import DataError
from clgan_tf.data.examples import UNLABELLED

VERSION = 2  # goes up whenever the same source gives other sessions, splits or another fingerprint
LEAST_CAPTURES = 3  # of a class that is split by capture: one for each split
LEAST_SESSIONS = 3  # of a class that is split by session
OWN_SPLITS = ("train", "validation", "test")
SPLITS = (*OWN_SPLITS, "unlabelled")
MODULUS = 1 << 256


class Fate(StrEnum):
    """What becomes of a session that was read."""

    KEPT = "kept"
    DUPLICATE = "duplicates"
    CONFLICT = "conflicts"


class Member(NamedTuple):
    """What the rules need to know of a session.

    label: UNLABELLED (-1) where there is none; session: its identifier, in which a flow's direction stands behind "#";
    capture: where it came from; is_published_test: it belongs to the test part that the data set's authors chose.
    """

    label: int
    session: str
    capture: str
    is_published_test: bool = False

    @property
    def preference(self) -> tuple[bool, bool, str, str]:
        """Of equals the one with the smallest stays: of the published test part, labelled, then by name."""
        return not self.is_published_test, self.label == UNLABELLED, self.session, self.capture


def group_of(session: str) -> str:
    """What must stay together in one split: the identifier up to "#"; behind it stands a flow's direction."""
    return session.partition("#")[0]


def fates_of_a_session(members: Sequence[Member]) -> list[Fate]:
    """What becomes of all records of one session, its flows and the captures it is in.

    A session that carries two labels is a conflict. One that several captures hold stays as one of them has it: its
    flows must not come apart.
    """
    if _carry_two_labels(members):
        return [Fate.CONFLICT] * len(members)
    capture = min(members, key=lambda member: member.preference).capture
    fates, seen = [], set()
    for member in members:
        stays = member.capture == capture and member.session not in seen
        if stays:
            seen.add(member.session)
        fates.append(Fate.KEPT if stays else Fate.DUPLICATE)
    return fates


def fates_of_an_image(members: Sequence[Member], fates: Sequence[Fate]) -> list[Fate]:
    """What becomes of all records of one image, given what `fates_of_a_session` said of each.

    An image that carries two labels, be it through a record that goes anyway, is a conflict. Of those that are left the
    preferred one stays; an unlabelled copy of a labelled image is a duplicate.
    """
    if _carry_two_labels(members):
        return [Fate.CONFLICT] * len(members)
    left = [index for index, fate in enumerate(fates) if fate is Fate.KEPT]
    kept = min(left, key=lambda index: members[index].preference, default=None)
    return [fate if fate is not Fate.KEPT or index == kept else Fate.DUPLICATE for index, fate in enumerate(fates)]


def _carry_two_labels(members: Iterable[Member]) -> bool:
    return len({member.label for member in members} - {UNLABELLED}) > 1


@dataclass(frozen=True)
class Plan:
    """How sessions become splits.

    test_fraction: of a class's sessions, where no published test part is; validation_fraction: of what test leaves;
    cap_per_class: at most so many sessions of a class, a uniform sample; 0 = all; has_published_test: the test part
    that the authors chose is the test split; capture_splits: by capture, where whole captures are split.
    """

    seed: int
    test_fraction: float
    validation_fraction: float
    cap_per_class: int = 0
    has_published_test: bool = False
    capture_splits: Mapping[str, str] = field(default_factory=dict)


class Cuts(NamedTuple):
    """Where one class is cut: sessions up to `cap` are in, those below `test` in test, then below `validation`."""

    cap: float
    test: float
    validation: float


def cuts(groups: Iterable[str], plan: Plan) -> Cuts:
    """The cuts of one class, given its sessions (`group_of`; without those of a published test part).

    They give exact shares, rounded, and every split a session if there are LEAST_SESSIONS.
    """
    chosen = sorted(set(groups), key=lambda group: _uniform(f"cap/{plan.seed}/{group}"))
    cap = 1.0
    if 0 < plan.cap_per_class < len(chosen):
        chosen = chosen[: plan.cap_per_class]
        cap = _uniform(f"cap/{plan.seed}/{chosen[-1]}")
    places = [*sorted(_place(group, plan) for group in chosen), 1.0]
    tests = 0 if plan.has_published_test else _share(plan.test_fraction, len(chosen), LEAST_SESSIONS)
    validations = _share(plan.validation_fraction, len(chosen) - tests, LEAST_SESSIONS - 1)
    return Cuts(cap, places[tests], places[tests + validations])


def _share(fraction: float, count: int, least: int) -> int:
    return max(round(fraction * count), int(count >= least))


def is_to_be_split(member: Member) -> bool:
    """Whether a kept session is one of those that `cuts` decide."""
    return member.label != UNLABELLED and not member.is_published_test


def split_of(member: Member, plan: Plan, cuts_by_label: Mapping[int, Cuts]) -> str | None:
    """The split a kept session belongs to; None if it is beyond the cap of its class."""
    if member.label == UNLABELLED:
        return "unlabelled"
    if member.is_published_test:
        return "test"
    group, limits = group_of(member.session), cuts_by_label[member.label]
    if _uniform(f"cap/{plan.seed}/{group}") > limits.cap:
        return None
    if plan.capture_splits:
        return plan.capture_splits[member.capture]
    position = _place(group, plan)
    return "test" if position < limits.test else "validation" if position < limits.validation else "train"


def _place(group: str, plan: Plan) -> float:
    return _uniform(f"split/{plan.seed}/{group}")


def _uniform(text: str) -> float:
    """A number in [0, 1) that the text decides."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def split_captures(
    captures: Mapping[int, Iterable[str]], test_fraction: float, validation_fraction: float, seed: int
) -> tuple[dict[str, str], list[int]]:
    """Whole captures to splits, so that no capture is in two of them.

    Args:
      captures: the captures of every label. test_fraction: of captures; validation_fraction: of what test leaves.

    Returns:
      The split of each capture, and the labels that cannot be served: they have fewer than LEAST_CAPTURES.

    Raises:
      DataError: fewer than two labels can be served: there is nothing to tell apart.
    """
    splits: dict[str, str] = {}
    not_served = []
    for label, names in sorted(captures.items()):
        ordered = sorted(set(names), key=lambda name: _uniform(f"capture/{seed}/{name}"))
        if len(ordered) < LEAST_CAPTURES:
            not_served.append(label)
            continue
        tests = max(1, round(test_fraction * len(ordered)))
        validations = max(1, round(validation_fraction * (len(ordered) - tests)))
        for index, name in enumerate(ordered):
            splits[name] = "test" if index < tests else "validation" if index < tests + validations else "train"
    if len(captures) - len(not_served) < 2:
        raise DataError(
            f"{len(captures) - len(not_served)} classes have the {LEAST_CAPTURES} captures that a split by capture "
            "needs, one for each split; add captures, or split by session."
        )
    return splits, not_served


def digest(split: str, session: str, label: int, image: bytes) -> int:
    """A number that stands for one session in its split. image: its 784 bytes."""
    head = f"{split}\t{session}\t{label}\t".encode()
    return int.from_bytes(hashlib.sha256(head + image).digest(), "big")


def fingerprint(digests: Iterable[int]) -> str:
    """A data set's fingerprint, 64 hexadecimal digits: the sum of all `digest`s, in any order and grouping.

    It tells data sets apart; it is no protection against someone who forges one.
    """
    return f"{sum(digests) % MODULUS:064x}"


def check_classes(class_sizes: Mapping[str, Mapping[str, int]], class_names: Sequence[str]) -> None:
    """Raises DataError, which names all of them, where classes have no session in one of OWN_SPLITS.

    class_sizes: by split and class.
    """
    lacking: dict[str, str] = {}
    for split in OWN_SPLITS:
        for name in class_names:
            if not class_sizes.get(split, {}).get(name):
                lacking.setdefault(name, split)
    if not lacking:
        return
    left = {name: sum(class_sizes.get(split, {}).get(name, 0) for split in OWN_SPLITS) for name in lacking}
    first, *others = lacking
    also = f" Too few too: {', '.join(f'{name} with {left[name]}' for name in others)}." if others else ""
    raise DataError(
        f"Class {first} has no session in the {lacking[first]} split: it has {left[first]} after de-duplication, and "
        f"every split needs one; add some, or take the class out.{also}"
    )


def check_proof(shared_images: int, shared_sessions: int) -> None:
    """Raises DataError where splits share an image or a session, which would be a fault of this program."""
    if shared_images or shared_sessions:
        raise DataError(
            f"The splits share {shared_images} images and {shared_sessions} sessions: nothing was written; please "
            "report this."
        )
