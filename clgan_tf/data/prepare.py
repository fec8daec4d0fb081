"""From a source to a prepared data set: read, apply the recipe, write."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from clgan_tf.capture import REPRESENTATIONS
from clgan_tf.common.errors import ConfigError
from clgan_tf.data import csv_file, published, recipe, sources
from clgan_tf.data.dataset import Dataset, write
from clgan_tf.data.description import CaptureReport, CaptureRow, DataFacts, Split, SplitRule
from clgan_tf.data.examples import UNLABELLED, UNLABELLED_NAME, Examples
from clgan_tf.data.label_file import SessionLabels
from clgan_tf.data.own_captures import own_captures
from clgan_tf.data.recipe import Fate, Member, Plan
from clgan_tf.data.sources import Sources
from clgan_tf.settings import PUBLISHED, PrepareSettings

Counts = Mapping[tuple[Fate, str, int], int]  # sessions by what became of them, capture and label


def prepare(settings: PrepareSettings, warn: Callable[[str], None] = lambda _: None) -> Dataset:
    """Makes the data set that the settings describe.

    warn: is called with a sentence about labels that are of no session.

    Raises:
      ConfigError: the target exists and overwrite is off.
      CaptureError, DataError: the source cannot be used.
    """
    replaces = settings.overwrite and not settings.resume
    if settings.dataset.exists() and not replaces:
        raise ConfigError(f"{settings.dataset} exists; choose another --dataset, or pass --overwrite to replace it.")
    source, labels = _sources(settings)
    examples, is_test, reports = sources.read(
        source.sources,
        settings.representation,
        settings.unit,
        settings.rules,
        settings.strict,
        labels.of if labels else None,
    )
    if labels and (unused := labels.unused()):
        warn(unused)
    plan = Plan(
        settings.split_seed,
        settings.test_fraction,
        settings.validation_fraction,
        has_published_test=source.has_published_test,
        capture_splits=source.capture_splits,
    )
    fates = fates_of(examples, is_test)
    splits = split(examples, is_test, fates, plan)
    counts = Counter(zip(fates, examples.captures.tolist(), examples.labels.tolist(), strict=True))
    return write(
        settings.dataset,
        splits,
        replaces,
        source=str(settings.source),
        captures=capture_rows(reports, counts, source.class_names),
        source_kind=settings.source_kind,
        class_names=source.class_names,
        representation=settings.representation,
        representation_version=REPRESENTATIONS[settings.representation].version,
        unit=settings.unit,
        rules=settings.rules,
        split=split_facts(plan, source.not_served),
        capture_labels=csv_file.fingerprint(settings.capture_labels),
        session_labels=labels.fingerprint if labels else "",
    )


def _sources(settings: PrepareSettings) -> tuple[Sources, SessionLabels | None]:
    if settings.source_kind in PUBLISHED:
        return published.sources_below(settings.source, settings.source_kind, settings.representation), None
    own, labels = own_captures(settings.source, settings.capture_labels, settings.session_labels)
    if settings.split_by == "capture":
        own = sources.split_by_capture(own, settings.test_fraction, settings.validation_fraction, settings.split_seed)
    return own, labels


def fates_of(examples: Examples, is_published_test: np.ndarray | None = None) -> list[Fate]:
    """What becomes of each example by the recipe's rules. is_published_test: bool [n]; none is, if it is not given."""
    members = _members(examples, is_published_test)
    fates = [Fate.KEPT] * len(members)
    for group in _groups(recipe.group_of(member.session) for member in members):
        for index, fate in zip(group, recipe.fates_of_a_session([members[index] for index in group]), strict=True):
            fates[index] = fate
    for group in _groups(value.tobytes() for value in examples.image_hashes()):
        ours = recipe.fates_of_an_image([members[index] for index in group], [fates[index] for index in group])
        for index, fate in zip(group, ours, strict=True):
            fates[index] = fate
    return fates


def split(
    examples: Examples, is_published_test: np.ndarray | None, fates: list[Fate], plan: Plan
) -> dict[str, Examples]:
    """The splits, each of recipe.SPLITS, of the examples that are kept."""
    members = _members(examples, is_published_test)
    kept = [index for index, fate in enumerate(fates) if fate is Fate.KEPT]
    groups: dict[int, list[str]] = defaultdict(list)
    for index in kept:
        if recipe.is_to_be_split(members[index]):
            groups[members[index].label].append(recipe.group_of(members[index].session))
    cuts = {label: recipe.cuts(names, plan) for label, names in groups.items()}
    chosen: dict[str, list[int]] = {name: [] for name in recipe.SPLITS}
    for index in kept:
        if name := recipe.split_of(members[index], plan, cuts):
            chosen[name].append(index)
    return {name: examples[np.array(places, np.int64)] for name, places in chosen.items()}


def _members(examples: Examples, is_published_test: np.ndarray | None) -> list[Member]:
    is_test = np.zeros(len(examples), bool) if is_published_test is None else is_published_test
    columns = (examples.labels, examples.sessions, examples.captures, is_test)
    return [Member(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _groups(keys: Iterable[Any]) -> Iterable[list[int]]:
    """The places of equal keys, where there are several: alone, nothing can happen to a session."""
    places: dict[Any, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        places[key].append(index)
    return (group for group in places.values() if len(group) > 1)


def split_facts(plan: Plan, not_served: list[str]) -> Split:
    """What a plan says of the splits that it makes."""
    rule = SplitRule.CAPTURE if plan.capture_splits else SplitRule.SESSION
    return Split(
        SplitRule.PUBLISHED_TEST if plan.has_published_test else rule,
        plan.seed,
        plan.test_fraction,
        plan.validation_fraction,
        plan.cap_per_class,
        not_served,
    )


def capture_rows(reports: Iterable[CaptureReport], counts: Counts, class_names: list[str]) -> list[CaptureRow]:
    """What became of each capture's sessions, by capture and class."""
    labels = defaultdict(set)
    for _, name, label in counts:
        labels[name].add(label)
    rows = []
    for report in sorted(reports, key=lambda report: report.capture):
        for label in sorted(labels[report.capture]) or [report.label]:
            kept, duplicates, conflicts = (
                counts.get((fate, report.capture, label), 0) for fate in (Fate.KEPT, Fate.DUPLICATE, Fate.CONFLICT)
            )
            rows.append(
                CaptureRow(
                    report.capture,
                    class_names[label] if label != UNLABELLED else UNLABELLED_NAME,
                    report.packets,
                    report.drops,
                    kept + duplicates + conflicts,
                    duplicates,
                    conflicts,
                    kept,
                    report.warnings,
                    report.is_damaged,
                )
            )
    return rows


def differing_flag(facts: DataFacts, settings: PrepareSettings) -> tuple[str, Any, Any] | None:
    """The first flag by which a data set was prepared otherwise: its name, the value found, the one wanted."""
    split_by = "capture" if facts.split.rule is SplitRule.CAPTURE else "session"
    compared = (
        *((name, getattr(facts, name), getattr(settings, name)) for name in ("source_kind", "representation", "unit")),
        *((name, value, getattr(settings.rules, name)) for name, value in asdict(facts.rules).items()),
        *(
            (name, getattr(facts, name), csv_file.fingerprint(getattr(settings, name)))
            for name in ("capture_labels", "session_labels")
        ),
        ("split_seed", facts.split.seed, settings.split_seed),
        ("split_by", split_by, settings.split_by),
        ("test_fraction", facts.split.test_fraction, settings.test_fraction),
        ("validation_fraction", facts.split.validation_fraction, settings.validation_fraction),
    )
    return next((flag for flag in compared if flag[1] != flag[2]), None)
