"""`input`: describes the input of a network, and checks the description on an example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from ganexplain.artifacts.input_description import Change, InputDescription
from ganexplain.audio.formats.sound_files import sound_streams
from ganexplain.audio.io import load_mono
from ganexplain.config import InputConfig
from ganexplain.corpora.single import load_example
from ganexplain.errors import GanexplainError, UsageError, short_repr
from ganexplain.files.atomic import JsonObject, write_text
from ganexplain.inputs.base import Input
from ganexplain.inputs.conventions import CONVENTIONS
from ganexplain.inputs.hugging_face import Description
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import input_from, input_values
from ganexplain.inputs.specification_text import specification_text
from ganexplain.networks.descriptions.comparison import (
    Comparison,
    check_steps,
    compare,
    computed_input,
    spanning,
)
from ganexplain.networks.descriptions.input_search import (
    SAME,
    Given,
    find_input,
    given_features,
    mend_input,
    shows_rate,
)
from ganexplain.networks.descriptions.input_sources import InputSource, read_source
from ganexplain.networks.descriptions.references import Reference
from ganexplain.runs.progress import Progress

USUAL = FrontEnd()
USUAL_SECONDS = USUAL.excerpt_samples / USUAL.sample_rate  # that the shipped GAN covers
SHORTEST = 0.1  # seconds of an example by which a function or an array is searched
LONGEST = 20.0  # seconds of an example that are compared
TRIES = 1500  # of a usual search
BATCH = "the axes are taken for {}; if the first is that of the batch, make it {}"
RATE = (
    "sample_rate is that of the example: features like these are the same at every rate; if the "
    "network has another one, give it with --sample-rate"
)
LENGTHS = ("samples", "excerpt_frames")  # keys


def describe_input(
    config: InputConfig, out: Path, progress: Progress, overwrite: bool = False
) -> InputDescription:
    """Write the TOML file of an input that equals what its source computes of the example.

    Raises UsageError for a source or an example that cannot be used and for a file that exists,
    GanexplainError if no description equals the features.
    """
    _check_files(config, out, overwrite)
    source = read_source(config.source, config.features)
    if source.description and config.sample_rate:
        raise UsageError("--sample-rate: goes with a function or an array, not with a description")
    if source.description is None:
        described = _searched(config, source, progress)
    else:
        described = _checked(config, source, source.description, progress)
    write_text(out, _text(source.title, described))
    return replace(described, path=str(out))


def _check_files(config: InputConfig, out: Path, overwrite: bool) -> None:
    if not Path(config.example).is_file():
        raise UsageError(f"--example {config.example}: no such file")
    if out.is_dir():
        raise UsageError(f"--out {out}: a folder; name the TOML file to write")
    if not out.exists():
        return
    inputs = [Path(name) for name in (config.example, config.features) if name]
    if any(each.exists() and out.samefile(each) for each in inputs):
        raise UsageError(f"--out {out}: an input of this command; name another file")
    if not overwrite:
        raise UsageError(f"--out {out}: exists already; add --overwrite to replace it")


def _text(title: str, described: InputDescription) -> str:
    head = f"Input of a network: {title}"
    if described.comparison:
        share = described.comparison.agreement.share
        head += f", equal to {share:.1g} of its deviation"
    notes = {each.key: f"not {each.was!r}" for each in described.changes}
    return specification_text(described.input, described.network, head, notes)


# --- described inputs ---------------------------------------------------------------------------


def _checked(
    config: InputConfig, source: InputSource, description: Description, progress: Progress
) -> InputDescription:
    """A description, compared with what computes the same; keys that are wrong are changed."""
    described = _described(config, source.title, description)
    if described.features:
        raise UsageError(
            f"{source.title}: features = {described.features!r} computes them by itself; compare "
            "log-mel or waveforms"
        )
    reference, comparison, right = source.reference, None, described
    if reference and described.sound_rate:
        given = _given(config, reference, described.sound_rate, description.samples)
        comparison = given.compared(described)
        if not _agrees(comparison):
            right = mend_input(described, given, _counter(progress)) or described
            comparison = given.compared(right)
        if comparison and _agrees(comparison):
            check_steps(reference.name, right, comparison, given.is_fixed or reference.is_fixed)
    elif reference:
        picture = load_example(described, Path(config.example))
        theirs = reference.of(picture, 0)
        comparison = compare(described, computed_input(described, picture), theirs)
    if reference and not _agrees(comparison):
        raise _nothing_fits(reference, right, comparison)
    before, after = vars(described), vars(right)
    changes = [
        Change(key, value, after[key]) for key, value in before.items() if value != after[key]
    ]
    notes = [f"{source.title} differs in one way: {each}" for each in description.unlike]
    if not reference:
        notes.append("compared with nothing; name what computes the same with --features")
    network = dict(description.network)
    if comparison and comparison.layout != network.get("layout", described.axes):
        changes.append(Change("layout", network.get("layout", described.axes), comparison.layout))
        network["layout"] = comparison.layout
    name = reference.name if reference else ""
    values = input_values(right)
    return InputDescription("", values, network, name, comparison, tuple(changes), tuple(notes))


def _described(config: InputConfig, title: str, description: Description) -> Input:
    """The input of a description, of the length in `--seconds`, its own, or that of the GAN."""
    values: JsonObject = dict(description.values)
    convention = CONVENTIONS.get(str(values.get("convention", "")), {})
    has_length = any(key in values or key in convention for key in LENGTHS)
    if not has_length and {**convention, **values}.get("kind") == "waveform":
        values["samples"] = 1
    found = input_from(title, values)
    if has_length and not config.seconds:
        return found
    return _of_seconds(found, config.seconds)


def _of_seconds(input_spec: Input, seconds: float) -> Input:
    rate = input_spec.sound_rate
    samples = round((seconds or USUAL_SECONDS) * rate)
    if rate and samples < 1:
        raise UsageError(f"--seconds {seconds:g}: shorter than a sample at {rate} Hz; give more")
    return spanning(input_spec, samples)


# --- inputs that are found by search ------------------------------------------------------------


def _searched(config: InputConfig, source: InputSource, progress: Progress) -> InputDescription:
    """The log-mel input that equals what a function, an extractor or an array has."""
    reference = source.reference
    assert reference is not None  # read_source has one or the other
    own = sound_streams(Path(config.example))[0].rate
    given = _given(config, reference, config.sample_rate or reference.rate or own)
    length = given.load(given.rates[0][0]).size / given.rates[0][0]
    if length < SHORTEST:
        raise UsageError(
            f"--example {config.example}: {length:.2g} s are too short for a search; give a "
            "recording of some seconds"
        )
    found = find_input(given, _counter(progress))
    comparison = given.compared(found) if found else None
    if found is None or not _agrees(comparison):
        raise _nothing_fits(reference, found, comparison, given.features.shape)
    if not given.holds_for_other_sound(found):
        raise GanexplainError(
            f"{reference.name}: equals a log-mel for this example only, not for the same sound "
            "backwards and fading out; it depends on each excerpt in a way that no key describes"
        )
    assert comparison is not None
    check_steps(reference.name, found, comparison, given.is_fixed or reference.is_fixed)
    if given.is_fixed:
        frames = comparison.theirs[comparison.layout.index(found.axes[-1])]
        sized: Input = replace(found, excerpt_frames=frames)
    else:
        sized = _of_seconds(found, config.seconds)
    layout = comparison.layout
    network = {"layout": layout} if layout != found.axes else {}
    batch = (BATCH.format(layout, layout[1:]),) if layout[0] == "1" else ()
    notes = batch if shows_rate(given, found) else (*batch, RATE)
    values = input_values(sized)
    return InputDescription("", values, network, reference.name, comparison, (), notes)


# --- both ---------------------------------------------------------------------------------------


def _given(config: InputConfig, reference: Reference, rate: int, samples: int = 0) -> Given:
    """The features that a reference computes of the example.

    Of the middle of it, repeated if it is shorter, where they need so many samples.
    """
    path = Path(config.example)

    @cache
    def load(at: int) -> np.ndarray:
        whole = load_mono(path, at)
        if not samples:
            return whole if reference.is_fixed else whole[: int(LONGEST * at)]
        length = round(samples * at / rate)
        start = max(whole.size - length, 0) // 2
        return np.resize(whole[start : start + length], length)

    return given_features(reference, load, rate, bool(config.sample_rate or reference.rate))


def _counter(progress: Progress) -> Callable[[], None]:
    progress.start("trying front ends", TRIES)
    return progress.advance


def _agrees(comparison: Comparison | None) -> bool:
    return comparison is not None and comparison.agreement.share <= SAME


def _nothing_fits(
    reference: Reference, nearest: Input | None, comparison: Comparison | None,
    shape: tuple[int, ...] = (),
) -> GanexplainError:  # fmt: skip
    """The error for features, of that shape, that no description equals; with the nearest found."""
    advice = 'give the function as features = "module:function"'
    if nearest is None or comparison is None:
        size = " x ".join(map(str, comparison.theirs if comparison else shape))
        return GanexplainError(
            f"{reference.name}: its features {size} are like no log-mel, spectrum, cepstra or PCEN "
            f"of the example; {advice}"
        )
    values = input_values(nearest).items()
    keys = ", ".join(f"{key} = {short_repr(value)}" for key, value in values)
    return GanexplainError(
        f"{reference.name}: no description equals its features; the nearest differs by "
        f"{comparison.agreement.share:.2g} of their deviation, at most by "
        f"{comparison.agreement.largest:.2g}, correlation "
        f"{comparison.agreement.correlation:.4f} ({keys}); {advice}"
    )
