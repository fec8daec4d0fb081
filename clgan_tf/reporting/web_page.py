"""Markdown to one HTML page that holds its pictures."""

import base64
import html
import re

import markdown

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { display: block; overflow-x: auto; border-collapse: collapse; margin: 1rem 0; font-size: .9rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: left; }
td { font-variant-numeric: tabular-nums; }
td:not(:last-child) { white-space: nowrap; }
img { max-width: 100%; }
h2 { margin-top: 2.5rem; font-size: 1.2rem; }
"""


def self_contained(text: str, pictures: dict[str, bytes]) -> str:
    """The page of a Markdown text, whose HTML is shown as text; `pictures`: PNG by what the text links to."""
    body = markdown.markdown(html.escape(text, quote=False), extensions=["tables"])
    for link, png in pictures.items():
        body = body.replace(f'src="{link}"', f'src="data:image/png;base64,{base64.b64encode(png).decode()}"')
    found = re.search(r"<h1>(.*?)</h1>", body)
    title = found[1] if found else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
