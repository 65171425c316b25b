"""Tasks on the workers of a Dask scheduler, on this machine or many (extra `cluster`).

Whoever reaches the port of a scheduler can run code, so an address other than loopback must have
TLS; keys and certificates are those of Dask's own configuration.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ganexplain.errors import GanexplainError, UsageError, reason_of
from ganexplain.files.atomic import read_json
from ganexplain.runs.engine import Engine
from ganexplain.runs.progress import LOGGER
from ganexplain.runs.tasks import Job, do_task

PROTOCOLS = ("tcp", "tls")
SECONDS_TO_CONNECT = 10.0


def scheduler_address(path: Path) -> str:
    """The address in the file that `dask scheduler --scheduler-file` has written."""
    if not path.is_file():
        raise UsageError(f"--scheduler-file {path}: no such file; start `dask scheduler` first")
    address = read_json(path).get("address")
    if not isinstance(address, str):
        raise UsageError(f"--scheduler-file {path}: has no address of a Dask scheduler")
    return address


def check_address(address: str) -> None:
    """Raise UsageError for what is no address of a scheduler, or one without TLS on a network."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or parts.scheme not in PROTOCOLS:
        raise UsageError(f"--workers {address}: give tcp://HOST:PORT or tls://HOST:PORT")
    if parts.scheme != "tls" and not _is_loopback(host):
        raise UsageError(
            f"--workers {address}: whoever reaches a scheduler without TLS can run code on its "
            "workers; start it with TLS and give tls://HOST:PORT"
        )
    if importlib.util.find_spec("distributed") is None:
        raise UsageError(
            f"--workers {address}: needs Dask: pip install '.[cluster]' in ganexplain's folder"
        )
    try:
        socket.create_connection((host, port), SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise _unreachable(address, error) from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unreachable(address: str, error: BaseException) -> GanexplainError:
    reason = getattr(error, "strerror", None) or reason_of(error)
    return GanexplainError(
        f"--workers {address}: cannot reach the scheduler ({reason}); start it, or correct the "
        "address"
    )


@contextmanager
def dask_workers(address: str, job: Job) -> Iterator[Engine]:
    """The workers of a scheduler, which may come and go; those that die are replaced by it.

    Raises GanexplainError if the scheduler cannot be reached.
    """
    from distributed import Client, Security

    with _quiet_dask():
        try:
            client = Client(
                address, security=Security(), timeout=SECONDS_TO_CONNECT, set_as_default=False
            )
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise _unreachable(address, error) from error
        with client:
            _note_workers(client, address)
            # A task of its own, so that each worker gets the job once and a lost one is made again.
            shared = client.submit(_job, job, pure=False)
            cause = partial(_cause, address)
            yield Engine(client.get_executor(pure=False), _do, (shared,), cause=cause)


@contextmanager
def _quiet_dask() -> Iterator[None]:
    """While open, Dask logs no errors, since they are raised here."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _note_workers(client: Any, address: str) -> None:
    threads = client.nthreads().values()
    if not threads:
        LOGGER.warning("%s has no workers yet; the run waits for some", address)
    elif max(threads) > 1:
        LOGGER.warning(
            "%s: a worker has %d threads, but does one task at a time; start workers with "
            "--nthreads 1, one for each core", address, max(threads),
        )  # fmt: skip


def _cause(address: str, error: BaseException) -> GanexplainError | None:
    """What an error of Dask itself means."""
    from distributed import KilledWorker

    kept = "finished work is kept: run the command again with --resume"
    if isinstance(error, KilledWorker):
        return GanexplainError(
            f"a part has killed {error.allowed_failures + 1} workers (out of memory?), the last "
            f"at {error.last_worker.address}; {kept}"
        )
    if isinstance(error, CancelledError):
        return GanexplainError(f"{address}: the scheduler is gone; {kept}")
    if isinstance(error, ImportError) or "deserialization" in str(error):
        return GanexplainError(
            f"{address}: a worker cannot run ganexplain ({reason_of(error.__cause__ or error)}); "
            "install the same versions there"
        )
    return None


def _job(job: Job) -> Job:
    return job


def _do(job: Job, number: int, task: Any) -> int:
    return do_task(job, number, task, _stop_if_cancelled)


def _stop_if_cancelled(number: int, units: int) -> None:
    """End a task whose command has ended, so that it writes nothing into a later run."""
    from distributed import get_worker

    worker = get_worker()
    state = worker.state.tasks.get(worker.get_current_task())
    if state is None or state.state == "cancelled":
        raise GanexplainError("the command has ended")
