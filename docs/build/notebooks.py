"""Runs the notebooks of docs/notebooks, and writes their pages: text, code, and what cells show.

    python docs/build/notebooks.py docs/notebooks/own-model.py > page.md

A notebook is a Python file in the percent format of Jupytext, which Jupyter and editors open too.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)


def cells(source: str) -> Iterator[tuple[bool, str]]:
    """Each cell of a notebook: whether it is text, and its content."""
    _, *parts = CELL.split(source)
    for head, body in zip(parts[::2], parts[1::2], strict=True):
        is_text = "[markdown]" in head
        yield (
            is_text,
            re.sub(r"^# ?", "", body, flags=re.MULTILINE).strip() if is_text else (body.strip()),
        )


def page_of(path: Path, run: bool = True) -> str:
    """The page of a notebook as Markdown; raises what its code raises.

    Without `run` it has no output, for a site that is made in seconds.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    parts = []
    for is_text, content in cells(path.read_text()):
        parts.append(content if is_text else f"```python\n{content}\n```")
        if run and not is_text:
            parts += shown(content, names)
    link = f'<a href="{path.name}">{path.name}</a>'
    how = "is run when the site is made" if run else "was not run for this site (SKIP_NOTEBOOKS)"
    source = f"This page is the notebook {link}, which {how}."
    title, *rest = parts
    return "\n\n".join([title, source, *rest]) + "\n"


def shown(code: str, names: dict[str, Any]) -> list[str]:
    """What a cell prints, and the value of its last line as a notebook shows it."""
    tree, value = ast.parse(code), None
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(tree, "<cell>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    found = [f"```\n{printed.getvalue().rstrip()}\n```"] if printed.getvalue() else []
    if value is not None:
        html = getattr(value, "_repr_html_", None)
        found.append(f'<div class="shown">{html()}</div>' if html else f"```\n{value!r}\n```")
    return found


if __name__ == "__main__":
    print(page_of(Path(sys.argv[1])))
