"""What is built, installed where there is nothing else: no home, no compiler, no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from support.paths import PRETRAINED, ROOT, SAMPLE
from support.recordings import noise, write_sound
from support.report_artifacts import Artifacts

from ganexplain.corpora.manifest import manifest_rows

SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "ganexplain")
BUILD = """
import sys
from setuptools import build_meta
folder = sys.argv[1]
build_meta.build_sdist(folder)
build_meta.build_wheel(folder)
"""


def built(source: Path, into: Path) -> list[Path]:
    """The sdist and the wheel of a source tree, by the hooks that pip and build call."""
    into.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(into)], cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return sorted(into.iterdir(), key=lambda path: path.suffix)  # .gz before .whl


def shipped_names() -> list[str]:
    """What `ganexplain demo` reads, below sample_data/, with the sources of the recordings."""
    recordings = {row.path for row in manifest_rows(SAMPLE / "demo.csv")}
    networks = [f"pretrained/{name}.pt" for name in ("classifier", "gan", "judge", "referee")]
    return ["demo.csv", "SOURCES.md", *networks, *sorted(recordings)]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The sdist, the wheel, and the wheel built from the unpacked sdist."""
    pytest.importorskip("setuptools", "77")
    folder = tmp_path_factory.mktemp("packages")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, source / name)
    for name in shipped_names():  # small files in place of 20 MB; what they contain plays no part
        (source / "sample_data" / name).parent.mkdir(parents=True, exist_ok=True)
        (source / "sample_data" / name).write_text(name)
    shutil.copy(SAMPLE / "demo.csv", source / "sample_data")
    sdist, wheel = built(source, folder / "first")
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):  # of Python 3.11 from 3.11.4 on
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder / "unpacked")  # which was made here
    (unpacked,) = (folder / "unpacked").iterdir()
    return [sdist, wheel, built(unpacked, folder / "second")[1]]


def contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


def test_packages_hold_all_that_runs_and_nothing_else(packages: list[Path]) -> None:
    held = contents(packages[1])
    code = {name for name in held if ".dist-info/" not in name}
    tracked = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "ganexplain").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert code == tracked | {f"ganexplain/sample_data/{name}" for name in shipped_names()}
    assert {"page.html", "page.css", "grid.js", "sound.js"} <= {Path(n).name for n in code}
    assert contents(packages[2]) == held  # what the sdist lacks would be missing here


def test_what_the_package_brings_is_at_most_20_megabytes() -> None:
    assert sum((SAMPLE / name).stat().st_size for name in shipped_names()) <= 20e6


def offline() -> list[str]:
    """What runs a command without network, where that can be done."""
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([unshare, "-n", "true"], capture_output=True).returncode == 0:
        return [unshare, "-n"]
    return []


def everything(folders: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    """Size and time of change of all files below."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@pytest.mark.slow
def test_the_wheel_runs_outside_the_checkout(packages: list[Path], tmp_path: Path) -> None:
    """Without home, compiler, network or cache; it writes where it is told to and in its cache."""
    site, home, work, scratch = (tmp_path / name for name in ("site", "home", "work", "scratch"))
    for folder in (home, work, scratch):
        folder.mkdir()
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--no-compile", "--target", str(site), str(packages[1])],
        capture_output=True, text=True,
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    made = Artifacts(work / "made").complete()
    made.folder.mkdir()
    made.write()
    write_sound(work / "song.wav", noise(2.0))
    for name in ("referee.pt", "classifier.pt", "gan.pt"):
        shutil.copy(PRETRAINED / name, work / name)
    environment = {
        "PATH": "/nowhere", "HOME": str(home), "TMPDIR": str(scratch), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{site}:{sysconfig.get_path('purelib')}", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip

    def run(*words: str) -> str:
        command = [*offline(), sys.executable, "-P", str(site / "bin" / "ganexplain"), *words]
        done = subprocess.run(
            command, cwd=work, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import ganexplain; print(ganexplain.__file__)"
    asked = [sys.executable, "-P", "-c", where]
    found = subprocess.run(asked, cwd=work, env=environment, capture_output=True, text=True)
    assert Path(found.stdout.strip()).is_relative_to(site), found
    before = everything((site, home, work, scratch))
    assert "train-classifier" in run("--help")
    assert run("predict", "song.wav", "--classifier", "referee.pt", "--out", "p").startswith("p/")
    run("explain", "--classifier", "classifier.pt", "--gan", "gan.pt", "--iterations", "2",
        "--learning-rate", "0.1", "--prior-weight", "0.1", "--examples", "2", "--jobs", "1",
        "--out", "e")  # fmt: skip
    page = run("report", "made/explanations.npz", "--selection", "made", "--examples", "1",
               "--griffin-lim-iterations", "1", "--out", "r").strip()  # fmt: skip
    assert "<style>" in (work / page).read_text()
    after = everything((site, home, work, scratch))
    changed = {path for path in before if after.get(path) != before[path]}
    assert changed == set()
    allowed = [work / name for name in "per"] + [home / ".cache" / "ganexplain"]
    strays = [p for p in after.keys() - before if not any(p.is_relative_to(a) for a in allowed)]
    assert strays == []
    assert os.access(home / ".cache" / "ganexplain", os.W_OK)
