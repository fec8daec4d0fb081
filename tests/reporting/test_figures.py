"""Pictures whose class names are whatever people call their folders."""

import warnings

import numpy as np
import pytest

from clgan_tf.capture.representation import FieldGroup
from clgan_tf.evaluation.audit import Finding
from clgan_tf.reporting import figures
from clgan_tf.runs.log import Epoch
from clgan_tf.runs.result import Bin, Reliability


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["Chat", "$x_1$", "Видео"], ["Chat", "$x_1$", "Видео"]),
        (["聊天", "视频", "Chat"], ["class 0", "class 1", "class 2"]),
        (["🎮", "Chat", "a"], ["class 0", "class 1", "class 2"]),
    ],
)
def test_names_are_shown_as_they_are_where_a_font_has_them_and_as_numbers_where_none_has(
    monkeypatch, tmp_path, names, shown
):
    only = [entry for entry in figures.font_manager.fontManager.ttflist if entry.name == "DejaVu Sans"]
    monkeypatch.setattr(figures.font_manager.fontManager, "ttflist", only)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = figures.confusion_figure(np.eye(3, dtype=int), names, "title")
        figures.save(figure, tmp_path / "picture.png")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == shown


def test_a_picture_says_which_split_its_shares_are_of():
    for options, told in (
        ({}, "accuracy on the test split"),
        ({"split": "validation"}, "accuracy on the validation split"),
    ):
        figure = figures.labels_figure({"a system": {100: [0.5], 1000: [0.9]}}, [], "title", **options)
        assert figure.axes[0].get_ylabel() == told


def drawings() -> dict[str, figures.Figure]:
    curves = {f"system {number}": {100: [0.5, 0.6], 1000: [0.9 - number / 20]} for number in range(8)}
    bins = [Bin(10, 0.1, 0.9), Bin(10, 0.9, 0.1)]
    findings = [Finding(group, 2, 0.1, 0.9, 0.9) for group in (FieldGroup.PORTS, FieldGroup.LENGTHS)]
    return {
        "labels": figures.labels_figure(curves, [], "title"),
        "reliability": figures.reliability_figure(Reliability(1.0, 0.8, 0.8, bins), "title"),
        "audit": figures.audit_figure(findings, "title"),
    }


@pytest.mark.parametrize("name", ["labels", "reliability", "audit"])
def test_a_legend_covers_no_data(name):
    figure = drawings()[name]
    figure.canvas.draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    for axes in figure.axes:
        assert axes.get_legend() is None
        assert not box.overlaps(axes.get_window_extent())
    assert figure.bbox.containsx(box.x0)
    assert figure.bbox.containsx(box.x1)


def test_a_run_without_a_phase_1_has_no_empty_panels():
    tuned = [Epoch("finetuning", number, {"accuracy": 0.9, "val_accuracy": 0.8}) for number in (1, 2)]
    assert [axis.get_title() for axis in figures.curves_figure(tuned).axes] == ["Accuracy"]
    whole = [Epoch("pretraining", 1, {"discriminator_loss": 1.0, "generator_loss": 1.0}), *tuned]
    titles = ["Phase 1: losses", "Phase 1: who wins", "Accuracy"]
    assert [axis.get_title() for axis in figures.curves_figure(whole).axes] == titles


def test_a_band_is_drawn_where_seeds_tell_one_and_ends_at_all():
    points = {100: [0.9, 1.0], 1000: [0.95, 1.0], 10_000: [1.0]}
    (band,) = figures.labels_figure({"a system": points}, [], "title").axes[0].collections
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    assert corners[:, 0].max() == 1000
    assert corners[:, 1].max() == 1.0


@pytest.mark.parametrize(("rows_are_packets", "first"), [(True, "packet 1"), (False, "byte 0")])
def test_a_row_of_bytes_is_named_for_what_it_is(rows_are_packets, first):
    axes = figures.bytes_figure(np.ones(784), None, rows_are_packets).axes[0]
    assert axes.get_yticklabels()[0].get_text() == first
