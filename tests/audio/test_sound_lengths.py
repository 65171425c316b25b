"""Sound files whose headers are silent or wrong about their length, and files that broke off."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from support.commands import Run
from support.paths import PRETRAINED
from support.recordings import RATE, jamendo_folder, noise, song, tone

from ganexplain.audio.io import load_excerpt, load_mono, read_duration
from ganexplain.errors import BadFile, UsageError
from ganexplain.inputs.log_mel import FrontEnd

SECONDS = 6.0
CLASSIFIER = PRETRAINED / "classifier.pt"


def sound(seconds: float = SECONDS, rate: int = RATE) -> np.ndarray:
    """Noise, then a rising tone, so that every second differs; (samples,)."""
    times = np.arange(round(seconds * rate)) / rate
    rising = 0.3 * np.sin(2 * np.pi * (300 + 200 * times) * times)
    return np.where(times < 1, noise(seconds, rate), rising)


def encoded(kind: str, subtype: str | None = None, rate: int = RATE, **more: object) -> bytes:
    stream = io.BytesIO()
    sf.write(stream, sound(rate=rate), rate, format=kind, subtype=subtype, **more)
    return stream.getvalue()


def patched(content: bytes, at: int, form: str, *values: int) -> bytes:
    """With numbers packed as `form` written over the bytes from `at` on."""
    filled = struct.pack(form, *values)
    return content[:at] + filled + content[at + len(filled) :]


def mp3(mode: str = "VARIABLE", rate: int = RATE) -> bytes:
    return encoded("MP3", "MPEG_LAYER_III", rate, bitrate_mode=mode, compression_level=0.4)


def without_xing(content: bytes) -> bytes:
    """An MP3 without its first frame, the Xing header."""
    return content[content.index(content[:2], 4) :]


def with_total(flac: bytes, samples: int) -> bytes:
    """A FLAC whose header has another total of samples."""
    return patched(flac, 22, ">I", samples)


def is_whole(path: Path, seconds: float = SECONDS) -> None:
    """The length is that of the sound, and what is decoded is as long."""
    assert abs(read_duration(path) - seconds) < 0.12
    assert abs(load_mono(path, RATE).size / RATE - seconds) < 0.12


# --- MP3 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
@pytest.mark.parametrize("mode", ["VARIABLE", "AVERAGE", "CONSTANT"])
def test_mp3_without_its_header_is_read_to_the_end(tmp_path: Path, mode: str, rate: int) -> None:
    path = tmp_path / "stream.mp3"
    path.write_bytes(without_xing(mp3(mode, rate)))
    assert SECONDS < read_duration(path) < SECONDS + 0.3  # and the encoder's silence at both ends
    decoded, true = load_mono(path, RATE), sound()
    last = decoded[-2 * RATE :]
    lags = np.correlate(last, true[-RATE:], "valid")  # the last second of it is in the last two
    assert lags.max() > 0.9 * np.sum(true[-RATE:] ** 2)


TAG = b"ID3\3\0\0\0\0\x40\0" + bytes(0x40 << 7)


@pytest.mark.parametrize(
    ("before", "after"),
    [(TAG, b""), (b"", b"TAG" + bytes(125)), (TAG, b"APETAGEX" + b"\x5a" * 90_000)],
    ids=["id3v2", "id3v1", "cover"],
)
@pytest.mark.parametrize("has_xing", [True, False])
def test_tags_of_an_mp3_are_no_sound(
    tmp_path: Path, before: bytes, after: bytes, has_xing: bool
) -> None:
    content = mp3("CONSTANT") if has_xing else without_xing(mp3("CONSTANT"))
    path = tmp_path / "tagged.mp3"
    path.write_bytes(before + content + after)
    is_whole(path)


def frames_of(content: bytes) -> list[int]:
    """Where the frames of an MP3 of one constant rate begin."""
    first, places = content[:2], [0]
    step = content.index(first, 100)  # or a byte of padding more or less
    while behind := [
        at for at in (places[-1] + step + k for k in (-1, 0, 1)) if content.startswith(first, at)
    ]:
        places += behind
    return places


NOISE = np.random.default_rng(5).bytes(3000)
ODD = {  # what stands in front of the frames, between two of them, and behind them
    "noise in front": (NOISE, b"", b""),
    "zeros in front": (bytes(5000), b"", b""),
    "tag with a footer": (b"ID3\4\0\x10" + TAG[6:] + b"3DI\4\0\x10" + TAG[6:10], b"", b""),
    "tag shorter than it says": (b"ID3\4\0\0\0\0\0\x40", b"", b""),
    "tag that libmpg123 tells of": (TAG[:10] + b"TXXX" + NOISE.ljust(len(TAG) - 14), b"", b""),
    "noise between": (b"", NOISE, b""),
    "tag between": (b"", TAG, b""),
    "noise behind": (b"", b"", NOISE * 5),
    "ones behind": (b"", b"", b"\xff" * 100_000),
}


@pytest.mark.parametrize("name", ODD)
def test_mp3_is_read_across_what_is_no_frame(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    front, between, behind = ODD[name]
    content = without_xing(mp3("CONSTANT", 44100))
    middle = frames_of(content)[100]
    plain, path = tmp_path / "plain.mp3", tmp_path / "odd.mp3"
    plain.write_bytes(content)
    path.write_bytes(front + content[:middle] + between + content[middle:] + behind)
    whole, found = load_mono(plain, 44100), load_mono(path, 44100)
    assert abs(len(whole) - len(found)) < 0.1 * 44100
    lost = 1152 if name == "tag shorter than it says" else 0  # which takes a frame with it
    assert np.abs(whole[44100 + lost :][:100_000] - found[44100:][:100_000]).max() < 1e-3
    assert abs(len(found) / 44100 - read_duration(path)) < 0.1
    assert not capfd.readouterr().err
    told = any("no frames of MPEG audio in one place" in message for message in caplog.messages)
    assert told == (name == "noise between")


@pytest.mark.parametrize("first", [22050, 44100])
def test_joined_mp3s_of_other_rates_are_read_to_the_end(tmp_path: Path, first: int) -> None:
    second = 66150 - first
    path = tmp_path / "joined.mp3"
    path.write_bytes(mp3(rate=first) + TAG + mp3("CONSTANT", second) + TAG)
    is_whole(path, 2 * SECONDS)
    halves = np.split(load_mono(path, RATE), 2)
    assert np.corrcoef([half[RATE:-RATE] for half in halves])[0, 1] > 0.9


def damaged() -> bytes:
    """An MP3 with noise in a hundred frames."""
    content = bytearray(mp3("CONSTANT", 44100))
    for at in frames_of(bytes(content))[50:150]:
        content[at + 4 : at + 300] = NOISE[at % 1000 :][:296]
    return bytes(content)


def test_nothing_is_printed_beside_our_lines(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "damaged.mp3"
    path.write_bytes(damaged())
    sf.read(path)
    if not capfd.readouterr().err:
        pytest.skip("this libmpg123 prints nothing of a damaged frame")
    read_duration(path)
    for read in (load_mono, lambda file, rate: load_excerpt(file, 1, 8000, rate)):
        with contextlib.suppress(BadFile):  # of values that are no sound
            read(path, RATE)
    assert not capfd.readouterr().err
    sf.read(path)
    assert capfd.readouterr().err  # and C's stream is as before


def test_joined_mp3s_are_read_to_the_end_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "joined.mp3"
    path.write_bytes(mp3() * 2)
    with caplog.at_level(logging.WARNING):
        is_whole(path, 2 * SECONDS + 0.08)
    message = caplog.messages[0]
    assert "joined.mp3: its header says 6.0" in message
    assert "and 12.1" in message


def test_excerpts_of_an_mp3_without_header_are_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "stream.mp3"
    path.write_bytes(without_xing(mp3()))
    whole = load_mono(path, RATE)
    for start in (0.5, 4.0, 5.2):  # the last two behind what the header's rate makes of it
        excerpt = load_excerpt(path, start, 8000, RATE)
        first = round(start * RATE)
        assert np.allclose(excerpt, whole[first : first + 8000], atol=1e-3)


# --- Ogg ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subtype", "rate"), [("VORBIS", RATE), ("OPUS", 48000)])
def test_chained_ogg_streams_are_one_recording(tmp_path: Path, subtype: str, rate: int) -> None:
    one = encoded("OGG", subtype, rate)
    path = tmp_path / "chained.ogg"
    path.write_bytes(one + one + one)
    single = tmp_path / "single.ogg"
    single.write_bytes(one)
    is_whole(path, 3 * SECONDS)
    once, thrice = load_mono(single, RATE), load_mono(path, RATE)
    assert np.array_equal(thrice, np.tile(once, 3))
    assert np.array_equal(load_excerpt(path, 14.0, 9000, RATE), thrice[14 * RATE :][:9000])


def test_chained_streams_may_have_rates_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "chained.ogg"
    path.write_bytes(encoded("OGG", "VORBIS", 16000) + encoded("OGG", "OPUS", 48000))
    is_whole(path, 2 * SECONDS)


def ogg_page(body: bytes, number: int, flags: int, samples: int) -> bytes:
    """One Ogg page (RFC 3533) that holds one packet."""
    table = b"\xff" * (len(body) // 255) + bytes([len(body) % 255])
    head = b"OggS\0" + struct.pack("<BqII", flags, samples, 1, number)
    page = head + bytes(4) + bytes([len(table)]) + table + body
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)) & 0xFFFFFFFF
    return page[:22] + struct.pack("<I", checksum) + page[26:]


def ogg_flac(flac: bytes) -> bytes:
    """A FLAC in Ogg pages; frames begin where the sync and their numbers 0, 1, 2, ... are."""
    first = 4 + 4 + 34
    begin = flac.index(b"\xff\xf8", first)
    starts = [begin]
    for number in itertools.count(1):
        found = flac.find(b"\xff\xf8" + flac[begin + 2 : begin + 4] + bytes([number]), starts[-1])
        if found < 0:
            break
        starts.append(found)
    frames = [flac[a:b] for a, b in itertools.pairwise([*starts, len(flac)])]
    pages = [ogg_page(b"\x7fFLAC\1\0\0\1" + flac[:first], 0, 2, 0)]
    pages.append(ogg_page(flac[first:begin], 1, 0, 0))
    for k, frame in enumerate(frames):
        last = k == len(frames) - 1
        pages.append(ogg_page(frame, k + 2, 4 if last else 0, (k + 1) * 4096))
    return b"".join(pages)


@pytest.mark.parametrize("streams", [1, 2])
@pytest.mark.parametrize("knows_total", [True, False])
def test_flac_in_ogg_is_read(tmp_path: Path, streams: int, knows_total: bool) -> None:
    flac = encoded("FLAC", "PCM_16")
    path, plain = tmp_path / "in-pages.oga", tmp_path / "plain.flac"
    plain.write_bytes(flac)
    path.write_bytes(ogg_flac(flac if knows_total else with_total(flac, 0)) * streams)
    assert read_duration(path) == streams * SECONDS
    assert np.array_equal(load_mono(path, RATE), np.tile(load_mono(plain, RATE), streams))


def test_ogg_without_its_last_page_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = encoded("OGG", "VORBIS")
    path = tmp_path / "radio.ogg"
    path.write_bytes(content[: content.rindex(b"OggS")])
    with caplog.at_level(logging.WARNING):
        assert read_duration(path) < SECONDS
    assert "radio.ogg: its last page is not marked as the last" in caplog.messages[0]


def nil_page(page: bytes) -> bytes:
    """A last page without content, to stand behind an Ogg page."""
    number = struct.unpack_from("<I", page, 18)[0] + 1
    head = b"OggS\0\4" + page[6:18] + struct.pack("<I", number)
    return head + struct.pack("<I", checksum(head + bytes(5))) + b"\0"


def checksum(page: bytes | bytearray) -> int:
    """That of an Ogg page, by RFC 3533."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value


def test_last_page_may_hold_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = encoded("OGG", "VORBIS")
    last = content.rindex(b"OggS")
    open_end = bytearray(content[last:])
    open_end[5] &= ~4
    open_end[22:26] = bytes(4)
    open_end[22:26] = struct.pack("<I", checksum(open_end))
    path = tmp_path / "nil.ogg"
    path.write_bytes(content[:last] + open_end + nil_page(content[last:]))
    is_whole(path)
    assert not caplog.messages


# --- headers that leave the length open ---------------------------------------------------------


def wav(size: int, riff: int | None = None, tail: bytes = b"", subtype: str = "PCM_16") -> bytes:
    """A WAV whose header gives that number of bytes of samples."""
    content = encoded("WAV", subtype)
    content = patched(content, content.index(b"data") + 4, "<I", size)
    return (content if riff is None else patched(content, 4, "<I", riff)) + tail


def rf64_of_unknown_length() -> bytes:
    content = encoded("RF64")
    return patched(content, content.index(b"ds64") + 8, "<QQQ", 0, 0, 0)


def caf_of_unknown_length() -> bytes:
    content = encoded("CAF")
    return patched(content, content.index(b"data") + 4, ">q", -1)


def aiff_of_unknown_length() -> bytes:
    content = encoded("AIFF")
    content = patched(content, 4, ">I", 0x7F000050)
    content = patched(content, content.index(b"COMM") + 10, ">I", 0x7F000000 // 2)
    return patched(content, content.index(b"SSND") + 4, ">I", 0x7F000008)


LIST = b"LIST" + struct.pack("<I", 12) + b"INFOISFT\0\0\0\0"
BYTES = round(2 * SECONDS * RATE)
OPEN = {
    "pipe.flac": lambda: with_total(encoded("FLAC"), 0),
    "tagged.flac": lambda: TAG + with_total(encoded("FLAC"), 0),
    "killed.wav": lambda: wav(0, 0),
    "killed-floats.wav": lambda: wav(0, subtype="FLOAT"),
    "pipe.wav": lambda: wav(0xFFFFFFFF, 0xFFFFFFFF),
    "sox.wav": lambda: wav(0x7FFFF000, 0x7FFFF024),
    "sox.aiff": aiff_of_unknown_length,
    "chunk-behind.wav": lambda: wav(BYTES, tail=LIST),
    "padded.wav": lambda: wav(BYTES, tail=bytes(9000)),
    "pipe.rf64": rf64_of_unknown_length,
    "pipe.caf": caf_of_unknown_length,
    "pipe.au": lambda: patched(encoded("AU"), 8, ">I", 0xFFFFFFFF),
    "killed.au": lambda: patched(encoded("AU"), 8, ">I", 0),
}


@pytest.mark.parametrize("name", OPEN)
def test_length_that_a_header_leaves_open_is_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(OPEN[name]())
    plain = tmp_path / "plain.wav"
    plain.write_bytes(encoded("WAV", "FLOAT" if "float" in name else "PCM_16"))
    assert read_duration(path) == SECONDS
    assert np.allclose(load_mono(path, RATE), load_mono(plain, RATE), atol=1e-4)
    assert not caplog.messages


def test_flac_with_more_than_its_header_says_is_read_to_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "less.flac"
    path.write_bytes(with_total(encoded("FLAC"), 2 * RATE))
    with caplog.at_level(logging.WARNING):
        assert read_duration(path) == SECONDS
    assert "less.flac: its header says 2.000 s, and 6.000 s are there" in caplog.messages[0]


@pytest.mark.parametrize("rates", [(RATE, RATE), (RATE, 44100), (44100, 8000)])
@pytest.mark.parametrize("knows_total", [True, False])
def test_joined_flacs_are_one_recording(
    tmp_path: Path, rates: tuple[int, int], knows_total: bool
) -> None:
    parts = [encoded("FLAC", rate=rate) for rate in rates]
    path = tmp_path / "joined.flac"
    path.write_bytes(b"".join(parts if knows_total else [with_total(part, 0) for part in parts]))
    is_whole(path, 2 * SECONDS)
    halves = np.split(load_mono(path, 8000), 2)
    assert np.abs(halves[0][9600:-800] - halves[1][9600:-800]).max() < 0.02


def test_wav_of_no_samples_stays_one(tmp_path: Path) -> None:
    content = wav(0)
    path = tmp_path / "none.wav"
    path.write_bytes(content[: content.index(b"data") + 8] + LIST)
    assert read_duration(path) == 0


# --- files that broke off, and headers that contradict what follows -----------------------------


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "IMA_ADPCM"), ("WAVEX", "PCM_24"),
        ("RF64", "PCM_16"), ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "PCM_16"),
        ("FLAC", "PCM_16"), ("NIST", "PCM_16"), ("MP3", "MPEG_LAYER_III"), ("CAF", "FLOAT"),
        ("MAT4", "DOUBLE"), ("MAT5", "DOUBLE"), ("MPC2K", "PCM_16"), ("AVR", "PCM_16"),
        ("SVX", "PCM_16"),
    ],
)  # fmt: skip
def test_file_that_broke_off_is_refused_with_both_lengths(
    tmp_path: Path, kind: str, subtype: str
) -> None:
    content = encoded(kind, subtype)
    path = tmp_path / f"half.{kind.lower()}"
    path.write_bytes(content[: len(content) // 2])
    for read in (lambda: read_duration(path), lambda: load_mono(path, RATE)):
        with pytest.raises(BadFile, match=r"half\.\w+: is cut off: its header says") as caught:
            read()
        claimed, there = map(float, re.findall(r"([\d.]+) s\b", str(caught.value)))
        assert abs(claimed - SECONDS) < 0.15
        assert 0.5 < there < 5  # of formats whose rate varies, not half


WRITTEN_BY_NONE = {"MPEG_LAYER_III"}  # libsndfile lists it for WAV, and cannot write it


@pytest.mark.parametrize("subtype", sorted(sf.available_subtypes("WAV").keys() - WRITTEN_BY_NONE))
@pytest.mark.parametrize("samples", [22050, 22051, 22370, 22371])
def test_whole_wav_of_each_coding_is_read(tmp_path: Path, subtype: str, samples: int) -> None:
    hiss = np.random.default_rng(0).uniform(-0.5, 0.5, samples)
    path = tmp_path / "whole.wav"
    sf.write(path, hiss, RATE, subtype=subtype)
    assert abs(read_duration(path) - samples / RATE) < 0.05  # codings of blocks fill the last one
    assert abs(len(load_mono(path, RATE)) - samples) < 0.05 * RATE


def test_recording_of_gigabytes_that_broke_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "concert.wav"
    path.write_bytes(wav(3_000_000_000, 3_000_000_036))
    with pytest.raises(BadFile, match=r"its header says 68027\.211 s, and 6\.000 s are there"):
        read_duration(path)


@pytest.mark.parametrize(("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_ogg_that_broke_off_within_a_page_is_refused(
    tmp_path: Path, kind: str, subtype: str
) -> None:
    content = encoded(kind, subtype, 48000)
    path = tmp_path / "half.ogg"
    path.write_bytes(content[: len(content) * 9 // 10])
    with pytest.raises(BadFile, match=r"half\.ogg: is cut off within a page, after \d"):
        read_duration(path)


@pytest.mark.parametrize(
    "content",
    [lambda: wav(BYTES // 2), lambda: encoded("WAV") * 2],
    ids=["crashed recorder", "joined"],
)
def test_wav_with_more_than_its_header_says_is_refused(tmp_path: Path, content) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "more.wav"
    path.write_bytes(content())
    with pytest.raises(BadFile, match="bytes that are not part of its format follow the samples"):
        read_duration(path)


# --- what the commands do -----------------------------------------------------------------------


def test_predict_leaves_out_what_broke_off_and_lists_it(tmp_path: Path, command: Run) -> None:
    good, half, joined = (tmp_path / name for name in ("good.wav", "half.wav", "joined.mp3"))
    content = encoded("WAV")
    good.write_bytes(content)
    half.write_bytes(content[: len(content) // 2])
    joined.write_bytes(mp3() * 2)
    call = ("predict", good, half, joined, "--classifier", CLASSIFIER, "--out", tmp_path / "p")
    refused = command(*call)
    assert refused.code == 1
    assert "half.wav: is cut off: its header says 6.000 s" in refused.error_line()
    done = command(*call, "--skip-bad-files")
    assert done.code == 0
    run = json.loads((tmp_path / "p" / "run.json").read_text())
    assert len(run["results"]["files"]) == 2
    assert "half.wav: is cut off" in run["results"]["skipped"][0]
    assert ["half.wav: is cut off" in w for w in run["warnings"]].count(True) == 1
    assert ["joined.mp3: its header says" in w for w in run["warnings"]].count(True) == 1
    assert done.err.count("joined.mp3: its header says") == 1
    assert "joined.mp3: its header says" in (tmp_path / "p" / "log.txt").read_text()
    last = (tmp_path / "p" / "joined.lab").read_text().splitlines()[-1].split()
    assert abs(float(last[1]) - 2 * SECONDS) < 0.15


def test_start_may_lie_where_the_header_sees_nothing(tmp_path: Path) -> None:
    from ganexplain.corpora.single import parse_start

    path = tmp_path / "killed.wav"
    path.write_bytes(wav(0, 0))
    length = FrontEnd().excerpt_samples
    excerpt = parse_start(f"{path}@4.0", length, RATE).sound
    assert np.allclose(excerpt, sound()[4 * RATE :][: excerpt.size], atol=1e-4)
    with pytest.raises(UsageError, match=r"the file 6\.000 s; begin at 4\.\d+ s at the latest"):
        parse_start(f"{path}@5.5", length, RATE)


def test_labels_of_a_corpus_go_up_to_the_true_end(tmp_path: Path) -> None:
    from ganexplain.corpora.load import read_corpus

    corpus = jamendo_folder(tmp_path / "corpus")
    stream = io.BytesIO()
    sf.write(stream, song(5), RATE, format="OGG", subtype="VORBIS")
    corpus.add("train", "long.ogg", song(5), "0 4.0 nosing\n4.0 8.0 sing\n")
    corpus.audio("long.ogg").write_bytes(stream.getvalue() * 2)
    assert read_corpus(corpus.root).recordings[2].segments[-1].end == 8.0
    corpus.label_file("long.ogg").write_text("0 9.0 sing\n")
    with pytest.raises(BadFile, match=r"the label ends at 9 s, the recording at 8\.000 s"):
        read_corpus(corpus.root)


# --- what is no sound, though it says so ----------------------------------------------------------


NO_SOUND = {
    "page.mp3": (b"<!DOCTYPE html><html>404</html>", "an HTML page"),
    "aac.mp3": (b"\0\0\0\x1cftypM4A \0\0\2\0M4A isomiso2" + bytes(4000), "an MPEG-4 file"),
    "empty.mp3": (b"", "empty"),
    "fetched.wav": (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
    "._song.wav": (b"\0\5\x16\7\0\2\0\0Mac OS X        ", "an AppleDouble file"),
    "noise.mp3": (np.random.default_rng(0).bytes(20_000), "no frame of MPEG audio"),
}


@pytest.mark.parametrize("name", NO_SOUND)
def test_what_is_no_sound_is_called_what_it_is(tmp_path: Path, command: Run, name: str) -> None:
    content, kind = NO_SOUND[name]
    (tmp_path / name).write_bytes(content)
    done = command("predict", tmp_path / name, "--classifier", CLASSIFIER, "--out", tmp_path / "p")
    assert done.code == 1
    line = done.error_line()
    assert name in line
    assert kind in line


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".ogg"])
def test_sound_is_known_by_its_content(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"misnamed{suffix}"
    path.write_bytes(encoded(kind))
    is_whole(path)


# --- scale and channels ---------------------------------------------------------------------------


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_floats_on_the_scale_of_integers_are_refused(
    tmp_path: Path, subtype: str, bits: int
) -> None:
    path = tmp_path / "integers.wav"
    sf.write(path, sound() * 2.0 ** (bits - 1), RATE, subtype=subtype)
    for read in (lambda: load_mono(path, RATE), lambda: load_excerpt(path, 2.0, 8000, RATE)):
        with pytest.raises(BadFile, match=rf"integers\.wav: values .* {bits} bits, divide them by"):
            read()


def test_damage_is_not_taken_for_integers(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mp3"
    path.write_bytes(damaged())
    with pytest.raises(BadFile, match=r"where full scale is 1: it is damaged; get it again"):
        load_mono(path, RATE)


def test_quiet_integers_are_known_by_having_no_fractions(tmp_path: Path) -> None:
    path = tmp_path / "quiet.wav"
    sf.write(path, np.rint(12 * sound()), RATE, subtype="FLOAT")
    with pytest.raises(BadFile, match="8 bits, divide them by 128"):
        load_mono(path, RATE)


@pytest.mark.parametrize("peak", [1.0, 1.5, 6.0])
def test_hot_floats_stay_as_they_are(tmp_path: Path, peak: float) -> None:
    path = tmp_path / "hot.wav"
    hot = (peak * sound() / np.abs(sound()).max()).astype(np.float32)
    sf.write(path, hot, RATE, subtype="FLOAT")
    assert np.array_equal(load_mono(path, RATE), hot)


@pytest.mark.parametrize(
    ("name", "pairs"),
    [("wide.wav", 1), ("wide.wav", 3), ("wide.flac", 2), ("wide.mp3", 1), ("wide.ogg", 1)],
)
def test_channels_that_cancel_are_named(tmp_path: Path, name: str, pairs: int) -> None:
    path = tmp_path / name
    sf.write(path, np.stack([sound(), -sound()] * pairs, axis=1), RATE)
    with pytest.raises(BadFile, match="its channels cancel each other in their mean"):
        load_mono(path, RATE)


@pytest.mark.parametrize(
    "channels",
    [
        lambda: [sound(), 0 * sound()],  # all in one
        lambda: [sound(), *[0 * sound()] * 5],
        lambda: [sound(), noise(SECONDS, seed=1, level=0.2)],  # unrelated
        lambda: [tone(440, SECONDS), tone(440, SECONDS, phase=2.5)],  # far out of phase
    ],
    ids=["left", "one of six", "unrelated", "out of phase"],
)
def test_wide_sound_is_read_as_the_mean_of_its_channels(tmp_path: Path, channels) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "wide.wav"
    stacked = np.stack(channels(), axis=1).astype(np.float32)
    sf.write(path, stacked, RATE, subtype="FLOAT")
    assert np.array_equal(load_mono(path, RATE), stacked.mean(axis=1))
