"""Trained explainers as attribution methods, and the loading of their files.

Importing this module adds their methods to `ganexplain.attribution.methods.registry.METHODS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from ganexplain.artifacts.explainer import read_explainer
from ganexplain.attribution.methods.base import Attribution, Method, Question, require_network
from ganexplain.attribution.methods.learned import Explainer, explainer_for
from ganexplain.attribution.methods.registry import METHODS
from ganexplain.attribution.subject import Subject
from ganexplain.config import AttributeConfig
from ganexplain.errors import GanexplainError, UsageError, reason_of
from ganexplain.explainers.methods import LEARNED
from ganexplain.inputs.specification import check_same_front_end
from ganexplain.networks.source import NetworkSource


@dataclass(frozen=True)
class Learned(Method):
    """The map of a network that was trained to explain, by `train-explainer --method NAME`."""

    explainer: Explainer

    @classmethod
    def from_settings(
        cls, name: str, settings: object, explainers: Mapping[str, Explainer]
    ) -> Self:
        """Return the method with its trained explainer; UsageError where there is none."""
        return cls(explainer_for(explainers, name))

    def ask(self, question: Question, seed: int) -> Attribution:
        """Return the map, with the details that the explainer reports."""
        network = require_network(question, self.explainer.method)
        found = self.explainer.answer(network, question.scorer, question.x)
        return Attribution.from_map(question, found.area, details=found.details)


for method in LEARNED:
    METHODS.add(method, Learned)


def load_explainer(path: Path, device: torch.device) -> Explainer:
    """Read `explainer.pt`; raises as `read_checkpoint`."""
    found = read_explainer(path)
    if found.method not in LEARNED:
        raise GanexplainError(
            f"{path}: method {found.method!r} is unknown here (known: {', '.join(LEARNED)}); "
            "update ganexplain"
        )
    try:
        answer = LEARNED[found.method].load(found, device)
    except MemoryError:
        raise
    except Exception as error:  # anything missing or of another type
        raise GanexplainError(
            f"{path}: not a complete explainer ({reason_of(error)}); make it again"
        ) from error
    return Explainer(found.method, tuple(found.networks.values()), found.front_end, answer)


def explainers_for(
    config: AttributeConfig, subject: Subject, source: NetworkSource
) -> tuple[dict[str, Explainer], list[str]]:
    """Load the files of `--explainer`; returns explainers by method, and warnings.

    `source` is the source of the network of `subject`.

    Raises:
        UsageError: a method has no explainer or two, or an explainer takes other inputs than the
            network, or explains only the network that it was trained on, which is another one.
        GanexplainError: an explainer does not fit the network.
    """
    found: dict[str, Explainer] = {}
    warnings = []
    network = source.digest() if config.explainer else ""
    for name in config.explainer:
        path = Path(name)
        explainer = load_explainer(path, subject.device)
        check_same_front_end((path, explainer.front_end), (Path(source.name), subject.front_end))
        if explainer.method in found:
            raise UsageError(f"--explainer {name}: a second one of {explainer.method}; give one")
        if network not in explainer.networks:
            warnings.append(_other_network_warning(name, explainer.method, source.name))
        explainer.answer.check(subject.network, subject.example[0])
        found[explainer.method] = explainer
    for method in config.method:
        if method in LEARNED:
            explainer_for(found, method)
    return found, warnings


def _other_network_warning(name: str, method: str, network: str) -> str:
    if not LEARNED[method].of_any_network:
        raise UsageError(
            f"--explainer {name}: was not trained on {network}, and {method} explains no other "
            "network; train one on it"
        )
    return f"{name} was not trained on {network}: its maps are less reliable"
