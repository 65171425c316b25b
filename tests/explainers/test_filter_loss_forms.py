"""The filter loss with categories, and masks that pass several events, of the benchmark."""

from __future__ import annotations

import math

import numpy as np
import torch
from benchmarks.filter_loss_forms import Categories, SeveralMask, category_loss
from benchmarks.learned_known import coverage, purity

from ganexplain.explainers.parts.network import PartMask, templates


def maps_of(*shape: int) -> torch.Tensor:
    return 5 * torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_its_gradient_is_that_of_the_paper_written_out() -> None:
    maps, own = maps_of(5, 2, 3, 4), torch.tensor([[True, False], [True, True], [False, True],
                                                   [False, False], [True, False]])  # fmt: skip
    maps.requires_grad_(True)
    category_loss(maps, own).sum().backward()
    shapes = templates(3, 4, torch.float64)
    values = maps.detach().numpy()
    expected = np.zeros_like(values)
    for d in range(2):
        fit = np.einsum("nij,mij->nm", values[:, d], shapes.numpy())
        given = np.exp(fit) / np.exp(fit).sum(axis=0)
        alone = given.mean(axis=1)
        for n in range(5):
            t = int(values[n, d].argmax()) if own[n, d] else 12
            weight = given[n, t] * math.log(given[n, t] / alone[n])
            expected[n, d] = -weight * shapes[t].numpy()
    assert maps.grad is not None
    np.testing.assert_allclose(maps.grad.numpy(), expected, atol=1e-12)


def test_one_event_is_the_mask_of_parts_and_several_are_their_union() -> None:
    maps = maps_of(2, 3, 8, 12)
    torch.testing.assert_close(SeveralMask(1)(maps), PartMask()(maps))
    two = torch.zeros(1, 1, 8, 12, dtype=torch.float64)
    two[0, 0, 2, 1], two[0, 0, 5, 10] = 4.0, 3.0
    torch.testing.assert_close(SeveralMask(2)(two), two)
    assert SeveralMask(1)(two)[0, 0, 5, 10] == 0
    two[0, 0, 5, 10] = 1.9  # less than half of the largest
    assert SeveralMask(2)(two)[0, 0, 5, 10] == 0


def test_a_filter_is_of_the_category_in_which_it_peaks() -> None:
    maps = torch.ones(4, 2, 3, 3)
    maps[:2, 0] = 5.0  # inputs of category 1
    maps[2:, 1] = 5.0  # of category 0
    own = Categories(2, 3).own(maps, torch.tensor([1, 1, 0, 0]))
    assert own.tolist() == [[True, False], [True, False], [False, True], [False, True]]


def test_categories_push_a_filter_out_of_other_inputs() -> None:
    maps = maps_of(6, 1, 4, 4).requires_grad_(True)
    own = torch.tensor([[True]] * 3 + [[False]] * 3)
    gradient = torch.autograd.grad(category_loss(maps, own).sum(), maps)[0]
    lower = maps.detach() - 0.1 * gradient.sign()
    assert category_loss(lower, own).sum() < category_loss(maps, own).sum()


def test_purity_and_coverage_of_filters_by_their_shares() -> None:
    shares = np.array([[0.0, 0.75, 0.2], [1.0, 0.0, 0.0], [0.1, 0.0, 0.49], [np.nan] * 3])
    assert purity(shares[:3]).tolist() == [0.75, 1.0, 0.49]
    assert coverage(shares) == 2 / 3  # nothing detects kind 2
    assert coverage(shares[:1]) == 1 / 3
