"""The smallest change of the input that changes the decision, as a map (Wachter et al. 2017).

It is the search of `counterfactual` (`counterfactuals/edit.py`), on the network's input in place of
the sound: cells of a log-mel excerpt, or pixels of a picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganexplain.attribution.methods.base import Attribution, Method, Question, require_network
from ganexplain.counterfactuals.edit import ATTEMPTS, EditSearch
from ganexplain.errors import UsageError
from ganexplain.networks.black_box import find_black_box
from ganexplain.networks.decisions import class_logits
from ganexplain.networks.gradient_faults import find_gradient_fault, gradient_errors_named

STEPS = 16 * ATTEMPTS
MOST = 0.2  # of the cells
DECIBELS = 20.0  # for which one deviation of the input's values counts; of log-mel it is about that


@dataclass(frozen=True)
class Counterfactual(Method):
    """How much each cell changes in the smallest change of the input that changes the decision."""

    def check(self, network: nn.Module, example: Tensor) -> None:
        """Raise UsageError for a black box, and for waveforms, which have no cells."""
        if black_box := find_black_box(network):
            raise UsageError(
                f"--method counterfactual: {black_box.name} is a black box, without gradients; "
                "choose occlusion, lime, elime or lime-forest"
            )
        if example.ndim == 2:
            raise UsageError(
                "--method counterfactual: waveforms have no cells; edit the recording with "
                "ganexplain counterfactual"
            )

    def ask(self, question: Question, seed: int) -> Attribution:
        """Return the sizes of the changes, in deviations of the input."""
        network, x = require_network(question, "counterfactual"), question.x
        margin, scorer, passed = _margin(question), question.scorer, 0
        unit = x.std() / DECIBELS

        def changed(by: Tensor) -> Tensor:
            """Inputs (B, *S) with changes (B, H, W), within the range of the input."""
            nonlocal passed
            passed += len(by)
            over_channels = by.reshape(len(by), *(1,) * (x.ndim - 2), *by.shape[1:])
            return (x + unit * over_channels).clamp(x.min(), x.max())

        everywhere = torch.ones(x.shape[-2:], device=x.device)
        with torch.enable_grad(), gradient_errors_named(network, margin) as named:
            found = EditSearch(
                lambda by: named(changed(by)), False, everywhere, MOST, STEPS, lambda by: True
            ).find()
            if found.no_gradient:
                cause = find_gradient_fault(network, margin, x[None])
                raise UsageError(
                    "--method counterfactual: no gradient of the target reaches the input: "
                    f"{cause or 'the target does not depend on it'}"
                )
        scorer.passes += passed
        area = torch.from_numpy(found.by).abs() / DECIBELS
        never = "no change of up to a fifth of the input changes the decision; the map is of the "
        return Attribution.from_map(
            question,
            area,
            details={"cells": float((area > 0).double().mean()), "steps": found.steps},
            warnings=() if found.steps >= 0 else (never + "closest",),
        )

    def passes(self, count: int) -> int:
        """Return the number of passes of a search that needs the first attempt alone."""
        return STEPS // ATTEMPTS


def _margin(question: Question) -> Callable[[Tensor], Tensor]:
    """A function from inputs (B, *S) to what must fall below zero (B,).

    It is the margin of the class over all others. For units, and a class that the network does not
    find in the input, it is the response less the mean of those to the input and to its fill.
    """
    scorer = question.scorer

    def class_margin(inputs: Tensor) -> Tensor:
        logits = class_logits(scorer.model(inputs.clone()), scorer.outputs)
        others = [k for k in range(logits.shape[1]) if k != scorer.target]
        return logits[:, scorer.target] - logits[:, others].amax(1)

    with torch.no_grad():
        if scorer.outputs != "activations" and float(class_margin(question.x[None])) > 0:
            return class_margin
        ends = scorer.differentiable(torch.stack([question.x, question.fill]))
    level = float(ends.mean())
    sign = 1 if ends[0] >= ends[1] else -1
    return lambda inputs: sign * (scorer.differentiable(inputs) - level)


METHOD = Counterfactual
