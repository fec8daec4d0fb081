"""The settings of every mode: what there is to choose, its default, and which values make sense together."""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

from clgan_tf.capture import DEFAULT_REPRESENTATION, REPRESENTATIONS, UNITS, SessionRules
from clgan_tf.capture.rules import LONGEST
from clgan_tf.capture.sources import STANDARD_INPUT
from clgan_tf.common.errors import ConfigError
from clgan_tf.common.rotation import Rotation
from clgan_tf.common.setting import Settings, as_flags, setting

PUBLISHED = ("iscx_vpn_nonvpn_2016", "ustc_tfc2016")
SOURCE_KINDS = ("captures", "demo", *PUBLISHED)
SPLIT_BY = ("session", "capture")
EXPORT_SUFFIXES = {  # of files; "" = it is a directory
    "saved_model": "",
    "onnx": ".onnx",
    "litert": ".tflite",
    "litert_int8": ".tflite",
}
EXPORT_FORMATS = tuple(EXPORT_SUFFIXES)
LABEL_UNITS = ("total", "per_class", "per_class_at_most", "fraction")
FLAGFILE = "run.flags"  # in a run directory: flags that repeat the run
MAX_SEED = 2**32 - 1  # NumPy's
MOST_ROWS = 1 << 16  # of a step

DATASET = "A directory, which train prepares from --source if it is absent; or NAME/CONFIG of TFDS."
RUN_DIR = "Directory of one run: settings, logs, checkpoints, classifier, figures."
CLASSIFIER = "Saved classifier; default: classifier.keras in --run_dir."
OVERWRITE = "Replace a data set or run directory that exists."
REJECT = "Share of known sessions that may be called unknown; what is less familiar than it is. 0 = none."
REJECTED = 0.01
CAPTURE_LABELS = "CSV files with the label of captures, by name or pattern; folders then name no class."
SESSION_LABELS = "CSV files with the label of single sessions, by 5-tuple and time; folders then name no class."
RESUME = "Continue the interrupted run in --run_dir; --overwrite then does nothing."


@dataclass(frozen=True, kw_only=True)
class PrepareSettings(Settings):
    """Settings of --mode=prepare."""

    source: Path = setting(
        "Folder with the captures (below root/CLASS/ and root/unlabelled/) or the published files.",
    )
    source_kind: str = setting(
        "What the source is; demo makes its captures there first.", default="captures", choices=SOURCE_KINDS
    )
    dataset: Path = setting(DATASET)
    capture_labels: tuple[Path, ...] = setting(CAPTURE_LABELS, default=())
    session_labels: tuple[Path, ...] = setting(SESSION_LABELS, default=())
    representation: str = setting(
        "Which bytes of a session make its image.", default=DEFAULT_REPRESENTATION, choices=REPRESENTATIONS
    )
    unit: str = setting("Both directions of a 5-tuple together, or each as a flow.", default="session", choices=UNITS)
    test_fraction: float = setting(
        "Share of every class for the test split, where none is published.", default=0.2, least=0.01, most=0.9
    )
    validation_fraction: float = setting(
        "Share of every class's other sessions for validation.", default=0.1, least=0.01, most=0.9
    )
    split_by: str = setting(
        "Split sessions, or whole captures (three of a class at least).", default="session", choices=SPLIT_BY
    )
    split_seed: int = setting("Seed of the splits and of demo traffic.", default=0, least=0, most=MAX_SEED)
    rules: SessionRules = SessionRules()
    strict: bool = setting("Stop at damage inside a capture; else what came before it is used.", default=False)
    overwrite: bool = setting(OVERWRITE, default=False)
    resume: bool = setting(RESUME, default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.session_labels and (self.source_kind != "captures" or self.split_by != "session"):
            raise ConfigError("--session_labels is for --source_kind=captures and --split_by=session alone.")
        if self.capture_labels and (self.source_kind != "captures" or self.session_labels):
            raise ConfigError("--capture_labels is for --source_kind=captures alone, and not beside --session_labels.")
        if self.source_kind not in PUBLISHED:
            return
        if self.unit != "session":
            raise ConfigError(f"--unit={self.unit}: {self.source_kind} was published as sessions; leave --unit out.")
        if self.split_by != "session":
            raise ConfigError(
                f"--split_by={self.split_by}: {self.source_kind} does not say which capture an image is of."
            )
        if self.rules != SessionRules():
            raise ConfigError(
                f"{self.source_kind} was published without timeouts, TCP close or tunnels; leave those flags out."
            )


PAPER_SCHEDULE = {
    "batch_size": 256,
    "pretraining_epochs": 20,
    "learning_rate": 2e-4,
    "finetuning_epochs": 200,
    "finetuning_learning_rate": 1e-3,
}
# Where a system has a schedule of its own. An epoch of CLGAN+ is 100 steps, whatever the number of sessions; of its
# phase 2 more, where there are more than 1,000 labels.
PLUS_SCHEDULE = {
    "batch_size": 64,
    "pretraining_epochs": 12,
    "learning_rate": 1.5e-3,
    "finetuning_epochs": 3,
    "finetuning_learning_rate": 1e-3,
}
SCHEDULES = {"clgan_plus": PLUS_SCHEDULE, "clgan_lite": PLUS_SCHEDULE, "auto": PLUS_SCHEDULE}


@dataclass(frozen=True, kw_only=True)
class FillingSettings(Settings):
    """Of CLGAN+'s networks and its phase 1, in which the generator fills bytes."""

    width: int = setting("clgan_plus: units of each row of 28 bytes.", default=192, least=16, most=1024)
    magnitude: bool = setting("clgan_plus: bytes are numbers too, not symbols alone.", default=True)
    attention: bool = setting("clgan_plus: the cross attention of the paper's section 2.1 too.", default=False)
    predictable: bool = setting("clgan_plus: spend the loss on hidden bytes that can be told.", default=True)
    byte_weight: float = setting("clgan_plus: of the loss on hidden bytes.", default=1.0, least=0)
    detection_weight: float = setting("clgan_plus: of the loss on filled bytes and others.", default=1.0, least=0)
    session_weight: float = setting("clgan_plus: of the K+1 loss on whole and filled sessions.", default=0.1, least=0)
    adversarial_weight: float = setting("clgan_plus: of the generator's K+1 loss.", default=0.0, least=0)
    pieces: bool = setting("clgan_plus: phase 1 fills with other sessions' bytes, not the generator's.", default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % 2:
            raise ConfigError(f"--width must be even, not {self.width}: half of it reads each way.")
        if self.pieces and self.adversarial_weight:
            raise ConfigError("--pieces leaves the generator nothing to fill; give --adversarial_weight=0 with it.")


@dataclass(frozen=True, kw_only=True)
class TuningSettings(Settings):
    """Of CLGAN+'s phase 2, on few labels."""

    fills: bool = setting("clgan_plus: phase 2 changes sessions by filling spans, not hiding them.", default=True)
    changed_share: float = setting(
        "clgan_plus: share of a session's bytes that phase 2 changes.", default=0.5, least=0, most=0.9
    )
    consistency_weight: float = setting("clgan_plus: of phase 2's loss on unlabelled rows.", default=0.0, least=0)
    weight_average: float = setting(
        "clgan_plus: decay of phase 2's average of weights; 0: none.", default=0.98, least=0, most=0.9999
    )
    class_balance: float = setting(
        "clgan_plus: 0 draws labelled rows alike, 1 classes alike.", default=0.5, least=0, most=1
    )
    settles_last_layer: bool = setting(
        "clgan_plus: phase 2 ends with a last layer that is fitted anew, as the two below say.", default=True
    )
    reads_ngrams: bool = setting(
        "clgan_plus: the last layer sees n-grams of bytes beside features (of up to 500 classes).", default=True
    )
    names_others: bool = setting(
        "clgan_plus: the last layer learns of sessions without a label too, each named after the nearest labelled one.",
        default=True,
    )


@dataclass(frozen=True, kw_only=True)
class PretrainSettings(Settings):
    """Settings of --mode=pretrain: phase 1 of CLGAN+ alone, which needs no label."""

    MODE: ClassVar = "pretrain"
    # These say where and how, not what is computed.
    ABOUT_THE_DIRECTORY: ClassVar = ("run_dir", "dataset", "overwrite", "resume", "strategy")
    BEGINS_FROM: ClassVar[tuple[str, ...]] = ("pretrain_from",)  # Each names a file.

    dataset: Path = setting(DATASET)
    run_dir: Path = setting(RUN_DIR)
    resume: bool = setting(RESUME, default=False)
    overwrite: bool = setting(OVERWRITE, default=False)
    seed: int = setting(
        "Seed of the choice of labels, the weights, the noise and the order of batches.",
        default=0,
        least=0,
        most=MAX_SEED,
    )
    batch_size: int = setting(
        "Rows of each kind (labelled, unlabelled, generated) in one step. [256; clgan_plus: 64]", default=None, least=2
    )
    pretraining_epochs: int = setting(
        "Epochs of phase 1 over the unlabelled sessions; 0 leaves it out. [20; clgan_plus: 12 of 100 steps each]",
        default=None,
        least=0,
    )
    pretrain_from: Path | None = setting(
        "clgan_plus: phase 1 goes on from this trunk; shipped is one of made traffic that comes with clgan_tf, for "
        "packets and l7.",
        default=None,
    )
    learning_rate: float = setting(
        "Of both networks' Adam in phase 1. [2e-4; clgan_plus: 1.5e-3]", default=None, above=0, most=1
    )
    precision: str = setting(
        "Numbers that training computes in; bfloat16 where the processor has it. What is saved is float32.",
        default="float32",
        choices=("float32", "bfloat16"),
    )
    strategy: str = setting(
        "Devices of phase 1: one, all GPUs of this machine, those of TF_CONFIG's workers, or a TPU's cores.",
        default="one",
        choices=("one", "mirrored", "multi_worker", "tpu"),
    )
    filling: FillingSettings = FillingSettings()

    def __post_init__(self) -> None:
        schedule = SCHEDULES.get(self._system, PAPER_SCHEDULE)
        for name in schedule.keys() & {known.name for known in fields(self)}:
            if getattr(self, name) is None:
                object.__setattr__(self, name, schedule[name])
        super().__post_init__()
        if self.batch_size > MOST_ROWS:
            raise ConfigError(f"--batch_size may be {MOST_ROWS:,} at most, not {self.batch_size}.")
        run, data = self.run_dir.resolve(), self.dataset.resolve()
        if run == data or run in data.parents or data in run.parents:
            raise ConfigError(f"--run_dir={self.run_dir} and --dataset={self.dataset} must not lie in each other.")
        for name in self.BEGINS_FROM:
            given = getattr(self, name)
            if given and run in given.resolve().parents:
                raise ConfigError(f"--{name}={given} lies in --run_dir, which is made anew; give another --run_dir.")
        if self.pretrain_from and not self.pretraining_epochs:
            raise ConfigError("--pretrain_from needs a phase 1: give --pretraining_epochs, or --init_from instead.")
        if self.MODE == PretrainSettings.MODE and not self.pretraining_epochs:
            raise ConfigError("--pretraining_epochs=0 leaves nothing of --mode=pretrain; give one at least.")

    @property
    def _system(self) -> str:
        return "clgan_plus"

    def fingerprint(self) -> str:
        """8 hexadecimal digits of all that decides what is computed, but the data."""
        flags = as_flags(self, without=self.ABOUT_THE_DIRECTORY)
        return hashlib.sha256("\n".join(flags).encode()).hexdigest()[:8]


@dataclass(frozen=True, kw_only=True)
class TrainSettings(PretrainSettings):
    """Settings of --mode=train. Which systems there are, `clgan_tf.models` knows."""

    MODE: ClassVar = "train"
    BEGINS_FROM: ClassVar = ("pretrain_from", "init_from")

    model: str = setting(
        "CLGAN+, a small network that learns from it (clgan_lite), the paper's CLGAN, another system, or auto: CLGAN+ "
        "or a forest, whichever names held-out labels better.",
        default="clgan_plus",
    )
    labels: float = setting(
        "Label budget: how many training sessions may show their label, in --labels_unit. Of networks but clgan_plus "
        "every fifth label of a class is for early stopping.",
        default=1000,
        above=0,
    )
    labels_unit: str = setting(
        "Unit of --labels; per_class_at_most takes all labels of a class that has fewer.",
        default="total",
        choices=LABEL_UNITS,
    )
    unlabelled: int = setting("Use at most so many unlabelled sessions, a uniform sample; 0 = all.", default=0, least=0)
    generator_loss: str = setting("What the generator of a GAN minimises.", default="feature_matching")
    finetuning_epochs: int = setting(
        "At most so many epochs of phase 2 over the labelled sessions. [200; clgan_plus: 3 of 100 steps each, of up to "
        "400 where there are more than 1,000 labels]",
        default=None,
        least=1,
    )
    finetuning_learning_rate: float = setting(
        "Of the classifier's Adam in phase 2. [1e-3]", default=None, above=0, most=1
    )
    patience: int = setting(
        "Phase 2 stops after so many epochs without a better validation accuracy; clgan_plus does not.",
        default=25,
        least=1,
    )
    tuning: TuningSettings = TuningSettings()
    init_from: Path | None = setting(
        "clgan_plus: in place of phase 1, a trunk of --mode=pretrain, or shipped, or another run's classifier.keras.",
        default=None,
    )
    score_on: str = setting(
        "Split to score: validation while settings are chosen, test for what is reported.",
        default="test",
        choices=("test", "validation"),
    )
    baselines: tuple[str, ...] = setting("Other systems to train on the same labels, separated by commas.", default=())

    @property
    def _system(self) -> str:
        return self.model

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.init_from and self.pretrain_from:
            raise ConfigError("--init_from stands in place of phase 1, --pretrain_from begins it; give one of them.")
        if self.labels_unit == "fraction" and self.labels > 1:
            raise ConfigError(f"--labels must lie in (0, 1] with --labels_unit=fraction, not {self.labels:g}.")
        if self.labels_unit != "fraction" and self.labels != int(self.labels):
            raise ConfigError(
                f"--labels must be a whole number from 1 with --labels_unit={self.labels_unit}, not {self.labels:g}."
            )


@dataclass(frozen=True, kw_only=True)
class AuditSettings(Settings):
    """Settings of --mode=audit."""

    dataset: Path = setting(DATASET)
    output: str = setting("FILE.json; - is a file below runs/audits that is named after the data.", default="-")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output != "-" and Path(self.output).suffix != ".json":
            raise ConfigError(f"--output of an audit must end in .json, not {self.output!r}.")


@dataclass(frozen=True, kw_only=True)
class SweepSettings(Settings):
    """Settings of --mode=sweep."""

    sweep: Path = setting("TOML file of cells to run (docs/commands.md); a killed sweep goes on where it was.")
    dry_run: bool = setting("List the cells with their estimated time and run nothing.", default=False)


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(Settings):
    """Settings of --mode=evaluate."""

    run_dir: Path = setting(RUN_DIR)
    dataset: Path | None = setting(DATASET, default=None)
    captures: tuple[Path, ...] = setting(
        "in place of --dataset, a folder of captures below CLASS/: all their sessions are scored.", default=()
    )
    capture_labels: tuple[Path, ...] = setting(CAPTURE_LABELS, default=())
    session_labels: tuple[Path, ...] = setting(SESSION_LABELS, default=())
    reject: float = setting(REJECT, default=REJECTED, least=0, most=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.dataset) == bool(self.captures):
            raise ConfigError("--mode=evaluate needs either --captures or --dataset.")
        if self.dataset and (self.capture_labels or self.session_labels):
            raise ConfigError("--capture_labels and --session_labels are for --captures; a data set has its own.")
        if len(self.captures) > 1:
            raise ConfigError("--captures of --mode=evaluate is one folder; put what is to be scored below one.")
        if self.capture_labels and self.session_labels:
            raise ConfigError("--mode=evaluate takes --capture_labels or --session_labels, not both.")


@dataclass(frozen=True, kw_only=True)
class OfAClassifier(Settings):
    """What modes have in common that use a saved classifier."""

    MODE: ClassVar = ""

    run_dir: Path | None = setting(RUN_DIR, default=None)
    classifier: Path | None = setting(CLASSIFIER, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classifier is None and self.run_dir is None:
            raise ConfigError(f"--mode={self.MODE} needs --classifier or --run_dir.")

    @property
    def classifier_path(self) -> Path:
        """The saved classifier."""
        if self.classifier is not None:
            return self.classifier
        assert self.run_dir is not None
        return self.run_dir / "classifier.keras"


@dataclass(frozen=True, kw_only=True)
class ClassifySettings(OfAClassifier):
    """Settings of --mode=classify."""

    MODE: ClassVar = "classify"

    captures: tuple[Path, ...] = setting(
        "Capture files or folders of them, separated by commas; - is a stream on standard input.", default=()
    )
    interface: str = setting("Or the network interface to capture from, by dumpcap or tcpdump.", default="")
    output: str = setting("FILE.jsonl, FILE.csv or - (standard output).", default="-")
    idle_timeout: float = setting(
        "of a stream, label a session after so many seconds without a packet; 0 = as it was trained, else 30.",
        default=0.0,
        least=0,
        most=LONGEST,
    )
    reject: float = setting(REJECT, default=REJECTED, least=0, most=1)
    rotate: str = setting("Of a stream: begin a new file after so much (100M) or so long (1h).", default="")
    strict: bool = setting("Stop at damage inside a capture; else what came before it is used.", default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.captures) == bool(self.interface):
            raise ConfigError("--mode=classify needs --captures, or else --interface.")
        Rotation.of(self.rotate)
        if self.rotate and not self.may_stream:
            raise ConfigError("--rotate is for a stream: --captures=- or --interface.")
        if self.output != "-" and Path(self.output).suffix not in (".jsonl", ".csv"):
            raise ConfigError(f"--output must end in .jsonl or .csv, or be -, not {self.output!r}.")

    @property
    def may_stream(self) -> bool:
        """Whether packets come as they come; standard input may be a file, too."""
        return bool(self.interface) or self.captures == (Path(STANDARD_INPUT),)


@dataclass(frozen=True, kw_only=True)
class ExportSettings(OfAClassifier):
    """Settings of --mode=export."""

    MODE: ClassVar = "export"

    format: str = setting("What the exported classifier is.", default="saved_model", choices=EXPORT_FORMATS)
    output: str = setting("directory of a SavedModel, or FILE.onnx, or FILE.tflite.")

    def __post_init__(self) -> None:
        super().__post_init__()
        suffix = EXPORT_SUFFIXES[self.format]
        if self.output == "-":
            raise ConfigError("--output of an export is a file or a directory, not standard output.")
        if not suffix and Path(self.output).suffix in filter(None, EXPORT_SUFFIXES.values()):
            raise ConfigError(f"--output={self.output!r} is a directory with --format={self.format}; name the format.")
        if suffix and Path(self.output).suffix != suffix:
            raise ConfigError(f"--output of --format={self.format} must end in {suffix}, not {self.output!r}.")


@dataclass(frozen=True, kw_only=True)
class SuggestSettings(OfAClassifier):
    """Settings of --mode=suggest."""

    MODE: ClassVar = "suggest"

    captures: tuple[Path, ...] = setting("Capture files or folders of them to choose from, separated by commas.")
    count: int = setting("How many sessions to suggest.", default=50, least=1, most=10_000)
    session_labels: tuple[Path, ...] = setting(
        "CSV files of labels there are: their sessions are left out.", default=()
    )
    output: str = setting("FILE.csv; fill in its column `label` and give it to prepare as --session_labels.")
    seed: int = setting("Seed of the choice.", default=0, least=0, most=MAX_SEED)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.captures or Path(STANDARD_INPUT) in self.captures:
            raise ConfigError("--mode=suggest needs --captures, which are files.")
        if Path(self.output).suffix != ".csv":
            raise ConfigError(f"--output of a suggestion must end in .csv, not {self.output!r}.")


@dataclass(frozen=True, kw_only=True)
class ReportSettings(Settings):
    """Settings of --mode=report."""

    run_dir: Path | None = setting(RUN_DIR, default=None)
    runs: tuple[Path, ...] = setting(
        "Run directories to put side by side, separated by commas; shell patterns are expanded.", default=()
    )
    results: tuple[Path, ...] = setting(
        "Or results.jsonl of sweeps, separated by commas: the paper's tables and figures of them.", default=()
    )
    output: str = setting("FILE.md or - (standard output).", default="-")

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.patterns) == bool(self.results):
            raise ConfigError("--mode=report needs --runs (or --run_dir), or else --results.")
        if self.output != "-" and Path(self.output).suffix != ".md":
            raise ConfigError(f"--output of a report must end in .md, or be -, not {self.output!r}.")

    @property
    def patterns(self) -> tuple[Path, ...]:
        """Run directories, or shell patterns of them."""
        return self.runs or ((self.run_dir,) if self.run_dir else ())
