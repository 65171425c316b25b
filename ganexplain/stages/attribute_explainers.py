"""The trained explainers that `attribute` was given."""

from __future__ import annotations

from pathlib import Path

from ganexplain.artifacts import check_same_front_end
from ganexplain.config import AttributeConfig
from ganexplain.errors import UsageError
from ganexplain.local.learned import LEARNED, OF_ANY_NETWORK, Explainer, load_explainer, named
from ganexplain.models.loading import Classifier
from ganexplain.rundir import RunDirectory
from ganexplain.runtime import Progress


def explainers_for(
    config: AttributeConfig, classifier: Classifier, run: RunDirectory, progress: Progress
) -> dict[str, Explainer]:
    """Those of `--explainer`, by method.

    Raises UsageError where a method asked for has none, there are two of one, or one takes other
    inputs than the classifier, or explains only the network it was trained on and this is not it.
    """
    found: dict[str, Explainer] = {}
    network = run.used("classifier", Path(config.classifier))
    for name in config.explainer:
        path = Path(name)
        run.used(f"explainer {name}", path)
        explainer = load_explainer(path, classifier.network.mean.device)
        check_same_front_end(
            (path, explainer.front_end), (Path(config.classifier), classifier.front_end)
        )
        if explainer.method in found:
            raise UsageError(f"--explainer {name}: a second one of {explainer.method}; give one")
        if network not in explainer.networks:
            _of_another(name, explainer.method, config.classifier, progress)
        found[explainer.method] = explainer
    for method in config.method:
        if method in LEARNED:
            named(found, method)
    return found


def _of_another(name: str, method: str, classifier: str, progress: Progress) -> None:
    if method not in OF_ANY_NETWORK:
        raise UsageError(
            f"--explainer {name}: was not trained on {classifier}, and {method} explains no other "
            "network; train one on it"
        )
    progress.note(f"{name} was not trained on {classifier}: what it says of it is less sure")
