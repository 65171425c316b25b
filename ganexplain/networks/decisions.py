"""What the outputs of a network of any origin mean: their kind, classes and decision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.errors import UsageError
from ganexplain.metrics.moments import Blocks, Mapped
from ganexplain.metrics.sharing import Regressors

AUTO = "auto"  # of `--outputs`: guess their kind
OUTPUTS = ("logits", "probabilities", "activations")
TWO = ("negative", "positive")  # classes of a single output without names
SMALLEST = 1e-12  # least probability whose logarithm is taken


def guess_output_kind(outputs: Tensor) -> str:
    """Guess the kind of outputs (B, K).

    `probabilities` if all lie in 0..1 and, if there are several, sum to 1; `activations` if
    several lie in 0..1 and do not sum to 1, as in multi-label networks; else `logits`.
    """
    if not bool(((outputs >= 0) & (outputs <= 1)).all()):
        return "logits"
    if outputs.shape[1] == 1 or torch.allclose(outputs.sum(1), outputs.new_ones(()), atol=1e-3):
        return "probabilities"
    return "activations"


def class_names(names: Sequence[str], count: int, kind: str) -> tuple[str, ...]:
    """The classes of `count` outputs with these names, which may be none; two for one output.

    Raises UsageError for another number of names than of classes.
    """
    if count == 1 and kind != "activations":
        return tuple(names) if len(names) == 2 else (f"not {names[0]}", names[0]) if names else TWO
    if names and len(names) != count:
        raise UsageError(
            f"classes: {len(names)} names for {count} {kind}; give one each, or other --outputs"
        )
    return tuple(names) or tuple(map(str, range(count)))


def class_logits(outputs: Tensor, kind: str) -> Tensor:
    """Logits (B, K) of outputs (B, K) of a kind in OUTPUTS; one output means two classes.

    One logit z becomes -z / 2 and z / 2, whose softmax is the sigmoid of z.
    """
    if outputs.ndim == 1:
        outputs = outputs[:, None]
    outputs = outputs.double()
    if kind == "probabilities":
        if outputs.shape[1] == 1:
            outputs = torch.cat([1 - outputs, outputs], dim=1)
        return outputs.clamp_min(SMALLEST).log()
    return torch.cat([-outputs / 2, outputs / 2], dim=1) if outputs.shape[1] == 1 else outputs


def output_logits(outputs: Tensor, kind: str) -> Tensor:
    """Logits (B, K) of as many outputs, on which `decision_margin` decides; differentiable.

    One probability becomes its log-odds, each of several its logarithm.
    """
    if kind != "probabilities":
        return outputs
    logarithms = outputs.clamp_min(SMALLEST).log()
    if outputs.shape[1] > 1:
        return logarithms
    return logarithms - (1 - outputs).clamp_min(SMALLEST).log()


@dataclass(frozen=True)
class OutputRegressors:
    """The `regressors` (M, H) of the logits of outputs (M, K), whose kind is guessed."""

    kind: str
    regressors: Regressors

    @classmethod
    def of(cls, blocks: Blocks) -> OutputRegressors:
        """Those for the outputs (m, K) of all blocks, which are writable, together."""
        ranks = ("probabilities", "activations", "logits")  # one row decides for the higher
        kinds = (guess_output_kind(torch.from_numpy(block)) for block in blocks)
        kind = max(kinds, key=ranks.index)
        logits = Mapped(lambda block: _logits(block, kind), blocks)
        return cls(kind, Regressors.of(logits))

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """The numbers (m, H) for outputs (m, K)."""
        return self.regressors(_logits(outputs, self.kind))


def _logits(outputs: np.ndarray, kind: str) -> np.ndarray:
    return output_logits(torch.from_numpy(outputs), kind).double().numpy()


def output_regressors(outputs: np.ndarray) -> np.ndarray:
    """The `OutputRegressors` (M, H) of outputs (M, K)."""
    return OutputRegressors.of([outputs])(outputs)


def class_probabilities(outputs: Tensor, kind: str) -> Tensor:
    """Probabilities (B, K) of classes, float64; activations (B, U) are not changed."""
    if kind == "activations":
        return outputs.double()
    return class_logits(outputs, kind).softmax(dim=1)


def probability_threshold(threshold: float, kind: str) -> float:
    """The probability above which the second of two classes is meant.

    `threshold` is that of the specification, a logit or, of probabilities, a probability; 0 means
    one half.
    """
    if kind == "probabilities":
        return threshold or 0.5
    return 1 / (1 + math.exp(-max(-700.0, min(threshold, 700.0))))
