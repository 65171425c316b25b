"""Fuzzing: every reader of files from elsewhere, and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from .readers import ROOT, readers
from .table import Room, Round

INPUTS = 4000  # of a reader; slow ones have a part of it
COMMAND_LINES = 5_000


def fuzz(room: Room, inputs: int = INPUTS, command_lines: int = COMMAND_LINES) -> Iterator[Round]:
    """Rounds of command lines, then of all groups of readers, one after another."""
    groups = ["command line", *readers(room.folder)]
    for place, group in enumerate(groups):
        folder = room.folder / group.replace(" ", "-")
        folder.mkdir()
        seconds = max(room.left(), 0.0) / (len(groups) - place)
        if group == "command line":
            words = ["command_line", str(folder), str(command_lines), str(room.seed)]
        else:
            words = ["fuzzing", group, str(folder), str(inputs), str(room.seed)]
        command = [sys.executable, "-m", f"tests.torture.{words[0]}", *words[1:], f"{seconds:.0f}"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                yield from _rounds(json.loads(line), folder)
        if child.returncode:
            yield Round(f"fuzz: {group}", "broke down", violation=f"status {child.returncode}")


def _rounds(told: Mapping[str, object], folder: Path) -> Iterator[Round]:
    kind, outcomes, findings = f"fuzz: {told['name']}", told["outcomes"], told["findings"]
    assert isinstance(outcomes, dict)
    assert isinstance(findings, list)
    for outcome, count in outcomes.items():
        yield Round(kind, outcome, count)
    for finding in findings:
        yield Round(kind, "finding", 0, finding)
