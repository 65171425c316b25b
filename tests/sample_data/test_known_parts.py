"""Recordings whose events are known: their sounds, their tables, and the sound font reader."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import butter, sosfiltfilt

from ganexplain.corpora.events import Event, read_events
from ganexplain.corpora.load import read_corpus
from ganexplain.errors import BadFile
from sample_data.known_parts.drums import FOLDER, KITS, PACKAGE, RHYTHMS, drum_takes
from sample_data.known_parts.sound_font import SoundFont
from sample_data.known_parts.takes import NOISE, Hit, Take, band, length, write_takes
from sample_data.pretrained.music.packages import Missing
from sample_data.pretrained.music.sound import RATE


def tone(hertz: float, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def test_the_band_and_length_of_sounds() -> None:
    low, high = band(0.1 * tone(300, 1.0) + 0.1 * tone(2000, 1.0))
    assert low == pytest.approx(300, abs=2) and high == pytest.approx(2000, abs=2)
    assert length(tone(500, 1.0)) == pytest.approx(0.5, abs=0.002)
    falling = tone(500, 1.0) * np.exp(-np.arange(RATE) / RATE / 0.1)  # energy falls as exp(-t/0.05)
    assert length(falling) == pytest.approx(0.05 * np.log(2), abs=0.002)


def test_a_mix_has_each_sound_at_its_time() -> None:
    click = np.array([0.5, -0.5])
    hits = (Hit(0.1, "a", click), Hit(0.2, "b", 2 * click), Hit(0.5 - 1 / RATE, "a", click))
    mix = Take("x", "train", "c", 7, 0.5, hits, ()).mix()
    assert len(mix) == round(0.5 * RATE)
    loud = np.flatnonzero(np.abs(mix) > 10 * NOISE)
    at = [round(0.1 * RATE), round(0.2 * RATE), len(mix) - 1]
    assert loud.tolist() == [at[0], at[0] + 1, at[1], at[1] + 1, at[2]]
    again = Take("x", "train", "c", 7, 0.5, hits, ()).mix()
    assert (mix == again).all()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Kits with one decaying tone for each kind, whose frequency names the kit and the kind."""
    number = 0
    for kits in KITS.values():
        for kit, patterns in kits.items():
            folder = tmp_path / PACKAGE / FOLDER / kit
            folder.mkdir(parents=True)
            for kind, pattern in enumerate(patterns):
                name = pattern.replace("[4-8]", "5").replace("[3-8]", "5").replace("[5-8]", "5")
                name = name.replace("[2-4]", "3").rstrip("*").replace("*", "x") + ".flac"
                sound = tone(100 * 2**kind + number, 0.3) * np.exp(-20 * np.arange(6615) / RATE)
                sf.write(folder / name, np.concatenate([np.zeros(200), 0.5 * sound]), RATE)
            number += 5
    return tmp_path


def rise(sound: np.ndarray, event: Event) -> float:
    """The energy in an event's band in the 30 ms from its time on, relative to that before it."""
    around = np.array([max(event.low_hz - 30, 20), event.high_hz + 30])
    own = sosfiltfilt(butter(2, around, "bandpass", fs=RATE, output="sos"), sound)
    middle, some = round(event.time * RATE), round(0.03 * RATE)
    before, after = own[max(middle - some, 0) : middle], own[middle : middle + some]
    return float(np.square(after).sum() / (np.square(before).sum() + 1e-9))


def test_drums_are_a_corpus_with_events_where_they_sound(store: Path, tmp_path: Path) -> None:
    takes = [take for k, take in enumerate(drum_takes(store, 3)) if k % 13 == 0]
    write_takes(tmp_path, takes)
    corpus = read_corpus(tmp_path / "manifest.csv")
    assert set(corpus.classes) <= set(RHYTHMS)
    assert {r.split for r in corpus.recordings} == {"train", "valid", "test"}
    events = read_events(tmp_path / "events.csv")
    first = [e for e in events if e.path == takes[0].path]
    assert all(event.low_hz <= event.high_hz < 1000 for event in first)
    sound, _ = sf.read(tmp_path / takes[0].path)
    assert np.median([rise(sound, event) for event in first]) > 5
    late = [replace(event, time=event.time + 0.06) for event in first]
    assert np.median([rise(sound, event) for event in late]) < 2
    used = {name for take in takes for name in take.sounds}
    test = {name for take in takes if take.split == "test" for name in take.sounds}
    assert test and not test & {n for t in takes if t.split != "test" for n in t.sounds}
    assert len(used) > len(test)
    same = [take for k, take in enumerate(drum_takes(store, 3)) if k % 13 == 0]
    assert [(a.seed, len(a.hits), a.sounds) for a in takes] == [
        (b.seed, len(b.hits), b.sounds) for b in same
    ]


def test_a_kit_without_a_sound_is_named(store: Path) -> None:
    for path in (store / PACKAGE / FOLDER / "VariBreaks").iterdir():
        path.unlink()
    with pytest.raises(Missing, match="VariBreaks has no VP Kick"):
        list(drum_takes(store, 0))


# --- sound fonts --------------------------------------------------------------------------------


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<L", len(content)) + content + b"\0" * (len(content) % 2)


def font(path: Path, root: int = 69, correction: int = 0) -> Path:
    """One program, 5, with two zones: keys to 80 play 110 samples of 440 Hz in a loop."""
    period = np.sin(2 * np.pi * np.arange(4410) * 440 / 44100)
    waves = np.round(20000 * period).astype("<i2").tobytes()
    keys = 0 | 80 << 8
    tables = {
        b"phdr": struct.pack("<20sHHH12x", b"x", 5, 0, 0) + struct.pack("<20sHHH12x", b"", 0, 0, 1),
        b"pbag": struct.pack("<HHHH", 0, 0, 1, 0),
        b"pgen": struct.pack("<HH", 41, 0),
        b"inst": struct.pack("<20sH", b"x", 0) + struct.pack("<20sH", b"", 2),
        b"ibag": struct.pack("<HHHHHH", 0, 0, 1, 0, 4, 0),
        b"igen": struct.pack("<HHHHHHHH", 54, 1, 43, keys, 58, root, 53, 0),
        b"shdr": struct.pack("<20s5LBbHH", b"x", 0, 4410, 1000, 4300, 44100, 60, correction, 0, 1)
        + struct.pack("<20s5LBbHH", b"", 0, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    body = b"sfbk" + chunk(b"LIST", b"sdta" + chunk(b"smpl", waves))
    body += chunk(b"LIST", b"pdta" + b"".join(chunk(n, c) for n, c in tables.items()))
    path.write_bytes(b"RIFF" + struct.pack("<L", len(body)) + body)
    return path


@pytest.mark.parametrize(
    "key,root,correction,hertz",
    [(69, 69, 0, 440.0), (57, 69, 0, 220.0), (76, 69, 0, 659.26), (69, 69, 100, 466.16),
     (60, 72, 0, 220.0)],
)  # fmt: skip
def test_notes_have_the_pitch_of_their_key(
    tmp_path: Path, key: int, root: int, correction: int, hertz: float
) -> None:
    note = SoundFont(font(tmp_path / "x.sf2", root, correction)).note(5, key, 1.0, RATE)
    assert len(note) == round(1.05 * RATE)  # ten times the sample: it loops
    power = np.abs(np.fft.rfft(note * np.hanning(len(note))))
    found = np.fft.rfftfreq(len(note), 1 / RATE)[power.argmax()]
    assert found == pytest.approx(hertz, rel=0.005)
    assert np.abs(note).max() == pytest.approx(1) and np.abs(note[-1]) < 1e-6


def test_what_a_font_does_not_have_is_said(tmp_path: Path) -> None:
    whole = SoundFont(font(tmp_path / "x.sf2"))
    for program, key in ((5, 81), (6, 60)):
        with pytest.raises(BadFile, match=f"program {program} has no sample for key {key}"):
            whole.note(program, key, 0.1, RATE)
    (tmp_path / "y.sf2").write_bytes(b"RIFF" + bytes(40))
    with pytest.raises(BadFile, match="not a whole SoundFont"):
        SoundFont(tmp_path / "y.sf2")
