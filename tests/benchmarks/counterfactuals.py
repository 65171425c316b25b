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
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.prediction import decision_margin
from ganexplain.files.arrays import read_arrays

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
    redrawn = (arrays["reconstruction_margin"] > 0) != up
    across = (arrays["counterfactual_margin"] > 0) != up
    made = across & ~redrawn  # by moving the latent
    way = arrays["counterfactual_latent"] - arrays["reconstruction_latent"]
    unit = judge.sound.decibels_per_unit
    off = arrays["reconstruction_mel"] - arrays["original_mel"]

    def gain(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Margins' way to the other side."""
        return np.where(up, before - after, after - before)[made]

    def shares(name: str, of: Callable[[str], np.ndarray]) -> list[tuple[str, str]]:
        """How a network's margins move, from the redrawing, and from the recording itself."""
        rows = []
        for step, ends in (
            ("counterfactual", ("reconstruction", "counterfactual")),
            ("recording retouched", ("original", "retouched")),
        ):
            before, after = (of(state) for state in ends)
            there = ((before > 0) == up) & made
            crossed = there & ((after > 0) != up)
            rows += [
                (f"{name}: margin's way, mean, {step}", f"{gain(before, after).mean():.2f}"),
                (f"{name}: changed side, {step}", f"{crossed.sum()} of {there.sum()}"),
            ]
        return rows

    rows = [
        ("redrawn on the other side already", f"{redrawn.sum()} of {len(up)}"),
        ("moved to the other side", f"{made.sum()} of {(~redrawn).sum()}"),
        ("first iteration there, median", f"{np.median(arrays['iterations'][made]):g}"),
        ("latent moved, median", f"{np.median(np.linalg.norm(way, axis=1)[made]):.2f}"),
        ("redrawing off, median", f"{unit * np.median(np.sqrt((off**2).mean((1, 2)))):.1f} dB"),
        *shares("classifier", lambda state: arrays[f"{state}_margin"]),
        *shares("judge", judged),
    ]
    print("| | |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
