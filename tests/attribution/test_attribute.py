"""`attribute` and the ranking of its runs, by the command line, on music whose voice is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from support.attributed import CLASSIFIER, ENTRY, SAMPLE, SOUL, Tags, attribution
from support.commands import Run
from support.recordings import jamendo_folder, noise, tone, write_sound

from ganexplain.attribution import run
from ganexplain.attribution.methods.base import Attribution
from ganexplain.audio.io import load_mono
from ganexplain.config import AttributeConfig
from ganexplain.errors import BadFile, UsageError
from ganexplain.files.arrays import read_arrays
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.attribute import attribute


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ({"other.lab": "0 9 sing\n"}, "has nothing of the name of this input"),
        ({"song.lab": "0 9 sing\n"}, "marks all of this input"),
        ({"song.lab": "0 9 nosing\n"}, "marks nothing of this input"),
        ({"song.lab": "0 1.1 nosing\n1.1 9 sing\n"}, ""),
    ],
)
def test_a_truth_that_cannot_be_used_is_reported(
    command: Run, tmp_path: Path, truth: dict[str, str], words: str
) -> None:
    write_sound(tmp_path / "song.wav", noise(3.0))
    (tmp_path / "labels").mkdir()
    for name, text in truth.items():
        (tmp_path / "labels" / name).write_text(text)
    done = command(
        "attribute", f"{tmp_path / 'song.wav'}@1.2", "--classifier", CLASSIFIER, "--method",
        "occlusion", "--segments", "temporal:2", "--truth", tmp_path / "labels",
        "--out", tmp_path / "a",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert ("agreement with it is left out" in done.err) == bool(words) and words in done.err
    entry = json.loads((tmp_path / "a" / "attributions.json").read_text())["inputs"][0]
    assert (entry["results"][0]["measures"]["truth_area"] is None) == bool(words)


def test_a_vocal_entry_is_where_the_explanation_is(command: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = command(
        "attribute", f"{SOUL}@{ENTRY}", "--classifier", CLASSIFIER, "--method", "occlusion",
        "--method", "grad-cam", "--method", "elime", "--segments", "10x1", "--fill", "mean",
        "--truth", SAMPLE / "labels", "--json", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    document = json.loads(done.out)
    (entry,) = document["inputs"]
    assert entry["explained"] == "sing" and entry["full_score"] > 0.5
    rate, whole = 22050, load_mono(SOUL, 22050)
    for each, result in zip(document["configurations"], entry["results"], strict=True):
        folder = out / result["folder"]
        arrays, meta = attribution(folder)
        assert arrays["map"].shape == arrays["segments"].shape == (80, 115)
        assert meta["measures"] == result["measures"]
        assert float(arrays["full_score"]) == pytest.approx(entry["full_score"], abs=1e-6)
        measures = result["measures"]
        assert measures["truth_mass"] > 0.6, each  # half of the excerpt lies after the entry
        assert measures["deletion"] < entry["floor"]["deletion"]
        kept, removed = (sf.read(folder / f"{name}.flac")[0] for name in ("kept", "removed"))
        start = round((entry["at_s"] * rate - 512) / 315) * 315 - 57 * 315
        span = [start / rate, (start + kept.size) / rate]  # the moment named is in its middle
        assert entry["span_s"] == pytest.approx(span, abs=1e-3)
        assert sum(span) / 2 == pytest.approx(ENTRY, abs=0.03)
        np.testing.assert_allclose(kept + removed, whole[start : start + kept.size], atol=2e-4)
        assert (folder / "map.png").read_bytes()[:4] == b"\x89PNG"
    page = (out / "report.html").read_text()
    tags = Tags(page)
    assert tags.seen["audio"] == 1 + 3 * 3
    assert all(address.startswith("data:") for address in tags.addresses)
    assert len(tags.ids) == len(set(tags.ids))


@pytest.mark.slow
def test_runs_are_ranked_over_inputs(command: Run, tmp_path: Path) -> None:
    out, ranked = tmp_path / "run", tmp_path / "ranked"
    done = command(
        "attribute", f"{SOUL}@4", f"{SOUL}@8", f"{SOUL}@14", "--classifier", CLASSIFIER,
        "--method", "random", "--method", "occlusion", "--segments", "4x2", "--checks",
        "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "random maps" in done.out and "random net" in done.out
    assert len(list(out.glob("gig_lea_soul-at-*/*/attribution.npz"))) == 6
    done = command("select", out, "--json", "--out", ranked)
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document == json.loads((ranked / "selection.json").read_text())
    rows = document["configurations"]
    assert rows[document["chosen"]]["method"] == "occlusion"
    for row in rows:
        low, high = row["interval"]
        assert low <= row["value"] <= high
        assert row["value"] == pytest.approx(row["faithfulness"])
        assert row["faithfulness"] == pytest.approx(row["insertion"] - row["deletion"])
    assert len(document["inputs"]) == 3
    done = command("select", out, "--by", "passes", "--out", tmp_path / "cheapest")
    assert done.out.splitlines()[1].split()[:3] == ["1", "*", "random"]
    done = command("select", out, "--by", "deletio", "--out", tmp_path / "no")
    assert done.code == 2
    assert "did you mean 'deletion'" in done.error_line()


def test_a_warning_of_many_inputs_is_noted_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    numbers = iter(range(1, 9))

    def with_warning(*args: Any) -> Attribution:
        return replace(explain(*args), warnings=(f"only 0.{next(numbers)} of it is explained",))

    explain = run.attribute
    monkeypatch.setattr(run, "attribute", with_warning)
    monkeypatch.setattr(run.AttributionRun, "_floor", lambda *_: {})
    config = AttributeConfig(
        inputs=(f"{SOUL}@4", f"{SOUL}@8", f"{SOUL}@12"),
        classifier=str(CLASSIFIER),
        method=("random",),
        segments=("2x1",),
    )
    progress = NullProgress()
    found = attribute(config, tmp_path / "out", progress).found
    first, repeated = (note for note in progress.notes if "random, 2x1, mean" in note)
    assert first == "gig_lea_soul-at-3.99, random, 2x1, mean: only 0.1 of it is explained"
    assert "gig_lea_soul-at-3.99 holds for 2 more inputs" in repeated
    assert found.inputs[2].results[0].warnings == ("only 0.3 of it is explained",)


@pytest.mark.slow
def test_the_same_command_gives_the_same_arrays(
    command: Run, ganexplain: Run, tmp_path: Path
) -> None:
    found = []
    for name, here_or_there in (("one", command), ("two", ganexplain)):
        done = here_or_there(
            "attribute", f"{SOUL}@{ENTRY}", "--classifier", CLASSIFIER, "--method", "lime",
            "--samples", "100", "--fill", "noise", "--seed", "3", "--quiet",
            "--out", tmp_path / name,
        )  # fmt: skip
        assert done.code == 0, done.err
        found.append(attribution(tmp_path / name)[0])
    for key in ("map", "weights", "deletion", "kept"):
        assert found[0][key].tobytes() == found[1][key].tobytes(), key
    said = json.loads((tmp_path / "one" / "attributions.json").read_text())
    warnings = said["inputs"][0]["results"][0]["warnings"]
    assert warnings and all(w in (tmp_path / "one" / "log.txt").read_text() for w in warnings)


@pytest.mark.slow
def test_a_file_is_explained_from_end_to_end(command: Run, tmp_path: Path) -> None:
    short = write_sound(tmp_path / "five.wav", noise(5.1))
    done = command(
        "attribute", short, "--classifier", CLASSIFIER, "--method", "occlusion",
        "--target", "fc8:12", "--json", "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    entries = json.loads(done.out)["inputs"]
    assert len(entries) == 3  # of 1.64 s each
    assert np.allclose(np.diff([e["at_s"] for e in entries]), 115 / 70, atol=1e-3)
    assert {e["explained"] for e in entries} == {"fc8:12"}
    assert entries[0]["results"][0]["measures"]["drop"] is None


@pytest.fixture
def stems(tmp_path: Path) -> Path:
    """A voice and a band from the sample corpus, and their mix; the voice from 1 s on."""
    rate = 22050
    voice = load_mono(SAMPLE / "audio" / "alone_kai_minor_dry.ogg", rate)[4 * rate : 8 * rate]
    voice[:rate] = 0
    band = load_mono(SAMPLE / "audio" / "band_city.ogg", rate)[: voice.size] * 0.25
    for name, sound in (("voice", voice), ("band", band)):
        write_sound(tmp_path / "stems" / f"{name}.wav", sound, rate, "FLOAT")
    write_sound(tmp_path / "mix.wav", voice + band, rate, "FLOAT")
    return tmp_path


def test_of_separated_sources_the_voice_is_named(command: Run, stems: Path) -> None:
    done = command(
        "attribute", f"{stems / 'mix.wav'}@2.5", "--classifier", CLASSIFIER, "--method", "lime",
        "--target", "sing", "--segments", f"sources:{stems / 'stems'}", "--truth",
        stems / "stems" / "voice.wav", "--json", "--out", stems / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    (result,) = json.loads(done.out)["inputs"][0]["results"]
    arrays, _ = attribution(stems / "run")
    band, voice = arrays["weights"]
    assert voice > 0.5 and voice > 2 * band
    assert result["kept"] == [1]
    assert result["details"]["exhaustive"] and result["details"]["samples"] == 4
    kept = sf.read(stems / "run" / "kept.flac")[0]
    removed = sf.read(stems / "run" / "removed.flac")[0]
    whole = sf.read(stems / "run" / "whole.flac")[0]
    np.testing.assert_allclose(kept + removed, whole, atol=2e-4)
    (stems / "stems" / "voice.wav").unlink()
    write_sound(stems / "stems" / "voice.wav", tone(440, 4.0) * 0.1)
    done = command(
        "attribute", f"{stems / 'mix.wav'}@2.5", "--classifier", CLASSIFIER, "--segments",
        f"sources:{stems / 'stems'}", "--out", stems / "again",
    )  # fmt: skip
    assert done.code == 1
    assert "do not sum to the mix" in done.err.splitlines()[-1]


def test_a_label_map_may_come_from_a_file(command: Run, tmp_path: Path) -> None:
    labels = np.zeros((80, 115), dtype=np.int64)
    labels[:, 57:] = 9
    np.save(tmp_path / "halves.npy", labels)
    done = command(
        "attribute", f"{SOUL}@{ENTRY}", "--classifier", CLASSIFIER, "--method", "occlusion",
        "--segments", f"file:{tmp_path / 'halves.npy'}", "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    before, after = attribution(tmp_path / "run")[0]["weights"]
    assert after > before


def asked(out: Path, inputs: str = f"{SOUL}@{ENTRY}", **settings: Any) -> None:
    """The stage as the command line calls it."""
    config = AttributeConfig(inputs=(inputs,), classifier=str(CLASSIFIER), **settings)
    attribute(config, out, NullProgress())


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"method": ("limee",)}, "did you mean 'lime'"),
        ({"method": ("captum:Salience",)}, "did you mean 'Saliency'"),
        ({"method": ()}, "at least one --method"),
        ({"segments": ("temporl:3",)}, "did you mean 'temporal'"),
        ({"segments": ("200x4",)}, "at most 115x80"),
        ({"segments": ("slic:many",)}, "not a number of segments"),
        ({"segments": ("sources:nowhere",)}, "no such folder"),
        ({"segments": ("file:no.npy",)}, "no such file"),
        ({"fill": ("meen",)}, "did you mean 'mean'"),
        ({"fill": ("data-min",)}, "--corpus"),
        ({"distance": "l3"}, "--distance"),
        ({"target": "singing"}, "did you mean 'sing'"),
        ({"target": "fc8:64"}, "units 0 to 63"),
        ({"cam_layer": "conv9"}, "did you mean 'conv"),
        ({"truth": "no.lab"}, "no such file"),
        ({"inputs": f"{SOUL}@100"}, "ends at"),
    ],
)
def test_what_cannot_be_asked_is_said(tmp_path: Path, setting: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked(tmp_path / "run", **setting)
    assert not list(tmp_path.rglob("attribution*"))


def test_a_file_that_is_no_sound_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no such file"):
        asked(tmp_path / "run", "nothing.wav@3")
    (tmp_path / "text.wav").write_text("not a sound")
    with pytest.raises(BadFile, match="cannot be read as sound"):
        asked(tmp_path / "run", str(tmp_path / "text.wav"))


def test_the_least_of_the_data_may_fill(tmp_path: Path) -> None:
    asked(tmp_path / "run", method=("occlusion",), segments=("2x2",), fill=("data-min", "min"),
          corpus=(str(jamendo_folder(tmp_path / "corpus").root),))  # fmt: skip
    folders = [tmp_path / "run" / f"occlusion-2x2-{name}" for name in ("data-min", "min")]
    least, own = (attribution(folder)[0]["weights"] for folder in folders)
    assert not np.allclose(least, own)


def test_excerpts_at_the_ends_are_padded_with_silence(tmp_path: Path) -> None:
    asked(tmp_path / "run", f"{SOUL}@0", method=("occlusion",), segments=("4x1",))
    arrays, _ = attribution(tmp_path / "run")
    mel = read_arrays(tmp_path / "run" / "attribution.npz", "attribution", ("mel",))[0]["mel"]
    assert (mel[:, :57] == mel.min()).all() and (mel[:, 57:].max(axis=0) > mel.min() + 1).all()
    assert arrays["weights"].shape == (4,)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--method occlusion --method grad-cam --cam-layer fc8", "fc8: its output has no places"),
        ("--method occlusion --method grad-cam --cam-layer conv55", "did you mean 'conv5'"),
        ("--segments 2x2 --segments 999x2", "--segments 999x2"),
        ("--segments 2x2 --segments file:absent.npy", "no such file"),
        ("--segments 2x2 --segments sources:absent", "no such folder"),
        ("--method occlusion --method cgan", "needs an explainer"),
        ("--truth absent.lab", "absent.lab"),
    ],
)
def test_what_cannot_be_of_any_configuration_is_found_before_the_first(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command(
        "attribute", f"{SOUL}@{ENTRY}", "--classifier", CLASSIFIER, *words.split(), "--out", "out",
        "-q",
    )  # fmt: skip
    assert done.code == 2
    assert line in done.error_line()
    assert not Path("out").exists()


def test_many_segments_are_announced_with_their_passes_and_time(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganexplain.attribution.cost.LONG", 0.0)
    monkeypatch.setattr("ganexplain.attribution.cost.WORTH_TIMING", 100)
    done = command(
        "attribute", f"{SOUL}@{ENTRY}", "--classifier", CLASSIFIER, "--method", "occlusion",
        "--segments", "4x4", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 0, done.err
    passes = 17 + 2 * (16 + 16 * 6)  # its own, its curves and those of five random maps
    assert f"occlusion, 4x4, mean: 16 segments take about {passes} passes" in done.err
    assert f"about {passes} passes" in (tmp_path / "out" / "log.txt").read_text()


def test_warnings_of_libraries_stay_off_the_terminal(ganexplain: Run, tmp_path: Path) -> None:
    pytest.importorskip("captum")
    done = ganexplain(
        "attribute", f"{SOUL}@{ENTRY}", "--classifier", CLASSIFIER, "--method", "captum:DeepLift",
        "--method", "captum:GuidedBackprop", "--segments", "2x2", "--out", tmp_path / "out", "-q",
    )  # fmt: skip
    assert done.code == 0 and done.err == ""
