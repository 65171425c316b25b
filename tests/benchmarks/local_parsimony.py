"""What E-LIME's parsimony is worth: how many segments it keeps, and how well they hold.

OMP_NUM_THREADS=1 python tests/benchmarks/local_parsimony.py [--digits FOLDER CLASSIFIER]

Of held-out excerpts of `sample_data` (24 segments, the class decided for), of voices planted in
three of ten spans, and of pictures of digits (16 segments), `attribute`'s defaults otherwise. "P of
kept" and "of the rest": probability of the class where only the segments kept remain, and where
only the others do; "found" and "right": share of the planted spans kept, and of the kept planted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.planted import SAMPLE, classifier, planted_excerpts

from ganexplain.attribution.fills import Reference, fill
from ganexplain.attribution.masking import MaskedInput
from ganexplain.attribution.measures import measure
from ganexplain.attribution.methods.base import Question
from ganexplain.attribution.methods.registry import method_for
from ganexplain.attribution.scorer import Scorer
from ganexplain.attribution.segments import grid, temporal
from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.config import AttributeConfig
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.picture_files import load_picture
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput

WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
EXCERPTS = 24
USUAL = AttributeConfig(inputs=())


@dataclass(frozen=True)
class Case:
    """An input, its segments, and the segments known to matter (n,), if any are."""

    x: torch.Tensor
    labels: np.ndarray
    truth: np.ndarray | None = None


def held_out(front_end: FrontEnd) -> list[Case]:
    """Excerpts spread over the recordings that nothing was trained on."""
    recordings = [r for r in read_corpus(SAMPLE).recordings if r.split == "test"]
    labels, cases = grid(front_end.mel_bands, front_end.excerpt_frames, 4, 6), []
    for k in range(EXCERPTS):
        sound = load_mono(recordings[k % len(recordings)].path, front_end.sample_rate)
        mel = log_mel(sound, front_end)
        room = len(mel) - front_end.excerpt_frames
        start = round(room * (0.15 + 0.7 * (k // len(recordings)) / (EXCERPTS / len(recordings))))
        cases.append(Case(torch.as_tensor(mel[start : start + 115].T.copy()), labels))
    return cases


def table(
    title: str,
    cases: list[Case],
    network: torch.nn.Module,
    reference: Reference,
    fast: Callable[[torch.Tensor], torch.Tensor] | None,
) -> None:
    for weight in WEIGHTS:
        rows = []
        for case in cases:
            with torch.no_grad():
                out = network(case.x[None])
            target = int(out[0] > 0) if out.shape[1] == 1 else int(out.argmax())
            scorer = Scorer(network, target, fast=fast)
            filled = fill("mean", case.x, case.labels, reference)
            parts = MaskedInput(case.x, case.labels, filled)
            asked = Question(case.x, filled, case.labels, parts, scorer, network)
            held = measure(
                asked, method_for("elime", replace(USUAL, parsimony=weight)).ask(asked, 0)
            )
            planted = [np.nan, np.nan]
            if case.truth is not None:
                both = (held.kept & case.truth).sum()
                planted = [both / case.truth.sum(), both / max(held.kept.sum(), 1)]
            rows.append([held.kept.sum(), held.full_score, held.kept_score,
                         held.removed_score, float(held.kept_score >= 0.5), *planted,
                         held.measures["faithfulness"]])  # fmt: skip
        kept, full, alone, rest, same, found_, right, faithful = np.mean(rows, axis=0)
        print(f"| {title} | {weight:g} | {kept:.1f} of {case.labels.max() + 1} | {full:.3f} | "
              f"{alone:.3f} | {rest:.3f} | {100 * same:.0f} % | {found_:.2f} | {right:.2f} | "
              f"{faithful:.3f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", type=Path, nargs=2, metavar=("FOLDER", "CLASSIFIER"))
    arguments = parser.parse_args()
    print("| inputs | parsimony | kept | P full | P of kept | of the rest | kept say the class | "
          "found | right | faithful |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    shipped, fast, reference = classifier()
    network = shipped.network
    table("excerpts", held_out(shipped.sound), network, reference, fast)
    planted = [
        Case(torch.as_tensor(e.mel), temporal(80, 115, 10), e.voiced)
        for e in planted_excerpts(shipped, EXCERPTS)
    ]
    table("planted voices", planted, network, reference, fast)
    if arguments.digits:
        folder, path = arguments.digits
        theirs = load_classifier(path, torch.device("cpu"))
        assert isinstance(theirs.front_end, ImageInput)
        axes = (..., None, None)
        scale = Reference(theirs.network.mean[axes], theirs.network.deviation[axes])
        files = [sorted((folder / str(k % 10)).glob("*.png"))[k // 10] for k in range(EXCERPTS)]
        side = theirs.front_end.height
        cases = [
            Case(torch.as_tensor(load_picture(file, theirs.front_end)), grid(side, side, 4, 4))
            for file in files
        ]
        table("digits", cases, theirs.network, scale, None)
