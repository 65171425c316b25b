"""Names made from other names fit into a file system, and stay distinct."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Run
from support.paths import ROOT
from support.recordings import noise, write_sound

from ganexplain.artifacts.plan import Part, SearchTarget
from ganexplain.errors import GanexplainError
from ganexplain.files import atomic
from ganexplain.files.atomic import UNFINISHED, remove_unfinished, write_text
from ganexplain.files.names import (
    LONGEST,
    distinct_names,
    safe_name_part,
    shorten_name,
    truncate_name,
)
from ganexplain.networks.readings import Channel, Direction
from ganexplain.networks.units import Unit

CLASSIFIER = ROOT / "sample_data" / "pretrained" / "classifier.pt"


def size(name: str) -> int:
    return len(os.fsencode(name))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), max_size=300),
       st.sampled_from(["", ".csv", "-at-12.50"]))  # fmt: skip
def test_a_name_fits_and_stays_where_it_did(name: str, ending: str) -> None:
    found = shorten_name(name, ending)
    assert size(found) <= LONGEST and found.endswith(ending)
    assert (found == name + ending) == (size(name + ending) <= LONGEST)


@pytest.mark.parametrize("letter", ["x", "\u66f2", "\U0001f3b5", "\udcff"])
def test_long_names_that_differ_at_their_end_stay_distinct(letter: str) -> None:
    names = [letter * 300 + last for last in "ab"] + [letter * 300 + "a"]
    found = distinct_names(names, 251)
    assert len(set(found)) == 3 and all(size(name) <= 251 for name in found)


def test_a_cut_name_has_whole_characters() -> None:
    assert truncate_name("a\u66f2\u66f2", 5) == "a\u66f2"


def test_units_of_long_names_have_files() -> None:
    long = "network." * 40
    readings = (Channel(0), Direction(Path("c" * 300 + ".npy"), "0123abcd"))
    units = [Unit(long + last, reading) for last in "ab" for reading in readings]
    names = [Part(SearchTarget(unit, "max"), 7, 0, 1).name for unit in units]
    assert len(set(names)) == 4 and all(size(name) <= 240 for name in names)
    assert safe_name_part("features.3") == "features.3"


@pytest.mark.parametrize(
    "name",
    ["\u66f2" * 82 + ".wav", "y" * 250 + ".flac", "e\u0301" * 83 + ".wav"],
    ids=["cjk", "latin", "accents"],
)
def test_a_recording_of_a_long_name_is_predicted_under_it(
    tmp_path: Path, command: Run, name: str
) -> None:
    sound = write_sound(tmp_path / name, noise(2.0))
    done = command("predict", sound, "--classifier", CLASSIFIER, "--out", tmp_path / "p", "-q")
    assert done.code == 0, done.err
    for kind in ("csv", "lab", "png"):
        assert (tmp_path / "p" / f"{sound.stem}.{kind}").is_file()


def test_what_a_killed_process_left_of_a_long_name_goes(tmp_path: Path) -> None:
    path = tmp_path / ("\u66f2" * 84)
    seen: list[str] = []

    def stop(temporary: Path, final: Path) -> bool:
        seen.append(temporary.name)
        (tmp_path / f".left{UNFINISHED}").hardlink_to(temporary)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(atomic, "_rename", stop)
        write_text(path, "half")
    (left,) = tmp_path.iterdir()
    assert size(seen[0]) <= LONGEST and left.name == f".left{UNFINISHED}"
    remove_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("renames", [0, 1])
def test_a_folder_that_is_replaced_is_on_disk_whenever_the_process_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    done = 0

    def killed(self: Path, target: Path) -> Path:
        nonlocal done
        done += 1
        if done > renames:
            raise KeyboardInterrupt
        return self.rename(target)

    def write(text: str) -> None:
        with atomic.atomic_folder(tmp_path / "files") as folder:
            (folder / "a").write_text(text)

    write("1")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        write("2")
    assert [path.read_text() for path in tmp_path.rglob("a")] == ["1"]
    write("3")
    assert [path.read_text() for path in tmp_path.rglob("a")] == ["3"]


# --- file systems that lack something -----------------------------------------------------


def refusing(
    call: Callable[..., Any], number: int, when: Callable[..., bool]
) -> Callable[..., Any]:
    def refuse(*arguments: Any, **more: Any) -> Any:
        if when(*arguments):
            raise OSError(number, os.strerror(number))
        return call(*arguments, **more)

    return refuse


@pytest.mark.parametrize(
    ("name", "number"),
    [("fsync", errno.EINVAL), ("fsync", errno.ENOTSUP), ("chmod", errno.EPERM),
     ("fchmod", errno.EPERM), ("utime", errno.EPERM)],
)  # fmt: skip
def test_what_a_file_system_has_not_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    monkeypatch.setattr(os, name, refusing(getattr(os, name), number, lambda *a: True))
    write_text(tmp_path / "a.txt", "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.parametrize("number", [errno.EEXIST, errno.EACCES, errno.EPERM, errno.ETXTBSY])
@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("why", ["open", "over another"])
def test_file_systems_that_refuse_to_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, before: str | None, why: str
) -> None:
    final, opened = tmp_path / "a.txt", []
    if before:
        final.write_text(before)

    def is_open(source: Path, target: Path) -> bool:
        opened.append(1)
        return len(opened) == 1

    when = is_open if why == "open" else lambda source, target: Path(target).exists()
    monkeypatch.setattr(os, "replace", refusing(os.replace, number, when))
    write_text(final, "new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "new")]


def test_a_name_that_cannot_be_given_at_all_leaves_the_old_file_s_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", refusing(os.replace, errno.EIO, lambda *a: True))
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(GanexplainError, match="cannot be written"):
        write_text(tmp_path / "a.txt", "new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "old")]


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o002])
def test_files_have_the_rights_that_the_mask_leaves(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a.txt", "")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_lock_that_is_interrupted_for_ever_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def interrupted(descriptor: int, operation: int) -> int:
        calls.append(descriptor)
        return errno.EINTR

    monkeypatch.setattr(atomic, "_flock", interrupted)
    with (tmp_path / "log.txt").open("w") as stream:
        assert atomic.try_lock(stream) is None  # as on a file system without locks
    assert 1 < len(calls) < 1000
