"""Make one piece: draw its music, render voice and backing, mix, and say where it is sung."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from band import PLAY_RATE, accompaniment, lead_events, play
from labels import Segments, sung_mask, sung_segments
from melody import SYLLABLES, Phrase, Style, compose, harmony
from mixing import (
    RATE,
    balance,
    dress_voice,
    estimate_beat,
    estimate_key,
    fade,
    read_cut,
    resample,
    reverberate,
)
from recipe import BANDS, SINGERS, TRACKS, Piece
from singer import WORK_RATE, Singer, perform

SEED = 20240607

# The Final Rewind: seconds of singing (found with a detector, corrected by eye on a spectrogram).
REWIND_SUNG = (
    (1.59, 3.38),
    (28.72, 30.53),
    (31.44, 35.14),
    (36.32, 44.61),
    (45.83, 49.05),
    (51.0, 53.7),
    (57.33, 59.09),
    (64.13, 74.11),
    (79.45, 82.54),
    (84.17, 91.99),
    (99.68, 102.06),
    (111.35, 113.0),
    (119.68, 122.13),
)

Windows = list[tuple[float, float]]
Made = tuple[np.ndarray, Segments]


def generator(piece: Piece, purpose: str) -> np.random.Generator:
    """A random generator for one purpose within one piece."""
    return np.random.default_rng([SEED, zlib.crc32(f"{piece.name}/{purpose}".encode())])


def draw_style(
    rng: np.random.Generator,
    low: int,
    high: int,
    tonic: int,
    scale: str,
    bpm: float,
    alone: bool = False,
) -> Style:
    """Range, syllables and pauses of a piece; an ambitus of an octave or so inside the range."""
    span = int(rng.integers(min(11, high - low), min(high - low, 16) + 1))
    low += int(rng.integers(0, high - low - span + 1))
    if scale == "minor" and rng.random() < 0.3:
        scale = "dorian"
    return Style(
        tonic,
        scale,
        bpm,
        low,
        low + span,
        syllables=str(rng.choice(list(SYLLABLES), p=[0.15, 0.1, 0.1, 0.1, 0.45, 0.1])),
        melisma=rng.uniform(0.05, 0.3),
        pause=(0.35, 1.3) if alone else (0.3, 1.2),
        long_pause=0.08 if alone else 0.1,
        phrase=(1.6, rng.uniform(4.0, 8.0)),
    )


def draw_windows(rng: np.random.Generator, seconds: float, alone: bool) -> Windows:
    """When the voice may sing: after an intro, and often around a solo of the others."""
    if alone:
        return [(rng.uniform(0.2, 1.2), seconds - rng.uniform(0.2, 1.2))]
    begin, end = rng.uniform(0.5, 3.5), seconds - rng.uniform(0.2, 2.0)
    if rng.random() < 0.4:
        solo = rng.uniform(0.4, 0.7) * seconds
        return [(begin, solo), (solo + rng.uniform(2.5, 5.0), end)]
    return [(begin, end)]


def variants(singer: Singer, rng: np.random.Generator, count: int) -> list[Singer]:
    """Close relatives of a singer, for harmonies and choirs."""
    low, middle, high = singer.formants

    def stretch() -> float:
        return rng.uniform(0.95, 1.05)

    return [
        replace(
            singer,
            formants=(low * stretch(), middle * stretch(), high * stretch()),
            tilt=singer.tilt + rng.uniform(-1, 1),
            vibrato=(singer.vibrato[0] * rng.uniform(0.9, 1.1), singer.vibrato[1]),
            glide=rng.uniform(0.02, 0.05),
            breaths=0.0,
        )
        for _ in range(count)
    ]


def sing_piece(
    piece: Piece, phrases: list[Phrase], style: Style, tuning: float, ingredients: Path
) -> tuple[np.ndarray, np.ndarray, Segments]:
    """The dry voices and the breaths at `RATE`, and where there is singing."""
    rng = generator(piece, "voice")
    singer = SINGERS[piece.singer][1]
    copies = {"double": 2, "choir": 2}.get(piece.voices, 1)
    voice, breaths = perform(phrases, singer, rng, piece.seconds, ingredients, tuning, copies)
    parts = {"harmony": [int(rng.choice([2, -2, -5]))], "choir": [2, -3]}.get(piece.voices, [])
    for degrees, other in zip(parts, variants(singer, rng, len(parts)), strict=True):
        joined = phrases if piece.voices == "choir" else phrases[1::2]
        line, _ = perform(
            harmony(joined, style, degrees), other, rng, piece.seconds, ingredients, tuning, copies
        )
        voice += line * rng.uniform(0.45, 0.8)
    size = round(piece.seconds * RATE)
    return (
        resample(voice, WORK_RATE)[:size],
        resample(breaths, WORK_RATE)[:size],
        sung_segments(voice, WORK_RATE),
    )


def phrase_gaps(phrases: list[Phrase], seconds: float, shortest: float = 2.0) -> Windows:
    """The times between phrases that are long enough for an instrumental fill."""
    edges = [0.0] + [t for p in phrases for t in (p.start, p.start + p.seconds)] + [seconds]
    return [
        (a + 0.2, b - 0.1)
        for a, b in zip(edges[::2], edges[1::2], strict=True)
        if b - a >= shortest
    ]


def play_band(
    piece: Piece, style: Style, windows: Windows, rng: np.random.Generator, ingredients: Path
) -> np.ndarray:
    """The piece's band at `RATE`; its lead plays in the windows."""
    band = BANDS[piece.band]
    lead_style = replace(style, low=band.low, high=band.high, pause=(0.3, 1.2), melisma=0.0)
    solo = compose(rng, lead_style, windows) if band.lead >= 0 else []
    events = lead_events(solo, band, rng) + accompaniment(style, band, piece.seconds, rng)
    wave = resample(play(events, band, piece.seconds, ingredients), PLAY_RATE)
    wave = wave[: round(piece.seconds * RATE)]
    return reverberate(wave, rng, rng.uniform(0.3, 1.5), rng.uniform(-24, -10))


def make_mix(piece: Piece, ingredients: Path) -> Made:
    """Voice over a cut of a recording (in its key and on its beat) or over a band."""
    rng = generator(piece, "mix")
    singer = SINGERS[piece.singer][1]
    backing, tuning, origin = np.zeros(0), 0.0, 0.0
    tonic, scale = int(rng.integers(12)), str(rng.choice(["major", "minor"]))
    bpm = float(rng.uniform(66, 126))
    if piece.track:
        backing = read_cut(ingredients, TRACKS[piece.track].source, piece.start, piece.seconds)
        tonic, scale, tuning = estimate_key(backing)
        bpm, origin = estimate_beat(backing)
    style = draw_style(rng, singer.low, singer.high, tonic, scale, bpm)
    phrases = compose(rng, style, draw_windows(rng, piece.seconds, alone=False), origin)
    if piece.band:
        backing = play_band(piece, style, phrase_gaps(phrases, piece.seconds), rng, ingredients)
    voice, breaths, segments = sing_piece(piece, phrases, style, tuning, ingredients)
    dressed = dress_voice(voice + breaths, rng, piece.wet)
    sung = sung_mask(segments, len(dressed), RATE)
    return balance(dressed, fade(backing), sung, rng.uniform(-3, 9)), segments


def make_alone(piece: Piece, ingredients: Path) -> Made:
    """Voice without accompaniment."""
    rng = generator(piece, "mix")
    singer = SINGERS[piece.singer][1]
    style = draw_style(
        rng,
        singer.low,
        singer.high,
        int(rng.integers(12)),
        piece.scale,
        float(rng.uniform(62, 126)),
        alone=True,
    )
    phrases = compose(rng, style, draw_windows(rng, piece.seconds, alone=True))
    voice, breaths, segments = sing_piece(
        piece, phrases, style, float(rng.uniform(-40, 40)), ingredients
    )
    return dress_voice(voice + breaths, rng, piece.wet), segments


def make_instrumental(piece: Piece, ingredients: Path) -> Made:
    """A cut of a recording without voices, or a band without a singer."""
    if piece.track:
        source = TRACKS[piece.track].source
        return fade(read_cut(ingredients, source, piece.start, piece.seconds)), []
    rng = generator(piece, "mix")
    style = Style(
        int(rng.integers(12)),
        str(rng.choice(["major", "minor"])),
        float(rng.uniform(62, 126)),
        0,
        1,
    )
    return play_band(piece, style, [(0.3, piece.seconds - 0.3)], rng, ingredients), []


def make_song(piece: Piece, ingredients: Path) -> Made:
    """The one recorded song, whole."""
    return read_cut(ingredients, TRACKS[piece.track].source, 0.0, None), list(REWIND_SUNG)


MAKERS: dict[str, Callable[[Piece, Path], Made]] = {
    "mix": make_mix,
    "acappella": make_alone,
    "instrumental": make_instrumental,
    "song": make_song,
}
