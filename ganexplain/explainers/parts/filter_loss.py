"""The filter loss: minus the mutual information of a filter's maps and places of a part.

Zhang et al., arXiv 1710.00935, section 3: a filter whose maps have one peak each, at places that
the input decides, has a low loss.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from ganexplain.errors import UsageError
from ganexplain.explainers.parts.network import template_height, templates

SHARPNESS = 10.0  # nat by which a map of unit mass at one place fits it
LARGEST = 4096  # places of a map
VALUES = 2**24  # most fits in memory


def filter_loss(maps: Tensor, none: bool = True) -> Tensor:
    """Return the loss (D,) in nat of maps (N, D, H, W) of D filters for N inputs.

    -sum_T p(T) sum_x p(x|T) log(p(x|T) / p(x)), where p(x|T) is exp(sum_ij x T) divided by its sum
    over the inputs. T are the templates of all places and, with `none`, the template of no part,
    all equally likely. The loss lies between -log N and 0; it is 0 where all maps are equal. The
    gradient includes the sums over inputs, which the paper keeps constant. Raises UsageError for
    maps of more than 4,096 places.
    """
    height, width = maps.shape[2:]
    if height * width > LARGEST:
        raise UsageError(
            f"maps of {height} x {width} places are too large for the filter loss; "
            "take a layer behind some pooling"
        )
    shapes = _shapes(height, width, none, maps.dtype, maps.device)
    each = max(VALUES // (len(maps) * len(shapes)), 1)
    chunks = maps.flatten(2).split(each, dim=1)
    return torch.cat([_loss(chunk @ shapes.T) for chunk in chunks])


def _loss(fits: Tensor) -> Tensor:
    """Return the loss (D,) from fits (N, D, M) of the maps with M templates."""
    given = fits - torch.logsumexp(fits, dim=0)  # log p(x|T)
    count = fits.shape[2]
    alone = torch.logsumexp(given, dim=2, keepdim=True) - math.log(count)  # log p(x)
    return -(given.exp() * (given - alone)).sum(dim=(0, 2)) / count


@lru_cache(maxsize=4)
def _shapes(
    height: int, width: int, none: bool, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return templates (M, H W)."""
    shapes = templates(height, width, torch.float64)
    return (shapes if none else shapes[:-1]).flatten(1).to(device, dtype)


def sharpen_maps(maps: Tensor) -> Tensor:
    """Scale maps (N, D, H, W) >= 0 to the range where the loss is sensitive.

    The maps of each filter get mass one on average, divided by the height of a template, so that a
    map with all its mass at one place fits that template by `SHARPNESS` nat. Without this a filter
    lowers its loss by growing, and small filters have almost no gradient.
    """
    mass = maps.sum(dim=(2, 3)).mean(dim=0).clamp_min(1e-6)
    return maps / mass[:, None, None] * (SHARPNESS / template_height(*maps.shape[-2:]))
