"""README and the pages of docs/: commands that are accepted, links that lead somewhere, Python."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from support.commands import Run
from support.paths import ROOT

from ganexplain.cli.app import app

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
LINKED = [*PAGES, *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md"))]
RESULTS = ROOT / "docs/results.md"  # its commands may be of an earlier version
TUTORIAL = ROOT / "docs/tutorials/singing-voice.md"
OTHERS_OPTIONS = {
    "--no-deps", "--no-sandbox", "--test", "--local-dir", "--torch-backend",
    "--use-energy", "--norm-vars",
    "--nproc-per-node", "--logdir", "--nthreads", "--tiny",
}  # fmt: skip


def commands_of(page: Path) -> Iterator[list[str]]:
    """The words of every command of ours in a block; those of `torchrun` and templates left out."""
    for block in re.findall(r"^```(?:sh)?\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith(("ganexplain ", "$ ganexplain ")):
                yield shlex.split(line.removeprefix("$ "), comments=True)[1:]


def all_commands() -> list[tuple[Path, list[str]]]:
    return [(page, words) for page in PAGES if page != RESULTS for words in commands_of(page)]


def test_every_command_is_accepted(command: Run) -> None:
    """`--dry-run` reads the options, without any of the files that blocks before would make."""
    tried = 0
    for page, words in all_commands():
        if words[0] in ("input", "label-stems", "layers", "rerun"):
            continue  # these have no settings to show, or read their argument first
        if words[0] in ("run", "demo"):  # whose plan reads the recordings, and tries the trainings
            typer.main.get_group(app).commands[words[0]].make_context(words[0], words[1:])
            continue
        done = command(*words, "--dry-run")
        assert done.code == 0, (page, words, done.err)
        tried += 1
    assert tried > 40


def test_options_that_are_named_exist() -> None:
    group = typer.main.get_group(app)
    known = {
        o for c in group.commands.values() for p in c.params for o in (*p.opts, *p.secondary_opts)
    }
    for page in PAGES:
        if page != RESULTS:
            text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
            for code in re.findall(r"`([^`]+)`", text):
                named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", code))
                assert named <= known | OTHERS_OPTIONS | {
                    "--help",
                    "--version",
                    "--install-completion",
                }, (page, code)


def test_commands_that_write_to_the_same_place_are_the_same() -> None:
    commands: dict[str, set[str]] = defaultdict(set)
    for _, words in all_commands():
        if "--out" in words:
            commands[words[words.index("--out") + 1]].add(shlex.join(words))
    assert [place for place, found in commands.items() if len(found) > 1] == []


def test_a_page_makes_what_its_commands_read_or_links_to_the_page_that_does() -> None:
    makers = {
        words[words.index("--out") + 1]: page for page, words in all_commands() if "--out" in words
    }
    makers["runs/demo"] = README
    for page, words in all_commands():
        for before, word in pairwise(words):
            place = word.split("@")[0]
            if not place.startswith("runs/") or before == "--out":
                continue
            (maker,) = {m for made, m in makers.items() if f"{place}/".startswith(f"{made}/")}
            linked = {(page.parent / link.split("#")[0]).resolve() for link in links_of(page)}
            assert maker in (page, README) or maker in linked, (page, words)


def links_of(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    return [link for link in found if not link.startswith("http")]


def anchors(page: Path) -> set[str]:
    """The places of a page, as GitHub and MkDocs name them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in links_of(page):
        address, _, place = link.partition("#")
        target = (page.parent / address) if address else page
        assert target.exists(), link
        assert not place or place in anchors(target), link


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [README]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md" and page.is_file():
            reached.add(page)
            waiting += [(page.parent / link.split("#")[0]).resolve() for link in links_of(page)]
    assert sorted(set(PAGES) - reached) == []


def test_the_example_of_a_plain_function_runs_as_printed() -> None:
    page = (ROOT / "docs/how-to/attribute.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)
    found, forest, digits = (names[name] for name in ("found", "forest", "digits"))
    assert found.kept.shape == (16,) and 0 < found.kept.sum() < 16
    shown = digits.images[8] * found.kept[names["labels"]]
    probability = forest.predict_proba(shown.reshape(1, -1))[0, 8]
    assert found.fitness == pytest.approx(probability - 0.1 * found.kept.mean(), abs=1e-6)
    assert found.fitness > found.full_fitness
