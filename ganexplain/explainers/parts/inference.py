"""Attribution of an input by the parts that an explainer network finds in it."""

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
from ganexplain.explainers.parts.filters import feature_gradient
from ganexplain.explainers.parts.network import PartsExplainer, explainer_for
from ganexplain.explainers.parts.places import Axis, Geometry
from ganexplain.files.atomic import JsonObject
from ganexplain.networks.gradient_faults import gradient_errors_named
from ganexplain.networks.hooks import find_layer, layer_output

NAMED = 5  # filters whose part is told


@dataclass(frozen=True)
class PartsContent:
    """The content of the `explainer.pt` of a parts explainer.

    It decomposes the `channels` features of `layer` and reconstructs the layers `targets` from the
    parts; `geometry` maps the layer's places to the input.
    """

    layer: str
    targets: tuple[str, ...]
    channels: int
    geometry: Geometry
    weights: dict[str, Tensor]

    @classmethod
    def from_file(cls, found: ExplainerFile) -> PartsContent:
        """Read a file; KeyError, TypeError or ValueError where it is not complete."""
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

    def to_values(self) -> JsonObject:
        """Return the values that `from_file` reads."""
        return {
            "layer": self.layer,
            "targets": list(self.targets),
            "channels": self.channels,
            "geometry": [astuple(self.geometry.down), astuple(self.geometry.along)],
            "weights": self.weights,
        }


@dataclass(frozen=True)
class PartsDetails:
    """Details of a map: `p` is the share of the parts in the decoded features.

    `logit` is the network's, `reconstructed_logit` that of the reconstruction, to which parts
    contribute `from_parts` and ordinary features `from_ordinary`. `filters` are the largest
    contributions of filters, by number.
    """

    p: float
    logit: float
    reconstructed_logit: float
    from_parts: float
    from_ordinary: float
    filters: dict[str, float]


class PartsAnswer:
    """The map of a network's parts, each scaled to its contribution to the score.

    The reconstruction replaces the outputs of the reconstructed layers, so the target's logit is a
    function of the parts. A filter's contribution is the gradient times its part, summed over
    places. The map is the sum of all parts, each scaled to the sum of its contribution. The
    contribution of the ordinary features is only reported.
    """

    def __init__(self, content: PartsContent, device: torch.device) -> None:
        self.content, self.device = content, device
        self.explainer: PartsExplainer | None = None  # made of the first network asked about

    def check(self, network: nn.Module, x: Tensor) -> None:
        """Build the explainer for a network with inputs like x (*S); raises as `fitted`."""
        self.explainer = self.fitted(network, x)

    def fitted(self, network: nn.Module, x: Tensor) -> PartsExplainer:
        """Return the explainer for a network with inputs like x (*S); GanexplainError if none."""
        content = self.content
        explainer = restore_explainer(network, content).to(self.device)
        with layer_output(network, content.layer) as front, torch.no_grad():
            features = front(x[None])
        if features.shape[1] != content.channels or not content.geometry.fits(features, x):
            raise GanexplainError(
                f"--explainer: its filters and places are not those of the layer {content.layer}; "
                "train it again"
            )
        return explainer

    def __call__(self, network: nn.Module, scorer: Scorer, x: Tensor) -> LearnedMap:
        """Return the map of input x (*S), with details, by three passes and one gradient.

        Raises UsageError for a target that does not depend on the reconstructed layers.
        """
        explainer = self.explainer = self.explainer or self.fitted(network, x)
        content = self.content
        with layer_output(network, content.layer) as front, torch.no_grad():
            encoding = explainer.encode(functional.relu(front(x[None])))
            parts = explainer.weighted_parts(encoding)
            whole = float(scorer.differentiable(x[None]))
        found: list[float] = []

        def logit(features: Tensor) -> Tensor:
            made = dict(zip(content.targets, explainer.decode(features), strict=True))
            with replace_outputs(network, made):
                value = scorer.differentiable(x[None])
            if not value.requires_grad:
                raise UsageError(
                    f"--method parts: its explainer covers only what follows {content.targets[0]}; "
                    "choose a --target there"
                )
            found.append(float(value.detach()))
            return value

        with gradient_errors_named(network, logit) as watched:
            gradient = feature_gradient(encoding.features, watched)
        scorer.passes += 3
        given = (gradient * parts)[0].sum(dim=(1, 2))
        rest = float((gradient * (encoding.features - parts)).sum())
        area = content.geometry.spread(_sum_scaled(parts[0], given))
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
    """Load an `explainer.pt`; KeyError, TypeError or ValueError where it is not complete."""
    return PartsAnswer(PartsContent.from_file(found), device)


def restore_explainer(network: nn.Module, content: PartsContent) -> PartsExplainer:
    """Build the frozen explainer with its trained weights; GanexplainError if they do not fit."""
    try:
        explainer = explainer_for(network, content.layer, content.targets, content.channels)
        explainer.load_state_dict(content.weights)
    except (UsageError, RuntimeError) as error:
        raise GanexplainError(
            f"--explainer: it does not fit the network ({reason_of(error)}); train it again"
        ) from error
    return explainer.eval().requires_grad_(False)


@contextmanager
def replace_outputs(network: nn.Module, made: Mapping[str, Tensor]) -> Iterator[None]:
    """While open, the layers named in `made` return its tensors, whatever their inputs are."""

    def putting(value: Tensor) -> Any:
        return lambda module, inputs, output: value.clone()  # which the network may write into

    handles = [
        find_layer(network, name).module.register_forward_hook(putting(value))
        for name, value in made.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _sum_scaled(parts: Tensor, given: Tensor) -> Tensor:
    """Return the sum (H, W) of parts (D, H, W), each scaled to the given sum (D,)."""
    mass = parts.sum(dim=(1, 2)).clamp_min(1e-12)
    return torch.einsum("dhw,d->hw", parts, given / mass)
