"""`rerun`: a run directory -> the same run again, and whether it gave the same."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import torch

from ganexplain.config import LONGEST_SETTINGS, STAGES, RerunConfig
from ganexplain.errors import UsageError, check_known
from ganexplain.files.atomic import file_hash, read_json
from ganexplain.files.bounded import read_toml
from ganexplain.runs.progress import Progress
from ganexplain.runs.record import library_versions
from ganexplain.stages.comparing import differences
from ganexplain.version import __version__

# What run.json tells of a run that can be repeated.
TOLD: dict[str, type] = {
    "stage": str,
    "folder": str,
    "version": str,
    "files": dict,
    "inputs": dict,
    "libraries": dict,
}


def rerun(
    config: RerunConfig, out: Path, progress: Progress, overwrite: bool = False
) -> dict[str, Any]:
    """Do what a run directory tells into `out`; the document says of each file how it differs.

    Paths in the settings are those of the folder the run was started in, where it is still there.
    Raises UsageError for a directory of no finished run, or where an input is not what it was.
    """
    before, out = Path(config.run).resolve(), out.resolve()
    if before == out:
        raise UsageError(f"--out {out}: is the run to repeat; name another")
    record = _record(before)
    with _in_folder(Path(record["folder"])), _threads(record.get("threads")):
        settings = _settings(before, record["stage"])
        _check_files(before, record["files"])
        for name, found in _other_versions(record).items():
            progress.note(f"{name} was {found}; figures may round otherwise")
        module, function = STAGES[record["stage"]][1].split(":")
        stage = getattr(import_module(f"ganexplain.stages.{module}"), function)
        stage(settings, out=out, progress=progress, overwrite=overwrite)
    apart = differences(before, out)
    inputs = _record(out)["inputs"]
    changed = [name for name, digest in record["inputs"].items() if inputs.get(name) != digest]
    return {
        "stage": record["stage"],
        "run": str(before),
        "out": str(out),
        "equal": not any(apart.values()) and not changed,
        "inputs_changed": changed,
        "files": {name: told or "equal" for name, told in apart.items()},
    }


def _record(run: Path) -> dict[str, Any]:
    """What `run.json` tells, of several shares all of them together; UsageError of no such run."""
    found = [read_json(path) for path in sorted(run.glob("run*.json"))]
    if not found or not (run / "config.toml").is_file():
        raise UsageError(f"{run}: no run directory; name one that a stage has written")
    for record in found:
        if record.get("state") != "done":
            raise UsageError(f"{run}: that run is {record.get('state')}, not done; finish it first")
        for key, kind in TOLD.items():
            if not isinstance(record.get(key), kind):
                raise UsageError(f"{run}: run.json has no {key!r}; it is of an earlier version")
    for key in ("files", "inputs"):
        found[0][key] = {name: value for record in found for name, value in record[key].items()}
    return found[0]


def _settings(run: Path, stage: str) -> Any:
    """The config of a run; UsageError where this version has other settings."""
    kind = STAGES[check_known(f"{run}: stage", stage, STAGES)][0]
    written = read_toml("rerun:", run / "config.toml", LONGEST_SETTINGS)
    values = {name.replace("-", "_"): value for name, value in written.items()}
    known = {field.name: field for field in fields(kind)}
    for name in values:
        check_known(f"{run / 'config.toml'}", name, known)
    kinds = get_type_hints(kind)
    for name, field in known.items():
        if name in values and not _is_of(values[name], kinds[name]):
            raise UsageError(f"{run / 'config.toml'}: {name} is no setting of {stage}")
        if name not in values and field.default is MISSING:
            raise UsageError(f"{run / 'config.toml'}: {name} is missing")
    return kind(**{n: tuple(v) if isinstance(v, list) else v for n, v in values.items()})


def _is_of(value: Any, kind: Any) -> bool:
    """Whether a value of a TOML file is of the kind of a setting."""
    if get_origin(kind) is tuple:
        return isinstance(value, list) and all(_is_of(v, get_args(kind)[0]) for v in value)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _check_files(run: Path, files: Mapping[str, str]) -> None:
    """UsageError naming the first input that is gone or holds something else than it did."""
    gone = [name for name in files if not Path(name).is_file()]
    changed = [n for n, digest in files.items() if n not in gone and file_hash(Path(n)) != digest]
    for names, what in ((gone, "is gone"), (changed, "has changed")):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise UsageError(f"{names[0]}{more}: {what} since {run} was made; put it back")


def _other_versions(record: Mapping[str, Any]) -> dict[str, str]:
    """What the run was made with where this is another version, by name."""
    before = {"ganexplain": record["version"], **record["libraries"]}
    now = {"ganexplain": __version__, **library_versions()}
    return {name: found for name, found in before.items() if now.get(name) != found}


def _in_folder(folder: Path) -> contextlib.AbstractContextManager[None]:
    return contextlib.chdir(folder) if folder.is_dir() else contextlib.nullcontext()


@contextlib.contextmanager
def _threads(count: Any) -> Iterator[None]:
    """While open, torch computes with as many threads as then."""
    before = torch.get_num_threads()
    torch.set_num_threads(count if isinstance(count, int) and 0 < count <= 1024 else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
