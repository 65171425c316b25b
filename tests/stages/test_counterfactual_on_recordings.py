"""`counterfactual --on recording`: the edited file itself changes the decision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from PIL import Image
from support.commands import Finished, Run, finished_fork
from support.paths import PRETRAINED, ROOT

from ganexplain.audio.io import as_written, encode_flac, load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.prediction import decision_margin
from ganexplain.files.arrays import read_arrays
from ganexplain.inputs.log_mel import FrontEnd

CPU = torch.device("cpu")
AUDIO = ROOT / "sample_data" / "audio"
SUNG, PLAYED = AUDIO / "gig_pau_strings.ogg", AUDIO / "band_spunkyrace.ogg"  # hardly, both
CLASSIFIER = ("--classifier", PRETRAINED / "classifier.pt")
FEW = ("--iterations", "24", "-q")  # four for each of six attempts
pytestmark = pytest.mark.usefixtures("one_thread")


@torch.no_grad()
def margin(path: Path, name: str = "classifier") -> float:
    """What `predict` decides of a file: NumPy's log-mel of it, not the search's."""
    network = load_classifier(PRETRAINED / f"{name}.pt", CPU)
    mel = log_mel(load_mono(path, 22050), FrontEnd()).T
    logits = network.network(torch.from_numpy(mel[None].copy()))
    return float(decision_margin(logits, 0, network.threshold))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """A run from excerpts near to the boundary, with few steps, and a judge."""
    out = tmp_path_factory.mktemp("edits") / "run"
    froms = ("--start-from", f"{SUNG}@5", "--start-from", f"{PLAYED}@5")
    judge = ("--judge", PRETRAINED / "judge.pt")
    words = ("counterfactual", *froms, *CLASSIFIER, *judge, *FEW, "--json", "--out", out)
    done = finished_fork(words, out.parent)
    assert done.code == 0, done.err
    return out, done


@pytest.mark.slow
def test_the_files_that_are_written_change_the_decision(two: tuple[Path, Finished]) -> None:
    entries = json.loads(two[1].out)["excerpts"]
    assert [entry["sides"]["original"] for entry in entries] == ["sing", "nosing"]
    for entry, sign in zip(entries, (1, -1), strict=True):
        original, edited, _ = map(Path, entry["sounds"])
        assert sign * margin(original) > 0 > sign * margin(edited)
        assert entry["iterations"] > 0
        assert entry["sides"]["edited"] != entry["sides"]["original"]
        assert entry["sides"]["opposite"] == entry["sides"]["original"]


@pytest.mark.slow
def test_the_edit_is_what_the_files_differ_by(two: tuple[Path, Finished]) -> None:
    arrays, meta = read_arrays(two[0] / "counterfactual.npz", "counterfactual", ())
    entries = json.loads(two[1].out)["excerpts"]
    assert meta["on"] == "recording" and arrays["edit_db"].shape == (2, 80, 115)
    for k, entry in enumerate(entries):
        original, edited, edit = (sf.read(path)[0] for path in entry["sounds"])
        np.testing.assert_allclose(edited - original, edit, atol=1e-4)
        size = np.abs(arrays["edit_db"][k])
        assert entry["cells"] == pytest.approx((size > 0.1).mean(), abs=1e-3)
        elsewhere = (arrays["elsewhere_margin"][k] > 0) != (arrays["original_margin"][k] > 0)
        assert entry["elsewhere"] == elsewhere.mean() < 1 and elsewhere.size == 20
        assert entry["mean_db"] == pytest.approx(size[size > 0.1].mean(), abs=0.01)
        assert 0 < entry["cells"] <= 0.2 and entry["mean_db"] <= 3
        after = log_mel(edited.astype(np.float32), FrontEnd()).T
        np.testing.assert_allclose(arrays["edited_mel"][k], after, atol=1e-3)
        assert Image.open(entry["picture"]).format == "PNG"


@pytest.mark.slow
def test_a_judge_is_asked_about_what_is_written(two: tuple[Path, Finished]) -> None:
    for entry in json.loads(two[1].out)["excerpts"]:
        (judged,) = entry["judges"]
        before, after = (margin(Path(path), "judge") for path in entry["sounds"][:2])
        assert judged["judge"] == "judge"
        assert judged["margins"] == pytest.approx([before, after], abs=5e-3)
        assert judged["agrees"] == ((after > before) == (entry["sides"]["edited"] == "sing"))


@pytest.mark.slow
def test_a_run_from_before_there_were_edits_is_repeated_on_the_gan(
    command: Run, tmp_path: Path
) -> None:
    gan = ("--on", "gan", "--gan", PRETRAINED / "gan.pt", "--griffin-lim-iterations", "1")
    steps = ("--iterations", "1", "--refine-steps", "1", "-q")
    words = ("--start-from", f"{SUNG}@5", *CLASSIFIER, *gan, *steps)
    assert command("counterfactual", *words, "--out", tmp_path / "old").code == 0
    config = tmp_path / "old" / "config.toml"
    lines = config.read_text().splitlines(keepends=True)
    new = ("on =", "cells =", "judge =")
    config.write_text("".join(line for line in lines if not line.startswith(new)))
    done = command("rerun", tmp_path / "old", "--out", tmp_path / "again", "-q")
    assert done.code == 0 and "equal" in done.out, done.err
    assert 'on = "gan"' in (tmp_path / "again" / "config.toml").read_text()


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, 1000).astype(np.float32)
    (tmp_path / "a.flac").write_bytes(encode_flac(sound, 22050))
    read, _ = sf.read(tmp_path / "a.flac", dtype="float32")
    assert np.array_equal(as_written(sound), read)


OWN = """
import torch
from torch import nn

class Loud(nn.Module):
    def forward(self, x):
        return x.square().mean(1, keepdim=True).log()
"""


@pytest.mark.usefixtures("few_samples")
def test_a_unit_without_classes_crosses_a_level(command: Run, tmp_path: Path) -> None:
    """The energy of a waveform, which the largest cells raise most: by 0.2 nat is 0.87 dB."""
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "own.toml").write_text('kind = "waveform"\nsample_rate = 8000\nsamples = 8000\n')
    sound = np.random.default_rng(0).normal(0, 0.1, 16000)
    sf.write(tmp_path / "noise.wav", sound, 8000)
    level = float(np.log((sound[4000:12000] ** 2).mean())) + 0.2
    done = command(
        "counterfactual", "--start-from", f"{tmp_path}/noise.wav@0.5", "--model",
        f"{tmp_path}/own.py:Loud", "--input", tmp_path / "own.toml", "--outputs", "activations",
        "--level", f"{level}", "--cells", "0.5", *FEW, "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    (entry,) = json.loads(done.out)["excerpts"]
    edited, rate = sf.read(entry["sounds"][1])
    assert rate == 8000 and len(edited) == 8000
    assert np.log((edited**2).mean()) > level
    arrays, _ = read_arrays(tmp_path / "run" / "counterfactual.npz", "counterfactual", ())
    by = arrays["edit_db"][0]
    assert (by >= 0).all() and entry["span_s"] == [0.5, 1.5]


@pytest.mark.usefixtures("few_samples")
def test_the_level_of_a_hidden_unit_is_the_median_of_its_recordings(
    command: Run, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "own.toml").write_text('kind = "waveform"\nsample_rate = 8000\nsamples = 800\n')
    loudness = np.repeat([0.01, 0.1, 0.3], 8000)  # most excerpts are louder than the first
    sf.write(tmp_path / "noise.wav", loudness * np.random.default_rng(0).normal(0, 1, 24000), 8000)
    done = command(
        "counterfactual", "--start-from", f"{tmp_path}/noise.wav@0.2", "--model",
        f"{tmp_path}/own.py:Loud", "--input", tmp_path / "own.toml", "--outputs", "activations",
        *FEW, "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert float(found["divide"].removeprefix("level ")) == pytest.approx(np.log(0.01), abs=0.3)
    assert found["excerpts"][0]["sides"]["original"].startswith("below")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--prior sphere", "--prior: does nothing with --on recording; leave it out"),
        ("--refine-steps 3", "--refine-steps: does nothing with --on recording"),
        ("--on gan --cells 0.1", "--cells: does nothing with --on gan"),
        ("--on gan", "--on gan: name a GAN with --gan"),
        ("--on tape", "--on: 'tape' is not known"),
        ("--cells 0", "--cells 0: give a share above 0, up to 1"),
        pytest.param(
            "--layer fc8 --neuron 3 --level 1 --judge {judge}",
            "--judge: is asked for a class, which fc8:3",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_cannot_be_is_one_line(command: Run, tmp_path: Path, words: str, message: str) -> None:
    given = words.format(judge=PRETRAINED / "judge.pt").split()
    done = command(
        "counterfactual", "--start-from", f"{SUNG}@5", *CLASSIFIER, *given, "--out", tmp_path / "e"
    )
    assert done.code == 2 and done.error_line().startswith(message), done.err
    assert not (tmp_path / "e").exists()
