"""English singers: words spoken by flite, their vowels stretched over the notes of a melody."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyworld
import soundfile as sf
from melody import HOLD, Phrase

SPEECH_RATE = 16000
SLOWER = 1.5  # speech is slowed down so that vowels have a middle
EDGE = 0.045  # seconds at both ends of a vowel that keep their own pace
VOWELS = frozenset(
    {
        "aa",
        "ae",
        "ah",
        "ao",
        "aw",
        "ax",
        "axr",
        "ay",
        "eh",
        "er",
        "ey",
        "ih",
        "iy",
        "ow",
        "oy",
        "uh",
        "uw",
    }
)
ONE = """
love night rain heart fire light dream road home blue sky stone wind time eyes hand voice gone long
far wild you me we they sing hold come go fall rise burn shine turn break fly stay cry deep cold
soft young old world moon sun star sea ship bell dance and the of with through from down where when
like this that
"""
TWO = """
river summer winter morning golden silver lonely away tonight never ever again over under ocean
mountain shadow window broken open whisper thunder garden daughter mother father lover city highway
angel money honey water
"""
THREE = """
tomorrow yesterday forever memory beautiful holiday remember another together wonderful melody
"""
WORDS = {1: ONE.split(), 2: TWO.split(), 3: THREE.split()}  # by number of syllables


@lru_cache(maxsize=1)
def flite_command(ingredients: str) -> tuple[str, dict[str, str]]:
    """The flite program and the environment it needs: installed, or unpacked from Debian."""
    installed = shutil.which("flite")
    if installed:
        return installed, dict(os.environ)
    folder = Path(ingredients) / "usr"
    libraries = next(folder.glob("lib/*/libflite.so.*")).parent
    return str(folder / "bin" / "flite"), {**os.environ, "LD_LIBRARY_PATH": str(libraries)}


def draw_words(rng: np.random.Generator, syllables: int) -> str:
    """Words with that many syllables in all."""
    words = []
    while syllables > 0:
        size = int(rng.choice([1, 2, 3], p=[0.55, 0.33, 0.12]))
        if size <= syllables:
            words.append(str(rng.choice(WORDS[size])))
            syllables -= size
    return " ".join(words)


def speak(text: str, voice: str, ingredients: str) -> tuple[np.ndarray, list[tuple[str, float]]]:
    """The spoken words at 16 kHz, and each phone with the second at which it ends."""
    program, environment = flite_command(ingredients)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        result = subprocess.run(
            [
                program,
                "-voice",
                voice,
                "--setf",
                f"duration_stretch={SLOWER}",
                "-psdur",
                "-o",
                str(path),
                "-t",
                text,
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        wave, rate = sf.read(path)
    if rate != SPEECH_RATE:
        raise ValueError(f"flite voice {voice} speaks at {rate} Hz")
    phones = [
        (name, float(end))
        for name, _, end in (item.partition(":") for item in result.stdout.split())
        if end
    ]
    return wave, phones


def vowel_spans(phones: list[tuple[str, float]]) -> list[tuple[float, float]]:
    """Start and end of each vowel, in seconds."""
    starts = [0.0] + [end for _, end in phones[:-1]]
    return [
        (start, end) for start, (name, end) in zip(starts, phones, strict=True) if name in VOWELS
    ]


def time_anchors(
    phrase: Phrase, phones: list[tuple[str, float]]
) -> tuple[list[float], list[float]]:
    """Seconds in the song and the seconds in the speech that are heard there.

    A vowel begins with its note and lasts until the consonants before the next sung note, which
    keep their length where there is room.
    """
    beat = 60.0 / phrase.bpm
    lead = 2 * beat
    onsets = [lead + n.beat * beat for n in phrase.notes if n.syllable != HOLD]
    vowels = vowel_spans(phones)[: len(onsets)]
    onsets = onsets[: len(vowels)]
    finish = lead + phrase.seconds
    first = phones[0][1] if phones[0][0] == "pau" else 0.0
    target, source = [onsets[0] - (vowels[0][0] - first)], [first]
    for index, (begin, end) in enumerate(vowels):
        onset = onsets[index]
        last = index == len(vowels) - 1
        limit = finish if last else onsets[index + 1]
        tail = (phones[-1][1] if last else vowels[index + 1][0]) - end
        close = limit - min(tail, 0.45 * (limit - onset))
        edge = min(EDGE, (end - begin) / 3, (close - onset) / 3)
        target += [onset, onset + edge, close - edge, close]
        source += [begin, begin + edge, end - edge, end]
    target.append(target[-1] + phones[-1][1] - source[-1])
    source.append(phones[-1][1])
    return target, source


def widen(spectrum: np.ndarray, bins: int, slope: float) -> np.ndarray:
    """Continue a log spectrum above 7 kHz up to `bins` bins, falling by `slope` per octave."""
    known = int(len(spectrum[0]) * 7.0 / 8.0)
    level = spectrum[:, known - 60 : known].mean(axis=1, keepdims=True)
    above = level - slope * np.log2(np.arange(known, bins) / known)[None, :]
    return np.concatenate([spectrum[:, :known], above], axis=1)


def note_pitch(phrase: Phrase, size: int, frame: float) -> np.ndarray:
    """The written pitch per frame, in Hz."""
    beat = 60.0 / phrase.bpm
    pitch = np.zeros(size)
    for note in reversed(phrase.notes):
        pitch[: max(int((2 + note.beat + note.beats) * beat / frame), 0)] = note.midi
    pitch[pitch == 0] = phrase.notes[-1].midi
    return 440.0 * 2 ** ((pitch - 69) / 12)


def words_for(phrase: Phrase) -> str:
    """The words of a phrase; the same for every line of a harmony."""
    rng = np.random.default_rng([int(phrase.start * 1000), int(phrase.bpm * 1000)])
    return draw_words(rng, sum(n.syllable != HOLD for n in phrase.notes))


def spoken_take(
    phrase: Phrase, voice: str, ingredients: str, frame: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F0, envelope and aperiodicity (for 32 kHz) of words sung on a phrase, two beats early."""
    wave, phones = speak(words_for(phrase), voice, ingredients)
    f0, times = pyworld.harvest(
        wave, SPEECH_RATE, f0_floor=60, f0_ceil=400, frame_period=frame * 1000
    )
    envelope = np.log(pyworld.cheaptrick(wave, f0, times, SPEECH_RATE) + 1e-16)
    noise = pyworld.d4c(wave, f0, times, SPEECH_RATE)
    bins = 2 * (envelope.shape[1] - 1) + 1
    envelope, noise = widen(envelope, bins, 2.0), np.clip(widen(noise, bins, -0.6), 0, 1)
    target, source = time_anchors(phrase, phones)
    size = int((phrase.seconds + 4 * 60.0 / phrase.bpm) / frame)
    position = np.interp(np.arange(size) * frame, target, source) / frame
    low = np.clip(position.astype(int), 0, len(f0) - 2)
    part = np.clip(position - low, 0, 1)[:, None]
    envelope = np.exp(envelope[low] * (1 - part) + envelope[low + 1] * part)
    noise = noise[low] * (1 - part) + noise[low + 1] * part
    outside = (np.arange(size) * frame < target[0]) | (np.arange(size) * frame > target[-1])
    envelope[outside] = 1e-12
    voiced = (f0[np.round(position).astype(int).clip(0, len(f0) - 1)] > 0) & ~outside
    return np.where(voiced, note_pitch(phrase, size, frame), 0.0), envelope, noise
