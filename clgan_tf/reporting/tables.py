"""Tables for people: systems beside each other, one run's or the mean and spread of several."""

from typing import Any

import numpy as np

COLUMNS = {"accuracy": "Accuracy", "precision": "Precision", "recall": "Recall", "f1": "F1 (macro)"}
TITLES = {
    "clgan": "CLGAN",
    "clgan_cross_attention": "CLGAN, section 2.1",
    "dcgan": "DCGAN",
    "bytesgan": "ByteSGAN",
    "autoencoder": "Autoencoder",
    "cnn_lstm": "CNN-LSTM",
    "supervised": "same discriminator, labels alone",
    "random_forest": "RandomForest, same labels",
    "extra_trees": "ExtraTrees, same labels",
    "nearest_neighbour": "1-nearest neighbour, same labels",
}


def title(system: str) -> str:
    """A system's name as people read it."""
    return TITLES.get(system, system)


def systems_table(metrics: list[dict[str, Any]]) -> str:
    """A Markdown table with one row a system; figures in per cent, mean +- standard deviation over several runs."""
    systems = list(dict.fromkeys(system for run in metrics for system in run["systems"]))
    lines = [f"| System | {' | '.join(COLUMNS.values())} | F1 (weighted) | runs |", "|---|" + "---|" * 6]
    for system in systems:
        scores = [run["systems"][system] for run in metrics if system in run["systems"]]
        cells = [per_cent([score[name] for score in scores]) for name in COLUMNS]
        cells.append(per_cent([score["weighted"]["f1"] for score in scores]))
        lines.append(f"| {title(system)} | {' | '.join(cells)} | {len(scores)} |")
    return "\n".join(lines)


def classes_table(scores: dict[str, Any]) -> str:
    """A Markdown table with one row a class."""
    lines = ["| Class | Precision | Recall | F1 | test sessions |", "|---|---|---|---|---|"]
    for name, row in scores["per_class"].items():
        cells = " | ".join(f"{100 * row[column]:.1f}" for column in ("precision", "recall", "f1"))
        lines.append(f"| {name} | {cells} | {row['sessions']:,} |")
    return "\n".join(lines)


def circumstances(metrics: dict[str, Any]) -> str:
    """One line with everything a figure must be read with."""
    labels, data = metrics["labels"], metrics["data"]
    sizes = ", ".join(f"{name} {size:,}" for name, size in data["sizes"].items())
    return (
        f"{data['source_kind']}, {data['representation']} v{data['representation_version']}, {data['unit']}s; "
        f"{labels['count']:,} labelled (--labels={labels['budget']:g} {labels['unit']}), "
        f"{labels['unlabelled']:,} unlabelled, {labels['validation']:,} for validation; "
        f"split: {data['split']['rule']}, seed {data['split']['seed']} ({sizes}); "
        f"data fingerprint {data['fingerprint'][:16]}."
    )


def per_cent(values: list[float]) -> str:
    """A share in per cent; of several, mean ± standard deviation."""
    if len(values) == 1:
        return f"{100 * values[0]:.1f}"
    return f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}"
