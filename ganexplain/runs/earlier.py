"""Whether an earlier run was made with the same settings, and whether it is finished."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from ganexplain.config import LONGEST_SETTINGS, current_settings, toml_text
from ganexplain.config.setting import Preset
from ganexplain.errors import UsageError
from ganexplain.files.atomic import read_json
from ganexplain.files.bounded import read_toml
from ganexplain.runs.inputs import RunInputs
from ganexplain.runs.lock import run_records

SETTINGS = "config.toml"
Config = TypeVar("Config", bound=Any)


def first_difference(path: Path, stage: str, config: Any) -> str:
    """The settings of the run in `path` that are others now, in words; empty for none.

    Of the first also the values. Settings that a resumed run may change are not compared.
    """
    before = _settings_of(path, config)
    now = current_settings(type(config), tomllib.loads(toml_text(stage, config)))
    named = {each.name.replace("_", "-"): each.metadata for each in fields(config)}
    free, words = (
        {name for name, meta in named.items() if meta.get(kind)} for kind in ("extends", "argument")
    )
    changed = [name for name in now if name not in free and before.get(name) != now[name]]
    if not changed:
        return ""
    first, *others = (name if name in words else f"--{name}" for name in changed)
    also = f" (changed, too: {', '.join(others)})" if others else ""
    was, value = before.get(changed[0]), now[changed[0]]
    return f"{first} was {was!r} in {path}, now {value!r}{also}"


def _settings_of(path: Path, config: Any) -> Preset:
    """The settings of the run in `path`, of the class of `config`."""
    return current_settings(type(config), read_toml("--out", path / SETTINGS, LONGEST_SETTINGS))


def with_earlier(path: Path, config: Config, names: Sequence[str]) -> Config | None:
    """The settings with those of `names` that the run in `path` has; None if there is no run."""
    if not run_records(path):
        return None
    before = _settings_of(path, config)
    return replace(config, **{name: before[name.replace("_", "-")] for name in names})


def is_finished(path: Path, stage: str, config: Any) -> bool:
    """Whether `path` contains a finished run of these settings and of the inputs of now.

    Raises UsageError if a setting is another, and GanexplainError if an input has changed.
    """
    records = run_records(path)
    if not records or any(read_json(record).get("state") != "done" for record in records):
        return False
    if change := first_difference(path, stage, config):
        raise UsageError(f"--resume: {change}; give the same, or --overwrite to start again")
    RunInputs(path, records).check_files()
    return True
