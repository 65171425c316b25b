"""The specification of an input: the file of `--input`, and the front end in checkpoints.

Written as TOML for a network of one's own, and kept in checkpoints under `front_end`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from ganexplain.errors import GanexplainError, UsageError, check_known, shown
from ganexplain.files.bounded import read_toml
from ganexplain.inputs.kinds import KINDS, Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput

LARGEST = 2**24  # values of one input: more is a mistake
LARGEST_FILTERBANK = 2**22  # weights, bins x bands
QUIETEST = 1e-37  # floor that float32 can hold
ROUNDING = 1e-6  # of float32
SHORTEST_WINDOW = 3  # samples of a Hann window that is not zero throughout


ALWAYS = (
    "sample_rate", "frame_length", "hop_length", "mel_bands", "lowest_hz", "highest_hz", "floor",
    "excerpt_frames",
)  # fmt: skip
# What `convention` in a specification stands for; keys beside it win.
CONVENTIONS: dict[str, dict[str, object]] = {
    "ganexplain": {},
    # librosa.power_to_db(librosa.feature.melspectrogram(y=..., sr=...)) without its top_db. Before
    # librosa 0.10 the ends were mirrored: pad_mode = "reflect".
    "librosa": {
        "frame_length": 2048, "hop_length": 512, "mel_bands": 128, "lowest_hz": 0.0,
        "highest_hz": 0.0, "mel_scale": "slaney", "filters": "slaney", "power": 2.0,
        "window": "periodic", "centred": True, "logarithm": "db", "floor": 1e-10,
    },
    # torchaudio.transforms.MelSpectrogram() and AmplitudeToDB() behind it.
    "torchaudio": {
        "sample_rate": 16000, "frame_length": 400, "hop_length": 200, "mel_bands": 128,
        "lowest_hz": 0.0, "highest_hz": 0.0, "mel_scale": "htk", "filters": "peak", "power": 2.0,
        "window": "periodic", "centred": True, "pad_mode": "reflect", "logarithm": "db",
        "floor": 1e-10,
    },
}  # fmt: skip
CHOICES = {
    "mel_scale": ("htk", "slaney"),
    "filters": ("yaafe", "slaney", "peak"),
    "window": ("symmetric", "periodic"),
    "pad_mode": ("constant", "reflect"),
    "logarithm": ("ln", "log10", "db", "none"),
}


@dataclass(frozen=True)
class Call:
    """How a network is called with its input.

    `layout` names the axes of its input behind the batch's, `1` being one of length one: of
    `FT` for log-mel, `CHW` for pictures, `W` for waveforms; empty: as here. `method` instead of
    a plain call, with `arguments` by name; `output`, the number or name of the part of what it
    puts out; `classes`, what the output's units stand for. Of two classes and one output unit the
    second is meant above `threshold`, zero for a logit.
    """

    layout: str = ""
    method: str = ""
    output: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    threshold: float = 0.0


def input_from(where: str, values: Mapping[str, object]) -> Input:
    """The input that a mapping describes; UsageError naming `where` and the key that is wrong.

    Without `kind` it is log-mel, as in checkpoints of earlier versions.
    """
    kind = KINDS[check_known(f"{where}: kind", str(values.get("kind", "log-mel")), KINDS)]
    given = {name: value for name, value in values.items() if name != "kind" or kind in _TAGGED}
    if kind is FrontEnd and "convention" in given:
        chosen = check_known(f"{where}: convention", str(given.pop("convention")), CONVENTIONS)
        given = CONVENTIONS[chosen] | given
    found = _filled(where, kind, given)
    _check_sizes(where, found)
    return found


_TAGGED = (ImageInput, WaveformInput)


def _filled(where: str, kind: type[Any], values: Mapping[str, object]) -> Any:
    hints = get_type_hints(kind)
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
            raise UsageError(f"{where} is {shown(value)}; give a finite number")
        return float(value)
    if wanted is str and type(value) is int:
        return str(value)
    if wanted is int and type(value) is int and abs(value) > LARGEST:
        raise UsageError(f"{where} is {shown(value)}; give at most {LARGEST:,}")
    plain = wanted if wanted in (int, float, str, bool) else Mapping
    if type(value) is plain or (plain is Mapping and isinstance(value, Mapping)):
        return value
    raise UsageError(f"{where} is {shown(value)}; give {getattr(wanted, '__name__', wanted)}")


def _check_sizes(where: str, found: Input) -> None:
    total = 1
    for size in found.shape:
        if size < 1:
            raise UsageError(f"{where}: sizes must be at least 1, not {found.shape}")
        total *= size
    if total > LARGEST:
        raise UsageError(f"{where}: {total:,} values an input are too many; at most {LARGEST:,}")
    if isinstance(found, FrontEnd):
        _check_front_end(where, found)
    if isinstance(found, WaveformInput) and not (found.sample_rate > 0 and found.gain > 0):
        raise UsageError(f"{where}: sample_rate and gain must be above zero")
    if isinstance(found, ImageInput):
        if found.channels not in (1, 3):
            raise UsageError(f"{where}: channels is {found.channels}; pictures have 1 or 3")
        for name in ("mean", "deviation"):
            if len(getattr(found, name)) not in (1, found.channels):
                raise UsageError(f"{where}: {name} needs one number, or one a channel")
        if not found.low < found.high or 0.0 in found.deviation:
            raise UsageError(f"{where}: low must lie below high, and no deviation be 0")


def _check_front_end(where: str, found: FrontEnd) -> None:
    weights = (found.frame_length // 2 + 1) * found.mel_bands
    if weights > LARGEST_FILTERBANK or found.excerpt_samples > LARGEST:
        raise UsageError(
            f"{where}: frames of {found.frame_length:,} samples, {found.mel_bands:,} bands and "
            f"excerpts of {found.excerpt_samples:,} samples are too many"
        )
    for name, known in CHOICES.items():
        check_known(f"{where}: {name}", getattr(found, name), known)
    half = found.sample_rate / 2
    highest = found.highest_hz or half
    if not 0 <= found.lowest_hz < highest <= half:
        raise UsageError(
            f"{where}: bands from {found.lowest_hz:g} to {highest:g} Hz do not lie within 0 to "
            f"{half:g} Hz, half the rate"
        )
    loudest = found.gain * float(found.frame_length) ** found.power * found.frame_length
    most = loudest if found.logarithm == "none" else 1e3  # of values before scale and shift
    wrong = {
        "frame_length": found.frame_length < SHORTEST_WINDOW,
        "window_length": found.window_length != 0
        and not SHORTEST_WINDOW <= found.window_length <= found.frame_length,
        "hop_length": not found.hop_length > 0,
        "power": found.power not in (1.0, 2.0),
        "gain": not found.gain > 0,
        "floor": found.floor < QUIETEST,
        # Beside these any sound would be lost in rounding.
        "offset": abs(found.offset) > loudest / ROUNDING,
        "scale": not found.scale > 0,
        "shift": abs(found.shift) > found.scale * most / ROUNDING,
        "range_below": found.range_below < 0,
        "filters": found.filters == "yaafe" and found.mel_scale != "htk",
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise UsageError(f"{where}: {name} = {getattr(found, name)!r} cannot be used here")
    if found.floor >= loudest + found.offset:
        raise UsageError(
            f"{where}: no sound is above floor = {found.floor:g} with gain = {found.gain:g} and "
            f"offset = {found.offset:g}"
        )


def input_values(input_spec: Input) -> dict[str, object]:
    """An input as plain values that `input_from` reads, for checkpoints and meta data.

    Of a front end, what is not usual is left out where it is as usual.
    """
    usual = asdict(FrontEnd()) if isinstance(input_spec, FrontEnd) else {}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(input_spec).items()
        if name in ALWAYS or name not in usual or usual[name] != value
    }


def call_from(where: str, values: Any) -> Call:
    """How a network is called, from the table `network` of a specification."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{where}: network is {values!r}; make it a table, [network]")
    found: Call = _filled(f"{where}: network", Call, values)
    return found


def read_input_file(path: Path) -> tuple[Input, Call]:
    """The input specification in a TOML file: what the network takes, and how it is called.

    Errors: UsageError for a missing file, or naming the key that is wrong.
    """
    values = read_toml("--input", path)
    call = call_from(f"--input {path}", values.pop("network", {}))
    return input_from(f"--input {path}", values), call


def front_end_from_dict(path: Path, values: object) -> Input:
    """What a checkpoint's network takes or draws; the front end where that is log-mel."""
    try:
        if not isinstance(values, Mapping):
            raise UsageError(f"it is {shown(values)}")
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
