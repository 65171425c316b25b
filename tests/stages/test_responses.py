"""The parts of `responses`: made by any workers, kept for a resumed run, the same files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.paths import PRETRAINED
from support.recordings import JamendoFolder, song, write_sound

from ganexplain.config import ResponsesConfig
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.arrays import read_arrays
from ganexplain.runs.progress import NullProgress
from ganexplain.selection import response_parts
from ganexplain.stages.responses import responses

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def config(
    jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ResponsesConfig:
    """Two recordings to search and two held out, each a part, and units of three forms."""
    monkeypatch.setattr(response_parts, "RECORDINGS", 1)
    return ResponsesConfig(
        corpus=(str(jamendo.root),), classifier=str(PRETRAINED / "classifier.pt"),
        layer=("fc8:7", "conv5:3@max", "fc9:0"), top=2, hop_frames=60,
        cache=str(tmp_path / "cache"),
    )  # fmt: skip


class Stopped(NullProgress):
    """Ctrl-C after a number of parts."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def advance(self, units: int = 1, **values: float) -> None:
        self.left -= units
        if self.left == 0:
            raise KeyboardInterrupt


def files_of(run: Path) -> dict[str, bytes]:
    found = [*run.rglob("*.npz"), *run.rglob("*.csv")]
    return {str(path.relative_to(run)): path.read_bytes() for path in found}


def test_the_files_are_the_same_whoever_made_the_parts(
    config: ResponsesConfig, tmp_path: Path
) -> None:
    responses(config, tmp_path / "one", NullProgress())
    made = files_of(tmp_path / "one")
    assert len(made) == 4 and not (tmp_path / "one" / "parts").exists()
    with pytest.raises(KeyboardInterrupt):
        responses(config, tmp_path / "two", Stopped(after=1))
    parts = {part.name for part in (tmp_path / "two" / "parts").iterdir()}
    assert parts == {"train-000000.npy", "train-000000-centres.npy"}
    with pytest.raises(UsageError, match="--resume to continue"):
        responses(config, tmp_path / "two", NullProgress())
    progress = NullProgress()
    with ThreadPoolExecutor(2) as threads:
        responses(config, tmp_path / "two", progress, resume=True, executor=threads)
    assert "1 of 4 parts were done before" in progress.notes
    assert files_of(tmp_path / "two") == made
    again = NullProgress()
    written = (tmp_path / "two" / "run.json").read_bytes()
    assert len(responses(config, tmp_path / "two", again, resume=True)) == 3
    assert again.notes[-1].endswith("two: was done before; --overwrite computes it again")
    assert (tmp_path / "two" / "run.json").read_bytes() == written
    (tmp_path / "two" / "units.csv").unlink()
    responses(config, tmp_path / "two", NullProgress(), resume=True)
    assert files_of(tmp_path / "two") == made


def test_a_part_without_a_usable_file_is_empty(
    config: ResponsesConfig, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    (whole, *_) = responses(config, tmp_path / "whole", NullProgress())
    jamendo.list("train", "broken.wav")
    jamendo.audio("broken.wav").write_bytes(b"RIFF")
    jamendo.label_file("broken.wav").write_text("0.0 1.0 sing\n")
    jamendo.list("train", "short.wav")
    write_sound(jamendo.audio("short.wav"), song(1)[:100])
    jamendo.label_file("short.wav").write_text("0.0 0.004 sing\n")
    skipping, progress = replace(config, skip_bad_files=True), NullProgress()
    (found, *_) = responses(skipping, tmp_path / "found", progress)
    for name, reason in (("broken", ""), ("short", "shorter than one frame")):
        notes = [note for note in progress.notes if f"{name}.wav" in note]
        assert len(notes) == 1 and notes[0].startswith("skipped: ") and reason in notes[0]
    one, other = (read_arrays(path, "responses", ())[0] for path in (whole, found))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    with pytest.raises(GanexplainError, match=r"broken\.wav"):
        responses(config, tmp_path / "refused", NullProgress())


def test_parts_of_another_corpus_are_refused(config: ResponsesConfig, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        responses(config, tmp_path / "run", Stopped(after=1))
    parts = tmp_path / "run" / "parts"
    np.save(parts / "train-000000.npy", np.zeros((3, 2), np.float32))
    np.save(parts / "train-000000-centres.npy", np.zeros((3, 2), np.int64))
    with pytest.raises(GanexplainError, match="parts are not those of this corpus; remove"):
        responses(config, tmp_path / "run", NullProgress(), resume=True)


def test_a_run_with_other_settings_is_not_resumed(config: ResponsesConfig, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        responses(config, tmp_path / "run", Stopped(after=1))
    with pytest.raises(UsageError, match=r"hop-frames was 60 .*, now 61"):
        responses(replace(config, hop_frames=61), tmp_path / "run", NullProgress(), resume=True)


def test_a_held_out_recording_that_changes_meanwhile_is_named(
    config: ResponsesConfig, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        responses(config, tmp_path / "run", Stopped(after=4))
    write_sound(jamendo.audio("three.wav"), song(9))
    with pytest.raises(GanexplainError, match=r"three\.wav has changed since the run"):
        responses(config, tmp_path / "run", NullProgress(), resume=True)


def test_decisions_for_the_class_of_the_unit_are_counted(
    config: ResponsesConfig, tmp_path: Path
) -> None:
    """Of a threshold between two responses the larger ones are counted, of one above all none."""
    content = torch.load(PRETRAINED / "classifier.pt", weights_only=True)
    every = replace(config, layer=("fc9:0",), top=1000, hop_frames=200)  # none overlap

    def counted(name: str) -> tuple[np.ndarray, dict[str, object], list[str]]:
        progress = NullProgress()
        (path,) = responses(every, tmp_path / name, progress)
        arrays, meta = read_arrays(path, "responses", ())
        return np.sort(arrays["response"]), meta["class_decisions"], progress.notes

    values, _, _ = counted("shipped")
    for name, logit, found in (
        ("half", (values[0] + values[1]) / 2, len(values) - 1),
        ("none", values[-1] + 1, 0),
    ):
        content["threshold"] = float(1 / (1 + np.exp(-logit.astype(np.float64))))
        torch.save(content, tmp_path / f"{name}.pt")
        every = replace(every, classifier=str(tmp_path / f"{name}.pt"))
        _, decided, notes = counted(name)
        assert decided == {"class": "sing", "found": found, "excerpts": len(values)}
        assert any("cannot show what drives the unit upwards" in n for n in notes) == (not found)
