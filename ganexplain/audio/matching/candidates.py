"""Settings of front ends that are usual, as neighbours of one that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from ganexplain.inputs.conventions import CONVENTIONS
from ganexplain.inputs.log_mel import CHOICES, FrontEnd

RATES = (16000, 22050, 44100, 48000, 32000, 8000, 24000, 11025)  # the most usual first
MILLISECONDS = (16, 20, 23, 25, 30, 32, 40, 46, 50, 64, 93, 100)  # of usual windows
POWERS_OF_TWO = (256, 512, 1024, 2048, 4096)
HOPS = (
    80, 100, 110, 128, 160, 200, 220, 240, 256, 315, 320, 400, 441, 480, 500, 512, 640, 720, 735,
    800, 882, 960, 1024,
)  # fmt: skip
LOWEST = (
    0.0, 20.0, 27.5, 30.0, 32.7, 40.0, 50.0, 60.0, 64.0, 80.0, 100.0, 125.0, 133.0, 150.0, 200.0,
    300.0,
)  # fmt: skip
HIGHEST = (
    0.0, 3000.0, 3400.0, 3800.0, 4000.0, 5500.0, 6000.0, 7000.0, 7500.0, 7600.0, 7800.0, 8000.0,
    10000.0, 11000.0, 11025.0, 12000.0, 14000.0, 15000.0, 16000.0, 20000.0,
)  # fmt: skip
ENDS = ((0.0, 30.0, 60.0, 125.0), (0.0, 3800.0, 7000.0, 7600.0, 8000.0, 11025.0, 14000.0, 16000.0))
OFFSETS = (0.0, *(10.0**k for k in range(-14, 2)), *(3 * 10.0**k for k in range(-14, 1)))

TOGETHER = (
    "mel_scale", "filters", "triangles", "lowest_hz", "power", "window", "window_shape", "centred",
    "pad_mode", "preemphasis", "preemphasis_of", "remove_mean",
)  # fmt: skip
UNITS = ("slaney", "peak")  # of filters
CEPSTRAL_BANDS = (40, 128, 26, 23, 64, 80, 20, 24, 30, 32, 60, 96)  # of which MFCC are computed
MOST_CEPSTRA = 64
SHORTEST_SPECTRUM = 128  # samples
# Seconds, gain, bias and power: of librosa, and of Wang et al. and Lostanlen et al. for far sound.
PCEN = ((0.4, 0.98, 2.0, 0.5), (0.06, 0.8, 10.0, 0.25), (0.025, 0.98, 2.0, 0.5))
PCEN_GAINS = (1.0, 2.0**31, 2.0**15, 2.0**30)
PCEN_SECONDS = (0.4, 0.06, 0.025, 0.1, 0.2, 0.5, 0.8, 1.0)
PCEN_POWERS = (0.98, 0.8, 0.5, 0.6, 0.7, 0.9, 0.95, 0.96, 1.0)
PCEN_BIASES = (2.0, 10.0, 1.0, 0.5, 5.0)

BANDS = ("mel_scale", "filters", "triangles")

Neighbours = Callable[[FrontEnd], Iterator[FrontEnd]]


def frame_lengths(sample_rate: int) -> tuple[int, ...]:
    """Usual lengths of a window in samples."""
    timed = {round(sample_rate * each / 1000) for each in MILLISECONDS}
    return tuple(sorted(timed | set(POWERS_OF_TWO)))


def near(length: float, sample_rate: int) -> set[int]:
    """A length of a frame, and the usual one next to it."""
    usual = min(frame_lengths(sample_rate), key=lambda each: abs(each - length))
    return {round(length), usual if abs(usual - length) < length / 10 else round(length)}


def frames(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other frames, and shorter windows in them."""
    for window in frame_lengths(front_end.sample_rate):
        next_power = 1 << (window - 1).bit_length()
        for length in sorted({window, next_power, 2 * next_power, *POWERS_OF_TWO[1:4]}):
            if length == window:
                yield replace(front_end, frame_length=length, window_length=0, fft_length=0)
            elif length > window:
                yield replace(front_end, frame_length=length, window_length=window, fft_length=0)
                yield replace(front_end, frame_length=window, window_length=0, fft_length=length)


def framed(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Frames of usual lengths."""
    for length in frame_lengths(front_end.sample_rate):
        yield replace(front_end, frame_length=length)


def bands(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """The most usual places of the bands."""
    for scale, highest_hz in product(("htk", "slaney"), (0.0, 8000.0)):
        if highest_hz < front_end.sample_rate / 2:
            yield replace(front_end, mel_scale=scale, highest_hz=highest_hz)


def bins(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """As many spectral bins as there are bands, with the highest or without."""
    bands, rate = front_end.mel_bands, front_end.sample_rate
    for length in (2 * bands - 2, 2 * bands):
        if length >= SHORTEST_SPECTRUM:
            window = front_end.frame_length if front_end.frame_length < length else 0
            highest_hz = rate / 2 if length == 2 * bands - 2 else rate / 2 - rate / length
            yield replace(
                front_end, filters="none", mel_scale="linear", lowest_hz=0.0, highest_hz=highest_hz,
                frame_length=length, window_length=window, triangles="hz",
            )  # fmt: skip
            yield replace(
                front_end, filters="none", mel_scale="linear", lowest_hz=0.0, highest_hz=highest_hz,
                frame_length=length, triangles="hz",
            )  # fmt: skip


def cepstra(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """As many cepstra as there are bands, of usual numbers of these."""
    count = front_end.mel_bands
    for mel_bands in CEPSTRAL_BANDS:
        if mel_bands >= count:
            yield from bands(replace(front_end, mel_bands=mel_bands, cepstra=count))


def energies(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Per-channel energy normalisation with usual settings."""
    for each, gain, power in product(normalised(front_end), PCEN_GAINS, (1.0, 2.0)):
        yield from bands(replace(each, gain=gain, power=power))


def normalised(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Usual settings of per-channel energy normalisation."""
    for seconds, gain, bias, power in PCEN:
        yield replace(
            front_end, logarithm="pcen", pcen_seconds=seconds, pcen_gain=gain, pcen_bias=bias,
            pcen_power=power,
        )  # fmt: skip


def kinds(front_end: FrontEnd, features: np.ndarray, is_linear: bool) -> list[list[FrontEnd]]:
    """The kinds of features (T, F) that may be, each at the times of a front end."""
    found = [list(places(front_end)), list(bins(front_end))]
    if not is_linear:
        if features.shape[1] <= MOST_CEPSTRA:
            found.append(list(cepstra(front_end)))
        if features.min() >= 0:
            found.append(list(energies(front_end)))
    return [kind for kind in found if kind]


def needs_rows(front_end: FrontEnd) -> bool:
    """Whether all values of a kind count, row by row: there is no floor that shows."""
    return bool(front_end.cepstra) or front_end.logarithm == "pcen"


def places(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Places of the bands together: none of the three alone may help."""
    for scale, lowest_hz, highest_hz in product(("htk", "slaney"), *ENDS):
        if highest_hz < front_end.sample_rate / 2:
            yield replace(front_end, mel_scale=scale, lowest_hz=lowest_hz, highest_hz=highest_hz)


def mel_filters(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other mel scales and filters."""
    for scale, filters, triangles in product(*(CHOICES[name] for name in BANDS)):
        yield replace(front_end, mel_scale=scale, filters=filters, triangles=triangles)


def ends(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Frames that are centred or not, and padding of the ends."""
    bare = replace(front_end, centred=False, pad_mode="constant", pad_start=0, pad_end=0)
    yield bare
    pad = _pad(front_end)
    for mode in CHOICES["pad_mode"]:
        yield replace(front_end if front_end.centred else bare, centred=True, pad_mode=mode)
        yield replace(bare, pad_mode=mode, pad_start=pad, pad_end=pad)


def _pad(front_end: FrontEnd) -> int:
    """Samples at either end with which a sound has as many uncentred frames as hops."""
    return max(front_end.frame_length - front_end.hop_length, 0) // 2


def as_padded(before: FrontEnd, after: FrontEnd) -> FrontEnd:
    """A changed front end whose frames are as many as hops if they were so before."""
    if not before.pad_start == before.pad_end == after.pad_start == _pad(before) > 0:
        return after
    return replace(after, pad_start=_pad(after), pad_end=_pad(after))


def powers(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other powers of the magnitudes."""
    for power in (1.0, 2.0):
        yield replace(front_end, power=power)


def offsets(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other offsets before the logarithm."""
    for offset in OFFSETS:
        yield replace(front_end, offset=offset)


def windows(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other windows."""
    for window, shape in product(CHOICES["window"], CHOICES["window_shape"]):
        yield replace(front_end, window=window, window_shape=shape)


def samples(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Pre-emphasis and removal of the mean."""
    for of, emphasis, removes in product(
        CHOICES["preemphasis_of"], (0.0, 0.97, 0.95), (False, True)
    ):
        yield replace(front_end, preemphasis=emphasis, preemphasis_of=of, remove_mean=removes)


def lowest(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other lowest frequencies."""
    for hz in LOWEST:
        yield replace(front_end, lowest_hz=hz)


def highest(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other highest frequencies."""
    half = front_end.sample_rate / 2
    for hz in HIGHEST:
        if hz < half:
            yield replace(front_end, highest_hz=hz)


def heights(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other heights of the filters, which may be those of each row."""
    if front_end.filters != "none":
        for filters in UNITS:
            yield replace(front_end, filters=filters)


def conventions(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Settings that go together in usual packages; each alone may not help."""
    for named in CONVENTIONS.values():
        if named.get("kind", "log-mel") == "log-mel":
            keys: Any = {key: value for key, value in named.items() if key in TOGETHER}
            length = front_end.frame_length
            fft_length = 1 << (length - 1).bit_length() if "fft_length" in named else 0
            yield replace(front_end, fft_length=fft_length, highest_hz=0.0, **keys)


def cepstral_bands(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other numbers of bands of which cepstra are computed."""
    for mel_bands in CEPSTRAL_BANDS:
        yield replace(front_end, mel_bands=mel_bands)


def floors(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other floors, each with filters of unit area and of unit height."""
    for filters, exponent in product(UNITS, range(-28, 5)):
        yield replace(front_end, filters=filters, floor=10.0 ** (exponent / 2), offset=0.0)


def smoothing(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other levels and times of per-channel energy normalisation."""
    for seconds, gain, start in product(PCEN_SECONDS, PCEN_GAINS, (1.0, 0.0)):
        yield replace(front_end, pcen_seconds=seconds, gain=gain, pcen_start=start)


def compression(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other gains, biases and powers of per-channel energy normalisation."""
    for gain, bias, power in product(PCEN_POWERS, PCEN_BIASES, (0.5, 0.25, 0.33, 1.0)):
        yield replace(front_end, pcen_gain=gain, pcen_bias=bias, pcen_power=power)


def bends(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """Other offsets before the logarithm, each with filters of unit area and of unit height."""
    for filters, offset in product(UNITS, OFFSETS):
        yield replace(front_end, filters=filters, offset=offset, floor=1e-10)


def of_kind(front_end: FrontEnd) -> tuple[Neighbours, ...]:
    """The groups of keys that a kind of features has beside those of all."""
    if front_end.filters == "none":
        return (offsets,)
    if front_end.logarithm == "pcen":
        return smoothing, compression
    return (
        (cepstral_bands, conventions, floors, bends) if front_end.cepstra else (conventions, bends)
    )


GROUPS: tuple[Neighbours, ...] = (mel_filters, ends, highest, lowest, windows, samples, powers)
