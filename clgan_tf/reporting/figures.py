"""Pictures: confusion matrices and training curves."""

import csv
from collections.abc import Collection, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import font_manager, pyplot
from matplotlib import image as matplotlib_image
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from clgan_tf.common.files import written_aside
from clgan_tf.evaluation.audit import Finding
from clgan_tf.models import SYSTEMS
from clgan_tf.models import title as title_of
from clgan_tf.runs.log import HELD_OUT, PRETRAINING, Epoch
from clgan_tf.runs.result import Reliability

GAN_LOSSES = ("discriminator_loss", "generator_loss")  # the paper's figure 4
FILLING_LOSSES = ("hidden_byte_loss", "generator_loss", "detection_loss", "session_loss")
AUTOENCODER_LOSSES = ("labelled_loss", "reconstruction_loss")
BELOW = {"loc": "outside lower center", "frameon": False, "fontsize": 8}  # a legend there never covers data
PROBABILITIES = {
    "probability_real": "p(real), unlabelled sessions",
    "probability_real_generated": "p(real), generated sessions",
    "probability_real_filled": "p(real), filled sessions",
    "detection_accuracy": "bytes told from filled ones",
}
LIGHT, DARK = "white", "#222222"
SHORTCUT_COLOUR, CONTENT_COLOUR = "#c0392b", "#4a7fb5"


def confusion_figure(confusion: np.ndarray, class_names: list[str], title: str) -> Figure:
    """Rows: true class; columns: predicted; numbers and colour: share of the row; below it, sessions."""
    size = 2.5 + 0.45 * len(class_names)
    figure, axes = pyplot.subplots(figsize=(size + 0.9, size), layout="constrained")
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(class_names))
    # A class name is a folder's name, never a formula.
    shown, font = _legible(class_names)
    axes.set_xticks(ticks, shown, rotation=45, ha="right", rotation_mode="anchor", parse_math=False, fontfamily=font)
    axes.set_yticks(ticks, shown, parse_math=False, fontfamily=font)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    for row in ticks:
        for column in ticks:
            if confusion[row, column]:
                colour = LIGHT if shares[row, column] > 0.5 else DARK
                text = f"{shares[row, column]:.0%}\n{confusion[row, column]}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=6.5, linespacing=0.95)
    figure.colorbar(picture, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def _legible(names: Sequence[str]) -> tuple[list[str], str]:
    """The names and an installed font that has all of their characters; without one, numbers in their places.

    The numbers are the classes' labels; the names stand in the tables and CSV files beside the picture.
    """
    usual = pyplot.rcParams["font.sans-serif"][0]
    installed = {entry.name: entry.fname for entry in reversed(font_manager.fontManager.ttflist)}
    needed = {ord(character) for name in names for character in name}
    for font in (usual, *sorted(installed)):
        if font in installed and needed <= set(font_manager.get_font(installed[font]).get_charmap()):
            return list(names), font
    return [f"class {label}" for label in range(len(names))], usual


def curves_figure(log: list[Epoch]) -> Figure:
    """Training curves from metrics.jsonl: losses of phase 1 (the paper's figure 4), p(real), accuracy."""
    first = [epoch.values for epoch in log if epoch.phase == PRETRAINING]
    curves = {name: [values[name] for values in first] for name in (first[0] if first else ())}
    count = 3 if first else 1  # A run that begins from a trunk has no phase 1 of its own.
    figure, axes = pyplot.subplots(1, count, figsize=(1 + 4 * count, 3.8), layout="constrained", squeeze=False)
    *of_phase_1, accuracy = axes[0]
    for axis, name, labels in zip(of_phase_1, ("losses", "who wins"), (_losses(curves), PROBABILITIES), strict=False):
        _draw(axis, curves, labels)
        axis.set(title=f"Phase 1: {name}", xlabel="epoch")
    for axis in of_phase_1[1:]:
        axis.set_ylim(0, 1)
    for phase in dict.fromkeys(epoch.phase for epoch in log):
        chosen = [epoch for epoch in log if epoch.phase == phase]
        measured = chosen[0].values
        if "accuracy" not in measured or phase.startswith(HELD_OUT):  # without labels, or of no system that is kept
            continue
        name = "val_accuracy" if "val_accuracy" in measured else "accuracy"  # a fixed schedule has no validation
        style, of = ("-", "validation") if name == "val_accuracy" else ("--", "labelled")
        epochs, values = [epoch.epoch for epoch in chosen], [epoch.values[name] for epoch in chosen]
        (line,) = accuracy.plot(epochs, values, style, label=f"{phase}: {of}")
        if name == "val_accuracy" and phase != PRETRAINING:  # whose weights are kept
            best = int(np.argmax(values))
            accuracy.plot(epochs[best], values[best], "o", color=line.get_color())
    accuracy.set(title="Accuracy", xlabel="epoch", ylim=(0, 1.02))
    for axis in axes[0]:
        axis.grid(alpha=0.3)
        axis.xaxis.get_major_locator().set_params(integer=True)
        if axis.lines:
            axis.legend(frameon=False, loc="lower right" if axis is accuracy else "best")
    return figure


def losses_figure(curves: dict[str, dict[str, list[float]]]) -> Figure:
    """The paper's figure 4, a column a system, by epoch of phase 1: what both networks minimise; below it, who wins.

    Args:
      curves: system -> name in metrics.jsonl -> a value an epoch.
    """
    size = (3.4 * len(curves), 5)
    figure, axes = pyplot.subplots(2, len(curves), figsize=size, layout="constrained", squeeze=False, sharex="col")
    for column, (system, found) in zip(axes.T, curves.items(), strict=True):
        _draw(column[0], found, _losses(found))
        _draw(column[1], found, {**PROBABILITIES, "val_accuracy": "accuracy on validation"})
        column[0].set(title=system, ylim=(0, None))
        column[1].set(xlabel="epoch", ylim=(0, 1))
        column[1].xaxis.get_major_locator().set_params(integer=True)
        for axis in column:
            axis.grid(alpha=0.3)
            if axis.lines:
                axis.legend(frameon=False, fontsize=8)
    return figure


def _losses(curves: dict[str, list[float]]) -> dict[str, str]:
    """What a system with these curves minimises, and its label."""
    for names in (FILLING_LOSSES, GAN_LOSSES):
        if set(names) <= set(curves):
            break
    else:
        names = AUTOENCODER_LOSSES
    return {name: name.replace("_", " ") for name in names}


def _draw(axis: Axes, curves: dict[str, list[float]], labels: dict[str, str]) -> None:
    """A line for each curve that is there, from epoch 1; some systems have no phase 1 and some no p(real)."""
    for name, label in labels.items():
        if name in curves:
            axis.plot(range(1, len(curves[name]) + 1), curves[name], label=label, marker=".")


Points = dict[float, list[float]]  # labelled sessions -> shares, one a seed


def labels_figure(
    curves: dict[str, Points],
    dashed: Collection[str],
    title: str,
    measure: str = "accuracy",
    split: str = "test",
    stated: dict[str, Points] | None = None,
) -> Figure:
    """A measure against labelled sessions, a line a system; bands where there are several seeds.

    Args:
      curves: of systems, by title.
      dashed: systems whose line is dashed.
      measure, split: what the shares are, and of which sessions.
      stated: what the paper states of some of them: dotted, in the system's colour.
    """
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    colours = _colours(curves)
    for index, (system, points) in enumerate(curves.items()):
        labels = np.array(list(points))
        means = np.array([np.mean(found) for found in points.values()])
        # Of one seed nothing is known: no band, not one that narrows to certainty.
        spread = np.array([np.std(found, ddof=1) if len(found) > 1 else np.nan for found in points.values()])
        line, colour = "--" if system in dashed else "-", colours[system]
        above = 3 - index / len(curves)  # the first of all, where points meet
        axes.plot(labels, means, line, color=colour, marker="o", markersize=4, label=system, zorder=above)
        axes.fill_between(labels, means - spread, np.minimum(means + spread, 1), color=colour, alpha=0.15, linewidth=0)
    for system, points in (stated or {}).items():
        shares = [np.mean(found) for found in points.values()]
        style = {"color": colours[system], "marker": "s", "markersize": 5, "markerfacecolor": LIGHT}
        axes.plot(list(points), shares, ":", label=f"{system}, the paper's", **style)
    ticks = sorted({label for points in curves.values() for label in points})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks], minor=False)
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(title=title, xlabel="labelled sessions", ylabel=f"{measure} on the {split} split")
    axes.grid(alpha=0.3)
    figure.legend(**BELOW, ncols=3)
    return figure


def _colours(systems: Iterable[str]) -> dict[str, Any]:
    """Each system's colour, the same in all pictures; what is none of ours, variants say, takes those that are left."""
    palette = pyplot.colormaps["tab20"].colors
    free = [*palette[::2], *palette[1::2]]
    colours = {title_of(name): free.pop(0) for name in SYSTEMS}
    for index, system in enumerate(one for one in systems if one not in colours):
        colours[system] = free[index % len(free)]
    return colours


def reliability_figure(found: Reliability, title: str) -> Figure:
    """How often a system is right against how sure it is, and how many sessions it is so sure of."""
    figure, (right, counts) = pyplot.subplots(
        2, 1, figsize=(4.6, 5.4), layout="constrained", sharex=True, height_ratios=(3, 1)
    )
    probabilities = [one.probability for one in found.bins]
    right.plot([0, 1], [0, 1], color=DARK, linestyle="--", linewidth=1, label="as sure as it is right")
    right.plot(probabilities, [one.accuracy for one in found.bins], marker="o", color=CONTENT_COLOUR, label="measured")
    right.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02), title=title)
    figure.legend(**BELOW, ncols=2)
    counts.bar(probabilities, [one.sessions for one in found.bins], width=0.05, color=CONTENT_COLOUR)
    counts.set(xlabel="probability of the label", ylabel="sessions")
    for axis in (right, counts):
        axis.grid(alpha=0.3)
    return figure


def classes_figure(f1: dict[str, float], mean: float) -> Figure:
    """A bar a class, the worst on top, and their mean."""
    ordered = sorted(f1.items(), key=lambda item: -item[1])
    shown, font = _legible([name for name, _ in ordered])
    figure, axes = pyplot.subplots(figsize=(7, 1.2 + 0.3 * len(f1)), layout="constrained")
    bars = axes.barh(range(len(ordered)), [value for _, value in ordered], color=CONTENT_COLOUR)
    axes.bar_label(bars, [f"{100 * value:.0f}" for _, value in ordered], padding=3)
    axes.set_yticks(range(len(ordered)), shown, parse_math=False, fontfamily=font)
    axes.axvline(mean, color=DARK, linestyle="--", linewidth=1)
    axes.set(xlim=(0, 1.08), xlabel="F1", title=f"F1 of each class; the line is their mean, {100 * mean:.1f}")
    return figure


def bytes_figure(worth: np.ndarray, added: np.ndarray | None = None, rows_are_packets: bool = False) -> Figure:
    """What each of 784 bytes is worth, and adds, as images that networks see: 28 rows of 28 bytes; see Explanation."""
    rows = range(0, 28, 4)
    names = [f"packet {row + 1}" if rows_are_packets else f"byte {28 * row}" for row in rows]
    shown = {"exchanged for another session's: the true class loses": worth}
    if added is not None:
        shown["integrated gradients: the true class gains or loses"] = added
    figure, axes = pyplot.subplots(1, len(shown), figsize=(5.6 * len(shown), 4.8), layout="constrained", squeeze=False)
    for axis, (label, values) in zip(axes[0], shown.items(), strict=True):
        picture = axis.imshow(np.maximum(values, 0).reshape(28, 28), cmap="Blues", vmin=0)
        axis.set_yticks(rows, names)
        axis.set_xticks(range(0, 28, 4), [f"+{column}" for column in range(0, 28, 4)])
        figure.colorbar(picture, ax=axis, label=label, format=PercentFormatter(1.0))
    return figure


def audit_figure(findings: list[Finding], title: str) -> Figure:
    """One bar a field group, with the majority class as a line; groups that are no content stand out."""
    figure, axes = pyplot.subplots(figsize=(8, 1.4 + 0.38 * len(findings)), layout="constrained")
    ordered = findings[::-1]
    colours = [CONTENT_COLOUR if finding.group.is_content else SHORTCUT_COLOUR for finding in ordered]
    bars = axes.barh([finding.group for finding in ordered], [finding.accuracy for finding in ordered], color=colours)
    axes.bar_label(bars, [f"{finding.accuracy:.1%}" for finding in ordered], padding=3)
    axes.axvline(findings[0].majority, color=DARK, linestyle="--", linewidth=1)
    axes.text(findings[0].majority, -0.75, " majority class", va="center", fontsize=8)
    axes.set(xlim=(0, 1.08), ylim=(-1.1, len(ordered) - 0.4), xlabel="cross-validated accuracy of this group alone")
    axes.set_title(title, parse_math=False)
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=colour) for colour in (SHORTCUT_COLOUR, CONTENT_COLOUR)]
    figure.legend(handles, ["names hosts or moments", "content"], **BELOW, ncols=2)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG, whole or not at all."""
    with written_aside(path) as aside:
        figure.savefig(aside, dpi=120)
    pyplot.close(figure)


def pixels(figure: Figure) -> np.ndarray:
    """The figure as uint8 [height, width, 3], for TensorBoard."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    buffer.seek(0)
    return (matplotlib_image.imread(buffer)[..., :3] * 255).astype(np.uint8)


def write_confusion_csv(confusion: np.ndarray, class_names: list[str], path: Path) -> None:
    """A table with true classes as rows and predicted ones as columns."""
    with written_aside(path) as aside, open(aside, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["true \\ predicted", *class_names])
        for name, row in zip(class_names, confusion, strict=True):
            writer.writerow([name, *row])
