"""How fast is dense prediction, against one window for every frame?

    OMP_NUM_THREADS=1 python tests/benchmarks/dense.py

Class probabilities of every frame of a minute of sound by `predict_frames`, one pass over the
recording, and by the same network on one excerpt centred at each frame, in batches, both on
the same features in the same run. Says both rates, their ratio and the largest difference.
Without `--sound` the sound is noise with gliding tones; without `--classifier` the weights are
random, with the band statistics of that sound.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.base import ExcerptNet, initialise
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.prediction import predict_frames, probabilities
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.files.checkpoints import freeze_network
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.runs.machine import keep_freed_memory, pick_device

FRONT_END = FrontEnd()


def made_sound(seconds: float) -> np.ndarray:
    """Noise with two tones that glide and come and go (samples,)."""
    times = np.arange(round(seconds * FRONT_END.sample_rate)) / FRONT_END.sample_rate
    sound = 0.05 * np.random.default_rng(0).standard_normal(times.size)
    for hertz, period in ((220.0, 7.0), (880.0, 3.0)):
        phase = 2 * np.pi * hertz * (times + 0.05 * period * np.sin(2 * np.pi * times / period))
        sound += 0.3 * (np.sin(2 * np.pi * times / period) > 0) * np.sin(phase)
    return sound.astype(np.float32)


def random_network(mel: np.ndarray) -> SVDNet:
    network = SVDNet(1)
    initialise(network, 0)
    network.mean.copy_(torch.from_numpy(mel.mean(axis=0)))
    network.deviation.copy_(torch.from_numpy(mel.std(axis=0)))
    with torch.no_grad():
        network.fc9.weight.mul_(4)  # else every probability is near a half
    return network


@torch.inference_mode()
def one_window_a_frame(network: ExcerptNet, mel: np.ndarray, batch: int) -> np.ndarray:
    half = FRONT_END.excerpt_frames // 2
    silence = float(np.log(FRONT_END.floor))
    padded = np.pad(mel, ((half, half), (0, 0)), constant_values=silence)
    windows = np.lib.stride_tricks.sliding_window_view(padded, FRONT_END.excerpt_frames, axis=0)
    rows = []
    for start in range(0, len(windows), batch):
        x = torch.from_numpy(np.ascontiguousarray(windows[start : start + batch]))
        rows.append(probabilities(network(x.to(network.mean.device))).cpu().numpy())
    return np.concatenate(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sound", type=Path)
    parser.add_argument("--classifier", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--batch", type=int, default=32, help="windows at once")
    parser.add_argument("--repeats", type=int, default=3, help="of the dense pass; the median")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    keep_freed_memory()
    rate = FRONT_END.sample_rate
    sound = load_mono(arguments.sound, rate) if arguments.sound else made_sound(arguments.seconds)
    mel = log_mel(sound[: round(arguments.seconds * rate)], FRONT_END)
    device = pick_device(arguments.device)
    if arguments.classifier:
        network = load_classifier(arguments.classifier, device).network
    else:
        network = freeze_network(random_network(mel), device)

    one_window_a_frame(network, mel[:200], arguments.batch)  # both warm
    predict_frames(network, mel, FRONT_END)
    spent = []
    for _ in range(arguments.repeats):
        started = time.perf_counter()
        dense = predict_frames(network, mel, FRONT_END)
        spent.append(time.perf_counter() - started)
    started = time.perf_counter()
    windowed = one_window_a_frame(network, mel, arguments.batch)
    seconds = {"dense": float(np.median(spent)), "windows": time.perf_counter() - started}

    music = len(mel) / FRONT_END.frame_rate
    print(f"{len(mel)} frames, {music:.1f} s of sound, {device}, {torch.get_num_threads()} threads")
    for name, value in seconds.items():
        print(f"{name:8} {len(mel) / value:9.0f} frames/s  {music / value:8.1f} x real time")
    print(f"ratio    {seconds['windows'] / seconds['dense']:9.1f}")
    print(f"probabilities from {dense[:, -1].min():.3f} to {dense[:, -1].max():.3f}")
    print(f"largest difference {np.abs(dense - windowed).max():.2g}")


if __name__ == "__main__":
    main()
