"""Explanations by networks that were trained to explain: what `train-explainer` makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganexplain.errors import GanexplainError, UsageError, reason_of
from ganexplain.inputs import Input
from ganexplain.local.cgan import load_cgan
from ganexplain.local.parts import load_parts
from ganexplain.local.scoring import Scorer
from ganexplain.models.explainer_file import ExplainerFile, read_explainer


class Answer(Protocol):
    """How a trained explainer is asked."""

    def __call__(
        self, network: nn.Module, scorer: Scorer, x: Tensor
    ) -> tuple[Tensor, dict[str, Any]]:
        """The map (H, W) of input x (*S), S ending with H, W, and details in plain values.

        `scorer.differentiable` gives the target's logit of `network`; passes are counted in
        `scorer.passes`.
        """


Loader = Callable[[ExplainerFile, torch.device], Answer]
LEARNED: dict[str, Loader] = {"cgan": load_cgan, "parts": load_parts}
OF_ANY_NETWORK = ("cgan",)  # the others explain only the network they were trained on


@dataclass(frozen=True)
class Explainer:
    """A trained explainer: its method, the networks (SHA-256) it was trained on, what they take."""

    method: str
    networks: tuple[str, ...]
    front_end: Input
    answer: Answer


def load_explainer(path: Path, device: torch.device) -> Explainer:
    """Read `explainer.pt`, ready to be asked; errors as `read_checkpoint`."""
    found = read_explainer(path)
    if found.method not in LEARNED:
        raise GanexplainError(
            f"{path}: method {found.method!r} is unknown here (known: {', '.join(LEARNED)}); "
            "update ganexplain"
        )
    try:
        answer = LEARNED[found.method](found, device)
    except MemoryError:
        raise
    except Exception as error:  # whatever is missing or of another kind
        raise GanexplainError(
            f"{path}: not a whole explainer ({reason_of(error)}); make it again"
        ) from error
    return Explainer(found.method, tuple(found.networks.values()), found.front_end, answer)


def named(explainers: Mapping[str, Explainer], method: str) -> Explainer:
    """The explainer of that method; UsageError where there is none."""
    if method not in explainers:
        raise UsageError(
            f"--method {method}: needs an explainer of `train-explainer --method {method}`; "
            "name its explainer.pt with --explainer"
        )
    return explainers[method]
