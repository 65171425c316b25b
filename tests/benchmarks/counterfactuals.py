"""How often counterfactuals change side, how far they go, and whether another network follows.

    ganexplain counterfactual $(sed 's|.*|--start-from sample_data/audio/&@5|' \\
        sample_data/filelists/test) --classifier sample_data/pretrained/classifier.pt \\
        --gan sample_data/pretrained/gan.pt --out runs/counterfactual
    python tests/benchmarks/counterfactuals.py runs/counterfactual/counterfactual.npz

The judge was not climbed: where it follows, the change is one of the sound and not of the one
classifier alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts import read_arrays
from ganexplain.data.change import DB_A_NAT
from ganexplain.models.loading import load_classifier
from ganexplain.models.prediction import decision_margin

JUDGE = Path("sample_data/pretrained/judge.pt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("counterfactuals", type=Path)
    parser.add_argument("--judge", type=Path, default=JUDGE)
    arguments = parser.parse_args()
    arrays, _ = read_arrays(arguments.counterfactuals, "counterfactual", ())
    judge = load_classifier(arguments.judge, torch.device("cpu"))

    def judged(state: str) -> np.ndarray:
        with torch.no_grad():
            logits = judge.network(torch.from_numpy(arrays[f"{state}_mel"]))
        return decision_margin(logits, 0, judge.threshold).numpy()

    up = arrays["original_margin"] > 0
    across = (arrays["counterfactual_margin"] > 0) != up
    redrawn = (arrays["reconstruction_margin"] > 0) != up
    moved = np.linalg.norm(
        arrays["counterfactual_latent"] - arrays["reconstruction_latent"], axis=1
    )
    off = np.sqrt(((arrays["reconstruction_mel"] - arrays["original_mel"]) ** 2).mean(axis=(1, 2)))
    before, after = judged("reconstruction"), judged("counterfactual")
    followed = np.where(up, before - after, after - before)[across & ~redrawn]
    own = np.abs(arrays["counterfactual_margin"] - arrays["reconstruction_margin"])
    judge_side = ((before > 0) == up) & across & ~redrawn
    judge_crossed = judge_side & ((after > 0) != up)
    count = len(up)
    rows = [
        ("redrawn on the other side already", f"{redrawn.sum()} of {count}"),
        ("on the other side in the end", f"{across.sum()} of {count}"),
        ("first iteration there, median", f"{np.median(arrays['iterations'][across]):g}"),
        ("latent moved, median", f"{np.median(moved[across]):.2f}"),
        ("redrawing off, median", f"{DB_A_NAT * np.median(off):.1f} dB"),
        ("margin moved, mean", f"{own[across & ~redrawn].mean():.2f}"),
        ("judge's margin moved the same way", f"{(followed > 0).sum()} of {followed.size}"),
        ("judge's margin moved, mean", f"{followed.mean():.2f}"),
        ("judge across as well", f"{judge_crossed.sum()} of {judge_side.sum()}"),
    ]  # fmt: skip
    print("| | |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
