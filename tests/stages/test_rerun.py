"""A run repeated from its directory alone, and two runs held against each other."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from support.commands import Run
from support.paths import PRETRAINED, ROOT
from support.recordings import JamendoFolder, song, write_sound

from ganexplain.files.arrays import write_arrays
from ganexplain.stages.rerun import Comparison, compare_files, compare_runs

CLASSIFIER = "--epochs 1 --updates-per-epoch 2 --batch-size 4 --preset quick --quiet".split()


@pytest.fixture
def trained(command: Run, jamendo: JamendoFolder, tmp_path: Path) -> Path:
    """A run whose paths are those of another folder."""
    os.chdir(tmp_path)
    done = command("train-classifier", "corpus", *CLASSIFIER, "--out", "runs/classifier")
    assert done.code == 0, done.err
    return tmp_path / "runs" / "classifier"


@pytest.fixture(autouse=True)
def back_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_run_is_repeated_from_its_directory_alone(
    command: Run, trained: Path, tmp_path: Path
) -> None:
    os.chdir("/")  # paths of the run are relative to where it was started
    done = command("rerun", trained, "--out", tmp_path / "again", "--json", "--quiet")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["equal"] and set(document["files"].values()) == {"equal"}
    assert {"classifier.pt", "test.csv", "metrics.jsonl"} <= set(document["files"])
    assert Path.cwd() == Path("/")


def test_the_workers_of_a_run_may_be_gone_or_have_their_former_name(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = command(
        "predict", jamendo.audio("one.wav"), "--classifier", PRETRAINED / "classifier.pt",
        "--workers", "1", "--out", run, "-q",
    )  # fmt: skip
    assert done.code == 0, done.err
    settings = (run / "config.toml").read_text()
    for number, line in enumerate(('workers = "tcp://127.0.0.1:9"', 'jobs = "1"')):
        (run / "config.toml").write_text(settings.replace('workers = "1"', line))
        done = command("rerun", run, "--out", tmp_path / f"again-{number}", "--json")
        assert done.code == 0 and json.loads(done.out)["equal"], done.err
        words = "the run used a Dask scheduler; it is repeated on this machine"
        assert (words in done.err.splitlines()) == (not number)


def test_a_training_is_repeated_without_its_scheduler(
    command: Run, trained: Path, tmp_path: Path
) -> None:
    settings = trained / "config.toml"
    gone = f'scheduler-file = "{tmp_path / "gone.json"}"'
    settings.write_text(settings.read_text().replace('scheduler-file = ""', gone))
    assert gone in settings.read_text()
    done = command("rerun", trained, "--out", tmp_path / "again", "--json")
    assert done.code == 0 and json.loads(done.out)["equal"], done.err
    assert "the run used a Dask scheduler; it is repeated on this machine" in done.err


def test_an_input_that_changed_is_named(
    command: Run, trained: Path, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    labels = jamendo.label_file("two.flac")
    before = labels.read_text()
    labels.write_text(before + "4.0 4.5 nosing\n")
    done = command("rerun", trained, "--out", tmp_path / "again")
    assert done.code == 2
    assert "corpus/labels/two.lab: has changed since" in done.error_line()
    labels.write_text(before)
    jamendo.audio("one.wav").unlink()
    done = command("rerun", trained, "--out", tmp_path / "again")
    assert done.code == 2 and "corpus/audio/one.wav: is gone since" in done.error_line()
    assert not (tmp_path / "again").exists()


def test_what_is_no_finished_run_is_refused(command: Run, trained: Path, tmp_path: Path) -> None:
    assert "not a run directory" in command("rerun", tmp_path, "--out", tmp_path / "x").error_line()
    done = command("rerun", trained, "--out", trained)
    assert done.code == 2 and "is the run to repeat" in done.error_line()
    record = json.loads((trained / "run.json").read_text())
    (trained / "run.json").write_text(json.dumps(record | {"state": "interrupted"}))
    done = command("rerun", trained, "--out", tmp_path / "x")
    assert done.code == 2 and "that run is interrupted, not done" in done.error_line()
    (trained / "run.json").write_text(json.dumps(record | {"files": ["a", "b"]}))
    done = command("rerun", trained, "--out", tmp_path / "x")
    assert done.code == 2 and "run.json has no 'files'" in done.error_line()
    (trained / "run.json").write_text(json.dumps(record))
    settings = (trained / "config.toml").read_text()
    for wrong, told in (
        (settings.replace("epochs = 1", 'epochs = "one"'), "epochs is not a setting of"),
        (settings.replace("epochs = 1", "epoch = 1"), "'epoch' is not known (did you mean"),
        ("", "corpus is missing"),
    ):
        (trained / "config.toml").write_text(wrong)
        done = command("rerun", trained, "--out", tmp_path / "x")
        assert done.code == 2 and told in done.error_line(), done.err


def test_a_run_that_gives_something_else_is_said_to(
    command: Run, trained: Path, tmp_path: Path
) -> None:
    (trained / "test.csv").write_text("file\n")
    lines = (trained / "metrics.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    (trained / "metrics.jsonl").write_text(
        json.dumps(first | {"loss": first["loss"] + 0.25}) + "\n"
    )
    done = command("rerun", trained, "--out", tmp_path / "again", "--quiet")
    assert done.code == 1
    told = dict(line.split("\t") for line in done.out.splitlines())
    assert told["test.csv"] == "other content"
    assert told["metrics.jsonl"].startswith("0.loss: by at most 0.25")
    assert told["classifier.pt"] == "equal"


@pytest.mark.parametrize("name", ["del\x7f\x1b.wav", 'a "b" \\n.wav', "latin-\udcfc.wav"])
def test_a_run_on_files_of_odd_names_is_repeated(command: Run, tmp_path: Path, name: str) -> None:
    sound = write_sound(tmp_path / "plain.wav", song(1, seconds=2.0)).rename(tmp_path / name)
    classifier = ROOT / "sample_data" / "pretrained" / "classifier.pt"
    words = ("predict", sound, "--classifier", classifier, "-q", "--out")
    assert command(*words, tmp_path / "p").code == 0
    done = command("rerun", tmp_path / "p", "--out", tmp_path / "again", "-q")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out and "\x7f" not in done.out
    told = {line.split("\t")[-1] for line in done.out.splitlines() if "\t" in line}
    assert told == {"equal"}


def test_differences_are_told_by_key_and_size(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    values = {"response": np.array([1.0, 2.0]), "seconds": np.array(1.0), "file": np.array(["a"])}

    def write(run: Path, seconds: float = 1.0, **changed: np.ndarray) -> None:
        meta = {"measures": {"seconds": seconds, "drop": 0.5}}
        write_arrays(run / "a.npz", "attribution", {**values, **changed}, meta)

    def told() -> str:
        return compare_files(one / "a.npz", other / "a.npz").difference

    write(one)
    write(other)
    assert told() == ""
    write(other, seconds=9.0)
    assert compare_runs(one, other) == {"a.npz": Comparison()}  # another time, the same result
    write(other, response=np.array([1.0, 2.5]))
    assert told() == "response: by at most 0.5, of at most 2"
    write(other, file=np.array(["b"]))
    assert told() == "file: other texts"
    write(other, file=np.array(["b", "c"]))
    assert told().startswith("file: <U1 (1,) against <U1 (2,)")
    write(other, more=np.ones(2))  # as a later version may write
    assert compare_runs(one, other) == {"a.npz": Comparison(new_keys=("more",))}
    assert compare_runs(other, one)["a.npz"].difference == f"more: missing in {one / 'a.npz'}"
    (other / "a.npz").unlink()
    assert compare_runs(one, other) == {"a.npz": Comparison(f"missing in {other}")}
