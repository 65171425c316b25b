"""Run directories: one run at a time, whatever a killed one has left."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganexplain.config import AttributeConfig, ExplainConfig
from ganexplain.corpora.recordings import Recording, Segment
from ganexplain.errors import GanexplainError, Terminated, UsageError
from ganexplain.files.arrays import try_open_array, write_rows
from ganexplain.files.atomic import UNFINISHED, atomic_file, remove_unfinished
from ganexplain.runs import directory
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.interrupts import raise_interrupts
from ganexplain.runs.progress import NullProgress

CONFIG = ExplainConfig(gan="gan.pt")


def open_run(
    path: Path, overwrite: bool = False, resume: bool = False, share: str = ""
) -> RunDirectory:
    return RunDirectory(path, "explain", CONFIG, overwrite, resume, share)


@pytest.mark.parametrize("how", [{}, {"overwrite": True}, {"resume": True}])
def test_a_second_run_is_refused_while_one_is_at_work(tmp_path: Path, how: dict[str, Any]) -> None:
    with open_run(tmp_path):
        (tmp_path / "found.npz").write_bytes(b"of the first")
        with pytest.raises(UsageError, match=r"another run|not empty"):
            open_run(tmp_path, **how)
        assert (tmp_path / "found.npz").read_bytes() == b"of the first"
    with open_run(tmp_path, overwrite=True):
        assert not (tmp_path / "found.npz").exists()


def test_a_run_that_fails_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_run(tmp_path):
        raise ZeroDivisionError
    with pytest.raises(UsageError, match="direction was 'max'"):
        RunDirectory(tmp_path, "explain", replace(CONFIG, direction="min"), resume=True)
    with open_run(tmp_path, resume=True) as run:
        assert run.resumed


def test_shares_run_beside_each_other_but_not_twice_nor_beside_the_whole(tmp_path: Path) -> None:
    with open_run(tmp_path, share="0-of-2"), open_run(tmp_path, share="1-of-2"):
        for share in ("0-of-2", ""):
            with pytest.raises(UsageError, match="another run is writing"):
                open_run(tmp_path, resume=True, share=share)
    alone = pytest.raises(UsageError, match="another run is writing")
    with open_run(tmp_path, resume=True), alone:
        open_run(tmp_path, share="0-of-2")


@contextmanager
def power_cut(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, calls: int
) -> Iterator[None]:
    """In the block the function ends everything after so many calls."""
    real, left = getattr(module, name), [calls]

    def cut(*given: object, **named: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise SystemExit("power cut")
        return real(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(module, name, cut)
        with pytest.raises(SystemExit):
            yield


@pytest.mark.parametrize("calls", [0, 1])
def test_a_run_killed_as_it_begins_can_be_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """Before config.toml or before run.json is written."""
    functions = ("write_bytes", "write_json")
    with power_cut(monkeypatch, directory, functions[calls], 0), open_run(tmp_path):
        pass
    (tmp_path / f".run.json.abc{UNFINISHED}").write_text("{")
    with pytest.raises(UsageError, match="not empty; add --overwrite"):
        open_run(tmp_path)
    with open_run(tmp_path, overwrite=calls == 0, resume=calls == 1):
        assert not list(tmp_path.glob(f".*{UNFINISHED}"))


@pytest.mark.parametrize("calls", range(4))
def test_a_directory_half_cleared_is_cleared_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    with open_run(tmp_path):
        for name in ("a.npz", "b.npz", "c.npz"):
            (tmp_path / name).write_bytes(b"of the first")
    with power_cut(monkeypatch, Path, "unlink", calls):
        open_run(tmp_path, overwrite=True)
    with open_run(tmp_path, resume=True) as run:  # never on top of half a run
        assert not run.resumed or calls == 0
    with open_run(tmp_path, overwrite=True):
        assert {path.name for path in tmp_path.iterdir()} == {"config.toml", "run.json", "log.txt"}


def test_only_what_nobody_writes_is_removed(tmp_path: Path) -> None:
    dead = tmp_path / "parts" / f".a.npz.x1{UNFINISHED}"
    dead.parent.mkdir()
    dead.write_bytes(b"half")
    with atomic_file(tmp_path / "b.npz") as stream:
        stream.write(b"being written")
        remove_unfinished(tmp_path)
        assert not dead.exists()
    assert (tmp_path / "b.npz").read_bytes() == b"being written"


def test_rows_written_as_they_come_are_the_array(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((1234, 7)).astype(np.float32)
    write_rows(tmp_path / "blocks.npy", iter([rows[:1], rows[1:1000], rows[1000:]]))
    np.testing.assert_array_equal(try_open_array(tmp_path / "blocks.npy"), rows)
    np.save(tmp_path / "whole.npy", rows)
    assert (tmp_path / "blocks.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_an_interrupt_that_was_swallowed_is_raised_again() -> None:
    """By a callback of C code, of a compiler, say, whose errors Python can only print."""

    class Swallows:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.sigtimedwait([], 0.1)

    progress = NullProgress()
    with raise_interrupts() as came:
        gone = Swallows()
        del gone
        assert len(came) == 1
        with pytest.raises(Terminated):
            progress.advance()
        came.clear()
    progress.advance()


def failed(path: Path, *names: str, error: type[BaseException] = GanexplainError) -> None:
    with pytest.raises(error), open_run(path):
        for name in names:
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_text("{}")
        raise error("too late")


@pytest.mark.parametrize("error", [GanexplainError, KeyboardInterrupt, ZeroDivisionError])
def test_a_run_that_failed_before_any_result_does_not_stand_in_the_way(
    tmp_path: Path, error: type[BaseException]
) -> None:
    records = ("plan.json", "metrics.jsonl", "tensorboard/events")
    failed(tmp_path, *records, error=error)
    (tmp_path / "parts").mkdir()
    with open_run(tmp_path):
        assert not any((tmp_path / name).exists() for name in records)
    with pytest.raises(UsageError, match="not empty; add --overwrite"):  # that one came to its end
        open_run(tmp_path)


@pytest.mark.parametrize("name", ["training.pt", "parts/a.npz", "parts/run.json", "mine.txt"])
@pytest.mark.parametrize("error", [GanexplainError, KeyboardInterrupt])
def test_what_a_failed_run_has_made_is_kept(
    tmp_path: Path, name: str, error: type[BaseException]
) -> None:
    failed(tmp_path, name, error=error)
    way = "add --overwrite" if name == "mine.txt" else "--resume to continue, or --overwrite"
    with pytest.raises(UsageError, match=f"not empty; {way}"):
        open_run(tmp_path)
    assert (tmp_path / name).read_text() == "{}"


def test_a_share_after_failed_ones_says_what_to_do(tmp_path: Path) -> None:
    """It clears nothing by itself: others may be at work there."""
    other = replace(CONFIG, learning_rate=(0.5,))
    with pytest.raises(GanexplainError), open_run(tmp_path / "out", share="0-of-2"):
        raise GanexplainError("wrong input")
    remove = r"give the same, or remove .*out, where no share has done anything yet"
    with pytest.raises(UsageError, match=remove):
        RunDirectory(tmp_path / "out", "explain", other, share="0-of-2")
    with (
        open_run(tmp_path / "out", share="1-of-2"),
        pytest.raises(UsageError, match="give the same, or name another"),
    ):
        RunDirectory(tmp_path / "out", "explain", other, share="0-of-2")
    (tmp_path / "out" / "parts").mkdir()
    (tmp_path / "out" / "parts" / "a.npz").write_bytes(b"of an hour")
    with pytest.raises(UsageError, match="give the same, or name another"):
        RunDirectory(tmp_path / "out", "explain", other, share="0-of-2")
    with open_run(tmp_path / "out", share="0-of-2") as run:  # the same goes on
        assert run.resumed


def test_settings_that_a_run_of_an_earlier_version_lacks_have_their_defaults(
    tmp_path: Path,
) -> None:
    failed(tmp_path)
    settings = tmp_path / "config.toml"
    lines = settings.read_text().replace("workers = ", "jobs = ").splitlines()
    settings.write_text("\n".join(line for line in lines if not line.startswith("calls = ")))
    with open_run(tmp_path, resume=True) as run:
        assert run.resumed
    failed(tmp_path)
    settings.write_text("\n".join(line for line in lines if not line.startswith("calls = ")))
    with pytest.raises(UsageError, match=f"calls was {CONFIG.calls} in"):
        RunDirectory(tmp_path, "explain", replace(CONFIG, calls=CONFIG.calls + 1), resume=True)


def attribute_run(path: Path, **settings: object) -> RunDirectory:
    """Of a stage that cannot be taken up."""
    config = AttributeConfig(**{"inputs": ("song.wav",), "model": "net.pt", **settings})  # type: ignore[arg-type]
    return RunDirectory(path, "attribute", config)


def failed_attribute(path: Path, error: type[BaseException] = GanexplainError) -> None:
    with pytest.raises(error), attribute_run(path) as run:
        (run.path / "song").mkdir()
        (run.path / "song" / "whole.flac").write_bytes(b"")
        raise error("too late")


def test_what_a_failed_run_wrote_that_cannot_be_taken_up_gives_way(tmp_path: Path) -> None:
    failed_attribute(tmp_path)
    failed_attribute(tmp_path)  # the corrected command has a mistake, too
    with attribute_run(tmp_path):
        assert not (tmp_path / "song").exists()
    with pytest.raises(UsageError, match="not empty; add --overwrite"):
        attribute_run(tmp_path)


def test_only_what_this_command_left_after_a_failure_may_be_replaced(tmp_path: Path) -> None:
    """Not what lies beside it, not to another command, not what is read, not after Ctrl-C."""
    failed_attribute(tmp_path / "a")
    (tmp_path / "a" / "mine.txt").write_text("dear")
    failed_attribute(tmp_path / "c", KeyboardInterrupt)
    for name in ("a", "c"):
        with pytest.raises(UsageError, match="not empty; add --overwrite"):
            attribute_run(tmp_path / name)
    failed_attribute(tmp_path / "b")
    with pytest.raises(UsageError, match="not empty; add --overwrite"):
        open_run(tmp_path / "b")
    song = str(tmp_path / "b" / "song" / "whole.flac")
    with pytest.raises(UsageError, match=r"contains .*whole\.flac, an input; name another"):
        attribute_run(tmp_path / "b", inputs=(song,))
    assert Path(song).exists()


# --- what is noticed of inputs --------------------------------------------------------------


def recordings_of(folder: Path, **contents: tuple[str, bytes, float]) -> dict[str, list[Recording]]:
    """Recordings by split, each of a split, its bytes and where its one label ends."""
    splits: dict[str, list[Recording]] = {}
    for name, (split, content, end) in contents.items():
        path = folder / f"{name}.wav"
        path.write_bytes(content)
        segments = (Segment(0.0, end, 1),)
        splits.setdefault(split, []).append(Recording(path, split, segments, path))
    return splits


def test_copies_in_two_splits_or_with_other_labels_are_named(tmp_path: Path) -> None:
    splits = recordings_of(
        tmp_path, a=("train", b"A", 1.0), b=("train", b"A", 1.0), c=("train", b"A", 2.0),
        d=("train", b"D", 1.0), e=("valid", b"D", 1.0), f=("valid", b"F", 1.0),
    )  # fmt: skip
    with open_run(tmp_path / "run") as run:
        for name, recordings in splits.items():
            run.used_recordings(name, recordings)
            run.used_recordings(name, recordings)  # as one of several units does
    warnings = json.loads((tmp_path / "run" / "run.json").read_text())["warnings"]
    place = str(tmp_path)
    assert [warning.replace(f"{place}/", "") for warning in warnings] == [
        "c.wav (train) is a copy of a.wav with other labels; leave one",
        "e.wav (valid) is a copy of d.wav in train; leave one",
    ]
    assert warnings[0] in (tmp_path / "run" / "log.txt").read_text()


def test_files_left_out_are_listed_once(tmp_path: Path) -> None:
    shown = NullProgress()
    with open_run(tmp_path / "run") as run:
        progress = run.keep_notes(shown)
        for message in ("skipped: a.wav: is cut off", "epoch 1", "skipped: a.wav: is cut off"):
            progress.note(message)
    document = json.loads((tmp_path / "run" / "run.json").read_text())
    assert document["warnings"] == ["skipped: a.wav: is cut off"]
    assert shown.notes.count("epoch 1") == 1


def test_the_record_names_the_device_that_was_used(tmp_path: Path) -> None:
    used = "cuda" if torch.cuda.is_available() else "cpu"
    for asked, found in (("auto", used), ("cpu", "cpu"), ("cuda:1", "cuda:1")):
        config = ExplainConfig(classifier="a", gan="b", device=asked)
        with RunDirectory(tmp_path / asked, "explain", config) as run:
            pass
        assert json.loads((run.path / "run.json").read_text())["device"] == found


def test_the_record_of_a_finished_run_stays_until_the_stage_computes(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        run.results["found"] = 1
    record = (tmp_path / "run.json").read_bytes()
    for fault in (KeyboardInterrupt, GanexplainError):
        with pytest.raises(fault), open_run(tmp_path, resume=True):
            assert (tmp_path / "run.json").read_bytes() == record
            raise fault
        assert (tmp_path / "run.json").read_bytes() == record
    with pytest.raises(KeyboardInterrupt), open_run(tmp_path, resume=True) as run:
        run.note_inputs()
        assert json.loads((tmp_path / "run.json").read_text())["state"] == "running"
        raise KeyboardInterrupt
    assert json.loads((tmp_path / "run.json").read_text())["state"] == "interrupted"
