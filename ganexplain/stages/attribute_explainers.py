"""The trained explainers that `attribute` was given."""

from __future__ import annotations

from pathlib import Path

from ganexplain.artifacts import check_same_front_end
from ganexplain.config import AttributeConfig
from ganexplain.errors import UsageError
from ganexplain.local.learned import LEARNED, OF_ANY_NETWORK, Explainer, load_explainer, named
from ganexplain.local.parts import PartsAnswer
from ganexplain.models.explained import Source
from ganexplain.stages.attribute_network import Subject


def explainers_for(
    config: AttributeConfig, subject: Subject, source: Source
) -> tuple[dict[str, Explainer], list[str]]:
    """Those of `--explainer`, by method, and warnings; `source` is where `subject` comes from.

    Raises UsageError where a method asked for has none, there are two of one, or one takes other
    inputs than the network, or explains only the network it was trained on and this is not it;
    GanexplainError where what a file holds does not fit the network.
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
            warnings.append(_of_another(name, explainer.method, source.name))
        if isinstance(explainer.answer, PartsAnswer):
            explainer.answer.fitted(subject.network, subject.example[0])
        found[explainer.method] = explainer
    for method in config.method:
        if method in LEARNED:
            named(found, method)
    return found, warnings


def _of_another(name: str, method: str, network: str) -> str:
    if method not in OF_ANY_NETWORK:
        raise UsageError(
            f"--explainer {name}: was not trained on {network}, and {method} explains no other "
            "network; train one on it"
        )
    return f"{name} was not trained on {network}: what it says of it is less sure"
