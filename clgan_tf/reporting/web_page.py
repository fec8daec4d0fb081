"""Markdown to one HTML page that holds its pictures."""

import base64
import re
from pathlib import Path

import markdown

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #ddd; text-align: left; }
img { max-width: 100%; }
h2 { margin-top: 2.5rem; font-size: 1.2rem; }
"""


def self_contained(text: str, folder: Path) -> str:
    """The page of a Markdown text whose pictures (PNG) lie in `folder`."""
    body = markdown.markdown(text, extensions=["tables"])
    found = re.search(r"<h1>(.*?)</h1>", body)

    def embedded(match: re.Match[str]) -> str:
        data = base64.b64encode((folder / match[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{data}"'

    body = re.sub(r'src="([^":]+\.png)"', embedded, body)
    title = found[1] if found else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
