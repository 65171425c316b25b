"""The conditional-GAN explainer: one map from an input and the layer maps of a network.

After Akash Guna R T, Benitez and Sikha (arXiv 2301.08067). Two faults of their released code are
corrected: here the discriminator learns, and the target has the requested layer and class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganexplain.artifacts.explainer import ExplainerFile
from ganexplain.attribution.methods.grad_cam import enlarged
from ganexplain.attribution.methods.learned import LearnedMap
from ganexplain.attribution.scorer import Scorer
from ganexplain.config import WIDEST
from ganexplain.errors import UsageError, check_known
from ganexplain.explainers.cgan.maps import (
    CONDITIONS,
    accumulate_maps,
    condition_indices,
    input_times_gradient,
    maps_and_gradient,
    pool_maps,
    shrink_maps,
    to_signed_range,
    working_size,
)
from ganexplain.explainers.cgan.networks import GENERATORS, MapGenerator
from ganexplain.files.checkpoints import build_network
from ganexplain.inputs.base import Input

TEACHERS = ("grad-cam", "occlusion")
FINEST = 4  # most values of the input along each axis of a cell of the map


@dataclass(frozen=True)
class View:
    """Which of a network's layer maps are conditions, and which map is the target.

    The target of teacher `grad-cam` is the map of convolution `layer`, by default the last one.
    That map is not a condition, else the first condition would be the target. With teacher
    `occlusion` the maps of all convolutions are conditions. With `gradient` a generator is also
    shown the input times the gradient.
    """

    teacher: str
    layer: str = ""
    gradient: bool = False

    def __post_init__(self) -> None:
        check_known("--teacher", self.teacher, TEACHERS)
        if self.layer and self.teacher != "grad-cam":
            raise UsageError("--layer: goes with --teacher grad-cam; leave one out")

    def target_layer(self, maps: Mapping[str, Tensor]) -> str:
        """Return the convolution whose map is the target; empty for teacher `occlusion`."""
        if self.teacher != "grad-cam":
            return ""
        return check_known("--layer", self.layer, maps) if self.layer else next(iter(maps))

    def condition_layers(self, maps: Mapping[str, Tensor]) -> list[str]:
        """Return the convolutions whose maps are conditions, deepest first; UsageError if none."""
        learnt = self.target_layer(maps)
        names = [name for name in maps if name != learnt]
        if not names:
            raise UsageError(
                f"the network has no convolution but {learnt}, whose map is to be learned; "
                "use --teacher occlusion"
            )
        return names

    def conditions(self, maps: Mapping[str, Tensor], count: int) -> Tensor:
        """Return conditions (B, count, H, W) from maps (B, H, W) of the convolutions."""
        names = self.condition_layers(maps)
        indices = condition_indices(len(names), count)
        return accumulate_maps(torch.stack([maps[name] for name in names], dim=1))[:, indices]

    def generator_maps(
        self, maps: Mapping[str, Tensor], products: Tensor, count: int, longest: int
    ) -> Tensor:
        """Return the maps shown to a generator (B, n, h, w), 0 to 1, of at most `longest` cells.

        They are `count` conditions from `maps` (B, H, W) and, with `gradient`, the `products`
        (B, H, W) of input and gradient.
        """
        conditions = shrink_maps(self.conditions(maps, count), longest)
        if not self.gradient:
            return conditions
        return torch.cat(
            [conditions, to_signed_range(pool_maps(products[:, None], longest))], dim=1
        )

    def shallowest_layers(self, maps: Mapping[str, Tensor], count: int) -> list[str]:
        """Return the shallowest convolution of each of `count` conditions."""
        names = self.condition_layers(maps)
        return [names[index] for index in condition_indices(len(names), count)]


@dataclass(frozen=True)
class GeneratorSettings:
    """Settings to build a generator, and the `teacher` and `layer` of its view of a network.

    `kind` is a key of GENERATORS, `conditions` the number of conditions, `size` the most cells of a
    map along the longer axis; with `gradient` it is also shown the input times the gradient.
    """

    kind: str
    conditions: int
    width: int
    size: int
    teacher: str
    layer: str
    gradient: bool

    @classmethod
    def from_file(cls, found: ExplainerFile) -> GeneratorSettings:
        """Read an `explainer.pt`; KeyError, TypeError or ValueError where it is not complete."""
        values = found.content
        return cls(
            kind=str(values["kind"]),
            conditions=int(values["conditions"]),
            width=int(values["width"]),
            size=int(values["size"]),
            teacher=str(values["teacher"]),
            layer=str(values["layer"]),
            gradient=bool(values["gradient"]),
        )

    @property
    def view(self) -> View:
        """The view of a network; UsageError for an unknown teacher."""
        return View(self.teacher, self.layer, self.gradient)


def build_generator(settings: GeneratorSettings, input_spec: Input) -> MapGenerator:
    """Build an untrained generator; ValueError for sizes out of range."""
    kind = GENERATORS[check_known("--generator", settings.kind, GENERATORS)]
    conditions, width = settings.conditions, settings.width
    if not (1 <= conditions <= CONDITIONS and 1 <= width <= WIDEST):
        raise ValueError(f"{conditions} conditions and a width of {width} are out of range")
    size = working_size(input_spec.shape, settings.size)
    fine = min(input_spec.shape[-2] // size[0], input_spec.shape[-1] // size[1], FINEST)
    inner = kind(channel_count(input_spec) * fine**2 + settings.gradient, conditions, 1, width)
    return MapGenerator(inner, input_spec.shape[0], fine, size, gradient=settings.gradient)


def channel_count(input_spec: Input) -> int:
    """Return the number of channels of an input; log-mel has one."""
    return input_spec.shape[0] if len(input_spec.shape) == 3 else 1


@dataclass(frozen=True)
class CganAnswer:
    """Maps of a trained generator, which is shown a network by its `view`."""

    generator: MapGenerator
    settings: GeneratorSettings
    view: View

    def check(self, network: nn.Module, x: Tensor) -> None:
        """Accept every network: the maps are checked when one is explained."""

    def __call__(self, network: nn.Module, scorer: Scorer, x: Tensor) -> LearnedMap:
        """Return the map of input x (*S), by one pass and one gradient of the network."""
        maps, gradient = maps_and_gradient(network, scorer.differentiable, x[None])
        scorer.passes += 1
        with torch.no_grad():
            products = input_times_gradient(x[None], gradient, self.generator.mean)
            shown = self.view.generator_maps(
                maps, products, self.settings.conditions, self.settings.size
            )
            area = self.generator(x[None], shown)[0, 0]
            learnt = self.view.target_layer(maps)
            if not learnt:  # undo `to_signed_range`
                area = 2 * area - 1
        details = {"teacher": self.view.teacher, "layer": learnt}
        return LearnedMap(enlarged(area, *x.shape[-2:]), details)


def load_map_answer(found: ExplainerFile, device: torch.device) -> CganAnswer:
    """Load an `explainer.pt` of this method; ValueError for weights that are not finite."""
    settings = GeneratorSettings.from_file(found)
    weights = found.content["weights"]
    generator = build_network(weights, lambda: build_generator(settings, found.front_end))
    return CganAnswer(generator.to(device).eval(), settings, settings.view)
