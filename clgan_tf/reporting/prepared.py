"""What became of the sessions of a prepared data set, as a text table for the terminal."""

from collections import Counter
from collections.abc import Collection

from clgan_tf.data.dataset import Dataset
from clgan_tf.data.description import SplitRule
from clgan_tf.data.recipe import LEAST_CAPTURES

COLUMNS = ("packets", "dropped", "sessions", "duplicates", "conflicts", "kept")
DOMINANT = 0.5  # share of a class from where one capture decides what is learned of it


def prepared_table(dataset: Dataset) -> str:
    """Per capture and class what was read, dropped, removed and kept; the splits; what was left out; warnings."""
    cells = [["capture", "class", *COLUMNS, "drop reasons"]]
    totals: Counter[str] = Counter()
    seen: set[str] = set()
    for row in dataset.captures:
        values = {name: getattr(row, name) for name in COLUMNS if name != "dropped"}
        values["dropped"] = sum(row.drops.values())
        is_more = row.capture in seen  # A capture of several classes has a row for each; its packets count once.
        seen.add(row.capture)
        totals.update({name: value for name, value in values.items() if not (is_more and name in COLUMNS[:2])})
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(row.drops.items()))
        # Published images do not say how many packets they came from.
        shown = ["-" if name in COLUMNS[:2] and not row.packets else f"{values[name]:,}" for name in COLUMNS]
        cells.append([row.capture, row.class_name, *shown, reasons])
    cells.append(["total", "", *(f"{totals[name]:,}" for name in COLUMNS), ""])
    lines = _aligned(cells, left=(0, 1, len(cells[0]) - 1))
    facts = dataset.facts
    sizes = ", ".join(f"{name} {size:,}" for name, size in facts.sizes.items())
    lines += [
        "",
        f"Splits: {sizes}; shared between them: {facts.shared_images} images, {facts.shared_sessions} sessions.",
        f"Data fingerprint {facts.fingerprint[:16]}; written to {dataset.directory}.",
    ]
    if facts.split.not_served:
        lines.append(
            f"Left out, with fewer than the {LEAST_CAPTURES} captures that a split by capture needs: "
            f"{', '.join(facts.split.not_served)}."
        )
    warnings = dict.fromkeys(warning for row in dataset.captures for warning in row.warnings)
    return "\n".join([*lines, *(f"Warning: {warning}" for warning in warnings)])


def captures_table(dataset: Dataset) -> str:
    """How many captures each class has, the share of the largest, and what a split by capture would give.

    Empty where the sources are published images, which do not say what capture they are of.
    """
    rows, warning = captures_of_classes(dataset)
    if not rows:
        return ""
    lines = _aligned([["class", "sessions", "captures", "of the largest"], *rows], left=(0,))
    return "\n".join([*lines, f"Warning: {warning}"] if warning else lines)


def captures_of_classes(dataset: Dataset) -> tuple[list[list[str]], str]:
    """For each class its name, sessions, captures and the share of the largest one; and a warning, or an empty text."""
    kept: dict[str, list[int]] = {}
    for row in dataset.captures:
        if row.packets and row.class_name in dataset.facts.class_names:
            kept.setdefault(row.class_name, []).append(row.kept)
    shares = {name: max(counts) / max(1, sum(counts)) for name, counts in kept.items()}
    rows = [[name, f"{sum(of):,}", f"{len(of):,}", f"{shares[name]:.0%}"] for name, of in kept.items()]
    dominated = [name for name, share in shares.items() if share > DOMINANT]
    if not dominated or dataset.facts.split.rule is not SplitRule.SESSION:
        return rows, ""
    warning = (
        f"one capture has more than half of {', '.join(dominated)}: its sessions are in training and in test, so that "
        f"scores say little about other captures.{_by_capture(dataset, kept)}"
    )
    return rows, warning


def _by_capture(dataset: Dataset, kept: dict[str, list[int]]) -> str:
    """What the other way to split would give; labels of single sessions know no other."""
    if dataset.facts.session_labels:
        return ""
    left_out = [name for name, of in kept.items() if len(of) < LEAST_CAPTURES]
    if len(kept) - len(left_out) < 2:
        return f" --split_by=capture needs {LEAST_CAPTURES} captures of two classes at least."
    without = f", without {', '.join(left_out)} (fewer than {LEAST_CAPTURES} captures)" if left_out else ""
    return f" --split_by=capture scores on captures that training never saw{without}."


def _aligned(cells: list[list[str]], left: Collection[int]) -> list[str]:
    """Lines of a table; left: columns of texts, all others are numbers."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(
            value.ljust(width) if column in left else value.rjust(width)
            for column, (value, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
