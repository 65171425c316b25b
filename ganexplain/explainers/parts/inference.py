"""An input explained by the parts that an explainer network found in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.artifacts.explainer import ExplainerFile
from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import GanexplainError, UsageError, reason_of, shown
from ganexplain.explainers.parts.filters import slope
from ganexplain.explainers.parts.network import PartsExplainer, explainer_for
from ganexplain.explainers.parts.places import Axis, Geometry
from ganexplain.networks.gradient_faults import gradient_errors_named
from ganexplain.networks.hooks import find_layer, layer_output

NAMED = 5  # filters whose part is told


class PartsAnswer:
    """The map of a network's parts, each as heavy as its contribution to the score.

    What the explainer reconstructs takes the place of the layers it reconstructs. The target's
    logit is then a function of the parts; a filter's contribution is the gradient times the
    part, summed over its places. The map is the sum of all filters' parts, each as heavy as its
    contribution, over the input. What the ordinary features contribute is left out, and told.
    """

    def __init__(self, content: Mapping[str, Any], device: torch.device) -> None:
        self.layer, self.targets = str(content["layer"]), tuple(content["targets"])
        self.channels, self.weights = int(content["channels"]), dict(content["weights"])
        size = sum(each.untyped_storage().nbytes() for each in self.weights.values())
        if not all(isinstance(name, str) for name in (content["layer"], *self.targets)):
            raise ValueError(f"targets are {shown(self.targets)}")
        if self.channels < 1 or 9 * 4 * self.channels**2 > size:  # of its first convolution
            raise ValueError(f"{self.channels} channels in {size:,} bytes of weights")
        self.geometry = Geometry(*(Axis.read(*axis) for axis in content["geometry"]))
        self.device = device
        self.explainer: PartsExplainer | None = None  # made of the first network asked about

    def fitted(self, network: nn.Module, x: Tensor) -> PartsExplainer:
        """The explainer, for inputs x (*S) of a network; GanexplainError where it does not fit."""
        explainer = restored(network, self)
        with layer_output(network, self.layer) as front, torch.no_grad():
            features = front(x[None])
        if features.shape[1] != self.channels or not self.geometry.fits(features, x):
            raise GanexplainError(
                f"--explainer: its filters and places are not those of the layer {self.layer}; "
                "train it again"
            )
        self.explainer = explainer
        return explainer

    def __call__(
        self, network: nn.Module, scorer: Scorer, x: Tensor
    ) -> tuple[Tensor, dict[str, Any]]:
        """The map (H, W) of input x (*S), and what is said of it. Three passes, one gradient.

        Raises UsageError for a target that does not depend on what is reconstructed.
        """
        explainer = self.explainer or self.fitted(network, x)
        with layer_output(network, self.layer) as front, torch.no_grad():
            encoding = explainer.encode(functional.relu(front(x[None])))
            parts = explainer.weighed(encoding)
            whole = float(scorer.differentiable(x[None]))
        found: list[float] = []

        def logit(features: Tensor) -> Tensor:
            made = dict(zip(self.targets, explainer.decode(features), strict=True))
            with replacing(network, made):
                value = scorer.differentiable(x[None])
            if not value.requires_grad:
                raise UsageError(
                    f"--method parts: its explainer covers only what follows {self.targets[0]}; "
                    "choose a --target there"
                )
            found.append(float(value.detach()))
            return value

        with gradient_errors_named(network, logit) as watched:
            gradient = slope(encoding.features, watched)
        scorer.passes += 3
        given = (gradient * parts)[0].sum(dim=(1, 2))
        rest = float((gradient * (encoding.features - parts)).sum())
        area = self.geometry.spread(_weighed(parts[0], given))
        first: list[int] = given.abs().argsort(descending=True)[:NAMED].tolist()
        return area, {
            "p": float(explainer.share),
            "logit": whole,
            "reconstructed_logit": found[0],
            "from_parts": float(given.sum()),
            "from_ordinary": rest,
            "filters": {str(number): float(given[number]) for number in first},
        }


def load_parts(found: ExplainerFile, device: torch.device) -> PartsAnswer:
    """Ready to be asked; KeyError, TypeError or ValueError where the file is not whole."""
    for name, value in found.content["weights"].items():
        if not torch.isfinite(value).all():
            raise ValueError(f"weight {name} holds values that are not finite")
    return PartsAnswer(found.content, device)


def restored(network: nn.Module, answer: PartsAnswer) -> PartsExplainer:
    """The explainer with the trained weights, frozen; GanexplainError where it does not fit."""
    try:
        explainer = explainer_for(network, answer.layer, answer.targets, answer.channels)
        explainer.load_state_dict(answer.weights)
    except (UsageError, RuntimeError) as error:
        raise GanexplainError(
            f"--explainer: it does not fit the network ({reason_of(error)}); train it again"
        ) from error
    return explainer.to(answer.device).eval().requires_grad_(False)


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
