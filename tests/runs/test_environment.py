"""Whatever a container, cluster or notebook gives: the same files, or one line and a status."""

from __future__ import annotations

import errno
import inspect
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from cycler import cycler
from support.commands import COMMAND, cli_environment
from support.paths import ROOT

from ganexplain.corpora.spans import Prediction, Segment
from ganexplain.errors import UsageError, terminal_safe
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.parts_page import Filter, FilterParts, Patch
from ganexplain.report.pictures.attribution_picture import attribution_picture, picture_attribution
from ganexplain.report.pictures.change_picture import change_picture
from ganexplain.report.pictures.curve_picture import curve_picture
from ganexplain.report.pictures.default_style import default_style
from ganexplain.report.pictures.parts_sheet import parts_sheet
from ganexplain.report.pictures.sample_sheet import sample_sheet
from ganexplain.runs.engine import block_interrupts
from ganexplain.runs.environment import disarm_warnings, set_cache_dirs, user_cache
from ganexplain.runs.workers import DividedWork, Workers

# --- streams ------------------------------------------------------------------------------

SETTINGS = (
    "explain",
    "--classifier",
    "c.pt",
    "--gan",
    "g.pt",
    "--out",
    "o",
    "--dry-run",
)  # imports no torch


def shell(tmp_path: Path, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in which $GX is the command."""
    known = {**cli_environment(tmp_path), "GX": " ".join(COMMAND), **environment}
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=known)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [" ".join(SETTINGS), "--version", "explain --help"])
def test_results_that_cannot_be_printed_are_an_error_of_one_line(
    tmp_path: Path, words: str
) -> None:
    done = shell(tmp_path, f"$GX {words} > /dev/full")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and "space left" in line


READERS_GONE = {
    "settings": (SETTINGS, "stdout", 0),
    "help": (("explain", "--help"), "stdout", 0),
    "version": (("--version",), "stdout", 0),
    "help, of both": (("explain", "--help"), "both", 0),
    "wrong option": (("explain", "--wrong"), "both", 1),
}


@pytest.mark.parametrize("name", READERS_GONE)
def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path, name: str) -> None:
    words, streams, status = READERS_GONE[name]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as broken:
        done = subprocess.run(
            [*COMMAND, *words], stdout=broken, env=cli_environment(tmp_path),
            stderr=subprocess.PIPE if streams == "stdout" else broken,
        )  # fmt: skip
    assert done.returncode == status and not done.stderr


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    line = 'cd "$GONE" && rmdir "$GONE" && $GX layers c.pt'
    (tmp_path / "gone").mkdir()
    done = shell(tmp_path, line, GONE=str(tmp_path / "gone"), PYTHONPATH=str(ROOT))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: the current folder cannot be found")


@pytest.mark.parametrize(
    ("line", "status", "out"),
    [
        ("$GX explain --classifier c.pt --gan g.pt --out o --layer 2>&-", 2, ""),
        ("$GX predict nothing.wav --out p --config nothing.toml 2>&-", 2, ""),
        ("$GX --version >&-", 0, ""),
        ("$GX --version <&- >&- 2>&-", 0, ""),
        ("$GX --version <&-", 0, "ganexplain"),
    ],
)
def test_a_command_ends_the_same_where_streams_are_closed(
    tmp_path: Path, line: str, status: int, out: str
) -> None:
    done = shell(tmp_path, line)
    assert done.returncode == status, done.stderr
    assert done.stdout.startswith(out) and bool(done.stdout) == bool(out)
    assert done.stderr == ""


def test_no_file_of_a_run_becomes_a_standard_stream(tmp_path: Path) -> None:
    code = (
        "from ganexplain.runs.environment import prepare_process; prepare_process()\n"
        f"stream = open({str(tmp_path / 'file')!r}, 'w')\n"
        "import os; os.write(2, b'a library complains'); assert stream.fileno() > 2\n"
    )
    done = subprocess.run(["sh", "-c", f'{sys.executable} -c "$CODE" <&- >&- 2>&-'],
                          env={**os.environ, "CODE": code})  # fmt: skip
    assert done.returncode == 0 and (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("how", [
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "ascii:strict"},
])  # fmt: skip
def test_names_beyond_an_encoding_end_no_command(tmp_path: Path, how: dict[str, str]) -> None:
    name = "Dvo\u0159\u00e1k \u66f2.pt"
    done = shell(tmp_path, f"$GX explain --classifier '{name}' --gan g.pt --out o --dry-run", **how)
    assert done.returncode == 0, done.stderr
    assert "gan = " in done.stdout and "Traceback" not in done.stderr


@pytest.mark.parametrize("how", [
    {"PYTHONWARNINGS": "error"}, {"PYTHONOPTIMIZE": "2"}, {"PYTHONSAFEPATH": "1"},
    {"COLUMNS": "0"}, {"COLUMNS": "wide"}, {"TERM": ""}, {"COLUMNS": "1", "LINES": "0"},
])  # fmt: skip
def test_help_is_there_under_odd_settings(tmp_path: Path, how: dict[str, str]) -> None:
    done = shell(tmp_path, "$GX explain --help", **how)
    assert done.returncode == 0 and done.stderr == ""
    assert "--prior-weight" in done.stdout and "ExplainConfig(" not in done.stdout


def test_warnings_as_errors_are_for_those_who_test_libraries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setattr(sys, "warnoptions", ["error::DeprecationWarning"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        disarm_warnings()
        with pytest.warns(DeprecationWarning):
            warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert "PYTHONWARNINGS" not in os.environ


def test_text_gives_a_terminal_no_commands() -> None:
    text = "a\x1b[2Jb\x07\x9b1m\r\u202ec\x7f\td\n\u66f2 \u00e9"
    safe = terminal_safe(text)
    assert safe == "a\\x1b[2Jb\\x07\\x9b1m\\r\\u202ec\\x7f\td\n\u66f2 \u00e9"


# --- processes ----------------------------------------------------------------------------


def doubled(kept: list[int]) -> Callable[[int, Callable[[int], None]], None]:
    def work(task: int, advance: Callable[[int], None]) -> None:
        kept.append(2 * task)
        advance(1)

    return work


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOENT, errno.EACCES, errno.ENOSYS])
def test_without_shared_locks_one_process_does_the_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def refused(context: object, *arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(multiprocessing.context.BaseContext, "Queue", refused)
    kept: list[int] = []
    units: list[int] = []
    Workers("2").do([1, 2, 3], DividedWork(doubled, (kept,)), units.append)
    assert kept == [2, 4, 6] and units == [1, 1, 1]
    assert "--workers 2: one process does the work" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of open files are of Unix")
def test_too_few_open_files_are_an_error_of_one_line(tmp_path: Path) -> None:
    pretrained = ROOT / "sample_data" / "pretrained"
    done = shell(
        tmp_path,
        f"ulimit -n 14; $GX explain --classifier {pretrained / 'classifier.pt'} "
        f"--gan {pretrained / 'gan.pt'} --layer fc8 --neuron 0-1 --jobs 2 --examples 2 -q "
        f"--iterations 1 --learning-rate 0.1 --prior-weight 0.01 --out {tmp_path / 'e'}",
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: too many open files; raise the limit (ulimit -n), or lower --workers"
    ]


def test_an_interrupted_process_waits_for_no_thread() -> None:
    code = (
        "import atexit, threading, time\n"
        "from ganexplain.runs.interrupts import end_process\n"
        "atexit.register(print, 'folders removed', flush=True)\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "end_process(130)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120)
    assert done.returncode == 130 and done.stdout.strip() == b"folders removed"


def test_processes_of_a_pool_never_see_ctrl_c() -> None:
    with block_interrupts():
        code = "import signal; print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        with pytest.raises(KeyboardInterrupt), _unblocked_again():  # this one does, in the end
            os.kill(os.getpid(), signal.SIGINT)
    assert "SIGINT" in done.stdout and "SIGTERM" in done.stdout


@contextmanager
def _unblocked_again() -> Iterator[None]:
    yield
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
    time.sleep(1)


# --- folders ------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files; nothing says where the user's cache is."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return folder


def no_home(cls: type[Path]) -> Path:
    raise RuntimeError("Could not determine home directory.")


def homes(tmp_path: Path) -> dict[str, Callable[[type[Path]], Path]]:
    (tmp_path / "a file").write_text("")
    return {"none": no_home, "below a file": lambda cls: tmp_path / "a file" / "home"}


@pytest.mark.parametrize("which", ["none", "below a file"])
def test_without_a_home_the_cache_is_private_and_temporary(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setattr(Path, "home", classmethod(homes(tmp_path)[which]))
    first, second = user_cache(), user_cache()
    assert first == second and first.parent == temporary
    assert first.stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_there_is_used(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: tmp_path / "home"))
    assert user_cache() == tmp_path / "home" / ".cache" / "ganexplain"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert user_cache() == tmp_path / "x" / "ganexplain"
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("trap", ["of others", "link", "file"])
def test_a_temporary_folder_that_others_could_write_is_not_used(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    monkeypatch.setattr(Path, "home", classmethod(no_home))
    usual = user_cache()
    usual.rmdir()
    if trap == "of others":
        usual.mkdir()
        usual.chmod(0o777)
    elif trap == "link":
        (tmp_path / "elsewhere").mkdir()
        usual.symlink_to(tmp_path / "elsewhere")
    else:
        usual.write_text("")
    if trap == "file":
        with pytest.raises(UsageError, match="no folder for cached files"):
            user_cache()
    else:
        found = user_cache()
        assert found != usual and found.parent == temporary
        assert found.stat().st_mode & 0o777 == 0o700


def test_libraries_keep_their_caches_where_they_can_be_written(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", classmethod(no_home))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("MPLCONFIGDIR", "")
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    set_cache_dirs()
    for variable in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        assert Path(os.environ[variable]).parent.parent == temporary
    assert os.environ["MPLBACKEND"] == "agg"
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/mine")
    set_cache_dirs()
    assert os.environ["NUMBA_CACHE_DIR"] == "/mine"


# --- pictures -----------------------------------------------------------------------------

FRONT_END = FrontEnd()
OWN_STYLE: Any = {  # keys that matplotlib names in its types
    "text.usetex": True,
    "font.family": ["serif"],
    "font.size": 20.0,
    "lines.linewidth": 8.0,
    "axes.prop_cycle": cycler(color=["red"]),
    "axes.grid": True,
    "axes.facecolor": "black",
    "axes.unicode_minus": False,
    "image.cmap": "gray",
    "image.origin": "upper",
    "image.interpolation": "bicubic",
    "figure.dpi": 37.0,
    "figure.facecolor": "yellow",
    "figure.constrained_layout.w_pad": 0.4,
    "agg.path.chunksize": 20,
    "path.sketch": (3.0, 50.0, 2.0),
    "xtick.direction": "in",
    "xtick.labelsize": 3.0,
    "legend.frameon": True,
    "contour.negative_linestyle": "solid",
}


def mel(seed: int = 0) -> np.ndarray:
    shape = (FRONT_END.mel_bands, FRONT_END.excerpt_frames)
    return np.random.default_rng(seed).normal(-4, 2, shape).astype(np.float32)


def curves() -> bytes:
    times = np.arange(FRONT_END.excerpt_frames) / FRONT_END.frame_rate
    vocal = np.linspace(0, 1, len(times))
    segments = (Segment(0.0, 0.8, 0), Segment(0.8, 1.6, 1))
    found = Prediction(times, np.stack([1 - vocal, vocal], 1), segments, ("no", "yes"), 0.5)
    return curve_picture(mel().T, found, FRONT_END, "a name")


def attribution() -> bytes:
    kept = np.zeros(mel().shape, dtype=bool)
    kept[20:40, 30:60] = True
    return attribution_picture(mel(), mel(1), kept, FRONT_END, "why")


def of_a_picture() -> bytes:
    colours = np.random.default_rng(0).random((3, 12, 10))
    return picture_attribution(colours, colours[0] - 0.5, colours[1] > 0.5, "why")


def parts() -> bytes:
    window = np.zeros(mel().shape)
    window[10:30, 20:50] = 1.0
    patch = Patch(mel(), window, 0.5, "song.ogg", 1.0, None)
    row = Filter(3, 0.5, 0.5, 0.1, 1.0, [10.0, 30.0], [20.0, 50.0])
    return parts_sheet([FilterParts(row, window, [patch])], FRONT_END)


PICTURES: dict[str, Callable[[], bytes]] = {
    "curve": curves,
    "samples": lambda: sample_sheet({"real": mel()[None], "drawn": mel(1)[None]}, FRONT_END),
    "change": lambda: change_picture({"a": mel(), "b": mel(1)}, FRONT_END),
    "attribution": attribution,
    "of a picture": of_a_picture,
    "parts": parts,
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_the_same_bytes_whatever_the_user_s_style(name: str) -> None:
    usual = PICTURES[name]()
    with matplotlib.rc_context(OWN_STYLE):
        assert PICTURES[name]() == usual
        assert matplotlib.rcParams["font.size"] == 20.0  # and the user keeps it


def test_the_style_would_change_a_picture_otherwise() -> None:
    plain = {k: v for k, v in OWN_STYLE.items() if k != "text.usetex"}
    with matplotlib.rc_context(plain):
        styled = inspect.unwrap(change_picture)({"a": mel(), "b": mel(1)}, FRONT_END)
    with default_style():
        usual = inspect.unwrap(change_picture)({"a": mel(), "b": mel(1)}, FRONT_END)
    assert styled != usual
