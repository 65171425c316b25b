"""`predict`: a network and recordings -> curves, segments, pictures; or pictures -> classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ganexplain.artifacts.predictions import (
    PicturePrediction,
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
from ganexplain.files.atomic import write_bytes, write_table
from ganexplain.inputs.base import Input
from ganexplain.networks.decisions import AUTO, OUTPUTS
from ganexplain.networks.predictor import (
    LOOKED_AT,
    ClassifierPredictor,
    NetworkPredictor,
    Predicted,
    Predictor,
)
from ganexplain.networks.target import NetworkSource, load_target
from ganexplain.report.pictures.curve_picture import curve_picture
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import Progress, note_skipped

TABLE = "predictions.csv"


def predict(
    config: PredictConfig, out: Path, progress: Progress, overwrite: bool = False
) -> Predictions:
    """Write NAME.csv, NAME.lab and NAME.png for each recording, or `predictions.csv` for pictures.

    Raises UsageError if no network is named, BadFile for a recording that cannot be used (with
    `skip_bad_files` it is noted and skipped), GanexplainError if none can be used.
    """
    source = NetworkSource.from_settings(config)
    predictor = _load(source, config, progress)
    threshold = predictor.threshold if len(predictor.classes) == 2 else None
    nothing = Predictions(source.name, tuple(predictor.classes), threshold, ())
    if not predictor.front_end.sound_rate:
        return predict_files(config, predictor, nothing, out, progress, overwrite)
    paths = [Path(name) for name in config.files]
    found: list[RecordingPrediction] = []
    skipped: list[str] = []
    if not config.skip_bad_files:
        for path in paths:  # a misspelt name is an error now, not after hours of computation
            with skipping_bad_file(False, skipped.append):
                read_duration(path)
    with RunDirectory(out, "predict", config, overwrite) as run:
        progress = run.keep_notes(progress)
        for name, path in source.files().items():
            run.used(name, path)
        progress.start("predicting", len(paths))
        for path, name in zip(paths, output_names(paths), strict=True):
            reasons: list[str] = []
            with skipping_bad_file(config.skip_bad_files, reasons.append):
                predicted = predictor.predict(path, cache_directory(config.cache))
                run.used(str(path), path)
                found.append(_write(out / name, path, predicted))
            note_skipped(progress, reasons)
            skipped += reasons
            progress.advance()
        run.results.update(files=[asdict(each) for each in found], skipped=skipped)
        if not found:
            raise GanexplainError("no file could be used; each is named above with the reason")
    return replace(nothing, recordings=tuple(found), skipped=tuple(skipped))


def _load(source: NetworkSource, config: PredictConfig, progress: Progress) -> Predictor:
    """What predicts; of a network of the user's own the kind of its outputs is guessed."""
    device = pick_device(config.device)
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
    """Write the three files named after `base`; returns their record."""
    prediction, view = predicted.prediction, predicted.view
    curve, lab, picture = (base.with_name(f"{base.name}.{kind}") for kind in ("csv", "lab", "png"))
    rows = zip(prediction.times, prediction.curve, strict=True)
    numbers = ([f"{time:.4f}", *(f"{value:.6f}" for value in row)] for time, row in rows)
    write_table(curve, ["time_s", *prediction.classes], numbers)
    write_bytes(picture, curve_picture(view.mel, view.curve, view.front_end, recording.name))
    write_bytes(lab, lab_text(prediction.segments, prediction.classes).encode())
    return RecordingPrediction(
        file=str(recording),
        lab=str(lab),
        curve=str(curve),
        picture=str(picture),
        seconds=round(prediction.seconds, 3),
        segments=len(prediction.segments),
        shares={name: round(share, 4) for name, share in prediction.shares().items()},
    )


def predict_files(
    config: PredictConfig,
    predictor: Predictor,
    nothing: Predictions,
    out: Path,
    progress: Progress,
    overwrite: bool,
) -> Predictions:
    """Write `predictions.csv`, one line per picture; returns `nothing` with the predictions added.

    Raises UsageError for a folder without pictures, BadFile for a file that is not a picture (with
    `skip_bad_files` it is noted and skipped), GanexplainError if no picture can be used.
    """
    paths = list(expand_folders(config.files))
    for path in paths:  # a misspelt name is an error before the run begins
        if not (path.is_file() or config.skip_bad_files):
            missing = BadFile(f"{path}: no such file; correct the name")
            missing.one_of_many = True
            raise missing
    found: list[PicturePrediction] = []
    reasons: list[str] = []
    with RunDirectory(out, "predict", config, overwrite) as run:
        progress = run.keep_notes(progress)
        for name, path in NetworkSource.from_settings(config).files().items():
            run.used(name, path)
        progress.start("predicting", len(paths))
        used: list[Path] = []
        for start in range(0, len(paths), CHUNK_PICTURES):
            part = paths[start : start + CHUNK_PICTURES]
            good, skipped = _read(part, predictor.front_end, config.skip_bad_files)
            note_skipped(progress, skipped)
            reasons += skipped
            found += _predicted(good, predictor)
            used += good
            progress.advance(len(part))
        if not used:
            raise GanexplainError("no picture could be used; each is named above with the reason")
        run.used_recordings("pictures", [Picture(path, "", -1) for path in used])
        rows = (
            [each.file, each.class_name, *(f"{p:.6f}" for p in each.probabilities.values())]
            for each in found
        )
        write_table(out / TABLE, ["file", "class", *predictor.classes], rows)
        run.results.update(pictures=len(used), skipped=reasons)
    table = str(out / TABLE)
    return replace(nothing, table=table, pictures=tuple(found), skipped=tuple(reasons))


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
    paths: list[Path], input_spec: Input, skip_bad_files: bool
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
