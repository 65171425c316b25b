"""`counterfactual`: closed forms of the way across and of the change, and runs on real music."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import soundfile as sf
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from PIL import Image
from support.commands import Finished, Run, finished_fork, with_options
from support.paths import PRETRAINED, ROOT

from ganexplain.ascent.engine import start_latents
from ganexplain.audio.difference import level_change_db, measure_change, measure_edit
from ganexplain.audio.filterbank import mel_frequencies
from ganexplain.audio.filtering import filter_by_change
from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.prediction import decision_margin, probabilities
from ganexplain.config import CounterfactualConfig
from ganexplain.corpora.spans import decide
from ganexplain.counterfactuals.crossing import (
    BEYOND,
    cross_boundary,
    refine_detail,
    refine_latent,
)
from ganexplain.files.arrays import read_arrays
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint
from ganexplain.gans.checkpoint import load_encoder, load_gan, load_generator
from ganexplain.gans.dcgan import Generator
from ganexplain.gans.networks import AnyEncoder
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.units import Unit
from ganexplain.report.pictures.change_picture import change_picture

CPU = torch.device("cpu")
NO_FILES: dict[str, Any] = {"start_from": (), "classifier": "", "gan": ""}
FRONT_END = FrontEnd()
AUDIO = ROOT / "sample_data" / "audio"
SHIPPED = (
    "--on",
    "gan",
    "--classifier",
    PRETRAINED / "classifier.pt",
    "--gan",
    PRETRAINED / "gan.pt",
)
QUICK = "--refine-steps 20 --iterations 30 --learning-rate 0.05 --griffin-lim-iterations 4 -q"
SUNG, PLAYED = AUDIO / "alone_ria_major_dry.ogg", AUDIO / "band_apex.ogg"
pytestmark = pytest.mark.usefixtures("one_thread")


# --- the way across -------------------------------------------------------------------------

SLOPE = torch.tensor([2.0, -1.0, 0.0, 2.0])


def plane(latent: torch.Tensor) -> torch.Tensor:
    return (latent * SLOPE).sum(1) - 1.5


def cross(start: np.ndarray, upwards: bool, **changed: Any) -> Any:
    arguments: dict[str, Any] = {"learning_rate": 0.02, "prior_weight": 0.1, "iterations": 600}
    return cross_boundary(
        start, plane, upwards, CounterfactualConfig(**(NO_FILES | arguments | changed)), CPU
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_way_across_a_plane_is_no_longer_than_the_perpendicular(seed: int) -> None:
    start = 2 * start_latents(seed, 1, 4)[0]
    margin = float(plane(torch.from_numpy(start)[None]))
    found = cross(start, upwards=margin <= 0)
    after = float(plane(torch.from_numpy(found.latent)[None]))
    assert (after > 0) == (margin <= 0) and found.iterations > 0
    moved = np.linalg.norm(found.latent - start)
    perpendicular = abs(margin) / float(SLOPE.norm())
    assert perpendicular < moved < perpendicular + 2 * BEYOND / float(SLOPE.norm()) + 0.02


@pytest.mark.parametrize("seed", range(3))
def test_of_all_latents_across_the_closest_to_the_start_is_kept(seed: int) -> None:
    """Long steps overshoot the divide, and the last one ends far from it."""
    start, visited = start_latents(seed, 1, 4)[0], []

    def watched(latent: torch.Tensor) -> torch.Tensor:
        visited.append(latent.detach().numpy()[0].copy())
        return plane(latent)

    upwards = float(plane(torch.from_numpy(start)[None])) <= 0
    config = CounterfactualConfig(**NO_FILES, learning_rate=0.4, prior_weight=0.02, iterations=9)
    found = cross_boundary(start, watched, upwards, config, CPU)
    across = [z for z in visited if (float(plane(torch.from_numpy(z)[None])) > 0) == upwards]
    distances = [float(np.linalg.norm(z - start)) for z in across]
    assert np.linalg.norm(found.latent - start) == pytest.approx(min(distances))
    assert min(distances) < distances[-1] - 0.05


def test_the_first_iteration_across_is_told() -> None:
    """Adam moves each coordinate by the learning rate at first: the margin by 0.1 |a|_1 = 0.5."""
    start = np.zeros(4, np.float32)
    found = cross(start, True, learning_rate=0.1, prior_weight=0.0)
    assert found.iterations == 4  # -1.5, -1.0, -0.5, 0.0 and 0.5, but for rounding


def test_what_is_across_already_stays() -> None:
    start = np.ones(4, np.float32)
    found = cross(start, upwards=True)
    assert found.iterations == 0
    assert np.array_equal(found.latent, start)


def test_where_the_other_side_is_out_of_reach_the_closest_is_kept() -> None:
    start = np.zeros(4, np.float32)
    near_start = cross(start, True, prior_weight=10.0)
    assert near_start.iterations == -1
    few = cross(start, True, iterations=2, learning_rate=0.1)
    assert few.iterations == -1
    assert float(plane(torch.from_numpy(few.latent)[None])) == pytest.approx(-0.5, abs=0.1)


def test_the_sphere_is_not_left() -> None:
    start = np.array([1.0, 1.0, -1.0, -1.0], np.float32)
    found = cross(start, True, prior="sphere")
    assert found.iterations > 0
    assert np.linalg.norm(found.latent) == pytest.approx(2, abs=1e-5)


@settings(deadline=None)
@given(
    logits=st.lists(st.floats(-8, 8), min_size=1, max_size=4),
    threshold=st.floats(0.01, 0.99),
)
def test_a_margin_is_above_zero_where_predict_decides_for_the_class(
    logits: list[float], threshold: float
) -> None:
    row = torch.tensor([logits], dtype=torch.float64)
    decided = int(decide(probabilities(row).numpy(), threshold)[0])
    for neuron in range(len(logits)):
        margin = float(decision_margin(row, neuron, threshold))
        stands_for = 1 if len(logits) == 1 else neuron
        if abs(margin) > 1e-9:
            assert (margin > 0) == (decided == stands_for)


def test_refining_redraws_a_generated_excerpt_from_the_encoder_s_guess() -> None:
    generator, _ = load_generator(PRETRAINED / "gan.pt", CPU)
    encoder = load_encoder(PRETRAINED / "gan.pt", CPU)
    network = load_classifier(PRETRAINED / "classifier.pt", CPU).network
    with torch.no_grad():
        mel = generator(torch.from_numpy(start_latents(3, 1, 128)))
        guess = encoder(mel)[0][0].numpy()

    def error(latent: np.ndarray) -> float:
        with torch.no_grad():
            off = (generator(torch.from_numpy(latent)[None]) - mel) / generator.deviation[:, None]
        return float(off.square().mean())

    with unit_response(network, Unit.parse("fc9:0")) as respond:
        arguments = (guess, mel[0], generator, generator.deviation, respond)
        found = refine_latent(*arguments, "shell", 120)
        once, again = (refine_latent(*arguments, "shell", 15) for _ in range(2))
    assert np.array_equal(once, again) and not np.array_equal(once, found)
    assert error(found) < 0.5 * error(guess)


def test_refining_weighs_the_margin_beside_the_likeness() -> None:
    """A generator that draws one value z in four cells, for an excerpt (0, 0, 0, 4).

    The squares over a deviation of 2 are z^2 / 4 - z / 2 + 1, least at z = 1; with 0.003 (20 z)^2
    for the margin, that of the excerpt being 0, and 0.001 z^2 for the prior, z is
    0.25 / (0.25 + 1.2 + 0.001).
    """
    mel = torch.tensor([[0.0, 0.0], [0.0, 4.0]])
    drawn = refine_latent(
        np.array([0.3], np.float32), mel, lambda z: z[:, :, None].expand(-1, 2, 2),
        torch.full((2,), 2.0), lambda x: 20 * x[:, 0, 0], "l2", 400,
    )  # fmt: skip
    assert drawn[0] == pytest.approx(0.25 / 1.451, abs=0.01)


def test_the_detail_redraws_music_that_no_latent_does() -> None:
    """Held-out excerpts within 4 dB, root mean square, each better by far than by its latent."""
    generator, encoder = shipped_networks()
    for path, seconds in ((SUNG, 5.0), (PLAYED, 3.25)):
        mel = torch.from_numpy(excerpt(path, seconds).copy())
        with torch.no_grad():
            latent = encoder(mel[None])[0]
        detail = refine_detail(latent[0].numpy(), mel, generator, 150)
        with torch.no_grad():
            sketch = generator.sketch(latent)
            drawn = generator.draw(sketch + torch.from_numpy(detail))
            off_db, by_latent_db = (
                FRONT_END.decibels_per_unit * float((each[0] - mel).square().mean().sqrt())
                for each in (drawn, generator(latent))
            )
        assert detail.shape == sketch.shape[1:]
        assert off_db < 4 < 8 < by_latent_db


def test_what_a_latent_draws_already_has_hardly_any_detail() -> None:
    generator, _ = shipped_networks()
    latent = start_latents(3, 1, 128)
    with torch.no_grad():
        mel = generator(torch.from_numpy(latent))[0]
        sketch = generator.sketch(torch.from_numpy(latent))
    detail = refine_detail(latent[0], mel, generator, 20)
    assert np.abs(detail).max() < 1e-3 * float(sketch.abs().max())


def shipped_networks() -> tuple[Generator, AnyEncoder]:
    generator, encoder, _ = load_gan(PRETRAINED / "gan.pt", CPU)
    assert isinstance(generator, Generator)
    return generator, encoder


# --- the change -----------------------------------------------------------------------------


def excerpt(path: Path, seconds: float, gain: float = 1.0) -> np.ndarray:
    first = round(seconds * FRONT_END.sample_rate)
    sound = load_mono(path, FRONT_END.sample_rate)[first : first + FRONT_END.excerpt_samples]
    return log_mel(gain * sound, FRONT_END).T


def test_twice_the_amplitude_is_six_decibels_everywhere() -> None:
    before, after = excerpt(PLAYED, 3.0), excerpt(PLAYED, 3.0, gain=2.0)
    found = measure_change(before, after, FRONT_END)
    heard = before > before.max() - 6
    assert level_change_db(before, after, FRONT_END)[heard] == pytest.approx(6.02, abs=0.01)
    assert found.ranges_db["low"] == pytest.approx(6.02, abs=0.3)


def test_a_boost_is_found_where_and_when_it_is() -> None:
    before = np.full((80, 115), -1.0)
    after = before.copy()
    peaks = mel_frequencies(FRONT_END)[1:-1]
    bands = (peaks > 900) & (peaks < 1500)
    after[bands, 40:58] += 2.0
    found = measure_change(before, after, FRONT_END)
    low, high = found.band_hz
    assert 900 < low < 1000 and 1250 < high < 1500
    start, stop = found.time_s
    assert start == pytest.approx((40 * 315 + 512) / 22050, abs=0.02)
    assert stop == pytest.approx((57 * 315 + 512) / 22050, abs=0.02)
    assert found.ranges_db["low"] == found.ranges_db["high"] == 0 < found.ranges_db["middle"]
    expected = 2 * 8.6859 * bands.sum() / 80
    assert found.time_db == pytest.approx(expected, rel=1e-3)


def test_an_edit_is_where_most_changes_even_if_up_and_down_cancel() -> None:
    by = np.zeros((80, 115))
    by[20:24, 30:60], by[24:28, 30:60] = 3.0, -3.0
    by[60, :] = 1.0
    found = measure_edit(by, FRONT_END)
    peaks = mel_frequencies(FRONT_END)[1:-1]
    assert found.band_hz == (peaks[20], peaks[27]) and found.band_db == pytest.approx(0)
    assert found.time_db == pytest.approx((8 * 3 + 1) / 80)
    assert found.ranges_db["low"] == 0


def test_what_nobody_hears_has_not_changed() -> None:
    before = np.full((80, 115), -16.0)
    before[10] = 2.0
    after = before.copy()
    after[40:] = -9.0
    assert not level_change_db(before, after, FRONT_END).any()


def test_the_picture_has_a_panel_for_each_and_one_for_the_difference() -> None:
    mel = excerpt(PLAYED, 3.0)
    with patch.object(Axes, "set_title", autospec=True) as set_title:
        png = change_picture({"a": mel, "b: no +1": mel, "c: yes -1": mel + 0.1}, FRONT_END)
    assert set_title.call_args.args[1] == "c less b"
    picture = Image.open(io.BytesIO(png))
    assert picture.size[0] > 3.5 * picture.size[1]


# --- runs -----------------------------------------------------------------------------------


def test_a_recording_is_retouched_by_so_many_decibels_where_it_is_said() -> None:
    sound = load_mono(PLAYED, 22050)[50000 : 50000 + FRONT_END.excerpt_samples]
    nothing = np.zeros((80, 115))
    assert filter_by_change(sound, nothing, FRONT_END) == pytest.approx(sound, abs=1e-6)
    by = nothing.copy()
    by[30:50, 60:] = 13.0
    made = filter_by_change(sound, by, FRONT_END)
    assert made.shape == sound.shape
    got = log_mel(made, FRONT_END).T - log_mel(sound, FRONT_END).T
    assert np.median(got[34:46, 66:110]) == pytest.approx(13.0 / 8.686, abs=0.05)
    assert np.abs(got[:28]).max() < 0.3 and np.abs(got[52:]).max() < 0.3
    assert np.abs(got[:, :56]).max() < 1e-3  # frames there share no sample with frame 60


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """A run from a sung and a played excerpt, with fewer steps than by default."""
    out = tmp_path_factory.mktemp("counterfactual") / "run"
    froms = ["--start-from", f"{SUNG}@5", "--start-from", f"{PLAYED}@3.25"]
    words: tuple[str | Path, ...] = ("counterfactual", *froms, *SHIPPED, *QUICK.split())
    done = finished_fork((*words, "--json", "--out", out), out.parent)
    assert done.code == 0, done.err
    return out, done


@pytest.mark.slow
def test_both_excerpts_change_side(two: tuple[Path, Finished]) -> None:
    document = json.loads(two[1].out)
    arrays, meta = read_arrays(two[0] / "counterfactual.npz", "counterfactual", ())
    assert meta["divide"] == "the classifier's decision" and meta["prior"] == "near"
    sides = [entry["sides"] for entry in document["excerpts"]]
    assert [side["original"] for side in sides] == ["sing", "nosing"]
    assert [side["counterfactual"] for side in sides] == ["nosing", "sing"]
    assert (arrays["iterations"] >= 0).all()
    threshold = load_classifier(PRETRAINED / "classifier.pt", CPU).threshold
    divide = np.log(threshold / (1 - threshold))
    for state in ("original", "reconstruction", "counterfactual"):
        response = arrays[f"{state}_response"]
        assert arrays[f"{state}_margin"] == pytest.approx(response - divide, abs=1e-5)


OWN = """
import torch
from pathlib import Path
from torch import nn
from ganexplain.classifiers.checkpoint import load_classifier

def logit():
    return load_classifier(Path({path!r}), torch.device("cpu")).network

def probability():
    return nn.Sequential(logit(), nn.Sigmoid())
"""


@pytest.mark.parametrize("name", ["logit", "probability"])
def test_a_network_of_the_users_own_decides_as_a_classifier(
    two: tuple[Path, Finished], command: Run, tmp_path: Path, name: str
) -> None:
    """The shipped classifier as if it were foreign: logits, or probabilities."""
    path = PRETRAINED / "classifier.pt"
    threshold = load_classifier(path, CPU).threshold
    divide = threshold if name == "probability" else float(np.log(threshold / (1 - threshold)))
    (tmp_path / "own.py").write_text(OWN.format(path=str(path)))
    (tmp_path / "own.toml").write_text(
        f'[network]\nclasses = ["nosing", "sing"]\nthreshold = {divide}\n'
    )
    model = ("--model", f"{tmp_path}/own.py:{name}", "--input", tmp_path / "own.toml")
    done = command(
        "counterfactual", "--start-from", f"{PLAYED}@3.25", *model, "--on", "gan", "--gan",
        PRETRAINED / "gan.pt", *QUICK.split(), "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    found, meta = read_arrays(tmp_path / "run" / "counterfactual.npz", "counterfactual", ())
    ours, _ = read_arrays(two[0] / "counterfactual.npz", "counterfactual", ())
    assert (meta["layer"], meta["unit"]) == ("output", "sing")
    assert meta["divide"] == "the classifier's decision"
    np.testing.assert_allclose(found["original_margin"], ours["original_margin"][1:], atol=2e-3)
    assert json.loads(done.out)["excerpts"][0]["sides"]["counterfactual"] == "sing"
    network = load_classifier(path, CPU).network
    with torch.no_grad():
        logit = network(torch.from_numpy(found["counterfactual_mel"]))[:, 0].numpy()
    np.testing.assert_allclose(
        found["counterfactual_margin"], logit - np.log(threshold / (1 - threshold)), atol=2e-3
    )


@torch.no_grad()
def test_the_arrays_are_what_the_networks_give(two: tuple[Path, Finished]) -> None:
    arrays, _ = read_arrays(two[0] / "counterfactual.npz", "counterfactual", ())
    generator, _ = shipped_networks()
    network = load_classifier(PRETRAINED / "classifier.pt", CPU).network
    assert arrays["original_mel"].shape == (2, 80, 115)
    assert arrays["original_mel"][0] == pytest.approx(excerpt(SUNG, 5.0), abs=1e-3)
    assert arrays["start_s"].tolist() == [5.0, 3.25]
    assert [Path(str(name)).name for name in arrays["file"]] == [SUNG.name, PLAYED.name]
    for state in ("original", "reconstruction", "counterfactual", "retouched"):
        mel = torch.from_numpy(arrays[f"{state}_mel"])
        assert arrays[f"{state}_response"] == pytest.approx(network(mel)[:, 0].numpy(), abs=1e-3)
        if f"{state}_latent" in arrays:
            sketch = generator.sketch(torch.from_numpy(arrays[f"{state}_latent"]))
            drawn = generator.draw(sketch + torch.from_numpy(arrays["detail"])).numpy()
            assert arrays[f"{state}_mel"] == pytest.approx(drawn, abs=1e-3)


def test_the_sounds_and_pictures_are_there(two: tuple[Path, Finished]) -> None:
    document = json.loads(two[1].out)
    for entry, start in zip(document["excerpts"], (5.0, 3.25), strict=True):
        sounds = [sf.read(path) for path in entry["sounds"]]
        assert [Path(p).stem.rsplit("-", 1)[1] for p in entry["sounds"]] == [
            "original", "reconstruction", "counterfactual", "retouched",
        ]  # fmt: skip
        assert {(len(sound), rate) for sound, rate in sounds} == {(36934, 22050)}
        original = load_mono(Path(entry["excerpt"].rpartition("@")[0]), 22050)
        first = round(start * 22050)
        assert sounds[0][0] == pytest.approx(original[first : first + 36934], abs=1e-3)
        assert np.abs(sounds[1][0] - sounds[2][0]).max() > 1e-3
        assert Image.open(entry["picture"]).format == "PNG"
        assert entry["span_s"] == pytest.approx([start, start + 36934 / 22050], abs=1e-3)
        bands = entry["change"]["ranges_db"]
        assert set(bands) == {"low", "middle", "high"} and any(bands.values())


def test_an_excerpt_alone_gives_what_it_gives_in_company(
    two: tuple[Path, Finished], command: Run, tmp_path: Path
) -> None:
    words = ("--start-from", f"{PLAYED}@3.25", *SHIPPED, *QUICK.split())
    done = command("counterfactual", *words, "--out", tmp_path / "one")
    assert done.code == 0, done.err
    title, way, *more = done.out.splitlines()
    assert title == f"{PLAYED}@3.25, 3.25 to 4.92 s"
    assert way.startswith("    nosing -3.0") and ", sing " in way and any(" dB" in s for s in more)
    one, _ = read_arrays(tmp_path / "one" / "counterfactual.npz", "counterfactual", ())
    both, _ = read_arrays(two[0] / "counterfactual.npz", "counterfactual", ())
    for name, array in one.items():
        if array.dtype.kind == "f":
            assert array[0] == pytest.approx(both[name][1], abs=1e-3), name


@pytest.mark.slow
def test_a_hidden_unit_crosses_the_median_of_samples_or_the_level_given(
    command: Run, tmp_path: Path
) -> None:
    where: tuple[str | Path, ...] = ("--start-from", f"{SUNG}@5", "--layer", "fc8")
    words = (*where, *SHIPPED, *QUICK.split())
    done = command("counterfactual", *words, "--neuron", 3, "--json", "--out", tmp_path / "m")
    assert done.code == 0, done.err
    divide = json.loads(done.out)["divide"]
    generator, _ = load_generator(PRETRAINED / "gan.pt", CPU)
    network = load_classifier(PRETRAINED / "classifier.pt", CPU).network
    with torch.no_grad(), unit_response(network, Unit.parse("fc8:3")) as respond:
        samples = respond(generator(torch.from_numpy(start_latents(0, 256, 128)))).numpy()
    median = float(divide.removeprefix("level "))
    assert (samples <= median + 1e-4).mean() == pytest.approx(0.5, abs=0.01)
    above = ("--level", "99", "--prior", "sphere", "--iterations", "1", "--out", tmp_path / "l")
    done = command("counterfactual", *with_options(words, *above), "--neuron", 3)
    assert done.code == 0 and "below 99" in done.out and "never changed side" in done.out
    arrays, _ = read_arrays(tmp_path / "l" / "counterfactual.npz", "counterfactual", ())
    assert arrays["iterations"].tolist() == [-1]
    norms = np.linalg.norm(arrays["counterfactual_latent"], axis=1)
    assert norms == pytest.approx(np.sqrt(128), abs=1e-3)


def test_what_never_changed_side_is_said(command: Run, tmp_path: Path) -> None:
    quick = [w for w in QUICK.split() if w != "-q"]
    words = with_options(
        quick, "--iterations", "1", "--learning-rate", "1e-6", "--refine-steps", "40"
    )
    asked = ("--start-from", f"{PLAYED}@3.25", *SHIPPED, *words)
    done = command("counterfactual", *asked, "--out", tmp_path / "n")
    assert done.code == 0
    assert "never changed side" in done.out
    assert f"{PLAYED}@3.25: never changed side; give more --iterations" in done.err
    assert "never changed side" in (tmp_path / "n" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("start", "words", "code", "message"),
    [
        ("nowhere.ogg@1", "", 2, "--start-from nowhere.ogg@1: no such file as nowhere.ogg"),
        (f"{SUNG}", "", 2, f"--start-from {SUNG}: give FILE@SECONDS, as in song.ogg@12.5"),
        (f"{SUNG}@x", "", 2, f"--start-from {SUNG}@x: give FILE@SECONDS"),
        (f"{SUNG}@-1", "", 2, f"--start-from {SUNG}@-1: give FILE@SECONDS"),
        (f"{SUNG}@nan", "", 2, f"--start-from {SUNG}@nan: give FILE@SECONDS"),
        (f"{SUNG}@999", "", 2, f"--start-from {SUNG}@999: an excerpt is 1.675 s long and the file"),
        (f"{ROOT / 'README.md'}@0", "", 1, f"{ROOT / 'README.md'}: cannot be read as sound"),
        (f"{SUNG}@5", "--prior neer", 2, "--prior: 'neer' is not known (did you mean 'near'?)"),
        (f"{SUNG}@5", "--prior langevin", 2, "--prior: 'langevin' is not known"),
        (f"{SUNG}@5", "--prior sphere --prior-weight 3", 2, "--prior sphere: has no weight"),
        (f"{SUNG}@5", "--level high", 2, "--level high: give a number"),
        (f"{SUNG}@5", "--layer fc", 2, "--layer: the network has no layer 'fc'"),
        (f"{SUNG}@5", "--neuron 1", 2, "--neuron 1: layer fc9 has units 0 to 0"),
        (
            f"{SUNG}@5",
            "--layer fc9:sing --neuron 3",
            2,
            "--neuron 3: --layer fc9:sing names the unit already; leave one of them out",
        ),
        (f"{SUNG}@5", "--learning-rate 0", 2, "--learning-rate 0: must be above zero"),
    ],
)
def test_what_cannot_be_is_one_line_and_writes_nothing(
    command: Run, tmp_path: Path, start: str, words: str, code: int, message: str
) -> None:
    given_words = ("--start-from", start, *SHIPPED, *words.split())
    done = command("counterfactual", *given_words, "--out", tmp_path / "e")
    assert done.code == code
    assert done.error_line().startswith(message)
    assert not (tmp_path / "e").exists()


def test_a_gan_without_encoder_is_refused(command: Run, tmp_path: Path) -> None:
    content = read_checkpoint(PRETRAINED / "gan.pt", "gan")
    kept = {k: v for k, v in content.items() if k not in ("encoder", "kind", "schema")}
    write_checkpoint(tmp_path / "best.pt", "gan", kept)
    done = command(
        "counterfactual", "--start-from", f"{SUNG}@5", *SHIPPED[:4], "--gan", tmp_path / "best.pt",
        "--out", tmp_path / "e",
    )  # fmt: skip
    assert done.code == 1
    assert done.error_line().startswith(f"{tmp_path / 'best.pt'}: contains no encoder")


def test_a_sample_that_is_not_a_number_is_named(command: Run, tmp_path: Path) -> None:
    sound = np.sin(np.arange(3 * 22050) / 20).astype(np.float32)
    sound[3 * 22050 // 4] = np.nan
    path = tmp_path / "nan.wav"
    sf.write(str(path), np.tile(sound, 4), 22050, subtype="FLOAT")
    start = f"{path}@6.2"
    words = ("--start-from", start, *SHIPPED, *QUICK.split())
    done = command("counterfactual", *words, "--out", tmp_path / "e")
    assert done.code == 1
    found = f"{path}: a sample at 6.750 s is not a finite number; repair the file"
    assert done.error_line() == found


@pytest.mark.usefixtures("few_samples")
@pytest.mark.parametrize(
    ("words", "layer", "neuron"),
    [
        ("--neuron sing", "fc9", 0),
        ("--layer fc8 --neuron 3-minus-7", "fc8", "3-minus-7"),
        ("--layer conv5:17@max", "conv5", "17@max"),
    ],
)
def test_units_are_named_as_explain_names_them(
    command: Run, tmp_path: Path, words: str, layer: str, neuron: int | str
) -> None:
    done = command(
        "counterfactual", "--start-from", f"{SUNG}@5", *SHIPPED, *words.split(), "--refine-steps",
        "1", "--iterations", "1", "--griffin-lim-iterations", "1", "--json", "-q", "--out",
        tmp_path / "e",
    )  # fmt: skip
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert (document["layer"], document["neuron"]) == (layer, neuron)
    arrays, meta = read_arrays(tmp_path / "e" / "counterfactual.npz", "counterfactual", ())
    assert (meta["layer"], meta["neuron"]) == (layer, neuron)
    network = load_classifier(PRETRAINED / "classifier.pt", CPU).network
    with torch.no_grad(), unit_response(network, Unit.from_meta(layer, neuron)) as respond:
        response = respond(torch.from_numpy(arrays["original_mel"])).numpy()
    np.testing.assert_allclose(arrays["original_response"], response, rtol=1e-4, atol=1e-4)
    assert not arrays["no_gradient"].any()
