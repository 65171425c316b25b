"""Which recordings are called too quiet or too loud for a classifier?

    OMP_NUM_THREADS=1 python tests/benchmarks/levels.py sample_data CORPUS

The recordings of corpora as they are, and every third of up to 200 s turned up and down: how many
are named, and by how much the share of the time that the classifier calls sung changes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ganexplain.audio.io import load_mono
from ganexplain.audio.levels import level_against_training
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.prediction import predict_frames
from ganexplain.corpora.load import read_corpora
from ganexplain.metrics.detection import smooth

CLASSIFIER = Path("sample_data/pretrained/classifier.pt")
GAINS_DB = (-10, -20, -30, -40, 20)
LONGEST = 200  # s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="+")
    arguments = parser.parse_args()
    classifier = load_classifier(CLASSIFIER, torch.device("cpu"))
    network, front_end = classifier.network, classifier.sound
    mean, deviation = network.mean.numpy(), network.deviation.numpy()

    def named(mel: np.ndarray) -> bool:
        return level_against_training(mel, mean, deviation) != 0

    def sung(mel: np.ndarray) -> float:
        curve = smooth(predict_frames(network, mel, front_end))
        return float(np.mean(curve[:, 1] > classifier.threshold))

    sounds = [
        load_mono(recording.path, front_end.sample_rate)
        for recording in read_corpora(arguments.corpus).recordings
    ]
    mels = [log_mel(sound, front_end) for sound in sounds]
    print(f"as they are: {sum(map(named, mels))} of {len(mels)} named")
    some = [k for k in range(0, len(mels), 3) if len(sounds[k]) < LONGEST * front_end.sample_rate]
    shares = {k: sung(mels[k]) for k in some}
    for gain in GAINS_DB:
        factor = np.float32(10 ** (gain / 20))
        turned = {k: log_mel(sounds[k] * factor, front_end) for k in some}
        count = sum(map(named, turned.values()))
        change = np.mean([abs(sung(turned[k]) - shares[k]) for k in some])
        print(f"{gain:+} dB: {count} of {len(some)} named, share sung off by {100 * change:.1f} %")


if __name__ == "__main__":
    main()
