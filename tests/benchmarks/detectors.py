"""How good are detectors on songs that they have not heard, and where do they fail?

    OMP_NUM_THREADS=1 python tests/benchmarks/detectors.py sample_data/pretrained/classifier.pt \\
        --corpus CORPUS --corpus sample_data --songs

Of the test split of each corpus: frame error, AUROC, precision and recall with the threshold of the
checkpoint, the error with the best threshold for all songs and with that of each song, the share of
recordings without singing that is called singing, and of frames that are decided otherwise when the
sound is turned down. By kind (the column `kind` of a manifest, otherwise the first word of a file's
name), with --songs by song. Then votes for noise, and with --gan the correlation of the detectors'
logits for its samples.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.ascent.engine import start_latents
from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.checkpoint import Classifier, load_classifier
from ganexplain.classifiers.prediction import predict_frames
from ganexplain.corpora.load import read_corpora
from ganexplain.corpora.recordings import UNLABELLED, Recording
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.detection import detection_figures, smooth
from ganexplain.networks.bridges.bridge import bridge_between

GAINS_DB = (-10, -20, -30, -40)
SAMPLES, NOISES = 500, 64


@dataclass(frozen=True)
class Song:
    """Smoothed probabilities (T,) of the labelled frames, and whether somebody sings there (T,).

    `changed` (4,) is the share of all frames decided otherwise at each of `GAINS_DB`.
    """

    name: str
    kind: str
    curve: np.ndarray
    sung: np.ndarray
    changed: np.ndarray


def kind_of(recording: Recording) -> str:
    return recording.kind or recording.path.stem.split("_")[0]


def curve_of(classifier: Classifier, sound: np.ndarray) -> np.ndarray:
    mel = log_mel(sound, classifier.sound)
    return smooth(predict_frames(classifier.network, mel, classifier.sound)[:, 1])


def hear(classifier: Classifier, recording: Recording, turned: bool) -> Song:
    sound = load_mono(recording.path, classifier.sound.sample_rate)
    curve = curve_of(classifier, sound)
    changed = np.full(len(GAINS_DB), np.nan)
    if turned:
        quieter = [curve_of(classifier, sound * np.float32(10 ** (g / 20))) for g in GAINS_DB]
        decided = curve > classifier.threshold
        changed = np.array([np.mean((each > classifier.threshold) != decided) for each in quieter])
    labels = recording.frame_labels(len(curve), classifier.sound)
    known = labels != UNLABELLED
    return Song(recording.path.stem, kind_of(recording), curve[known], labels[known] == 1, changed)


def least_errors(curve: np.ndarray, sung: np.ndarray) -> int:
    """Number of frames that the best of all thresholds gets wrong."""
    order = np.argsort(curve)
    ordered, wrong = curve[order], np.concatenate([[0], np.cumsum(np.where(sung[order], 1, -1))])
    ends = np.concatenate([[True], np.diff(ordered) > 0, [True]])  # equal values are together
    return int((~sung).sum() + wrong[ends].min())


def line(name: str, songs: Sequence[Song], threshold: float) -> str:
    curve, sung = (np.concatenate([getattr(s, key) for s in songs]) for key in ("curve", "sung"))
    found = detection_figures(curve, sung, threshold)
    of_each = sum(least_errors(song.curve, song.sung) for song in songs) / len(sung)
    without = [song.curve > threshold for song in songs if not song.sung.any()]
    called = float(np.mean(np.concatenate(without))) if without else np.nan
    cells = [found[k] for k in ("frame_error", "auroc", "precision", "recall")]
    cells += [least_errors(curve, sung) / len(sung), of_each, called]
    shown = ["" if np.isnan(cell) else f"{cell:.3f}" for cell in cells]
    return f"| {name} | {len(sung) / 70 / 60:.1f} | " + " | ".join(shown) + " |"


def print_corpus(name: str, songs: Sequence[Song], threshold: float, by_song: bool) -> None:
    print(f"\n{name}, threshold {threshold:.2f}\n")
    print("| | min | error | AUROC | precision | recall | with the best threshold | "
          "with that of each song | of recordings without singing called singing |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    print(line("all", songs, threshold))
    kinds: dict[str, list[Song]] = defaultdict(list)
    for song in songs:
        kinds[song.kind].append(song)
    for kind, of_kind in sorted(kinds.items()):
        print(line(kind, of_kind, threshold))
    for song in songs if by_song else ():
        print(line(song.name, [song], threshold))
    lengths = [len(song.curve) for song in songs]
    changed = np.average([song.changed for song in songs], axis=0, weights=lengths)
    if not np.isnan(changed).any():
        shares = (f"{100 * c:.1f} % at {g} dB" for g, c in zip(GAINS_DB, changed, strict=True))
        print("\nframes decided otherwise: " + ", ".join(shares))


@torch.no_grad()
def logits(classifier: Classifier, front_end: FrontEnd, inputs: Tensor, fit: str) -> np.ndarray:
    """Logits (N,) of log-mel inputs of another length, too, which are extended by `fit`."""
    bridge: nn.Module = bridge_between(front_end, classifier.sound, fit=fit)
    parts = [classifier.network(bridge(part)) for part in inputs.split(50)]
    return torch.cat(parts)[:, 0].numpy()


def print_votes(classifiers: dict[str, Classifier], gan: str, fit: str) -> None:
    usual = FrontEnd()
    noise = np.random.default_rng(0).normal(0, 0.1, (NOISES, usual.excerpt_samples))
    inputs = {"noise": np.stack([log_mel(n.astype(np.float32), usual).T for n in noise])}
    low, high = usual.noise_range
    inputs["noise in log-mel"] = np.random.default_rng(0).uniform(low, high, (NOISES, *usual.shape))
    print()
    for name, values in inputs.items():
        given = torch.from_numpy(values.astype(np.float32))
        for which, one in classifiers.items():
            above = logits(one, usual, given, fit) > np.log(one.threshold / (1 - one.threshold))
            print(f"{which} votes for singing in {100 * above.mean():.0f} % of {name}")
    if not gan or len(classifiers) < 2:
        return
    generator, front_end = load_generator(Path(gan), torch.device("cpu"))
    assert isinstance(front_end, FrontEnd)
    with torch.no_grad():
        drawn = generator(torch.from_numpy(start_latents(0, SAMPLES, LATENT_SIZE)))
    answers = {name: logits(one, front_end, drawn, fit) for name, one in classifiers.items()}
    for pair in combinations(answers, 2):
        r = np.corrcoef([answers[name] for name in pair])[0, 1]
        print(f"{' and '.join(pair)} correlate by {r:.2f} on {SAMPLES} samples of {gan}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("classifier", nargs="+", type=Path)
    parser.add_argument("--corpus", action="append", default=[])
    parser.add_argument("--songs", action="store_true", help="a line for each song")
    parser.add_argument("--no-gains", action="store_true", help="leave out the turned-down sound")
    parser.add_argument("--gan", default="")
    parser.add_argument("--fit", default="reflect", help="how short inputs are extended")
    arguments = parser.parse_args()
    cpu = torch.device("cpu")
    classifiers = {str(path): load_classifier(path, cpu) for path in arguments.classifier}
    for name, classifier in classifiers.items():
        for corpus in arguments.corpus:
            recordings = read_corpora([corpus]).split("test")
            songs = [hear(classifier, each, not arguments.no_gains) for each in recordings]
            print_corpus(f"{name}: {corpus}", songs, classifier.threshold, arguments.songs)
    print_votes(classifiers, arguments.gan, arguments.fit)


if __name__ == "__main__":
    main()
