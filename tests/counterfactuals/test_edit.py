"""The smallest edit, of margins that are linear in the changes, where it is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from ganexplain.counterfactuals.edit import ATTEMPTS, LIMITS_DB, Edit, EditSearch

BANDS, FRAMES = 16, 30
ALL = torch.ones(BANDS, FRAMES)
STEPS = 16 * ATTEMPTS


def weights(seed: int = 0) -> Tensor:
    return torch.randn(BANDS, FRAMES, generator=torch.Generator().manual_seed(seed))


def find(
    margin: Callable[[Tensor], Tensor],
    upwards: bool = True,
    editable: Tensor = ALL,
    most: float = 0.2,
    confirm: Callable[[Tensor], bool] = lambda by: True,
) -> Edit:
    done: list[int] = []
    found = EditSearch(margin, upwards, editable, most, STEPS, confirm).find(done.append)
    assert sum(done) == STEPS
    return found


def plane(slope: Tensor, threshold: float) -> Callable[[Tensor], Tensor]:
    return lambda by: (by * slope).sum((1, 2)) - threshold


@pytest.mark.parametrize("upwards", [True, False])
def test_the_edit_changes_the_few_cells_that_matter_most_in_their_direction(upwards: bool) -> None:
    """No smaller set of cells crosses than those of the largest weights at the limit."""
    bands, frames = torch.arange(BANDS)[:, None], torch.arange(FRAMES)
    slope = torch.exp(-(((bands - 5) / 2.5) ** 2) - ((frames - 12) / 4.0) ** 2)
    way = 0.5 * LIMITS_DB[0] * float(slope.sum())
    sign = 1 if upwards else -1
    found = find(plane(sign * slope, sign * way), upwards)
    changed = np.abs(found.by) > 0
    best = np.cumsum(np.sort(slope.numpy().ravel())[::-1]) * LIMITS_DB[0]
    least = int(np.searchsorted(best, way)) + 1
    assert found.steps > 0
    assert (found.by[changed] > 0).all()
    assert least <= changed.sum() <= 1.6 * least
    assert slope.numpy()[changed].min() > 0.5 * np.sort(slope.numpy().ravel())[::-1][least]


def test_no_limit_is_passed() -> None:
    slope = weights()
    found = find(plane(slope, 100.0), most=0.1)
    assert found.steps > 0
    assert float(plane(slope, 100.0)(torch.from_numpy(found.by)[None])) > 0
    assert (np.abs(found.by) > 0).mean() <= 0.1
    assert np.abs(found.by).max() <= LIMITS_DB[0] + 1e-5


def test_a_larger_change_is_asked_for_only_where_the_smaller_does_not_do() -> None:
    slope = weights()
    reach = float(slope.abs().flatten().sort(descending=True).values[:48].sum())
    found = find(plane(slope, 5.0 * reach), most=0.1)
    assert found.steps > 0
    assert LIMITS_DB[0] < np.abs(found.by).max() <= 12.0


def test_only_cells_that_may_change_do() -> None:
    editable = torch.zeros(BANDS, FRAMES)
    editable[3:9, 5:20] = 1
    found = find(plane(weights(), 30.0), editable=editable)
    assert found.steps > 0 and np.abs(found.by).any()
    assert not found.by[editable.numpy() == 0].any()


def test_an_edit_that_is_not_confirmed_does_not_count() -> None:
    asked: list[float] = []

    def confirm(by: Tensor) -> bool:
        asked.append(float(by.abs().sum()))
        return float(by.abs().sum()) > 100

    found = find(plane(weights(), 20.0), confirm=confirm)
    assert min(asked) < 100 < np.abs(found.by).sum()
    assert asked == sorted(asked)  # the smallest is tried first


def test_the_scale_of_the_margin_does_not_matter() -> None:
    slope = weights()
    found, small = (find(plane(s * slope, 30.0 * s)) for s in (1.0, 1e-4))
    assert found.steps == small.steps > 0
    np.testing.assert_allclose(small.by, found.by, atol=1e-3)


def test_few_steps_are_those_of_the_first_attempts() -> None:
    done: list[int] = []
    asked: list[float] = []

    def margin(by: Tensor) -> Tensor:
        asked.append(float(by.detach().abs().max()))
        return (by * weights()).sum((1, 2)) - 1e6

    found = EditSearch(margin, True, ALL, 0.2, 5, lambda by: True).find(done.append)
    assert len(asked) == sum(done) == 5 and found.steps == -1
    assert [size > 0 for size in asked] == [False, True, True, True, False]


def test_where_the_other_side_is_out_of_reach_the_closest_edit_is_returned() -> None:
    slope = weights()
    found = find(plane(slope, 1e6))
    assert found.steps == -1 and not found.no_gradient
    crossed = 20 * 0.6 * float(slope.abs().flatten().sort(descending=True).values[:96].sum())
    assert float((torch.from_numpy(found.by) * slope).sum()) > crossed


def test_a_margin_without_gradient_is_reported() -> None:
    found = find(lambda by: 0 * by.sum((1, 2)) - 1)
    assert found.no_gradient and found.steps == -1 and not found.by.any()
