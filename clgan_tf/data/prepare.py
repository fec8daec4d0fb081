"""From a source to a prepared data set: read, de-duplicate, split, write; and the table of what became of it."""

from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from clgan_tf import demo
from clgan_tf.capture import REPRESENTATIONS
from clgan_tf.config import PrepareConfig
from clgan_tf.data import labelled_folder, published
from clgan_tf.data.dataset import Dataset, write
from clgan_tf.data.examples import UNLABELLED, Examples
from clgan_tf.data.labelled_folder import UNLABELLED_FOLDER, CaptureReport
from clgan_tf.data.splits import LEAST_CAPTURES, Deduplicated, deduplicate, split_captures, split_off
from clgan_tf.errors import ConfigError, DataError

RULES = {"session": "hash of session", "capture": "whole captures"}
SPLIT_RULES = {rule: split_by for split_by, rule in RULES.items()}


def differing_flag(facts: dict[str, Any], source: PrepareConfig) -> tuple[str, Any, Any] | None:
    """The first flag by which a data set, of these `Description.facts`, was prepared otherwise: name, found, wanted."""
    split, rules = facts["split"], facts["rules"]
    compared = (
        *((name, facts[name], getattr(source, name)) for name in ("source_kind", "representation", "unit")),
        *((name, rules.get(name), value) for name, value in asdict(source.rules).items()),
        ("split_seed", split["seed"], source.seed),
        ("split_by", SPLIT_RULES.get(split["rule"], source.split_by), source.split_by),
        *((name, split.get(name), getattr(source, name)) for name in ("test_fraction", "validation_fraction")),
    )
    return next((flag for flag in compared if flag[1] != flag[2]), None)


def prepare(config: PrepareConfig) -> Dataset:
    """Makes the data set that `config` describes.

    Raises:
      ConfigError: the target exists and overwrite is off.
      CaptureError, DataError: the source cannot be used.
    """
    if config.dataset.exists() and not config.overwrite:
        raise ConfigError(f"{config.dataset} exists; choose another --dataset, or pass --overwrite to replace it.")
    published_test = None
    if config.source_kind in published.NAMES:
        examples, published_test, class_names = published.read(config.source_kind, config.source, config.representation)
        reports = [
            CaptureReport(name, "", 0, {}, int(count), []) for name, count in sorted(Counter(examples.captures).items())
        ]
    else:
        if config.source_kind == "demo":
            demo.write_corpus(config.source, config.seed, config.overwrite)
        examples, class_names, reports = labelled_folder.read(
            config.source, config.representation, config.unit, config.rules, config.strict
        )
    found = deduplicate(examples, published_test)
    rows = _rows(examples, found, reports, class_names)
    splits, class_names, not_served = _split(
        examples[found.kept], None if published_test is None else published_test[found.kept], class_names, config
    )
    _check_classes(splits, class_names)
    return write(
        config.dataset,
        splits,
        config.overwrite,
        source=str(config.source),
        source_kind=config.source_kind,
        class_names=class_names,
        representation=config.representation,
        representation_version=REPRESENTATIONS[config.representation].version,
        unit=config.unit,
        rules=asdict(config.rules),
        split={
            "rule": "published test part"
            if published_test is not None and published_test.any()
            else RULES[config.split_by],
            "not_served": not_served,
            "seed": config.seed,
            "validation_fraction": config.validation_fraction,
            "test_fraction": config.test_fraction,
        },
        captures=rows,
    )


def _split(
    examples: Examples, published_test: np.ndarray | None, class_names: list[str], config: PrepareConfig
) -> tuple[dict[str, Examples], list[str], list[str]]:
    """The splits; the names of the classes in them; and of those that could not be split by capture."""
    not_served: list[str] = []
    if config.split_by == "capture":
        examples, by_capture, not_served = _by_capture(examples, class_names, config)
        class_names = [name for name in class_names if name not in not_served]
        test, validation = by_capture == "test", by_capture == "validation"
    else:
        if published_test is not None and published_test.any():
            test = published_test
        else:
            test = split_off(examples, config.test_fraction, config.seed, "test")
        rest = np.flatnonzero(~test & (examples.labels != UNLABELLED))
        validation = np.zeros(len(examples), bool)
        validation[rest] = split_off(examples[rest], config.validation_fraction, config.seed, "validation")
    unlabelled = examples.labels == UNLABELLED
    splits = {
        "train": examples[~test & ~validation & ~unlabelled],
        "validation": examples[validation],
        "test": examples[test],
        "unlabelled": examples[unlabelled],
    }
    return splits, class_names, not_served


def _by_capture(
    examples: Examples, class_names: list[str], config: PrepareConfig
) -> tuple[Examples, np.ndarray, list[str]]:
    """Examples of classes that can be split by capture, labelled anew; each one's split, str [n]; the other classes."""
    captures = {
        label: np.unique(examples.captures[examples.labels == label].astype(str)).tolist()
        for label in range(len(class_names))
    }
    splits, left_out = split_captures(captures, config.test_fraction, config.validation_fraction, config.seed)
    kept = examples[~np.isin(examples.labels, left_out)]
    labels = np.full(len(class_names) + 1, UNLABELLED)  # the last one stands for UNLABELLED = -1
    served = np.setdiff1d(np.arange(len(class_names)), left_out)
    labels[served] = np.arange(len(served))
    kept = replace(kept, labels=labels[kept.labels])
    of_row = np.array([splits.get(name, "") for name in kept.captures], dtype=object)
    return kept, of_row, [class_names[label] for label in left_out]


def _check_classes(splits: dict[str, Examples], class_names: list[str]) -> None:
    for split in ("train", "validation", "test"):
        sizes = np.bincount(splits[split].labels, minlength=len(class_names))
        for name, size in zip(class_names, sizes, strict=True):
            if not size:
                raise DataError(
                    f"Class {name} has no session in the {split} split after de-duplication; add captures of it or "
                    "raise that split's fraction."
                )


def _rows(examples: Examples, found: Deduplicated, reports: list[CaptureReport], class_names: list[str]) -> list[dict]:
    """One row a capture, or a capture and class where a published file holds several classes."""
    rows = []
    captures = examples.captures.astype(str)
    for report in reports:
        here = captures == report.capture
        for label in np.unique(examples.labels[here]) if here.any() else [UNLABELLED]:
            chosen = here & (examples.labels == label)
            class_name = report.class_name or (class_names[label] if label >= 0 else UNLABELLED_FOLDER)
            rows.append(
                {
                    **asdict(report),
                    "class_name": class_name,
                    "sessions": int(chosen.sum()),
                    "duplicates": int((found.duplicates & chosen).sum()),
                    "conflicts": int((found.conflicts & chosen).sum()),
                    "kept": int((found.kept & chosen).sum()),
                }
            )
    return rows


def table(dataset: Dataset) -> str:
    """The prepare step's table as text: per capture and class what was read, dropped, removed and kept."""
    rows = dataset.description.captures
    columns = ("packets", "dropped", "sessions", "duplicates", "conflicts", "kept")
    cells = [["capture", "class", *columns, "drop reasons"]]
    totals: Counter[str] = Counter()
    for row in rows:
        values = {**row, "dropped": sum(row["drops"].values())}
        totals.update({name: values[name] for name in columns})
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(row["drops"].items()))
        # Published images do not say how many packets they came from.
        shown = ["-" if name in columns[:2] and not row["packets"] else f"{values[name]:,}" for name in columns]
        cells.append([row["capture"], row["class_name"], *shown, reasons])
    cells.append(["total", "", *(f"{totals[name]:,}" for name in columns), ""])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = []
    for line in cells:
        text = [
            value.ljust(width) if column < 2 or column == len(widths) - 1 else value.rjust(width)
            for column, (value, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(text).rstrip())
    description = dataset.description
    sizes = ", ".join(f"{name} {size:,}" for name, size in description.sizes.items())
    lines += [
        "",
        f"Splits: {sizes}; shared between them: {description.proof['shared_images']} images, "
        f"{description.proof['shared_sessions']} sessions.",
        f"Data fingerprint {description.fingerprint[:16]}; written to {dataset.directory}.",
    ]
    if description.split.get("not_served"):
        lines.append(
            f"Left out, with fewer than the {LEAST_CAPTURES} captures that a split by capture needs: "
            f"{', '.join(description.split['not_served'])}."
        )
    lines += [f"Warning: {warning}" for row in rows for warning in row["warnings"]]
    return "\n".join(lines)
