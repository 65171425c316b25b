"""Files made to harm: they cost one line, not memory, not other files, and run nothing.

What the fuzzer (tests/torture) has found stands here too, as the smallest file that shows it.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.commands import Run
from support.paths import PRETRAINED, ROOT
from support.recordings import JamendoFolder, noise, write_sound
from support.report_artifacts import Artifacts
from torture import fuzzing
from torture.fuzzing import Session, mutated
from torture.readers import Reader, readers

from ganexplain.artifacts.explanations import read_explanations
from ganexplain.artifacts.plan import read_plan
from ganexplain.artifacts.selection import read_selection
from ganexplain.audio.io import load_mono, read_duration
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.config import SelectConfig
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.picture_files import picture_spec
from ganexplain.errors import LONGEST, BadFile, GanexplainError, UsageError
from ganexplain.files.arrays import (
    read_arrays,
    read_meta,
    read_vector,
    try_open_array,
    write_arrays,
)
from ganexplain.files.atomic import file_hash, read_json, write_json
from ganexplain.files.bounded import read_toml
from ganexplain.files.checkpoints import load_data, read_checkpoint, write_checkpoint
from ganexplain.gans.checkpoint import load_generator
from ganexplain.inputs.specification import input_from
from ganexplain.networks.loaders.formats import load_network, zip_members
from ganexplain.runs.progress import NullProgress
from ganexplain.selection.attributions import rank_attributions

CPU = torch.device("cpu")
WRITTEN: list[str] = []  # what code in a file would have written here


def tell(text: str) -> None:
    WRITTEN.append(text)


class Bomb:
    """Pickled, it runs a function where it is loaded."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return tell, ("loaded",)


@pytest.fixture(autouse=True)
def nothing_runs() -> Any:
    WRITTEN.clear()
    yield
    assert WRITTEN == []


def refused_cheaply(read: Callable[[], object], most: int = 2**27) -> str:
    """The one line with which a reader refuses, having taken less than so many bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(GanexplainError) as caught:
            read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most, peak
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


# --- arrays -----------------------------------------------------------------------------------


def npz(path: Path, members: dict[str, bytes], way: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", way) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy(descr: str, shape: str, content: bytes) -> bytes:
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


META = npy("<U27", "()", '{"kind":"thing","schema":1}'.encode("utf-32-le"))


@pytest.mark.parametrize(
    ("descr", "shape", "content"),
    [
        ("<f8", "(1000000000000,)", bytes(8)),
        ("<f8", "(4294967296, 4294967296)", b""),  # a product that 64 bits do not hold
        ("<f8", "(-1,)", bytes(8)),
        ("<f8", "(-4, -2)", bytes(64)),
        ("<U0", "(1000000000000,)", b""),
        ("|V8", "(1,)", bytes(8)),
        ("|O", "(1,)", pickle.dumps([Bomb()])),
        ("<U1", "(1,)", b"\xff\xff\xff\x7f"),
        ("<f8", "(1" + ",1" * 70 + ")", bytes(8)),
        ("<f8", "(" * 3000, b""),
    ],
)
def test_an_array_that_is_not_what_its_header_says(
    tmp_path: Path, descr: str, shape: str, content: bytes
) -> None:
    members = {"meta.npy": META, "x.npy": npy(descr, shape, content)}
    path = npz(tmp_path / "a.npz", members)
    assert "not a complete thing file" in refused_cheaply(lambda: read_arrays(path, "thing", ["x"]))
    (tmp_path / "a.npy").write_bytes(members["x.npy"])
    assert try_open_array(tmp_path / "a.npy") is None or descr == "<U1"
    refused_cheaply(lambda: read_vector(tmp_path / "a.npy"))


def test_an_archive_that_unpacks_to_far_more(tmp_path: Path) -> None:
    huge = npy("|u1", "(200000000,)", bytes(200_000_000))
    path = npz(tmp_path / "a.npz", {"meta.npy": META, "x.npy": huge}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 300_000
    assert "claims to contain" in refused_cheaply(lambda: read_arrays(path, "thing", ["x"]))
    refused_cheaply(lambda: read_meta(path, "thing"))


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_without_a_bound_are_not_unpacked(tmp_path: Path, way: int) -> None:
    path = npz(tmp_path / "a.npz", {"meta.npy": META, "x.npy": bytes(10_000_000)}, way)
    assert "compression of" in refused_cheaply(lambda: read_arrays(path, "thing", ["x"]))


def test_members_on_top_of_each_other(tmp_path: Path) -> None:
    """Many entries of one directory that all name the same bytes (a bomb without recursion)."""
    inside = npy("|u1", "(1000000,)", bytes(1_000_000))
    path = npz(tmp_path / "a.npz", {"x0000.npy": inside})
    content = path.read_bytes()
    entry = content[content.index(b"PK\x01\x02") : content.index(b"PK\x05\x06")]
    entries = b"".join(entry.replace(b"x0000", b"x%04d" % k) for k in range(500))
    end = bytearray(content[content.index(b"PK\x05\x06") :])
    end[8:12] = (500).to_bytes(2, "little") * 2
    end[12:16] = len(entries).to_bytes(4, "little")
    path.write_bytes(content[: content.index(b"PK\x01\x02")] + entries + bytes(end))
    assert "claims to contain 500," in refused_cheaply(lambda: read_arrays(path, "thing", []))


def test_what_numpy_compresses_is_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((50, 80)).astype(np.float32)
    np.savez_compressed(tmp_path / "a.npz", meta=np.array('{"kind":"thing","schema":1}'), x=values)
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz", "thing", ["x"])[0]["x"], values)


def test_an_archive_in_place_of_a_vector(tmp_path: Path) -> None:
    npz(tmp_path / "a.npy", {"x.npy": npy("<f8", "(1,)", bytes(8))})
    assert "not a vector" in refused_cheaply(lambda: read_vector(tmp_path / "a.npy"))


# --- checkpoints ------------------------------------------------------------------------------


def test_a_pickle_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    for write in (
        lambda: path.write_bytes(pickle.dumps(Bomb())),
        lambda: torch.save({"kind": "classifier", "x": Bomb()}, path),
        lambda: torch.save(Bomb(), path, _use_new_zipfile_serialization=False),
    ):
        write()
        refused_cheaply(lambda: read_checkpoint(path, "classifier"))
        refused_cheaply(lambda: load_network(str(path)))


def test_a_checkpoint_that_unpacks_to_far_more(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    write_checkpoint(path, "thing", {"x": torch.zeros(50_000_000, dtype=torch.uint8)})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    npz(path, members, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    whole = load_data(path)  # 50 MB are harmless
    assert whole["x"].shape == (50_000_000,)
    members["archive/data/0"] = bytes(100_000_000)
    npz(path, members, zipfile.ZIP_DEFLATED)
    assert "claims to contain" in refused_cheaply(lambda: read_checkpoint(path, "thing"))


SPOILED: list[tuple[str, Any]] = [
    ("architecture", ["svdnet"]),
    ("outputs", "1"),
    ("outputs", 10**9),
    ("outputs", -1),
    ("classes", "ab"),
    ("classes", ["a"]),
    ("classes", [1, 2]),
    ("threshold", None),
    ("threshold", float("nan")),
    ("figures", 3),
    ("front_end", 7),
    ("front_end", {"frame_length": 10**12}),
    ("front_end", {"sample_rate": 10**400}),
    ("front_end", {"floor": 1e-320}),
    ("weights", ["w"]),
    ("weights", {"fc9.weight": 1.0}),
    ("kind", ["classifier"]),
    ("schema", torch.zeros(3)),
]


@pytest.mark.parametrize(("key", "value"), SPOILED)
def test_a_classifier_with_a_value_of_another_kind(tmp_path: Path, key: str, value: Any) -> None:
    content = load_data(PRETRAINED / "referee.pt") | {key: value}
    torch.save(content, tmp_path / "c.pt")
    assert "c.pt" in refused_cheaply(lambda: load_classifier(tmp_path / "c.pt", CPU))


def test_weights_larger_than_the_file_that_holds_them(tmp_path: Path) -> None:
    """One number, told to stand for all: a layer of a billion units that fits on a postcard."""
    content = load_data(PRETRAINED / "referee.pt")
    units = 10**9
    content["weights"]["fc9.weight"] = torch.zeros(()).expand(units, 64)
    content["weights"]["fc9.bias"] = torch.zeros(()).expand(units)
    content |= {"outputs": 2, "classes": ["a", "b"]}
    torch.save(content, tmp_path / "c.pt")
    refused_cheaply(lambda: load_classifier(tmp_path / "c.pt", CPU))
    content = load_data(PRETRAINED / "gan.pt")
    torch.save(content | {"channels": 2**40}, tmp_path / "g.pt")
    refused_cheaply(lambda: load_generator(tmp_path / "g.pt", CPU))


def test_an_archive_with_a_damaged_name_is_refused(tmp_path: Path) -> None:
    """Found by fuzzing: a name in an archive that is no UTF-8."""
    path = npz(tmp_path / "a.pt", {"ü/data.pkl": b"x"})
    path.write_bytes(path.read_bytes().replace("ü".encode(), b"\xe8\x28"))
    assert zip_members(path) == set()
    refused_cheaply(lambda: load_network(str(path)))


# --- code, asked for by data ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "line"),
    [
        ({"model": "their_bomb:go"}, "made by their_bomb:go, which runs code"),
        ({"model": "bomb.pt", "trust_pickle": True}, "a pickled object"),
        ({"model": 5}, "model is 5"),
    ],
)
def test_explanations_cannot_have_code_run(
    command: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: dict[str, Any],
    line: str,
) -> None:
    """`select` loads the network that explanations name, but no code on their word."""
    monkeypatch.chdir(tmp_path)
    ran = tmp_path / "ran"
    Path("their_bomb.py").write_text(f"open({str(ran)!r}, 'w')\n")
    torch.save(Bomb(), "bomb.pt")
    made = Artifacts(tmp_path)
    network = str(named["model"])
    digest = file_hash(Path(network)) if Path(network).is_file() else ""
    made.meta |= {"classifier": network, "gan": str(PRETRAINED / "gan.pt"), **named}
    made.meta["classifier_hash"] = digest or hashlib.sha256(network.encode()).hexdigest()
    made.meta["gan_hash"] = file_hash(PRETRAINED / "gan.pt")
    made.write()
    done = command("select", "explanations.npz", "--corpus", ROOT / "sample_data", "--out", "s")
    assert done.code == 2
    assert line in done.error_line()
    assert not ran.exists()
    assert "their_bomb" not in sys.modules


def test_a_plan_cannot_lead_out_of_its_run(tmp_path: Path) -> None:
    units = [{"layer": "fc9", "neuron": 0, "direction": "x/../../../elsewhere"}]
    for document in (
        {"units": units, "bounds": [0, 1]},
        {"units": [{"layer": 3, "neuron": 0, "direction": "max"}], "bounds": [0, 1]},
        {"units": [], "bounds": [0, 1]},
        {"units": [units[0] | {"direction": "max"}] * 2000, "bounds": list(range(2000))},
        {"units": [units[0] | {"direction": "max"}], "bounds": [0, "1"]},
    ):
        write_json(tmp_path / "plan.json", document)
        assert "plan.json" in refused_cheaply(lambda: read_plan(tmp_path))


# --- texts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": ' + "1" * 5000 + "}",
        '{"a": "\xff"}'.encode("latin-1").decode("latin-1") + "\x00",
    ],
)
def test_json_that_is_no_document_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert "a.json: not a JSON document" in refused_cheaply(lambda: read_json(tmp_path / "a.json"))


def test_texts_have_a_length(tmp_path: Path) -> None:
    for name, read in (
        ("a.json", read_json),
        ("a.toml", partial(read_toml, "--config")),
        ("a.csv", read_corpus),
    ):
        with (tmp_path / name).open("wb") as stream:
            stream.truncate(10**9)  # a file of holes: no room on the disk either
        started = time.process_time()
        assert "longer than" in refused_cheaply(partial(read, tmp_path / name))
        assert time.process_time() - started < 5
    assert "longer than" in refused_cheaply(lambda: read_toml("--config", Path("/dev/zero")))


@pytest.mark.parametrize(
    "text", ["a = [" * 5000, "a = 1" + "0" * 5000, "a.b.c = 1\na = 2", "\x00", "a = nan = 1"]
)
def test_toml_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    assert "not TOML" in refused_cheaply(lambda: read_toml("--input", tmp_path / "a.toml"))


@pytest.mark.parametrize(
    "values",
    [
        {"gain": float("nan")}, {"shift": float("inf")}, {"offset": 10**400}, {"floor": 1e-320},
        {"frame_length": 2**40}, {"mel_bands": 2**20}, {"excerpt_frames": 2**16},
        {"hop_length": 2**30}, {"mel_scale": ["htk"]}, {"kind": ["log-mel"]},
        {"kind": "waveform", "sample_rate": 16000, "samples": 2**30},
        {"kind": "image", "channels": 3, "height": 2**20, "width": 2**20},
        {"kind": "image", "channels": 3, "height": 8, "width": 8, "deviation": [float("nan")]},
    ],
)  # fmt: skip
def test_an_input_of_impossible_numbers(values: dict[str, Any]) -> None:
    assert "--input" in refused_cheaply(lambda: input_from("--input", values))


@pytest.mark.parametrize(
    "change",
    [
        {"by": ["fid-response"]},
        {"chosen": 10**400},
        {"configurations": [{"rank": 10**400}] * 8},
        {"judges": {"a": 3}},
        {"warnings": [[]]},
        {"controls": "none"},
    ],
)
def test_a_selection_of_other_kinds(tmp_path: Path, change: dict[str, Any]) -> None:
    made = Artifacts(tmp_path).complete()
    if "configurations" in change:
        rows = zip(made.selection["configurations"], change["configurations"], strict=True)
        change = {"configurations": [a | b for a, b in rows]}
    made.write()
    document = read_json(tmp_path / "selection.json") | change
    (tmp_path / "selection.json").write_text(json.dumps(document))
    explanations = read_explanations(tmp_path / "explanations.npz")
    line = refused_cheaply(lambda: read_selection(tmp_path / "selection.json", explanations))
    assert len(line) < 1000


@pytest.mark.parametrize(
    ("name", "value"),
    [("trajectory", np.array([0.0, 0.5])), ("response", np.array([["a", "b"]] * 2)),
     ("iterations", np.array([-1, 2])), ("iterations", np.array([0, 2]))],
)  # fmt: skip
def test_explanations_of_other_kinds(tmp_path: Path, name: str, value: np.ndarray) -> None:
    made = Artifacts(tmp_path, grid=[(0.1, 0.1, 2), (0.1, 0.01, 2)])
    made.made[name] = value
    made.write()
    assert name[:9] in refused_cheaply(lambda: read_explanations(tmp_path / "explanations.npz"))


@pytest.mark.parametrize("field", ["seed", "layer", "front_end"])
def test_explanations_that_tell_nothing(tmp_path: Path, field: str) -> None:
    made = Artifacts(tmp_path, grid=[(0.1, 0.1, 2)])
    made.write()
    arrays, meta = read_arrays(tmp_path / "explanations.npz", "explanations", ())
    del meta["kind"], meta["schema"]
    write_arrays(tmp_path / "explanations.npz", "explanations", arrays, meta | {field: None})
    assert field in refused_cheaply(lambda: read_explanations(tmp_path / "explanations.npz"))


def attributions(**measures: Any) -> dict[str, Any]:
    results = [{"folder": f"a-{k}", "measures": measures | {"deletion": 0.5}} for k in range(2)]
    rows = [{"method": m, "segments": "6x4", "fill": "mean"} for m in ("lime", "random")]
    inputs = [{"file": f"{n}.wav", "at_s": 1.5, "results": results} for n in "ab"]
    return {"inputs": inputs, "configurations": rows}


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": 3, "configurations": []},
        {"inputs": [[]], "configurations": [{}]},
        attributions(faithfulness="much"),
        attributions(faithfulness=10**400),
        {**attributions(faithfulness=0.5), "configurations": [{}, {}]},
    ],
)
def test_attributions_of_other_kinds(tmp_path: Path, document: dict[str, Any]) -> None:
    path = tmp_path / "attributions.json"
    path.write_text(json.dumps(document))
    refused_cheaply(
        lambda: rank_attributions(
            SelectConfig(explanations=""), path, tmp_path / "o", NullProgress()
        )
    )


@pytest.mark.parametrize("folder", ["../outside", "/etc", "a/../../b", ".."])
def test_attributions_whose_folder_leads_out_of_the_run(tmp_path: Path, folder: str) -> None:
    document = attributions(faithfulness=0.5)
    document["inputs"][0]["results"][0]["folder"] = folder
    path = tmp_path / "attributions.json"
    path.write_text(json.dumps(document))
    with pytest.raises(GanexplainError, match="leads out of the run"):
        rank_attributions(SelectConfig(explanations=""), path, tmp_path / "o", NullProgress())


def test_names_of_methods_give_a_terminal_no_commands(tmp_path: Path, command: Run) -> None:
    document = attributions(faithfulness=0.5)
    for entry in document["configurations"]:
        entry["method"] = "lime\x1b]0;owned\x07\x9b2J"
    path = tmp_path / "attributions.json"
    path.write_text(json.dumps(document))
    done = command("select", path, "--out", tmp_path / "s")
    assert done.code == 0, done.err
    assert "lime\\x1b]0;owned\\x07\\x9b2J" in done.out
    assert not any(c in done.out + done.err for c in "\x1b\x07\x9b")


def test_a_measure_that_a_method_never_has_is_no_number(tmp_path: Path) -> None:
    """Found by fuzzing: the mean of nothing is not a number, which JSON has none of."""
    document = attributions(faithfulness=0.5, flip=1.0)
    for entry in document["inputs"]:
        entry["results"] = [entry["results"][0], {"folder": "b", "measures": {"faithfulness": 0.1}}]
    path = tmp_path / "attributions.json"
    path.write_text(json.dumps(document))
    config = SelectConfig(explanations=str(path))
    found = rank_attributions(config, path, tmp_path / "out", NullProgress())
    assert found.configurations[1].means["flip"] is None
    assert read_json(tmp_path / "out" / "selection.json") == json.loads(json.dumps(found.to_json()))


def test_the_rule_for_units_is_not_used_for_attributions_in_silence(
    tmp_path: Path, command: Run
) -> None:
    path = tmp_path / "attributions.json"
    path.write_text(json.dumps(attributions(faithfulness=0.5)))
    asked = command("select", path, "--by", "composite", "--out", tmp_path / "asked")
    assert asked.code == 0 and "attributions are ranked by faithfulness" in asked.err
    default = command("select", path, "--out", tmp_path / "default")
    assert default.code == 0 and "ranked by" not in default.err


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../outside.wav", "/etc/passwd", "audio/../../outside.wav", "a/../../../etc/passwd", ".."],
)
def test_names_in_lists_do_not_lead_out(jamendo: JamendoFolder, tmp_path: Path, name: str) -> None:
    write_sound(tmp_path / "outside.wav", noise(1.0))
    jamendo.listing("train").write_text(f"{name}\n")
    assert "leads out of" in refused_cheaply(lambda: read_corpus(jamendo.root))
    manifest = jamendo.root / "list.csv"
    manifest.write_text(f"path,start,end,label,split\n{name},0,0.5,a,train\n{name},0.5,,b,train\n")
    assert "leads out of" in refused_cheaply(lambda: read_corpus(manifest))


def test_a_name_does_not_end_where_c_ends_it(jamendo: JamendoFolder) -> None:
    """libsndfile would open `one.wav`, and nothing else here would know it by that name."""
    jamendo.listing("train").write_text("one.wav\0\n")
    assert "not a file name" in refused_cheaply(lambda: read_corpus(jamendo.root))
    manifest = jamendo.root / "list.csv"
    manifest.write_text("path,start,end,label,split\naudio/one.wav\0,0,0.5,a,train\n")
    assert "no" in refused_cheaply(lambda: read_corpus(manifest))


def test_links_in_a_corpus_are_its_owners_own(jamendo: JamendoFolder, tmp_path: Path) -> None:
    """Who lays a link into the folder means it: large collections stand on other disks."""
    write_sound(tmp_path / "elsewhere.wav", noise(4.0))
    jamendo.audio("one.wav").unlink()
    jamendo.audio("one.wav").symlink_to(tmp_path / "elsewhere.wav")
    assert read_corpus(jamendo.root).recordings[0].path == jamendo.audio("one.wav")


@pytest.mark.parametrize("name", ["x" * 5000 + ".wav", "a\0b.wav", ".", "\udce9.wav", "a\x1b[2J"])
def test_odd_names_are_one_line(jamendo: JamendoFolder, name: str) -> None:
    listing = name.encode(errors="surrogateescape") + b"\n"
    jamendo.listing("train").write_bytes(listing)
    line = refused_cheaply(lambda: read_corpus(jamendo.root))
    assert line.isprintable() and len(line) < LONGEST + 10
    found = read_corpus(jamendo.root, skip_bad_files=True) if name != "\udce9.wav" else None
    assert found is None or all(message.isprintable() for message in found.skipped)


def test_recordings_of_any_name(command: Run, tmp_path: Path) -> None:
    """Names that are no UTF-8, move the cursor, or are mathematics to Matplotlib."""
    name = os.fsdecode(b"caf\xe9 \x1b[31m $\\frac$ <b>.wav")
    path = write_sound(tmp_path / "plain.wav", noise(2.0)).rename(tmp_path / name)
    for words in (("predict", path), ("attribute", f"{path}@1", "--method", "random")):
        out = tmp_path / words[0]
        done = command(*words, "--classifier", PRETRAINED / "referee.pt", "--out", out, "-q")
        assert done.code == 0, done.err
        assert read_json(out / "run.json")["state"] == "done"
    assert (tmp_path / "predict" / name).with_suffix(".png").is_file()


def test_messages_cannot_command_a_terminal() -> None:
    told = str(UsageError("one\ntwo \x1b]0;title\x07 \udce9 ü"))
    assert told == "one\\ntwo \\x1b]0;title\\x07 \\udce9 ü"


def test_a_name_longer_than_there_can_be(command: Run, tmp_path: Path) -> None:
    """Found by fuzzing the command line."""
    done = command("select", "0" * 400, "--corpus", tmp_path, "--out", tmp_path / "out")
    assert done.code == 1
    assert "File name too long" in done.error_line()


# --- sound and pictures -----------------------------------------------------------------------


def with_rate(path: Path, rate: int) -> Path:
    write_sound(path, noise(0.1), 22050)
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("rate", [1, 999, 768_001, 2**31 - 1])
def test_a_rate_that_is_none(tmp_path: Path, rate: int) -> None:
    path = with_rate(tmp_path / "a.wav", rate)
    for read in (read_duration, partial(load_mono, sample_rate=22050)):
        assert f"{rate:,} Hz is not one of sound" in refused_cheaply(partial(read, path))


def test_floats_that_are_no_sound(tmp_path: Path) -> None:
    """Found by fuzzing: finite, but not any more behind a resampler."""
    path = write_sound(tmp_path / "a.wav", np.full(100, 3e38), 16000, "FLOAT")
    assert "are not sound" in refused_cheaply(lambda: load_mono(path, 22050))


def test_a_flac_that_claims_to_be_long(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.flac", noise(0.2))
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F  # 36 bits of the number of samples
    content[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with suppress(BadFile):  # or libsndfile gives what there is
            load_mono(path, 22050)
        assert tracemalloc.get_traced_memory()[1] < 2**28
    finally:
        tracemalloc.stop()


def test_programs_are_not_pictures(tmp_path: Path) -> None:
    """PostScript by the name of a PNG: Pillow would start Ghostscript to draw it."""
    ran = tmp_path / "ran"
    code = (
        f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({ran}) (w) file closefile\nshowpage\n"
    )
    (tmp_path / "a.png").write_text(code)
    assert "cannot be read as a picture" in refused_cheaply(
        lambda: picture_spec(tmp_path / "a.png")
    )
    assert not ran.exists()


def test_a_picture_that_claims_a_long_chunk(tmp_path: Path) -> None:
    """Found by fuzzing: Pillow asks the file for the 4 GB that a PNG says follow."""
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(path)
    content = path.read_bytes()
    at = content.index(b"IDAT")
    path.write_bytes(content[: at - 4] + b"\xff\xff\xff\xff" + content[at:])
    tracemalloc.start()
    try:
        with suppress(BadFile):
            picture_spec(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", ["40000 30000", "12000 10000", "8000 8000"])
def test_a_picture_of_too_many_pixels(tmp_path: Path, size: str) -> None:
    (tmp_path / "a.pgm").write_bytes(f"P5 {size} 255\n".encode() + bytes(1000))
    assert "cannot be read as" in refused_cheaply(lambda: picture_spec(tmp_path / "a.pgm"))


# --- the fuzzer -------------------------------------------------------------------------------


# Networks end the process now and then: `make torture` has each reader in one of its own.
GROUPS = [name for name in readers(Path()) if name != "networks"]


@pytest.mark.parametrize("group", GROUPS)
def test_readers_withstand_some_fuzzing(tmp_path: Path, group: str) -> None:
    for reader in readers(tmp_path)[group]():
        session = Session(reader, tmp_path, count=25)
        for data in mutated(list(reader.seeds), 25, seed=1):
            session(data)
        assert session.findings == {}
        assert set(session.outcomes) <= {"read", "refused in one line"}


def test_the_fuzzer_sees_what_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fuzzer that cannot find would find nothing: a crash, two lines, a hang, too much memory."""

    def broken(path: Path) -> None:
        content = path.read_bytes()
        if content == b"crash":
            raise KeyError(content)
        if content == b"hang":
            while True:
                pass
        if content == b"huge":
            raise GanexplainError(
                "not a complete file (DefaultCPUAllocator: can't allocate memory)"
            )
        raise GanexplainError("fine")

    monkeypatch.setattr(fuzzing, "LONGEST", 0.1)
    session = Session(Reader("broken", broken), tmp_path, count=4)
    for data in (b"crash", b"hang", b"huge", b"fine"):
        session(data)
    assert session.outcomes == {
        "traceback": 1, "hangs": 1, "too much memory": 1, "refused in one line": 1,
    }  # fmt: skip
    assert len(session.findings) == 3


@pytest.mark.slow
def test_command_lines_withstand_some_fuzzing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.torture.command_line", str(tmp_path), "50", "1", "200"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [found for one in told for found in one["findings"]] == []
    assert sum(sum(one["outcomes"].values()) for one in told) >= 50
