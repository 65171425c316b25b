"""The commands: each reads artifacts, computes and writes artifacts."""

from collections.abc import Callable
from dataclasses import fields
from importlib import import_module
from typing import Any

from ganexplain.config.shared import HUB
from ganexplain.runs.progress import Progress


def load_stage(place: str) -> Callable[..., Any]:
    """The function that `module:function` of a stage names, imported when it is needed."""
    module, function = place.split(":")
    found: Callable[..., Any] = getattr(import_module(f"ganexplain.stages.{module}"), function)
    return found


def with_files_of_the_hub(config: Any, progress: Progress) -> Any:
    """The settings with the files of networks that are named on the hub, `hf://...`."""
    if not any(HUB in str(getattr(config, each.name)) for each in fields(config)):
        return config  # importing what fetches them takes as long as importing torch
    from ganexplain.networks.loaders.hub import with_local_files

    return with_local_files(config, progress)
