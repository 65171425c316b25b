"""A run directory: settings (`config.toml`), record (`run.json`) and logs (`log.txt`,
`metrics.jsonl`) beside the artifacts of the stage.

A run locks its log file, so a second run into the same directory is refused; the lock ends with
the process. A process may be killed at any moment, also while it creates or clears a directory;
the rest is always recognised as a run directory.
"""

from __future__ import annotations

import json
import platform
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from ganexplain.config import toml_bytes
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.atomic import read_json, remove_unfinished, write_bytes, write_json
from ganexplain.runs.earlier import first_difference
from ganexplain.runs.inputs import Recording, RunInputs
from ganexplain.runs.lock import (
    check_new,
    clear_directory,
    contains_results,
    create_directory,
    directory_entries,
    has_only_start_files,
    lock_directory,
    result_files,
    run_records,
)
from ganexplain.runs.machine import resolve_device_name, thread_count
from ganexplain.runs.precision import check_same_precision, recorded_precision
from ganexplain.runs.progress import LoggedProgress, Progress, forward_warnings
from ganexplain.runs.record import FinishedRun, library_versions, tensorboard_writer
from ganexplain.version import __version__


class RunDirectory:
    """The run directory of one stage; when it is closed, `run.json` states how the run ended.

    With `resume`, files of an earlier run with the same settings stay, and of a finished one the
    record until `note_inputs`; without such a run the run is new. `resume` is None for a stage that
    cannot be resumed: files of such a run that failed are not results, and the next run may
    overwrite them. Runs with a `share` ("0-of-8") use one directory at the same time, each with its
    own `run-SHARE.json` and `log-SHARE.txt`; the first one writes `config.toml`, the others must
    have the same settings. A stage adds to `results` and `warnings`, which `run.json` then has.

    Raises UsageError if the directory contains results and neither `overwrite` nor `resume` is
    set, or if a setting differs from the run to resume; GanexplainError if an input of that run
    has changed.
    """

    def __init__(
        self,
        path: Path,
        stage: str,
        config: Any,
        overwrite: bool = False,
        resume: bool | None = None,
        share: str = "",
    ) -> None:
        self.resumable = resume is not None
        self.path, self.stage, self.config, self.share = path, stage, config, share
        ending = f"-{share}" if share else ""
        self.run_file, self.log_file = path / f"run{ending}.json", path / f"log{ending}.txt"
        self.metrics = 0
        self._board: Any = None  # False if TensorBoard is not installed
        self._read = RunInputs(path)
        self.finished: FinishedRun | None = None  # the resumed run, if it was done
        self._computes = False  # until then, run.json of a finished run stays
        self._check_entries(overwrite, bool(resume))
        create_directory(path)
        with ExitStack() as stack:
            lock_directory(self.log_file, stack)
            self.resumed = bool(resume or share) and (path / "config.toml").is_file()
            if self.resumed:
                self._check_same_settings()
            elif not share:
                clear_directory(self.log_file)
            remove_unfinished(path)
            self._open_files = stack.pop_all()
        self.results: dict[str, object] = {}
        self.warnings: list[str] = []

    def _check_entries(self, overwrite: bool, resume: bool) -> None:
        """Raise UsageError if the directory's entries do not allow this run."""
        # The first of several shares writes its log and config.toml before all else.
        entries = directory_entries(self.path)
        if (resume or self.share) and (self.path / "config.toml").is_file():
            self._check_same_settings()
            records = run_records(self.path)  # inputs of other shares are checked at the merge
            check_same_precision(self.path, records, self.config)
            own = [record for record in records if record == self.run_file or not self.share]
            self._read = RunInputs(self.path, own)
            self._read.check_files()
            self.finished = FinishedRun.read(self.run_file)
            return
        if not entries:
            return
        if self.share:
            if not has_only_start_files(entries):
                raise UsageError(f"--out {self.path}: not empty; {self._instead()}")
            return
        if not (overwrite or resume):
            check_new(self.path, self.stage, self.resumable)
            self._refuse_to_delete_inputs()  # of a run that failed, this one starts anew
            return
        if not (has_only_start_files(entries) or run_records(self.path)):
            raise UsageError(f"--out {self.path}: not a run directory, so it is left alone")
        self._check_same_stage()
        self._refuse_to_delete_inputs()

    def _refuse_to_delete_inputs(self) -> None:
        for name in self._named_inputs():
            if Path(name).resolve().is_relative_to(self.path.resolve()):
                raise UsageError(f"--out {self.path}: contains {name}, an input; name another")

    def _named_inputs(self) -> Iterator[str]:
        """The paths of inputs among the settings."""
        for field in fields(self.config):
            value = getattr(self.config, field.name)
            if field.metadata.get("reads") and value:
                yield from value if isinstance(value, tuple) else (value,)

    def _check_same_stage(self) -> None:
        earlier = next((read_json(run).get("stage") for run in run_records(self.path)), self.stage)
        if earlier != self.stage:
            raise UsageError(
                f"--out {self.path}: contains a run of {earlier}, not of {self.stage}; name another"
            )

    def _check_same_settings(self) -> None:
        self._check_same_stage()
        if change := first_difference(self.path, self.stage, self.config):
            raise UsageError(
                f"--{'out' if self.share else 'resume'}: {change}; give the same, or "
                f"{self._instead() if self.share else '--overwrite to start again'}"
            )

    def _instead(self) -> str:
        """The advice if a share cannot run; it clears nothing because another may be running."""
        states = [read_json(run).get("state") for run in run_records(self.path)]
        if "running" in states or contains_results(self.path, self.stage):
            return "name another"
        return f"remove {self.path}, where no share has done anything yet"

    def __enter__(self) -> RunDirectory:
        with self._open_files:  # closed here where the block fails
            self.warnings = self._open_files.enter_context(forward_warnings(self.log))
            self._begin()
            for message in self.warnings:  # of inputs that were read before
                self.log(message)
            self._open_files = self._open_files.pop_all()
        return self

    def _begin(self) -> None:
        self.started = time.time()
        if not (self.share and self.resumed):
            shared = {"shard": ""} if self.share and hasattr(self.config, "shard") else {}
            settings = toml_bytes(self.stage, replace(self.config, **shared))
            write_bytes(self.path / "config.toml", settings)
        for name in self._named_inputs():
            if Path(name).is_file():
                self._read.hash(Path(name))
        self._write_state("running")
        self.log(f"{'resumed' if self.resumed else 'started'}: {shlex.join(sys.argv)}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._open_files:
            if kind is None:
                self.log("done")
                self._write_state("done")
                return
            state = "interrupted" if issubclass(kind, KeyboardInterrupt) else "failed"
            try:
                self.log(f"{state}: {error}")
                lost = state == "failed" and not self.resumable
                left = {"left": [str(file) for file in result_files(self.path)]} if lost else {}
                self._write_state(state, error=str(error), **left)
            except (GanexplainError, OSError):
                pass  # the disk is full; the first error is reported

    def close(self) -> None:
        """Give the lock up before the run has begun."""
        self._open_files.close()

    @property
    def inputs(self) -> Mapping[str, str]:
        """SHA-256 of the inputs, by their names in the stage."""
        return self._read.named

    @property
    def unchecked(self) -> Sequence[str]:
        """Inputs that are not in the record of the resumed run."""
        return self._read.unchecked

    def used(self, name: str, path: Path) -> str:
        """Record an input file in `run.json` and return its SHA-256.

        Raises GanexplainError if the resumed run began with another file.
        """
        return self._read.note(name, self._read.hash(path))

    def used_recordings(self, split: str, recordings: Iterable[Recording]) -> None:
        """Record the names and contents of a split's recordings and labels; errors as `used`."""
        self._read.note_recordings(split, recordings)

    def note_inputs(self) -> None:
        """Write the inputs so far to `run.json`, so that a killed run can be resumed.

        From here on the stage computes: `run.json` of a finished run was left as it is until now.
        """
        self._computes = True
        self._write_state("running")

    def keep_record(self, progress: Progress) -> None:
        """Report what the finished run warned of, and that nothing is computed again."""
        done = f"{self.path}: was done before; --overwrite computes it again"
        for message in (*(self.finished.warnings if self.finished else ()), done):
            progress.note(message)

    def log(self, message: str) -> None:
        """Append a line with the time to `log.txt`."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        self._append(self.log_file.name, f"{stamp} {message}")

    def metric(self, **values: float | str) -> None:
        """Append one line of numbers to `metrics.jsonl`, and to TensorBoard's if installed."""
        self._append("metrics.jsonl", json.dumps(values))
        self.metrics += 1
        if self._board is None:
            self._board = tensorboard_writer(self.path / "tensorboard")
        if self._board:
            step = next((int(values[k]) for k in ("step", "epoch") if k in values), self.metrics)
            for name, value in values.items():
                if not isinstance(value, str):
                    self._board.add_scalar(name, value, step)
            self._board.flush()

    def keep_metrics(self, lines: int) -> None:
        """Keep the first `lines` lines of `metrics.jsonl`, those before the restored state."""
        path = self.path / "metrics.jsonl"
        text = path.read_text().splitlines(keepends=True) if path.is_file() else []
        write_bytes(path, "".join(text[:lines]).encode())
        self.metrics = lines

    def _append(self, name: str, line: str) -> None:
        try:
            with (self.path / name).open("ab") as stream:  # file names may not be UTF-8
                stream.write(f"{line}\n".encode(errors="backslashreplace"))
        except OSError as error:
            raise GanexplainError(f"{self.path / name}: {error.strerror}") from error

    def keep_notes(self, progress: Progress) -> Progress:
        """A progress like `progress` that also writes notes to `log.txt`.

        Skipped files are also listed under `warnings` in `run.json`.
        """
        return LoggedProgress(progress, self.log, self.warnings)

    def _write_state(self, state: str, **more: str | list[str]) -> None:
        if self.finished and not self._computes:
            return
        write_json(
            self.run_file,
            {
                "stage": self.stage,
                "state": state,
                "version": __version__,
                "argv": sys.argv,
                "folder": str(Path.cwd()),
                "seed": getattr(self.config, "seed", None),
                "device": resolve_device_name(getattr(self.config, "device", None)),
                "precision": recorded_precision(self.config),
                "threads": thread_count(),
                "python": platform.python_version(),
                "machine": platform.platform(),
                "libraries": library_versions(),
                "inputs": self._read.named,
                "results": self.results,
                "warnings": self.warnings,
                "started": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(self.started)),
                "seconds": round(time.time() - self.started, 2),
                **more,
                "files": self._read.files,
            },
        )
