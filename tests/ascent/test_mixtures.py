"""Real excerpts and their mixtures in place of a GAN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.commands import Run
from support.paths import PRETRAINED
from support.recordings import noise, tone, write_sound

import ganexplain
from ganexplain.ascent.mixture_prior import LEVEL, mixtures
from ganexplain.audio.log_mel import log_mel
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.gans.checkpoint import (
    gan_corpora,
    load_encoder,
    load_gan,
    load_generator,
    load_searched,
    write_mixtures,
)
from ganexplain.gans.mixtures import FILTERS
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput

RATE, SAMPLES, SOURCES = 8000, 4000, 3
SOUND = WaveformInput(sample_rate=RATE, samples=SAMPLES)
OURS = FrontEnd()


def excerpts() -> np.ndarray:
    rows = np.stack([noise(SAMPLES / RATE, RATE, seed=k) for k in range(SOURCES)])
    sound: np.ndarray = rows.astype(np.float32)
    return sound


def latent(**parts: Any) -> torch.Tensor:
    """A latent of the second excerpt alone, with a shift of it and levels."""
    shares = torch.tensor([0.0, 20.0, 0.0])
    filters = torch.full((FILTERS,), parts.get("filters", 0.0))
    others = (
        torch.tensor([parts.get("shift", 0.0)]),
        filters,
        torch.tensor([parts.get("level", 0.0)]),
    )
    return torch.cat([shares, *others])[None]


def test_one_excerpt_alone_is_the_excerpt_at_the_common_level() -> None:
    rows = excerpts()
    generator = mixtures(rows, SOUND, SOUND)
    own = LEVEL * rows[1] / np.sqrt((rows[1] ** 2).mean())
    for given, wanted in (
        ({}, own),
        ({"level": 1.0}, own * 10 ** (6 / 20)),
        ({"filters": -1.0}, own * 10 ** (-6 / 20)),
        ({"shift": 0.5}, np.roll(own, SAMPLES // 8)),
    ):
        np.testing.assert_allclose(generator(latent(**given))[0], wanted, atol=1e-4)


def test_shares_of_a_mixture_add_up_to_one() -> None:
    rows = excerpts()
    generator = mixtures(rows, SOUND, SOUND)
    levelled = LEVEL * rows / np.sqrt((rows**2).mean(axis=1, keepdims=True))
    even = torch.zeros(1, generator.latent_size)
    np.testing.assert_allclose(generator(even)[0], levelled.mean(axis=0), atol=1e-5)


def test_a_filter_changes_its_band_alone() -> None:
    generator = mixtures(excerpts(), SOUND, SOUND)
    softer = latent()
    softer[0, SOURCES + 1] = -2  # the lowest band: up to 93 Hz
    power = [np.abs(np.fft.rfft(generator(z)[0].numpy())) ** 2 for z in (latent(), softer)]
    change = 10 * np.log10(power[1] / power[0])
    hertz = np.fft.rfftfreq(SAMPLES, 1 / RATE)
    np.testing.assert_allclose(change[(hertz > 0) & (hertz <= 50)], -12, atol=0.1)
    np.testing.assert_allclose(change[hertz > 94], 0, atol=0.1)


def test_a_log_mel_is_that_of_the_mixture_and_a_file_makes_the_same(tmp_path: Path) -> None:
    sound = WaveformInput(sample_rate=22050, samples=OURS.excerpt_samples)
    rows = noise(3 * sound.samples / 22050).reshape(3, -1).astype(np.float32)
    generator = mixtures(rows, sound, OURS)
    drawn = torch.from_numpy(np.random.default_rng(0).normal(size=(2, generator.latent_size)))
    made = generator(drawn.float())
    for waveform, mel in zip(generator.sounds(drawn.float()), made, strict=True):
        np.testing.assert_allclose(mel, log_mel(waveform.numpy(), OURS).T, atol=1e-3)
    write_mixtures(tmp_path / "mixed.pt", generator, "field")
    again, input_spec = load_searched(tmp_path / "mixed.pt", torch.device("cpu"))
    assert input_spec == OURS and torch.equal(again(drawn.float()), made)


def test_a_level_beyond_full_scale_is_that_of_a_peak_within_it() -> None:
    generator = mixtures(excerpts(), SOUND, SOUND)
    loud = latent(level=8.0).requires_grad_()  # 48 dB
    own = generator(latent())[0].numpy()
    found = generator(loud)
    np.testing.assert_allclose(found[0].detach(), 0.99 * own / np.abs(own).max(), atol=1e-4)
    assert found.square().mean().backward() is None and loud.grad is not None
    assert loud.grad.isfinite().all() and loud.grad.abs().max() > 0


def test_a_resumed_run_keeps_its_mixtures_whatever_becomes_of_the_recordings(
    field: Path, tmp_path: Path
) -> None:
    given: Any = {"kind": "waveform", "sample_rate": RATE, "samples": SAMPLES}
    words: Any = {"prior_from": field, "input": given, "learning_rate": 0.3, "prior_weight": 0.01}
    words |= {"iterations": 1, "examples": 2, "calls": 5, "out": tmp_path / "run"}
    ganexplain.explain(level_db, **words)
    before = (tmp_path / "run" / "mixtures.pt").read_bytes()
    (tmp_path / "run" / "explanations.npz").unlink()
    write_sound(field / "0.wav", noise(2, RATE, level=0.1, seed=9), RATE)
    ganexplain.explain(level_db, **words, resume=True)
    assert (tmp_path / "run" / "mixtures.pt").read_bytes() == before


def level_db(waves: np.ndarray) -> np.ndarray:
    """The level of waveforms (B, W) in dB, of which a search finds the largest."""
    level: np.ndarray = 10 * np.log10((waves.astype(np.float64) ** 2).mean(1, keepdims=True))
    return level.astype(np.float32)


def test_a_search_for_the_loudest_stays_within_full_scale(field: Path, tmp_path: Path) -> None:
    given = {"kind": "waveform", "sample_rate": RATE, "samples": SAMPLES}
    found = ganexplain.explain(
        level_db, prior_from=field, input=given, learning_rate=0.3, prior_weight=0.01,
        iterations=20, examples=2, calls=9, out=tmp_path / "run",
    )  # fmt: skip
    assert np.abs(found.inputs).max() <= 1 and np.isfinite(found.response).all()


def share_at_1_khz(waves: np.ndarray) -> np.ndarray:
    """The share of energy near 1 kHz in waveforms (B, W), in dB."""
    power = np.abs(np.fft.rfft(waves)) ** 2
    near = np.abs(np.fft.rfftfreq(waves.shape[1], 1 / RATE) - 1000) < 20
    share: np.ndarray = 10 * np.log10(power[:, near].sum(1) / (power.sum(1) + 1e-9) + 1e-9)
    return share[:, None]


@pytest.fixture
def field(tmp_path: Path) -> Path:
    """Recordings of noise, of which one has a tone of 1 kHz as loud as its noise."""
    for k in range(3):
        sound = noise(2, RATE, level=0.1, seed=k)
        sound += (k == 1) * tone(1000, 2, RATE, level=0.14)
        write_sound(tmp_path / "field" / f"{k}.wav", sound, RATE)
    return tmp_path / "field"


@pytest.mark.usefixtures("few_samples")
def test_a_detector_of_a_tone_is_driven_by_the_excerpt_that_has_it(
    field: Path, tmp_path: Path
) -> None:
    given = {"kind": "waveform", "sample_rate": RATE, "samples": SAMPLES}
    found = ganexplain.explain(
        share_at_1_khz, prior_from=field, input=given, learning_rate=0.3, prior_weight=0.01,
        iterations=(1, 25), examples=3, calls=9, out=tmp_path / "run",
    )  # fmt: skip
    assert found.inputs.shape == (2, 3, SAMPLES)
    driven = share_at_1_khz(found.inputs[1])[:, 0]
    np.testing.assert_allclose(found.response[1], driven, atol=1e-3)
    assert (driven > -2.5).all()  # the excerpt itself has -3 dB, and its filter can help
    assert (driven >= share_at_1_khz(found.inputs[0])[:, 0] - 1e-3).all()
    assert gan_corpora(tmp_path / "run" / "mixtures.pt") == (str(field),)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "--gan or --prior-from, a GAN or recordings to mix: name one of them"),
        (
            f"--gan {PRETRAINED / 'gan.pt'} --prior-from {{field}}",
            "--gan or --prior-from, a GAN or recordings to",
        ),
        ("--prior-from {field}/none", "{field}/none: no such corpus"),
    ],
)
def test_what_cannot_be_mixed_is_one_line(
    command: Run, field: Path, tmp_path: Path, words: str, message: str
) -> None:
    (tmp_path / "own.py").write_text("def loud(x):\n    return (x**2).mean(1, keepdims=True)\n")
    (tmp_path / "own.toml").write_text(
        f'kind = "waveform"\nsample_rate = {RATE}\nsamples = {SAMPLES}\n'
    )
    network = ("--model", f"{tmp_path / 'own.py'}:loud", "--input", tmp_path / "own.toml")
    given = words.format(field=field).split()
    done = command("explain", *network, *given, "--out", tmp_path / "run")
    assert done.code == 2 and done.error_line().startswith(message.format(field=field)), done.err


def test_mixtures_are_no_trained_gan(tmp_path: Path) -> None:
    write_mixtures(tmp_path / "mixed.pt", mixtures(excerpts(), SOUND, SOUND), "field")
    for load in (load_gan, load_generator, load_encoder):
        with pytest.raises(UsageError, match=r"is of mixtures .* name the gan.pt of a training"):
            load(tmp_path / "mixed.pt", torch.device("cpu"))


def test_a_network_of_pictures_mixes_none(field: Path, tmp_path: Path) -> None:
    with pytest.raises(GanexplainError, match="mixes recordings, and the network"):
        ganexplain.explain(
            lambda x: x.mean((1, 2)), prior_from=field, out=tmp_path / "run",
            input={"kind": "image", "channels": 1, "height": 16, "width": 16},
        )  # fmt: skip


@pytest.mark.slow
def test_settings_of_a_search_among_mixtures_are_ranked_and_shown_as_any(
    field: Path, tmp_path: Path
) -> None:
    given = {"kind": "waveform", "sample_rate": RATE, "samples": SAMPLES}
    ganexplain.explain(
        share_at_1_khz, prior_from=field, input=given, learning_rate=0.3, examples=3, calls=9,
        prior_weight=(0.01, 0.1), iterations=(1, 5), out=tmp_path / "run",
    )  # fmt: skip
    moved = (tmp_path / "run").rename(tmp_path / "moved")  # it has all that is needed
    real = ganexplain.responses(field, share_at_1_khz, input=given, top=3, out=tmp_path / "real")
    ranking = ganexplain.select(moved, responses=real, out=tmp_path / "select")
    assert len(ranking.units[0].scores) == 4
    page = ganexplain.write_report(moved, ranking, examples=1, heard=1, out=tmp_path / "report")
    assert "<audio" in page.result.read_text()
