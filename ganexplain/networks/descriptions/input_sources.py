"""What is known of a network's input: a description, something that computes it, or both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganexplain.errors import UsageError, did_you_mean
from ganexplain.files.bounded import read_toml
from ganexplain.inputs.conventions import CONVENTIONS
from ganexplain.inputs.hugging_face import Description, is_folder, read_extractor
from ganexplain.inputs.specification import call_from
from ganexplain.networks.descriptions.references import (
    Reference,
    array_reference,
    extractor_reference,
    function_reference,
)
from ganexplain.networks.loaders.names import is_factory

KINDS = (
    "a folder with preprocessor_config.json, a convention, a TOML file, module:function or FILE.npy"
)


@dataclass(frozen=True)
class InputSource:
    """What is known of an input: the title of the source, its description, what computes it."""

    title: str
    description: Description | None
    reference: Reference | None


def read_source(name: str, features: str) -> InputSource:
    """The source of that name; `features` names what computes the same, if given.

    Raises UsageError if either is not known or cannot be used.
    """
    given = _reference("--features", features) if features else None
    path = Path(name)
    if is_folder(path):
        return _folder(path, given)
    if name in CONVENTIONS:
        return InputSource(f"convention {name}", Description({"convention": name}), given)
    if path.suffix == ".toml":
        values = read_toml("SOURCE", path)
        network = values.pop("network", {})
        call_from(str(path), network)
        return InputSource(str(path), Description(values, network), given)
    if path.suffix == ".npy" or is_factory(name):
        if given:
            raise UsageError("--features: goes with a source that describes an input")
        return InputSource(name, None, _reference("SOURCE", name))
    hint = did_you_mean(name, CONVENTIONS)
    raise UsageError(f"SOURCE {name}: not known{hint}; give {KINDS}")


def _folder(path: Path, given: Reference | None) -> InputSource:
    kind, description = read_extractor(path)
    reference = given or extractor_reference(path, kind)
    if description is None and reference is None:
        raise UsageError(
            f"{path}: {kind or 'its extractor'} is not known here; install transformers, which "
            "computes its features, or name a function that does"
        )
    return InputSource(f"{kind} ({path})", description, reference)


def _reference(option: str, name: str) -> Reference:
    if is_factory(name):
        return function_reference(name, option)
    if Path(name).suffix == ".npy":
        return array_reference(Path(name))
    raise UsageError(f"{option} {name}: neither module:function nor an array, FILE.npy")
