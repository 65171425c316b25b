"""What several tests share: synthesised recordings, small corpora, and the command line."""

from __future__ import annotations

import gc
import os
import signal
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from support import recordings
from support.commands import (
    Finished,
    Run,
    finished_fork,
    finished_here,
    status_here,
)
from support.paths import ROOT
from support.recordings import JamendoFolder, jamendo_folder

# A shell that runs the tests in the background has Ctrl-C ignored, by the commands tested too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# One thread, as commands and workers of a pool have: in several, sums round otherwise.
os.environ.setdefault("OMP_NUM_THREADS", "1")
for variable in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):  # one for all tests, whatever their cache
    os.environ.setdefault(variable, str(ROOT / ".pytest_cache" / variable.lower()))

if "SLIPCOVER_ENABLED" in os.environ and sys.version_info < (3, 12):
    # To take probes out of lines that have run, SlipCover walks through all functions that are
    # loaded, once for each line that has run fifty times. A probe that stays costs 11 ns.
    from slipcover import Slipcover

    Slipcover.deinstrument_seen = lambda self: None

# A busy machine is slow to make examples, and to run them.
settings.register_profile(
    "busy", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")


@pytest.hookimpl(tryfirst=True)  # before -m leaves any out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: a worker that starts one last would keep others waiting."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish() -> None:
    """The garbage collector, else an eighth of the time of tests, looks less often and at less."""
    gc.freeze()  # what is loaded by now stays: half a second, each time it looks
    gc.set_threshold(5_000)


def seed_global_generators(name: str) -> None:
    """Seed NumPy's global generator, and torch's if it is loaded, by a name."""
    seed = zlib.crc32(name.encode())
    np.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(seed)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> None:
    """What a fixture draws does not depend on the tests before it."""
    seed_global_generators(f"{request.node.nodeid} {fixturedef.argname}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """What a test draws does not depend on the tests before it."""
    seed_global_generators(item.nodeid)


@pytest.fixture(autouse=True, scope="session")
def no_wait_for_the_disk() -> Iterator[None]:
    """Files that this process writes are not synchronised: ten milliseconds each, for thousands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def jamendo(tmp_path: Path) -> JamendoFolder:
    """A small valid corpus of its own for the test."""
    return jamendo_folder(tmp_path / "corpus")


@pytest.fixture
def ganexplain(tmp_path: Path) -> Run:
    """Runs the command in a process of its own."""

    def run(*words: str | Path) -> Finished:
        return finished_fork(words, tmp_path / "cache")

    return run


@pytest.fixture(scope="session")
def corpus_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of corpora for all tests and workers, whose entries are named by their content."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "corpus-cache"


@pytest.fixture(scope="module")
def some_of_the_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quarter of the recordings that are shipped, where any music does."""
    return recordings.some_of_the_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def few_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GAN in training is validated on few samples."""
    from ganexplain.gans import validation
    from ganexplain.stages import train_gan

    monkeypatch.setattr(validation, "EXCERPTS", 20)
    monkeypatch.setattr(validation, "CANDIDATES", 20)
    monkeypatch.setattr(train_gan, "EXCERPTS", 20)


@pytest.fixture
def brief_validation(few_validated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `few_validated`, and the sheets of samples are empty."""
    from ganexplain.report.pictures import sample_sheet

    monkeypatch.setattr(sample_sheet, "GRIFFIN_LIM_ITERATIONS", 1)
    monkeypatch.setattr(sample_sheet, "sample_sheet", lambda rows, front_end: b"")


@pytest.fixture
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The median response, which a counterfactual of a hidden unit crosses, is of few samples."""
    from ganexplain.counterfactuals import boundary

    monkeypatch.setattr(boundary, "MEDIAN_SAMPLES", 8)


@pytest.fixture
def command(corpus_cache: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process: the same words and exit status, sooner."""

    def run(*words: str | Path) -> Finished:
        capfd.readouterr()
        code = status_here(words, corpus_cache)
        shown = capfd.readouterr()
        return Finished(code, shown.out, shown.err)

    return run


@pytest.fixture(scope="module")
def run(corpus_cache: Path) -> Run:
    """Runs the command in this process, for fixtures too, and expects a status, 0 where none is."""

    def ganexplain(*words: str | Path, status: int = 0) -> Finished:
        done = finished_here(words, corpus_cache)
        assert done.code == status, done.err
        return done

    return ganexplain


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread, as processes of a pool and the commands of `run` have: others round otherwise."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
