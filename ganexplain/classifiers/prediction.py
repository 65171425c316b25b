"""Class probabilities of recordings, frame by frame, and of pictures."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ganexplain.audio.log_mel import frame_times
from ganexplain.classifiers.base import ExcerptNet
from ganexplain.classifiers.checkpoint import Classifier
from ganexplain.corpora.spans import Prediction, decide, to_segments
from ganexplain.errors import GanexplainError
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.detection import smooth

CHUNK_PICTURES = 256
CHUNK_FRAMES = 1024  # outputs computed at once, for bounded memory and little overlap


def probabilities(logits: Tensor) -> Tensor:
    """Class probabilities (..., K) of logits (..., outputs); one output unit has two classes."""
    if logits.shape[-1] == 1:
        positive = torch.sigmoid(logits)
        return torch.cat([1 - positive, positive], dim=-1)
    return torch.softmax(logits, dim=-1)


def decision_margin(logits: Tensor, neuron: int, threshold: float) -> Tensor:
    """Margin (B,) by which logits (B, outputs) decide for an output unit's class.

    It is above zero where `predict` decides for the class: of two classes by the `threshold` of
    the second one's probability, of more for the most probable.
    """
    own = logits[:, neuron]
    if logits.shape[1] > 2:
        others = logits.detach().clone()
        others[:, neuron] = -torch.inf
        return own - logits.gather(1, others.argmax(dim=1, keepdim=True))[:, 0]
    boundary = math.log(threshold / (1 - threshold))
    if logits.shape[1] == 1:
        return own - boundary
    return own - logits[:, 1 - neuron] - (boundary if neuron == 1 else -boundary)


@torch.inference_mode()
def predict_pictures(network: ExcerptNet, pictures: np.ndarray) -> np.ndarray:
    """Class probabilities (N, K), float32, of pictures (N, C, H, W)."""
    network.eval()
    parts = torch.from_numpy(pictures).split(CHUNK_PICTURES)
    rows = [probabilities(network(part.to(network.mean.device))).cpu() for part in parts]
    return torch.cat(rows).numpy()


@torch.inference_mode()
def predict_frames(network: ExcerptNet, mel: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Class probabilities (T, K), float32, of each frame of a recording (T, F).

    Half an excerpt of silence is added at both ends, so each frame has a value.
    """
    network.eval()
    device, half = network.mean.device, front_end.excerpt_frames // 2
    # One array for all: small arrays that are kept between passes would fragment the heap.
    curve = np.empty((len(mel), max(network.outputs, 2)), dtype=np.float32)
    for start in range(0, len(mel), CHUNK_FRAMES):
        stop = min(start + CHUNK_FRAMES, len(mel))
        before, after = max(half - start, 0), max(stop + half - len(mel), 0)
        piece = mel[max(start - half, 0) : stop + half].T
        piece = np.pad(piece, ((0, 0), (before, after)), constant_values=front_end.silence)
        x = torch.from_numpy(np.ascontiguousarray(piece)).to(device)
        curve[start:stop] = probabilities(network.forward_dense(x[None]))[0].cpu().numpy()
    return curve


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
