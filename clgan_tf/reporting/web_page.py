"""A Markdown page with its pictures beside it, and the same as one HTML page that holds them."""

import base64
import html
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import markdown
from jinja2 import Environment, PackageLoader
from markdown.extensions.toc import TocExtension as TableOfContents

from clgan_tf.common.files import written_aside
from clgan_tf.reporting import figures

TEMPLATES = Environment(loader=PackageLoader("clgan_tf.reporting", "."), autoescape=True, keep_trailing_newline=True)


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
    title = html.unescape(heading[1]) if heading else ""
    return TEMPLATES.get_template("page.html.jinja").render(title=title, body=body)
