"""`predict`: a classifier and recordings -> curves, segments, pictures; or pictures -> classes."""

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
from ganexplain.audio.log_mel import frame_times
from ganexplain.classifiers.checkpoint import Classifier, load_classifier
from ganexplain.classifiers.prediction import CHUNK_PICTURES, predict_frames, predict_pictures
from ganexplain.classifiers.recording_level import warn_of_level
from ganexplain.config import PredictConfig
from ganexplain.corpora.cache import cache_directory, cached_log_mel
from ganexplain.corpora.listed_files import files_below
from ganexplain.corpora.picture_files import is_picture
from ganexplain.corpora.picture_folders import Picture
from ganexplain.corpora.single import load_example, output_names
from ganexplain.corpora.spans import Prediction, decide, lab_text, to_segments
from ganexplain.errors import BadFile, GanexplainError, UsageError, skipping_bad_file
from ganexplain.files.atomic import write_bytes, write_table
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.detection import smooth
from ganexplain.report.pictures.curve_picture import curve_picture
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import Progress, note_skipped

TABLE = "predictions.csv"


def predict(
    config: PredictConfig, out: Path, progress: Progress, overwrite: bool = False
) -> Predictions:
    """Write NAME.csv, NAME.lab and NAME.png for each recording, or `predictions.csv` for pictures.

    Raises UsageError for a missing classifier, BadFile for a recording that cannot be used (with
    `skip_bad_files` it is noted and skipped), GanexplainError if none can be used.
    """
    classifier = load_classifier(Path(config.classifier), pick_device(config.device))
    threshold = classifier.threshold if len(classifier.classes) == 2 else None
    nothing = Predictions(config.classifier, tuple(classifier.classes), threshold, ())
    if not classifier.front_end.sound_rate:
        return predict_files(config, classifier, nothing, out, progress, overwrite)
    paths = [Path(name) for name in config.files]
    found: list[RecordingPrediction] = []
    skipped: list[str] = []
    if not config.skip_bad_files:
        for path in paths:  # a misspelt name is an error now, not after hours of computation
            with skipping_bad_file(False, skipped.append):
                read_duration(path)
    with RunDirectory(out, "predict", config, overwrite) as run:
        progress = run.keep_notes(progress)
        run.used("classifier", Path(config.classifier))
        progress.start("predicting", len(paths))
        for path, name in zip(paths, output_names(paths), strict=True):
            reasons: list[str] = []
            with skipping_bad_file(config.skip_bad_files, reasons.append):
                mel = cached_log_mel(path, classifier.sound, cache_directory(config.cache))
                prediction = predict_recording(classifier, mel, read_duration(path))
                run.used(str(path), path)
                warn_of_level(path, mel, classifier.network)
                found.append(_write(out / name, path, mel, prediction, classifier.sound))
            note_skipped(progress, reasons)
            skipped += reasons
            progress.advance()
        run.results.update(files=[asdict(each) for each in found], skipped=skipped)
        if not found:
            raise GanexplainError("no file could be used; each is named above with the reason")
    return replace(nothing, recordings=tuple(found), skipped=tuple(skipped))


def predict_recording(classifier: Classifier, mel: np.ndarray, duration: float) -> Prediction:
    """Smoothed probabilities of each frame of log-mel (T, F) in nat, and their segments.

    `duration` is that of the file in seconds; it is clipped to the length of the frames, which
    determine it to within a hop.
    """
    front_end = classifier.sound
    curve = smooth(predict_frames(classifier.network, mel, front_end))
    if not np.isfinite(curve).all():
        raise GanexplainError("the classifier's outputs are not finite; train it again")
    times = frame_times(len(mel), front_end)
    shortest = times[-1] + front_end.frame_length / 2 / front_end.sample_rate
    end = float(np.clip(duration, shortest, shortest + 1 / front_end.frame_rate))
    decisions = decide(curve, classifier.threshold)
    segments = to_segments(decisions, times, end)
    return Prediction(times, curve, segments, classifier.classes, classifier.threshold)


def _write(
    base: Path, recording: Path, mel: np.ndarray, prediction: Prediction, front_end: FrontEnd
) -> RecordingPrediction:
    """Write the three files named after `base`; returns their record."""
    curve, lab, picture = (base.with_name(f"{base.name}.{kind}") for kind in ("csv", "lab", "png"))
    rows = zip(prediction.times, prediction.curve, strict=True)
    numbers = ([f"{time:.4f}", *(f"{value:.6f}" for value in row)] for time, row in rows)
    write_table(curve, ["time_s", *prediction.classes], numbers)
    write_bytes(picture, curve_picture(mel, prediction, front_end, recording.name))
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
    classifier: Classifier,
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
        run.used("classifier", Path(config.classifier))
        progress.start("predicting", len(paths))
        used: list[Path] = []
        for start in range(0, len(paths), CHUNK_PICTURES):
            part = paths[start : start + CHUNK_PICTURES]
            good, skipped = _read(part, classifier, config.skip_bad_files)
            note_skipped(progress, skipped)
            reasons += skipped
            found += _predicted(good, classifier)
            used += good
            progress.advance(len(part))
        if not used:
            raise GanexplainError("no picture could be used; each is named above with the reason")
        run.used_recordings("pictures", [Picture(path, "", -1) for path in used])
        rows = (
            [each.file, each.class_name, *(f"{p:.6f}" for p in each.probabilities.values())]
            for each in found
        )
        write_table(out / TABLE, ["file", "class", *classifier.classes], rows)
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
    paths: list[Path], classifier: Classifier, skip_bad_files: bool
) -> tuple[dict[Path, np.ndarray], list[str]]:
    """Pictures by path, and the errors of those skipped."""
    good: dict[Path, np.ndarray] = {}
    skipped: list[str] = []
    for path in paths:
        with skipping_bad_file(skip_bad_files, skipped.append):
            good[path] = load_example(classifier.front_end, path)
    return good, skipped


def _predicted(pictures: dict[Path, np.ndarray], classifier: Classifier) -> list[PicturePrediction]:
    """The class and the probabilities of each picture."""
    if not pictures:
        return []
    chance = predict_pictures(classifier.network, np.stack(list(pictures.values())))
    if not np.isfinite(chance).all():
        raise GanexplainError("the classifier's outputs are not finite; train it again")
    numbers, names = decide(chance, classifier.threshold), classifier.classes
    return [
        PicturePrediction(
            str(path),
            names[number],
            {k: round(float(p), 6) for k, p in zip(names, row, strict=True)},
        )
        for path, number, row in zip(pictures, numbers, chance, strict=True)
    ]
