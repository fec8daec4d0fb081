"""The paper's tables and figures from sweeps' results, with what the paper lacks: spread, trees, circumstances."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from clgan_tf.config import ON_BYTES, PUBLISHED
from clgan_tf.errors import DataError
from clgan_tf.files import written_aside
from clgan_tf.reporting import figures, web_page
from clgan_tf.reporting.tables import COLUMNS, per_cent, title

Row = dict[str, Any]  # a line of a sweep's results.jsonl

SEMI_SUPERVISED = ("clgan", "dcgan", "bytesgan", "autoencoder")
SYSTEMS = (*SEMI_SUPERVISED, "cnn_lstm", *ON_BYTES)
SUPERVISED = ("clgan", "cnn_lstm", *ON_BYTES)
ISCX, USTC = PUBLISHED
NAMES = {ISCX: "ISCX VPN-nonVPN 2016", USTC: "USTC-TFC2016"}
REPRESENTATIONS = ("all_layers", "l7", "masked")
POOL = 8000  # unlabelled sessions in the paper's tables 3 to 5
HEADLINE = 1000  # labelled sessions of the paper's pictures
AGAINST_SUPERVISED = f"labelled sessions, {POOL:,} unlabelled: CLGAN and supervised learning"
NOT_SERVED = (
    "USTC-TFC2016's published tenth cannot serve the paper's 4,000 labels a class: that row is not filled in. "
    f"Where the labels leave fewer than {POOL:,} sessions, all that are left are the pool."
)
PICTURED = ("clgan", "dcgan")  # the paper's figures 5 and 6

INTRODUCTION = """\
Made by `python -m clgan_tf.main --mode=report --results=...` from the results of `--mode=sweep`. Per cent, on the
test split, which every run reads once; mean ± standard deviation over the seeds that the last column names; averages
over classes are unweighted. The best of a group is bold. With one seed all systems of a group have the same labelled
sessions, and the GANs and the autoencoder the same unlabelled ones; a mean over three seeds beside a single seed is no
like comparison. CNN-LSTM, the trees and the nearest neighbour use no unlabelled sessions, which is why a group with
fewer of them does not repeat those systems.

The paper's own tables were not at hand when this was made: of its figures only those of its abstract stand here. In
`all_layers` the capture's time stamp alone tells the classes (README.md, "What the scores may rest on"): its figures
are here to compare with the paper's layout and say little about traffic. `l7` is the de-duplicated payload alone."""

AHEAD = """\
Accuracy of CLGAN less that of another system with the same labels and, where that uses one, the same unlabelled pool,
in points: the mean over the seeds that both have, then over cells; and the cell in which CLGAN is furthest behind or
least ahead. Most cells have one seed: a single difference below about two points is no evidence."""


@dataclass(frozen=True)
class Table:
    """One of the paper's tables: which rows belong to it, and which systems it compares."""

    number: int
    subject: str
    source_kind: str
    systems: tuple[str, ...]
    holds: Callable[[Row], bool]
    note: str = ""


def _by_share(row: Row) -> bool:
    return row["labels"]["unit"] == "fraction"


def _at_headline(row: Row) -> bool:
    return row["labels"]["unit"] == "total" and row["cell"]["labels"] == HEADLINE


def _with_pool(row: Row) -> bool:
    return not _by_share(row) and row["cell"]["unlabelled"] == POOL


TABLES = (
    Table(1, "share of labelled sessions, the rest unlabelled", ISCX, SYSTEMS, _by_share),
    Table(2, f"unlabelled sessions, {HEADLINE:,} labelled", ISCX, SYSTEMS, _at_headline),
    Table(
        number=3,
        subject=f"labelled sessions, {POOL:,} unlabelled: semi-supervised systems",
        source_kind=USTC,
        systems=(*SEMI_SUPERVISED, *ON_BYTES),
        holds=_with_pool,
        note=NOT_SERVED,
    ),
    Table(4, AGAINST_SUPERVISED, ISCX, SUPERVISED, _with_pool),
    Table(5, AGAINST_SUPERVISED, USTC, SUPERVISED, _with_pool, NOT_SERVED),
)


def page(rows: list[Row], pictures: dict[str, str] | None = None) -> str:
    """The report as Markdown; `pictures`: captions by file name, shown at its end.

    Raises:
      DataError: two rows are of one cell, or rows that would stand beside each other are of other data or settings.
    """
    _check(rows)
    sections = ["# CLGAN beside what it is compared with", INTRODUCTION, _circumstances(rows)]
    for table in TABLES:
        for representation in REPRESENTATIONS:
            chosen = [row for row in rows if _is_in(row, table) and row["data"]["representation"] == representation]
            if body := _table(chosen, table.systems):
                heading = f"## Table {table.number}. {NAMES[table.source_kind]}, {representation}: {table.subject}"
                sections += [heading, *([table.note] if table.note else []), body]
    left_out = [row for row in rows if not any(_is_in(row, table) for table in TABLES)]
    if left_out:
        names = ", ".join(sorted({f"{_short(row['cell']['model'])} on {row['cell']['data']}" for row in left_out}))
        sections.append(f"{len(left_out)} of {len(rows)} runs fit none of the paper's tables: {names}.")
    sections += ["## What the paper's abstract claims", _claims(rows)]
    if ahead := _ahead(rows):
        sections += ["## In how many cells CLGAN is ahead", AHEAD, ahead]
    sections = [section.replace("[", "\\[") for section in sections]  # Nothing in a row becomes a link or a picture.
    if pictures:
        sections.append("## Pictures")
        sections += [f"{caption}\n\n![{caption}]({quote(name)})" for name, caption in pictures.items()]
    return "\n\n".join(sections) + "\n"


def write(rows: list[Row], output: str) -> list[Path]:
    """Writes the page as FILE.md, its pictures beside it, and FILE.html, which holds them; returns what was written."""
    target = Path(output)
    drawn = _pictures(rows, target.stem)
    text = page(rows, {name: caption for name, (_, caption) in drawn.items()})
    for name, (figure, _) in drawn.items():
        figures.save(figure, target.with_name(name))
    with written_aside(target) as aside:
        aside.write_text(text, encoding="utf-8")
    whole = target.with_suffix(".html")
    with written_aside(whole) as aside:
        pngs = {quote(name): target.with_name(name).read_bytes() for name in drawn}
        aside.write_text(web_page.self_contained(text, pngs), encoding="utf-8")
    return [target, whole, *(target.with_name(name) for name in drawn)]


def _check(rows: list[Row]) -> None:
    """Raises DataError where unlike rows would be averaged or set beside each other."""
    cells: set[tuple[Any, ...]] = set()
    fingerprints: dict[tuple[str, str], str] = {}
    settings: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        data, cell, unit = row["data"], row["cell"], row["labels"]["unit"]
        what = data["source_kind"], data["representation"]
        group = (*what, unit, cell["labels"], cell["unlabelled"])
        run = (*group, cell["model"], cell["seed"])
        name = f"{cell['model']} on {cell['data']}, {cell['labels']:g} labels {unit}, seed {cell['seed']}"
        if run in cells:
            raise DataError(f"--results: {name} is there twice; give each sweep's results once.")
        cells.add(run)
        if fingerprints.setdefault(what, data["fingerprint"]) != data["fingerprint"]:
            raise DataError(f"--results: {name} is of other data than the rows before it; report on one at a time.")
        kept = {key: value for key, value in row["settings"].items() if key not in ("dataset", "model", "baselines")}
        if cell["model"] not in ON_BYTES and settings.setdefault(group, kept) != kept:  # The others know none of them.
            raise DataError(f"--results: {name} has other settings than its group; report on one sweep at a time.")


def _is_in(row: Row, table: Table) -> bool:
    return (
        row["data"]["source_kind"] == table.source_kind
        and row["data"]["representation"] in REPRESENTATIONS
        and row["cell"]["model"] in table.systems
        and table.holds(row)
    )


def _by_data(rows: list[Row]) -> Iterator[tuple[str, str, list[Row]]]:
    """Source, representation and rows of every data set that has any, in the report's order."""
    for source_kind in NAMES:
        for representation in REPRESENTATIONS:
            data = source_kind, representation
            if found := [row for row in rows if (row["data"]["source_kind"], row["data"]["representation"]) == data]:
                yield source_kind, representation, found


def _labelled(row: Row) -> str:
    """A label budget as the tables write it: in all, unless its unit says otherwise."""
    budget, known = row["cell"]["labels"], row["labels"]
    prefix = {"fraction": f"{100 * budget:g}%: ", "per_class": f"{budget:,} a class: "}.get(known["unit"], "")
    return f"{prefix}{known['count']:,}"


def _scores(row: Row) -> dict[str, Any]:
    return row["systems"][row["cell"]["model"]]


def _short(system: str) -> str:
    return title(system).removesuffix(", same labels")


def _table(rows: list[Row], systems: tuple[str, ...]) -> str:
    """Groups of equal budget; in each a row for every system that has run."""
    lines = []
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["labels"]["count"], row["cell"]["unlabelled"])):
        groups.setdefault((_labelled(row), row["cell"]["unlabelled"]), []).append(row)
    for (labelled, _), group in groups.items():
        by_system = {name: [row for row in group if row["cell"]["model"] == name] for name in systems}
        by_system = {name: found for name, found in by_system.items() if found}
        texts = {
            name: [per_cent([_scores(row)[column] for row in found]) for column in COLUMNS]
            for name, found in by_system.items()
        }
        best = [max(float(text.split()[0]) for text in column) for column in zip(*texts.values(), strict=True)]
        for name, found in by_system.items():
            known = found[0]["labels"]
            pool = steps = "none"
            if name in SEMI_SUPERVISED:
                epochs, batch = (found[0]["settings"][key] for key in ("pretraining_epochs", "batch_size"))
                pool, steps = f"{known['unlabelled']:,}", f"{epochs * max(1, known['unlabelled'] // batch):,}"
            cells = [
                f"**{text}**" if float(text.split()[0]) == top else text
                for text, top in zip(texts[name], best, strict=True)
            ]
            seeds = ", ".join(str(seed) for seed in sorted(row["cell"]["seed"] for row in found))
            lines.append(f"| {labelled} | {pool} | {steps} | {_short(name)} | {' | '.join(cells)} | {seeds} |")
    if not lines:
        return ""
    head = f"| Labelled | Unlabelled | Steps of phase 1 | System | {' | '.join(COLUMNS.values())} | Seeds |"
    return "\n".join([head, "|---|" + "---|" * (len(COLUMNS) + 4), *lines])


def _claims(rows: list[Row]) -> str:
    """Differences of accuracy between runs of the same seed, where the abstract names one."""
    lines = [
        "| Claim (accuracy) | Paper | Data | Ours: labelled sessions, mean difference, seeds |",
        "|---|---|---|---|",
    ]
    for text, paper, other, budgets in (
        ("CLGAN over CNN-LSTM at 2,000 labelled sessions", "about +3", "cnn_lstm", (2000,)),
        ("CLGAN over DCGAN at every number of labelled sessions", "about +4", "dcgan", None),
    ):
        for source_kind, representation, of_data in _by_data(rows):
            found = {
                (row["cell"]["model"], row["labels"]["count"], _labelled(row), row["cell"]["seed"]): _scores(row)
                for row in of_data
                if _with_pool(row)
            }
            gains: dict[str, list[float]] = {}
            for (model, count, labelled, seed), scores in sorted(found.items(), key=lambda item: item[0]):
                beside = found.get((other, count, labelled, seed))
                if model == "clgan" and beside is not None and (budgets is None or count in budgets):
                    gains.setdefault(labelled, []).append(scores["accuracy"] - beside["accuracy"])
            if gains:
                ours = "; ".join(
                    f"{labelled}: {100 * np.mean(gain):+.1f} ({len(gain)})" for labelled, gain in gains.items()
                )
                lines.append(f"| {text} | {paper} | {NAMES[source_kind]}, {representation} | {ours} |")
    return "\n".join(lines)


def _ahead(rows: list[Row]) -> str:
    """CLGAN beside every other system over all cells of a data set that both have; empty where there are none."""
    lines = []
    for source_kind, representation, of_data in _by_data(rows):
        found: dict[tuple[str, str, int], dict[int, float]] = {}
        for row in of_data:
            model = row["cell"]["model"]
            pool = row["cell"]["unlabelled"] if model in SEMI_SUPERVISED else 0
            found.setdefault((model, _labelled(row), pool), {})[row["cell"]["seed"]] = _scores(row)["accuracy"]
        for other in SYSTEMS[1:]:
            gains: dict[str, float] = {}
            for (model, labelled, pool), ours in found.items():
                theirs = found.get((other, labelled, pool if other in SEMI_SUPERVISED else 0), {})
                shared = ours.keys() & theirs.keys()
                if model == "clgan" and shared:
                    cell = f"{labelled} / {f'{pool:,}' if pool else 'all'}"
                    gains[cell] = 100 * float(np.mean([ours[seed] - theirs[seed] for seed in shared]))
            if gains:
                least = min(gains, key=lambda cell: gains[cell])
                ahead = sum(gain > 0 for gain in gains.values())
                lines.append(
                    f"| {NAMES[source_kind]}, {representation} | {_short(other)} | {ahead} of {len(gains)} | "
                    f"{np.mean(list(gains.values())):+.1f} | {gains[least]:+.1f} at {least} |"
                )
    head = (
        "| Data | Beside | CLGAN ahead in | Mean difference | Least, at labelled / unlabelled |\n|---|---|---|---|---|"
    )
    return "\n".join([head, *lines]) if lines else ""


def _circumstances(rows: list[Row]) -> str:
    """One line for each data set, and one for the machine and the settings that all rows share."""
    lines = ["| Data | Split | Test sessions | Fingerprint |", "|---|---|---|---|"]
    for data in {row["data"]["fingerprint"]: row["data"] for row in rows}.values():
        split = f"{data['split']['rule']}, seed {data['split']['seed']}"
        name = f"{NAMES.get(data['source_kind'], data['source_kind'])}, {data['representation']}"
        lines.append(f"| {name} | {split} | {data['sizes']['test']:,} | `{data['fingerprint'][:16]}` |")
    made = {
        f"{row['environment'].get('date') or 'unknown day'}, commit {row['environment'].get('commit') or 'unknown'}"
        for row in rows
    }
    machines = {
        f"cores: {row['environment']['cores']} ({row['environment']['processor']}), {row['environment']['system']}, "
        + ", ".join(f"{name} {version}" for name, version in row["environment"]["packages"].items())
        for row in rows
    }
    in_tables = ("dataset", "model", "labels", "labels_unit", "unlabelled", "baselines")
    settings: dict[str, dict[str, None]] = {}
    for row in rows:
        for name, value in row["settings"].items():
            if name not in in_tables and row["cell"]["model"] not in ON_BYTES:
                settings.setdefault(name, {})[str(value)] = None
    minutes = {
        name: np.median(found) / 60
        for name in SYSTEMS
        if (found := [row["seconds"] for row in rows if row["cell"]["model"] == name])
    }
    durations = ", ".join(f"{_short(name)} {value:.1f}" for name, value in minutes.items())
    lines += [
        "",
        f"{len(rows)} runs. Minutes a run (median): {durations}.",
        f"Machine: {'; '.join(sorted(machines))}. Made: {'; '.join(sorted(made))}.",
    ]
    shared = ", ".join(f"--{name}={' or '.join(values)}" for name, values in settings.items())
    lines.append(f"Settings of the networks: {shared}; validation: never more sessions than labelled ones.")
    return "\n".join(lines)


def _pictures(rows: list[Row], stem: str) -> dict[str, tuple[figures.Figure, str]]:
    """Figures and captions by file name."""
    drawn: dict[str, tuple[figures.Figure, str]] = {}
    for source_kind, representation, found in _by_data(rows):
        data = f"{NAMES[source_kind]}, {representation}"
        prefix = f"{stem}-{source_kind.split('_')[0]}-{representation}"
        curves = _by_labels(found)
        if max((len(points) for points in curves.values()), default=0) > 1:
            drawn[f"{prefix}-labels.png"] = (
                figures.labels_figure(curves, [_short(system) for system in ON_BYTES], data),
                f"Accuracy against labelled sessions, {data}; bands: one standard deviation over seeds.",
            )
        headline = [row for row in found if _at_headline(row) and _with_pool(row)]
        first = {row["cell"]["model"]: row for row in sorted(headline, key=lambda row: -row["cell"]["seed"])}
        at = f"{data}; {HEADLINE:,} labelled, {POOL:,} unlabelled"
        losses = {
            title(model): first[model]["curves"]
            for model in SEMI_SUPERVISED
            if model in first and len(first[model].get("curves", {})) > 1
        }
        if losses:
            drawn[f"{prefix}-losses.png"] = (
                figures.losses_figure(losses),
                f"The paper's figure 4: losses of phase 1, {at}; below them, who wins.",
            )
        for number, model in enumerate(PICTURED, 5):
            if model in first:
                confusion = np.array(_scores(first[model])["confusion"])
                heading = f"{title(model)}, {data}: accuracy {_scores(first[model])['accuracy']:.1%}"
                drawn[f"{prefix}-confusion-{model}.png"] = (
                    figures.confusion_figure(confusion, first[model]["data"]["class_names"], heading),
                    f"The paper's figure {number}: {title(model)}, {at}, seed {first[model]['cell']['seed']}.",
                )
    return drawn


def _by_labels(rows: list[Row]) -> dict[str, dict[float, list[float]]]:
    """System -> labelled sessions -> accuracies of its seeds."""
    curves: dict[str, dict[float, list[float]]] = {_short(system): {} for system in SYSTEMS}
    for system in SYSTEMS:
        for row in sorted(rows, key=lambda row: row["cell"]["labels"]):
            if _with_pool(row) and row["labels"]["unit"] == "total" and row["cell"]["model"] == system:
                curves[_short(system)].setdefault(row["cell"]["labels"], []).append(_scores(row)["accuracy"])
    return curves
