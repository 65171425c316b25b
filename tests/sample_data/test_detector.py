"""The second shipped detector hears singing at any level."""

from pathlib import Path

import numpy as np
import torch

from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.prediction import predict_frames
from ganexplain.metrics.detection import smooth

SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"


def test_a_song_is_decided_alike_forty_decibels_down() -> None:
    detector = load_classifier(SAMPLE_DATA / "pretrained" / "detector.pt", torch.device("cpu"))
    sound = load_mono(SAMPLE_DATA / "audio" / "mix_oda_hunting.ogg", detector.sound.sample_rate)
    loud, quiet = (
        smooth(
            predict_frames(detector.network, log_mel(heard, detector.sound), detector.sound)[:, 1]
        )
        > detector.threshold
        for heard in (sound, sound / np.float32(100))
    )
    assert 0.2 < loud.mean() < 0.9  # it hears both
    assert np.mean(loud != quiet) < 0.01
    labels = np.loadtxt(SAMPLE_DATA / "labels" / "mix_oda_hunting.lab", dtype=str)
    times = np.arange(len(loud)) * detector.sound.hop_length / detector.sound.sample_rate
    sung = np.zeros(len(loud), bool)
    for start, end, label in labels:
        sung |= (times >= float(start)) & (times < float(end)) & (label == "sing")
    assert np.mean(loud != sung) < 0.1
