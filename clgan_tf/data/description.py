"""What is known of a prepared data set and stands beside every figure that is measured on it."""

from dataclasses import dataclass, field
from enum import StrEnum

from clgan_tf.capture import SessionRules


class SplitRule(StrEnum):
    """What decides a session's split."""

    SESSION = "session"  # a hash of the session, within its class
    CAPTURE = "capture"  # a hash of its capture: no capture is in two splits
    PUBLISHED_TEST = "published_test"  # the authors chose the test part; a hash of the session decides the rest


@dataclass(frozen=True)
class Split:
    """How sessions became splits.

    validation_fraction: of what test leaves; not_served: classes that a split by capture had to leave out.
    """

    rule: SplitRule
    seed: int
    test_fraction: float
    validation_fraction: float
    cap_per_class: int = 0
    not_served: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DataFacts:
    """The facts of a data set.

    class_names: none where no session has a label; recipe: version of clgan_tf.data.recipe that made it; fingerprint:
    see there; sizes: sessions by split; class_sizes: by split and class; shared_images, shared_sessions: in more than
    one split, counted on what is written; capture_labels, session_labels: SHA-256 of the CSV file that labelled
    captures or sessions, if one did.
    """

    source_kind: str
    class_names: list[str]
    representation: str
    representation_version: int
    unit: str
    rules: SessionRules
    split: Split
    recipe: int
    fingerprint: str
    sizes: dict[str, int]
    class_sizes: dict[str, dict[str, int]]
    shared_images: int
    shared_sessions: int
    capture_labels: str = ""
    session_labels: str = ""

    def __post_init__(self) -> None:
        if len(self.class_names) == 1:
            raise ValueError("a data set of one class")


@dataclass(frozen=True)
class CaptureReport:
    """What a capture, or a published file, held: packets read, those in no session by reason, sessions, warnings.

    is_damaged: it could not be read to its end.
    """

    capture: str
    label: int
    packets: int
    drops: dict[str, int]
    sessions: int
    warnings: list[str]
    is_damaged: bool = False


@dataclass(frozen=True)
class CaptureRow:
    """What became of a capture's sessions of one class; of a published file there is a row for each class."""

    capture: str
    class_name: str
    packets: int
    drops: dict[str, int]
    sessions: int
    duplicates: int
    conflicts: int
    kept: int
    warnings: list[str]
    is_damaged: bool = False
