"""The conditional-GAN explainer: from an input and how a network saw it to one map.

After Akash Guna R T, Benitez and Sikha (arXiv 2301.08067), without the faults of their released
code: the discriminator lives, the target's layer and class are those asked for.
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
from ganexplain.files.checkpoints import build_network
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


@dataclass(frozen=True)
class GeneratorSettings:
    """What a generator is built from, and what it is shown of a network (`teacher` and `layer`).

    `kind` is a key of GENERATORS, `conditions` the number of maps it is shown, of at most `size`
    cells along the longer axis; with `gradient` also the input times the gradient.
    """

    kind: str
    conditions: int
    width: int
    size: int
    teacher: str
    layer: str
    gradient: bool

    @classmethod
    def of_file(cls, found: ExplainerFile) -> GeneratorSettings:
        """Those of an `explainer.pt`; KeyError, TypeError or ValueError where it is not whole."""
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
        """Which of a network's maps it is shown; UsageError for a teacher that is none."""
        return View(self.teacher, self.layer, self.gradient)


def build_generator(settings: GeneratorSettings, input_spec: Input) -> MapGenerator:
    """The untrained generator for what networks take; ValueError for sizes that no training has."""
    kind = GENERATORS[check_known("--generator", settings.kind, GENERATORS)]
    conditions, width = settings.conditions, settings.width
    if not (1 <= conditions <= CONDITIONS and 1 <= width <= WIDEST):
        raise ValueError(f"{conditions} conditions and a width of {width} are out of range")
    size = working_size(input_spec.shape, settings.size)
    fine = min(input_spec.shape[-2] // size[0], input_spec.shape[-1] // size[1], FINEST)
    inner = kind(channels_of(input_spec) * fine**2 + settings.gradient, conditions, 1, width)
    return MapGenerator(inner, input_spec.shape[0], fine, size, gradient=settings.gradient)


def channels_of(input_spec: Input) -> int:
    """Channels of an input: of log-mel one."""
    return input_spec.shape[0] if len(input_spec.shape) == 3 else 1


@dataclass(frozen=True)
class CganAnswer:
    """Maps by a trained generator, which sees a network by its `view`."""

    generator: MapGenerator
    settings: GeneratorSettings
    view: View

    def check(self, network: nn.Module, x: Tensor) -> None:
        """It fits every network; which maps there are is seen when it is asked."""

    def __call__(self, network: nn.Module, scorer: Scorer, x: Tensor) -> LearnedMap:
        """The map of input x (*S); one pass and one gradient of the network."""
        maps, gradient = maps_and_gradient(network, scorer.differentiable, x[None])
        scorer.passes += 1
        with torch.no_grad():
            products = product(x[None], gradient, self.generator.mean)
            shown = self.view.shown(maps, products, self.settings.conditions, self.settings.size)
            area = self.generator(x[None], shown)[0, 0]
            learnt = self.view.learnt(maps)
            if not learnt:  # `signed`: 0.5 stands for 0
                area = 2 * area - 1
        details = {"teacher": self.view.teacher, "layer": learnt}
        return LearnedMap(enlarged(area, *x.shape[-2:]), details)


def load_cgan(found: ExplainerFile, device: torch.device) -> CganAnswer:
    """The answer of an `explainer.pt` of this method; ValueError for weights not finite."""
    settings = GeneratorSettings.of_file(found)
    weights = found.content["weights"]
    generator = build_network(weights, lambda: build_generator(settings, found.front_end))
    return CganAnswer(generator.to(device).eval(), settings, settings.view)
