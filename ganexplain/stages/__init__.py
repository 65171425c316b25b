"""The commands: each reads artifacts, computes and writes artifacts."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def load_stage(place: str) -> Callable[..., Any]:
    """The function that `module:function` of a stage names, imported when it is needed."""
    module, function = place.split(":")
    found: Callable[..., Any] = getattr(import_module(f"ganexplain.stages.{module}"), function)
    return found
