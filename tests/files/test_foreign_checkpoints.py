"""Checkpoints with objects of any kind: their tensors are read, and nothing else happens."""

from __future__ import annotations

import io
import pickle
import resource
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ganexplain.errors import GanexplainError
from ganexplain.files.archives import check_archive
from ganexplain.files.checkpoints import load_data
from ganexplain.files.foreign_checkpoints import MOST_WEIGHTS, load_tensors
from ganexplain.networks.loaders.weights import load_weights

PROTO, STOP = b"\x80\x02", b"."


class Called:
    """Pickled, a call of a function that is named."""

    def __init__(self, function: Callable[..., object], *given: object) -> None:
        self.function, self.given = function, given

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.function, self.given


def text(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def touching(folder: Path) -> dict[str, bytes]:
    """Pickles that each write the file `here` in a folder when Python loads them, in many ways."""
    path = str(folder / "here")
    code = f"open({path!r}, 'w')"
    (folder / "their_bomb.py").write_text(
        f"{code}\nclass Bomb:\n    def __setstate__(self, state):\n        {code}\n"
    )
    call = b"R"
    module = named("builtins", "__import__") + b"(" + text("io") + b"t" + call
    opened = named("builtins", "getattr") + b"(" + module + text("open") + b"t" + call
    items = b"(" + text(path) + text("w") + b"t"
    return {
        "reduce": pickle.dumps(Called(open, path, "w")),
        "eval": pickle.dumps(Called(eval, code), 2),
        "exec": pickle.dumps(Called(exec, code), 4),
        "system": PROTO + named("os", "system") + b"(" + text(f"touch {path}") + b"tR.",
        "posix": PROTO + named("posix", "system") + b"(" + text(f"touch {path}") + b"tR.",
        "import": PROTO + named("their_bomb", "Bomb") + STOP,
        "setstate": PROTO + named("their_bomb", "Bomb") + b")\x81}b.",
        "getattr": PROTO + opened + items + call + STOP,
        "instance": b"(" + text(path) + text("w") + b"iio\nopen\n.",
        "object": b"(" + named("io", "open") + text(path) + text("w") + b"o.",
        "inner load": PROTO + named("pickle", "loads") + b"("
        + b"B" + len(pickle.dumps(Called(open, path, "w"))).to_bytes(4, "little")
        + pickle.dumps(Called(open, path, "w")) + b"tR.",
        "in a table": pickle.dumps(
            {"x": {"y": Called(open, path, "w")}, "w": [Called(eval, code)]}, 2
        ),
    }  # fmt: skip


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes a file of torch.save with other instructions than torch wrote."""

    def write(pickled: bytes) -> Path:
        buffer = io.BytesIO()
        torch.save({"w": torch.arange(6.0)}, buffer)
        path = tmp_path / "file.ckpt"
        with zipfile.ZipFile(buffer) as before, zipfile.ZipFile(path, "w") as after:
            for name in before.namelist():
                content = pickled if name.endswith("data.pkl") else before.read(name)
                after.writestr(name, content)
        return path

    return write


WAYS = ("reduce", "eval", "exec", "system", "posix", "import", "setstate", "getattr", "instance",
        "object", "inner load", "in a table")  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_no_code_of_a_checkpoint_runs(
    way: str,
    written: Callable[[bytes], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pickles = touching(tmp_path)
    assert set(WAYS) == set(pickles)
    monkeypatch.syspath_prepend(tmp_path)
    path = written(pickles[way])
    load_tensors(path)
    with pytest.raises(GanexplainError, match="has no table of weights"):
        load_weights(nn.Linear(2, 2), str(path))
    assert not (tmp_path / "here").exists()
    assert "their_bomb" not in sys.modules
    pickle.loads(pickles[way])  # which does what is promised not to happen
    assert (tmp_path / "here").exists()
    sys.modules.pop("their_bomb", None)


def tensor(size: bytes, stride: bytes = b"K\x01\x85", numel: bytes = b"K\x06") -> bytes:
    """The instructions that make a tensor of the storage in the file."""
    storage = b"(" + text("storage") + named("torch", "FloatStorage") + text("0") + text("cpu")
    storage += numel + b"tQ"
    rest = b"\x89" + named("collections", "OrderedDict") + b")R"
    made = named("torch._utils", "_rebuild_tensor_v2")
    return made + b"(" + storage + b"K\x00" + size + stride + rest + b"tR"


SIX = tensor(b"K\x06\x85")
WIDE = tensor(b"K\x01J\x00\x00\x10\x00\x86", b"K\x00K\x00\x86")  # (1, 2^20) of one number
TALL = tensor(b"J\x00\x00\x10\x00K\x01\x86", b"K\x00K\x00\x86")  # their sum takes terabytes


def test_the_instructions_of_these_tests_make_a_tensor(written: Callable[[bytes], Path]) -> None:
    path = written(PROTO + SIX + STOP)
    found: Any = load_tensors(path)
    assert torch.equal(found, torch.arange(6.0))
    assert torch.equal(torch.load(path, weights_only=False), torch.arange(6.0))


HARMFUL = {
    "a tensor larger than its storage": PROTO + tensor(b"J\x00\x00\x00\x40\x85") + STOP,
    "a tensor before its storage": PROTO + tensor(b"K\x06\x85", b"J\xff\xff\xff\xff\x85") + STOP,
    "a storage larger than its record": PROTO
    + tensor(b"K\x06\x85", numel=b"\x8a\x05\x00\x00\x00\x00\x10") + STOP,
    "a storage smaller than its record": PROTO + tensor(b"K\x06\x85", numel=b"K\x01") + STOP,
    "a number for which memory is taken": PROTO + b"}r\xff\xff\xff\x7f" + STOP,
    "bytes that are not there": b"\x80\x05\x96" + (10**12).to_bytes(8, "little") + STOP,
    "a method of a tensor": b"\x80\x04" + WIDE + b"(" + TALL + b"\x90" + STOP,
    "items of a tensor": PROTO + SIX + b"K\x00K\x07s" + STOP,
    "a state of a tensor": PROTO + SIX + b"(" + SIX + b"K\x00K\x06\x85K\x01\x85tb" + STOP,
    "a state of a function": PROTO + named("torch._utils", "_rebuild_tensor_v2") + b"}b" + STOP,
    "an attribute of a function": PROTO
    + named("torch._utils", "_rebuild_tensor_v2") + b"N}" + text("content") + b"Ns\x86b" + STOP,
    "an attribute of a class": PROTO
    + named("torch.storage", "UntypedStorage") + b"N}" + text("dtype") + b"Ns\x86b" + STOP,
    "an attribute of a type": PROTO + named("torch", "float32") + b"N}" + text("x") + b"Ns\x86b"
    + STOP,
    "a key that is hashed for ever": PROTO + b")q\x000"
    + b"".join(b"h%ch%c\x86q%c0" % (n, n, n + 1) for n in range(60)) + b"}h\x3cNs" + STOP,
    "an item that is hashed for ever": b"\x80\x04)\x940"
    + b"".join(b"h%ch%c\x86\x940" % (n, n) for n in range(60)) + b"\x8f(h\x3c\x90" + STOP,
    "a key of tuples in tuples": PROTO + b"})" + b"\x85" * 10**6 + b"Ns" + STOP,
    "a key that is the one before twice": PROTO + b"}N" + b"q\x01h\x01\x86" * 60 + b"Ns" + STOP,
    "more than there is": PROTO + b"}s" + STOP,
    "an end too soon": PROTO + b"}",
    "another archive's instructions": b"",
}  # fmt: skip


@pytest.mark.parametrize("name", HARMFUL)
def test_harmful_instructions_are_refused_cheaply(
    name: str, written: Callable[[bytes], Path]
) -> None:
    path = written(HARMFUL[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Exception) as caught:  # torch and pickle raise many kinds
        load_tensors(path)
    assert not isinstance(caught.value, MemoryError | RecursionError)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18  # kilobytes
    with pytest.raises(GanexplainError) as refused:
        load_weights(nn.Linear(2, 2), str(path))
    assert "\n" not in str(refused.value)
    # What follows is read as before.
    found: Any = load_tensors(written(PROTO + SIX + STOP))
    assert torch.equal(found, torch.arange(6.0))


@pytest.mark.parametrize("name", [name for name in HARMFUL if "key" in name])
def test_plain_data_are_checked_as_well(
    name: str, written: Callable[[bytes], Path], tmp_path: Path
) -> None:
    """In a file of torch before 1.6, in the fourth of its five pickles."""
    torch.save({}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    old = (tmp_path / "old.pt").read_bytes()
    assert old.count(b"\x80\x02}q\x00.") == 1
    (tmp_path / "old.pt").write_bytes(old.replace(b"\x80\x02}q\x00.", HARMFUL[name]))
    for path in (written(HARMFUL[name]), tmp_path / "old.pt"):
        with pytest.raises(ValueError, match=r"keys of more than|more than 100 tuples"):
            load_data(path)


def larger_than_four_gigabytes(path: Path) -> None:
    """Write an archive with the records of one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", b"content")
    assert b"PK\6\6" in path.read_bytes()


def test_an_archive_has_its_directory_where_torch_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"content")
        archive.comment = b"of someone"
    small = path.read_bytes()
    larger_than_four_gigabytes(path)
    torch.save({"w": torch.ones(2)}, tmp_path / "b.pt")
    with zipfile.ZipFile(tmp_path / "none.zip", "w"):
        pass
    none = (tmp_path / "none.zip").read_bytes()
    for content in (small, path.read_bytes(), (tmp_path / "b.pt").read_bytes(), none):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_archive(archive, len(content))
        with (
            zipfile.ZipFile(io.BytesIO(b"another" + content)) as archive,
            pytest.raises(ValueError, match="whose directory is not where its end says"),
        ):
            check_archive(archive, len(content) + len(b"another"))


def test_a_program_is_no_checkpoint(tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="a program"):
        load_tensors(tmp_path / "a.ckpt")
    torch.save({"x": 1}, tmp_path / "a.ckpt", _use_new_zipfile_serialization=False)
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        load_tensors(tmp_path / "a.ckpt")


def test_a_network_that_contains_itself_many_times_is_refused(tmp_path: Path) -> None:
    """Sixty layers, each twice the one before: 2^60 names."""
    network: nn.Module = nn.Linear(2, 2)
    for _ in range(60):
        network = nn.Sequential(network, network)
    torch.save(network, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=f"more than {MOST_WEIGHTS:,} weights"):
        load_tensors(tmp_path / "a.ckpt")


class Buffers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.ones(2))
        self.register_buffer("passing", torch.ones(3), persistent=False)
        self.register_buffer("none", None)
        self.weight = nn.Parameter(torch.ones(4))
        self.inner = nn.BatchNorm1d(3)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_whole_network_has_the_weights_of_its_state_dict(tmp_path: Path, protocol: int) -> None:
    network = nn.Sequential(Buffers(), nn.Conv1d(2, 3, 5).half(), nn.GRU(2, 3, num_layers=2))
    torch.save({"model": network}, tmp_path / "a.ckpt", pickle_protocol=protocol)
    found: Any = load_tensors(tmp_path / "a.ckpt")
    torch.testing.assert_close(found["model"], dict(network.state_dict()))


def test_tensors_of_rare_types_are_read(tmp_path: Path) -> None:
    values = {
        str(dtype): torch.arange(4).to(dtype)
        for dtype in (
            torch.bfloat16,
            torch.float8_e4m3fn,
            torch.uint16,
            torch.bool,
            torch.complex64,
        )
    }
    values |= {"empty": torch.empty(0), "transposed": torch.arange(6).view(2, 3).T}
    torch.save(values | {"object": Path("a")}, tmp_path / "a.ckpt")
    found: Any = load_tensors(tmp_path / "a.ckpt")
    for name, value in values.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name].to(torch.complex128), value.to(torch.complex128))


def test_conjugates_and_negatives_are_read_as_such(tmp_path: Path) -> None:
    values = {
        "conjugate": torch.tensor([1 + 2j, 3 - 4j]).conj(),
        "negative": torch.tensor([1 + 2j, 3 - 4j]).conj().imag,
    }
    assert values["conjugate"].is_conj() and values["negative"].is_neg()
    torch.save(values | {"object": Path("a")}, tmp_path / "a.ckpt")
    found: Any = load_tensors(tmp_path / "a.ckpt")
    assert found["conjugate"].tolist() == [1 - 2j, 3 + 4j]
    assert found["negative"].tolist() == [-2, 4]
