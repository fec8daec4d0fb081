"""A Markdown page with its pictures beside it, and the same as one HTML page that holds them."""

import base64
import html
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import markdown
from markdown.extensions.toc import TocExtension as TableOfContents

from clgan_tf.common.files import written_aside
from clgan_tf.reporting import figures

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { display: block; overflow-x: auto; border-collapse: collapse; margin: 1rem 0; font-size: .9rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: left; }
td { font-variant-numeric: tabular-nums; }
td:not(:last-child) { white-space: nowrap; }
pre { overflow-x: auto; background: #f6f6f6; padding: .6rem; font-size: .8rem; }
img { max-width: 100%; }
h2 { margin-top: 2.5rem; font-size: 1.2rem; }
"""


def write(text: str, drawn: Mapping[str, tuple[figures.Figure, str]], target: Path) -> list[Path]:
    """Writes FILE.md, its pictures beside it, and FILE.html, which holds them; returns what was written.

    Args:
      text: the page as Markdown; drawn: its figures and their captions by file name; target: FILE.md.
    """
    pictures = [target.with_name(name) for name in drawn]
    for path, (figure, _) in zip(pictures, drawn.values(), strict=True):
        figures.save(figure, path)
    with written_aside(target) as aside:
        aside.write_text(text, encoding="utf-8")
    whole = target.with_suffix(".html")
    with written_aside(whole) as aside:
        pngs = {quote(path.name): path.read_bytes() for path in pictures}
        aside.write_text(self_contained(text, pngs), encoding="utf-8")
    return [target, whole, *pictures]


def self_contained(text: str, pictures: dict[str, bytes]) -> str:
    """The page of a Markdown text, whose HTML is shown as text; `pictures`: PNG by what the text links to."""
    body = markdown.markdown(html.escape(text, quote=False), extensions=["tables", TableOfContents(toc_depth="2-6")])
    for link, png in pictures.items():
        body = body.replace(f'src="{link}"', f'src="data:image/png;base64,{base64.b64encode(png).decode()}"')
    heading = re.search(r"<h1>(.*?)</h1>", body)
    title = heading[1] if heading else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
