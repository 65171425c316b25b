"""Activation maximisation with a GAN prior, selected automatically, for audio networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganexplain.version import __version__

if TYPE_CHECKING:
    from ganexplain.api import (
        Attribution,
        Counterfactual,
        Described,
        Explainer,
        Explanation,
        FalseAlarms,
        File,
        Page,
        Predicted,
        Rerun,
        Responses,
        Run,
        Selection,
        TrainedClassifier,
        TrainedGan,
        Validated,
        WholeRun,
        attribute,
        counterfactual,
        demo,
        describe_input,
        explain,
        false_alarms,
        label_stems,
        layers,
        predict,
        rank,
        rerun,
        respond,
        responses,
        run,
        select,
        train_classifier,
        train_explainer,
        train_gan,
        validate,
        write_report,
    )

__all__ = [
    "Attribution", "Counterfactual", "Described", "Explainer", "Explanation", "FalseAlarms", "File",
    "Page", "Predicted", "Rerun", "Responses", "Run", "Selection", "TrainedClassifier",
    "TrainedGan", "Validated", "WholeRun", "__version__", "attribute", "counterfactual", "demo",
    "describe_input", "explain", "false_alarms", "label_stems", "layers", "predict", "rank",
    "rerun", "respond", "responses", "run", "select", "train_classifier", "train_explainer",
    "train_gan", "validate", "write_report",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The functions of ganexplain.api, which load torch, when they are first asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'ganexplain' has no attribute {name!r}")
    from ganexplain import api

    return getattr(api, name)


def __dir__() -> list[str]:
    """The names that completion offers, before the functions are loaded."""
    return __all__
