"""The conditional-GAN explainer: from an input and how a network saw it to one map.

After Akash Guna R T, Benitez and Sikha (arXiv 2301.08067), without the faults of their released
code: the discriminator lives, the target's layer and class are those asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.artifacts.explainer import ExplainerFile
from ganexplain.attribution.methods.grad_cam import enlarged
from ganexplain.attribution.scorer import Scorer
from ganexplain.config import WIDEST
from ganexplain.errors import UsageError, check_known
from ganexplain.explainers.cgan.maps import (
    CONDITIONS,
    condition_indices,
    cumulative,
    maps_and_gradient,
    pooled,
    product,
    reduced,
    signed,
    working_size,
)
from ganexplain.explainers.cgan.networks import GENERATORS, MapGenerator
from ganexplain.files.checkpoints import filled
from ganexplain.inputs.kinds import Input

TEACHERS = ("grad-cam", "occlusion")
FINEST = 4  # values of the input along each axis of a cell that is drawn, at most


@dataclass(frozen=True)
class View:
    """Which of a network's maps are conditions, and which is learnt.

    The teacher `grad-cam` is the map of convolution `layer`, the last where it is empty. Its own
    map is left out of the conditions, the first of which would else be the answer. Of the
    teacher `occlusion` they are made of all. With `gradient` a generator is shown the input
    times the gradient, too.
    """

    teacher: str
    layer: str = ""
    gradient: bool = False

    def __post_init__(self) -> None:
        check_known("--teacher", self.teacher, TEACHERS)
        if self.layer and self.teacher != "grad-cam":
            raise UsageError("--layer: goes with --teacher grad-cam; leave one out")

    def learnt(self, maps: Mapping[str, Tensor]) -> str:
        """Name of the convolution that is learnt of `maps`, deepest first; empty where none is."""
        if self.teacher != "grad-cam":
            return ""
        return check_known("--layer", self.layer, maps) if self.layer else next(iter(maps))

    def seen(self, maps: Mapping[str, Tensor]) -> list[str]:
        """Names of the convolutions whose maps are conditions, the deepest first.

        Raises UsageError where there is none.
        """
        learnt = self.learnt(maps)
        names = [name for name in maps if name != learnt]
        if not names:
            raise UsageError(
                f"the network has no convolution but {learnt}, whose map is to be learned; "
                "use --teacher occlusion"
            )
        return names

    def conditions(self, maps: Mapping[str, Tensor], count: int) -> Tensor:
        """Conditions (B, count, H, W) of maps (B, H, W) of every convolution, deepest first."""
        names = self.seen(maps)
        indices = condition_indices(len(names), count)
        return cumulative(torch.stack([maps[name] for name in names], dim=1))[:, indices]

    def shown(
        self, maps: Mapping[str, Tensor], products: Tensor, count: int, longest: int
    ) -> Tensor:
        """What a generator is shown (B, n, h, w), 0 to 1, of maps and products (B, H, W).

        The conditions, `count` in all; with `gradient` the products behind them, `signed`. Of at
        most `longest` cells a side.
        """
        conditions = reduced(self.conditions(maps, count), longest)
        if not self.gradient:
            return conditions
        return torch.cat([conditions, signed(pooled(products[:, None], longest))], dim=1)

    def reach(self, maps: Mapping[str, Tensor], count: int) -> list[str]:
        """Names (count,) of the shallowest convolution in each condition."""
        names = self.seen(maps)
        return [names[index] for index in condition_indices(len(names), count)]


def condition_count(layers: int) -> int:
    """How many conditions are made of so many layers."""
    return min(CONDITIONS, layers)


def build_generator(settings: Mapping[str, Any], input_spec: Input) -> MapGenerator:
    """The generator of such settings for what networks take; untrained.

    `kind`, `conditions`, `width`, `size` and `gradient`.

    ValueError for sizes that no training has.
    """
    kind = GENERATORS[check_known("--generator", settings["kind"], GENERATORS)]
    conditions, width = int(settings["conditions"]), int(settings["width"])
    if not (1 <= conditions <= CONDITIONS and 1 <= width <= WIDEST):
        raise ValueError(f"{conditions} conditions and a width of {width} are out of range")
    size = working_size(input_spec.shape, int(settings["size"]))
    fine = min(input_spec.shape[-2] // size[0], input_spec.shape[-1] // size[1], FINEST)
    gradient = bool(settings["gradient"])
    inner = kind(channels_of(input_spec) * fine**2 + gradient, conditions, 1, width)
    return MapGenerator(inner, input_spec.shape[0], fine, size, gradient=gradient)


def channels_of(input_spec: Input) -> int:
    """Channels of an input: of log-mel one."""
    return input_spec.shape[0] if len(input_spec.shape) == 3 else 1


@dataclass(frozen=True)
class CganAnswer:
    """Maps by a trained generator, which sees a network by its `view`.

    So many `conditions`, and maps of at most `size` cells along the longer axis.
    """

    generator: MapGenerator
    view: View
    conditions: int
    size: int

    def __call__(
        self, network: nn.Module, scorer: Scorer, x: Tensor
    ) -> tuple[Tensor, dict[str, Any]]:
        """The map (H, W) of input x (*S); one pass and one gradient of the network."""
        maps, gradient = maps_and_gradient(network, scorer.differentiable, x[None])
        scorer.passes += 1
        with torch.no_grad():
            products = product(x[None], gradient, self.generator.mean)
            shown = self.view.shown(maps, products, self.conditions, self.size)
            area = self.generator(x[None], shown)[0, 0]
            learnt = self.view.learnt(maps)
            if not learnt:  # `signed`: 0.5 stands for 0
                area = 2 * area - 1
        return enlarged(area, *x.shape[-2:]), {
            "teacher": self.view.teacher,
            "layer": learnt,
        }


def load_cgan(found: ExplainerFile, device: torch.device) -> Callable[..., Any]:
    """The answer of an `explainer.pt` of this method; ValueError for weights not finite."""
    content = found.content
    generator = filled(content["weights"], lambda: build_generator(content, found.front_end))
    view = View(content["teacher"], content["layer"], bool(content["gradient"]))
    sizes = int(content["conditions"]), int(content["size"])
    return CganAnswer(generator.to(device).eval(), view, *sizes)
