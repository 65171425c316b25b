"""What is mixed with what: every draw, from a seed that is written down."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .listing import MUSIC, SPLITS

Span = tuple[float, float]
LEAD = 2.0  # s of music before and after a voice
SHORTEST, SHORTEST_MUSIC = 4.0, 20.0  # s of a voice, of music under a voice
PITCH, FORMANTS = 3.0, 2.5  # semitones up or down
LEVEL = (-6.0, 9.0)  # dB of a voice above the music while it sings
SPEECH_LEVEL = (-9.0, 9.0)
ROOM, WET, DRY = (0.2, 1.4), (-20.0, -7.0), 0.3  # s, dB, share of voices without a room
PEAK = (-10.0, -0.5)  # dB of the loudest sample of a mix, of full scale


@dataclass(frozen=True)
class Credit:
    """Whom a recording is owed to, and where it is from."""

    artist: str
    title: str
    licence: str
    source: str


@dataclass(frozen=True)
class Layer:
    """`seconds` of a sound file from `start` on; `sung` are spans (s) of the whole file."""

    name: str
    path: Path
    start: float
    seconds: float
    sung: tuple[Span, ...]
    split: str
    kind: str
    credit: Credit


@dataclass(frozen=True)
class Draw:
    """What is drawn for a recording with `seed`; the defaults change nothing."""

    seed: int = 0
    speed: float = 1.0
    formants: float = 1.0
    room: float = 0.0  # s of reverberation
    wet: float = 0.0  # dB of reverberation above the dry voice
    level: float = 0.0  # dB of the voice above the music
    peak: float = 0.0  # dB of full scale; 0 leaves the level as it is


@dataclass(frozen=True)
class Take:
    """A recording to be made: a voice, music or both."""

    name: str
    kind: str
    voice: Layer | None
    music: Layer | None
    draw: Draw

    def layers(self) -> list[Layer]:
        """What it is made of."""
        return [layer for layer in (self.voice, self.music) if layer is not None]

    def split(self) -> str:
        """The split of all its layers; ValueError if they are of two."""
        splits = {layer.split for layer in self.layers()}
        if len(splits) != 1:
            raise ValueError(f"{self.name}: is made of layers of the splits {sorted(splits)}")
        return splits.pop()

    def sung(self) -> list[Span]:
        """Spans (s) of the recording in which the voice sings."""
        if self.voice is None:
            return []
        voice, speed, lead = self.voice, self.draw.speed, LEAD if self.music else 0.0
        heard = clip_spans(voice.sung, voice.start, voice.start + voice.seconds)
        return [
            (lead + (first - voice.start) / speed, lead + (last - voice.start) / speed)
            for first, last in heard
        ]


def clip_spans(spans: Sequence[Span], start: float, end: float) -> list[Span]:
    """The parts of spans between two times."""
    cut = [(max(first, start), min(last, end)) for first, last in spans]
    return [(first, last) for first, last in cut if first < last]


def draw_changes(name: str, level: tuple[float, float], shift: bool) -> Draw:
    """The changes of one recording, from the seed that is the CRC-32 of its name."""
    seed = zlib.crc32(name.encode())
    generator = np.random.default_rng(seed)
    pitch, formants = generator.uniform(-PITCH, PITCH), generator.uniform(-FORMANTS, FORMANTS)
    room = generator.uniform(*ROOM) if generator.random() > DRY else 0.0
    return Draw(
        seed,
        round(2 ** (pitch / 12), 4) if shift else 1.0,
        round(2 ** (formants / 12), 4) if shift else 1.0,
        round(room, 2),
        round(generator.uniform(*WET), 1),
        round(generator.uniform(*level), 1),
        round(generator.uniform(*PEAK), 1),
    )


def deal_music(music: Sequence[Layer], seed: int) -> Iterator[Layer]:
    """Pieces without end: one of each kind in turn, each kind in an order that is drawn."""
    generator = np.random.default_rng(seed)
    decks = []
    for kind in MUSIC:
        of_kind = [layer for layer in music if layer.kind == kind]
        layers = [layer for layer in of_kind if layer.seconds >= SHORTEST_MUSIC]
        order = generator.permutation(len(layers))
        if layers:
            decks.append(itertools.cycle([layers[k] for k in order]))
    for deck in itertools.cycle(decks):
        yield next(deck)


def plan_mixes(
    voices: Sequence[Layer], music: Sequence[Layer], kind: str, variants: int
) -> Iterator[Take]:
    """Each voice `variants` times over music of its split, changed anew each time."""
    for split in SPLITS:
        seed = zlib.crc32(f"{kind} {split}".encode())
        dealt = deal_music([layer for layer in music if layer.split == split], seed)
        own = [voice for voice in voices if voice.split == split]
        for variant, voice in itertools.product(range(variants), own):
            yield from mix_voice(voice, dealt, kind, variant)


def mix_voice(voice: Layer, dealt: Iterator[Layer], kind: str, variant: int) -> Iterator[Take]:
    """A voice from its beginning to its end, in as many mixes as the pieces are long enough for."""
    level = SPEECH_LEVEL if kind == "speech-mix" else LEVEL
    rest = voice
    for number, piece in enumerate(dealt):
        name = f"{kind}_{voice.name}_{variant}{chr(97 + number)}_{piece.name}"
        draw = draw_changes(name, level, shift=kind != "speech-mix")
        seconds = min(rest.seconds, (piece.seconds - 2 * LEAD) * draw.speed)
        backing = cut_music(piece, seconds / draw.speed + 2 * LEAD, draw.seed)
        yield Take(name, kind, replace(rest, seconds=seconds), backing, draw)
        rest = replace(rest, start=rest.start + seconds, seconds=rest.seconds - seconds)
        if rest.seconds < SHORTEST:
            return


def cut_music(layer: Layer, seconds: float, seed: int) -> Layer:
    """`seconds` of a piece, from a place that is drawn."""
    start = np.random.default_rng(seed + 1).uniform(0, max(0.0, layer.seconds - seconds))
    return replace(layer, start=start, seconds=seconds)


def plan_alone(layers: Sequence[Layer], variants: int) -> Iterator[Take]:
    """Recordings as they are, and `variants` times changed: voices in all ways, others in speed."""
    for layer in layers:
        yield Take(f"{layer.kind}_{layer.name}", layer.kind, layer, None, Draw())
        for variant in range(variants if layer.split == "train" else 0):
            name = f"{layer.kind}_{layer.name}_{variant}"
            draw = draw_changes(name, LEVEL, shift=True)
            if layer.kind != "voice":
                draw = Draw(draw.seed, speed=draw.speed, peak=draw.peak)
            yield Take(name, layer.kind, layer, None, draw)
