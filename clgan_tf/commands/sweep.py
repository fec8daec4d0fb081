"""Many runs from one file."""

from dataclasses import replace
from pathlib import Path

from clgan_tf.commands.prepare import dataset_of
from clgan_tf.commands.scoring import score
from clgan_tf.common import progress
from clgan_tf.common.errors import DataError, UserError
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.settings import SweepSettings
from clgan_tf.sweeps import results
from clgan_tf.sweeps.file import read_sweep
from clgan_tf.sweeps.plan import plan
from clgan_tf.training.run import pretrain, train


def run(settings: SweepSettings) -> bool:
    """Runs a sweep's cells, those that are not finished, and writes results.jsonl after each.

    Raises:
      DataError: a cell could not be run, for a reason that is the user's; all others were.
    """
    directory, tasks = read_sweep(settings.sweep)
    if settings.dry_run:
        print(plan(tasks))
        return False
    is_damaged, failures = False, []
    with progress.bar("Sweep", len(tasks), " cells") as bar:
        for task in tasks:
            if not task.is_finished:
                bar.set_postfix_str(task.settings.run_dir.name)
                try:
                    dataset, damaged = dataset_of(task.settings.dataset, task.source)
                    is_damaged |= damaged
                    if task.trunk:
                        is_begun = RunDirectory(task.trunk.run_dir).config.exists()  # by another cell, or before
                        pretrain(replace(task.trunk, resume=is_begun), dataset, task.source)
                    trained = train(task.settings, dataset, task.source, calibrates=False)  # Only labels are compared.
                    score(trained, dataset, task.settings.score_on, explains=False)
                except UserError as error:
                    failures.append(f"{task.run.path}: {error}")
                _write_rows(directory, tasks)
            bar.update()
    _write_rows(directory, tasks)
    print(f"{len(tasks) - len(failures)} of {len(tasks)} cells finished: {directory / results.RESULTS}")
    if failures:
        raise DataError("\n".join([f"{len(failures)} cells could not be run.", *failures]))
    return is_damaged


def _write_rows(directory: Path, tasks: list) -> None:
    results.write_results(directory, {task.cell: task.row() for task in tasks if task.is_finished})
