"""How much units respond to real music: the shipped classifier, shuffled and untrained networks.

    python tests/benchmarks/variation.py

Over excerpts of the training split of sample_data, for each layer: the standard deviation of a
unit's response over its root mean square, and over the median of the layer (least over units).
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ganexplain.classifiers.base import initialise
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import load_split, open_corpus
from ganexplain.networks.hooks import layer_response
from ganexplain.networks.weight_shuffling import weights_shuffled
from ganexplain.runs.progress import NullProgress

ROOT = Path(__file__).parents[2]
LAYERS = ("conv1", "conv2", "conv4", "conv5", "fc7", "fc8", "fc9")


def shares(network: nn.Module, layer: str, mel: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Deviations (U,) of a layer's units over their size, and over the layer's median."""
    with torch.no_grad(), layer_response(network, layer) as respond:
        response = torch.cat([respond(part) for part in mel.split(32)]).double().numpy()
    std = response.std(axis=0, ddof=1)
    return std / np.hypot(response.mean(axis=0), std), std / np.median(std)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hop-frames", type=int, default=456)
    options.add_argument("--shuffles", type=int, default=12)
    asked = options.parse_args()
    shipped = load_classifier(
        ROOT / "sample_data" / "pretrained" / "classifier.pt", torch.device("cpu")
    )
    corpus = open_corpus((str(ROOT / "sample_data"),))
    split = load_split(corpus, "train", shipped.front_end, cache_directory(""), NullProgress())
    mel = torch.from_numpy(split.gather(split.whole_excerpts(asked.hop_frames)))
    print(f"{len(mel)} excerpts")
    for layer in LAYERS:
        size, layers = shares(shipped.network, layer, mel)
        print(f"shipped   {layer:6} of its size {size.min():.3f}, of its layer {layers.min():.3f}")
    for layer in ("fc8", "fc9"):
        found = []
        for seed in range(asked.shuffles):
            with weights_shuffled(shipped.network, seed):
                found.append(np.median(shares(shipped.network, layer, mel)[0]))
        print(f"shuffled  {layer:6} of its size {min(found):.4f} to {max(found):.4f} (median unit)")
    for seed in range(3):
        fresh = copy.deepcopy(shipped.network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        initialise(fresh, seed)
        size, _ = shares(fresh, "fc9", mel)
        print(f"untrained fc9    of its size {size.min():.3f} (seed {seed})")


if __name__ == "__main__":
    main()
