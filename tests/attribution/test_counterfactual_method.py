"""`--method counterfactual`: on functions of the input whose smallest change is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain.attribution.masking import MaskedInput
from ganexplain.attribution.methods.base import Attribution, Question
from ganexplain.attribution.methods.counterfactual import Counterfactual
from ganexplain.attribution.methods.registry import attribute
from ganexplain.attribution.scorer import Scorer
from ganexplain.attribution.segments import grid
from ganexplain.errors import UsageError

H, W = 20, 24
PATCH = torch.zeros(H, W)
PATCH[5:9, 10:16] = 1.0  # 5 % of the cells


class Patch(nn.Module):
    """Logits of two classes: the mean of the patch over a level, over all channels."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level

    def forward(self, x: Tensor) -> Tensor:
        found = (x * PATCH).flatten(1).sum(1) / PATCH.sum() - self.level
        return torch.stack([-found, found], 1)


def ask(x: Tensor, network: nn.Module, outputs: str = "logits", target: int = 1) -> Attribution:
    labels = grid(H, W, 4, 4)
    fill = torch.zeros_like(x)
    scorer = Scorer(network, target, outputs=outputs)
    parts = MaskedInput(x, labels, fill)
    return attribute(Question(x, fill, labels, parts, scorer, network), Counterfactual())


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def in_patch(found: Attribution, inside: bool = True) -> float:
    """The mean change of the cells inside or outside of the patch."""
    return float(found.map[(PATCH.numpy() > 0) == inside].mean())


@pytest.mark.parametrize("shape", [(H, W), (3, H, W)])
def test_the_cells_that_decide_are_those_that_change(shape: tuple[int, ...]) -> None:
    x = noise(*shape)
    mean = float((x * PATCH).sum() / PATCH.sum())
    network = Patch(mean - 0.1)
    found = ask(x, network)
    changed = found.map > 0
    assert not found.warnings and found.passes > 0
    assert changed.any() and PATCH.numpy()[changed].mean() > 0.5
    assert changed.sum() < 2 * PATCH.sum()
    assert np.argmax(found.weights) in np.unique(grid(H, W, 4, 4)[PATCH.numpy() > 0])


def test_a_larger_margin_takes_larger_changes() -> None:
    x = noise(H, W)
    mean = float((x * PATCH).sum() / PATCH.sum())
    small, large = (ask(x, Patch(mean - margin)).map.sum() for margin in (0.02, 0.3))
    assert 0 < 2 * small < large


def test_a_class_that_is_not_found_is_changed_half_the_way_to_the_fill() -> None:
    """Its logit is at mean - level < 0 and at -level for the fill of zeros."""
    x = noise(H, W) + PATCH
    network = Patch(5.0)
    found = ask(x, network, target=1)
    assert not found.warnings and in_patch(found) > 4 * in_patch(found, inside=False)


def test_an_activation_is_changed_half_the_way_to_the_fill() -> None:
    x = noise(H, W) + PATCH
    found = ask(x, Patch(0.0), outputs="activations")
    assert not found.warnings and in_patch(found) > 4 * in_patch(found, inside=False)


def test_what_no_change_alters_is_reported() -> None:
    found = ask(noise(H, W), Patch(-1e4))
    (warning,) = found.warnings
    assert "the map is of the closest" in warning and found.details["steps"] == -1


@pytest.mark.parametrize("detach", [lambda x: x.detach(), lambda x: x.round()])
def test_a_network_without_gradient_is_refused(detach: Callable[[Tensor], Tensor]) -> None:
    class Dead(Patch):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(detach(x))

    with pytest.raises(UsageError, match="no gradient of the target reaches the input"):
        ask(noise(H, W) + 5, Dead(0.0))


def test_waveforms_have_no_cells() -> None:
    with pytest.raises(UsageError, match="waveforms have no cells"):
        Counterfactual().check(Patch(0.0), torch.zeros(1, 800))
