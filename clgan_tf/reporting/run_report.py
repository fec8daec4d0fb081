"""Several runs side by side: mean and spread over seeds, as one Markdown page."""

import glob
import json
from pathlib import Path
from typing import Any

import numpy as np

from clgan_tf.errors import DataError
from clgan_tf.files import written_aside
from clgan_tf.reporting import figures
from clgan_tf.reporting.tables import circumstances, systems_table
from clgan_tf.run_directory import RunDirectory, read_log, read_metrics


def find_runs(patterns: tuple[str, ...]) -> list[Path]:
    """Run directories that match the shell patterns, sorted. Raises DataError where a pattern matches none."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = [Path(match) for match in sorted(glob.glob(pattern)) if RunDirectory(Path(match)).flagfile.exists()]
        if not matches:
            raise DataError(f"--runs: no run directory matches {pattern}.")
        found.update(dict.fromkeys(matches))
    return list(found)


def report(runs: list[Path]) -> str:
    """Markdown: one section for all runs that differ by nothing but the seed.

    Raises:
      DataError: a run has no metrics.json: it has not finished.
    """
    groups: dict[str, list[tuple[Path, dict[str, Any]]]] = {}
    for run in runs:
        metrics = read_metrics(RunDirectory(run).metrics)
        key = json.dumps([metrics["data"]["fingerprint"], metrics["settings"]], sort_keys=True)
        groups.setdefault(key, []).append((run, metrics))
    sections = []
    for group in groups.values():
        results = [entry for _, entry in group]
        seeds = ", ".join(str(entry["seeds"]["run"]) for entry in results)
        minutes = np.mean([entry["seconds"] for entry in results]) / 60
        lines = [
            f"## {results[0]['data']['source_kind']}, {results[0]['data']['representation']}",
            "",
            circumstances(results[0]),
            f"Seeds {seeds}; {minutes:.1f} minutes a run on {results[0]['environment']['cores']} cores.",
            "",
            systems_table(results),
            "",
            "Runs: " + ", ".join(f"`{run}`" for run, _ in group),
        ]
        sections.append("\n".join(lines))
    return "\n\n".join(sections) + "\n"


def write_report(text: str, runs: list[Path], output: str) -> list[Path]:
    """Writes the page, and beside it each run's training curves as PNG; returns what was written."""
    page = Path(output)
    with written_aside(page) as aside:
        aside.write_text(text, encoding="utf-8")
    written = [page]
    for run in runs:
        rows = read_log(RunDirectory(run).metrics_log)
        picture = page.with_name(f"{page.stem}-{run.parent.name}-{run.name}-curves.png")
        figures.save(figures.curves_figure(rows), picture)
        written.append(picture)
    return written
