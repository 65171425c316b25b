"""A wide table whose cells carry their column's name, so that a narrow page shows them as lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ganexplain.report.html.markup import Child, Markup, element

Line = tuple[Child, Sequence[Child]]  # the head of a row, and its cells


def wide_table(heads: Sequence[str], lines: Iterable[Line], class_: str = "wide") -> Markup:
    """Return a table; the cells of the last column are texts, the others figures."""

    def cell(label: str, content: Child) -> Markup:
        style = "means" if label == heads[-1] else "figure"
        return element("td", content, data_label=label, class_=style)

    head = element("tr", [element("th", text, scope="col") for text in heads])
    body = [
        element("tr", element("th", name, scope="row"), map(cell, heads[1:], cells))
        for name, cells in lines
    ]
    return element("table", element("thead", head), element("tbody", body), class_=class_)
