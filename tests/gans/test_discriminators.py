"""What the discriminators see: altered excerpts, and layers of a frozen network."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.gans.augment import (
    CUT_BANDS,
    CUT_FRAMES,
    LEVEL_NAT,
    SHIFT_FRAMES,
    augment,
    draw_changes,
)
from ganexplain.gans.dcgan import batch_deviation
from ganexplain.gans.feature_discriminator import FeatureDiscriminator, LayerOutputs
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.runs.machine import random_stream

MEAN = torch.full((80,), -50.0)


def altered(mel: torch.Tensor, index: int = 0) -> torch.Tensor:
    return augment(mel, MEAN, draw_changes(random_stream(0, "test", index), len(mel)))


def test_altered_excerpts_are_shifted_louder_or_softer_and_cut() -> None:
    ramp = torch.arange(115.0).expand(40, 80, 115)
    shifts, levels, cut_rows, cut_columns = [], [], [], []
    for excerpt in altered(ramp):
        cut = excerpt == -50.0
        columns, rows = cut.all(dim=0), cut.all(dim=1)
        kept = excerpt[~rows][:, ~columns]
        assert torch.equal(kept, kept[:1].expand_as(kept))  # all bands alike
        places = torch.arange(115)[~columns]
        shift = ((kept[0] - places + 57) % 115 - 57).mean()
        shifts.append(shift.round().item())
        levels.append((shift - shift.round()).item())
        cut_rows.append(int(rows.sum()))
        cut_columns.append(int(columns.sum()))
    assert max(map(abs, shifts)) <= SHIFT_FRAMES and len(set(shifts)) > 10
    assert max(map(abs, levels)) <= LEVEL_NAT and np.std(levels) > 0.1
    assert 0 < max(cut_rows) <= CUT_BANDS and 0 < max(cut_columns) <= CUT_FRAMES


def test_the_level_is_altered_in_the_unit_of_the_excerpts() -> None:
    """As many decibels in an excerpt in dB as in one in nat: up to 4.3."""
    nat, decibel = (
        draw_changes(random_stream(0, "test"), 200, front_end.values_per_nat)
        for front_end in (FrontEnd(), FrontEnd(logarithm="db", power=2.0))
    )
    np.testing.assert_allclose(decibel[:, 1], nat[:, 1] * 20 / np.log(10))
    assert 4 < np.abs(decibel[:, 1]).max() <= 4.343
    np.testing.assert_array_equal(np.delete(decibel, 1, 1), np.delete(nat, 1, 1))


def test_alteration_is_of_its_stream_alone_and_passes_the_gradient() -> None:
    mel = torch.randn(4, 80, 115, requires_grad=True)
    assert torch.equal(altered(mel), altered(mel))
    assert not torch.equal(altered(mel), altered(mel, 1))
    altered(mel).sum().backward()
    assert mel.grad is not None
    share = mel.grad.mean().item()  # of what is not cut
    assert 0.6 < share < 1 and set(mel.grad.unique().tolist()) == {0.0, 1.0}


def test_layers_are_spread_over_the_depth_and_the_output_is_not_among_them() -> None:
    network = SVDNet().eval()
    outputs = LayerOutputs(network)
    features = outputs(torch.randn(2, 80, 115))
    assert [tuple(part.shape[1:]) for part in features] == [
        (32, 76, 111), (128, 23, 35), (256,), (64,)
    ]  # fmt: skip


def test_a_network_with_few_layers_gives_those_it_has() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(80 * 115, 7), nn.ReLU(), nn.Linear(7, 1))
    (only,) = LayerOutputs(network)(torch.randn(2, 80, 115))
    assert only.shape == (2, 7)


def test_a_feature_discriminator_scores_every_layer_and_reaches_the_input() -> None:
    torch.manual_seed(0)
    outputs = LayerOutputs(SVDNet().eval().requires_grad_(False))
    discriminator = FeatureDiscriminator(outputs(torch.randn(8, 80, 115)))
    mel = torch.randn(3, 80, 115, requires_grad=True)
    scores = discriminator(outputs(mel))
    assert scores.shape == (3, 4)
    scores.sum().backward()
    assert mel.grad is not None and mel.grad.abs().sum() > 0


def test_batch_deviation_tells_copies_from_different_ones() -> None:
    x = torch.randn(16, 8)
    assert batch_deviation(x[:1].expand(16, 8)).max().item() < 1e-3
    assert batch_deviation(2 * x).max().item() > 1.5 * batch_deviation(x).max().item() > 1
