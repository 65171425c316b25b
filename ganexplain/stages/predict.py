"""`predict`: a network and recordings -> curves, segments, pictures; or pictures -> classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ganexplain.artifacts.predictions import (
    PicturePrediction,
    PredictedPart,
    Predictions,
    RecordingPrediction,
)
from ganexplain.audio.io import read_duration
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.prediction import CHUNK_PICTURES
from ganexplain.config import PredictConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.listed_files import files_below
from ganexplain.corpora.picture_files import is_picture
from ganexplain.corpora.picture_folders import Picture
from ganexplain.corpora.single import load_example, output_names
from ganexplain.corpora.spans import decide, lab_text
from ganexplain.errors import (
    BadFile,
    GanexplainError,
    UsageError,
    check_known,
    skipping_bad_file,
)
from ganexplain.files.atomic import file_hash, write_bytes, write_table
from ganexplain.inputs.base import Input
from ganexplain.networks.decisions import AUTO, OUTPUTS
from ganexplain.networks.predictor import (
    LOOKED_AT,
    ClassifierPredictor,
    NetworkPredictor,
    Predicted,
    Predictor,
)
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target
from ganexplain.report.pictures.curve_picture import curve_picture
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.machine import pick_device
from ganexplain.runs.part_results import NumberedPart, PartedRun, PartWork
from ganexplain.runs.parts import remove_parts
from ganexplain.runs.progress import NullProgress, Progress, note_skipped
from ganexplain.runs.workers import Workers

TABLE = "predictions.csv"
WORTH_PROCESSES = 32  # parts from which several processes are faster


def predict(
    config: PredictConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
) -> Predictions:
    """Write NAME.csv, NAME.lab and NAME.png for each recording, or `predictions.csv` for pictures.

    Raises UsageError if no network is named or a folder has no pictures, BadFile for a file that
    cannot be used (with `skip_bad_files` it is noted and skipped), GanexplainError if none can be
    used. An `executor` of any kind predicts in place of the workers of the settings; files that are
    done are kept for `resume`.
    """
    workers = Workers.of(config, executor)
    source = NetworkSource.from_settings(config)
    predictor = _load(config, progress)
    sound = bool(predictor.front_end.sound_rate)
    paths = _paths(config, sound)
    if not config.skip_bad_files:
        _check_names(paths, sound)  # a misspelt name is an error now, not after hours
    with RunDirectory(out, "predict", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        for name, path in source.files().items():
            run.used(name, path)
        if not sound:
            pictures = [Picture(path, "", -1) for path in paths if path.is_file()]
            run.used_recordings("pictures", pictures)
        threshold = predictor.threshold if len(predictor.classes) == 2 else None
        done = Predictions(
            source.name, tuple(predictor.classes), threshold, (),
            table="" if sound else str(out / TABLE),
        )  # fmt: skip
        if run.finished and (again := done.recorded(run.finished.results, out)):
            run.keep_record(progress)
            return again
        run.note_inputs()
        parts = FilePart.all_of(paths, 1 if sound else CHUNK_PICTURES)
        found = _predict_parts(config, parts, predictor, out, workers, progress)
        note_skipped(progress, found.skipped)
        recordings = tuple(each.within(out) for each in found.recordings)
        done = replace(done, skipped=found.skipped, recordings=recordings, pictures=found.pictures)
        (_record_recordings if sound else _record_pictures)(run, done, found)
        remove_parts(out)
    return done


@dataclass(frozen=True)
class FilePart(NumberedPart):
    """Some of the files; its number is that of the first."""

    files: tuple[Path, ...]

    @classmethod
    def all_of(cls, files: Sequence[Path], size: int) -> list[FilePart]:
        """The parts of all files, of at most `size` each."""
        starts = range(0, len(files), size)
        some = (tuple(files[first : first + size]) for first in starts)
        return [cls(first, len(part), part) for first, part in zip(starts, some, strict=True)]


def _predict_parts(
    config: PredictConfig,
    parts: Sequence[FilePart],
    predictor: Predictor,
    out: Path,
    workers: Workers,
    progress: Progress,
) -> PredictedPart:
    """The predictions of all parts, of which those of an earlier run are kept."""
    if isinstance(predictor, NetworkPredictor):  # a folder may change before a worker reads it
        config = replace(config, outputs=predictor.kind)
    worth_it = pick_device(config.device).type == "cpu" and len(parts) >= WORTH_PROCESSES
    opened = PartPrediction(config, out, predictor)
    work = PartWork(PredictedPart, PartPrediction, (config, out), opened, files=opened.files)
    return _joined(PartedRun(out, workers, progress, "predicting", worth_it).results(parts, work))


def _joined(found: Sequence[PredictedPart]) -> PredictedPart:
    """All parts as one."""
    return PredictedPart(
        tuple(each for part in found for each in part.recordings),
        tuple(each for part in found for each in part.pictures),
        tuple(reason for part in found for reason in part.skipped),
        {name: digest for part in found for name, digest in part.inputs.items()},
    )


def _record_recordings(run: RunDirectory, done: Predictions, found: PredictedPart) -> None:
    """Write the predictions for recordings into `run.json`."""
    for name, digest in found.inputs.items():
        if run.used(name, Path(name)) != digest:
            raise GanexplainError(
                f"{name}: has changed since it was predicted; start again with --overwrite"
            )
    entries = [asdict(each) for each in found.recordings]
    run.results.update(files=entries, skipped=list(done.skipped))
    if not done.recordings:
        raise GanexplainError("no file could be used; each is named above with the reason")


def _record_pictures(run: RunDirectory, done: Predictions, found: PredictedPart) -> None:
    """Write the table of the pictures, and their number into `run.json`."""
    if not done.pictures:
        raise GanexplainError("no picture could be used; each is named above with the reason")
    done.write_table()
    run.results.update(pictures=len(done.pictures), skipped=list(done.skipped))


def _paths(config: PredictConfig, sound: bool) -> list[Path]:
    """The recordings, or the pictures with those below named folders."""
    return [Path(name) for name in config.files] if sound else list(expand_folders(config.files))


def _check_names(paths: Iterable[Path], sound: bool) -> None:
    """Raise BadFile, as of one of many files, for the first that is missing or no recording."""
    for path in paths:
        with skipping_bad_file(False, lambda reason: None):
            if sound:
                read_duration(path)
            elif not path.is_file():
                raise BadFile(f"{path}: no such file; correct the name")


class PartPrediction:
    """Writes the predictions for parts, with a predictor that is given or loaded once a process."""

    def __init__(
        self, config: PredictConfig, out: Path, predictor: Predictor | None = None
    ) -> None:
        self.config, self.out = config, out
        self.predictor = predictor or _load(config, NullProgress())
        self.sound = bool(self.predictor.front_end.sound_rate)
        self.names = output_names(list(map(Path, config.files))) if self.sound else []

    def __call__(self, part: FilePart, progress: Progress) -> PredictedPart:
        """Predict the files of a part."""
        return self._recordings(part, progress) if self.sound else self._pictures(part)

    def files(self, part: FilePart, found: PredictedPart) -> Iterable[Path]:
        """The files of the recordings of a part."""
        for each in found.recordings:
            yield from (self.out / name for name in (each.lab, each.curve, each.picture))

    def _recordings(self, part: FilePart, progress: Progress) -> PredictedPart:
        found, skipped, inputs = [], list[str](), {}
        for number, path in enumerate(part.files, part.number):
            with skipping_bad_file(self.config.skip_bad_files, skipped.append):
                predicted = self.predictor.predict(path, cache_directory(self.config.cache))
                inputs[str(path)] = file_hash(path)
                progress.advance(0)
                found.append(_write(self.out / self.names[number], path, predicted))
        return PredictedPart(tuple(found), skipped=tuple(skipped), inputs=inputs)

    def _pictures(self, part: FilePart) -> PredictedPart:
        good, skipped = _read(part.files, self.predictor.front_end, self.config.skip_bad_files)
        found = _predicted(good, self.predictor)
        return PredictedPart(pictures=tuple(found), skipped=tuple(skipped))


def _load(config: PredictConfig, progress: Progress) -> Predictor:
    """What predicts; of a network of the user's own the kind of its outputs is guessed."""
    source, device = NetworkSource.from_settings(config), pick_device(config.device)
    if source.classifier:
        for option in ("outputs", "hop_seconds"):
            if getattr(config, option) != getattr(PredictConfig, option):
                raise UsageError(f"--{option.replace('_', '-')}: goes with --model")
        return ClassifierPredictor(load_classifier(Path(source.classifier), device))
    check_known("--outputs", config.outputs, (AUTO, *OUTPUTS))
    target = load_target(source, None, device)
    inputs: list[np.ndarray] = []
    for path in expand_folders(config.files):
        with skipping_bad_file(config.skip_bad_files, lambda reason: None):
            inputs.append(load_example(target.front_end, path))
        if len(inputs) == LOOKED_AT:
            break
    if not inputs:
        raise GanexplainError(f"none of {len(config.files)} files could be used; name others")
    return NetworkPredictor.of(target, config, np.stack(inputs), progress)


def _write(base: Path, recording: Path, predicted: Predicted) -> RecordingPrediction:
    """Write the three files named after `base`; returns their record, with their names."""
    prediction, view = predicted.prediction, predicted.view
    curve, lab, picture = (base.with_name(f"{base.name}.{kind}") for kind in ("csv", "lab", "png"))
    rows = zip(prediction.times, prediction.curve, strict=True)
    numbers = ([f"{time:.4f}", *(f"{value:.6f}" for value in row)] for time, row in rows)
    write_table(curve, ["time_s", *prediction.classes], numbers)
    write_bytes(picture, curve_picture(view.mel, view.curve, view.front_end, recording.name))
    write_bytes(lab, lab_text(prediction.segments, prediction.classes).encode())
    return RecordingPrediction(
        file=str(recording),
        lab=lab.name,
        curve=curve.name,
        picture=picture.name,
        seconds=round(prediction.seconds, 3),
        segments=len(prediction.segments),
        shares={name: round(share, 4) for name, share in prediction.shares().items()},
    )


def expand_folders(names: Iterable[str]) -> Iterable[Path]:
    """The named files, and all pictures below named folders, sorted by path."""
    for path in map(Path, names):
        if not path.is_dir():
            yield path
            continue
        found = [file for file in files_below(path) if is_picture(file)]
        if not found:
            raise UsageError(f"{path}: no pictures in this folder")
        yield from found


def _read(
    paths: Sequence[Path], input_spec: Input, skip_bad_files: bool
) -> tuple[dict[Path, np.ndarray], list[str]]:
    """Pictures by path, and the errors of those skipped."""
    good: dict[Path, np.ndarray] = {}
    skipped: list[str] = []
    for path in paths:
        with skipping_bad_file(skip_bad_files, skipped.append):
            good[path] = load_example(input_spec, path)
    return good, skipped


def _predicted(pictures: dict[Path, np.ndarray], predictor: Predictor) -> list[PicturePrediction]:
    """The class and the probabilities of each picture."""
    if not pictures:
        return []
    chance = predictor.probabilities(np.stack(list(pictures.values())))
    numbers, names = decide(chance, predictor.threshold), predictor.classes
    return [
        PicturePrediction(
            str(path),
            names[number],
            {k: round(float(p), 6) for k, p in zip(names, row, strict=True)},
        )
        for path, number, row in zip(pictures, numbers, chance, strict=True)
    ]
