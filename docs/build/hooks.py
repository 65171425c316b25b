"""Hooks of MkDocs: what the site has besides the pages of docs/.

The README is the home page. Files of the repository that a page links to become pages or files
below `repository/`, so that no link leads out of the site. The pages of commands and schemas get
their tables, the schemas are files, notebooks are run, and a link to a sound gets a player.
`llms.txt` lists all pages. A page that would load anything from elsewhere is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from commands import command_tables
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from notebooks import NOTEBOOKS, page_of
from schemas import SCHEMAS, schema_file, schema_sections, schema_text

ROOT = Path(__file__).parents[2]
HOME = "README.md"
ALSO = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
SOUND = re.compile(r'<a href="([^"]+\.(?:flac|ogg|wav))">(.*?)</a>', re.DOTALL)
ELSEWHERE = re.compile(
    r"<(?:script|link|img|iframe|audio|source)\b[^>]*(?:src|href)=\"?(?:https?:)?//[^>]*>"
)
GENERATED = {  # what stands in a page for text that is made from the product
    "<!-- A table of every command's options: see docs/build/commands.py. -->": command_tables,
    "<!-- The fields of every file: see docs/build/schemas.py. -->": schema_sections,
}


def on_files(files: Files, config: Any) -> Files:
    """Add the README and all files outside docs/ that pages link to."""
    waiting = [HOME, *ALSO, *(f"docs/{page.src_uri}" for page in files.documentation_pages())]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if path.endswith(".md"):
            waiting += linked_paths(path)
        if not path.startswith("docs/"):
            files.append(generated(path, config))
    for name in SCHEMAS:
        uri = f"reference/schemas/{schema_file(name)}"
        files.append(File.generated(config, uri, content=schema_text(name)))
    run = not os.environ.get("SKIP_NOTEBOOKS")
    for notebook in sorted(NOTEBOOKS.glob("*.py")):
        uri = uri_of(f"docs/notebooks/{notebook.name}")
        files.append(File.generated(config, uri, content=page_of(notebook, run)))
    return files


def on_page_markdown(text: str, page: Any, config: Any, files: Files) -> str:
    """Let links to files of the repository lead to their pages; write what is generated."""
    here = page.file.src_uri
    source = path_of(here)
    for place, make in GENERATED.items():
        text = text.replace(place, make()) if place in text else text

    def rewritten(link: re.Match[str]) -> str:
        start, address, place, end = link.groups()
        target = resolved(source, address)
        if target is None:
            return link[0]
        return f"{start}{relpath(uri_of(target), PurePosixPath(here).parent)}{place or ''}{end}"

    return LINK.sub(rewritten, text)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Put a player behind every link to a sound."""
    player = r'<a href="\1">\2</a><audio controls preload="none" src="\1"></audio>'
    return SOUND.sub(player, html)


def on_post_build(config: Any) -> None:
    """Write `llms.txt`, and raise PluginError for a page that loads something from elsewhere."""
    site = Path(config.site_dir)
    for page in site.rglob("*.html"):
        if found := ELSEWHERE.search(page.read_text()):
            raise PluginError(f"{page}: loads from elsewhere: {found[0]}")
    (site / "llms.txt").write_text(
        f"# {config.site_name}\n\n> {config.site_description}\n"
        + "".join(
            f"\n## {name}\n\n" + "".join(map(listed, pages))
            for section in config.nav
            for name, pages in section.items()
        )
    )


def listed(entry: str | dict[str, list[str]]) -> str:
    """The lines of `llms.txt` for a page of the navigation, or for a section of pages."""
    if isinstance(entry, dict):
        return "".join(listed(page) for pages in entry.values() for page in pages)
    title = re.search(r"^# (?!%%)(?:# )?(.*)$", (ROOT / path_of(entry)).read_text(), re.MULTILINE)
    address = re.sub(r"(README)?\.md$", lambda end: "index.html" if end[1] else ".html", entry)
    return f"- [{title[1] if title else entry}]({address})\n"


def linked_paths(path: str) -> Iterator[str]:
    """The files of the repository that a page links to, by their paths in it."""
    for _, address, _, _ in LINK.findall((ROOT / path).read_text()):
        target = resolved(path, address)
        if target is not None:
            yield target


def resolved(source: str, address: str) -> str | None:
    """The path in the repository of a link's target; None for what is elsewhere or absent."""
    if re.match(r"[a-z]+:", address):
        return None
    path = normpath(PurePosixPath(source).parent / address)
    if (ROOT / path).is_dir():
        path = f"{path}/README.md" if (ROOT / path / "README.md").is_file() else path
    return path if (ROOT / path).exists() else None


def uri_of(path: str) -> str:
    """The page or file of the site for a path of the repository."""
    if path == HOME:
        return "index.md"
    if path.startswith("docs/notebooks/"):
        return path.removeprefix("docs/").replace(".py", ".md")
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"repository/{path}" + ("" if path.endswith(".md") or is_binary(path) else ".md")


def path_of(uri: str) -> str:
    """The path of the repository that a page of the site is made from."""
    if uri == "index.md":
        return HOME
    if uri.startswith("notebooks/"):
        return f"docs/{uri}".replace(".md", ".py")
    return uri.removeprefix("repository/") if uri.startswith("repository/") else f"docs/{uri}"


def is_binary(path: str) -> bool:
    """Whether a path of the repository is a file that is not text."""
    return (ROOT / path).is_file() and b"\0" in (ROOT / path).read_bytes()


def generated(path: str, config: Any) -> File:
    """A file of the repository as one of the site: as it is, or its text or listing on a page."""
    uri, real = uri_of(path), ROOT / path
    if path.endswith(".md") or is_binary(path):
        return File.generated(config, uri, abs_src_path=str(real))
    if real.is_dir():
        names = sorted(entry.name for entry in real.iterdir() if not entry.name.startswith("_"))
        content = "\n".join(f"- `{name}`" for name in names)
    else:
        content = f"````{real.suffix.removeprefix('.')}\n{real.read_text()}\n````"
    return File.generated(config, uri, content=f"# {path}\n\n{content}\n")
