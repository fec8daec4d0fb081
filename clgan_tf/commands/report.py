"""Runs side by side, or the results of sweeps."""

from pathlib import Path

from clgan_tf.reporting import paper, run_report, sweep_report
from clgan_tf.settings import ReportSettings
from clgan_tf.sweeps.results import read_results


def run(settings: ReportSettings) -> None:
    """Puts runs side by side, or all results of sweeps: as the paper has them, or else in tables of their own."""
    if settings.results:
        rows = [row for path in settings.results for row in read_results(path)]
        report = paper if paper.is_of_it(rows) else sweep_report
        if settings.output == "-":
            print(report.page(rows), end="")
            return
        written = report.write(rows, Path(settings.output))
    else:
        runs = run_report.find_runs(settings.patterns)
        text = run_report.report(runs)
        if settings.output == "-":
            print(text, end="")
            return
        written = run_report.write_report(text, runs, Path(settings.output))
    for path in written:
        print(f"Written: {path}")
