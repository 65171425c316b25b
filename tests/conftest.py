"""What several tests share: synthesised recordings, small corpora, and the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

# A shell that runs the tests in the background has Ctrl-C ignored, by the commands tested too.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
for variable in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):  # one for all tests, whatever their cache
    os.environ.setdefault(variable, str(ROOT / ".pytest_cache" / variable.lower()))
# An hour of labelled music beside the checkout, where there is one; tests that want it skip.
SHARED_CORPUS = Path(os.environ.get("GANEXPLAIN_CORPUS", ROOT.parent / "shared" / "corpus"))
RATE = 22050
SECONDS = 4.0
SUNG = ((0.0, 1.5), (2.5, 4.0))  # where a corpus recording holds its "voice"


def noise(seconds: float, rate: int = RATE, level: float = 0.05, seed: int = 0) -> np.ndarray:
    """White noise (samples,), float64: it varies in every mel band."""
    return level * np.random.default_rng(seed).standard_normal(round(seconds * rate))


def tone(
    hertz: float, seconds: float, rate: int = RATE, level: float = 0.3, phase: float = 0.0
) -> np.ndarray:
    """A sine (samples,), float64."""
    times = np.arange(round(seconds * rate)) / rate
    return level * np.sin(2 * np.pi * hertz * times + phase)


def song(seed: int, rate: int = RATE, seconds: float = SECONDS) -> np.ndarray:
    """Noise with a tone over the spans of `SUNG`, (samples,)."""
    sound = noise(seconds, rate, seed=seed)
    times = np.arange(sound.size) / rate
    voiced = sum(((times >= start) & (times < end)).astype(float) for start, end in SUNG)
    return sound + voiced * tone(330.0 + 20 * seed, seconds, rate)[: sound.size]


def write_sound(
    path: Path, sound: np.ndarray, rate: int = RATE, subtype: str | None = None
) -> Path:
    """Write a sound file, folders included; the format is that of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(str(path), sound, rate, subtype=subtype)
    return path


LABELS = "0.0 1.5 sing\n1.5 2.5 nosing\n2.5 4.0 sing\n"


@dataclass(frozen=True)
class JamendoFolder:
    """A corpus in the Jamendo layout that a test may spoil."""

    root: Path

    def audio(self, name: str) -> Path:
        return self.root / "audio" / name

    def label_file(self, name: str) -> Path:
        return (self.root / "labels" / name).with_suffix(".lab")

    def listing(self, split: str) -> Path:
        return self.root / "filelists" / split

    def add(
        self, split: str, name: str, sound: np.ndarray, labels: str = LABELS, rate: int = RATE
    ) -> None:
        """Write a recording and its labels, and list it."""
        write_sound(self.audio(name), sound, rate)
        self.label_file(name).parent.mkdir(parents=True, exist_ok=True)
        self.label_file(name).write_text(labels, encoding="utf-8")
        self.list(split, name)

    def list(self, split: str, name: str) -> None:
        """Append a name to the list of a split."""
        self.listing(split).parent.mkdir(parents=True, exist_ok=True)
        with self.listing(split).open("a", encoding="utf-8") as stream:
            stream.write(name + "\n")


def jamendo_folder(root: Path) -> JamendoFolder:
    """Four recordings of four seconds: two to train with, one to validate, one to test."""
    folder = JamendoFolder(root)
    for seed, (split, name) in enumerate(
        [("train", "one.wav"), ("train", "two.flac"), ("valid", "three.wav"), ("test", "four.wav")]
    ):
        folder.add(split, name, song(seed))
    return folder


@pytest.fixture
def jamendo(tmp_path: Path) -> JamendoFolder:
    """A small valid corpus of its own for the test."""
    return jamendo_folder(tmp_path / "corpus")


# --- the command line -----------------------------------------------------------------------


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    def error_line(self) -> str:
        """The message of a run that wrote exactly one line to stderr, an error."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        return lines[0].removeprefix("error: ")


def cli_environment(cache: Path) -> dict[str, str]:
    """The environment of a command: one thread, a cache of its own, plain text."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(cache),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }


def torchrun_sets(monkeypatch: pytest.MonkeyPatch, rank: int, world: int) -> None:
    """The environment of one of the processes that torchrun starts."""
    values = {"RANK": rank, "WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 29500}
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))


COMMAND = (sys.executable, "-m", "ganexplain")
Run = Callable[..., Finished]


@pytest.fixture
def ganexplain(tmp_path: Path) -> Run:
    """Runs the command as a user does, in a process of its own."""

    def run(
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
    ) -> Finished:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            env={**cli_environment(tmp_path / "cache"), **(environment or {})},
            preexec_fn=before,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """Runs the command line in this process: the same words and exit status, sooner."""

    def run(*arguments: str | Path) -> Finished:
        from ganexplain.cli.app import command_line

        argv: Sequence[str] = ["ganexplain", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", list(argv))
        for name, value in cli_environment(tmp_path / "cache").items():
            monkeypatch.setenv(name, value)
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line()
        shown = capfd.readouterr()
        return Finished(int(ended.value.code or 0), shown.out, shown.err)

    return run


StageRun = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StageRun:
    """Runs the command in a process of its own and expects a status, 0 where none is named.

    One cache for all tests of a module, whose fixtures can share what it made.
    """
    cache = tmp_path_factory.mktemp("cache")

    def ganexplain(*words: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *map(str, words)],
            capture_output=True,
            text=True,
            env=cli_environment(cache),
        )
        assert done.returncode == status, done.stderr
        return done

    return ganexplain


def wait_for(path: Path, process: subprocess.Popen[str], since: float = 0) -> None:
    """Until the file is there, written after `since` (seconds of the epoch)."""
    deadline = time.monotonic() + 300  # of a busy machine
    while time.monotonic() < deadline:
        if path.is_file() and path.stat().st_mtime >= since:
            return
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.02)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread, as processes of a pool and the commands of `run` have: others round otherwise."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
