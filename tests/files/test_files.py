"""Files: what was written is read, a damaged one is named, a failed one is not there."""

from __future__ import annotations

import errno
import io
import json
import os
import tempfile
import tomllib
import zipfile
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ganexplain.classifiers.checkpoint import Classifier, load_classifier, write_classifier
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.cli.early import refuse_early
from ganexplain.cli.errors import one_line_errors
from ganexplain.config import (
    DemoConfig,
    ExplainConfig,
    LabelStemsConfig,
    RunConfig,
    TrainClassifierConfig,
    toml_text,
)
from ganexplain.errors import DISK_FULL, GanexplainError, UsageError
from ganexplain.files import atomic
from ganexplain.files.arrays import (
    read_arrays,
    scratch_array,
    try_open_array,
    write_arrays,
    write_rows,
)
from ganexplain.files.atomic import atomic_file, file_hash, read_json, write_bytes, write_json
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint
from ganexplain.gans.checkpoint import load_generator
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import check_same_front_end, front_end_from_dict
from ganexplain.pipeline.steps import check_new_way
from ganexplain.runs.directory import RunDirectory
from ganexplain.stages.run import WAY

ARRAYS = {
    "mel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "count": np.array(7),
    "names": np.array(["a", "ü 歌"]),
    "empty": np.zeros((0, 5)),
    "file": np.array(["one.ogg", "two.ogg"]),
}
META = {"layer": "fc9", "neuron": 0, "text": 'ü\n"quoted"', "list": [1, 2.5, None]}


def names_in(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


# --- arrays ---------------------------------------------------------------------------------


def test_arrays_come_back(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.npz"
    write_arrays(path, "thing", ARRAYS, META)
    arrays, meta = read_arrays(path, "thing", list(ARRAYS))
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    assert meta == {"kind": "thing", "schema": 1, **META}


def test_any_npz_reader_can_read_them(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", "thing", ARRAYS, META)
    with np.load(tmp_path / "a.npz") as archive:
        assert sorted(archive.files) == sorted(["meta", *ARRAYS])
        assert json.loads(str(archive["meta"]))["layer"] == "fc9"
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.testzip() is None


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_arrays(tmp_path / name, "thing", ARRAYS, META)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert file_hash(tmp_path / "a.npz") == file_hash(tmp_path / "b.npz")


def test_arrays_that_are_not_contiguous_come_back(tmp_path: Path) -> None:
    array = np.arange(60).reshape(3, 4, 5).transpose(2, 0, 1)[::2]
    write_arrays(tmp_path / "a.npz", "thing", {"x": array}, {})
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz", "thing", ["x"])[0]["x"], array)


def test_objects_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        write_arrays(tmp_path / "a.npz", "thing", {"x": np.array([{}], dtype=object)}, {})
    assert names_in(tmp_path) == []


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    meta = json.dumps({"kind": "thing", "schema": 1})
    np.savez(path, meta=np.array(meta), x=np.array([print], dtype=object))
    with pytest.raises(GanexplainError, match=r"a\.npz: not a complete thing file"):
        read_arrays(path, "thing", [])


def test_every_cut_is_noticed_and_named(tmp_path: Path) -> None:
    path = tmp_path / "explanations.npz"
    write_arrays(path, "explanations", ARRAYS, META)
    whole = path.read_bytes()
    for length in [*range(0, 40), *range(40, len(whole), 37), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(GanexplainError, match=r"explanations\.npz: not a complete") as caught:
            read_arrays(path, "explanations", [])
        assert len(str(caught.value).splitlines()) == 1
        assert caught.value.exit_status == 1


def test_a_changed_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    values = np.arange(3, dtype=np.float32)
    write_arrays(path, "thing", {"x": values}, {})
    whole = path.read_bytes()
    for at in range(len(whole)):
        content = bytearray(whole)
        content[at] ^= 0xFF
        path.write_bytes(bytes(content))
        try:
            arrays, _ = read_arrays(path, "thing", ["x"])
        except GanexplainError as error:
            assert "a.npz" in str(error)
        else:
            np.testing.assert_array_equal(arrays["x"], values)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"PK\x05\x06" + bytes(18), b"\x93NUMPY\x01\x00", bytes(1000)]
)
def test_foreign_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(GanexplainError, match=r"a\.npz: not a complete thing file"):
        read_arrays(path, "thing", [])


def test_single_array_in_place_of_several_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_rows(path, [np.zeros(3)])
    with pytest.raises(GanexplainError, match=r"a\.npz: not a complete thing file"):
        read_arrays(path, "thing", [])


@pytest.mark.parametrize("meta", ["[]", "3", "null", "{", '"kind"', "{}"])
def test_npz_of_another_program_is_named(tmp_path: Path, meta: str) -> None:
    np.savez(tmp_path / "a.npz", meta=np.array(meta), x=np.zeros(2))
    with pytest.raises(GanexplainError, match=r"a\.npz"):
        read_arrays(tmp_path / "a.npz", "thing", [])
    np.savez(tmp_path / "a.npz", x=np.zeros(2))
    with pytest.raises(GanexplainError, match=r"a\.npz"):
        read_arrays(tmp_path / "a.npz", "thing", [])


def test_wrong_kind_schema_and_key_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_arrays(path, "responses", ARRAYS, {})
    with pytest.raises(UsageError, match=r"a\.npz: contains 'responses', but 'explanations'"):
        read_arrays(path, "explanations", [])
    with pytest.raises(GanexplainError, match=r"a\.npz: key 'latent' is missing"):
        read_arrays(path, "responses", ["mel", "latent"])
    write_arrays(path, "responses", ARRAYS, {"schema": 99})
    with pytest.raises(UsageError, match=r"a\.npz: schema 99"):
        read_arrays(path, "responses", [])


@pytest.mark.parametrize("read", [lambda p: read_arrays(p, "x", []), read_json, file_hash])
def test_missing_file_and_folder_are_named(tmp_path: Path, read: Any) -> None:
    faults = {tmp_path / "absent": "no such file", tmp_path: "a folder, where a file is needed"}
    for path, fault in faults.items():
        with pytest.raises(UsageError, match=f"{path.name}: {fault}"):
            read(path)


# --- JSON, hashes, single arrays ------------------------------------------------------------


def test_json_comes_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", META)
    assert read_json(tmp_path / "a.json") == META
    assert (tmp_path / "a.json").read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_refuses_what_is_not_finite(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": [value]})
    with pytest.raises(ValueError, match="JSON"):
        write_arrays(tmp_path / "a.npz", "thing", {}, {"x": value})
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"3", b"\xff\xfe", b"{'a': 1}"])
def test_json_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(GanexplainError, match=r"a\.json: ") as caught:
        read_json(tmp_path / "a.json")
    assert len(str(caught.value).splitlines()) == 1


def test_file_hash_is_sha_256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_hash(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    )


def test_absent_array_is_none_and_a_whole_one_is_mapped(tmp_path: Path) -> None:
    assert try_open_array(tmp_path / "absent.npy") is None
    write_rows(tmp_path / "a.npy", [ARRAYS["mel"]])
    mapped = try_open_array(tmp_path / "a.npy")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, ARRAYS["mel"])


# --- whole or not at all --------------------------------------------------------------------


def disk_full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_library_s_own_cache_on_a_full_disk_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """numba's, say, whose errors name no file."""
    with pytest.raises(SystemExit) as ended, one_line_errors():
        disk_full()
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"error: {DISK_FULL}\n"


class FullDisk(io.RawIOBase):
    """A file on a disk with room for a few bytes."""

    def __init__(self, handle: int, room: int) -> None:
        self.handle, self.room = handle, room

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return os.lseek(self.handle, offset, whence)

    def write(self, data: Any) -> int:
        if os.lseek(self.handle, 0, 1) + len(data) > self.room:
            disk_full()
        return os.write(self.handle, data)

    def fileno(self) -> int:
        return self.handle

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self.handle)


WRITERS = {
    "bytes": lambda path: write_bytes(path, bytes(100_000)),
    "json": lambda path: write_json(path, {"x": list(range(30_000))}),
    "array": lambda path: write_rows(path, [np.zeros(30_000)]),
    "arrays": lambda path: write_arrays(path, "thing", {"x": np.zeros(30_000)}, {}),
    "checkpoint": lambda path: write_checkpoint(path, "thing", {"x": torch.zeros(30_000)}),
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("kind", WRITERS)
def test_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def on_full_disk(handle: int, mode: str) -> Any:
        os.close(handle)
        return open("/dev/full", mode)  # noqa: PTH123

    monkeypatch.setattr(atomic.os, "fdopen", on_full_disk)
    with pytest.raises(GanexplainError, match="out: no space left on the disk; free some") as full:
        WRITERS[kind](tmp_path / "out")
    assert len(str(full.value).splitlines()) == 1
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind != "array"])  # numpy goes past
@pytest.mark.parametrize("room", [10, 5000, 99_000])
def test_disk_that_fills_up_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, room: int
) -> None:
    monkeypatch.setattr(
        atomic.os, "fdopen", lambda handle, mode: io.BufferedWriter(FullDisk(handle, room))
    )
    with pytest.raises(GanexplainError, match="out: no space left on the disk; free some"):
        WRITERS[kind](tmp_path / "out")
    assert names_in(tmp_path) == []


def test_numpys_short_write_is_a_full_disk(tmp_path: Path) -> None:
    # What numpy raises where a disk fills up within a large array: no number, only words.
    path = tmp_path / "a.npy"
    with pytest.raises(GanexplainError, match=r"a\.npy: no space left"), atomic_file(path):
        raise OSError("30000 requested and 8176 written")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failure_at_the_end_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": True})
    monkeypatch.setattr(atomic.os, call, disk_full)
    with pytest.raises(GanexplainError, match=r"a\.json: no space left"):
        write_json(path, {"new": True})
    monkeypatch.undo()
    assert names_in(tmp_path) == ["a.json"]
    assert read_json(path) == {"old": True}


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_interruption_while_writing_leaves_the_old_file(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(error), atomic_file(path) as stream:
        stream.write(b"half of the new")
        raise error
    assert names_in(tmp_path) == ["a.bin"]
    assert path.read_bytes() == b"old"


def test_nothing_stands_under_the_name_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with atomic_file(path) as stream:
        stream.write(b"content")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert names_in(tmp_path) == ["a.bin"]


def test_files_have_the_usual_permissions(tmp_path: Path) -> None:
    write_bytes(tmp_path / "ours", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    modes = [(tmp_path / name).stat().st_mode for name in ("ours", "plain")]
    assert modes[0] == modes[1]


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(GanexplainError, match=r"out\.json: cannot be written") as caught:
        write_json(tmp_path / "taken" / "out.json", {})
    assert len(str(caught.value).splitlines()) == 1
    assert names_in(tmp_path) == ["taken"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(GanexplainError, match=r"out\.json: cannot be written"):
            write_json(tmp_path / "out.json", {})
    finally:
        tmp_path.chmod(0o700)


# --- checkpoints ----------------------------------------------------------------------------


def small_classifier(front_end: FrontEnd = FrontEnd()) -> Classifier:  # noqa: B008
    torch.manual_seed(0)
    return Classifier(SVDNet(1), front_end, ("nosing", "sing"), 0.25, {"valid": {"auroc": 0.9}})


def test_checkpoint_comes_back(tmp_path: Path) -> None:
    content: dict[str, Any] = {
        "weights": {"w": torch.randn(3, 4)},
        "list": [1, "a"],
        "none": None,
        "x": 0.5,
    }
    write_checkpoint(tmp_path / "a.pt", "thing", content)
    read = read_checkpoint(tmp_path / "a.pt", "thing")
    assert torch.equal(read["weights"]["w"], content["weights"]["w"])
    assert {key: read[key] for key in ("list", "none", "x")} == {
        "list": [1, "a"],
        "none": None,
        "x": 0.5,
    }


def test_classifier_comes_back(tmp_path: Path) -> None:
    written = small_classifier()
    path = tmp_path / "classifier.pt"
    write_classifier(path, written, TrainClassifierConfig(corpus=("x",)))
    read = load_classifier(path, torch.device("cpu"))
    assert (read.front_end, read.classes, read.threshold, read.figures) == (
        written.front_end,
        written.classes,
        written.threshold,
        written.figures,
    )
    mel = torch.randn(2, 80, 115)
    with torch.no_grad():
        torch.testing.assert_close(read.network(mel), written.network.eval()(mel))


class Planted:
    """An object whose loading would run code."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch planted",))


def test_checkpoint_with_code_in_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.pt"
    torch.save({"kind": "thing", "schema": 1, "x": Planted()}, path)
    with pytest.raises(GanexplainError, match=r"a\.pt: not a complete ganexplain check") as caught:
        read_checkpoint(path, "thing")
    assert len(str(caught.value).splitlines()) == 1
    assert names_in(tmp_path) == ["a.pt"]


def test_every_cut_of_a_checkpoint_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    write_checkpoint(path, "thing", {"x": torch.zeros(500)})
    whole = path.read_bytes()
    for length in [0, 1, 3, 4, 60, *range(100, len(whole), 211), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(GanexplainError, match=r"a\.pt: not a complete") as caught:
            read_checkpoint(path, "thing")
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {}}, torch.zeros(3), 5])
def test_checkpoint_of_another_program_is_named(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(
        UsageError, match=r"a\.pt: not a ganexplain checkpoint, but 'gan' is needed"
    ):
        read_checkpoint(tmp_path / "a.pt", "gan")


def test_wrong_kind_and_schema_of_checkpoint_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    write_checkpoint(path, "classifier", {})
    with pytest.raises(UsageError, match=r"a\.pt: contains 'classifier', but 'gan' is needed"):
        read_checkpoint(path, "gan")
    write_checkpoint(path, "gan", {"schema": 99})
    with pytest.raises(UsageError, match=r"a\.pt: schema 99"):
        read_checkpoint(path, "gan")
    with pytest.raises(UsageError, match=r"absent\.pt: no such file"):
        read_checkpoint(tmp_path / "absent.pt", "gan")


@pytest.mark.parametrize("missing", ["outputs", "weights", "front_end", "classes", "threshold"])
def test_key_missing_from_a_classifier_is_named(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "classifier.pt"
    write_classifier(path, small_classifier(), TrainClassifierConfig(corpus=("x",)))
    content = {k: v for k, v in read_checkpoint(path, "classifier").items() if k != missing}
    write_checkpoint(path, "classifier", content)
    with pytest.raises(GanexplainError, match=rf"classifier\.pt: .*{missing}"):
        load_classifier(path, torch.device("cpu"))


@pytest.mark.parametrize("missing", ["generator", "front_end"])
def test_key_missing_from_a_gan_is_named(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "gan.pt"
    content = {"generator": {}, "front_end": asdict(FrontEnd())}
    del content[missing]
    write_checkpoint(path, "gan", content)
    with pytest.raises(GanexplainError, match=rf"gan\.pt: .*{missing}"):
        load_generator(path, torch.device("cpu"))


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = tmp_path / "classifier.pt"
    write_classifier(path, small_classifier(), TrainClassifierConfig(corpus=("x",)))
    content = read_checkpoint(path, "classifier")
    for spoil, part in (
        (lambda w: w.pop("fc8.weight"), "fc8.weight"),
        (lambda w: w.update({"fc8.weight": torch.zeros(3)}), "fc8.weight"),
        (lambda w: w.update({"fc8.bias": torch.full((64,), torch.nan)}), "fc8.bias"),
    ):
        weights = dict(content["weights"])
        spoil(weights)
        write_checkpoint(path, "classifier", {**content, "weights": weights})
        with pytest.raises(GanexplainError, match=r"classifier\.pt: weight") as caught:
            load_classifier(path, torch.device("cpu"))
        assert part in str(caught.value)


# --- front ends -----------------------------------------------------------------------------


def test_front_end_comes_back() -> None:
    front_end = replace(FrontEnd(), hop_length=441, floor=1e-5)
    assert front_end_from_dict(Path("a.pt"), asdict(front_end)) == front_end


def test_front_end_with_an_unknown_field_is_named() -> None:
    with pytest.raises(GanexplainError, match=r"a\.pt: front end not understood .*colours"):
        front_end_from_dict(Path("a.pt"), {"colours": 13})


@pytest.mark.parametrize(("field", "value"), [("hop_length", 441), ("floor", 1e-5)])
def test_front_ends_that_differ_are_named_with_the_field(field: str, value: Any) -> None:
    ours, theirs = FrontEnd(), replace(FrontEnd(), **{field: value})
    check_same_front_end((Path("a.pt"), ours), (Path("b.pt"), FrontEnd()))
    with pytest.raises(UsageError, match=rf"a\.pt and b\.pt .*{field} is .* and {value:g}"):
        check_same_front_end((Path("a.pt"), ours), (Path("b.pt"), theirs))


# --- run directories ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "config"),
    [
        ("train-classifier", TrainClassifierConfig(corpus=('/music/my "set" \\ ü 歌 😀',))),
        (
            "train-classifier",
            TrainClassifierConfig(corpus=("tab\tline\nend",), learning_rate=1e-30),
        ),
        ("train-classifier", TrainClassifierConfig(corpus=("\x7f\x1b\x00\x85\u2028",), seed=7)),
        ("explain", ExplainConfig(classifier="a", gan="b", iterations=(1, 2))),
        ("label-stems", LabelStemsConfig(stems="x")),
    ],
)
def test_settings_in_toml_are_the_settings(stage: str, config: Any) -> None:
    read = tomllib.loads(toml_text(stage, config))
    wanted = {
        name.replace("_", "-"): list(value) if isinstance(value, tuple) else value
        for name, value in asdict(config).items()
    }
    assert read == wanted


def run_in(path: Path, overwrite: bool = False) -> RunDirectory:
    return RunDirectory(path, "explain", ExplainConfig(classifier="a", gan="b", seed=3), overwrite)


def test_run_directory_tells_how_it_ended(tmp_path: Path) -> None:
    with run_in(tmp_path / "deep" / "run") as run:
        assert read_json(run.path / "run.json")["state"] == "running"
        run.log("hello")
        run.metric(loss=0.5)
        run.results["answer"] = 42
    done = read_json(run.path / "run.json")
    assert (done["state"], done["seed"], done["results"]) == ("done", 3, {"answer": 42})
    assert " hello\n" in (run.path / "log.txt").read_text()
    assert json.loads((run.path / "metrics.jsonl").read_text()) == {"loss": 0.5}
    assert tomllib.loads((run.path / "config.toml").read_text())["seed"] == 3


@pytest.mark.parametrize(
    ("error", "state"), [(GanexplainError, "failed"), (KeyboardInterrupt, "interrupted")]
)
def test_run_directory_tells_that_it_failed(
    tmp_path: Path, error: type[BaseException], state: str
) -> None:
    with pytest.raises(error), run_in(tmp_path / "run"):
        raise error("the reason")
    ended = read_json(tmp_path / "run" / "run.json")
    assert (ended["state"], ended["error"]) == (state, "the reason")


def test_only_run_directories_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="not empty; add --overwrite"):
        run_in(tmp_path / "run")
    with pytest.raises(UsageError, match="not a run directory"):
        run_in(tmp_path / "run", overwrite=True)
    assert (tmp_path / "run" / "thesis.tex").read_text() == "years of work"
    (tmp_path / "run" / "run.json").write_text('{"stage": "train-gan"}')
    with pytest.raises(UsageError, match="contains a run of train-gan, not of explain"):
        run_in(tmp_path / "run", overwrite=True)
    (tmp_path / "run" / "run.json").write_text('{"stage": "explain"}')
    run_in(tmp_path / "run", overwrite=True)
    assert names_in(tmp_path / "run") == ["log.txt"]  # which it holds


def test_file_in_place_of_the_run_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UsageError, match="is a file"):
        run_in(tmp_path / "run", overwrite=True)
    with pytest.raises(UsageError, match="cannot be created"):
        run_in(tmp_path / "run" / "below")
    with pytest.raises(UsageError, match=r"run/below: cannot be created \(Not a directory\)"):
        check_new_way(tmp_path / "run" / "below", ["responses"])
    check_new_way(tmp_path / "new" / "below", ["responses"])
    assert names_in(tmp_path) == ["run"]


def test_a_stage_that_run_does_not_have_does_not_stand_in_its_way(tmp_path: Path) -> None:
    assert tuple(step.name for step in WAY) == RunConfig.STAGES
    for stage in ("predict", "select"):
        (tmp_path / stage).mkdir()
        (tmp_path / stage / "a.csv").touch()
        (tmp_path / stage / "run.json").write_text(f'{{"stage": "{stage}", "state": "done"}}')
        if stage == "predict":
            refuse_early("demo", DemoConfig(), tmp_path, resume=False)
    with pytest.raises(UsageError, match="contains an earlier run"):
        refuse_early("demo", DemoConfig(), tmp_path, resume=False)


def test_run_directory_may_be_a_link_to_another_disk(tmp_path: Path) -> None:
    with run_in(tmp_path / "scratch"):
        pass
    (tmp_path / "scratch" / "old.npz").write_bytes(b"old")
    (tmp_path / "run").symlink_to(tmp_path / "scratch")
    with run_in(tmp_path / "run", overwrite=True):
        pass
    assert names_in(tmp_path / "scratch") == ["config.toml", "log.txt", "run.json"]


def test_a_scratch_array_is_written_and_read_and_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = scratch_array((3, 2), np.dtype(np.float32))
    found[1] = 5
    assert found.tolist() == [[0, 0], [5, 5], [0, 0]] and not list(tmp_path.iterdir())
    assert scratch_array((0, 4), np.dtype(np.float64)).shape == (0, 4)


def test_no_room_for_a_scratch_array_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> object:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stream = SimpleNamespace(write=full)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: nullcontext(stream))
    with pytest.raises(GanexplainError, match=r"no room for 0\.1 GB .*TMPDIR"):
        scratch_array((10**7,), np.dtype(np.float64))
