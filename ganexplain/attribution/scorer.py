"""The score that is explained: one class or unit of any model; passes are counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.errors import GanexplainError, check_known
from ganexplain.networks.decisions import OUTPUTS, class_logits
from ganexplain.networks.hooks import find_layer, record_outputs
from ganexplain.networks.units import Unit

Model = Callable[[Tensor], Tensor]
SCORES = ("probability", "logit", "margin")


def from_numpy(function: Callable[[np.ndarray], np.ndarray]) -> Model:
    """Return a model of a function from arrays (B, *S) to outputs (B, K), as of scikit-learn."""
    return lambda batch: torch.as_tensor(np.asarray(function(batch.cpu().numpy())))


def target_logits(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the logits (B,) of classes `targets` (B,) among logits (B, K), to differentiate.

    If there is one logit z, it is z for the second class and -z for the first.
    """
    targets = targets.to(outputs.device)
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        z = outputs.reshape(len(outputs))
        return torch.where(targets == 1, z, -z)
    return outputs.gather(1, targets[:, None])[:, 0]


def target_odds(outputs: Tensor, targets: Tensor, kind: str) -> Tensor:
    """Return log-odds (B,) of classes `targets` (B,) by outputs (B, K), to differentiate.

    `kind` is that of the outputs; of `activations` it is the unit's own value.
    """
    targets = targets.to(outputs.device)[:, None]
    if kind == "activations":
        return outputs.gather(1, targets)[:, 0]
    logits = class_logits(outputs, kind)
    others = torch.zeros_like(logits, dtype=torch.bool).scatter(1, targets, True)
    odds = logits.gather(1, targets)[:, 0] - logits.masked_fill(others, -torch.inf).logsumexp(1)
    return odds.to(outputs.dtype)


class Scorer:
    """Scores of one class, or of one unit, for batches of inputs; `passes` counts inputs.

    Args:
        model: function from inputs (B, *S) to outputs.
        target: index of the class or unit.
        score: `probability` of the class, its `logit` (log-odds: log p - log (1 - p)) or its
            `margin` over the next class in logits. An activation is not changed.
        outputs: `logits` or `probabilities` (B, K) of classes, where one column means two classes,
            or `activations` (B, U) of units.
        batch_size: inputs in a pass.
        fast: the same model, optimised for use without gradients.

    Raises:
        UsageError: `score` or `outputs` is unknown.
    """

    def __init__(
        self,
        model: Model,
        target: int,
        score: str = "probability",
        outputs: str = "logits",
        batch_size: int = 32,
        fast: Model | None = None,
    ) -> None:
        self.score = check_known("--score", score, SCORES)
        self.outputs = check_known("outputs", outputs, OUTPUTS)
        self.model, self.target, self.batch_size = model, target, batch_size
        self.fast = fast or model
        self.passes = 0

    def for_model(self, model: Model) -> Scorer:
        """Return the same score of another model, with its own count of passes."""
        return Scorer(model, self.target, self.score, self.outputs, self.batch_size)

    def differentiable(self, inputs: Tensor) -> Tensor:
        """Return the target's logit or activation (B,) with its graph; see `target_logits`."""
        outputs = self.model(inputs.clone())  # the model may write into its input
        if self.outputs == "activations":
            return outputs[:, self.target]
        if self.outputs == "probabilities":
            return class_logits(outputs, self.outputs)[:, self.target]
        return target_logits(outputs, torch.full((len(outputs),), self.target))

    def differentiable_odds(self, inputs: Tensor) -> Tensor:
        """Return the target's log-odds or activation (B,) with its graph."""
        outputs = self.model(inputs.clone())
        return target_odds(outputs, torch.full((len(outputs),), self.target), self.outputs)

    @torch.no_grad()
    def class_values(self, inputs: Tensor) -> np.ndarray:
        """Return logits (N, K) of all classes, or activations (N, U), float64, of inputs (N, *S).

        Raises GanexplainError where they are NaN or infinite; some classes may have -inf.
        """
        self.passes += len(inputs)
        rows = []
        for batch in inputs.split(self.batch_size):
            outputs = self.fast(batch.clone())
            if self.outputs == "activations":
                rows.append(outputs.double().cpu())
            else:
                rows.append(class_logits(outputs, self.outputs).cpu())
        values = torch.cat(rows).numpy()
        if wrong := int((~np.isfinite(values.max(axis=1))).sum()):  # -inf is allowed for some
            raise GanexplainError(
                f"the network puts out NaN or infinity for {wrong} of {len(values)} inputs (that "
                "asked about, or it with parts replaced); describe what it takes with --input, or "
                "replace parts by another --fill"
            )
        return values

    def __call__(self, inputs: Tensor) -> np.ndarray:
        """Return scores (N,), float64, of inputs (N, *S)."""
        return self.class_scores(self.class_values(inputs))

    def class_scores(self, values: np.ndarray) -> np.ndarray:
        """Return scores (N,) from the result of `class_values`."""
        mine = values[:, self.target]
        if self.outputs == "activations":
            return mine
        others = np.delete(values, self.target, axis=1)
        if self.score == "margin":
            return mine - others.max(axis=1)
        odds = mine - np.logaddexp.reduce(others, axis=1)
        return odds if self.score == "logit" else 1 / (1 + np.exp(-np.clip(odds, -700, 700)))


def unit_model(network: nn.Module, unit: Unit) -> Model:
    """Return a model of the responses (B, 1) of a unit, for a Scorer of `activations`."""
    module = find_layer(network, unit.layer, "--target")

    def run(x: Tensor) -> Tensor:
        with record_outputs(network, {"layer": module}) as outputs:
            network(x)
        return unit.read(outputs["layer"])[:, None]

    return run
