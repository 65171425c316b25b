"""Attribution methods by name: of this folder, of trained explainers and of other packages."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from ganexplain.attribution import methods
from ganexplain.attribution.methods.base import Attribution, Method, Question
from ganexplain.attribution.methods.captum import CAPTUM, Captum
from ganexplain.attribution.methods.learned import Explainer
from ganexplain.errors import check_known
from ganexplain.registry import Registry


def _builtin_methods() -> dict[str, type[Method]]:
    """Return the METHOD of each module of this folder, by the module's name with hyphens."""
    names = [each.name for each in iter_modules(methods.__path__) if each.name != "registry"]
    modules = {name: import_module(f"{methods.__name__}.{name}") for name in names}
    found = {name: getattr(module, "METHOD", None) for name, module in modules.items()}
    return {name.replace("_", "-"): method for name, method in found.items() if method}


# `ganexplain.explainers.loading` adds the methods of trained explainers.
METHODS: Registry[type[Method]] = Registry(
    Method, "ganexplain.methods", _builtin_methods(), classes=True
)


def method_for(
    name: str, settings: object, explainers: Mapping[str, Explainer] | None = None
) -> Method:
    """Build the method called `name`: one of `METHODS`, or captum:NAME.

    `settings` is an `AttributeConfig` or has the same attributes. Raises UsageError for an unknown
    method, and for a learned method without an explainer.
    """
    kind: type[Method] = Captum
    if not name.startswith(CAPTUM):
        kind = METHODS[check_known("--method", name, METHODS)]
    return kind.from_settings(name, settings, explainers or {})


def attribute(question: Question, method: Method, seed: int = 0) -> Attribution:
    """Return the attribution of a method, with its passes and seconds, without its control's.

    Raises UsageError for a method that needs a network where the model is a callable.
    """
    started, before = time.perf_counter(), question.scorer.passes
    found = method.ask(question, seed)
    passes = question.scorer.passes - before
    found = replace(found, passes=passes, seconds=time.perf_counter() - started)
    return method.control(question, found, seed)
