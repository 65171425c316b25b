"""The README's examples: commands that are accepted, directories of their own, links, Python."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from typing import Any

import pytest
from support.commands import Run
from support.paths import ROOT

README = (ROOT / "README.md").read_text()


def commands() -> list[list[str]]:
    """The words of every command of ours in a block; those of `torchrun` and templates left out."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("ganexplain "):
                found.append(shlex.split(line, comments=True)[1:])
    return found


def test_every_command_is_accepted(command: Run) -> None:
    """`--dry-run` reads the options, without any of the files that blocks before would make."""
    assert len(commands()) > 20
    for words in commands():
        if words[0] in ("label-stems", "layers", "rerun"):
            continue  # these have no settings to show, or read their argument first
        done = command(*words, "--dry-run")
        assert done.code == 0, (words, done.err)


def test_commands_write_to_directories_of_their_own() -> None:
    places = Counter(words[words.index("--out") + 1] for words in commands() if "--out" in words)
    assert [place for place, count in places.items() if count > 1] == []


def test_what_a_command_reads_below_runs_was_made_by_one_before_it() -> None:
    """Or by `make demo`, or by one that the text names (the digits)."""
    made = {"runs/demo"}
    for words in commands():
        for word in words:
            place = word.split("@")[0]
            if place.startswith("runs/") and words[words.index(word) - 1] != "--out":
                below = any(place == m or place.startswith(f"{m}/") for m in made)
                assert below or place.startswith("runs/digits/"), words
        if "--out" in words:
            made.add(words[words.index("--out") + 1])


@pytest.mark.parametrize("name", ["README.md", "docs/deviations.md"])
def test_links_lead_somewhere(name: str) -> None:
    path = ROOT / name
    for address, place in re.findall(r"\]\(([^)#\s]*)(#[^)\s]*)?\)", path.read_text()):
        if address.startswith("http"):
            continue
        target = (path.parent / address) if address else path
        assert target.exists(), address
        if place:
            heads = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            marks = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}
            assert place[1:] in marks, (address, place)


def test_the_example_of_a_plain_function_runs_as_printed() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (block,) = [block for block in blocks if "evolve(" in block]
    names: dict[str, Any] = {}
    exec(block, names)
    found, forest, digits = (names[name] for name in ("found", "forest", "digits"))
    assert found.kept.shape == (16,) and 0 < found.kept.sum() < 16
    shown = digits.images[8] * found.kept[names["labels"]]
    probability = forest.predict_proba(shown.reshape(1, -1))[0, 8]
    assert found.fitness == pytest.approx(probability - 0.1 * found.kept.mean(), abs=1e-6)
    assert found.fitness > found.full_fitness
