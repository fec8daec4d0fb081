"""What became of the sessions of a prepared data set, as a text table for the terminal."""

from collections import Counter

from clgan_tf.data.dataset import Dataset
from clgan_tf.data.recipe import LEAST_CAPTURES

COLUMNS = ("packets", "dropped", "sessions", "duplicates", "conflicts", "kept")


def prepared_table(dataset: Dataset) -> str:
    """Per capture and class what was read, dropped, removed and kept; the splits; what was left out; warnings."""
    cells = [["capture", "class", *COLUMNS, "drop reasons"]]
    totals: Counter[str] = Counter()
    for row in dataset.captures:
        values = {name: getattr(row, name) for name in COLUMNS if name != "dropped"}
        values["dropped"] = sum(row.drops.values())
        totals.update(values)
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(row.drops.items()))
        # Published images do not say how many packets they came from.
        shown = ["-" if name in COLUMNS[:2] and not row.packets else f"{values[name]:,}" for name in COLUMNS]
        cells.append([row.capture, row.class_name, *shown, reasons])
    cells.append(["total", "", *(f"{totals[name]:,}" for name in COLUMNS), ""])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = []
    for line in cells:
        text = [
            value.ljust(width) if column < 2 or column == len(widths) - 1 else value.rjust(width)
            for column, (value, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(text).rstrip())
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
