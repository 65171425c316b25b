"""The arguments of a Python function for the settings of a command, and their way into a config.

An argument has the name of the option. What Python can say in a better way has an argument of
its own: `network` stands for `classifier` and `model`, `unit` for `layer` and `neuron`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import tomli_w
from torch import nn

from ganexplain.config import with_preset
from ganexplain.config.shared import NEURON, Divides
from ganexplain.errors import GanexplainError, UsageError, short_repr
from ganexplain.files.atomic import Document, write_bytes
from ganexplain.files.checkpoints import is_checkpoint
from ganexplain.networks.loaders.given import GivenNetwork
from ganexplain.runs.environment import user_cache

PathName = str | os.PathLike[str]
Network = nn.Module | Callable[..., object] | PathName
Given = Document | PathName | None
Values = dict[str, Any]  # of settings or arguments, by their names

OPTION = re.compile(r"--([a-z][a-z-]*[a-z])")
NETWORK = (
    "Network to explain: a torch module (which is copied), a function from arrays (B, ...) to "
    "arrays, or the path of a classifier.pt or of another network (file, folder or factory)."
)
UNIT = "Unit: LAYER:UNIT, a layer for its first unit, or a class; repeat for several. " + NEURON
INPUT = "Input of the network: a mapping with the keys of the TOML file, or the path of one."
STANDS_FOR = {"model": "network", "layer": "unit", "neuron": "unit"}
TYPES = {
    bool: "bool", int: "int", float: "float", str: "str",
    tuple[str, ...]: "str | Sequence[str]",
    tuple[int, ...]: "int | Sequence[int]",
    tuple[float, ...]: "float | Sequence[float]",
}  # fmt: skip
KINDS: dict[type, tuple[type, ...]] = {  # of a value, by the type of a setting
    bool: (bool,), int: (int,), float: (int, float), str: (str, os.PathLike, int),
}  # fmt: skip


@dataclass(frozen=True)
class Argument:
    """An argument: its type as text, its default (MISSING: required) and its meaning."""

    name: str
    type: str
    default: object
    help: str
    positional: bool = False

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING


def arguments_of(kind: type[Any]) -> list[Argument]:
    """The arguments for the settings of a config, positional ones first."""
    settings, hints = {each.name: each for each in fields(kind)}, get_type_hints(kind)
    own = "model" in settings
    found = []
    for name, each in sorted(settings.items(), key=lambda item: item[0] not in vars(kind)):
        if name == "classifier" and own:  # in place of it and of `model`
            found.append(_network_argument(kind, hints[name]))
        elif name == "layer" and "neuron" in settings:
            several = " | Sequence[str]" if get_origin(hints[name]) is tuple else ""
            found.append(Argument("unit", f"str{several}", "output", UNIT, True))
        elif name == "input" and own:
            found.append(Argument(name, "Given", None, INPUT))
        elif not (name == "model" or (name == "neuron" and "layer" in settings)):
            found.append(_argument(each, hints[name]))
    order = ("network", "gan", "unit")
    found.sort(key=lambda each: order.index(each.name) if each.name in order else -1)
    return sorted(found, key=lambda each: not each.positional)


def _network_argument(kind: type[Any], hint: Any) -> Argument:
    several = " | Sequence[PathName]" if get_origin(hint) is tuple else ""
    if getattr(kind, "NEEDS_NETWORK", True):
        return Argument("network", f"Network{several}", MISSING, NETWORK, True)
    text = f"{NETWORK} None: the shipped classifier, or one that is trained."
    return Argument("network", f"Network{several} | None", None, text, True)


def _argument(setting: Field[Any], kind: Any) -> Argument:
    text, default = TYPES[kind], setting.default
    if setting.name == "workers" and kind is str:
        text, default = "str | int", 1  # processes would import a script without main guard again
    elif setting.name == "classifier":  # of an earlier run
        text = "Network"
    elif setting.metadata["reads"]:
        text = text.replace("str", "PathName")
    named = default is not MISSING and not setting.metadata.get("by_place")
    positional = setting.metadata["argument"] or not named
    return Argument(setting.name, text, default, setting.metadata["help"], positional)


def config_from(kind: type[Any], given: Values, earlier: Iterable[Any] = ()) -> Any:
    """The config of the arguments `given`, and of the network of `earlier` configs.

    Raises UsageError for a value of another type or out of range.
    """
    settings, hints = {each.name: each for each in fields(kind)}, get_type_hints(kind)
    values: Values = {}
    for name, value in given.items():
        if name == "network" and value is None:
            continue
        if name == "network":
            values |= network_settings(value)
        elif name == "unit":
            values["layer"] = value
        elif name == "input" and not isinstance(value, str | os.PathLike):
            values |= input_settings(value)
        elif name == "classifier":
            values[name] = _as_setting(value)
        else:
            values[name] = value
    if "classifier" in settings and "model" not in settings and "classifier" not in values:
        models = [each.model for each in earlier if getattr(each, "model", "")]
        values |= {"classifier": models[0]} if models else {}
    defaults = {n: each.default for n, each in settings.items() if each.default is not MISSING}
    if issubclass(kind, Divides):
        defaults["workers"] = "1"
    read = {name: _read(settings[name], hints[name], value) for name, value in values.items()}
    return with_preset(kind, defaults | read, set(read))


def _read(setting: Field[Any], kind: Any, value: Any) -> Any:
    """A value as its setting has it."""
    if get_origin(kind) is tuple:
        items = [value] if isinstance(value, str | os.PathLike | int | float) else value
        return tuple(_read(setting, get_args(kind)[0], item) for item in items)
    wrong = isinstance(value, bool) is not (kind is bool)
    if wrong or not isinstance(value, KINDS[kind]):
        raise UsageError(f"--{setting.name} is {short_repr(value)}; give {TYPES[kind]}")
    for end, word in (("min", "least"), ("max", "most")):
        limit = setting.metadata[end]
        if limit is not None and (value < limit if end == "min" else value > limit):
            raise UsageError(f"--{setting.name} {value}: must be at {word} {limit:g}")
    if isinstance(value, GivenNetwork):
        return value
    return kind(os.fspath(value) if isinstance(value, os.PathLike) else value)


def network_settings(network: Network | Sequence[PathName]) -> Values:
    """The setting that names a network: `classifier` for files of ours, else `model`."""
    if isinstance(network, list | tuple):
        return {"classifier": tuple(network)}
    setting = _as_setting(network)
    ours = is_checkpoint(Path(setting), "classifier")
    return {"classifier" if ours else "model": setting}


def _as_setting(network: Any) -> str:
    """The text of a setting for a network of any form; UsageError for what is none."""
    if isinstance(network, str | os.PathLike):
        return network if isinstance(network, str) else os.fspath(network)
    if isinstance(network, nn.Module) or callable(network):
        return GivenNetwork(network)
    raise UsageError(
        f"network is of type {type(network).__name__}; give a torch module, a function from "
        "arrays to arrays, or what --classifier or --model take"
    )


def input_settings(given: Given) -> Values:
    """The settings for the description of an input; a mapping becomes a file in the cache.

    The same mapping always has the same file, so that a run can be resumed.
    """
    if given is None:
        return {}
    if isinstance(given, str | os.PathLike):
        return {"input": os.fspath(given)}
    try:
        content = tomli_w.dumps(given).encode()
    except TypeError as error:
        raise UsageError(f"input: {error}; give texts, numbers, lists and mappings") from error
    name = hashlib.sha256(content).hexdigest()[:16]
    path = user_cache() / "inputs" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    write_bytes(path, content)
    return {"input": str(path), "trust_features": True}


def in_python(text: str, names: Collection[str]) -> str:
    """A text about options as one about the arguments `names`: `--prior-weight` is `prior_weight`.

    Options without an argument of their name are that which stands for them.
    """

    def argument(option: re.Match[str]) -> str:
        name = option[1].replace("-", "_")
        return name if name in names else STANDS_FOR.get(name, name)

    return OPTION.sub(argument, text)


def translate(error: GanexplainError, names: Collection[str]) -> None:
    """Let an error name the arguments `names` in place of options."""
    error.args = tuple(
        in_python(each, names) if isinstance(each, str) else each for each in error.args
    )
