"""A hook of MkDocs: pages that lie beside docs/, the README first, are part of the site under their own paths."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(\s*([^)\s]+)\s*\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the README as the front page, and whatever file outside docs/ any page or the navigation names."""
    named = [path for _, path in _leaves(config["nav"]) if not files.get_file_from_path(path)]
    waiting = [("index.md", ROOT / "README.md"), *((path, ROOT / path) for path in named if path != "index.md")]
    texts = [(file.src_uri, Path(file.abs_src_path)) for file in files if file.src_uri.endswith(".md")]
    waiting += _linked(texts, files)
    while waiting:
        added = [(name, path) for name, path in dict(waiting).items() if not files.get_file_from_path(name)]
        for name, path in added:
            files.append(File.generated(config, name, abs_src_path=str(path)))
        waiting = _linked([(name, path) for name, path in added if name.endswith(".md")], files)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as they are between files become links between pages."""
    source = _source(page.file.src_uri)
    return LINK.sub(lambda found: f"]({_target(found[1], source, page.file.src_uri)})", markdown)


def _source(name: str) -> Path:
    """Where in the project a page comes from."""
    if name == "index.md":
        return ROOT / "README.md"
    return ROOT / "docs" / name if (ROOT / "docs" / name).exists() else ROOT / name


def _name(path: Path) -> str:
    """What a file of the project is called in the site."""
    path = path.relative_to(ROOT)
    if path == Path("README.md"):
        return "index.md"
    return str(path.relative_to("docs") if path.parts[0] == "docs" else path)


def _target(link: str, source: Path, name: str) -> str:
    if re.match(r"[a-z]+:|#", link):
        return link
    path, _, anchor = link.partition("#")
    target = (source.parent / path).resolve()
    if not target.exists():
        return link  # MkDocs tells of it.
    return "../" * name.count("/") + _name(target) + (f"#{anchor}" if anchor else "")


def _linked(texts: list[tuple[str, Path]], files: Files) -> list[tuple[str, Path]]:
    """Files of the project, and their names, that these pages link to and that are not there yet."""
    found = []
    for _, source in texts:
        for link in LINK.findall(source.read_text(encoding="utf-8")):
            path = (source.parent / link.partition("#")[0]).resolve()
            if path.is_file() and path.is_relative_to(ROOT) and not files.get_file_from_path(_name(path)):
                found.append((_name(path), path))
    return found


def _leaves(nav: list) -> list[tuple[str, str]]:
    """Titles and paths of a navigation."""
    leaves = []
    for item in nav:
        for title, inside in item.items():
            leaves += _leaves(inside) if isinstance(inside, list) else [(title, inside)]
    return leaves
