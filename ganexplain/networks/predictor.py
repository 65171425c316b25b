"""Predictions for recordings and pictures, by a classifier trained here or any other network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ganexplain.audio.io import read_duration
from ganexplain.audio.log_mel import frame_times
from ganexplain.classifiers.checkpoint import Classifier
from ganexplain.classifiers.prediction import predict_pictures, predict_recording
from ganexplain.classifiers.recording_level import warn_of_level
from ganexplain.config import PredictConfig
from ganexplain.corpora.cache import cached_log_mel
from ganexplain.corpora.load import load_split
from ganexplain.corpora.recordings import Corpus, Recording
from ganexplain.corpora.spans import Prediction, decide, to_segments
from ganexplain.errors import GanexplainError
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.decisions import (
    AUTO,
    class_names,
    class_probabilities,
    guess_output_kind,
    probability_threshold,
)
from ganexplain.networks.layer_units import unit_values
from ganexplain.networks.target import TargetNetwork, example_inputs
from ganexplain.runs.progress import NullProgress, Progress

BATCH = 32
LOOKED_AT = 16  # inputs from whose outputs their kind is guessed
PART = 0.1  # of an excerpt, from a prediction to the next where nothing else is asked for


@dataclass(frozen=True)
class View:
    """What is drawn: log-mel (T, F) of a front end, and the prediction for the same frames."""

    mel: np.ndarray
    front_end: FrontEnd
    curve: Prediction


@dataclass(frozen=True)
class Predicted:
    """The prediction for a recording, and how it is drawn."""

    prediction: Prediction
    view: View


class Predictor(Protocol):
    """A network that predicts classes; `threshold` is the probability of the second of two."""

    @property
    def front_end(self) -> Input:
        """Its input."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def threshold(self) -> float:
        """The probability above which the second of two classes is meant."""

    def predict(self, path: Path, cache: Path) -> Predicted:
        """The prediction for a recording; BadFile if it cannot be used."""

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Class probabilities (N, K) of inputs (N, ...); GanexplainError if they are not finite."""


@dataclass(frozen=True)
class ClassifierPredictor:
    """A classifier trained here, which predicts every frame of a recording."""

    classifier: Classifier

    @property
    def front_end(self) -> Input:
        """Its input."""
        return self.classifier.front_end

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names."""
        return self.classifier.classes

    @property
    def threshold(self) -> float:
        """The one that was chosen in training."""
        return self.classifier.threshold

    def predict(self, path: Path, cache: Path) -> Predicted:
        """The smoothed prediction of every frame; warns of an unusual level."""
        mel = cached_log_mel(path, self.classifier.sound, cache)
        prediction = predict_recording(self.classifier, mel, read_duration(path))
        warn_of_level(path, mel, self.classifier.network)
        return Predicted(prediction, View(mel, self.classifier.sound, prediction))

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Class probabilities (N, K) of pictures (N, C, H, W)."""
        chance = predict_pictures(self.classifier.network, inputs)
        if not np.isfinite(chance).all():
            raise GanexplainError("the classifier's outputs are not finite; train it again")
        return chance


@dataclass(frozen=True)
class NetworkPredictor:
    """A network of any origin, which predicts one excerpt after another.

    `kind` is that of its outputs in `decisions.OUTPUTS`; a prediction is made every `hop_seconds`
    (0: a tenth of an excerpt).
    """

    target: TargetNetwork
    kind: str
    classes: tuple[str, ...]
    threshold: float
    hop_seconds: float

    @classmethod
    def of(
        cls, target: TargetNetwork, config: PredictConfig, inputs: np.ndarray, progress: Progress
    ) -> NetworkPredictor:
        """The predictor; `auto` is guessed from the outputs for noise and for `inputs` (N, ...)."""
        noise = example_inputs(target.front_end).numpy()
        outputs = _outputs(target, np.concatenate([noise, inputs]))
        kind = config.outputs
        if kind == AUTO:
            kind = guess_output_kind(outputs)
            progress.note(f"what the network puts out is taken for {kind} (--outputs)")
        classes = class_names(target.names.classes, outputs.shape[1], kind)
        threshold = probability_threshold(target.threshold, kind)
        return cls(target, kind, classes, threshold, config.hop_seconds)

    @property
    def front_end(self) -> Input:
        """Its input."""
        return self.target.front_end

    def predict(self, path: Path, cache: Path) -> Predicted:
        """The prediction for a recording; a time is the middle of an excerpt."""
        corpus = Corpus(str(path), (), (Recording(path, "all", (), path),))
        split = load_split(corpus, "all", self.front_end, cache, NullProgress())
        length, duration = self.front_end.seconds, read_duration(path)
        centres = split.whole_excerpts()
        starts = np.asarray(split.excerpt_sources(centres)["start_s"])
        if len(starts) > 1:
            hop = self.hop_seconds or PART * length
            step = max(1, round(hop / float(starts[1] - starts[0])))
            centres, starts = centres[::step], starts[::step]
        batches = (centres[at : at + BATCH] for at in range(0, len(centres), BATCH))
        curve = np.concatenate([self.probabilities(split.gather(batch)) for batch in batches])
        # The excerpt of a recording that is shorter ends behind it.
        is_shorter = len(starts) == 1 and duration < length
        times = np.array([duration / 2]) if is_shorter else starts + length / 2
        segments = to_segments(decide(curve, self.threshold), times, max(duration, times[-1]))
        prediction = Prediction(times, curve, segments, self.classes, self.threshold)
        return Predicted(prediction, _view(path, prediction, cache))

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Class probabilities (N, K), or activations, of inputs (N, ...)."""
        found = class_probabilities(_outputs(self.target, inputs), self.kind).cpu().numpy()
        if not np.isfinite(found).all():
            raise GanexplainError(
                "--model: returns NaN or infinity; describe what it takes with --input"
            )
        return found


def _view(path: Path, prediction: Prediction, cache: Path) -> View:
    """The usual log-mel of a recording, with the nearest values of a prediction at its frames."""
    front_end = FrontEnd()
    mel = cached_log_mel(path, front_end, cache)
    times = frame_times(len(mel), front_end)
    middles = (prediction.times[1:] + prediction.times[:-1]) / 2
    curve = prediction.curve[np.searchsorted(middles, times)]
    return View(mel, front_end, replace(prediction, times=times, curve=curve))


@torch.no_grad()
def _outputs(target: TargetNetwork, inputs: np.ndarray) -> Tensor:
    """Outputs (N, K) for inputs (N, ...); of several places their mean."""
    parts = torch.from_numpy(inputs).split(BATCH)
    return torch.cat([unit_values(target.network(part.to(target.device))) for part in parts])
