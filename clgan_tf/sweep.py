"""A sweep: many runs from one TOML file, each in its own run directory, their results in one file.

The file names data sets and grids of cells:

    directory = "runs/sweeps/table3"      # of run directories and results.jsonl
    flags = ["--batch_size=64"]           # for every cell

    [data.l7]                             # one for each representation or data set
    flags = ["--source=$CLGAN_DATA/ustc_tfc2016", "--source_kind=ustc_tfc2016", "--representation=l7"]

    [[cells]]                             # the product of all lists
    data = ["l7"]
    models = ["clgan", "random_forest"]
    labels = [100, 1000]
    unlabelled = [8000]                   # optional; 0 = all
    seeds = [0, 1, 2]
    flags = ["--labels_unit=total"]       # optional

A data set is prepared once, in DIRECTORY/data/NAME, and shared; labelled subsets are nested for a seed.
A cell is finished if its run directory is, or if DIRECTORY/results.jsonl has it: a sweep goes on from that file alone,
on another machine too. Rows of that file which are of no cell stay in it.
"""

import itertools
import json
import math
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags as absl_flags

from clgan_tf import config
from clgan_tf.data.prepare import differing_flag
from clgan_tf.errors import ConfigError, DataError
from clgan_tf.files import read_json, written_aside
from clgan_tf.run_directory import RunDirectory, differing_setting, read_log, read_metrics, settings

RESULTS = "results.jsonl"
KEYS = {"directory": str, "data": dict, "cells": list}
AXES = {"data": (str,), "models": (str,), "labels": (int, float), "unlabelled": (int,), "seeds": (int,)}
PLACE = ("data", "model", "labels", "unlabelled", "seed")
CURVES = (
    *("discriminator_loss", "generator_loss", "labelled_loss", "reconstruction_loss"),
    *("probability_real", "probability_real_generated", "val_accuracy"),
)
FACTS = ("cell", "systems", "settings", "labels", "data", "environment")


@dataclass(frozen=True)
class Cell:
    """One run: where it stands in the grid, its settings and its source."""

    data: str
    model: str
    labels: float
    unlabelled: int
    seed: int
    settings: config.TrainConfig
    source: config.PrepareConfig
    flagfile_text: str
    earlier: dict[str, Any] | None = None  # its row in results.jsonl

    @property
    def place(self) -> dict[str, Any]:
        """Where it stands in the grid."""
        return {name: getattr(self, name) for name in PLACE}

    @property
    def run(self) -> RunDirectory:
        """The cell's run directory."""
        return RunDirectory(self.settings.run_dir)

    @property
    def is_finished(self) -> bool:
        """Whether its results are there."""
        return self.run.metrics.exists() or self.earlier is not None

    def row(self) -> dict[str, Any]:
        """The cell's line of results.jsonl: its place in the grid, its run's metrics and phase 1's curves by epoch."""
        if not self.run.metrics.exists() and self.earlier is not None:
            return self.earlier
        log = [row for row in read_log(self.run.metrics_log) if row["phase"] == "pretraining"]
        curves = {name: [round(row[name], 4) for row in log] for name in CURVES if log and name in log[0]}
        return {"cell": self.place, **read_metrics(self.run.metrics), "curves": curves}


def read_sweep(path: Path) -> tuple[Path, list[Cell]]:
    """The sweep's directory and its cells, in the file's order; every flag is checked before anything runs.

    Raises:
      ConfigError: the file is missing or no TOML, a key, value or flag in it is wrong, or a cell was run otherwise
        before.
      DataError: there is a results.jsonl, which is damaged.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--sweep={path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"--sweep={path} is no TOML: {error}.") from error
    for key, kind in KEYS.items():
        if not isinstance(values.get(key), kind):
            raise ConfigError(f"--sweep={path}: {key} is missing or no {kind.__name__}.")
    try:
        directory = config.expanded("directory", values["directory"])
        flags = _flags(values, "a sweep", *KEYS)
        source_flags = {name: _flags(table, f"[data.{name}]") for name, table in values["data"].items()}
        cells = []
        for grid in values["cells"]:
            grid_flags = _flags(grid, "[[cells]]", *AXES)
            for place in itertools.product(*_lists(grid)):
                if place[0] not in source_flags:
                    raise ConfigError(f"there is no [data.{place[0]}].")
                cells.append(_cell(directory, place, [*flags, *source_flags[place[0]], *grid_flags]))
    except ConfigError as error:
        raise ConfigError(f"--sweep={path}: {error}") from error
    names = [cell.settings.run_dir for cell in cells]
    if len(set(names)) < len(names):
        raise ConfigError(f"--sweep={path}: two cells are the same.")
    rows = {_key(row["cell"]): row for row in known_rows(directory)}
    cells = [replace(cell, earlier=rows.get(_key(cell.place))) for cell in cells]
    for cell in cells:
        _check_earlier(cell, directory)
    return directory, cells


def _flags(table: Any, where: str, *known: str) -> list[str]:
    """The flags of one of the file's tables, which may have the known keys besides."""
    if not isinstance(table, dict):
        raise ConfigError(f"{where} is no table.")
    if unknown := set(table) - {*known, "flags"}:
        raise ConfigError(f"{where} knows no {', '.join(sorted(unknown))}.")
    flags = table.get("flags", [])
    if not isinstance(flags, list) or not all(isinstance(flag, str) for flag in flags):
        raise ConfigError(f"flags of {where} are no list of strings.")
    return flags


def _lists(grid: dict[str, Any]) -> list[list[Any]]:
    """The lists whose product a grid is."""
    lists = []
    for axis, kinds in AXES.items():
        choices = grid.get(axis, [0] if axis == "unlabelled" else None)
        if not isinstance(choices, list) or not choices:
            raise ConfigError(f"every [[cells]] needs a list {axis}.")
        for choice in choices:
            if type(choice) not in kinds:
                raise ConfigError(f"{axis} of [[cells]] takes {kinds[0].__name__}, not {choice!r}.")
        lists.append(choices)
    return lists


def known_rows(directory: Path) -> list[dict[str, Any]]:
    """The rows of the directory's results.jsonl, if there is one. Raises DataError where it is damaged."""
    path = directory / RESULTS
    return read_results(path) if path.exists() and path.stat().st_size else []


def read_results(path: Path) -> list[dict[str, Any]]:
    """The rows of a results.jsonl.

    Raises:
      DataError: it is missing or empty, or a line is no row of a sweep.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}; give a sweep's {RESULTS}.") from error
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            _check_row(row)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: no row of a sweep; get the file again.") from error
        rows.append(row)
    if not rows:
        raise DataError(f"{path}: holds no row; let the sweep finish a cell first.")
    return rows


def _check_row(row: Any) -> None:
    """Raises where what is read from a row is not there or is of another kind."""
    parts = {name: _table(row[name]) for name in FACTS}
    place = parts["cell"]
    numbers = [row["seconds"], *(place[name] for name in ("labels", "unlabelled", "seed"))]
    numbers += [parts["labels"][name] for name in ("count", "unlabelled")]
    scores = parts["systems"][place["model"]]
    numbers += [scores[name] for name in ("accuracy", "precision", "recall", "f1")]
    words = [place["data"], place["model"], parts["labels"]["unit"]]
    words += [parts["data"][name] for name in ("source_kind", "representation", "unit", "fingerprint")]
    words += [parts["environment"]["system"], parts["environment"]["processor"], parts["data"]["split"]["rule"]]
    numbers += [parts["environment"]["cores"], parts["data"]["sizes"]["test"], parts["data"]["split"]["seed"]]
    numbers += [parts["settings"][name] for name in ("pretraining_epochs", "batch_size")]
    for table in (parts["environment"]["packages"], parts["data"]["split"], parts["data"]["rules"]):
        _table(table)
    confusion = np.array(scores["confusion"], np.int64)
    if (
        not all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
        or parts["settings"]["batch_size"] < 1
        or not all(isinstance(word, str) for word in [*words, *parts["data"]["class_names"]])
        or confusion.shape != (len(parts["data"]["class_names"]),) * 2
        or not all(np.ndim(np.array(curve, float)) == 1 for curve in _table(row.get("curves", {})).values())
    ):
        raise TypeError("a value of another kind")


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("no table")
    return value


def _key(place: dict[str, Any]) -> tuple[Any, ...]:
    return (place["data"], place["model"], float(place["labels"]), place["unlabelled"], place["seed"])


def _check_earlier(cell: Cell, directory: Path) -> None:
    """Raises ConfigError where the cell is there already, with other settings or of other data."""
    current = settings(cell.settings)
    places = []
    if cell.earlier is not None:
        seed = cell.earlier["cell"]["seed"]
        places.append((directory / RESULTS, {**cell.earlier["settings"], "seed": seed}, cell.earlier["data"]))
    if cell.run.config.exists():
        places.append((cell.run.path, read_json(cell.run.config), read_json(cell.run.data)["data"]))
    for place, earlier, data in places:
        differing = differing_flag(data, cell.source)
        if name := differing_setting(earlier, current):
            differing = name, earlier.get(name), current[name]
        if differing:
            flag, found, wanted = differing
            raise ConfigError(
                f"{place} has {cell.run.path.name} of {cell.data} with --{flag}={found}, not {wanted}; "
                "give the sweep another directory, or move that away."
            )


def _cell(directory: Path, place: tuple[Any, ...], given: list[str]) -> Cell:
    data, model, labels, unlabelled, seed = place
    run_dir = directory / data / f"{model}_{labels:g}_{unlabelled or 'all'}_seed{seed}"
    arguments = [
        *given,
        *(f"--model={model}", f"--labels={labels}", f"--unlabelled={unlabelled}", f"--seed={seed}"),
        *(f"--dataset={directory / 'data' / data}", f"--run_dir={run_dir}"),
    ]
    if RunDirectory(run_dir).flagfile.exists():  # It was begun: go on.
        arguments.append("--resume")
    values = absl_flags.FlagValues()
    config.define_flags(values)
    try:
        if rest := config.parse(values, arguments):
            raise ConfigError(f"{rest[0]} is no flag")
        settings, source = config.train_config(values), config.prepare_config(values)
    except ConfigError as error:
        raise ConfigError(f"{run_dir.name}: {error}") from error
    text = config.resolved_flagfile(run_dir, values)
    return Cell(data, model, labels, unlabelled, seed, settings, source, text)


def write_results(directory: Path, cells: list[Cell]) -> None:
    """Writes results.jsonl anew: a line for every finished cell, in the sweep's order, then rows of no cell."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = {_key(row["cell"]): row for row in known_rows(directory)}  # The file may have got rows meanwhile.
    order = dict.fromkeys([*(_key(cell.place) for cell in cells), *rows])
    rows |= {_key(cell.place): cell.row() for cell in cells if cell.is_finished}
    lines = [json.dumps(rows[key]) + "\n" for key in order if key in rows]
    with written_aside(directory / RESULTS) as aside:
        aside.write_text("".join(lines), encoding="utf-8")


def plan(cells: list[Cell]) -> str:
    """A line for each cell, and the time the rest will take as far as finished cells of the same system tell.

    Cells of the same data tell before those of other data.
    """
    known: dict[tuple[str, ...], list[float]] = {}
    for cell in cells:
        if cell.is_finished:
            for key in ((cell.model, cell.data), (cell.model,)):
                known.setdefault(key, []).append(cell.row()["seconds"])
    lines, left, unknown = [], 0.0, 0
    for cell in cells:
        if cell.is_finished:
            state = "finished"
        elif found := known.get((cell.model, cell.data)) or known.get((cell.model,)):
            seconds = float(np.median(found))  # A cell during which the machine slept tells nothing.
            state = f"about {seconds / 60:.1f} minutes"
            left += seconds
        else:
            state = "time unknown: no cell of this system has run"
            unknown += 1
        lines.append(f"{cell.settings.run_dir}: {state}")
    finished = sum(cell.is_finished for cell in cells)
    rest = [f"the rest takes about {left / 60:.0f} minutes"] if left or not unknown else []
    rest += [f"{unknown} cells take an unknown time"] if unknown else []
    return "\n".join([*lines, f"{len(cells)} cells, {finished} finished; {', '.join(rest)}."])
