"""The maps that a generator learns from: of a network's convolutions, and by occlusion."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain.attribution.fills import Reference, fill
from ganexplain.attribution.masking import MaskedInput, subset_score
from ganexplain.attribution.methods.grad_cam import enlarged
from ganexplain.attribution.methods.occlusion import occlusion
from ganexplain.attribution.scorer import Scorer, target_logits
from ganexplain.attribution.segments import grid
from ganexplain.classifiers.base import ExcerptNet
from ganexplain.errors import UsageError
from ganexplain.explainers.cgan.maps import maps_and_gradient
from ganexplain.networks.decisions import class_logits, guess_output_kind
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.layer_units import unit_values
from ganexplain.networks.target import TargetNetwork, example_inputs

BATCH = 32  # masked inputs in a pass


def network_maps(network: TargetNetwork, x: Tensor, name: str) -> tuple[dict[str, Tensor], Tensor]:
    """Return maps (B, H, W) of all convolutions and the gradient for inputs (B, *S).

    `name` as for `target_classes`; raises as `target_classes` and `maps_and_gradient`.
    """
    classes, kind = target_classes(network, x, name), output_kind(network)

    def logits(inputs: Tensor) -> Tensor:
        outputs = unit_values(network.network(inputs))
        if kind == "probabilities":
            outputs = class_logits(outputs, kind)
        return target_logits(outputs, classes)

    return maps_and_gradient(network.network, logits, x)


def output_kind(network: TargetNetwork) -> str:
    """Return the kind of the network's outputs: `probabilities` or `logits`."""
    if isinstance(network.network, ExcerptNet):
        return "logits"
    with torch.no_grad():
        found = unit_values(network.network(example_inputs(network.front_end).to(network.device)))
    return "probabilities" if guess_output_kind(found) == "probabilities" else "logits"


def target_classes(network: TargetNetwork, x: Tensor, name: str) -> Tensor:
    """Return the numbers (B,) of the classes to explain for inputs (B, *S).

    `name` is `predicted` or the name of one class; UsageError for an unknown class.
    """
    with torch.no_grad():
        logits = class_logits(unit_values(network.network(x)), output_kind(network))
    if name == "predicted":
        return logits.argmax(dim=1)
    classes, count = network.names.classes, logits.shape[1]
    known = list(classes) if classes else [str(number) for number in range(count)]
    if name not in known:
        raise UsageError(f"--target {name}: no class of the network; one of {', '.join(known)}")
    return torch.full((len(x),), known.index(name), device=x.device)


def occlusion_maps(
    network: TargetNetwork, x: Tensor, classes: Tensor, reference: Reference, squares: int
) -> Tensor:
    """Return maps (B, H, W) of the loss of log-odds of classes (B,) without each square.

    Inputs (B, *S) have `squares` squares along each axis, at most one a cell. A square is replaced
    by the mean of the input, and the maps are interpolated. An input takes a pass for each square
    and one more.
    """
    height, width = x.shape[-2:]
    rows, columns = min(squares, height), min(squares, width)
    labels, kind = grid(height, width, rows, columns), output_kind(network)
    # Built for every call, because it may contain copies of the weights.
    fast = optimize_frozen(network.network, example_inputs(network.front_end).to(network.device))
    found = []
    for one, target in zip(x, classes.tolist(), strict=True):
        scorer = Scorer(network.network, target, "logit", kind, BATCH, fast)
        parts = MaskedInput(one, labels, fill("mean", one, labels, reference))
        weights = occlusion(subset_score(parts, scorer), parts.count)
        by_place = torch.from_numpy(weights).float().reshape(columns, rows).T
        found.append(enlarged(by_place.to(x.device), height, width))
    return torch.stack(found)
