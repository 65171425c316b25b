"""Writes the TOML file of `--input`, with a comment beside each key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import tomli_w

from ganexplain.errors import printable
from ganexplain.files.atomic import Document

LONGEST_TITLE = 300  # characters

# What a key means, for readers of the file; keys whose names say it all have none.
MEANINGS = {
    "sample_rate": "Hz",
    "samples": "length of one input",
    "gain": "factor of the values before the logarithm or, of a waveform, of its samples",
    "frame_length": "samples",
    "window_length": "samples of the window, in the middle of the frame; 0: the frame",
    "hop_length": "samples from a frame to the next",
    "lowest_hz": "lower corner of the lowest band",
    "highest_hz": "upper corner of the highest band; 0: half the rate",
    "floor": "least value before the logarithm",
    "excerpt_frames": "length of one input",
    "mel_scale": "htk: 2595 log10(1 + f/700); slaney: linear below 1 kHz",
    "filters": "triangles of unit sum (yaafe), unit area (slaney) or height one (peak)",
    "power": "of the magnitudes: 1 or 2",
    "window": "symmetric or periodic",
    "centred": "frame t is centred on sample t x hop_length",
    "pad_mode": "of the ends of a recording: zeros (constant) or mirrored (reflect)",
    "offset": "added before the logarithm",
    "logarithm": "ln, log10, db (10 log10) or none",
    "relative": "to the largest value of the excerpt",
    "range_below": "values further below the excerpt's largest are raised to there",
    "scale": "factor of the values behind the logarithm",
    "shift": "added at the end",
    "standardise": "mean 0 and deviation 1 for each input",
    "variance_offset": "added to the variance of each waveform before its root is taken",
    "low": "value of a dark pixel",
    "high": "value of a bright pixel",
    "mean": "subtracted from the values, a number a channel",
    "deviation": "divides the values, a number a channel",
    "layout": "axes behind the batch's; a digit: an axis of so many copies",
    "triangles": "straight over hz or over mel",
    "window_shape": "hann, hamming, povey, blackman or rectangular",
    "fft_length": "samples of the Fourier transform, with zeros behind the frame",
    "preemphasis": "share of the sample before that is subtracted",
    "preemphasis_of": "each frame or the whole signal",
    "remove_mean": "of each frame",
    "pad_start": "samples before the first one",
    "pad_end": "samples behind the last one",
}


def specification_text(
    values: Document, network: Document, title: str, notes: Mapping[str, str]
) -> str:
    """The file with these values and this table `[network]`.

    The `title` is its first line, without line breaks; `notes` by key are added to the comments.
    """
    title = printable(title)[:LONGEST_TITLE]
    lines = [f"# {title}", "# Keys that are not named have their defaults.", ""]
    lines += _lines(values, notes)
    if network:
        lines += ["", "[network]", *_lines(network, notes)]
    return "\n".join(lines) + "\n"


def _lines(values: Document, notes: Mapping[str, str]) -> Iterator[str]:
    written = {name: tomli_w.dumps({name: value}).strip() for name, value in values.items()}
    for name, text in written.items():
        if "\n" in text:  # a list: one line, as its comment
            text = " ".join(part.strip() for part in text.splitlines()).replace(",]", "]")
        remarks = [each for each in (MEANINGS.get(name), notes.get(name)) if each]
        yield f"{text:<24} # {'; '.join(remarks)}" if remarks else text
