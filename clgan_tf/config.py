"""Flags become values here and nowhere else: frozen, validated dataclasses, one for every mode."""

import math
import os
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from absl import flags

from clgan_tf.capture import REPRESENTATIONS, TUNNELS, UNITS, SessionRules
from clgan_tf.errors import ConfigError

MODES = ("prepare", "audit", "train", "sweep", "evaluate", "classify", "report")
PUBLISHED = ("iscx_vpn_nonvpn_2016", "ustc_tfc2016")
SOURCE_KINDS = ("captures", "demo", *PUBLISHED)
NETWORKS = ("clgan", "clgan_cross_attention", "dcgan", "bytesgan", "autoencoder", "cnn_lstm")
ON_BYTES = ("random_forest", "extra_trees", "nearest_neighbour")
MODELS = (*NETWORKS, *ON_BYTES)
GENERATOR_LOSSES = ("feature_matching", "non_saturating")
SPLIT_BY = ("session", "capture")
LABEL_UNITS = ("total", "per_class", "fraction")
MAX_SEED = 2**32 - 1  # NumPy's
FLAGFILE_HEAD = "# Made by clgan_tf; repeats the run in"
BASELINES = ("supervised", *ON_BYTES)

GROUPS: dict[str, list[str]] = {
    "all modes": ["mode", "flagfile", "overwrite", "help"],
    "prepare": [
        *("source", "source_kind", "dataset", "representation", "unit", "test_fraction", "validation_fraction"),
        *("split_by", "split_seed", "tunnels", "idle_timeout", "active_timeout", "tcp_close", "strict"),
    ],
    "audit": ["dataset", "output"],
    "train": [
        *("dataset", "run_dir", "resume", "model", "labels", "labels_unit", "unlabelled", "seed", "batch_size"),
        *("pretraining_epochs", "learning_rate", "generator_loss", "finetuning_epochs", "finetuning_learning_rate"),
        *("patience", "baselines"),
    ],
    "sweep": ["sweep", "dry_run"],
    "evaluate": ["run_dir", "dataset"],
    "classify": ["run_dir", "classifier", "captures", "output", "strict"],
    "report": ["runs", "results", "output"],
}


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines every flag of the command line on `values`."""

    def define(parser: flags.ArgumentParser, name: str, default: object, text: str, serializer: object = None) -> None:
        flags.DEFINE(parser, name, default, text, values, serializer or flags.ArgumentSerializer())

    def string(name: str, default: str, text: str) -> None:
        define(flags.ArgumentParser(), name, default, text)

    def choice(name: str, default: str, choices: tuple[str, ...], text: str) -> None:
        define(flags.EnumParser(list(choices)), name, default, text)

    def boolean(name: str, text: str, default: bool = False) -> None:
        flags.DEFINE_boolean(name, default, text, values)

    def number(name: str, default: float, text: str, lower: float, upper: float | None = None) -> None:
        define(flags.FloatParser(lower, upper), name, default, text)

    def integer(name: str, default: int, text: str, lower: int, upper: int | None = None) -> None:
        define(flags.IntegerParser(lower, upper), name, default, text)

    def several(name: str, default: str, text: str) -> None:
        flags.DEFINE_list(name, default, text, values)

    several("mode", "train", f"What to do, one or several in order: {', '.join(MODES)}.")
    boolean("overwrite", "Replace a data set or run directory that exists.")

    string("source", "", "Folder with the captures (root/CLASS/*.pcap, root/unlabelled/) or the published files.")
    choice("source_kind", "captures", SOURCE_KINDS, "What the source is; demo makes its captures there first.")
    string(
        "dataset",
        "",
        "A directory, which train prepares from --source if it is absent; or NAME/CONFIG of TFDS.",
    )
    choice("representation", "masked", tuple(REPRESENTATIONS), "Which bytes of a session make its image.")
    choice("unit", "session", UNITS, "Both directions of a 5-tuple together, or each as a flow.")
    number("test_fraction", 0.2, "Share of every class for the test split, where none is published.", 0.01, 0.9)
    number("validation_fraction", 0.1, "Share of every class's remaining sessions for validation.", 0.01, 0.9)
    choice("split_by", "session", SPLIT_BY, "Split sessions, or whole captures (three of a class at least).")
    integer("split_seed", 0, "Seed of the splits and of demo traffic.", 0, MAX_SEED)
    choice("tunnels", "outer", TUNNELS, "Sessions around tunnels or inside them: GRE, VXLAN, GTP-U and others.")
    number("idle_timeout", 0, "Seconds without a packet after which a new session begins; 0 = never.", 0)
    number("active_timeout", 0, "Seconds after its first packet at which a new session begins; 0 = never.", 0)
    boolean("tcp_close", "A SYN after a FIN or RST begins a new session.")
    boolean("strict", "Stop at damage inside a capture; else what came before it is used (exit status 3).")

    string("run_dir", "", "Directory of one run: settings, logs, checkpoints, classifier, figures.")
    boolean("resume", "Continue the interrupted run in --run_dir; --overwrite then does nothing.")
    choice("model", "clgan", MODELS, "The paper's section 2.2 or 2.1, or a system compared with it.")
    number("labels", 1000, "How many training sessions show their label, in --labels_unit.", 0)
    choice("labels_unit", "total", LABEL_UNITS, "Unit of --labels.")
    integer("unlabelled", 0, "Use at most so many unlabelled sessions, a uniform sample; 0 = all.", 0)
    integer("seed", 0, "Seed of the choice of labels, the weights, the noise and the order of batches.", 0, MAX_SEED)
    integer("batch_size", 256, "Rows of each kind (labelled, unlabelled, generated) in one step.", 2)
    integer("pretraining_epochs", 20, "Epochs of phase 1 over the unlabelled sessions; 0 leaves it out.", 0)
    number("learning_rate", 2e-4, "Of both networks' Adam in phase 1.", 0, 1)
    choice("generator_loss", "feature_matching", GENERATOR_LOSSES, "What the generator minimises.")
    integer("finetuning_epochs", 200, "At most so many epochs of phase 2 over the labelled sessions.", 1)
    number("finetuning_learning_rate", 1e-3, "Of the classifier's Adam in phase 2.", 0, 1)
    integer("patience", 25, "Phase 2 stops after so many epochs without a better validation accuracy.", 1)
    several("baselines", "", f"Also train and report on the same labels: {', '.join(BASELINES)}.")

    string("sweep", "", "TOML file of cells to run, see clgan_tf/sweep.py; a killed sweep goes on where it was.")
    boolean("dry_run", "List the cells with their estimated time and run nothing.")

    string("classifier", "", "Saved classifier; default: classifier.keras in --run_dir.")
    several("captures", "", "Capture files to classify, separated by commas.")
    string(
        "output", "-", "classify: FILE.jsonl, FILE.csv or - (standard output); report: FILE.md or -; audit: FILE.json"
    )
    several("runs", "", "Run directories to put side by side, separated by commas; shell patterns are expanded.")
    several("results", "", "Or results.jsonl of sweeps, separated by commas: the paper's tables and figures of them.")


def parse(values: flags.FlagValues, arguments: list[str]) -> list[str]:
    """Parses `arguments` (without the program's name) into `values`; returns what is no flag.

    Raises:
      ConfigError: a flag or flagfile is unknown or has a value that is not allowed; one sentence.
    """
    try:
        return values(["clgan-tf", *arguments])[1:]
    except flags.IllegalFlagValueError as error:
        found = re.match(r"flag --(\w+)=(.*?): ", str(error), re.DOTALL)
        if not found:
            raise ConfigError(" ".join(str(error).split())) from error
        name, value = found.groups()
        raise ConfigError(f"--{name} takes {_allowed(values[name])}, not {value!r}.") from error
    except (flags.Error, UnicodeDecodeError) as error:
        raise ConfigError(" ".join(str(error).removeprefix("ERROR:: ").split())) from error


def _allowed(flag: flags.Flag) -> str:
    """The values a flag takes, in words."""
    choices = getattr(flag.parser, "enum_values", None)
    if choices:
        return ", ".join(choices)
    if flag.boolean:
        return "true or false"
    text = flag.parser.syntactic_help  # absl: "a number ...", but "integer ..."
    return f"an {text}" if text.startswith("integer") else text


def help_text(values: flags.FlagValues = flags.FLAGS) -> str:
    """All flags, grouped by mode, one line each."""
    lines = [
        "Tell encrypted traffic apart from few labels: CLGAN in TensorFlow.",
        "",
        "  python -m clgan_tf.main --flagfile=experiments/demo.flags",
    ]
    special = {"flagfile": "Read flags from this file, one a line; what follows it wins.", "help": "Show this text."}
    seen: set[str] = set()
    for group, names in GROUPS.items():
        lines += ["", f"{group}:"]
        again = [name for name in names if name in seen]
        for name in names:
            if name in seen:
                continue
            seen.add(name)
            flag = None if name in special else values[name]
            text = special[name] if flag is None else flag.help
            if choices := getattr(getattr(flag, "parser", None), "enum_values", None):
                text += f" One of {', '.join(choices)}."
            default = "" if flag is None else _default_text(flag)
            lines.append(f"  --{name:<25} {text}{default}")
        if again:
            lines.append(f"  and from above: {', '.join('--' + name for name in again)}")
    return "\n".join(lines)


def _default_text(flag: flags.Flag) -> str:
    if flag.default in (None, "", []):
        return ""
    if isinstance(flag.default, bool):
        return " (on; off with --no)" if flag.default else ""
    return f" [{_text(flag.default)}]"


def _text(value: object) -> str:
    """A flag's value as one writes it on the command line."""
    if isinstance(value, list):
        return ",".join(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def flagfile_text(values: flags.FlagValues = flags.FLAGS) -> str:
    """Every flag with its resolved value: given as --flagfile, it does the same again."""
    names = sorted({name for group in GROUPS.values() for name in group} - {"flagfile", "help"})
    lines = []
    for name in names:
        value = values[name].value
        if isinstance(value, bool):
            lines.append(f"--{name}" if value else f"--no{name}")
        else:
            lines.append(f"--{name}={_text(value)}")
    return "\n".join(lines) + "\n"


def resolved_flagfile(path: Path, values: flags.FlagValues = flags.FLAGS) -> str:
    """`flagfile_text` for a run directory: it trains again, without `--resume` and `--overwrite`."""
    replaced = ("--resume", "--overwrite", "--mode=")
    kept = [line for line in flagfile_text(values).splitlines() if not line.startswith(replaced)]
    return f"{FLAGFILE_HEAD} {path} (give another --run_dir).\n--mode=train\n" + "\n".join(kept) + "\n"


@dataclass(frozen=True)
class PrepareConfig:
    """Settings of --mode=prepare."""

    source: Path
    source_kind: str
    dataset: Path
    representation: str
    unit: str
    test_fraction: float
    validation_fraction: float
    split_by: str
    seed: int
    rules: SessionRules
    strict: bool
    overwrite: bool
    resume: bool = False

    def __post_init__(self) -> None:
        if self.unit != "session" and self.source_kind in PUBLISHED:
            raise ConfigError(f"--unit={self.unit}: {self.source_kind} was published as sessions; leave --unit out.")
        if self.split_by != "session" and self.source_kind in PUBLISHED:
            raise ConfigError(
                f"--split_by={self.split_by}: {self.source_kind} does not say which capture an image is of."
            )
        if self.rules != SessionRules() and self.source_kind in PUBLISHED:
            raise ConfigError(
                f"{self.source_kind} was published without timeouts, TCP close or tunnels; leave those flags out."
            )


@dataclass(frozen=True)
class TrainConfig:
    """Settings of --mode=train."""

    dataset: Path
    run_dir: Path
    resume: bool
    overwrite: bool
    model: str
    labels: float
    labels_unit: str
    unlabelled: int
    seed: int
    batch_size: int
    pretraining_epochs: int
    learning_rate: float
    generator_loss: str
    finetuning_epochs: int
    finetuning_learning_rate: float
    patience: int
    baselines: tuple[str, ...]

    def __post_init__(self) -> None:
        if not math.isfinite(self.labels):
            raise ConfigError(f"--labels must be a number, not {self.labels:g}.")
        if self.labels_unit == "fraction" and not 0 < self.labels <= 1:
            raise ConfigError(f"--labels must lie in (0, 1] with --labels_unit=fraction, not {self.labels:g}.")
        if self.labels_unit != "fraction" and (self.labels < 1 or self.labels != math.floor(self.labels)):
            raise ConfigError(
                f"--labels must be a whole number from 1 with --labels_unit={self.labels_unit}, not {self.labels:g}."
            )
        for name in ("learning_rate", "finetuning_learning_rate"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"--{name} must be above 0, not {getattr(self, name):g}.")
        for name in self.baselines:
            if name not in BASELINES:
                raise ConfigError(f"--baselines takes {', '.join(BASELINES)}, not {name!r}.")
        if self.model in ON_BYTES and "supervised" in self.baselines:
            raise ConfigError(f"--model={self.model} has no network for the baseline `supervised`; leave that out.")
        run, data = self.run_dir.resolve(), self.dataset.resolve()
        if run == data or run in data.parents or data in run.parents:
            raise ConfigError(f"--run_dir={self.run_dir} and --dataset={self.dataset} must not lie in each other.")


@dataclass(frozen=True)
class AuditConfig:
    """Settings of --mode=audit; output "-" is a file below runs/audits that is named after the data."""

    dataset: Path
    output: str

    def __post_init__(self) -> None:
        if self.output != "-" and Path(self.output).suffix != ".json":
            raise ConfigError(f"--output of an audit must end in .json, not {self.output!r}.")


@dataclass(frozen=True)
class SweepConfig:
    """Settings of --mode=sweep."""

    sweep: Path
    dry_run: bool


@dataclass(frozen=True)
class EvaluateConfig:
    """Settings of --mode=evaluate."""

    run_dir: Path
    dataset: Path


@dataclass(frozen=True)
class ClassifyConfig:
    """Settings of --mode=classify; output "-" is standard output."""

    classifier: Path
    captures: tuple[Path, ...]
    output: str
    strict: bool

    def __post_init__(self) -> None:
        if self.output != "-" and Path(self.output).suffix not in (".jsonl", ".csv"):
            raise ConfigError(f"--output must end in .jsonl or .csv, or be -, not {self.output!r}.")


@dataclass(frozen=True)
class ReportConfig:
    """Settings of --mode=report; output "-" is standard output."""

    runs: tuple[str, ...]
    results: tuple[Path, ...]
    output: str

    def __post_init__(self) -> None:
        if self.output != "-" and Path(self.output).suffix != ".md":
            raise ConfigError(f"--output of a report must end in .md, or be -, not {self.output!r}.")


Settings = TypeVar("Settings", PrepareConfig, TrainConfig)


def modes(values: flags.FlagValues) -> list[str]:
    """The modes asked for, in order. Raises ConfigError for an unknown one."""
    for mode in values.mode:
        if mode not in MODES:
            raise ConfigError(f"--mode takes {', '.join(MODES)}, not {mode!r}.")
    if not values.mode:
        raise ConfigError(f"--mode needs one of {', '.join(MODES)}.")
    return list(values.mode)


def prepare_config(values: flags.FlagValues) -> PrepareConfig:
    """Raises ConfigError where a flag that prepare needs is missing."""
    given = {name: _path(values, name, "prepare") for name in ("source", "dataset")}
    overwrite = values.overwrite and not values.resume
    rules = SessionRules(values.tunnels, values.idle_timeout, values.active_timeout, values.tcp_close)
    return _from_flags(PrepareConfig, values, **given, seed=values.split_seed, rules=rules, overwrite=overwrite)


def train_config(values: flags.FlagValues) -> TrainConfig:
    """Raises ConfigError where a flag that train needs is missing or does not fit another."""
    given = {name: _path(values, name, "train") for name in ("dataset", "run_dir")}
    overwrite = values.overwrite and not values.resume
    return _from_flags(TrainConfig, values, **given, baselines=tuple(values.baselines), overwrite=overwrite)


def audit_config(values: flags.FlagValues) -> AuditConfig:
    """Raises ConfigError where a flag that audit needs is missing."""
    return AuditConfig(_path(values, "dataset", "audit"), values.output)


def sweep_config(values: flags.FlagValues) -> SweepConfig:
    """Raises ConfigError where a flag that sweep needs is missing."""
    return SweepConfig(_path(values, "sweep", "sweep"), values.dry_run)


def evaluate_config(values: flags.FlagValues) -> EvaluateConfig:
    """Raises ConfigError where a flag that evaluate needs is missing."""
    return EvaluateConfig(_path(values, "run_dir", "evaluate"), _path(values, "dataset", "evaluate"))


def classify_config(values: flags.FlagValues) -> ClassifyConfig:
    """Raises ConfigError where a flag that classify needs is missing."""
    if not values.classifier and not values.run_dir:
        raise ConfigError("--mode=classify needs --classifier or --run_dir.")
    if not values.captures:
        raise ConfigError("--mode=classify needs --captures.")
    run_dir = values.run_dir and _path(values, "run_dir", "classify")
    classifier = _path(values, "classifier", "classify") if values.classifier else Path(run_dir) / "classifier.keras"
    captures = tuple(expanded("--captures", capture) for capture in values.captures)
    return ClassifyConfig(classifier, captures, values.output, values.strict)


def report_config(values: flags.FlagValues) -> ReportConfig:
    """Raises ConfigError where a flag that report needs is missing."""
    runs = values.runs or ([values.run_dir] if values.run_dir else [])
    if bool(runs) == bool(values.results):
        raise ConfigError("--mode=report needs --runs (or --run_dir), or else --results.")
    return ReportConfig(
        tuple(str(expanded("--runs", run)) for run in runs),
        tuple(expanded("--results", path) for path in values.results),
        values.output,
    )


def _from_flags(kind: type[Settings], values: flags.FlagValues, **given: Any) -> Settings:
    """A configuration whose fields are `given` or else the flags of the same name."""
    return kind(**{**{field.name: values[field.name].value for field in fields(kind) if field.name in values}, **given})


def _path(values: flags.FlagValues, name: str, mode: str) -> Path:
    if not values[name].value:
        raise ConfigError(f"--mode={mode} needs --{name}.")
    return expanded(f"--{name}", values[name].value)


def expanded(name: str, value: str) -> Path:
    """`value` with ~ and environment variables replaced. Raises ConfigError, with its name, where that fails."""
    try:
        whole = os.path.expandvars(Path(value).expanduser())
    except RuntimeError as error:
        raise ConfigError(f"{name}={value} names a home directory that is not there; give a path.") from error
    if "$" in whole:
        raise ConfigError(f"{name}={value} names an environment variable that is not set; set it or give a path.")
    return Path(whole)
