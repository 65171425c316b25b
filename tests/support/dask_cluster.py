"""A Dask cluster on loopback whose processes may be killed, and are started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from distributed import Client

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}


@dataclass
class Cluster:
    """A scheduler on loopback with workers; each is a process that may be killed."""

    workers: int
    port: int
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where the scheduler listens."""
        return f"tcp://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start what does not run, and wait until all workers are known to the scheduler."""
        where = ("--host", "127.0.0.1", "--port", str(self.port))
        many = (self.address, "--nworkers", str(self.workers), "--nthreads", "1")
        for name, words in (("scheduler", where), ("worker", many)):
            running = self.started.get(name)
            if running is None or running.poll() is not None:
                self.started[name] = subprocess.Popen(
                    [sys.executable, "-m", f"distributed.cli.dask_{name}", *words,
                     "--no-dashboard"],
                    env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
        with Client(self.address, timeout="60s", set_as_default=False) as client:
            client.wait_for_workers(self.workers, timeout=60)

    def worker_processes(self) -> list[int]:
        """The processes that do tasks, which the process of `dask worker` restarts."""
        children = _children(self.started["worker"].pid)
        return [p for p in children if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]

    def kill_worker(self) -> None:
        """Kill a process that does tasks, if one is there."""
        for process in self.worker_processes()[:1]:
            os.kill(process, signal.SIGKILL)

    def kill_scheduler(self) -> None:
        """Kill the scheduler, and end the workers, which would end by themselves a little later."""
        self.started["scheduler"].kill()
        self.started["scheduler"].wait()
        self._end("worker")

    def stop(self) -> None:
        """End all processes."""
        for name in self.started:
            self._end(name)

    def _end(self, name: str) -> None:
        self.started[name].terminate()
        self.started[name].wait()


def _children(pid: int) -> list[int]:
    own = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, own) for each in (child, *_children(child))]


@contextmanager
def cluster(workers: int) -> Iterator[Cluster]:
    """A running cluster on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ExitStack() as stack:
        started = Cluster(workers, port)
        stack.callback(started.stop)
        started.start()
        yield started
