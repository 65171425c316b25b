"""Sing phrases with the Sinsy HMM voice and turn that one voice into many with WORLD."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyworld
from melody import Phrase, consonant_of, rotate_vowel
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt
from speaker import spoken_take

SINSY_RATE = 48000
WORK_RATE = 32000  # analysis rate; leaves head-room to move formants down
BURST_MARGIN = 3  # frames around a burst that are given up too
RETRIES = tuple((vowels, extra) for vowels in (0, 1, 3, 2, 4) for extra in (0, 2, 4))
PLOSIVES = frozenset("kgtdpb")
FRAME = 0.005  # seconds per WORLD frame
NAMES = (
    ("C", 0),
    ("C", 1),
    ("D", 0),
    ("D", 1),
    ("E", 0),
    ("F", 0),
    ("F", 1),
    ("G", 0),
    ("G", 1),
    ("A", 0),
    ("A", 1),
    ("B", 0),
)


@dataclass(frozen=True)
class Singer:
    """A voice made from the Sinsy voice. Pitches are MIDI numbers, levels dB."""

    low: int  # range that is sung
    high: int
    shift: int  # semitones between the pitch Sinsy sings and the pitch heard (positive: lower)
    formants: tuple[float, float, float]  # stretch of the envelope at 0.5, 1.5 and 4 kHz
    tilt: float = 0.0  # dB per octave above 500 Hz
    ring: float = 0.0  # bump of the singer's formant
    breath: float = 0.1  # 0 clear .. 1 whisper
    vibrato: tuple[float, float] = (5.5, 40.0)  # Hz, cents
    glide: float = 0.03  # seconds of smoothing of the pitch
    jitter: float = 4.0  # cents
    rough: float = 0.0  # depth of the subharmonic
    blend: tuple[int, float] = (1, 0.0)  # vowel row to lean to, how far
    sharpen: float = 0.0  # deepening of the envelope's valleys
    breaths: float = 0.0  # chance of an audible breath before a phrase
    flite: str = ""  # a voice of flite that sings English words instead of Sinsy


@dataclass(frozen=True)
class Take:
    """WORLD parameters of one phrase."""

    f0: np.ndarray
    envelope: np.ndarray
    aperiodicity: np.ndarray


def music_xml(phrase: Phrase, shift: int) -> str:
    """A one-measure MusicXML score of the phrase between two beats of rest."""

    def note(beats: float, inner: str) -> str:
        return f"<note>{inner}<duration>{round(beats * 4)}</duration>"

    body = note(2, "<rest/>") + "</note>"
    for n in phrase.notes:
        step, alter = NAMES[(n.midi + shift) % 12]
        octave = (n.midi + shift) // 12 - 1
        pitch = f"<pitch><step>{step}</step><alter>{alter}</alter><octave>{octave}</octave></pitch>"
        body += note(n.beats, pitch) + f"<lyric><text>{n.syllable}</text></lyric></note>"
    body += note(2, "<rest/>") + "</note>"
    beats = int(np.ceil(sum(n.beats for n in phrase.notes))) + 4
    return (
        '<?xml version="1.0" encoding="UTF-8"?><score-partwise version="2.0"><part-list>'
        '<score-part id="P1"><part-name>V</part-name></score-part></part-list><part id="P1">'
        '<measure number="1"><attributes><divisions>4</divisions><key><fifths>0</fifths></key>'
        f"<time><beats>{beats}</beats><beat-type>4</beat-type></time></attributes>"
        f'<direction><sound tempo="{phrase.bpm:.3f}"/></direction>{body}'
        "</measure></part></score-partwise>"
    )


@lru_cache(maxsize=1)
def engine() -> Any:
    """The Sinsy engine with the voice that the pysinsy package ships."""
    import pysinsy
    from pysinsy.sinsy import Sinsy

    sinsy = Sinsy()
    sinsy.setLanguages("j", pysinsy.get_default_dic_dir())
    sinsy.loadVoices(pysinsy.get_default_htsvoice())
    return sinsy


def sing_plain(phrase: Phrase, shift: int) -> np.ndarray:
    """The phrase as Sinsy sings it, at `WORK_RATE`, starting two beats before the first note."""
    sinsy = engine()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "score.xml"
        path.write_text(music_xml(phrase, shift), encoding="utf-8")
        sinsy.loadScoreFromMusicXML(str(path))
        wave, rate = sinsy.synthesize()
        sinsy.clearScore()
    assert rate == SINSY_RATE
    return resample_poly(np.asarray(wave) / 32768.0, WORK_RATE, SINSY_RATE)


def analyse(wave: np.ndarray) -> Take:
    """WORLD analysis."""
    f0, times = pyworld.harvest(
        wave, WORK_RATE, f0_floor=110, f0_ceil=1000, frame_period=FRAME * 1000
    )
    envelope = pyworld.cheaptrick(wave, f0, times, WORK_RATE)
    aperiodicity = pyworld.d4c(wave, f0, times, WORK_RATE)
    return Take(f0, envelope, aperiodicity)


def bursts(wave: np.ndarray) -> np.ndarray:
    """Per WORLD frame: whether the engine's filter has run away (it does for some tens of ms)."""
    size = int(FRAME * WORK_RATE)
    frames = np.nan_to_num(wave[: len(wave) // size * size], nan=1e30, posinf=1e30, neginf=-1e30)
    level = np.sqrt(np.mean(frames.reshape(-1, size) ** 2, axis=1))
    sane = level[(level > 1e-3) & (level < 1)]
    if len(sane) == 0:
        return np.ones(len(level) + 1, bool)
    wild = level > 3 * np.percentile(sane, 90)
    return np.append(maximum_filter1d(wild, 2 * BURST_MARGIN + 1), False)


def bridge(take: Take, wild: np.ndarray, closures: list[int]) -> Take:
    """Replace burst frames by a passage between their neighbours.

    Where a plosive begins (`closures`, in frames) the passage is a silent closure and a short
    noise, elsewhere the spectrum glides.
    """
    size = len(take.f0)
    wild = np.pad(wild, (0, max(size - len(wild), 0)))[:size]
    good = np.flatnonzero(~wild)
    envelope, noisy = np.log(take.envelope + 1e-16), take.aperiodicity.copy()
    voiced = np.interp(np.arange(size), good, (take.f0[good] > 0).astype(float)) > 0.99
    pitch = np.interp(np.arange(size), good[take.f0[good] > 0], take.f0[good][take.f0[good] > 0])
    f0 = np.where(wild, np.where(voiced, pitch, 0.0), take.f0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], wild.astype(int), [0]]))).reshape(-1, 2)
    for begin, end in edges:
        left, right = max(begin - 1, 0), min(end, size - 1)
        part = ((np.arange(begin, end) - left) / max(right - left, 1))[:, None]
        envelope[begin:end] = envelope[left] * (1 - part) + envelope[right] * part
        noisy[begin:end] = noisy[left] * (1 - part) + noisy[right] * part
        if any(begin - 12 <= c <= end + 12 for c in closures):
            burst = max(end - 3, begin)
            envelope[begin:burst] -= 9.0
            envelope[burst:end] -= 1.5
            noisy[burst:end] = 1.0
            f0[begin:end] = 0.0
    return Take(f0, np.exp(envelope), noisy)


def turn_vowels(phrase: Phrase, by: int) -> Phrase:
    """The phrase with every syllable moved to another vowel row."""
    return replace(
        phrase, notes=tuple(replace(n, syllable=rotate_vowel(n.syllable, by)) for n in phrase.notes)
    )


def sing_steadily(phrase: Phrase, shift: int) -> Take:
    """Sing and analyse a phrase.

    The filter of the HMM engine runs away at some consonants and low notes. Such frames are
    bridged; a score with many of them is sung a little higher (only the pitch is put right again)
    or with other vowels.
    """
    for vowels, extra in RETRIES:
        attempt = turn_vowels(phrase, vowels)
        wave = sing_plain(attempt, shift + extra)
        wild = bursts(wave)
        if wild.mean() > 0.15:
            continue
        gate = np.repeat(~wild, int(FRAME * WORK_RATE))[: len(wave)]
        take = analyse(np.where(gate, np.nan_to_num(wave[: len(gate)]), 0.0))
        if not (take.f0 > 0).any():
            continue
        closures = [
            span[0]
            for note, span in zip(phrase.notes, note_frames(phrase), strict=True)
            if consonant_of(note.syllable) in PLOSIVES
        ]
        take = bridge(take, maximum_filter1d(wild, 5), closures)
        return replace(take, f0=take.f0 * 2 ** (-extra / 12))
    raise RuntimeError(f"Sinsy cannot sing {phrase}")


def take_of(phrase: Phrase, singer: Singer, ingredients: Path) -> Take:
    """The phrase in the singer's source voice, its vowels leaning as the singer's do."""
    if singer.flite:
        return Take(*spoken_take(phrase, singer.flite, str(ingredients), FRAME))
    take = correct_source(sing_steadily(phrase, singer.shift))
    row, weight = singer.blend
    if weight <= 0:
        return take
    other = correct_source(sing_steadily(turn_vowels(phrase, row), singer.shift))
    size = min(len(take.f0), len(other.f0))
    mixed = np.exp(
        (1 - weight) * np.log(take.envelope[:size] + 1e-16)
        + weight * np.log(other.envelope[:size] + 1e-16)
    )
    return Take(take.f0[:size], mixed, take.aperiodicity[:size])


def correct_source(take: Take) -> Take:
    """Make up for the strong 3 kHz and the empty 5 kHz band of the HMM voice."""
    hertz = np.linspace(0, WORK_RATE / 2, take.envelope.shape[1])
    gain_db = 8 * np.exp(-0.5 * ((hertz - 5300) / 900) ** 2) - 4 * np.exp(
        -0.5 * ((hertz - 3500) / 700) ** 2
    )
    return replace(take, envelope=take.envelope * 10 ** (gain_db / 10))


def smooth_noise(rng: np.random.Generator, size: int, sigma: float) -> np.ndarray:
    """Unit-variance noise, smoothed over `sigma` frames."""
    noise = gaussian_filter1d(rng.standard_normal(size + 8 * int(sigma + 1)), sigma, mode="wrap")
    noise = noise[:size]
    return noise / (noise.std() + 1e-9)


def warp_frequencies(bins: int, formants: tuple[float, float, float]) -> np.ndarray:
    """For each output bin the (fractional) bin of the envelope it is read from."""
    hertz = np.linspace(0, WORK_RATE / 2, bins)
    stretch = np.interp(hertz, [500, 1500, 4000], formants)
    return np.clip(hertz / stretch, 0, WORK_RATE / 2) / (WORK_RATE / 2) * (bins - 1)


def reshape_envelope(
    envelope: np.ndarray, singer: Singer, loud: np.ndarray, wander: np.ndarray
) -> np.ndarray:
    """Move formants, deepen valleys, tilt and ring.

    `loud` (dB per frame) also brightens, `wander` (dB per octave and frame) changes the tilt.
    """
    bins = envelope.shape[1]
    hertz = np.linspace(0, WORK_RATE / 2, bins)
    log = np.log(envelope + 1e-16)
    source = warp_frequencies(bins, singer.formants)
    low = np.floor(source).astype(int)
    high = np.minimum(low + 1, bins - 1)
    part = source - low
    log = log[:, low] * (1 - part) + log[:, high] * part
    detail = log - gaussian_filter1d(log, 500 / (WORK_RATE / 2) * bins, axis=1, mode="nearest")
    octaves = np.log2(np.clip(hertz, 500, 12000) / 500)
    colour = singer.tilt * octaves + singer.ring * np.exp(-0.5 * ((hertz - 2900) / 450) ** 2)
    gain_db = colour[None, :] + loud[:, None] * (1 + 0.22 * octaves[None, :])
    gain_db += wander[:, None] * (octaves[None, :] - 1)
    return np.exp(log + singer.sharpen * detail + gain_db * np.log(10) / 10)


def pitch_curve(
    take: Take, phrase: Phrase, singer: Singer, rng: np.random.Generator, tuning: float
) -> np.ndarray:
    """The sung pitch per frame: Sinsy's, moved to the range, with the singer's movements."""
    voiced = take.f0 > 0
    size = len(take.f0)
    if not voiced.any():
        return take.f0
    frames = np.arange(size)
    cents = np.interp(frames, frames[voiced], 1200 * np.log2(take.f0[voiced]))
    cents = gaussian_filter1d(cents, singer.glide / FRAME)
    cents += tuning - (0 if singer.flite else 100 * singer.shift)
    rate = singer.vibrato[0] * (1 + 0.06 * smooth_noise(rng, size, 60))
    phase = 2 * np.pi * np.cumsum(rate) * FRAME + rng.uniform(0, 6)
    cents += vibrato_depth(phrase, singer, rng, size) * np.sin(phase)
    cents += rng.uniform(5, 14) * smooth_noise(rng, size, 50)
    cents += singer.jitter * smooth_noise(rng, size, 1.2)
    cents += scoop(phrase, rng, size)
    return np.where(voiced, 2 ** (cents / 1200), 0.0)


def note_frames(phrase: Phrase) -> list[tuple[int, int]]:
    """First and last frame of each note in the rendered phrase (after two beats of rest)."""
    beat = 60.0 / phrase.bpm
    return [
        (int((n.beat + 2) * beat / FRAME), int((n.beat + n.beats + 2) * beat / FRAME))
        for n in phrase.notes
    ]


def vibrato_depth(
    phrase: Phrase, singer: Singer, rng: np.random.Generator, size: int
) -> np.ndarray:
    """Cents of vibrato per frame: it fades in on notes that are long enough."""
    depth = np.zeros(size)
    for first, last in note_frames(phrase):
        if (last - first) * FRAME < 0.3:
            continue
        delay = int(rng.uniform(0.08, 0.35) * min((last - first), 200))
        ramp = np.clip((np.arange(size) - first - delay) / 40.0, 0, 1)
        ramp[min(last, size) :] = 0
        depth = np.maximum(depth, ramp * singer.vibrato[1] * rng.uniform(0.5, 1.3))
    return gaussian_filter1d(depth, 6)


def scoop(phrase: Phrase, rng: np.random.Generator, size: int) -> np.ndarray:
    """Cents of a slide into the first note and a fall off the last one, sometimes."""
    curve = np.zeros(size)
    spans = note_frames(phrase)
    frames = np.arange(size)
    if rng.random() < 0.5:
        curve -= (
            rng.uniform(50, 250)
            * np.exp(-np.clip(frames - spans[0][0], 0, None) / 14.0)
            * (frames < spans[0][1])
        )
    if rng.random() < 0.3:
        end = spans[-1][1]
        curve -= rng.uniform(50, 300) * np.clip((frames - end + 30) / 30.0, 0, 1)
    return gaussian_filter1d(curve, 2)


def loudness_curve(phrase: Phrase, rng: np.random.Generator, size: int) -> np.ndarray:
    """Decibels per frame: accents of notes and one arch over the phrase."""
    curve = np.zeros(size)
    for first, last in note_frames(phrase):
        curve[first:last] += rng.normal(0, 1.5)
    first, last = note_frames(phrase)[0][0], note_frames(phrase)[-1][1]
    place = np.clip((np.arange(size) - first) / max(last - first, 1), 0, 1)
    curve += rng.uniform(-1, 4) * np.sin(np.pi * place) + rng.uniform(-4, 2) * place
    curve += 0.6 * smooth_noise(rng, size, 2)
    return gaussian_filter1d(curve, 10)


def breathe(aperiodicity: np.ndarray, breath: float) -> np.ndarray:
    """More noise in the voice, most of it at high frequencies."""
    hertz = np.linspace(0, WORK_RATE / 2, aperiodicity.shape[1])
    weight = breath * np.clip((hertz - 400) / 4000, 0, 1) ** 0.6
    return 1 - (1 - np.clip(aperiodicity, 0, 1)) * (1 - weight[None, :])


def growl(wave: np.ndarray, f0: np.ndarray, depth: float, loud: np.ndarray) -> np.ndarray:
    """Amplitude modulation at half the pitch, stronger where the voice is loud."""
    if depth <= 0:
        return wave
    times = np.arange(len(wave)) / WORK_RATE / FRAME
    pitch = np.interp(times, np.arange(len(f0)), f0)
    amount = depth * np.clip(np.interp(times, np.arange(len(loud)), loud) / 4 + 0.3, 0, 1)
    return wave * (1 + amount * np.cos(np.pi * np.cumsum(pitch) / WORK_RATE))


def disperse(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An all-pass with a random smooth group delay: takes the vocoder's pulses apart."""
    size = 512
    delay = np.abs(smooth_noise(rng, size // 2 + 1, 12)) * rng.uniform(10, 35)
    phase = -np.cumsum(delay) * 2 * np.pi / size
    phase -= np.linspace(0, phase[-1] - np.round(phase[-1] / np.pi) * np.pi, size // 2 + 1)
    kernel = np.fft.irfft(np.exp(1j * phase), size)
    start = int(np.argmax(np.abs(kernel)))
    return fftconvolve(np.concatenate([wave, np.zeros(size)]), kernel)[start : start + len(wave)]


def sing(
    phrase: Phrase, singer: Singer, rng: np.random.Generator, take: Take, tuning: float = 0.0
) -> np.ndarray:
    """The phrase in the singer's voice, at `WORK_RATE`, starting two beats before its start."""
    size = len(take.f0)
    loud = loudness_curve(phrase, rng, size)
    f0 = pitch_curve(take, phrase, singer, rng, tuning)
    wander = rng.uniform(0.4, 1.0) * smooth_noise(rng, size, 45)
    envelope = reshape_envelope(take.envelope, singer, loud, wander)
    aperiodicity = breathe(take.aperiodicity, singer.breath * rng.uniform(0.7, 1.3))
    wave = pyworld.synthesize(
        f0,
        np.ascontiguousarray(envelope),
        np.ascontiguousarray(np.clip(aperiodicity, 0, 1)),
        WORK_RATE,
        FRAME * 1000,
    )
    return disperse(growl(wave, f0, singer.rough, loud), rng)


def breath_noise(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """An intake of breath: noise through a rough vocal-tract shape, rising and then cut off."""
    size = int(seconds * WORK_RATE)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / WORK_RATE)
    shape = sum(
        np.exp(-0.5 * ((hertz - centre) / width) ** 2)
        for centre, width in (
            (rng.uniform(600, 1100), 250),
            (rng.uniform(1500, 2200), 350),
            (rng.uniform(3000, 5000), 1200),
        )
    )
    wave = np.fft.irfft(spectrum * shape, size)
    rise = np.linspace(0, 1, size) ** 1.5 * np.clip((size - np.arange(size)) / (0.15 * size), 0, 1)
    return wave * rise / (np.abs(wave).max() + 1e-9)


def perform(
    phrases: list[Phrase],
    singer: Singer,
    rng: np.random.Generator,
    seconds: float,
    ingredients: Path,
    tuning: float = 0.0,
    copies: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """All phrases on one time line: the dry voice, and the breaths between phrases.

    `copies` > 1 sings every phrase that often with fresh movements and slightly other timing.
    """
    size = int(seconds * WORK_RATE)
    voice, breaths = np.zeros(size), np.zeros(size)
    for phrase in phrases:
        take = take_of(phrase, singer, ingredients)
        lead = 2 * 60.0 / phrase.bpm
        peak = 0.0
        for copy in range(copies):
            wave = sing(phrase, singer, rng, take, tuning + (rng.normal(0, 9) if copy else 0.0))
            late = rng.normal(0, 0.02) if copy else 0.0
            place(voice, wave * (0.8 if copy else 1.0), phrase.start - lead + late)
            peak = max(peak, float(np.abs(wave).max()))
        if rng.random() < singer.breaths:
            length = rng.uniform(0.18, 0.4)
            breath = breath_noise(rng, length) * peak * 10 ** (rng.uniform(-42, -30) / 20)
            place(breaths, breath, phrase.start - length - rng.uniform(0.05, 0.12))
    lowest = 0.8 * 440 * 2 ** ((singer.low - 69) / 12)
    return sosfilt(butter(3, lowest, "highpass", fs=WORK_RATE, output="sos"), voice), breaths


def place(track: np.ndarray, wave: np.ndarray, seconds: float) -> None:
    """Add a wave to a track at a time; what sticks out is cut."""
    start = round(seconds * WORK_RATE)
    skip = max(-start, 0)
    part = wave[skip : skip + max(len(track) - max(start, 0), 0)]
    track[max(start, 0) : max(start, 0) + len(part)] += part
