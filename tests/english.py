"""Check the English of help texts and error messages for patterns that are not plain.

    python tests/english.py

The rules are in CONTRIBUTING.md. Exit status 1 where a text breaks one.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "ganexplain"
# A help text starts with a noun or an imperative, or with the name of a method and a colon.
BAD_STARTS = re.compile(r"(Of|In|On|Or|Where|What|Whether|Without|Before|The|A|An)\b|[a-z]+[ .;]")
NOT_PLAIN = re.compile(
    r"\b((is|are|was|were) (said|told)|stands?|gives|tells?|eats?|eaten|to be had|one's own"
    r"|there (is|are) none|of which there)\b"
)
EMOJI = re.compile(r"(?<!\w):[a-z_]+:|\w:[a-z_]+: ")  # Rich would print a picture


def text_of(node: ast.expr) -> str:
    """The text of a string or f-string, with X in place of each value; empty for others."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            "X" if isinstance(v, ast.FormattedValue) else text_of(v) for v in node.values
        )
    return ""


def help_texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Lines and texts of `setting(...)`, of module constants (those may be help texts) too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setting" and node.args:
            yield node.lineno, text_of(node.args[0])
    for node in tree.body:
        if isinstance(node, ast.Assign) and " " in text_of(node.value):
            yield node.lineno, text_of(node.value)


def messages(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Lines and texts of the errors that are raised."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                yield node.lineno, text_of(argument)


def faults(path: Path) -> Iterator[str]:
    """The texts of a module that break a rule, one line each."""
    tree = ast.parse(path.read_text())
    place = path.relative_to(PACKAGE.parent)
    if path.parent.name == "config":
        for line, text in help_texts(tree):
            if text and (BAD_STARTS.match(text) or not text.endswith(".") or EMOJI.search(text)):
                yield f"{place}:{line}: help text: {text}"
            if found := NOT_PLAIN.search(text):
                yield f"{place}:{line}: {found[0]!r} in help text: {text}"
    for line, text in messages(tree):
        if found := NOT_PLAIN.search(text):
            yield f"{place}:{line}: {found[0]!r} in message: {text}"


def main() -> int:
    """Print all faults; the exit status."""
    found = [fault for path in sorted(PACKAGE.rglob("*.py")) for fault in faults(path)]
    print("\n".join(found) or "english: no faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
