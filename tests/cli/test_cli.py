"""The command line's conventions: help, settings from files, output streams, exit status."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer.main
from support.commands import Run
from support.paths import PRETRAINED
from typer.core import TyperGroup, TyperOption

from ganexplain import __version__
from ganexplain.cli.app import app
from ganexplain.errors import did_you_mean

GROUP = typer.main.get_command(app)
assert isinstance(GROUP, TyperGroup)
COMMANDS = GROUP.commands


def cli(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ganexplain", *words], capture_output=True, text=True
    )


@pytest.mark.parametrize("columns", [80, 100])
def test_each_help_has_an_example_and_the_whole_names_of_options(
    columns: int, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for name, each in COMMANDS.items():
        text = command(name, "--help").out
        assert f"ganexplain {name}" in " ".join(text.split())
        options = [p for p in each.params if isinstance(p, TyperOption)]
        flags = {max(p.opts, key=len): p.required for p in options}
        lines = {
            flag: re.search(rf"^[│ *]*(-\w,? *)?{flag}\b", text, re.MULTILINE) for flag in flags
        }
        assert [flag for flag, line in lines.items() if line is None] == [], name
        starts = {flag: line.start() for flag, line in lines.items() if line}
        first = min(start for flag, start in starts.items() if not flags[flag])
        assert all(start < first for flag, start in starts.items() if flags[flag]), name


def test_nothing_heavy_is_imported_for_help() -> None:
    heavy = ("torch", "librosa", "matplotlib", "scipy", "numpy", "soundfile")
    code = f"import sys, ganexplain.cli; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_version_is_printed() -> None:
    assert cli("--version").stdout.strip() == f"ganexplain {__version__}"


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('examples = 7\niterations = [5, 9]\nlayer = "fc8"\nclassifier = "c.pt"\n')
    words = f"explain --config {file} --gan g.pt --out x --examples 8 --dry-run".split()
    done = cli(*words)
    assert done.returncode == 0
    settings = tomllib.loads(done.stdout)
    assert settings["examples"] == 8 and settings["iterations"] == [5, 9]
    assert settings["layer"] == ["fc8"] and settings["classifier"] == "c.pt"
    assert settings["learning-rate"] == [0.1, 0.01, 0.001]


def test_the_former_name_of_workers_is_read(command: Run, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('jobs = "3"\n')
    words = f"explain --config {file} --gan g.pt --out x --dry-run".split()
    assert tomllib.loads(command(*words).out)["workers"] == "3"
    assert tomllib.loads(command(*words, "--jobs", "2").out)["workers"] == "2"
    file.write_text('workers = "3"\njobs = "2"\n')
    done = command(*words)
    assert done.code == 2 and "workers and jobs are one setting; leave one" in done.error_line()


def test_a_preset_gives_way_to_settings_of_a_file_and_those_to_flags(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('preset = "paper"\nepochs = 3\nlearning-rate = 0.5\n')
    words = f"train-classifier corpus --config {file} --learning-rate 0.2 --out x -n".split()
    settings = tomllib.loads(cli(*words).stdout)
    assert settings["preset"] == "paper"
    assert settings["optimiser"] == "sgd" and settings["batch-norm"] is False  # of the preset
    assert settings["epochs"] == 3  # of the file
    assert settings["learning-rate"] == 0.2  # of the command line
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(cli(*words).stdout)
    again = cli(*f"train-classifier --config {resolved} --out x -n".split())
    assert tomllib.loads(again.stdout) == settings


def test_the_paper_s_preset_is_the_paper_s_recipe() -> None:
    """Schlueter & Grill 2015: 40,000 updates of 32, rate 0.01 x 0.85 an epoch, momentum 0.95."""
    settings = tomllib.loads(
        cli(*"train-classifier corpus --preset paper --out x -n".split()).stdout
    )
    assert settings["epochs"] * settings["updates-per-epoch"] == 40_000
    assert (settings["batch-size"], settings["momentum"]) == (32, 0.95)
    assert (settings["learning-rate"], settings["learning-rate-decay"]) == (0.01, 0.85)
    assert (settings["schedule"], settings["augment"], settings["mix"]) == ("step", 1.0, 0.0)


def test_an_unknown_preset_is_named() -> None:
    done = cli(*"train-classifier corpus --preset papre --out x".split())
    assert done.returncode == 2
    assert "--preset: 'papre' is not known (did you mean 'paper'?)" in done.stderr


def test_a_dry_run_touches_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cli("train-gan", str(tmp_path), "--out", str(out), "-n").returncode == 0
    assert not out.exists()


@pytest.mark.parametrize(
    "text, message",
    [
        ("exampels = 3\n", "exampels is not a setting of this command (did you mean 'examples'?)"),
        ("examples = \n", "not TOML"),
    ],
)
def test_a_settings_file_that_does_not_fit_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    done = cli(*f"explain --config {file} --classifier c --gan g --out x".split())
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and message in done.stderr


def test_a_missing_option_and_a_wrong_value_are_usage_errors() -> None:
    assert cli("explain", "--gan", "g.pt").returncode == 2
    assert cli(*"explain --classifier c --gan g --out x --examples one".split()).returncode == 2
    assert cli("no-such-stage").returncode == 2


@pytest.mark.parametrize(
    "words, message",
    [
        ("--direction up", "--direction: 'up' is not known"),
        ("--iterations 5 --iterations 5", "--iterations: a value is given twice"),
        ("--learning-rate 0", "--learning-rate 0: must be a finite number above zero"),
        ("--learning-rate nan", "--learning-rate nan"),
        ("--prior-weight -1", "--prior-weight -1"),
        ("--iterations 0", "--iterations 0"),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_runs(
    command: Run, tmp_path: Path, words: str, message: str
) -> None:
    networks = ("--classifier", PRETRAINED / "classifier.pt", "--gan", PRETRAINED / "gan.pt")
    done = command("explain", *networks, *words.split(), "--out", tmp_path / "x")
    assert done.code == 2 and message in done.error_line()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_of_one_value_is_given_once(run: Run, tmp_path: Path, name: str) -> None:
    parameters = [p for p in COMMANDS[name].params if not getattr(p, "is_flag", False)]
    words = {p: [p.opts[0], "x"] if isinstance(p, TyperOption) else ["x"] for p in parameters}
    settings = tmp_path / "settings.toml"
    settings.write_text("")
    for option in (p for p in parameters if isinstance(p, TyperOption) and not p.multiple):
        value = settings if option.name == "config" else str(option.default) or "x"
        others = [word for p in parameters if p.required and p is not option for word in words[p]]
        refused = run(name, *others, *[option.opts[0], value] * 2, status=2)
        flag = option.opts[0]
        assert refused.error_line().startswith(f"{flag} takes one value and is given 2 times; ")


def test_several_units_are_one_value_and_others_may_be_repeated(run: Run, tmp_path: Path) -> None:
    words = [*"explain --classifier c --gan g --quiet --quiet --dry-run --out".split(), tmp_path]
    refused = run(*words, "--neuron", "3", "--neuron", "4", status=2)
    assert refused.error_line().endswith("name several as --neuron 0,3,8-11")
    done = run(*words, *"--neuron 3,4 --iterations 5 --iterations 9".split())
    shown = tomllib.loads(done.out)
    assert (shown["neuron"], shown["iterations"]) == ("3,4", [5, 9])


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("nosing", ["sing"], ""),
        ("sing", ["nosing"], ""),
        ("nosing", ["sing", "nosinging"], "nosinging"),
        ("Non-Vocal", ["vocal", "nonvocal"], "nonvocal"),
        ("vocl", ["nonvocal", "vocal"], "vocal"),
        ("unvoiced", ["voiced", "voice"], ""),
        ("not voiced", ["voiced"], ""),
        ("nroise", ["noise"], "noise"),
        ("norm1", ["norm2", "fc9"], "norm2"),
        ("fc8", ["fc9"], "fc9"),
        ("no", ["no", "yes"], "no"),
        ("speech", ["music"], ""),
        ("x", [], ""),
    ],
)
def test_a_near_miss_is_proposed_but_never_the_opposite(
    name: str, known: list[str], expected: str
) -> None:
    assert did_you_mean(name, known) == (f" (did you mean {expected!r}?)" if expected else "")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("ganexplain train", {"train-classifier", "train-gan", "train-explainer"}),
     ("ganexplain select --enc", {"--encoder"})],
)  # fmt: skip
def test_the_shell_completes_commands_and_options(typed: str, offered: set[str]) -> None:
    """As bash asks for it, by the function that `--install-completion` writes."""
    start = "import sys; sys.argv = ['ganexplain']; from ganexplain.cli import main; main()"
    asked = {"_GANEXPLAIN_COMPLETE": "complete_bash", "COMP_WORDS": typed}
    done = subprocess.run(
        [sys.executable, "-c", start],
        env=os.environ | asked | {"COMP_CWORD": str(len(typed.split()) - 1)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(done.stdout.split()) == offered


def test_a_word_without_its_option_is_named_with_the_option(command: Run) -> None:
    done = command("counterfactual", "my song.ogg@3", "--classifier", "c.pt", "--out", "x")
    assert done.code == 2
    said = "my song.ogg@3: is no option; did you mean --start-from 'my song.ogg@3'?"
    assert done.error_line() == said
    assert command("counterfactual", "song.ogg@3.5", "--help").code == 0
