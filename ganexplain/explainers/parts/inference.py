"""An input explained by the parts that an explainer network found in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.artifacts.explainer import ExplainerFile
from ganexplain.attribution.methods.learned import LearnedMap
from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import GanexplainError, UsageError, reason_of, short_repr
from ganexplain.explainers.parts.filters import slope
from ganexplain.explainers.parts.network import PartsExplainer, explainer_for
from ganexplain.explainers.parts.places import Axis, Geometry
from ganexplain.networks.gradient_faults import gradient_errors_named
from ganexplain.networks.hooks import find_layer, layer_output

NAMED = 5  # filters whose part is told


@dataclass(frozen=True)
class PartsContent:
    """What `explainer.pt` has of a parts explainer.

    It rewrites the `channels` features of a `layer`, and reconstructs the layers `targets` from
    them; `geometry` is how the layer's places lie in an input.
    """

    layer: str
    targets: tuple[str, ...]
    channels: int
    geometry: Geometry
    weights: dict[str, Tensor]

    @classmethod
    def of_file(cls, found: ExplainerFile) -> PartsContent:
        """That of a file; KeyError, TypeError or ValueError where it is not whole."""
        values = found.content
        layer, targets = values["layer"], tuple(values["targets"])
        if not all(isinstance(name, str) for name in (layer, *targets)):
            raise ValueError(f"targets are {short_repr(targets)}")
        channels, weights = int(values["channels"]), dict(values["weights"])
        stored = sum(each.untyped_storage().nbytes() for each in weights.values())
        if channels < 1 or 9 * 4 * channels**2 > stored:  # of its first convolution
            raise ValueError(f"{channels} channels in {stored:,} bytes of weights")
        for name, value in weights.items():
            if not torch.isfinite(value).all():
                raise ValueError(f"weight {name} contains values that are not finite")
        down, along = (Axis.read(*axis) for axis in values["geometry"])
        return cls(layer, targets, channels, Geometry(down, along), weights)

    def to_values(self) -> dict[str, object]:
        """What `of_file` reads."""
        return {
            "layer": self.layer,
            "targets": list(self.targets),
            "channels": self.channels,
            "geometry": [astuple(self.geometry.down), astuple(self.geometry.along)],
            "weights": self.weights,
        }


@dataclass(frozen=True)
class PartsDetails:
    """What is said of a map: `p` is the share of the parts in what is decoded.

    `logit` is the network's, `reconstructed_logit` that from the reconstruction, to which parts
    contribute `from_parts` and ordinary features `from_ordinary`; `filters` the contributions of
    the filters with the largest, by number.
    """

    p: float
    logit: float
    reconstructed_logit: float
    from_parts: float
    from_ordinary: float
    filters: dict[str, float]


class PartsAnswer:
    """The map of a network's parts, each as heavy as its contribution to the score.

    What the explainer reconstructs takes the place of the layers it reconstructs. The target's
    logit is then a function of the parts; a filter's contribution is the gradient times the
    part, summed over its places. The map is the sum of all filters' parts, each as heavy as its
    contribution, over the input. What the ordinary features contribute is left out, and told.
    """

    def __init__(self, content: PartsContent, device: torch.device) -> None:
        self.content, self.device = content, device
        self.explainer: PartsExplainer | None = None  # made of the first network asked about

    def check(self, network: nn.Module, x: Tensor) -> None:
        """Make the explainer, for inputs x (*S) of a network; errors as `fitted`."""
        self.explainer = self.fitted(network, x)

    def fitted(self, network: nn.Module, x: Tensor) -> PartsExplainer:
        """The explainer, for inputs x (*S) of a network; GanexplainError where it does not fit."""
        content = self.content
        explainer = restored(network, content).to(self.device)
        with layer_output(network, content.layer) as front, torch.no_grad():
            features = front(x[None])
        if features.shape[1] != content.channels or not content.geometry.fits(features, x):
            raise GanexplainError(
                f"--explainer: its filters and places are not those of the layer {content.layer}; "
                "train it again"
            )
        return explainer

    def __call__(self, network: nn.Module, scorer: Scorer, x: Tensor) -> LearnedMap:
        """The map of input x (*S), and what is said of it. Three passes, one gradient.

        Raises UsageError for a target that does not depend on what is reconstructed.
        """
        explainer = self.explainer = self.explainer or self.fitted(network, x)
        content = self.content
        with layer_output(network, content.layer) as front, torch.no_grad():
            encoding = explainer.encode(functional.relu(front(x[None])))
            parts = explainer.weighed(encoding)
            whole = float(scorer.differentiable(x[None]))
        found: list[float] = []

        def logit(features: Tensor) -> Tensor:
            made = dict(zip(content.targets, explainer.decode(features), strict=True))
            with replacing(network, made):
                value = scorer.differentiable(x[None])
            if not value.requires_grad:
                raise UsageError(
                    f"--method parts: its explainer covers only what follows {content.targets[0]}; "
                    "choose a --target there"
                )
            found.append(float(value.detach()))
            return value

        with gradient_errors_named(network, logit) as watched:
            gradient = slope(encoding.features, watched)
        scorer.passes += 3
        given = (gradient * parts)[0].sum(dim=(1, 2))
        rest = float((gradient * (encoding.features - parts)).sum())
        area = content.geometry.spread(_weighed(parts[0], given))
        first: list[int] = given.abs().argsort(descending=True)[:NAMED].tolist()
        details = PartsDetails(
            p=float(explainer.share),
            logit=whole,
            reconstructed_logit=found[0],
            from_parts=float(given.sum()),
            from_ordinary=rest,
            filters={str(number): float(given[number]) for number in first},
        )
        return LearnedMap(area, asdict(details))


def load_parts(found: ExplainerFile, device: torch.device) -> PartsAnswer:
    """Ready to be asked; KeyError, TypeError or ValueError where the file is not whole."""
    return PartsAnswer(PartsContent.of_file(found), device)


def restored(network: nn.Module, content: PartsContent) -> PartsExplainer:
    """The explainer with the trained weights, frozen; GanexplainError where it does not fit."""
    try:
        explainer = explainer_for(network, content.layer, content.targets, content.channels)
        explainer.load_state_dict(content.weights)
    except (UsageError, RuntimeError) as error:
        raise GanexplainError(
            f"--explainer: it does not fit the network ({reason_of(error)}); train it again"
        ) from error
    return explainer.eval().requires_grad_(False)


@contextmanager
def replacing(network: nn.Module, made: Mapping[str, Tensor]) -> Iterator[None]:
    """While open, the named layers put out the tensors given, whatever they are passed."""

    def putting(value: Tensor) -> Any:
        return lambda module, inputs, output: value.clone()  # which the network may write into

    handles = [
        find_layer(network, name).register_forward_hook(putting(value))
        for name, value in made.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _weighed(parts: Tensor, given: Tensor) -> Tensor:
    """The sum (H, W) of parts (D, H, W), each brought to the sum given (D,)."""
    mass = parts.sum(dim=(1, 2)).clamp_min(1e-12)
    return torch.einsum("dhw,d->hw", parts, given / mass)
