"""Is the house in order? Counts of what makes it hard to find one's way, each with a limit.

    python tests/house.py

Prints a table of the counts. Exit status 1 where one is past its limit; the places are named.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from ganexplain.cli.app import app

ROOT = Path(__file__).parents[1]
PRODUCT, TESTS, SCRIPTS = "ganexplain", "tests", "sample_data"
LONGEST_FUNCTION, LONGEST_MODULE, MOST_PARAMETERS = 60, 300, 8
ONE_OF_A_KIND = {
    "FrontEnd", "ImageInput", "WaveformInput", "Split", "ImageSplit", "WaveformSplit", "Corpus",
    "ImageCorpus", "Spectrograms", "Pictures", "SOUND", "PICTURES", "Moment",
}  # fmt: skip
UNTYPED = re.compile(r"(?:dict|Mapping)\[str, (?:Any|object)\]")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def at(path: Path, line: int, name: str = "") -> str:
    return f"{path.relative_to(ROOT)}:{line} {name}".rstrip()


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def untyped_records() -> Iterator[str]:
    for path in modules(PRODUCT):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            yield from (at(path, number) for _ in UNTYPED.finditer(line))


def long_functions() -> Iterator[str]:
    for path in modules(PRODUCT):
        for function in functions(path):
            if (function.end_lineno or 0) - function.lineno >= LONGEST_FUNCTION:
                yield at(path, function.lineno, function.name)


def long_modules() -> Iterator[str]:
    for path in modules(PRODUCT):
        lines = len(path.read_text().splitlines())
        if lines > LONGEST_MODULE:
            yield at(path, lines)


def long_parameter_lists() -> Iterator[str]:
    for path in modules(PRODUCT):
        for function in functions(path):
            given = function.args
            names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            if len([name for name in names if name not in ("self", "cls")]) > MOST_PARAMETERS:
                yield at(path, function.lineno, function.name)


def stages_without_a_command() -> Iterator[str]:
    """Files in `stages/` that are no command, and commands without a file there."""
    commands = {name.replace("-", "_") for name in typer.main.get_group(app).commands}
    files = {path.stem: path for path in modules(f"{PRODUCT}/stages") if path.stem != "__init__"}
    yield from (at(files[name], 1) for name in sorted(files.keys() - commands))
    yield from (f"{PRODUCT}/stages/{name}.py is missing" for name in sorted(commands - set(files)))


def private_imports() -> Iterator[str]:
    for path in modules(PRODUCT, TESTS, SCRIPTS):
        for line, name in imported(path):
            own = name.startswith((PRODUCT, "support", "conftest"))
            if own and re.search(r"\._[^_]", name):
                yield at(path, line, name)


def tests_that_import_tests() -> Iterator[str]:
    for path in modules(TESTS):
        for line, name in imported(path):
            if any(part.startswith("test_") for part in name.split(".")[:-1] or [name]):
                yield at(path, line, name)


def branches_on_input_kinds() -> Iterator[str]:
    """`isinstance` of a kind of input or of what there is one of a kind, and comparisons to it."""
    for path in modules(PRODUCT):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
                asked = node.args[1:]
            elif isinstance(node, ast.Compare):
                asked = [node.left, *node.comparators]
            else:
                continue
            names = {getattr(part, "id", "") for each in asked for part in ast.walk(each)}
            if names & ONE_OF_A_KIND:
                yield at(path, node.lineno)


COUNTS = {
    "dict and Mapping from str to Any or object": (untyped_records, 38),
    f"functions over {LONGEST_FUNCTION} lines": (long_functions, 0),
    f"modules over {LONGEST_MODULE} lines": (long_modules, 0),
    f"functions of over {MOST_PARAMETERS} parameters": (long_parameter_lists, 3),
    "stages and commands that do not match": (stages_without_a_command, 0),
    "imports of private names": (private_imports, 0),
    "test modules that import test modules": (tests_that_import_tests, 0),
    "branches on the kind of input": (branches_on_input_kinds, 8),
}


def main() -> int:
    past = False
    for title, (find, limit) in COUNTS.items():
        places = list(find())
        print(f"{title:<40} {len(places):>4}   at most {limit}")
        if len(places) > limit:
            past = True
            print("".join(f"  {place}\n" for place in places), end="", file=sys.stderr)
    return int(past)


if __name__ == "__main__":
    sys.exit(main())
