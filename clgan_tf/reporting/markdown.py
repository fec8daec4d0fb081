"""Markdown tables: written in one place, so that nothing in a cell can break one or become a link."""

import re
from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, a line a row; an empty text if there is no row."""
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *lines])


def literal(text: str) -> str:
    """Text that Markdown leaves as it is: class and file names are anything. `table` takes care of bars."""
    return re.sub(r"([\\`*_{}\[\]()#+!~-])", r"\\\1", text)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
