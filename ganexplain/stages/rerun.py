"""`rerun`: a run directory -> the same run again, and a comparison of both."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import torch

from ganexplain.attribution.measures import WALL_CLOCK
from ganexplain.config import LONGEST_SETTINGS, STAGES, RerunConfig, TrainClassifierConfig
from ganexplain.config.setting import current_names, values_before
from ganexplain.config.shared import Divides
from ganexplain.errors import GanexplainError, UsageError, check_known
from ganexplain.files.archives import read_npz
from ganexplain.files.arrays import damage_reported, open_array
from ganexplain.files.atomic import Document, JsonObject, existing_file, file_hash, read_json
from ganexplain.files.bounded import parse_json, read_text, read_toml, split_lines
from ganexplain.files.checkpoints import load_data
from ganexplain.runs.progress import Progress
from ganexplain.runs.record import library_versions
from ganexplain.stages import load_stage
from ganexplain.version import __version__

# Records of when and how a run ran; `tensorboard` repeats metrics.jsonl with the time of day.
RECORDS = ("run*.json", "log*.txt", "config.toml", "README.md", "tensorboard/*")
Value = TypeVar("Value")


@dataclass(frozen=True)
class RunRecord:
    """The `run.json` of a finished run, or those of its shares together."""

    stage: str
    folder: str
    version: str
    files: Mapping[str, str]
    inputs: Mapping[str, str]
    libraries: Mapping[str, str]
    threads: object

    @classmethod
    def read(cls, run: Path) -> RunRecord:
        """The record of a run directory; UsageError if the run is not finished."""
        found = [read_json(path) for path in sorted(run.glob("run*.json"))]
        if not found or not (run / "config.toml").is_file():
            raise UsageError(f"{run}: not a run directory; name one that a command has written")
        for each in found:
            if each.get("state") != "done":
                state = each.get("state")
                raise UsageError(f"{run}: that run is {state}, not done; finish it first")
        shares = [cls._from_json(run, each) for each in found]
        return replace(
            shares[0],
            files={name: value for share in shares for name, value in share.files.items()},
            inputs={name: value for share in shares for name, value in share.inputs.items()},
        )

    @classmethod
    def _from_json(cls, run: Path, document: Document) -> RunRecord:
        def field(name: str, kind: type[Value]) -> Value:
            value = document.get(name)
            if not isinstance(value, kind):
                raise UsageError(f"{run}: run.json has no {name!r}; it is from an earlier version")
            return value

        return cls(
            stage=field("stage", str),
            folder=field("folder", str),
            version=field("version", str),
            files=field("files", dict),
            inputs=field("inputs", dict),
            libraries=field("libraries", dict),
            threads=document.get("threads"),
        )


@dataclass(frozen=True)
class Comparison:
    """A file of a repeated run: the first difference, and the keys that only the new file has.

    A later version writes more keys; the file is repeated if all that it had is the same.
    """

    difference: str = ""
    new_keys: tuple[str, ...] = ()

    def in_words(self) -> str:
        """The difference, or `equal` and the new keys."""
        if self.difference or not self.new_keys:
            return self.difference or "equal"
        more = ", ..." if len(self.new_keys) > 3 else ""
        return f"equal, but for new keys: {', '.join(self.new_keys[:3])}{more}"


@dataclass(frozen=True)
class Repetition:
    """The differences of a repeated run: for each file a text, or `equal`."""

    stage: str
    run: str
    out: str
    equal: bool
    inputs_changed: tuple[str, ...]
    files: Mapping[str, str]

    def to_json(self) -> JsonObject:
        """The document of `--json`."""
        return asdict(self)


def rerun(
    config: RerunConfig, out: Path, progress: Progress, overwrite: bool = False
) -> Repetition:
    """Repeat the run of a run directory into `out`, and compare both.

    Relative paths in the settings refer to the folder in which the run was started, if it still
    exists. Raises UsageError if the run is not finished or an input has changed.
    """
    before, out = Path(config.run).resolve(), out.resolve()
    if before == out:
        raise UsageError(f"--out {out}: is the run to repeat; name another")
    record = RunRecord.read(before)
    with _in_folder(Path(record.folder)), _threads(record.threads):
        settings = _settings(before, record.stage)
        if isinstance(settings, Divides | TrainClassifierConfig) and settings.names_scheduler:
            progress.note("the run used a Dask scheduler; it is repeated on this machine")
            settings = settings.on_this_machine()
        _check_files(before, record.files)
        for name, found in _other_versions(record).items():
            progress.note(f"{name} was {found}; figures may round otherwise")
        stage = load_stage(STAGES[record.stage][1])
        stage(settings, out=out, progress=progress, overwrite=overwrite)
    files = compare_runs(before, out)
    inputs = RunRecord.read(out).inputs
    changed = [name for name, digest in record.inputs.items() if inputs.get(name) != digest]
    return Repetition(
        stage=record.stage,
        run=str(before),
        out=str(out),
        equal=not any(found.difference for found in files.values()) and not changed,
        inputs_changed=tuple(changed),
        files={name: found.in_words() for name, found in files.items()},
    )


def _settings(run: Path, stage: str) -> Any:
    """The config of a run; UsageError if this version has other settings."""
    kind = STAGES[check_known(f"{run}: stage", stage, STAGES)][0]
    written = read_toml("rerun:", run / "config.toml", LONGEST_SETTINGS)
    names, known = current_names(kind), {field.name: field for field in fields(kind)}
    place = f"{run / 'config.toml'}"
    values = {
        names[check_known(place, name.replace("-", "_"), names)]: value
        for name, value in {**values_before(kind), **written}.items()
    }
    values.pop("export", None)  # a folder of files that is no part of the run
    kinds = get_type_hints(kind)
    for name, field in known.items():
        if name in values and not _is_of(values[name], kinds[name]):
            raise UsageError(f"{run / 'config.toml'}: {name} is not a setting of {stage}")
        if name not in values and field.default is MISSING:
            raise UsageError(f"{run / 'config.toml'}: {name} is missing")
    return kind(**{n: tuple(v) if isinstance(v, list) else v for n, v in values.items()})


def _is_of(value: Any, kind: Any) -> bool:
    """Whether a value of a TOML file has the type of a setting."""
    if get_origin(kind) is tuple:
        return isinstance(value, list) and all(_is_of(v, get_args(kind)[0]) for v in value)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _check_files(run: Path, files: Mapping[str, str]) -> None:
    """Raise UsageError, which names the first input that is gone or has changed."""
    gone = [name for name in files if not Path(name).is_file()]
    changed = [n for n, digest in files.items() if n not in gone and file_hash(Path(n)) != digest]
    for names, what in ((gone, "is gone"), (changed, "has changed")):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise UsageError(f"{names[0]}{more}: {what} since {run} was made; put it back")


def _other_versions(record: RunRecord) -> dict[str, str]:
    """The versions with which the run was made that differ from those of now, by name."""
    before = {"ganexplain": record.version, **record.libraries}
    now = {"ganexplain": __version__, **library_versions()}
    return {name: found for name, found in before.items() if now.get(name) != found}


def _in_folder(folder: Path) -> contextlib.AbstractContextManager[None]:
    return contextlib.chdir(folder) if folder.is_dir() else contextlib.nullcontext()


@contextlib.contextmanager
def _threads(count: object) -> Iterator[None]:
    """While open, torch uses as many threads as in the run."""
    before = torch.get_num_threads()
    torch.set_num_threads(count if isinstance(count, int) and 0 < count <= 1024 else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def artifacts_of(run: Path) -> dict[str, Path]:
    """The files of a run that are not records, by their names in its directory."""
    files = [path for path in sorted(run.rglob("*")) if path.is_file()]
    made = [path for path in files if not path.name.startswith(".")]
    return {
        str(path.relative_to(run)): path
        for path in made
        if not any(path.relative_to(run).match(pattern) for pattern in RECORDS)
    }


def compare_runs(before: Path, again: Path) -> dict[str, Comparison]:
    """The comparison of each artifact of a run and its repetition, by its name.

    Files are compared byte by byte; arrays and documents that differ are compared key by key,
    without the wall-clock time of attributions.
    """
    ours, theirs = artifacts_of(before), artifacts_of(again)
    return {
        name: Comparison(f"missing in {before if name not in ours else again}")
        if name not in ours or name not in theirs
        else compare_files(ours[name], theirs[name])
        for name in sorted(ours | theirs)
    }


def compare_files(before: Path, again: Path) -> Comparison:
    """The first key in which a repeated file differs, and by how much; or the keys that it adds."""
    if file_hash(before) == file_hash(again):
        return Comparison()
    if before.suffix not in (".npz", ".npy", ".pt", ".safetensors", ".json", ".jsonl"):
        return Comparison("other content")
    try:
        ours, theirs = (dict(_leaves(read_any(path))) for path in (before, again))
    except GanexplainError as error:
        return Comparison(str(error))
    for name, value in ours.items():
        if name.split(".")[-1] == WALL_CLOCK:
            continue
        if name not in theirs:
            return Comparison(f"{name}: missing in {again}")
        if change := _apart(value, theirs[name]):
            return Comparison(f"{name}: {change}")
    return Comparison(new_keys=tuple(name for name in theirs if name not in ours))


def _apart(one: Any, other: Any) -> str:
    """The difference of two values as a text."""
    if not isinstance(one, str | None) and not isinstance(other, str | None):
        first, second = np.asarray(one), np.asarray(other)
        if first.shape != second.shape or first.dtype != second.dtype:
            return f"{first.dtype} {first.shape} against {second.dtype} {second.shape}"
        if first.dtype.kind not in "fiub":
            return "" if (first == second).all() else "other texts"
        if np.array_equal(first, second, equal_nan=first.dtype.kind == "f"):
            return ""
        apart = np.abs(first.astype(np.float64) - second.astype(np.float64))
        return f"by at most {np.nanmax(apart):.3g}, of at most {np.nanmax(np.abs(first)):.3g}"
    return "" if one == other else f"{one!r:.60} against {other!r:.60}"


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested containers, with their paths."""
    if isinstance(value, list | tuple):
        value = {"length": len(value), **{str(index): inner for index, inner in enumerate(value)}}
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def read_any(path: Path) -> Any:
    """The content of arrays, a checkpoint, a `.json` or a `.jsonl`, for a comparison.

    Raises GanexplainError if it is damaged.
    """
    if path.suffix == ".json":
        return read_json(path)
    with damage_reported(path, path.suffix):
        if path.suffix == ".jsonl":
            return [parse_json(line) for line in split_lines(read_text(path))]
        if path.suffix in (".pt", ".safetensors"):
            return load_data(path)
        if path.suffix == ".npy":
            return {"array": open_array(path)}
        arrays = read_npz(existing_file(path))
        return {**arrays, "meta": parse_json(str(arrays["meta"]))}
