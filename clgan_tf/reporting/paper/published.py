"""The paper's tables: their rows, and the figures that it states there, in per cent.

Di Zhan, Liu Ya, Zhao Fengyu and Qu Bo, 2025, doi 10.12677/mos.2025.145416, tables 1 to 5.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from clgan_tf.settings import PUBLISHED

ISCX, USTC = PUBLISHED
DATA_NAMES = {ISCX: "ISCX VPN-nonVPN 2016", USTC: "USTC-TFC2016"}
CLGAN, DCGAN, AUTOENCODER, CNN_LSTM = "clgan", "dcgan", "autoencoder", "cnn_lstm"
MEASURES = ("accuracy", "precision", "recall", "f1")
ALL_THERE_ARE = 0
POOL = 8000  # Tables 4 and 5 do not say how many unlabelled sessions CLGAN had; the largest number that table 2 has.


@dataclass(frozen=True)
class Budget:
    """What a row gives a system. labels: a number or a share; unlabelled: at most so many, 0 = all there are."""

    labels: float
    unlabelled: int


@dataclass(frozen=True)
class PaperTable:
    """One table of the paper.

    unit: of the labels, as --labels_unit has it; rows: system -> budget -> its figures in per cent by measure; note:
    what a reader must know of the rows.
    """

    number: int
    subject: str
    source_kind: str
    unit: str
    rows: dict[str, dict[Budget, dict[str, float]]]
    note: str = ""

    @property
    def budgets(self) -> list[Budget]:
        """Every budget once, in the table's order."""
        return list(dict.fromkeys(budget for rows in self.rows.values() for budget in rows))

    @property
    def measures(self) -> tuple[str, ...]:
        """Those that it states."""
        return tuple(next(iter(next(iter(self.rows.values())).values())))


def _rows(budgets: Iterable[Budget], figures: Iterable[tuple[float, ...]]) -> dict[Budget, dict[str, float]]:
    return {budget: dict(zip(MEASURES, stated, strict=False)) for budget, stated in zip(budgets, figures, strict=True)}


_SHARES = [Budget(share, ALL_THERE_ARE) for share in (0.1, 0.3, 0.5, 0.7)]
_POOLS = [Budget(1000, pool) for pool in (4000, 6000, 8000)]
_LABELS_AND_POOLS = [Budget(labels, pool) for labels in (100, 1000) for pool in (4000, 8000, ALL_THERE_ARE)]
_LABELS = [Budget(labels, POOL) for labels in (1000, 2000, 3000, 4000)]
_ON_ISCX = {
    CNN_LSTM: [(88.5, 88.8, 88.4, 88.6), (89.8, 89.9, 89.8, 89.7), (92.7, 92.4, 92.6, 92.5), (93.6, 93.7, 93.6, 93.6)],
    CLGAN: [(92.3, 92.33, 92.16, 92.1), (92.8, 93.56, 92.82, 92.9), (93.0, 94.6, 93.0, 93.2), (94.1, 93.8, 93.1, 93.1)],
}
_ON_USTC = {
    CNN_LSTM: [(95.6, 94.8, 94.7, 94.6), (96.7, 95.9, 95.8, 95.7), (96.8, 96.3, 96.9, 96.8), (98.3, 97.8, 97.6, 97.6)],
    CLGAN: [(98.2, 98.1, 98.1, 96.0), (98.5, 98.2, 98.8, 97.9), (98.8, 98.8, 98.9, 98.2), (98.9, 98.9, 99.1, 99.1)],
}
_POOL_NOTE = (
    f"The paper does not say how many unlabelled sessions CLGAN had here: ours has {POOL:,}, or all that the labels "
    "leave. CNN-LSTM has none."
)
_SUPERVISED = "labels alone (CNN-LSTM) and CLGAN"

TABLES = (
    PaperTable(
        number=1,
        subject="share of the training sessions that is labelled",
        source_kind=ISCX,
        unit="fraction",
        rows={
            CLGAN: _rows(_SHARES, [(94.22,), (96.85,), (98.56,), (98.97,)]),
            DCGAN: _rows(_SHARES, [(89.27,), (91.36,), (93.20,), (94.17,)]),
        },
    ),
    PaperTable(
        number=2,
        subject="unlabelled sessions",
        source_kind=ISCX,
        unit="total",
        rows={
            CLGAN: _rows(_POOLS, [(97.8, 97.5, 97.8, 97.5), (98.0, 98.2, 98.4, 97.9), (98.1, 98.1, 98.4, 98.1)]),
            AUTOENCODER: _rows(_POOLS, [(96.2, 96.3, 96.2, 96.1), (96.5, 96.2, 96.4, 96.4), (97.2, 97.1, 97.1, 97.2)]),
        },
    ),
    PaperTable(
        number=3,
        subject="labelled and unlabelled sessions",
        source_kind=USTC,
        unit="total",
        rows={
            CLGAN: _rows(
                _LABELS_AND_POOLS,
                [
                    *((89.3, 89.4, 89.4, 89.3), (93.5, 93.6, 93.5, 93.5), (94.9, 94.9, 94.9, 94.8)),
                    *((98.0, 98.3, 98.1, 98.5), (98.1, 98.1, 98.3, 98.2), (98.6, 98.6, 98.6, 98.7)),
                ],
            ),
            AUTOENCODER: _rows(
                _LABELS_AND_POOLS,
                [
                    *((83.2, 83.7, 83.7, 83.9), (90.3, 90.1, 90.3, 90.2), (93.0, 93.0, 93.1, 92.9)),
                    *((97.1, 97.2, 97.2, 97.3), (98.0, 97.2, 97.2, 97.2), (98.4, 98.4, 98.4, 98.4)),
                ],
            ),
        },
        note="The paper's last row of each group has 12,000 unlabelled sessions. Only a tenth of the data set is "
        "published as images: ours has all that it leaves.",
    ),
    PaperTable(
        number=4,
        subject=f"{_SUPERVISED}, labels in all",
        source_kind=ISCX,
        unit="total",
        rows={name: _rows(_LABELS, figures) for name, figures in _ON_ISCX.items()},
        note=_POOL_NOTE,
    ),
    PaperTable(
        number=4,
        subject=f"{_SUPERVISED}, labels of each class",
        source_kind=ISCX,
        unit="per_class_at_most",
        rows={name: _rows(_LABELS, figures) for name, figures in _ON_ISCX.items()},
        note="A class with fewer training sessions shows all it has. " + _POOL_NOTE,
    ),
    PaperTable(
        number=5,
        subject=f"{_SUPERVISED}, labels in all",
        source_kind=USTC,
        unit="total",
        rows={name: _rows(_LABELS, figures) for name, figures in _ON_USTC.items()},
        note=_POOL_NOTE,
    ),
    PaperTable(
        number=5,
        subject=f"{_SUPERVISED}, labels of each class",
        source_kind=USTC,
        unit="per_class_at_most",
        rows={CNN_LSTM: _rows(_LABELS[:1], _ON_USTC[CNN_LSTM][:1])},
        note="Of the published tenth no class has 1,000 training sessions: at 1,000 to 4,000 a class every training "
        "session is labelled, so that one row stands for all. CLGAN has no unlabelled ones to learn from there and "
        "would be CNN-LSTM.",
    ),
)

CONTRADICTIONS = """\
- CLGAN on ISCX has 97.8 to 98.1 % with 1,000 labels (table 2) and 92.3 % with 1,000 labels *of each class*, twelve
  times as many (table 4; the text of section 3.3 says "per class"), and 94.22 % with a tenth of all labels (table 1).
  The three cannot come from one protocol.
- Table 5's CLGAN at 1,000 labels has precision 98.1 and recall 98.1 and an F1 of 96.0, and at 2,000 and 3,000 F1 lies
  below both as well. A mean of F1 over classes may lie below the means of precision and recall, by less than that
  where all of them are near 98.
- No number of runs, no seed and no spread stands beside any figure; which bytes a session's image holds, whether
  duplicates were removed, how sessions were split and how many training and test sessions there were is not said.
- The text describes two discriminators: an LSTM (section 2.2) and a bidirectional LSTM with cross-attention (2.1).
  Ours is that of 2.2; the other is `clgan_cross_attention`."""
