"""A setting: a field of a config with its meaning and range, and its form in a TOML file."""

from __future__ import annotations

import json
import tomllib
from dataclasses import MISSING, asdict, field
from pathlib import Path
from typing import Any

from ganexplain.errors import UsageError, check_known
from ganexplain.texts import read_text

LONGEST_TOML = 2**16  # bytes; tomllib is slow, and no table of settings is long


def setting(
    meaning: str,
    default: Any = MISSING,
    minimum: float | None = None,
    maximum: float | None = None,
    argument: bool = False,
    reads: bool = False,
    extends: bool = False,
) -> Any:
    """A field with its meaning and range; required without a default, positional if `argument`.

    `reads` marks the path of an input, which no run may overwrite; `extends` a setting that a
    resumed run may change.
    """
    metadata = {"help": meaning, "min": minimum, "max": maximum, "argument": argument}
    metadata |= {"reads": reads, "extends": extends}
    return field(default=default, metadata=metadata)


def with_preset(kind: type[Any], given: dict[str, Any], asked: set[str]) -> Any:
    """The config of the values `given`, where not in `asked` as its preset has them.

    Raises UsageError for an unknown preset.
    """
    presets = getattr(kind, "PRESETS", None)
    if presets is None:
        return kind(**given)
    chosen = presets[check_known("--preset", given["preset"], presets)]
    return kind(**given | {name: value for name, value in chosen.items() if name not in asked})


def read_toml(option: str, path: Path) -> dict[str, Any]:
    """The values of a TOML file; UsageError that names `option` where it is none."""
    try:
        return tomllib.loads(read_text(path, LONGEST_TOML))
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{option} {path}: not TOML ({error})") from error


def toml_text(stage: str, config: Any) -> str:
    """The settings of a config as TOML that `--config` reads again."""
    lines = [f"# ganexplain {stage} --config THIS_FILE"]
    for name, value in asdict(config).items():
        listed = list(value) if isinstance(value, tuple) else value
        lines.append(f"{name.replace('_', '-')} = {json.dumps(listed, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"
