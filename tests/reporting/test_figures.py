"""Pictures whose class names are whatever people call their folders."""

import warnings

import numpy as np
import pytest

from clgan_tf.reporting import figures


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
