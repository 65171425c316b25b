"""Notes of a SoundFont 2 file, from its samples alone: pitch and loops, without its envelopes.

SoundFont Technical Specification 2.04, sections 7 and 8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from ganexplain.errors import BadFile

INSTRUMENT, KEYS, VELOCITIES, SAMPLE, LOOPS, ROOT = 41, 43, 44, 53, 54, 58  # generators
VELOCITY = 90
FINEST = 400  # largest denominator of a ratio of rates
ATTACK, RELEASE = 0.004, 0.05  # seconds


@dataclass(frozen=True)
class Sample:
    """A row of `shdr`: samples `start` to `end`, its loop, rate (Hz), and pitch (MIDI, cents)."""

    start: int
    end: int
    loop_start: int
    loop_end: int
    rate: int
    pitch: int
    correction: int


class SoundFont:
    """The tables of a file; `note` plays a key of a program of bank 0. BadFile if it is not one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            chunks = dict(_chunks(path.read_bytes()))
            self.waves = np.frombuffer(chunks[b"smpl"], "<i2")
            self.presets = [row[1:4] for row in struct.iter_unpack("<20sHHH12x", chunks[b"phdr"])]
            self.instruments = [row[0] for row in struct.iter_unpack("<20xH", chunks[b"inst"])]
            self.preset_bags, self.instrument_bags = (
                [row[0] for row in struct.iter_unpack("<HH", chunks[name])]
                for name in (b"pbag", b"ibag")
            )
            self.preset_values, self.instrument_values = (
                list(struct.iter_unpack("<HH", chunks[name])) for name in (b"pgen", b"igen")
            )
            headers = struct.iter_unpack("<20x5LBb4x", chunks[b"shdr"])
            self.samples = [Sample(*row) for row in headers]
        except (KeyError, struct.error) as error:
            raise BadFile(f"{path}: is not a whole SoundFont 2 file ({error})") from error

    def note(self, program: int, key: int, seconds: float, rate: int) -> np.ndarray:
        """A note (W,) of `seconds`, and its release, with a peak of 1; BadFile if it has none."""
        zone = self._zone(program, key)
        sample = self.samples[zone[SAMPLE]]
        root = zone.get(ROOT, sample.pitch)
        semitones = key - root + sample.correction / 100
        wanted = sample.rate * 2 ** (semitones / 12)  # samples of the file a second
        ratio = Fraction(rate / wanted).limit_denominator(FINEST)
        samples = round((seconds + RELEASE) * rate)
        wave = self._unrolled(sample, int(samples / ratio) + 1, bool(zone.get(LOOPS, 0) & 1))
        sound = resample_poly(wave, ratio.numerator, ratio.denominator)[:samples]
        shape = np.ones(len(sound))
        attack, release = round(ATTACK * rate), round(RELEASE * rate)
        shape[:attack] = np.linspace(0, 1, attack)
        shape[-release:] *= np.linspace(1, 0, release)
        return sound * shape / max(np.abs(sound * shape).max(), 1e-9)

    def _unrolled(self, sample: Sample, count: int, loops: bool) -> np.ndarray:
        """The first `count` samples, its loop repeated where it has one, as float64."""
        whole = self.waves[sample.start : sample.end].astype(np.float64)
        loop = self.waves[sample.loop_start : sample.loop_end].astype(np.float64)
        if not loops or len(loop) < 2 or count <= len(whole):
            return whole[:count]
        head = whole[: sample.loop_end - sample.start]
        times = max(-(-(count - len(head)) // len(loop)), 0)
        return np.concatenate([head, np.tile(loop, times)])[:count]

    def _zone(self, program: int, key: int) -> dict[int, int]:
        """The generators of the first zone of a program that plays a key at `VELOCITY`."""
        for number, (preset, bank, first) in enumerate(self.presets[:-1]):
            if (preset, bank) != (program, 0):
                continue
            last = self.presets[number + 1][2]
            for zone in _zones(self.preset_bags, self.preset_values, first, last):
                if INSTRUMENT in zone and _plays(zone, key):
                    ends = self.instruments[zone[INSTRUMENT] :][:2]
                    for inner in _zones(self.instrument_bags, self.instrument_values, *ends):
                        if SAMPLE in inner and _plays(inner, key):
                            return inner
        raise BadFile(f"{self.path}: program {program} has no sample for key {key}")


def _zones(
    bags: list[int], values: list[tuple[int, int]], first: int, last: int
) -> Iterator[dict[int, int]]:
    """The generators of zones, each with those of the global zone, which comes first."""
    common: dict[int, int] = {}
    for number in range(first, last):
        own = dict(values[bags[number] : bags[number + 1]])
        if number == first and not {INSTRUMENT, SAMPLE} & own.keys():
            common = own
        yield common | own


def _plays(zone: dict[int, int], key: int) -> bool:
    everything = 127 << 8
    return all(
        (zone.get(name, everything) & 255) <= value <= (zone.get(name, everything) >> 8)
        for name, value in ((KEYS, key), (VELOCITIES, VELOCITY))
    )


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The names and contents of a RIFF file's chunks, those of lists one by one."""
    at = 12
    while at + 8 <= len(content):
        name, size = content[at : at + 4], struct.unpack_from("<L", content, at + 4)[0]
        if name == b"LIST":
            at += 12
            continue
        yield name, content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
