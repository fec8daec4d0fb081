"""The command line's flags, made from the settings of every mode; with main.py the only place that knows absl."""

import math
import re
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from absl import flags

from clgan_tf import models
from clgan_tf.common.errors import ConfigError
from clgan_tf.common.setting import Settings, as_text, expanded, leaves
from clgan_tf.settings import (
    FLAGFILE,
    AuditSettings,
    ClassifySettings,
    EvaluateSettings,
    ExportSettings,
    PrepareSettings,
    PretrainSettings,
    ReportSettings,
    SuggestSettings,
    SweepSettings,
    TrainSettings,
)

MODES: dict[str, type[Settings]] = {
    "prepare": PrepareSettings,
    "audit": AuditSettings,
    "pretrain": PretrainSettings,
    "train": TrainSettings,
    "sweep": SweepSettings,
    "evaluate": EvaluateSettings,
    "classify": ClassifySettings,
    "suggest": SuggestSettings,
    "export": ExportSettings,
    "report": ReportSettings,
}
GENERAL = {
    "mode": f"What to do, one or several in order; --mode= may be left out: {', '.join(MODES)}.",
    "flagfile": "Read flags from this file, one a line; what follows it wins.",
    "help": "Show this text.",
    "version": "Show the version.",
}
CHOICES = {"model": models.SYSTEMS, "generator_loss": models.GENERATOR_LOSSES}  # settings know no systems
KNOWN_BY = {"baselines": models.BASELINES}
BYTE_ORDER_MARK = "\ufeff"


def define(values: flags.FlagValues) -> None:
    """Defines every flag of the command line on `values`."""
    flags.DEFINE_list("mode", "train", GENERAL["mode"], values)
    for mode, kind in MODES.items():
        for field, hint in leaves(kind):
            if field.name not in values:
                _define(field, hint, _help(field, mode), values)


def _define(field: Field, hint: Any, help_text: str, values: flags.FlagValues) -> None:
    limits = field.metadata
    default = None if field.default is MISSING else field.default
    choices = CHOICES.get(field.name, limits["choices"])
    serializer = flags.ArgumentSerializer()
    parser: flags.ArgumentParser
    if hint is bool:
        flags.DEFINE_boolean(field.name, default, help_text, values)
        return
    if hint in (int, float):
        kind = flags.IntegerParser if hint is int else flags.FloatParser
        least = limits["least"]
        if limits["above"] is not None:
            least = math.nextafter(limits["above"], math.inf)
        parser = kind(least, limits["most"])
    elif choices:
        parser = flags.EnumParser(list(choices))
    elif hint in (str, Path):
        parser = flags.ArgumentParser()
    else:  # a tuple
        flags.DEFINE_list(field.name, [as_text(one) for one in default or ()], help_text, values)
        return
    flags.DEFINE(parser, field.name, default, help_text, values, serializer)


def _help(field: Field, mode: str) -> str:
    """A field's help; where modes mean different things by one flag, what each means."""
    others = {
        other: known.metadata["help"]
        for other, kind in MODES.items()
        for known, _ in leaves(kind)
        if known.name == field.name
    }
    if len(set(others.values())) == 1:
        text = field.metadata["help"]
    else:
        texts = dict.fromkeys(others.values())
        of = {text: ", ".join(other for other in others if others[other] == text) for text in texts}
        text = " ".join(f"{of[text]}: {text}" for text in texts)
    if field.name in KNOWN_BY:
        text += f" Of {', '.join(KNOWN_BY[field.name])}."
    return text


def parse(values: flags.FlagValues, arguments: list[str]) -> None:
    """Parses `arguments` (without the program's name) into `values`.

    Raises:
      ConfigError: a flag or flagfile is unknown or has a value that is not allowed; one sentence.
    """
    arguments = _written_out(arguments)
    try:
        rest = values(["clgan-tf", *_without_byte_order_marks(values, arguments)])[1:]
    except flags.IllegalFlagValueError as error:
        refused = re.match(r"flag --(\w+)=(.*?): ", str(error), re.DOTALL)
        if not refused:
            raise ConfigError(" ".join(str(error).split())) from error
        name, value = refused.groups()
        raise ConfigError(f"--{name} takes {_allowed(name, values[name])}, not {value!r}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"a flagfile is no text: {error}; give one as a run has it, {FLAGFILE}.") from error
    except (flags.Error, ValueError) as error:  # absl raises either.
        raise ConfigError(" ".join(str(error).removeprefix("ERROR:: ").split())) from error
    if rest:
        raise ConfigError(f"{rest[0]} is no flag; every setting begins with --.")


def _written_out(arguments: list[str]) -> list[str]:
    """The arguments without what may be left out: --mode= before a first word, and an interrupted run's own flags."""
    if arguments and arguments[0] in MODES:
        arguments = [f"--mode={arguments[0]}", *arguments[1:]]
    given = dict(argument.lstrip("-").partition("=")[::2] for argument in _joined(arguments))
    is_all = given.keys() <= {"mode", "run_dir", "resume"}
    if is_all and given.get("resume") in ("", "true") and given.get("run_dir"):
        flagfile = expanded("--run_dir", given["run_dir"]) / FLAGFILE
        if not flagfile.exists():
            raise ConfigError(f"--resume: {flagfile.parent} holds no {FLAGFILE}; give the run directory of a run.")
        return [f"--flagfile={flagfile}", *arguments]
    return arguments


def _joined(arguments: list[str]) -> list[str]:
    """The arguments with each flag whose value stands behind it, as absl takes it too, as --flag=value."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1].startswith("-") and "=" not in joined[-1] and not argument.startswith("-"):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _without_byte_order_marks(values: flags.FlagValues, arguments: list[str]) -> list[str]:
    """The arguments with their flagfiles' lines in place of them.

    Some editors begin a file with a byte-order mark, which absl takes for a part of the first flag or comment.
    """
    lines = values.read_flags_from_files(arguments, force_gnu=False)
    is_marked_comment = (BYTE_ORDER_MARK + "#", BYTE_ORDER_MARK + "//")
    return [line.removeprefix(BYTE_ORDER_MARK) for line in lines if not line.startswith(is_marked_comment)]


def _allowed(name: str, flag: flags.Flag) -> str:
    """The values a flag takes, in words."""
    if choices := getattr(flag.parser, "enum_values", None):
        return ", ".join(choices)
    if flag.boolean:
        return "true or false"
    for kind in MODES.values():
        for field, _ in leaves(kind):
            if field.name == name and field.metadata["above"] is not None:
                most = field.metadata["most"]
                return f"a number above {field.metadata['above']:g}" + ("" if most is None else f", at most {most:g}")
    text = flag.parser.syntactic_help  # absl: "a number ...", but "integer ..."
    return f"an {text}" if text.startswith("integer") else text


def modes(values: flags.FlagValues) -> list[str]:
    """The modes asked for, in order. Raises ConfigError for an unknown one, or none."""
    for mode in values.mode:
        if mode not in MODES:
            raise ConfigError(f"--mode takes {', '.join(MODES)}, not {mode!r}.")
    if not values.mode:
        raise ConfigError(f"--mode needs one of {', '.join(MODES)}.")
    return list(values.mode)


def refuse_unused(values: flags.FlagValues, modes: list[str], arguments: list[str], prepares: bool) -> None:
    """What is given on the command line must serve a mode asked for; a flagfile may hold flags of other modes too.

    prepares: data are prepared by the way.

    Raises:
      ConfigError: a flag is of no use.
    """
    kinds = [MODES[mode] for mode in modes] + ([PrepareSettings] if prepares else [])
    used = {"mode", "flagfile", "undefok"} | {field.name for kind in kinds for field, _ in leaves(kind)}
    for argument in arguments:
        name = argument.lstrip("-").partition("=")[0]
        name = name if name in values else name.removeprefix("no")
        if argument.startswith("-") and name in values and name not in used:
            others = ", ".join(mode for mode, kind in MODES.items() if name in {one.name for one, _ in leaves(kind)})
            raise ConfigError(f"--mode={','.join(modes)} has no use for --{name}, a flag of {others}; leave it out.")


def settings_of(mode: str, values: flags.FlagValues) -> Any:
    """The settings of one mode.

    Raises:
      ConfigError: a flag that the mode needs is missing, or flags do not fit each other.
    """
    return _settings(MODES[mode], mode, values)


def _settings(kind: type, mode: str, values: flags.FlagValues) -> Any:
    given, hints = {}, {field.name: hint for field, hint in leaves(kind)}
    for field in fields(kind):
        if isinstance(field.default, Settings):
            given[field.name] = _settings(type(field.default), mode, values)
            continue
        value = values[field.name].value
        if value in (None, "", []):
            if field.default is MISSING:
                raise ConfigError(f"--mode={mode} needs --{field.name}.")
            continue
        given[field.name] = _converted(value, hints[field.name])
    made = kind(**given)
    if isinstance(made, TrainSettings):
        models.check(made.model, made.baselines, made.generator_loss)
    return made


def _converted(value: Any, hint: Any) -> Any:
    if hint is Path:
        return Path(value)
    if isinstance(value, list):
        return tuple(map(Path, value)) if hint == tuple[Path, ...] else tuple(value)
    return value


def help_text(values: flags.FlagValues) -> str:
    """All flags, grouped by mode, one line each."""
    lines = [
        "Tell encrypted traffic apart from few labels: CLGAN in TensorFlow.",
        "",
        "  python -m clgan_tf.main --flagfile=experiments/demo.flags",
        "",
        "all modes:",
        *(f"  --{name:<25} {text}" for name, text in GENERAL.items()),
    ]
    lines[5] += " [train]"
    seen: set[str] = set()
    for mode, kind in MODES.items():
        names = [field.name for field, _ in leaves(kind)]
        again = [f"--{name}" for name in names if name in seen]
        lines += ["", f"{mode}:"]
        for name in names:
            if name not in seen:
                lines.append(f"  --{name:<25} {values[name].help}{_choices(values[name])}{_default(values[name])}")
        if again:
            lines.append(f"  and from above: {', '.join(again)}")
        seen.update(names)
    return "\n".join(lines)


def _choices(flag: flags.Flag) -> str:
    choices = getattr(flag.parser, "enum_values", None)
    return f" One of {', '.join(choices)}." if choices else ""


def _default(flag: flags.Flag) -> str:
    if flag.default in (None, "", []) or flag.default is False:
        return ""
    return " (on; off with --no)" if flag.default is True else f" [{as_text(flag.default)}]"
