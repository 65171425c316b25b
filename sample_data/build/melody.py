"""Draw sung melodies: phrases of notes with syllables, in a key and on a beat grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "blues": (0, 3, 5, 6, 7, 10),
    "hijaz": (0, 1, 4, 5, 7, 8, 10),
}

SYLLABLES: dict[str, tuple[str, ...]] = {
    "open": tuple("らりるれろなにぬねのやゆよわあえお"),
    "nasal": tuple("まみむめもなにぬねのがごんわ"),
    "plosive": tuple("かきくけこたてとぱぴぷぺぽばびぶべぼだでど"),
    "fricative": tuple("さしすせそはひふへほざじずぜぞつち"),
    "mixed": tuple(
        "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほ"
        "まみむめもらりるれろやゆよわんがぎぐげござじずぜぞだでどばびぶべぼぱぷぽ"
    ),
    "yod": (
        "きゃ",
        "しゅ",
        "ちょ",
        "にゃ",
        "りょ",
        "みゅ",
        "ら",
        "え",
        "ふぁ",
        "うぃ",
        "でぃ",
        "お",
    ),
}
VOWEL_ROWS = (
    "あかさたなはまやらわがざだばぱ",
    "いきしちにひみりぎじびぴ",
    "うくすつぬふむゆるぐずぶぷ",
    "えけせてねへめれげぜでべぺ",
    "おこそとのほもよろごぞどぼぽ",
)
CONSONANT_ROWS = {
    "-": "あいうえお",
    "k": "かきくけこ",
    "s": "さしすせそ",
    "t": "たちつてと",
    "n": "なにぬねの",
    "h": "はひふへほ",
    "m": "まみむめも",
    "y": "やゆよ",
    "r": "らりるれろ",
    "w": "わ",
    "g": "がぎぐげご",
    "z": "ざじずぜぞ",
    "d": "だでど",
    "b": "ばびぶべぼ",
    "p": "ぱぴぷぺぽ",
}
HOLD = "ー"  # Sinsy: keep singing the vowel of the note before

# Rhythm cells in beats; a phrase is a chain of them.
CELLS: tuple[tuple[float, ...], ...] = (
    (1, 1),
    (0.5, 0.5, 1),
    (1.5, 0.5),
    (2,),
    (0.5, 0.5, 0.5, 0.5),
    (0.75, 0.25, 1),
    (1, 0.5, 0.5),
    (3, 1),
    (0.5, 1, 0.5),
    (2.5, 0.5),
    (1.5, 1.5, 1),
    (4,),
)
STEPS = np.array([-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5])
STEP_ODDS = np.array([1, 2, 4, 10, 22, 12, 22, 10, 5, 3, 1], float) / 92


@dataclass(frozen=True)
class Note:
    """One sung note; times in beats from the start of its phrase, pitch as MIDI number."""

    beat: float
    beats: float
    midi: int
    syllable: str


@dataclass(frozen=True)
class Phrase:
    """Notes without a pause between them, starting at `start` seconds."""

    start: float
    bpm: float
    notes: tuple[Note, ...]

    @property
    def seconds(self) -> float:
        """Length of the phrase as written."""
        last = self.notes[-1]
        return (last.beat + last.beats) * 60.0 / self.bpm


@dataclass(frozen=True)
class Style:
    """What a piece sings: key, tempo, range and manner."""

    tonic: int
    scale: str
    bpm: float
    low: int
    high: int
    syllables: str = "mixed"
    melisma: float = 0.1
    pause: tuple[float, float] = (0.4, 2.2)
    long_pause: float = 0.15
    phrase: tuple[float, float] = (1.6, 7.0)


def singing_tempo(bpm: float) -> float:
    """Bring a tempo into the range where a beat is a comfortable sung note."""
    while bpm > 128:
        bpm /= 2
    while bpm < 62:
        bpm *= 2
    return bpm


def scale_pitches(style: Style) -> np.ndarray:
    """All MIDI pitches of the scale inside the range, ascending."""
    steps = SCALES[style.scale]
    pitches = [p for p in range(style.low, style.high + 1) if (p - style.tonic) % 12 in steps]
    return np.array(pitches)


def draw_rhythm(rng: np.random.Generator, seconds: float, bpm: float) -> list[float]:
    """Note lengths in beats that fill about `seconds`, the last one lengthened."""
    beat = 60.0 / bpm
    beats: list[float] = []
    while sum(beats) * beat < seconds:
        cell = CELLS[rng.integers(len(CELLS))]
        if max(cell) * beat <= 3.2:
            beats.extend(cell)
    beats[-1] = max(beats[-1], float(rng.choice([1.0, 1.5, 2.0, 3.0])))
    return beats


def draw_pitches(rng: np.random.Generator, style: Style, count: int) -> list[int]:
    """A scale walk with an arch, ending on a note of the tonic triad where one is near."""
    pitches = scale_pitches(style)
    position = int(rng.integers(len(pitches) // 4, max(len(pitches) * 3 // 4, 1) + 1))
    walk = []
    drift = rng.choice([-0.4, 0.0, 0.4])
    for index in range(count):
        pull = drift * np.cos(np.pi * index / max(count - 1, 1))
        position += int(rng.choice(STEPS, p=STEP_ODDS)) + round(pull * rng.random() * 2)
        position = int(np.clip(position, 0, len(pitches) - 1))
        walk.append(int(pitches[position]))
    triad = {0, 7, 3 if 3 in SCALES[style.scale] else 4}
    near = sorted(pitches, key=lambda p: abs(p - walk[-1]))
    walk[-1] = int(next((p for p in near[:4] if (p - style.tonic) % 12 in triad), walk[-1]))
    return walk


def draw_syllables(rng: np.random.Generator, style: Style, count: int) -> list[str]:
    """Syllables of the style's set; some notes hold the vowel of the note before."""
    pool = SYLLABLES[style.syllables]
    sung = [str(pool[rng.integers(len(pool))]) for _ in range(count)]
    for index in range(1, count):
        if rng.random() < style.melisma:
            sung[index] = HOLD
    return sung


def draw_phrase(rng: np.random.Generator, style: Style, start: float) -> Phrase:
    """One phrase, of a length drawn from the style."""
    bpm = singing_tempo(style.bpm)
    beats = draw_rhythm(rng, rng.uniform(*style.phrase), bpm)
    pitches = draw_pitches(rng, style, len(beats))
    syllables = draw_syllables(rng, style, len(beats))
    onsets = np.concatenate([[0.0], np.cumsum(beats)[:-1]])
    notes = tuple(
        Note(float(o), float(b), p, s)
        for o, b, p, s in zip(onsets, beats, pitches, syllables, strict=True)
    )
    return Phrase(start, bpm, notes)


def fitting_phrase(
    rng: np.random.Generator, style: Style, start: float, room: float
) -> Phrase | None:
    """A phrase no longer than `room` seconds: shorter and shorter ones are tried."""
    longest = min(style.phrase[1], room)
    for _ in range(12):
        shorter = replace(style, phrase=(min(style.phrase[0], longest * 0.6), longest))
        phrase = draw_phrase(rng, shorter, start)
        if phrase.seconds <= room:
            return phrase
        longest *= 0.8
    return None


def compose(
    rng: np.random.Generator, style: Style, windows: list[tuple[float, float]], origin: float = 0.0
) -> list[Phrase]:
    """Phrases inside the time windows, on the beat grid `origin + n beats`."""
    beat = 60.0 / singing_tempo(style.bpm)
    phrases: list[Phrase] = []
    for begin, end in windows:
        now = begin
        while end - now > 1.0:
            start = origin + float(np.ceil((now - origin) / beat - 1e-6)) * beat
            phrase = fitting_phrase(rng, style, start, end - start)
            if phrase is None:
                break
            phrases.append(phrase)
            longer = rng.uniform(2.0, 4.0) if rng.random() < style.long_pause else 0.0
            now = start + phrase.seconds + rng.uniform(*style.pause) + longer
    return phrases


def harmony(phrases: list[Phrase], style: Style, degrees: int) -> list[Phrase]:
    """The same phrases `degrees` scale steps away (2 = a third above, -3 = a fourth below)."""
    pitches = scale_pitches(replace(style, low=style.low - 12, high=style.high + 12))

    def moved(midi: int) -> int:
        index = int(np.argmin(np.abs(pitches - midi))) + degrees
        return int(pitches[np.clip(index, 0, len(pitches) - 1)])

    return [
        replace(p, notes=tuple(replace(n, midi=moved(n.midi)) for n in p.notes)) for p in phrases
    ]


def rotate_vowel(syllable: str, by: int) -> str:
    """The same consonant with another vowel; a syllable of the r row where there is none."""
    if by == 0 or syllable == HOLD:
        return syllable
    for row, kana in enumerate(VOWEL_ROWS):
        if syllable in kana:
            consonant = consonant_of(syllable)
            for candidate in VOWEL_ROWS[(row + by) % len(VOWEL_ROWS)]:
                if consonant_of(candidate) == consonant:
                    return candidate
    return "らりるれろ"[by % 5]


def consonant_of(kana: str) -> str:
    """A letter for the consonant row of a kana (close pairs such as ち/た share one)."""
    return next((name for name, kanas in CONSONANT_ROWS.items() if kana in kanas), kana)
