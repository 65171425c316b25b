"""Tasks are done by any workers with the same files, and what goes wrong is one line."""

from __future__ import annotations

import importlib.util
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ganexplain.config.shared import Divides
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.runs import tasks as tasks_module
from ganexplain.runs.cluster import dask_workers
from ganexplain.runs.engine import Engine
from ganexplain.runs.tasks import Job, do_task
from ganexplain.runs.workers import DividedWork, Workers

distributed = pytest.importorskip("distributed", reason="Dask is absent")
TASKS = ["a", "b", "c", "d"]
running = threading.Lock()


class Writing:
    """Writes a file for each task; a second one at the same time in a process is an error."""

    def __init__(self, out: Path, faulty: str = "", loaded: str = "") -> None:
        self.out, self.faulty = out, faulty

    def __call__(self, task: str, advance: Callable[[int], None]) -> None:
        if task == self.faulty:
            raise FileNotFoundError(2, "No such file or directory", "/gone/away")
        assert running.acquire(blocking=False)
        try:
            advance(2)  # raises in a task that is still waiting when another has failed
            (self.out / task).write_text(task * 3)
            advance(1)
        finally:
            running.release()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler with two workers, in threads of this process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0",
        host="127.0.0.1",
    ) as cluster:  # fmt: skip
        yield cluster.scheduler_address


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text("seed = 1\n")
    return tmp_path / "run"


def job_from_elsewhere(out: Path) -> Job:
    return replace(Job.of(Writing, (out,), out), host="another machine")


def test_any_workers_write_the_same_files(address: str, out: Path) -> None:
    with ThreadPoolExecutor(3) as threads:
        cluster = Workers.of(Divides(workers=address))
        for workers in (Workers(), Workers(executor=threads), cluster):
            units: list[int] = []
            workers.do(TASKS, DividedWork(Writing, (out,), out), units.append)
            assert sum(units) == 12
            for task in TASKS:
                assert (out / task).read_text() == task * 3
                (out / task).unlink()


def test_this_process_uses_what_it_has_loaded(out: Path) -> None:
    seen = []

    def prepare(*arguments: object) -> Callable[..., None]:
        seen.append(arguments)
        return lambda task, advance: None

    Workers().do(TASKS, DividedWork(prepare, (1,), out, loaded=("network",)), print)
    assert seen == [(1, "network")]


class Copying:
    """Writes for each task what a file contained when the work was prepared."""

    def __init__(self, source: Path, out: Path) -> None:
        self.text, self.out = source.read_text(), out

    def __call__(self, task: str, advance: Callable[[int], None]) -> None:
        (self.out / task).write_text(self.text)


def test_workers_that_stay_read_the_files_of_each_run_again(address: str, out: Path) -> None:
    for text in ("first network", "second network"):
        (out / "network").write_text(text)
        work = DividedWork(Copying, (out / "network", out), out)
        Workers(address=address).do(TASKS, work, print)
        assert {(out / task).read_text() for task in TASKS} == {text}


def test_tasks_of_a_given_executor_that_have_begun_are_done_when_a_run_fails() -> None:
    begun, done = threading.Event(), list[str]()

    def do(number: int, task: str) -> int:
        if task == "faulty":
            begun.wait(10)
            raise ValueError("stop")
        begun.set()
        time.sleep(0.3)
        done.append(task)
        return 1

    with ThreadPoolExecutor(2) as threads:
        with pytest.raises(ValueError, match="stop"):
            Engine(threads, do, waits=True).run(["late", "faulty", "next"], print)
        assert "late" in done


def test_dask_logs_again_after_a_run(address: str, out: Path) -> None:
    logger = logging.getLogger("distributed")
    before = logger.level
    with dask_workers(address, Job.of(Writing, (out,), out)):
        assert logger.level == logging.CRITICAL
    assert logger.level == before != logging.CRITICAL


def test_the_error_of_a_task_keeps_its_cause(address: str, out: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        for workers in (Workers(), Workers(executor=threads), Workers(address=address)):
            with pytest.raises(FileNotFoundError) as caught:
                workers.do(TASKS, DividedWork(Writing, (out, "b"), out), lambda units: None)
            assert caught.value.filename == "/gone/away"


class Endless:
    """Works for ever, but for the task `faulty`, and notes that it was stopped."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def __call__(self, task: str, advance: Callable[[int], None]) -> None:
        if task == "faulty":
            while not (self.out / "begun").exists():
                time.sleep(0.01)
            raise ValueError("stop")
        (self.out / "begun").touch()
        try:
            while True:
                advance(1)
                time.sleep(0.01)
        finally:
            (self.out / "stopped").touch()


@pytest.mark.slow
def test_tasks_of_a_command_that_has_ended_stop(out: Path) -> None:
    """Each worker of the cluster is a process, as a thread would do one task after the other."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1"
    ) as cluster:
        workers = Workers(address=cluster.scheduler_address)
        with pytest.raises(ValueError, match="stop"):
            workers.do(["endless", "faulty"], DividedWork(Endless, (out,), out), print)
        deadline = time.monotonic() + 60  # of a busy machine
        while not (out / "stopped").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (out / "stopped").exists()


@pytest.mark.slow
def test_a_scheduler_that_dies_is_one_line(
    out: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", *words],
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60  # of a busy machine
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
    timer = threading.Timer(2, scheduler.kill)
    timer.start()
    workers = Workers.of(Divides(workers=f"tcp://127.0.0.1:{port}"))
    with pytest.raises(GanexplainError, match="the scheduler is gone; finished work is kept"):
        workers.do(TASKS, DividedWork(Writing, (out,), out), print)
    scheduler.wait()
    assert "has no workers yet; the run waits for some" in caplog.text
    assert capfd.readouterr() == ("", "")


# --- what a process of its own checks before a task ---------------------------------------


@pytest.mark.parametrize("name", ["ganexplain", "python", "torch", "numpy"])
def test_another_version_is_named(out: Path, name: str) -> None:
    job = job_from_elsewhere(out)
    job = replace(job, versions={**job.versions, name: "0.1"})
    with pytest.raises(GanexplainError, match=f"has {name} .*, this command 0.1; install the same"):
        do_task(job, 0, "a")
    assert not (out / "a").exists()


def test_a_folder_that_is_not_shared_is_named(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(out.parent)
    job = job_from_elsewhere(out)
    with pytest.raises(
        GanexplainError, match=r"worker on .*nowhere: No such file or directory; st"
    ):
        do_task(replace(job, folder=str(out / "nowhere")), 0, "a")


@pytest.mark.parametrize("change", ["gone", "of another run"])
def test_a_run_directory_that_is_not_shared_is_named(
    out: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.chdir(out.parent)
    monkeypatch.setattr(tasks_module, "_set_up_process", lambda: None)
    job = job_from_elsewhere(out)
    do_task(job, 0, "a")
    (out / "config.toml").write_text("seed = 2\n")
    if change == "gone":
        (out / "config.toml").unlink()
    with pytest.raises(GanexplainError, match="run is not the run directory of this command there"):
        do_task(job, 0, "b")
    assert (out / "a").exists() and not (out / "b").exists()


def test_names_are_relative_to_the_folder_of_the_command(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks_module, "_set_up_process", lambda: None)
    monkeypatch.chdir(out)
    job = replace(Job.of(Writing, (Path(),), Path()), host="another machine")
    monkeypatch.chdir("/")
    do_task(job, 0, "a")
    assert (out / "a").exists() and Path.cwd() == out


# --- settings -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ""])
def test_numbers_of_workers_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"--workers {text}: give auto, a number"):
        Workers.of(Divides(workers=text))


def test_no_more_processes_than_tasks() -> None:
    assert Workers("3").count(10, False) == 3 and Workers("3").count(2, False) == 2
    assert Workers("auto").count(10, False) == 1 and Workers("2").count(0, True) == 1


@pytest.mark.parametrize(
    ("address", "reason"),
    [("tcp://10.0.0.5:8786", "without TLS"), ("tcp://cluster.example:8786", "without TLS"),
     ("tcp://[2001:db8::1]:8786", "without TLS"), ("tcp://localhost", "HOST:PORT"),
     ("tcp://localhost:none", "HOST:PORT"), ("http://localhost:8786", "HOST:PORT"),
     ("inproc://10.0.0.5/1/1", "HOST:PORT")],
)  # fmt: skip
def test_addresses_that_are_not_used(address: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Workers.of(Divides(workers=address))


def test_a_scheduler_that_is_not_there_is_an_error_before_the_run(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    with pytest.raises(GanexplainError, match=r"cannot reach the scheduler \(Connection refused\)"):
        Workers.of(Divides(workers=f"tcp://127.0.0.1:{free}"))


def test_the_address_is_that_of_the_scheduler_file(address: str, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    with pytest.raises(UsageError, match="no such file; start `dask scheduler` first"):
        Workers.of(Divides(scheduler_file=str(file)))
    file.write_text(json.dumps({"type": "Scheduler", "address": address}))
    assert Workers.of(Divides(scheduler_file=str(file))).address == address
    with pytest.raises(UsageError, match="use only one of the two"):
        Workers.of(Divides(scheduler_file=str(file), workers="2"))
    file.write_text("{}")
    with pytest.raises(UsageError, match="has no address of a Dask scheduler"):
        Workers.of(Divides(scheduler_file=str(file)))


def test_without_dask_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "distributed" else usual(name)
    )
    with pytest.raises(UsageError, match=r"pip install '\.\[cluster\]'"):
        Workers.of(Divides(workers="tcp://127.0.0.1:8786"))
