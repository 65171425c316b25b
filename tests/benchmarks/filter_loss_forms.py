"""Forms of the filter loss: one that knows categories, and masks that pass several events.

The loss of categories is that of arXiv 1710.00935, section 3, as its gradient is given there: an
input of the filter's own category should fit the template of its peaks, any other input the
template of no part. The categories are the network's own decisions; a filter's is the one in which
its peaks are highest on average.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ganexplain.explainers.parts.network import peaks, templates, window

LEAST = 0.5  # share of the largest peak that others must reach


class SeveralMask(nn.Module):
    """As `PartMask`, but passes up to `most` peaks of each map (B, D, H, W), each by its window."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, maps: Tensor) -> Tensor:
        return maps * several_windows(maps, self.most)


def several_windows(maps: Tensor, most: int) -> Tensor:
    """The largest of the windows around up to `most` peaks of maps (B, D, H, W)."""
    height, width = maps.shape[-2:]
    rows, columns = (torch.arange(size, dtype=maps.dtype) for size in (height, width))
    rest = maps.detach()
    highest = rest.amax(dim=(2, 3), keepdim=True)
    found = torch.zeros_like(rest)
    for _ in range(most):
        here = window(peaks(rest).to(maps.dtype), rows, columns, height, width)
        strong = rest.amax(dim=(2, 3), keepdim=True) >= LEAST * highest
        found = torch.maximum(found, here * strong)
        rest = rest * (here == 0)
    return found


class Categories:
    """The category (D,) of each filter: that with the highest mean of its peaks so far."""

    def __init__(self, filters: int, classes: int) -> None:
        self.highest = torch.zeros(classes, filters)

    def own(self, maps: Tensor, decided: Tensor) -> Tensor:
        """Whether inputs are of each filter's category (N, D), after maps (N, D, H, W) are seen."""
        strength = maps.detach().amax(dim=(2, 3))
        for category in decided.unique():
            seen = strength[decided == category].mean(dim=0)
            self.highest[category] = 0.9 * self.highest[category] + 0.1 * seen
        return decided[:, None] == self.highest.argmax(dim=0)


def category_loss(maps: Tensor, own: Tensor, most: int = 1) -> Tensor:
    """A loss (D,) of sharpened maps (N, D, H, W) with the gradient of the paper.

    The gradient is minus p(T) p(x|T) log(p(x|T) / p(x)) T, where T is the template of the map: that
    of its peaks where the input is of the filter's category (N, D), else that of no part; p(x|T)
    and p(x) are over the inputs and all templates. The value is that of the same terms.
    """
    height, width = maps.shape[-2:]
    shapes = templates(height, width, maps.dtype).flatten(1)  # (M, H W)
    flat = maps.flatten(2)
    fits = flat @ shapes.T
    given = fits - torch.logsumexp(fits, dim=0)
    alone = torch.logsumexp(given, dim=2) - math.log(len(shapes))  # log p(x), (N, D)
    wanted = _wanted(maps, own, most, shapes)
    fit = (flat * wanted).sum(dim=2)
    with torch.no_grad():
        # p(x|T) of the template of several peaks: among the inputs of the batch, as for one
        chosen = fit - torch.logsumexp(torch.einsum("ndp,mdp->nmd", wanted, flat), dim=1)
        weight = chosen.exp() * (chosen - alone)
    return -(weight * fit).sum(dim=0)


def _wanted(maps: Tensor, own: Tensor, most: int, shapes: Tensor) -> Tensor:
    """The template (N, D, H W) that each map should fit; that of several peaks is their largest."""
    height, width = maps.shape[-2:]
    rest = maps.detach()
    highest = rest.amax(dim=(2, 3), keepdim=True)
    found = shapes[-1].expand(*maps.shape[:2], -1)
    rows, columns = (torch.arange(size, dtype=maps.dtype) for size in (height, width))
    for _ in range(most):
        place = peaks(rest)
        one = shapes[place[..., 0] * width + place[..., 1]]
        strong = (rest.amax(dim=(2, 3), keepdim=True) >= LEAST * highest).flatten(2)
        found = torch.where(strong, torch.maximum(found, one), found)
        rest = rest * (window(place.to(maps.dtype), rows, columns, height, width) == 0)
    return torch.where(own[..., None], found, shapes[-1])
