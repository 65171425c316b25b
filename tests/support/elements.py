"""The elements of an HTML page, for tests that look for what stands on it."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    held: bool  # in a template: shown when a cell of the grid is clicked
    text: str = ""


class Elements(HTMLParser):
    """Every element of a page with its attributes and its own text; checks that tags nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Element] = []
        self.open: list[Element] = []
        self.feed(page)
        self.close()
        assert not self.open

    def _find(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = any(e.tag == "template" for e in self.open)
        self.found.append(Element(tag, {name: value or "" for name, value in attrs}, held))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._find(tag, attrs)
        if tag not in ("meta", "link"):
            self.open.append(self.found[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._find(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1].text += data

    def of(self, tag: str, class_: str = "", held: bool = False) -> list[Element]:
        """Elements of a tag, with a class where one is named, of the page or of its templates."""
        return [
            e for e in self.found
            if e.tag == tag and e.held == held
            and (not class_ or class_ in e.attributes.get("class", "").split())
        ]  # fmt: skip
