"""What a sweep still has to do, and how long that takes as far as its finished cells tell."""

import numpy as np

from clgan_tf.sweeps.file import Task


def plan(tasks: list[Task]) -> str:
    """A line for each cell, and the time the rest will take as far as finished cells of the same system tell.

    Cells of the same data tell before those of other data.
    """
    known: dict[tuple[str, ...], list[float]] = {}
    for task in tasks:
        if task.is_finished:
            for key in ((task.cell.model, task.cell.data), (task.cell.model,)):
                known.setdefault(key, []).append(task.row().result.seconds)
    lines, left, unknown = [], 0.0, 0
    for task in tasks:
        model, data = task.cell.model, task.cell.data
        if task.is_finished:
            state = "finished"
        elif times := known.get((model, data)) or known.get((model,)):
            seconds = float(np.median(times))  # A cell during which the machine slept tells nothing.
            state = f"about {seconds / 60:.1f} minutes"
            left += seconds
        else:
            state = "time unknown: no cell of this system has run"
            unknown += 1
        lines.append(f"{task.settings.run_dir}: {state}")
    finished = sum(task.is_finished for task in tasks)
    rest = [f"the rest takes about {left / 60:.0f} minutes"] if left or not unknown else []
    rest += [f"{unknown} cells take an unknown time"] if unknown else []
    return "\n".join([*lines, f"{len(tasks)} cells, {finished} finished; {', '.join(rest)}."])
