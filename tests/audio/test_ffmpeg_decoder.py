"""Sound that ffmpeg decodes: exact positions, and no file that is silently cut or damaged.

What ffmpeg may do wrong is done by a stand-in, so that these tests need no ffmpeg.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from support.recordings import RATE, noise, song

from ganexplain.audio.formats.ffmpeg_decoder import KINDS
from ganexplain.audio.io import load_channels, load_excerpt, load_mono, read_duration
from ganexplain.errors import BadFile

real = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
M4A = b"\0\0\0\x20ftypM4A " + bytes(20)
SAMPLES = noise(2.0, 16000, seed=1).astype(np.float32).reshape(-1, 2)  # one second in stereo
AU = struct.pack(">4s5I8x", b".snd", 32, 2**32 - 1, 6, 16000, 2) + SAMPLES.astype(">f4").tobytes()
HEADER = "  [info]   Duration: 00:00:0{}, start: 0.0, bitrate: 9 kb/s\n".lstrip()
HEALTHY = "[info]     title : [error] a song\n" + HEADER.format("1.00")

StandIn = Callable[[bytes, str, str], Path]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Make a program ffmpeg from its output, its messages and its end; return a file for it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(output: bytes, messages: str, end: str) -> Path:
        (folder / "output").write_bytes(output)
        (folder / "messages").write_text(messages)
        program = folder / "ffmpeg"
        program.write_text(
            f"#!/bin/sh\n/bin/cat '{folder}/messages' >&2\n/bin/cat '{folder}/output'\n{end}\n"
        )
        program.chmod(0o755)
        path = tmp_path / "song.m4a"
        path.write_bytes(M4A)
        return path

    return make


def test_the_samples_are_those_that_ffmpeg_writes(stand_in: StandIn) -> None:
    path = stand_in(AU, HEALTHY, "exit 0")
    assert read_duration(path) == 1.0
    np.testing.assert_array_equal(load_channels(path, 16000), SAMPLES)
    np.testing.assert_allclose(load_mono(path, 16000), SAMPLES.mean(axis=1), atol=1e-7)
    part = load_excerpt(path, 0.25, 4000, 16000)
    np.testing.assert_allclose(part, SAMPLES[4000:8000].mean(axis=1), atol=1e-7)


@pytest.mark.parametrize(
    ("output", "messages", "end", "said"),
    [
        (AU, HEALTHY, "exit 1", "that ffmpeg cannot decode (status 1); replace it"),
        (AU, HEALTHY, "kill -9 $$", "that ffmpeg cannot decode (signal 9); replace it"),
        (b"", "[mov @ 0x5f] [error] moov atom not found\n", "exit 1", "(moov atom not found)"),
        (b"", HEALTHY, "exit 0", "ffmpeg finds no sound in it"),
        (AU[:20], HEALTHY, "exit 0", "ffmpeg finds no sound in it"),
        (b"RIFF" + AU[4:], HEALTHY, "exit 0", "ffmpeg finds no sound in it"),
        (AU[:-3], HEALTHY, "exit 0", "is cut off or damaged at 1.00 s or before (ends within"),
        (AU, HEADER.format("1.30"), "exit 0", "its header says 1.30 s, and 1.00 s can be decoded"),
        (AU, HEALTHY + "[aac @ 0x5f] [error] Input buffer\n", "exit 0", "(Input buffer); get it"),
        (AU, HEALTHY + "[warning] corrupt input packet\n", "exit 0", "(corrupt input packet)"),
    ],
)  # fmt: skip
def test_what_ffmpeg_does_not_decode_whole_is_refused(
    stand_in: StandIn, output: bytes, messages: str, end: str, said: str
) -> None:
    path = stand_in(output, messages, end)
    for read in (read_duration, lambda path: load_mono(path, 16000)):
        with pytest.raises(BadFile) as raised:
            read(path)
        assert str(raised.value).startswith(f"{path}: ") and said in str(raised.value)


@pytest.mark.parametrize(
    "more",
    [
        "[info]   Stream #0:1: Video: h264, yuv420p\n",  # which is longer than the sound
        "[aac @ 0x5f] [warning] Estimating duration from bitrate, this may be inaccurate\n",
    ],
)
def test_a_length_that_is_not_that_of_the_sound_is_not_compared(
    stand_in: StandIn, more: str
) -> None:
    assert read_duration(stand_in(AU, HEADER.format("9.00") + more, "exit 0")) == 1.0


def test_a_video_that_lasts_longer_than_its_sound_is_reported(
    stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    video = "[info]   Stream #0:1: Video: h264, yuv420p\n"
    assert read_duration(stand_in(AU, HEADER.format("1.20") + video, "exit 0")) == 1.0
    assert not caplog.records
    path = stand_in(AU, HEADER.format("2.00") + video, "exit 0")
    assert read_duration(path) == 1.0
    assert f"{path}: lasts 2.00 s by its header, its sound 1.00 s" in caplog.text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.demuxer)
def test_without_ffmpeg_the_error_says_that_it_is_needed(
    kind: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "song"
    path.write_bytes(bytes(kind.at) + kind.magic + bytes(64))  # type: ignore[attr-defined]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadFile, match="the program ffmpeg is needed; install ffmpeg, or convert"):
        read_duration(path)


# --- With ffmpeg itself ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WAV of three seconds in stereo whose channels differ."""
    path = tmp_path_factory.mktemp("encoded") / "song.wav"
    sound = song(0, seconds=3.0) / 2
    sf.write(path, np.stack([sound, np.roll(sound, 50) / 2], axis=1), RATE)
    return path


def encoded(recording: Path, name: str, *options: str) -> Path:
    path = recording.with_name(name)
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(recording), *options, f"file:{path}"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def delay(decoded: np.ndarray, original: np.ndarray) -> int:
    """The samples by which one of two sounds (samples,) is later, from their correlation."""
    size = 2 * max(len(decoded), len(original))
    spectrum = np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(original, size))
    found = int(np.fft.irfft(spectrum).argmax())
    return found - size if found > size // 2 else found


@real
@pytest.mark.parametrize(
    ("name", "codec"), [("-alac.m4a", "alac"), ("a:b\n.wv", "wavpack"), ("lossless.mka", "flac")]
)
def test_lossless_sound_is_the_recording(recording: Path, name: str, codec: str) -> None:
    path, (original, _) = encoded(recording, name, "-c:a", codec), sf.read(recording)
    assert read_duration(path) == read_duration(recording)
    np.testing.assert_array_equal(load_channels(path, RATE), original.astype(np.float32))


@real
@pytest.mark.parametrize(
    ("name", "codec"), [("aac.m4a", "aac"), ("opus.webm", "libopus"), ("vorbis.webm", "vorbis")]
)
def test_lossy_sound_is_where_it_was(recording: Path, name: str, codec: str) -> None:
    path = encoded(recording, name, "-c:a", codec, "-b:a", "128k", "-strict", "-2")
    whole, original = load_mono(path, RATE), load_mono(recording, RATE)
    assert delay(whole, original) == 0
    assert 0 <= len(whole) - len(original) < 2100  # the last frame is filled up
    part = load_excerpt(path, 1.25, 5000, RATE)
    begin = round(1.25 * RATE)
    exact = codec == "aac"  # no other rate
    tolerance = 0 if exact else 1e-3
    np.testing.assert_allclose(part, whole[begin : begin + 5000], atol=tolerance)


@real
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fast.m4a", ("-c:a", "aac", "-movflags", "+faststart")),
        ("cut.webm", ("-c:a", "libopus")),
        ("cut.wv", ("-c:a", "wavpack")),
    ],
)
def test_a_file_that_is_cut_off_is_refused(
    recording: Path, name: str, options: tuple[str, ...]
) -> None:
    path = encoded(recording, name, *options)
    whole = path.read_bytes()
    for share in (0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(BadFile, match=f"{name}: is (cut off|.* that ffmpeg cannot decode)"):
            read_duration(path)
