"""The methods by name: those of this folder, of trained explainers and of other packages."""

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


def _own() -> dict[str, type[Method]]:
    """The METHOD of each module of the folder that has one, by the module's name with hyphens."""
    names = [each.name for each in iter_modules(methods.__path__) if each.name != "registry"]
    modules = {name: import_module(f"{methods.__name__}.{name}") for name in names}
    found = {name: getattr(module, "METHOD", None) for name, module in modules.items()}
    return {name.replace("_", "-"): method for name, method in found.items() if method}


# Those of trained explainers are added where their files are loaded.
METHODS: Registry[type[Method]] = Registry(Method, "ganexplain.methods", _own(), classes=True)


def method_for(
    name: str, settings: object, explainers: Mapping[str, Explainer] | None = None
) -> Method:
    """The method of that name, one of `METHODS` or captum:NAME, with its own of the settings.

    `settings` is an `AttributeConfig`, or has attributes as it has. Raises UsageError for an
    unknown method, and where a learned one has no explainer.
    """
    if name.startswith(CAPTUM):
        return Captum.of(name, settings, explainers or {})
    return METHODS[check_known("--method", name, METHODS)].of(name, settings, explainers or {})


def attribute(question: Question, method: Method, seed: int = 0) -> Attribution:
    """Ask a method; its passes and seconds are counted, those of its control are not.

    Raises UsageError for one that needs a network for a callable.
    """
    started, before = time.perf_counter(), question.scorer.passes
    found = method.ask(question, seed)
    passes = question.scorer.passes - before
    found = replace(found, passes=passes, seconds=time.perf_counter() - started)
    return method.control(question, found, seed)
