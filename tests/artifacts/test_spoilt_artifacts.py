"""Artifacts with one value that cannot be: refused in one line, or of no matter; never a "nan"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.commands import Run
from support.paths import PRETRAINED, ROOT
from support.report_artifacts import Artifacts

from ganexplain.artifacts.explanations import TRACES, read_explanations
from ganexplain.artifacts.selection import read_selection
from ganexplain.artifacts.unit_files import UnitFiles
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.config import SelectConfig
from ganexplain.errors import GanexplainError
from ganexplain.files.arrays import write_arrays
from ganexplain.files.atomic import file_hash, read_json
from ganexplain.files.checkpoints import load_data
from ganexplain.gans.checkpoint import load_generator
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.page import render
from ganexplain.report.unit.story import build_page
from ganexplain.runs.progress import NullProgress
from ganexplain.selection.attributions import rank_attributions
from ganexplain.stages.report import read_evidence

CPU = torch.device("cpu")
NAMES = ("explanations.npz", "selection.json", "responses.npz")
Spoil = Callable[[np.ndarray], np.ndarray]


def one_value(value: float) -> Spoil:
    """The last value of an array replaced."""

    def spoil(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array.reshape(-1)[-1] = value
        return array

    return spoil


OF_FLOATS: dict[str, Spoil] = {
    "NaN": one_value(np.nan),
    "infinite": one_value(np.inf),
    "minus infinite": one_value(-np.inf),
    "1e38": one_value(1e38),
}
OF_INTEGERS: dict[str, Spoil] = {
    "-1": one_value(-1),
    "2**31": lambda array: one_value(2**31)(array.astype(np.int64)),
    "2**62": lambda array: one_value(2**62)(array.astype(np.int64)),
    "of half": lambda array: array + 0.5,
}
OF_ALL: dict[str, Spoil] = {
    "one row less": lambda array: array[:-1],
    "one axis less": lambda array: array.reshape(-1) if array.ndim > 1 else array[0],
    "one axis more": lambda array: array[None],
    "nothing": lambda array: array[:0],
    "texts": lambda array: np.full(array.shape, "x"),
    "complex": lambda array: array.astype(np.complex64) if array.dtype.kind != "U" else array[:0],
    "true": lambda array: np.ones(array.shape, bool),
}


def ways(array: np.ndarray) -> dict[str, Spoil]:
    if array.dtype.kind == "U":
        others = {name: spoil for name, spoil in OF_ALL.items() if name != "texts"}
        return {**others, "empty": lambda names: one_text(names, "")}
    if array.dtype == np.int16:  # samples of sound: any is one
        return OF_ALL
    return OF_ALL | (OF_FLOATS if array.dtype.kind == "f" else OF_INTEGERS)


def one_text(names: np.ndarray, text: str) -> np.ndarray:
    names = names.copy()
    names[-1] = text
    return names


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """The artifacts of a small run, whole."""
    folder = tmp_path_factory.mktemp("artifacts")
    artifacts = Artifacts(folder, grid=[(0.1, 0.1, 2), (0.1, 0.01, 2)]).complete()
    artifacts.write()
    return artifacts


def read(folder: Path) -> None:
    read_explanations(folder / NAMES[0])
    read_evidence(UnitFiles("", *(folder / name for name in NAMES)), 2)


def refused(folder: Path, file: str, key: str) -> str:
    """The one line that names a spoilt file, and the key or a shape; empty where it is read."""
    try:
        read(folder)
    except GanexplainError as error:
        line = str(error)
        assert file in line and len(line.splitlines()) == 1
        assert key in line or "has shape" in line or "not of plain values" in line, line
        return line
    return ""


@pytest.mark.parametrize("file", ["explanations", "responses", "controls"])
def test_every_array_spoilt_in_every_way(made: Artifacts, file: str) -> None:
    arrays = {"explanations": made.made, "responses": made.real, "controls": made.controls}[file]
    meta = {"explanations": made.meta, "responses": made.real_meta, "controls": {}}[file]
    path = made.folder / f"{file}.npz"
    whole = path.read_bytes()
    accepted = []
    try:
        for key, array in arrays.items():
            for way, spoil in ways(array).items():
                write_arrays(path, file, {**arrays, key: spoil(array)}, meta)
                if not refused(made.folder, path.name, key):
                    accepted.append((key, way))
            write_arrays(path, file, {k: v for k, v in arrays.items() if k != key}, meta)
            if not refused(made.folder, path.name, key):
                accepted.append((key, "missing"))
    finally:
        path.write_bytes(whole)
    # A control that is not there is not shown; all else must be as it is.
    assert {each for each in accepted if each[1] != "missing" or file != "controls"} == set()


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda mel: mel[..., :-1], "random_mel has shape"),
        (lambda mel: mel[:1], "random_mel contains fewer than two excerpts"),
        (one_value(np.nan), "random_mel contains values that are not finite"),
    ],
)
def test_random_excerpts_are_like_the_others(made: Artifacts, spoil: Spoil, fault: str) -> None:
    path = made.folder / "responses.npz"
    whole = path.read_bytes()
    try:
        for mel, line in ((made.real["mel"], ""), (spoil(made.real["mel"]), fault)):
            write_arrays(path, "responses", {**made.real, "random_mel": mel}, made.real_meta)
            assert line in (found := refused(made.folder, path.name, "random_mel"))
            assert bool(found) == bool(line)
    finally:
        path.write_bytes(whole)


def test_traces_end_with_the_iterations_of_their_setting(made: Artifacts) -> None:
    """NaN stands there where a shorter search has ended, and nowhere else."""
    path = made.folder / "explanations.npz"
    whole = path.read_bytes()
    arrays = made.made | {"iterations": np.array([2, 1])}
    arrays["best_iteration"] = np.zeros_like(arrays["best_iteration"])
    for name in TRACES:
        arrays[name] = np.array(arrays[name])
        arrays[name][1, :, 2:] = np.nan
    try:
        write_arrays(path, "explanations", arrays, made.meta)
        read_explanations(path)
        arrays[TRACES[0]][1, :, 1:] = np.nan
        write_arrays(path, "explanations", arrays, made.meta)
        assert TRACES[0] in refused(made.folder, path.name, TRACES[0])
    finally:
        path.write_bytes(whole)


# --- selection.json ---------------------------------------------------------------------------

VALUES: list[Any] = [
    None,
    True,
    -1,
    -0.5,
    10**400,
    1e308,
    2**62,
    "",
    "x",
    "NaN",
    [],
    {},
    [None],
    [[]],
]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of a document, of lists the first entry and the last."""
    yield path
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list) and value:
        for k in sorted({0, len(value) - 1}):
            yield from leaves(value[k], (*path, k))


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = json.loads(json.dumps(document))
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


def page(evidence: Evidence) -> str:
    """The page without sounds, as text."""
    assert isinstance(evidence.front_end, FrontEnd)
    count = evidence.front_end.excerpt_samples
    sounds = {name: np.zeros((len(mel), count)) for name, mel in evidence.shown.items()}
    shown = render(build_page(evidence, sounds, {}, []))
    return re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", shown, flags=re.S)


@pytest.mark.slow
def test_every_field_of_a_selection_spoilt_in_every_way(made: Artifacts) -> None:
    """One line that names the file, or a page on which no number is none."""
    path = made.folder / "selection.json"
    whole = path.read_bytes()
    document = read_json(path)
    whole_evidence = read_evidence(UnitFiles("", *(made.folder / name for name in NAMES)), 2)
    explanations = read_explanations(made.folder / NAMES[0])
    try:
        for number, place in enumerate(leaves(document)):
            accepted = None
            for value in VALUES:
                path.write_text(json.dumps(with_value(document, place, value)))
                try:
                    selection = read_selection(path, explanations)
                except GanexplainError as error:
                    line = str(error)
                    assert "selection.json" in line and len(line.splitlines()) == 1
                else:
                    if isinstance(value, int | float):
                        accepted = replace(whole_evidence, selection=selection)
            if accepted and number % 25 == 0:  # a page takes a quarter of a second
                assert not re.search(r"\b(nan|inf)\b", page(accepted)), place
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "text",
    ['{"a": NaN}', '{"a": 1, "a": 2}', "[" * 50_000, '{"a": ' * 50_000, '{"a": 1e999}', "[]",
     '{"a": ' + "9" * 6000 + "}"],
)  # fmt: skip
def test_json_that_is_no_document_is_named_in_few_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(GanexplainError, match=r"a\.json") as caught:
        read_json(tmp_path / "a.json")
    assert len(str(caught.value)) < 400


# --- checkpoints ------------------------------------------------------------------------------

FRONT_ENDS: list[dict[str, Any]] = [
    {"lowest_hz": 7999.9}, {"highest_hz": 27.6}, {"frame_length": 64}, {"mel_bands": 81},
    {"excerpt_frames": 1}, {"excerpt_frames": 400}, {"floor": 1e29}, {"gain": 1e-30},
    {"shift": 1e29}, {"offset": 1e29}, {"offset": -1e29}, {"window_length": 2},
    {"sample_rate": 0}, {"hop_length": -1}, {"hop_length": 2**60}, {"mel_bands": "80"},
    {"filters": "slaney", "highest_hz": 27.6}, {"nothing": 1},
]  # fmt: skip


@pytest.mark.parametrize("name", ["referee.pt", "gan.pt"])
def test_front_ends_that_hear_nothing(tmp_path: Path, name: str) -> None:
    good = load_data(PRETRAINED / name)
    load: Any = load_generator if name == "gan.pt" else load_classifier
    for change in FRONT_ENDS:
        torch.save(good | {"front_end": good["front_end"] | change}, tmp_path / "c.pt")
        with pytest.raises(GanexplainError, match=r"c\.pt") as caught:
            load(tmp_path / "c.pt", CPU)
        assert len(str(caught.value).splitlines()) == 1
    for kind in (
        {"kind": "image", "channels": 1, "height": 80, "width": 115},
        {"kind": "waveform", "sample_rate": 16000, "samples": 9200},
    ):
        torch.save(good | {"front_end": kind}, tmp_path / "c.pt")
        with pytest.raises(GanexplainError, match=r"c\.pt"):
            load(tmp_path / "c.pt", CPU)


# --- the commands -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "spoil"),
    [
        ("start_mel", one_value(np.nan)),
        ("features", one_value(1e38)),
        ("best_iteration", one_value(99)),
        ("learning_rate", one_value(np.nan)),
        ("latent", one_value(np.inf)),
        ("seed", one_value(-1)),
    ],
)
def test_report_and_select_refuse_in_one_line(
    command: Run, tmp_path: Path, key: str, spoil: Spoil
) -> None:
    made = Artifacts(tmp_path).complete()
    made.made[key] = spoil(made.made[key])
    made.write()
    inputs = (tmp_path / "explanations.npz",)
    done = command("report", *inputs, "--selection", tmp_path, "--out", tmp_path / "page")
    assert done.code == 1 and f"explanations.npz: {key}" in done.error_line()
    done = command("select", *inputs, "--corpus", ROOT / "sample_data", "--out", tmp_path / "s")
    assert done.code == 1 and f"explanations.npz: {key}" in done.error_line()
    assert not (tmp_path / "page").exists() and not (tmp_path / "s").exists()


def test_exploded_excerpts_are_shown_but_not_scored(command: Run, tmp_path: Path) -> None:
    """The page says that they are not finite (`test_report`); a distance of them there is none."""
    made = Artifacts(tmp_path)
    made.made["mel"] = one_value(np.nan)(made.made["mel"])
    made.write()
    files = (tmp_path / "explanations.npz", "--responses", tmp_path / "responses.npz")
    done = command("select", *files, "--out", tmp_path / "s")
    assert done.code == 1 and "mel contains values that are not finite" in done.error_line()


def test_features_of_another_network_are_refused(command: Run, tmp_path: Path) -> None:
    made = Artifacts(tmp_path)
    for name in ("classifier", "gan"):
        path = PRETRAINED / f"{name}.pt"
        made.meta |= {name: str(path), f"{name}_hash": file_hash(path)}
    made.real_meta["classifier_hash"] = made.meta["classifier_hash"]
    made.write()
    files = (tmp_path / "explanations.npz", "--responses", tmp_path / "responses.npz")
    done = command("select", *files, "--out", tmp_path / "s", "--quiet")
    assert done.code == 1 and "features holds 3 values an example" in done.error_line()


# --- attributions.json ------------------------------------------------------------------------


def test_every_field_of_attributions_spoilt_in_every_way(tmp_path: Path) -> None:
    """One line that names the file, or a ranking of finite numbers."""
    measures = {"faithfulness": 0.5, "deletion": 0.25, "fluctuation": None}
    document = {
        "configurations": [
            {"method": name, "segments": "2x2", "fill": "mean"} for name in ("lime", "random")
        ],
        "inputs": [
            {
                "file": f"{name}.wav",
                "at_s": 1.5,
                "results": [{"folder": f"{name}/{k}", "measures": measures} for k in range(2)],
            }
            for name in "ab"
        ],
    }
    path = tmp_path / "attributions.json"
    config = SelectConfig(explanations=str(tmp_path))
    rank_attributions(config, path_with(path, document), tmp_path / "out", NullProgress())
    for number, place in enumerate(leaves(document)):
        for value in VALUES:
            path.write_text(json.dumps(with_value(document, place, value)))
            out = tmp_path / f"{number}"
            try:
                made = rank_attributions(config, path, out, NullProgress(), overwrite=True)
            except GanexplainError as error:
                assert len(str(error).splitlines()) == 1
                assert "attributions.json" in str(error) or "--by" in str(error)
            else:
                json.dumps(made.to_json(), allow_nan=False)


def path_with(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("option", ["--learning-rate", "--prior-weight"])
@pytest.mark.parametrize("value", ["1e308", "inf"])
def test_settings_beyond_numbers_are_refused(command: Run, option: str, value: str) -> None:
    networks = ("--classifier", "c.pt", "--gan", "g.pt", "--out", "o")
    for words in (("explain",), ("counterfactual", "--start-from", "a.wav@1")):
        done = command(*words, *networks, option, value)
        assert done.code == 2 and f"{option} {float(value):g}: must be a" in done.error_line()
