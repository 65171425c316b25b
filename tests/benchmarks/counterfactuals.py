"""How often counterfactuals change side, how large they are, and whether other networks follow.

    ganexplain counterfactual $(sed 's|.*|--start-from sample_data/audio/&@5|' \\
        sample_data/filelists/test) --classifier sample_data/pretrained/classifier.pt \\
        --gan sample_data/pretrained/gan.pt --out runs/counterfactual
    python tests/benchmarks/counterfactuals.py runs/counterfactual

For a run of `--on recording` the FLAC files are read again and decided upon by `log_mel` and the
network, without the search's own front end; a judge agrees where its margin moves towards the
other side. For one of `--on gan` the judge is asked about what the GAN makes of the excerpts. The
judges were not climbed: where they follow, the change is one of the sound and not of the one
classifier alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from ganexplain.audio.difference import level_change_db
from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.checkpoint import Classifier, load_classifier
from ganexplain.classifiers.prediction import decision_margin
from ganexplain.counterfactuals.changed_excerpts import STATES
from ganexplain.counterfactuals.edit import LIMITS_DB
from ganexplain.files.arrays import read_arrays
from ganexplain.gans.checkpoint import load_gan
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.edited_excerpts import CHANGED_DB

PRETRAINED = Path("sample_data/pretrained")
JUDGES = (PRETRAINED / "judge.pt", PRETRAINED / "referee.pt")
FRONT_END = FrontEnd()
Rows = list[tuple[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run directory of counterfactual")
    parser.add_argument("--classifier", type=Path, default=PRETRAINED / "classifier.pt")
    parser.add_argument("--judge", type=Path, action="append")
    asked = parser.parse_args()
    arrays, meta = read_arrays(asked.run / "counterfactual.npz", "counterfactual", ())
    networks = [asked.classifier, *(asked.judge or JUDGES)]
    opened = {path.stem: load_classifier(path, torch.device("cpu")) for path in networks}
    if meta.get("on", "gan") == "recording":
        entries = json.loads((asked.run / "run.json").read_text())["results"]["excerpts"]
        rows = of_recordings(arrays, entries, opened)
    else:
        rows = of_reconstructions(arrays, Path(meta["gan"]), opened)
    print("| | |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


def decided(network: Classifier, mels: np.ndarray) -> np.ndarray:
    """Margins (N,) of log-mel excerpts (N, F, T)."""
    with torch.no_grad():
        logits = network.network(torch.from_numpy(mels))
    return decision_margin(logits, 0, network.threshold).numpy()


# --- edits of recordings ----------------------------------------------------------------------


def of_recordings(
    arrays: Mapping[str, np.ndarray], entries: Sequence[dict], opened: Mapping[str, Classifier]
) -> Rows:
    """Figures of a run of `--on recording`; sizes are those of the edits that change side."""
    original, edited = (
        np.stack([read_mel(Path(entry["sounds"][k])) for entry in entries]) for k in (0, 1)
    )
    (own, *judges) = [(decided(each, original), decided(each, edited)) for each in opened.values()]
    up = own[0] > 0
    crossed = (own[1] > 0) != up
    size = np.abs(arrays["edit_db"])
    changed = size > CHANGED_DB
    cells = changed.mean((1, 2))
    means = (size * changed).sum((1, 2)) / np.maximum(changed.sum((1, 2)), 1)
    opposite = (arrays["opposite_margin"] > 0) != up
    elsewhere = (arrays["elsewhere_margin"] > 0) != up[:, None]
    by_size = [f"{(crossed & (means <= most)).sum()}" for most in LIMITS_DB]
    measured = np.array(
        [
            np.abs(level_change_db(before, after, FRONT_END)).mean()
            for before, after in zip(original, edited, strict=True)
        ]
    )
    rows = [
        ("change side, read from the files", f"{crossed.sum()} of {len(up)}"),
        ("the same by at most 3, 6, 12 and 24 dB on average", ", ".join(by_size)),
        ("change of the cells that change, mean", f"{means[crossed].mean():.1f} dB"),
        ("the same, median and largest",
         f"{np.median(means[crossed]):.1f} dB, {means[crossed].max():.1f} dB"),
        ("share of cells that change, mean", f"{cells[crossed].mean():.1%}"),
        ("the same, median and largest",
         f"{np.median(cells[crossed]):.1%}, {cells[crossed].max():.1%}"),
        ("measured change of all cells' levels, mean", f"{measured[crossed].mean():.2f} dB"),
        ("the opposite edit changes side", f"{opposite.sum()} of {len(up)}"),
        ("the edit elsewhere changes side, of 20 places", f"{elsewhere[crossed].mean():.1%}"),
    ]  # fmt: skip
    if "original_gan_off_db" in arrays:
        before, after = (arrays[f"{state}_gan_off_db"] for state in ("original", "edited"))
        rows += [
            ("off the GAN's range, mean, before and after",
             f"{before.mean():.1f} dB, {after.mean():.1f} dB"),
            ("further off by more than 0.1 dB", f"{(after > before + 0.1).sum()} of {len(up)}"),
        ]  # fmt: skip
    way = np.abs(own[1] - own[0])[crossed]
    return rows + judged(judges, up, crossed, way)


def judged(
    judges: Sequence[tuple[np.ndarray, np.ndarray]], up: np.ndarray, crossed: np.ndarray,
    way: np.ndarray,
) -> Rows:  # fmt: skip
    """How far judges follow edits that change side."""
    before, after = (np.stack([each[k] for each in judges])[:, crossed] for k in (0, 1))
    towards = np.where(up[crossed], before - after, after - before)
    there = (before > 0) == up[crossed]
    follow = there & ((after > 0) != up[crossed])
    return [
        ("judges agree: margin moves towards the other side",
         f"{(towards > 0).sum()} of {towards.size}"),
        ("judges' way in that of the classifier, mean", f"{towards.mean() / way.mean():.0%}"),
        ("judges change side, of those on the original's", f"{follow.sum()} of {there.sum()}"),
    ]  # fmt: skip


def read_mel(path: Path) -> np.ndarray:
    return log_mel(load_mono(path, FRONT_END.sample_rate), FRONT_END).T.copy()


# --- reconstructions --------------------------------------------------------------------------


def of_reconstructions(
    arrays: Mapping[str, np.ndarray], gan: Path, opened: Mapping[str, Classifier]
) -> Rows:
    """Figures of a run of `--on gan`."""
    up = arrays["original_margin"] > 0
    redrawn = (arrays["reconstruction_margin"] > 0) != up
    across = (arrays["counterfactual_margin"] > 0) != up
    made = across & ~redrawn  # by moving the latent
    way = arrays["counterfactual_latent"] - arrays["reconstruction_latent"]
    generator, encoder, _ = load_gan(gan, torch.device("cpu"))
    original = torch.from_numpy(arrays["original_mel"])
    redrawing = off_db(torch.from_numpy(arrays["reconstruction_mel"]), original)
    with torch.no_grad():
        plain = off_db(generator(torch.from_numpy(arrays["reconstruction_latent"])), original)
        ranges = [
            off_db(generator(encoder(mel)[0]), mel)
            for mel in (torch.from_numpy(arrays[f"{state}_mel"]) for state in STATES[1:])
        ]
    rows = [
        ("redrawn on the other side already", f"{redrawn.sum()} of {len(up)}"),
        ("moved to the other side", f"{made.sum()} of {(~redrawn).sum()}"),
        ("first iteration there, median", f"{np.median(arrays['iterations'][made]):g}"),
        ("latent moved, median", f"{np.median(np.linalg.norm(way, axis=1)[made]):.2f}"),
        ("redrawing off, median and largest",
         f"{np.median(redrawing):.1f} dB, {redrawing.max():.1f} dB"),
        ("by the latent alone", f"{np.median(plain):.1f} dB, {plain.max():.1f} dB"),
        ("off the GAN's range, mean, redrawing and counterfactual",
         f"{ranges[0].mean():.1f} dB, {ranges[1].mean():.1f} dB"),
    ]  # fmt: skip
    first, *others = opened
    rows += shares(first, lambda state: arrays[f"{state}_margin"], up, made)
    for name in others:
        network = opened[name]

        def margins(state: str, network: Classifier = network) -> np.ndarray:
            return decided(network, arrays[f"{state}_mel"])

        rows += shares(name, margins, up, made)
    return rows


def off_db(mel: torch.Tensor, other: torch.Tensor) -> np.ndarray:
    """Root mean square difference (N,) of log-mel excerpts (N, F, T)."""
    return FRONT_END.decibels_per_unit * (mel - other).square().mean((1, 2)).sqrt().numpy()


def shares(name: str, of: Callable[[str], np.ndarray], up: np.ndarray, made: np.ndarray) -> Rows:
    """How a network's margins move, from the redrawing, and from the recording itself."""
    first, redrawn = of("original") > 0, of("reconstruction") > 0
    rows = [
        (f"{name}: the same of redrawing and recording", f"{(redrawn == first).sum()} of {len(up)}")
    ]
    for step, ends in (
        ("counterfactual", ("reconstruction", "counterfactual")),
        ("recording retouched", ("original", "retouched")),
    ):
        before, after = (of(state) for state in ends)
        there = ((before > 0) == up) & made
        crossed = there & ((after > 0) != up)
        gain = np.where(up, before - after, after - before)[made]
        rows += [
            (f"{name}: margin's way, mean, {step}", f"{gain.mean():.2f}"),
            (f"{name}: towards the other side, {step}", f"{(gain > 0).sum()} of {len(gain)}"),
            (f"{name}: changed side, {step}", f"{crossed.sum()} of {there.sum()}"),
        ]
    return rows


if __name__ == "__main__":
    main()
