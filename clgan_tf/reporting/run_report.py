"""Several runs side by side: mean and spread over seeds, as one Markdown page."""

import glob
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from clgan_tf.common.errors import DataError
from clgan_tf.common.files import written_aside
from clgan_tf.reporting import figures
from clgan_tf.reporting.tables import circumstances, systems_table
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.runs.log import read_log
from clgan_tf.runs.result import RunResult, read_result
from clgan_tf.settings import TrainSettings


def find_runs(patterns: Iterable[Path]) -> list[Path]:
    """Run directories that match the shell patterns, sorted. Raises DataError where a pattern matches none."""
    runs: dict[Path, None] = {}
    for pattern in map(str, patterns):
        matches = [Path(match) for match in sorted(glob.glob(pattern)) if RunDirectory(Path(match)).flagfile.exists()]
        if not matches:
            raise DataError(f"--runs: no run directory matches {pattern}.")
        runs.update(dict.fromkeys(matches))
    return list(runs)


def report(runs: list[Path]) -> str:
    """Markdown: one section for all runs that differ by nothing but the seed.

    Raises:
      DataError: a run has no metrics.json: it has not finished.
    """
    groups: dict[tuple[str, TrainSettings], list[tuple[Path, RunResult]]] = {}
    for run in runs:
        result = read_result(RunDirectory(run).metrics)
        same = replace(result.settings, run_dir=Path("run"), dataset=Path("data"), seed=0)
        groups.setdefault((result.data.fingerprint, same), []).append((run, result))
    sections = []
    for group in groups.values():
        results = [result for _, result in group]
        first = results[0]
        seeds = ", ".join(str(result.settings.seed) for result in results)
        minutes = np.mean([result.seconds for result in results]) / 60
        lines = [
            f"## {first.data.source_kind}, {first.data.representation}",
            "",
            circumstances(first),
            f"Seeds {seeds}; {minutes:.1f} minutes a run on {first.environment.cores} cores.",
            "",
            systems_table(results),
            "",
            "Runs: " + ", ".join(f"`{run}`" for run, _ in group),
        ]
        sections.append("\n".join(lines))
    return "\n\n".join(sections) + "\n"


def write_report(text: str, runs: list[Path], page: Path) -> list[Path]:
    """Writes the page, and beside it each run's training curves as PNG; returns what was written."""
    with written_aside(page) as aside:
        aside.write_text(text, encoding="utf-8")
    written = [page]
    for run in runs:
        if log := read_log(RunDirectory(run).metrics_log):
            picture = page.with_name(f"{page.stem}-{run.parent.name}-{run.name}-curves.png")
            figures.save(figures.curves_figure(log), picture)
            written.append(picture)
    return written
