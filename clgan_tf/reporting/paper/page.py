"""The report as one Markdown page, and as one HTML page that holds its pictures."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import numpy as np

from clgan_tf.data import recipe
from clgan_tf.models import SYSTEMS, title
from clgan_tf.reporting import markdown, web_page
from clgan_tf.reporting.paper.pictures import pictures
from clgan_tf.reporting.paper.published import (
    AUTOENCODER,
    CLGAN,
    CNN_LSTM,
    CONTRADICTIONS,
    DATA_NAMES,
    DCGAN,
    TABLES,
    Budget,
    PaperTable,
)
from clgan_tf.reporting.paper.runs import OF_THE_PAPERS_KIND, Run, runs_of, shared_settings
from clgan_tf.reporting.paper.statistics import ahead_by, beside, fits, of_row, stated_ahead_by
from clgan_tf.reporting.tables import COLUMNS, per_cent, split_text
from clgan_tf.sweeps.results import Row

SHOWN = ("all_layers", "l7")  # as the paper's data sets are published
COMPARED = (DCGAN, CNN_LSTM, AUTOENCODER, "random_forest", "extra_trees", "nearest_neighbour", "clgan_plus")
BESIDE = (*COMPARED, "bytesgan")  # in every table, where the paper has not all
NOT_RUN = "not run"

READING = """\
Made by `python -m clgan_tf.main --mode=report --results=...` from the results of `--mode=sweep`. Every cell reads
**paper / ours / difference**, in per cent and points; ours is of the test split, which a run reads once, and where
several seeds were run their mean ± standard deviation. Averages over classes are unweighted. With one seed all systems
of a row have the same labelled sessions; a difference below about two points between single seeds is no evidence.
`all_layers` is whole packets with their capture headers, as most papers read them: it holds what leaks; `l7` is payload
alone. In both no image and no session is in two splits.

A label budget holds all labels that a run sees: of a network's every fifth is for early stopping. The paper states
neither its split nor its number of training sessions, so that ours are ours."""
SUPERSEDED = """\
**Superseded.** These runs are of data that recipe {versions} made; recipe {current} chooses other sessions for the
splits where none are published, and counts labels for early stopping in the budget, which these runs had besides."""
CLAIMED = """\
**Claimed.** CLGAN names 12 classes of ISCX VPN-nonVPN right in 94.2 to 99.0 % with 10 to 70 % of the labels (table 1),
and 20 classes of USTC-TFC2016 in 89.3 to 98.6 % with 100 or 1,000 labels (table 3). The abstract puts it about 3 points
above CNN-LSTM at 2,000 labels and about 4 above DCGAN at every share."""
CAME_OUT = """\
**Came out**, in points of accuracy on the same labels, a mean over the rows of all tables that were run on both:"""
EXPLAINED = """\
**What explains it.** In `all_layers` the first packet's time stamp alone names the class of 99 % of ISCX's sessions and
92 % of USTC's (`--mode=audit`): whatever reads that time, as a forest does, scores high and learns nothing of traffic.
What else could lift the published network to the published figures was tried one by one:
`experiments/results/out_of_reach.md`."""


def is_of_it(rows: list[Row]) -> bool:
    """Whether a row of the paper's CLGAN stands in one of the paper's tables."""
    ours = [row for row in rows if row.cell.model == CLGAN and row.result.data.source_kind in DATA_NAMES]
    return any(fits(Run(row)) for row in ours)


def page(rows: list[Row], captions: Mapping[str, str] | None = None) -> str:
    """The report as Markdown; `captions`: of pictures by file name, shown at its end.

    Raises:
      DataError: rows do not go together, see `runs_of`.
    """
    runs = runs_of(rows)
    numbers = list(dict.fromkeys(table.number for table in TABLES))
    contents = [f"[table {number}](#table-{number})" for number in numbers]
    contents += [
        "[contradictions within the paper](#contradictions)",
        "[what was not run](#what-was-not-run)",
        "[circumstances](#circumstances)",
        *(["[pictures](#pictures)"] if captions else []),
    ]
    sections = ["## In ten lines", _ten_lines(runs), "## How to read it", READING]
    missing: list[str] = []
    for number in numbers:
        tables = [table for table in TABLES if table.number == number]
        sections.append(f"## Table {number}")
        for table in tables:
            sections.append(f"**{DATA_NAMES[table.source_kind]}: {table.subject}.** {table.note}".rstrip())
            for representation in SHOWN:
                of_data = [run for run in runs if run.representation == representation]
                sections += [f"`{representation}`:", _paper_table(of_data, table)]
                if others := _others(of_data, table):
                    sections += [f"Other systems on the same rows of `{representation}`, accuracy / macro-F1:", others]
                missing += _missing(of_data, table, representation)
    sections += ["## Contradictions", CONTRADICTIONS, "## What was not run", _not_run(runs, missing)]
    sections += ["## Circumstances", *_superseded(rows), _circumstances(runs)]
    sections = [section.replace("[", "\\[") for section in sections]  # Nothing in a row becomes a link or a picture.
    sections = ["# The paper's tables: its figures and ours", " · ".join(contents), *sections]
    if captions:
        sections.append("## Pictures")
        sections += [f"{caption}\n\n![{caption}]({quote(name)})" for name, caption in captions.items()]
    return "\n\n".join(sections) + "\n"


def write(rows: list[Row], target: Path) -> list[Path]:
    """Writes the page as FILE.md, its pictures beside it, and FILE.html, which holds them; returns what was written."""
    drawn = pictures(runs_of(rows), target.stem)
    text = page(rows, {name: caption for name, (_, caption) in drawn.items()})
    return web_page.write(text, drawn, target)


def _ten_lines(runs: list[Run]) -> str:
    """What was claimed, what came out, what explains it; of the cells that were run."""
    by_data = {name: [run for run in runs if run.representation == name] for name in SHOWN}
    by_data = {name: of_data for name, of_data in by_data.items() if of_data}
    lines = [["the paper's CLGAN", "0", *(_over_rows(_from_the_paper(of_data)) for of_data in by_data.values())]]
    for other in COMPARED:
        differences = [ahead_by(of_data, other) for of_data in by_data.values()]
        if any(differences):
            stated = stated_ahead_by(other)
            lines.append([title(other), _mean(stated) if stated else "not there", *map(_over_rows, differences)])
    came_out = markdown.table(
        ["CLGAN's accuracy less that of", "in the paper", *(f"ours, {name}" for name in by_data)], lines
    )
    return "\n\n".join([CLAIMED, CAME_OUT, came_out, EXPLAINED])


def _from_the_paper(runs: list[Run]) -> list[float]:
    return [cell.ours - cell.paper for cell in beside(runs) if cell.model == CLGAN]


def _mean(points: list[float]) -> str:
    return f"{np.mean(points):+.1f}"


def _over_rows(points: list[float]) -> str:
    """A mean difference, its range, and over how many rows."""
    if not points:
        return NOT_RUN
    if len(points) == 1:
        return f"{_mean(points)} in one row"
    return f"{_mean(points)}, from {min(points):+.1f} to {max(points):+.1f} over {len(points)} rows"


def _paper_table(runs: list[Run], table: PaperTable) -> str:
    """The table in the paper's layout: table 1 a column a system, the others a row a system and budget."""
    measures = table.measures
    if len(measures) == 1:
        lines = []
        for budget in table.budgets:
            cells = [
                _cell(of_row(runs, table, model, budget), rows[budget], "accuracy")
                for model, rows in table.rows.items()
            ]
            lines.append([_labelled(runs, table, budget), *cells])
        return markdown.table(["Labelled", *(f"{title(model)}, accuracy" for model in table.rows)], lines)
    lines = []
    for model, rows in table.rows.items():
        for budget, figures in rows.items():
            ours = of_row(runs, table, model, budget)
            cells = [_cell(ours, figures, measure) for measure in measures]
            lines.append([title(model), _labelled(runs, table, budget), _unlabelled(ours, budget), *cells])
    return markdown.table(["System", "Labelled", "Unlabelled", *(COLUMNS[measure] for measure in measures)], lines)


def _cell(ours: list[Run], figures: dict[str, float], measure: str) -> str:
    paper = f"{figures[measure]:.1f}"
    if not ours:
        return f"{paper} / {NOT_RUN}"
    values = [run.measure(measure) for run in ours]
    return f"{paper} / {per_cent(values)} / {100 * np.mean(values) - figures[measure]:+.1f}"


def _labelled(runs: list[Run], table: PaperTable, budget: Budget) -> str:
    """A budget as people read it, with the number of labels that it is."""
    if table.unit == "total":
        return f"{budget.labels:,.0f}"
    asked = f"{100 * budget.labels:g} %" if table.unit == "fraction" else f"{budget.labels:,.0f} a class"
    counts = {run.result.labels.count for model in SYSTEMS for run in of_row(runs, table, model, budget)}
    return f"{asked} ({', '.join(f'{count:,}' for count in sorted(counts))})" if counts else asked


def _unlabelled(ours: list[Run], budget: Budget) -> str:
    if ours:
        return f"{ours[0].result.labels.unlabelled:,}" if ours[0].has_pool else "none"
    return f"{budget.unlabelled:,}" if budget.unlabelled else "all"


def _others(runs: list[Run], table: PaperTable) -> str:
    """Systems that the paper's table lacks, on its rows: a column a system that has run in any."""
    cells: dict[str, dict[Budget, str]] = {}
    for model in SYSTEMS:
        for budget in table.budgets:
            ours = of_row(runs, table, model, budget)
            if ours and model not in table.rows:
                scores = (per_cent([run.measure(name) for run in ours]) for name in ("accuracy", "f1"))
                cells.setdefault(model, {})[budget] = " / ".join(scores)
    lines = []
    for budget in table.budgets:
        if any(budget in of_system for of_system in cells.values()):
            pool = f" + {budget.unlabelled:,}" if budget.unlabelled else ""
            lines.append(
                [
                    _labelled(runs, table, budget) + pool,
                    *(of_system.get(budget, NOT_RUN) for of_system in cells.values()),
                ]
            )
    return markdown.table(["Labelled + unlabelled", *map(title, cells)], lines)


def _missing(runs: list[Run], table: PaperTable, representation: str) -> list[str]:
    """The paper's own cells that have no run, and how many rows each system has that we set beside its own."""
    place, lines, counts = f"- table {table.number}, `{representation}`", [], []
    for model, rows in table.rows.items():
        missing = [budget for budget in rows if not of_row(runs, table, model, budget)]
        if missing:
            budgets = ", ".join(
                _labelled(runs, table, budget) + (f" + {budget.unlabelled:,}" if budget.unlabelled else "")
                for budget in missing
            )
            lines.append(f"{place}, {title(model)}: {budgets}")
    for model in BESIDE:
        done = sum(bool(of_row(runs, table, model, budget)) for budget in table.budgets)
        if model not in table.rows and done < len(table.budgets):
            counts.append(f"{title(model)} {done}")
    if counts:
        by_class = " (of each class)" if table.unit == "per_class_at_most" else ""
        lines.append(f"{place}{by_class}, of {len(table.budgets)} rows have {', '.join(counts)}.")
    return lines


def _not_run(runs: list[Run], missing: list[str]) -> str:
    lines = missing or ["Every cell of the paper's tables was run, and each of the other systems in every row."]
    others = [run for run in runs if not fits(run)]
    if others:
        names = sorted({f"{title(run.model)} on {run.cell.data}" for run in others})
        lines = [*lines, "", f"{len(others)} of {len(runs)} runs fit none of the paper's rows: {', '.join(names)}."]
    return "\n".join(lines)


def _superseded(rows: list[Row]) -> list[str]:
    versions = sorted({row.result.data.recipe for row in rows} - {recipe.VERSION})
    text = SUPERSEDED.format(versions=" and ".join(map(str, versions)), current=recipe.VERSION)
    return [text] if versions else []


def _circumstances(runs: list[Run]) -> str:
    """The data sets, the machines, and the settings that all networks share."""
    results = [run.result for run in runs]
    of_data = []
    for data in {result.data.fingerprint: result.data for result in results}.values():
        name = f"{DATA_NAMES.get(data.source_kind, data.source_kind)}, {data.representation}"
        sizes = ", ".join(f"{part} {size:,}" for part, size in data.sizes.items() if size)
        of_data.append([name, split_text(data.split), sizes, f"`{data.fingerprint[:16]}`"])
    machines = {f"{known.cores} cores ({known.processor})" for known in (result.environment for result in results)}
    packages = {f"{name} {version}" for result in results for name, version in result.environment.packages.items()}
    commits = {result.environment.short_commit for result in results}
    minutes = {name: [run.result.seconds / 60 for run in runs if run.model == name] for name in SYSTEMS}
    durations = ", ".join(f"{title(name)} {np.median(times):.1f}" for name, times in minutes.items() if times)
    seeds = ", ".join(map(str, sorted({run.cell.seed for run in runs})))
    lines = [
        markdown.table(["Data", "Split", "Sessions", "Fingerprint"], of_data),
        "",
        f"{len(runs)} runs, seeds {seeds}. Minutes a run (median): {durations}.",
        f"Machine: {_listed(machines)}; {_listed(packages)}; commits {_listed(commits)}.",
        *_settings_of_networks(runs),
    ]
    return "\n".join(lines)


def _settings_of_networks(runs: list[Run]) -> list[str]:
    settings: dict[str, dict[str, None]] = {}
    for run in runs:
        if run.model not in OF_THE_PAPERS_KIND:
            continue
        for name, value in shared_settings(run).items():
            settings.setdefault(name, {})[f"{value:g}" if isinstance(value, float) else str(value)] = None
    steps = [run.steps for run in runs if run.model == CLGAN]
    if not steps:
        return []
    shared = ", ".join(f"--{name}={' or '.join(values)}" for name, values in settings.items())
    return [
        f"Settings of the networks but CLGAN+: {shared}. Steps of CLGAN's phase 1: {min(steps):,} to {max(steps):,}."
    ]


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(sorted(texts))
