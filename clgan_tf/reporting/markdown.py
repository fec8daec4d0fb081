"""Markdown tables: written in one place, so that nothing in a cell can break one or become a link."""

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, a line a row; an empty text if there is no row."""
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *lines])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
