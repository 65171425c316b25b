"""A GAN that draws log-mel in dB: its control reaches silence, its page is in dB."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from support.commands import Run
from support.elements import Elements
from support.recordings import JamendoFolder, song
from torch import nn

from ganexplain.files.arrays import read_arrays

SPEC = (
    'convention = "librosa"\nframe_length = 512\nhop_length = 256\nmel_bands = 16\n'
    "excerpt_frames = 20\nhighest_hz = 8000\n"
)
SILENCE = -100.0  # dB, 10 log10 of librosa's 1e-10


class Quiet(nn.Module):
    """Responds the more the quieter an excerpt (B, 16, 20) in dB is."""

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return -mel.flatten(1).mean(1, keepdim=True).clamp_min(SILENCE) / 10


def test_a_gan_in_decibels_has_controls_and_a_page_in_decibels(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    fading = song(5)
    jamendo.add("train", "fading.wav", fading * np.geomspace(1, 1e-3, fading.size))
    spec, network = tmp_path / "input.toml", tmp_path / "network.pt"
    spec.write_text(SPEC)
    torch.jit.save(torch.jit.trace(Quiet(), torch.zeros(2, 16, 20)), str(network))
    made, chosen = tmp_path / "explain" / "explanations.npz", tmp_path / "select"
    for words in (
        ("train-gan", jamendo.root, "--input", spec, "--out", tmp_path / "gan",
         *"--steps 2 --autoencoder-steps 1 --encoder-steps 1 --batch-size 4".split()),
        ("explain", "--model", network, "--input", spec, "--gan", tmp_path / "gan" / "gan.pt",
         *"--learning-rate 0.1 --prior-weight 0.01 --iterations 2 --examples 3".split(),
         "--jobs", "1", "--out", made.parent),
        ("select", made, "--corpus", jamendo.root, "--hop-frames", "20", "--out", chosen),
        ("report", made, "--selection", chosen, "--griffin-lim-iterations", "2",
         "--out", tmp_path / "report"),
    ):  # fmt: skip
        done = command(*words, "-q")
        assert done.code == 0, done.err
    real, _ = read_arrays(chosen / "responses.npz", "responses", ())
    controls, _ = read_arrays(chosen / "controls.npz", "controls", ())
    # Without the GAN: cut at silence, not at ln(1e-10) = -23, which is loud in dB.
    quiet = controls["input_ascent_mel"]
    assert SILENCE - 1e-3 <= quiet.min() < -30
    assert real["mel"].mean() < -24  # what it is compared with lies below the old limit
    assert quiet.mean() == pytest.approx(real["mel"].mean(), abs=10)
    text = (tmp_path / "report" / "report.html").read_text()
    page = Elements(text)
    legend = page.of("svg", "colour-bar")[0].attributes["aria-label"]
    low, high = (float(word) for word in legend.split() if word.lstrip("-").isdigit())
    assert legend.endswith(" dB") and low % 10 == high % 10 == 0
    assert high - 10 < real["mel"].max() <= high
    assert max(high - 90, np.percentile(real["mel"], 1) - 10) <= low <= high - 20
    assert page.of("span", "unit")[0].text == "dB"
    assert "decibels of mel power; from the" in text and not re.search(r"\bnat\b", text)
