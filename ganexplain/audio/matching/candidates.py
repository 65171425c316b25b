"""Settings of front ends that are usual, as neighbours of one that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

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
    """Frames of usual lengths in milliseconds."""
    for each in MILLISECONDS:
        yield replace(front_end, frame_length=round(front_end.sample_rate * each / 1000))


def bands(front_end: FrontEnd) -> Iterator[FrontEnd]:
    """The most usual places of the bands."""
    for scale, highest_hz in product(("htk", "slaney"), (0.0, 8000.0)):
        if highest_hz < front_end.sample_rate / 2:
            yield replace(front_end, mel_scale=scale, highest_hz=highest_hz)


def bins(front_end: FrontEnd) -> FrontEnd:
    """As many spectral bins as there are bands."""
    return replace(
        front_end, filters="none", lowest_hz=0.0, highest_hz=0.0,
        frame_length=2 * max(front_end.mel_bands - 1, 2),
    )  # fmt: skip


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


GROUPS: tuple[Neighbours, ...] = (mel_filters, ends, highest, lowest, windows, samples, powers)
