"""The specification of an input: the file of `--input`, and the front end in checkpoints.

Written as TOML for a network of one's own, and kept in checkpoints under `front_end`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from ganexplain.errors import GanexplainError, UsageError, check_known, short_repr
from ganexplain.files.bounded import read_toml
from ganexplain.inputs.base import LARGEST, Input
from ganexplain.inputs.conventions import CONVENTIONS
from ganexplain.inputs.kinds import KINDS

LARGEST_BATCH = 4096
UNIT_AXES = ("auto", "first", "last")
FITS = ("zeros", "repeat", "repeat-whole", "reflect", "zero-features")

LONGEST_INPUT = 2**20  # bytes of a file of --input: thousands of classes have names


@dataclass(frozen=True)
class Call:
    """How a network is called with its input, as the table `network` of a specification says.

    - `layout` names the axes of its input behind the batch's, of `FT` for log-mel, `CHW` for
      pictures, `W` for waveforms; a digit is an axis of so many copies (1: of length one, 3: a
      plane as the three colours of a picture); empty: as here.
    - `fit` extends an excerpt that is shorter than the input: by silence (`zeros`), the same again
      (`repeat`), by as many whole copies as there is room for and then silence (`repeat-whole`),
      backwards (`reflect`), or by frames of zeros (`zero-features`).
    - `batch` is the only length of a batch that it takes, each of which then has one input; 0: any,
      or as is found by trying.
    - `argument` is the name by which the input is passed, `batch.mel` being the value `mel` in a
      mapping `batch`; empty: as the first argument. `length` is the argument that gets the number
      of steps of each input, and `arguments` are others by name; `method` instead of a plain call.
    - `output` is the number or name of the part of what it puts out, `1.0` one in a part.
    - `classes` are what the output's units stand for. Of two classes and one output unit the second
      is meant above `threshold`, zero for a logit.
    - `timeout` is the number of seconds that a call of a black box may take; 0: no limit.
    - `units` is the axis of the units in the outputs of layers, the `first` or the `last` of those
      for one input; `auto`: as it follows from what they compute.
    """

    layout: str = ""
    method: str = ""
    output: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    threshold: float = 0.0
    batch: int = 0
    argument: str = ""
    length: str = ""
    fit: str = ""
    units: str = "auto"
    timeout: float = 300.0

    def check(self, where: str) -> None:
        """UsageError that names `where` and the key, for values that cannot be used."""
        if self.fit:
            check_known(f"{where}: fit", self.fit, FITS)
        check_known(f"{where}: units", self.units, UNIT_AXES)
        if not self.timeout >= 0:
            raise UsageError(f"{where}: timeout is {self.timeout:g}; give seconds, 0 for no limit")
        if not 0 <= self.batch <= LARGEST_BATCH:
            raise UsageError(f"{where}: batch is {self.batch}; give 0 for any, to {LARGEST_BATCH}")


def input_from(where: str, values: Mapping[str, object]) -> Input:
    """The input that a mapping describes; UsageError naming `where` and the key that is wrong.

    Without `kind` it is log-mel, as in checkpoints of earlier versions. Keys beside a `convention`
    override those that it stands for.
    """
    if "convention" in values:
        name = check_known(f"{where}: convention", str(values["convention"]), CONVENTIONS)
        values = {**CONVENTIONS[name], **{k: v for k, v in values.items() if k != "convention"}}
    kind = KINDS[check_known(f"{where}: kind", str(values.get("kind", "log-mel")), KINDS)]
    tagged = any(each.name == "kind" for each in fields(kind))
    given = {name: value for name, value in values.items() if name != "kind" or tagged}
    found: Input = _filled(where, kind, given)
    found.check(where)
    return found


def _filled(where: str, kind: type[Any], values: Mapping[str, object]) -> Any:
    types = get_type_hints(kind)
    hints = {each.name: types[each.name] for each in fields(kind)}
    for name, value in values.items():
        check_known(where, name, hints)
        values = {**values, name: _converted(f"{where}: {name}", value, hints[name])}
    try:
        return kind(**values)
    except TypeError as error:
        needed = [f.name for f in fields(kind) if f.default is f.default_factory is MISSING]
        missing = [name for name in needed if name not in values]
        raise UsageError(f"{where}: give {', '.join(missing)} too") from error


def _converted(where: str, value: Any, wanted: Any) -> Any:
    """A value as its field has it; UsageError for one of another kind."""
    if wanted == tuple[float, ...]:
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(_converted(where, item, float) for item in items)
    if wanted == tuple[str, ...] and isinstance(value, list | tuple):
        return tuple(_converted(where, item, str) for item in value)
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not -1e30 < value < 1e30:  # of an int as long as it likes
            raise UsageError(f"{where} is {short_repr(value)}; give a finite number")
        return float(value)
    if wanted is str and type(value) is int:
        return str(value)
    if wanted is int and type(value) is int and abs(value) > LARGEST:
        raise UsageError(f"{where} is {short_repr(value)}; give at most {LARGEST:,}")
    plain = wanted if wanted in (int, float, str, bool) else Mapping
    if type(value) is plain or (plain is Mapping and isinstance(value, Mapping)):
        return value
    raise UsageError(f"{where} is {short_repr(value)}; give {getattr(wanted, '__name__', wanted)}")


def input_values(input_spec: Input) -> dict[str, object]:
    """An input as plain values that `input_from` reads, for checkpoints and meta data.

    Of a front end, what is not usual is left out where it is as usual.
    """
    omitted = input_spec.omitted()
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(input_spec).items()
        if name not in omitted or omitted[name] != value
    }


def call_from(where: str, values: Any) -> Call:
    """How a network is called, from the table `network` of a specification."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{where}: network is {values!r}; make it a table, [network]")
    found: Call = _filled(f"{where}: network", Call, values)
    found.check(f"{where}: network")
    return found


def read_input_file(path: Path) -> tuple[Input, Call]:
    """The input specification in a TOML file: what the network takes, and how it is called.

    Errors: UsageError for a missing file, or naming the key that is wrong.
    """
    values = read_toml("--input", path, LONGEST_INPUT)
    call = call_from(f"--input {path}", values.pop("network", {}))
    return input_from(f"--input {path}", values), call


def front_end_from_dict(path: Path, values: object) -> Input:
    """What a checkpoint's network takes or draws; the front end where that is log-mel."""
    try:
        if not isinstance(values, Mapping):
            raise UsageError(f"it is {short_repr(values)}")
        return input_from(str(path), values)
    except UsageError as error:
        raise GanexplainError(f"{path}: front end not understood ({error})") from error


def check_same_front_end(first: tuple[Path, Input], second: tuple[Path, Input]) -> None:
    """Refuse two files made with different front ends, naming the first field that differs."""
    ours, theirs = ({"kind": "log-mel", **input_values(each)} for _, each in (first, second))
    for name in {**ours, **theirs}:  # what is as usual stands in neither
        values = [each.get(name, "as usual") for each in (ours, theirs)]
        if values[0] != values[1]:
            raise UsageError(
                f"{first[0]} and {second[0]} have different front ends: {name} is {values[0]} and "
                f"{values[1]}; train both with the same"
            )
