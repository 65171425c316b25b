"""Adversarial training: it learns what it sees, repeats itself, and says when it fails."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganexplain.config import TrainGanConfig
from ganexplain.corpora.splits import Split
from ganexplain.errors import Diverged
from ganexplain.gans.losses import LOSSES
from ganexplain.gans.training import GanTraining
from ganexplain.inputs.log_mel import FrontEnd


@pytest.fixture(scope="module")
def split() -> Split:
    """Two recordings of band-shaped noise, 400 frames each."""
    rng = np.random.default_rng(0)
    shape = np.linspace(2, -3, 80)
    mels = tuple((shape + rng.normal(0, 0.5, (400, 80))).astype(np.float32) for _ in range(2))
    return Split((), mels, (), FrontEnd())


def training(split: Split, loss: str, seed: int = 0, batch_size: int = 8) -> GanTraining:
    config = TrainGanConfig(corpus=(), loss=loss, seed=seed, batch_size=batch_size)
    return GanTraining(config, split, torch.device("cpu"))


@pytest.mark.parametrize("loss", list(LOSSES))
def test_every_loss_trains_both_networks_and_keeps_a_folded_generator(
    split: Split, loss: str
) -> None:
    state = training(split, loss)
    before = {name: value.clone() for name, value in state.generator.named_parameters()}
    for step in range(2):
        losses = state.step(step)
        assert set(losses) == {"discriminator", "generator"}
    moved = [n for n, v in state.generator.named_parameters() if not torch.equal(v, before[n])]
    assert len(moved) == len(before)
    weights = state.average.fold_norms().state_dict()
    assert not any(name.startswith("norms") for name in weights)
    assert torch.equal(weights["mean"], torch.from_numpy(split.band_statistics()[0]))


def test_the_same_seed_gives_the_same_generator(split: Split) -> None:
    def weights(seed: int) -> torch.Tensor:
        state = training(split, "non-saturating", seed)
        for step in range(3):
            state.step(step)
        return state.average.get_parameter("out.weight")

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


@pytest.mark.slow
def test_it_learns_the_spectrum_it_is_shown(split: Split) -> None:
    state = training(split, "non-saturating", batch_size=16)

    def off() -> float:
        latent = torch.randn(64, 128, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            drawn = state.average.fold_norms()(latent)
        deviation = drawn.std(dim=(0, 2)).numpy()
        return float(np.abs(np.log(deviation / 0.5)).mean())

    start = off()
    for step in range(40):
        state.step(step)
    assert off() < 0.6 * start


def test_the_autoencoder_learns_to_redraw(split: Split) -> None:
    """Of excerpts that differ in level alone, most can be redrawn."""
    level = np.repeat(np.random.default_rng(0).normal(0, 3, 20), 115)[:, None]
    loud = Split(
        (), tuple(mel[:1] + level.astype(np.float32) for mel in split.mels), (), FrontEnd()
    )
    state = training(loud, "non-saturating", batch_size=16)
    losses = [state.autoencoder_step(step)["autoencoder"] for step in range(30)]
    assert np.mean(losses[-3:]) < 0.5 * losses[0]


def test_divergence_is_said(split: Split) -> None:
    state = training(split, "wgan-gp")
    with torch.no_grad():
        state.generator.get_parameter("out.bias").fill_(torch.nan)
    with pytest.raises(Diverged, match="a loss is nan at step 7"):
        state.step(7)
