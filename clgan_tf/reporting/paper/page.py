"""The report as one Markdown page, and as one HTML page that holds its pictures."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from clgan_tf.data import recipe
from clgan_tf.models import NETWORKS, title
from clgan_tf.reporting import markdown, web_page
from clgan_tf.reporting.paper import statistics
from clgan_tf.reporting.paper.definitions import TABLES
from clgan_tf.reporting.paper.pictures import pictures
from clgan_tf.reporting.paper.runs import CLGAN, DATA_NAMES, REPRESENTATIONS, SYSTEMS, frame, shared_settings
from clgan_tf.reporting.tables import COLUMNS, split_text
from clgan_tf.sweeps.results import Row

INTRODUCTION = """\
Made by `python -m clgan_tf.main --mode=report --results=...` from the results of `--mode=sweep`. Per cent, on the
test split, which every run reads once; mean ± standard deviation over the seeds that the last column names; averages
over classes are unweighted. The best of a group is bold. With one seed all systems of a group have the same labelled
sessions, and the GANs and the autoencoder the same unlabelled ones; a mean over three seeds beside a single seed is no
like comparison. CNN-LSTM, the trees and the nearest neighbour use no unlabelled sessions, which is why a group with
fewer of them does not repeat those systems.

Of the paper's figures only those of its abstract stand here. In `all_layers` the capture's time stamp alone tells the
classes (docs/results.md): its figures are here to compare with the paper's layout and say little about traffic. `l7` is
the de-duplicated payload alone."""
SUPERSEDED = """\
**Superseded.** These runs are of data that recipe {versions} made; recipe {current} chooses other sessions for the
splits where none are published, and counts labels for early stopping in the budget, which these runs had besides."""
AHEAD = """\
Accuracy of CLGAN less that of another system with the same labels and, where that uses one, the same unlabelled pool,
in points: the mean over the seeds that both have, then over cells; and the cell in which CLGAN is furthest behind or
least ahead. Most cells have one seed: a single difference below about two points is no evidence."""


def is_of_it(rows: list[Row]) -> bool:
    """Whether any row is of the paper's CLGAN on a data set of the paper's."""
    return any(row.cell.model == CLGAN and row.result.data.source_kind in DATA_NAMES for row in rows)


def page(rows: list[Row], captions: Mapping[str, str] | None = None) -> str:
    """The report as Markdown; `captions`: of pictures by file name, shown at its end.

    Raises:
      DataError: rows do not go together, see `frame`.
    """
    runs = frame(rows)
    sections = ["# CLGAN beside what it is compared with", *_superseded(rows), INTRODUCTION, _circumstances(runs)]
    left_out = runs
    for table in TABLES:
        ours = table.of(runs)
        left_out = left_out[~left_out.index.isin(ours.index)]
        for representation in REPRESENTATIONS:
            chosen = statistics.by_budget(ours[ours.representation == representation], table.systems)
            if chosen:
                heading = f"## Table {table.number}. {DATA_NAMES[table.source_kind]}, {representation}: {table.subject}"
                columns = ["Labelled", "Unlabelled", "Steps of phase 1", "System", *COLUMNS.values(), "Seeds"]
                sections += [heading, *([table.note] if table.note else []), markdown.table(columns, chosen)]
    if len(left_out):
        names = sorted({f"{title(row.cell.model)} on {row.cell.data}" for row in left_out.row})
        sections.append(f"{len(left_out)} of {len(runs)} runs fit none of the paper's tables: {', '.join(names)}.")
    claims = markdown.table(
        ["Claim (accuracy)", "Paper", "Data", "Ours: labelled sessions, mean difference, seeds"],
        statistics.claims(runs),
    )
    if claims:
        sections += ["## What the paper's abstract claims", claims]
    ahead = markdown.table(
        ["Data", "Beside", "CLGAN ahead in", "Mean difference", "Least, at labelled / unlabelled"],
        statistics.ahead(runs),
    )
    if ahead:
        sections += ["## In how many cells CLGAN is ahead", AHEAD, ahead]
    sections = [section.replace("[", "\\[") for section in sections]  # Nothing in a row becomes a link or a picture.
    if captions:
        sections.append("## Pictures")
        sections += [f"{caption}\n\n![{caption}]({quote(name)})" for name, caption in captions.items()]
    return "\n\n".join(sections) + "\n"


def write(rows: list[Row], target: Path) -> list[Path]:
    """Writes the page as FILE.md, its pictures beside it, and FILE.html, which holds them; returns what was written."""
    drawn = pictures(frame(rows), target.stem)
    text = page(rows, {name: caption for name, (_, caption) in drawn.items()})
    return web_page.write(text, drawn, target)


def _superseded(rows: list[Row]) -> list[str]:
    versions = sorted({row.result.data.recipe for row in rows} - {recipe.VERSION})
    text = SUPERSEDED.format(versions=" and ".join(map(str, versions)), current=recipe.VERSION)
    return [text] if versions else []


def _circumstances(runs: pd.DataFrame) -> str:
    """The data sets, the machines, and the settings that all networks share."""
    results = [row.result for row in runs.row]
    of_data = []
    for data in {result.data.fingerprint: result.data for result in results}.values():
        name = f"{DATA_NAMES.get(data.source_kind, data.source_kind)}, {data.representation}"
        of_data.append([name, split_text(data.split), f"{data.sizes['test']:,}", f"`{data.fingerprint[:16]}`"])
    machines, made = set(), set()
    for known in (result.environment for result in results):
        packages = ", ".join(f"{name} {version}" for name, version in known.packages.items())
        machines.add(f"cores: {known.cores} ({known.processor}), {known.system}, {packages}")
        made.add(f"{known.date or 'unknown day'}, commit {known.commit or 'unknown'}")
    minutes = runs.groupby("model").minutes.median()
    durations = ", ".join(f"{title(name)} {minutes[name]:.1f}" for name in SYSTEMS if name in minutes)
    settings: dict[str, dict[str, None]] = {}
    for row in runs[runs.model.isin(NETWORKS)].row:
        for name, value in shared_settings(row).items():
            settings.setdefault(name, {})[f"{value:g}" if isinstance(value, float) else str(value)] = None
    shared = ", ".join(f"--{name}={' or '.join(values)}" for name, values in settings.items())
    lines = [
        markdown.table(["Data", "Split", "Test sessions", "Fingerprint"], of_data),
        "",
        f"{len(runs)} runs. Minutes a run (median): {durations}.",
        f"Machine: {'; '.join(sorted(machines))}. Made: {'; '.join(sorted(made))}.",
    ]
    return "\n".join([*lines, f"Settings of the networks: {shared}."] if shared else lines)
