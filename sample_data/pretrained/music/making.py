"""Makes the sound of what is planned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .listing import Piece, Speaker
from .packages import find_piece, find_speech
from .plan import LEAD, Draw, Layer, Take
from .sound import RATE, read_mono, rms, write_sound
from .voice import add_room, change_speed, shift_formants

PAUSE = (0.15, 1.0)  # s between two prompts of a speaker
SPEECH_LEVEL = 0.08  # root mean square of a prompt
LONGEST_PROMPT = 12.0  # s
SPEECH_PART = 60.0  # s of speech in a file
FADE = 0.02  # s at the start and the end of what is cut


def make_piece(piece: Piece, store: Path, path: Path) -> None:
    """Write an instrumental recording; Missing or ValueError if it is not there or unreadable."""
    write_sound(path, fade_ends(read_mono(find_piece(piece, store), piece.start, piece.seconds)))


def speech_parts(speaker: Speaker, store: Path) -> list[list[Path]]:
    """The prompts of a speaker, in an order that is drawn, in groups for files of a minute."""
    paths = find_speech(speaker, store)
    order = np.random.default_rng(len(paths)).permutation(len(paths))
    count = max(1, round(speaker.minutes * 60 / SPEECH_PART))
    return [[paths[k] for k in order[part::count]] for part in range(count)]


def make_speech(paths: list[Path], path: Path, seed: int) -> None:
    """Write a minute of speech: prompts of the same level with pauses that are drawn."""
    generator = np.random.default_rng(seed)
    parts: list[np.ndarray] = []
    count = 0
    for prompt in paths:
        wave = read_mono(prompt)[: round(LONGEST_PROMPT * RATE)]
        if rms(wave) < 1e-3:
            continue
        pause = np.zeros(round(generator.uniform(*PAUSE) * RATE), np.float32)
        parts += [wave * (SPEECH_LEVEL / rms(wave)), pause]
        count += len(wave) + len(pause)
        if count > SPEECH_PART * RATE:
            break
    write_sound(path, np.concatenate(parts)[: round(SPEECH_PART * RATE)])


def make_take(take: Take, path: Path) -> None:
    """Write a recording of a voice, music or both."""
    draw = take.draw
    voice = changed_voice(take.voice, draw) if take.voice else np.zeros(0, np.float32)
    mix = voice
    if take.music:
        music = read_mono(take.music.path, take.music.start, take.music.seconds)
        mix = mix_at_level(voice, music, take.sung(), draw.level)
    if draw.peak:
        mix = mix * (10 ** (draw.peak / 20) / max(float(np.abs(mix).max(initial=0.0)), 1e-9))
    write_sound(path, fade_ends(mix))


def changed_voice(layer: Layer, draw: Draw) -> np.ndarray:
    """The samples of a voice with the changes of a draw."""
    wave = read_mono(layer.path, layer.start, layer.seconds)
    if draw.formants != 1.0:
        wave = shift_formants(wave, draw.formants)
    if draw.speed != 1.0:
        wave = change_speed(wave, draw.speed)
    if draw.room:
        wave = add_room(wave, draw.room, draw.wet, np.random.default_rng(draw.seed))
    return wave


def mix_at_level(
    voice: np.ndarray, music: np.ndarray, sung: list[tuple[float, float]], level: float
) -> np.ndarray:
    """Music (W,) with a voice from `LEAD` seconds on that is `level` dB louder in the spans `sung`.

    Where there are none, it is that much louder in all of its length.
    """
    first = round(LEAD * RATE)
    above = np.zeros_like(music)
    length = min(len(voice), len(music) - first)
    above[first : first + length] = voice[:length]
    heard = np.zeros(len(music), bool)
    for begin, end in sung or [(LEAD, LEAD + length / RATE)]:
        heard[round(begin * RATE) : round(end * RATE)] = True
    gain = rms(music[heard]) / max(rms(above[heard]), 1e-9) * 10 ** (level / 20)
    return np.asarray(music + gain * above, np.float32)


def fade_ends(wave: np.ndarray) -> np.ndarray:
    """Samples (W,) without a click at either end."""
    count = min(round(FADE * RATE), len(wave) // 2)
    ramp = np.linspace(0, 1, count, dtype=np.float32)
    faded = wave.copy()
    faded[:count] *= ramp
    faded[len(wave) - count :] *= ramp[::-1]
    return faded
