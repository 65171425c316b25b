"""An input explained by the parts that an explainer network found in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.ascent.neurons import find_layer, layer_output
from ganexplain.errors import UsageError
from ganexplain.local.part_places import Axis, Geometry
from ganexplain.local.scoring import Scorer
from ganexplain.models.explainer_file import ExplainerFile
from ganexplain.models.parts import PartsExplainer, explainer_for

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
        self.geometry = Geometry(*(Axis(*axis) for axis in content["geometry"]))
        self.device = device
        self.explainer: PartsExplainer | None = None  # made of the first network asked about

    def __call__(
        self, network: nn.Module, scorer: Scorer, x: Tensor
    ) -> tuple[Tensor, dict[str, Any]]:
        """The map (H, W) of input x (*S), and what is said of it. Two passes and one gradient.

        Raises UsageError for a target that does not depend on what is reconstructed.
        """
        if self.explainer is None:
            self.explainer = restored(network, self)
        explainer = self.explainer
        with layer_output(network, self.layer) as front, torch.no_grad():
            encoding = explainer.encode(functional.relu(front(x[None])))
            parts = explainer.share * explainer.scale[:, None, None] * encoding.parts
        with torch.enable_grad():
            features = encoding.features.detach().requires_grad_(True)
            made = dict(zip(self.targets, explainer.decode(features), strict=True))
            with replacing(network, made):
                logit = scorer.differentiable(x[None]).sum()
            if not logit.requires_grad:
                raise UsageError(
                    f"--method parts: its explainer tells of what is behind {self.targets[0]}; "
                    "name a --target there"
                )
            (gradient,) = torch.autograd.grad(logit, features)
        scorer.passes += 2
        given = (gradient * parts)[0].sum(dim=(1, 2))
        rest = (gradient * (encoding.features - parts)).sum()
        area = self.geometry.spread(_weighed(parts[0], given))
        with torch.no_grad():
            whole = scorer.differentiable(x[None]).sum()
        return area.detach(), _told(given, rest, logit, whole, explainer)


def load_parts(found: ExplainerFile, device: torch.device) -> PartsAnswer:
    """Ready to be asked; KeyError, TypeError or ValueError where the file is not whole."""
    return PartsAnswer(found.content, device)


def restored(network: nn.Module, answer: PartsAnswer) -> PartsExplainer:
    """The explainer with the trained weights, frozen."""
    explainer = explainer_for(network, answer.layer, answer.targets, answer.channels)
    explainer.load_state_dict(answer.weights)
    return explainer.to(answer.device).eval().requires_grad_(False)


@contextmanager
def replacing(network: nn.Module, made: Mapping[str, Tensor]) -> Iterator[None]:
    """While open, the named layers put out the tensors given, whatever they are passed."""

    def putting(value: Tensor) -> Any:
        return lambda module, inputs, output: value

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


def _told(
    given: Tensor, rest: Tensor, logit: Tensor, whole: Tensor, explainer: PartsExplainer
) -> dict[str, Any]:
    first: Sequence[int] = given.abs().argsort(descending=True)[:NAMED].tolist()
    return {
        "p": float(explainer.share),
        "from_parts": float(given.sum()),
        "from_ordinary": float(rest),
        "logit": float(whole),
        "logit_reconstructed": float(logit.detach()),
        "filters": {str(number): float(given[number]) for number in first},
    }
