"""Small bands and solo instruments played from a General MIDI sound font."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tinysoundfont
from melody import SCALES, Phrase, Style, singing_tempo

SOUND_FONT = "usr/share/sounds/sf2/FluidR3_GM.sf2"
PLAY_RATE = 44100
BLOCK = 441  # samples between bends of the pitch
CENTRE = 8192  # pitch wheel at rest; full scale is two semitones

PROGRESSIONS = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 4, 3), (5, 3, 0, 4), (0, 2, 3, 4), (1, 4, 0, 0)),
    "minor": ((0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 4), (0, 2, 6, 5), (0, 0, 3, 4)),
}
KICKS = ((0, 2), (0, 1.5, 2), (0, 0.75, 2, 2.5), (0, 1, 2, 3))


@dataclass(frozen=True)
class Band:
    """General MIDI programs (0-based, -1: none) of a line-up; lead, chords, bass, drums or not."""

    split: str
    lead: int = -1
    chords: int = -1
    bass: int = -1
    drums: bool = False
    pattern: str = "block"  # block, arpeggio, strum or pad
    vibrato: float = 0.25  # semitones, of the lead
    low: int = 60  # range of the lead
    high: int = 79


Event = tuple[float, str, int, int, int]  # seconds, what, channel, key or value, velocity


def lead_events(phrases: list[Phrase], band: Band, rng: np.random.Generator) -> list[Event]:
    """A melody with slides into notes and vibrato on long ones."""
    events: list[Event] = []
    for phrase in phrases:
        beat = 60.0 / phrase.bpm
        for note in phrase.notes:
            start = phrase.start + note.beat * beat
            length = note.beats * beat * rng.uniform(0.85, 1.02)
            events.append((start, "on", 0, note.midi, int(rng.integers(70, 118))))
            events.append((start + length, "off", 0, note.midi, 0))
            events += bends(start, length, band.vibrato, rng)
    return events


def bends(start: float, length: float, depth: float, rng: np.random.Generator) -> list[Event]:
    """Pitch wheel movements of one note."""
    step = BLOCK / PLAY_RATE
    times = np.arange(0, length, step)
    slide = rng.uniform(0.5, 1.8) if depth > 0 and rng.random() < 0.25 else 0.0
    rate = rng.uniform(4.8, 6.4)
    wave = depth * np.clip((times - 0.25) / 0.3, 0, 1) * np.sin(2 * np.pi * rate * times)
    wave -= slide * np.exp(-times / 0.04)
    values = np.clip(CENTRE + wave / 2 * CENTRE, 0, 16383).astype(int)
    return [(start + t, "bend", 0, int(v), 0) for t, v in zip(times, values, strict=True)]


def chord_at(style: Style, degree: int) -> list[int]:
    """A triad in the octave below middle C."""
    steps = SCALES["minor" if style.scale in ("minor", "dorian") else "major"]
    root = 48 + style.tonic % 12
    return [root + steps[(degree + k) % 7] + 12 * ((degree + k) // 7) for k in (0, 2, 4)]


def chord_events(
    chord: list[int], start: float, beat: float, band: Band, rng: np.random.Generator
) -> list[Event]:
    """One bar of the chord instrument."""
    loud = int(rng.integers(55, 85))
    keys = [k + 12 if rng.random() < 0.3 else k for k in chord]
    if band.pattern == "arpeggio":
        order = [0, 1, 2, 1, 0, 2, 1, 2]
        hits = [(i * 0.5, [keys[order[i]] + 12 * (i % 4 == 3)], 0.6) for i in range(8)]
    elif band.pattern == "strum":
        hits = [(b, [*keys, keys[0] + 12], 0.45) for b in (0, 1, 1.5, 2.5, 3)]
    elif band.pattern == "pad":
        hits = [(0.0, [*keys, keys[0] + 12], 3.95)]
    else:
        hits = [(0.0, keys, 1.9), (2.0, keys, 1.9)]
    events: list[Event] = []
    for when, notes, length in hits:
        for index, key in enumerate(notes):
            at = start + when * beat + index * 0.012 + rng.uniform(0, 0.008)
            events.append((at, "on", 1, key, loud + int(rng.integers(-8, 9))))
            events.append((at + length * beat, "off", 1, key, 0))
    return events


def rhythm_events(
    chord: list[int], start: float, beat: float, band: Band, kicks: tuple, rng: np.random.Generator
) -> list[Event]:
    """One bar of bass and drums."""
    events: list[Event] = []
    if band.bass >= 0:
        for when in kicks:
            key = chord[0] - 12 + (7 if rng.random() < 0.15 else 0)
            events.append((start + when * beat, "on", 2, key, int(rng.integers(75, 105))))
            events.append((start + (when + 0.8) * beat, "off", 2, key, 0))
    if band.drums:
        hits = [(w, 36, 100) for w in kicks] + [(1, 38, 95), (3, 38, 95)]
        hits += [(i * 0.5, 42, 55 + 20 * (i % 2 == 0)) for i in range(8)]
        hits += [(3.5, 46, 70)] if rng.random() < 0.3 else []
        hits += (
            [(3 + i / 4, int(rng.choice([45, 47, 50])), 90) for i in range(4)]
            if rng.random() < 0.12
            else []
        )
        events += [
            (
                start + w * beat + abs(rng.normal(0, 0.004)),
                "on",
                9,
                k,
                int(np.clip(v + rng.integers(-12, 12), 1, 127)),
            )
            for w, k, v in hits
        ]
    return events


def accompaniment(
    style: Style, band: Band, seconds: float, rng: np.random.Generator
) -> list[Event]:
    """Chords, bass and drums over a progression of four bars."""
    beat = 60.0 / singing_tempo(style.bpm)
    mode = "minor" if style.scale in ("minor", "dorian") else "major"
    progression = PROGRESSIONS[mode][rng.integers(len(PROGRESSIONS[mode]))]
    kicks = KICKS[rng.integers(len(KICKS))]
    events: list[Event] = []
    for bar in range(int(seconds / (4 * beat)) + 1):
        chord = chord_at(style, progression[bar % 4])
        start = bar * 4 * beat
        if band.chords >= 0:
            events += chord_events(chord, start, beat, band, rng)
        events += rhythm_events(chord, start, beat, band, kicks, rng)
    return events


def play(events: list[Event], band: Band, seconds: float, ingredients: Path) -> np.ndarray:
    """Render events to mono at `PLAY_RATE`."""
    synth = tinysoundfont.Synth(gain=-6, samplerate=PLAY_RATE)
    font = synth.sfload(str(ingredients / SOUND_FONT))
    for channel, program in ((0, band.lead), (1, band.chords), (2, band.bass)):
        synth.program_select(channel, font, 0, max(program, 0))
    synth.program_select(9, font, 128, 0, True)
    pending = sorted(events)
    blocks, position = [], 0
    for number in range(int(seconds * PLAY_RATE / BLOCK) + 1):
        now = number * BLOCK / PLAY_RATE
        while position < len(pending) and pending[position][0] <= now:
            _, what, channel, value, velocity = pending[position]
            if what == "on":
                synth.noteon(channel, value, velocity)
            elif what == "off":
                synth.noteoff(channel, value)
            else:
                synth.pitchbend(channel, value)
            position += 1
        blocks.append(np.frombuffer(bytes(synth.generate(BLOCK)), np.float32).reshape(-1, 2))
    return np.concatenate(blocks).mean(axis=1).astype(float)[: int(seconds * PLAY_RATE)]
