"""A setting: a field of a config with its meaning and range, and its form in a TOML file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, asdict, field, fields
from typing import Any, TypeVar

import tomli_w

from ganexplain.errors import UsageError, WrongKind, check_known

# A value of a setting, and the values that a preset gives to settings by name.
Value = bool | int | float | str | tuple[str, ...] | tuple[int, ...] | tuple[float, ...]
Preset = Mapping[str, Value]
Config = TypeVar("Config")

LARGEST_NUMBER = 1e18  # its square is a number of float32
LARGEST_COUNT = 10**9  # of anything a command does; more is a slip of the keyboard
OF_THE_PLACE = ("cache", "device", "workers", "scheduler_file", "export")  # change no result
LONGEST_SETTINGS = 2**24  # bytes of a run's own settings, which may list many files


def setting(
    meaning: str,
    default: Any = MISSING,
    minimum: float | None = None,
    maximum: float | None = None,
    argument: bool = False,
    reads: bool = False,
    extends: bool = False,
    packages: str = "",
) -> Any:
    """A field with its meaning and range; required without a default, positional if `argument`.

    `reads` marks the path of an input, which no run may overwrite; `extends` a setting that a
    resumed run may change. `packages` names the entry points by which other packages add
    choices.
    """
    metadata = {"help": meaning, "min": minimum, "max": maximum, "argument": argument}
    metadata |= {"reads": reads, "extends": extends, "packages": packages}
    return field(default=default, metadata=metadata)


@contextmanager
def options_named(config: Any) -> Iterator[None]:
    """While open, an error about a file of another kind names the option that named the file."""
    try:
        yield
    except WrongKind as error:
        # One file may be named by several, of which one is called what is wanted.
        wanted = error.wanted
        for each in sorted(fields(config), key=lambda each: each.name != wanted):
            value = getattr(config, each.name)
            named = value if isinstance(value, tuple) else (value,)
            given = each.metadata["reads"] and not each.metadata["argument"]
            if given and any(path and str(error).startswith(f"{path}: ") for path in named):
                error.args = (f"--{each.name.replace('_', '-')} {error}",)
                break
        raise


def renamed(made: Any, former: str) -> Any:
    """The field of a setting that an earlier version named `former`; both names are read."""
    return field(default=made.default, metadata={**made.metadata, "former": former})


def introduced(made: Any, before: Value) -> Any:
    """The field of a setting with the value of runs from before it, if that is not its default."""
    return field(default=made.default, metadata={**made.metadata, "before": before})


def by_place(made: Any) -> Any:
    """The field of a setting with a default that a function of Python takes by place, too."""
    return field(default=made.default, metadata={**made.metadata, "by_place": True})


def current_names(kind: type[Any]) -> dict[str, str]:
    """Names of a config's settings, by those and by their former names."""
    own = {each.name: each.name for each in fields(kind)}
    return own | {
        each.metadata["former"]: each.name for each in fields(kind) if "former" in each.metadata
    }


def values_before(kind: type[Any]) -> dict[str, Value]:
    """The values of settings in runs that were made before there were these settings."""
    found = {each.name: each.metadata.get("before") for each in fields(kind)}
    return {name: value for name, value in found.items() if value is not None}


def current_settings(kind: type[Any], written: Preset) -> Preset:
    """The settings of a TOML file by their present names, with defaults for those it lacks.

    An earlier version may have written it, in which a setting had another name or was absent.
    """
    present = current_names(kind)
    found = {each.name: each.default for each in fields(kind) if each.default is not MISSING}
    found |= values_before(kind)
    for name, value in written.items():
        own = name.replace("-", "_")
        found[present.get(own, own)] = value
    return {
        name.replace("_", "-"): tuple(value) if isinstance(value, list) else value
        for name, value in found.items()
    }


def with_preset(kind: type[Config], given: Preset, explicit: set[str]) -> Config:
    """The config of the values `given`, where not in `explicit` as its preset has them.

    Raises UsageError for an unknown preset, or a number that is none or too large to count with.
    """
    for name, value in given.items():
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and not abs(number) <= LARGEST_NUMBER:
                flag = name.replace("_", "-")
                raise UsageError(
                    f"--{flag} {number:g}: must be a finite number, of at most {LARGEST_NUMBER:g}"
                )
            if isinstance(number, int) and number > LARGEST_COUNT and name != "seed":
                raise UsageError(
                    f"--{name.replace('_', '-')} {number}: must be at most {LARGEST_COUNT}"
                )
    presets: Mapping[str, Preset] | None = getattr(kind, "PRESETS", None)
    if presets is None:
        return kind(**given)
    chosen = presets[check_known("--preset", str(given["preset"]), presets)]
    own = {name: value for name, value in chosen.items() if name not in explicit}
    return kind(**{**given, **own})


def toml_text(stage: str, config: Any) -> str:
    """The settings of a config as TOML that `--config` reads again."""
    values = {name.replace("_", "-"): value for name, value in asdict(config).items()}
    return f"# ganexplain {stage} --config THIS_FILE\n{tomli_w.dumps(values)}"


def toml_bytes(stage: str, config: Any) -> bytes:
    """The same as a file's content: names of files that are no UTF-8 keep their bytes.

    Raises UsageError for characters that no name of a file can have.
    """
    try:
        return toml_text(stage, config).encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"a setting contains an incomplete character ({error}); write it in full"
        ) from error


def command_text(stage: str, config: Any, out: str = "OUT", here: bool = False) -> str:
    """The command with the settings of a config that are no defaults, but for `OF_THE_PLACE`.

    So runs with the same results have the same command. A command to be given `here` has those of
    the place, too. `out` is the text of its --out, as a shell reads it.
    """
    presets: Mapping[str, Preset] = getattr(config, "PRESETS", {})
    usual = presets.get(getattr(config, "preset", ""), {})
    left_out = () if here else OF_THE_PLACE
    words, options = ["ganexplain", stage], []
    for each in fields(config):
        value, flag = getattr(config, each.name), "--" + each.name.replace("_", "-")
        values = [str(one) for one in (value if isinstance(value, tuple) else (value,))]
        if each.metadata["argument"]:
            words += values
        elif each.name in left_out or value == usual.get(each.name, each.default):
            continue
        elif isinstance(value, bool):
            options.append(flag if value else f"--no-{flag.removeprefix('--')}")
        else:
            options += [word for one in values for word in (flag, one)]
    return f"{shlex.join([*words, *options])} --out {out}"
