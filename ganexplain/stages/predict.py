"""`predict`: recordings and a classifier -> curves, segments and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.audio.io import duration_of
from ganexplain.audio.log_mel import frame_times
from ganexplain.classifiers.checkpoint import Classifier, load_classifier
from ganexplain.classifiers.prediction import predict_frames
from ganexplain.classifiers.recording_level import warn_of_level
from ganexplain.config import PredictConfig
from ganexplain.corpora.cache import cache_directory, cached_log_mel
from ganexplain.corpora.single import output_names
from ganexplain.corpora.spans import Prediction, decide, lab_text, segments_of
from ganexplain.errors import BadFile, GanexplainError
from ganexplain.files.atomic import write_bytes, write_table
from ganexplain.inputs.kinds import FrontEnd, ImageInput
from ganexplain.metrics.detection import smooth
from ganexplain.report.pictures.curve_picture import curve_picture
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import Progress
from ganexplain.stages.predict_pictures import predict_files


def predict(
    config: PredictConfig, out: Path, progress: Progress, overwrite: bool = False
) -> dict[str, Any]:
    """Write NAME.csv, NAME.lab and NAME.png of every recording; give the document of `--json`.

    Of pictures `predictions.csv`, see `predict_pictures`.

    Raises UsageError for a classifier that is not there, BadFile for a recording that cannot
    be used (noted and left out with `skip_bad_files`), GanexplainError where none can.
    """
    classifier = load_classifier(Path(config.classifier), pick_device(config.device))
    told: dict[str, Any] = {
        "classifier": config.classifier,
        "classes": list(classifier.classes),
        "threshold": classifier.threshold if len(classifier.classes) == 2 else None,
    }
    if isinstance(classifier.front_end, ImageInput):
        return predict_files(config, classifier, told, out, progress, overwrite)
    paths = [Path(name) for name in config.files]
    if not config.skip_bad_files:
        for path in paths:  # a misspelt name shows now, not after the hours of those before
            try:
                duration_of(path)
            except BadFile as error:
                error.one_of_many = True
                raise
    document: dict[str, Any] = {**told, "files": [], "skipped": []}
    with RunDirectory(out, "predict", config, overwrite) as run:
        progress = run.keep_notes(progress)
        run.used("classifier", Path(config.classifier))
        progress.start("predicting", len(paths))
        for path, name in zip(paths, output_names(paths), strict=True):
            try:
                mel = cached_log_mel(path, classifier.sound, cache_directory(config.cache))
                prediction = predict_recording(classifier, mel, duration_of(path))
            except BadFile as error:
                if not config.skip_bad_files:
                    error.one_of_many = True
                    raise
                document["skipped"].append(str(error))
                progress.note(f"skipped: {error}")
            else:
                run.used(str(path), path)
                warn_of_level(path, mel, classifier.network)
                entry = _write(out / name, path, mel, prediction, classifier.sound)
                document["files"].append(entry)
            progress.advance()
        run.results.update(files=document["files"], skipped=document["skipped"])
        if not document["files"]:
            raise GanexplainError("no file could be used; each is named above with the reason")
    return document


def predict_recording(classifier: Classifier, mel: np.ndarray, duration: float) -> Prediction:
    """Smoothed probabilities of each frame of (T, F) log-mel in nat, and what they say.

    `duration` in seconds is the file's. The frames bound the true length to within a hop, and win
    where it is another.
    """
    front_end = classifier.sound
    curve = smooth(predict_frames(classifier.network, mel, front_end))
    if not np.isfinite(curve).all():
        raise GanexplainError("the classifier's outputs are not finite; train it again")
    times = frame_times(len(mel), front_end)
    shortest = times[-1] + front_end.frame_length / 2 / front_end.sample_rate
    end = float(np.clip(duration, shortest, shortest + 1 / front_end.frame_rate))
    decisions = decide(curve, classifier.threshold)
    segments = segments_of(decisions, times, end)
    return Prediction(times, curve, segments, classifier.classes, classifier.threshold)


def _write(
    base: Path, recording: Path, mel: np.ndarray, prediction: Prediction, front_end: FrontEnd
) -> dict[str, Any]:
    """Write the three files that `base` names, and give their entry in the document."""
    curve, lab, picture = (base.with_name(f"{base.name}.{kind}") for kind in ("csv", "lab", "png"))
    rows = zip(prediction.times, prediction.curve, strict=True)
    numbers = ([f"{time:.4f}", *(f"{value:.6f}" for value in row)] for time, row in rows)
    write_table(curve, ["time_s", *prediction.classes], numbers)
    write_bytes(picture, curve_picture(mel, prediction, front_end, recording.name))
    write_bytes(lab, lab_text(prediction.segments, prediction.classes).encode())
    return {
        "file": str(recording),
        "lab": str(lab),
        "curve": str(curve),
        "picture": str(picture),
        "seconds": round(prediction.seconds, 3),
        "segments": len(prediction.segments),
        "shares": {name: round(share, 4) for name, share in prediction.shares().items()},
    }
