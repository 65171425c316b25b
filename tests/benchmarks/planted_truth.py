"""Do explanations tell the truth, where it is known? The planted-truth lab.

    OMP_NUM_THREADS=1 python tests/benchmarks/planted_truth.py run OUT --corpus sample_data \\
        --corpus CORPUS [--cause CAUSE ...]
    python tests/benchmarks/planted_truth.py table OUT

`run` makes, of each of twelve causes, a detector that was trained on it, its twin, a GAN of the
same excerpts and a liar (`planted_networks.py`), asks every method, and writes OUT/CAUSE.json.
Two processes with other causes can run at once. `table` reads what is there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.planted_causes import CAUSES, Cause
from benchmarks.planted_networks import (
    make_liar,
    plant,
    sample_sounds,
    train_detector,
    train_generator,
)
from benchmarks.planted_questions import (
    EXPLAINED,
    SMALL_GRID,
    WHOLE_GRID,
    Drawn,
    attributions,
    counterfactual_shares,
    draw,
    outputs,
    similarity,
)
from benchmarks.planted_tables import print_tables
from support.paths import SAMPLE

from ganexplain.files.atomic import write_json
from ganexplain.metrics.detection import auroc
from ganexplain.metrics.transfer import transferred_share
from ganexplain.runs.progress import NullProgress

TRAINED_ON, TESTED_ON = 1000, 200
OTHERS = 60  # random excerpts that the paths are compared with
CHANGED = 3  # excerpts whose decision is changed


def run_cause(cause: Cause, corpora: list[str], seed: int) -> dict[str, Any]:
    """All results for one cause."""
    say = _clock(cause.name)
    train = plant(cause, sample_sounds(corpora, "train+valid", TRAINED_ON, seed), seed)
    test = plant(cause, sample_sounds(corpora, "test", TESTED_ON, seed), seed + 1)
    detector = train_detector(train.present, train.absent, seed)
    sung, unsung = train.clean[train.singing], train.clean[~train.singing]
    twin = train_detector(sung, unsung, seed)
    say("classifiers")
    both = np.concatenate([train.present[::2], train.absent[1::2]])
    generator, encoder = train_generator(
        both, SAMPLE / "pretrained" / "gan.pt", seed, NullProgress()
    )
    say("GAN")
    liar = make_liar(detector, generator, cause, both, seed)
    say("liar")
    networks = {"detector": detector, "twin": twin, "liar": liar}
    pools = {"detector": both[::2], "twin": train.clean[::2], "liar": both[::2]}

    def drawn_by(name: str, way: str) -> Drawn:
        asked = WHOLE_GRID if (name, way) == ("detector", "max") else SMALL_GRID
        return draw(networks[name], generator, pools[name], way, seed, asked)

    most = {name: drawn_by(name, "max") for name in networks}
    least = {name: drawn_by(name, "min") for name in ("detector", "twin")}
    least["liar"] = least["detector"]
    say("explain")
    planted = cause.measure(test.present)
    effect = float(planted.mean() - cause.measure(test.absent).mean())
    shown = np.concatenate([test.present, test.absent])
    label = np.repeat([True, False], len(planted))
    heard = {name: outputs(network, shown) for name, network in networks.items()}
    whole = most["detector"]
    found: dict[str, Any] = {
        "cause": cause.name,
        "seed": seed,
        "effect": effect,
        "measure_auroc": auroc(cause.measure(shown), label),
        "auroc": {
            "detector": auroc(heard["detector"], label),
            "twin": auroc(outputs(twin, test.clean), test.singing),
            "liar": auroc(heard["liar"], label),
        },
        "liar_correlation": float(np.corrcoef(heard["detector"], heard["liar"])[0, 1]),
        "share_drawn": {
            name: float(
                (cause.measure(most[name].chosen) - cause.measure(few.chosen)).mean() / effect
            )
            for name, few in least.items()
        },
        "path_similarity": {
            name: similarity(networks[name], most[name], pools[name][1 :: len(both) // 2 // OTHERS])
            for name in networks
        },
        "transfer": {
            name: _finite(
                transferred_share(
                    lambda mel, name=name: outputs(networks[name], mel),  # type: ignore[misc]
                    most[name].chosen,
                    most[name].start,
                    test.clean[:OTHERS] if name == "twin" else test.absent[:OTHERS],
                )
            )
            for name in networks
        },
        "rules": {
            "settings": [list(each) for each in whole.settings],
            "error": [
                float(abs(cause.measure(mel).mean() - planted.mean()) / effect) for mel in whole.mel
            ],
            "scores": whole.scores,
        },
    }
    say("paths and rules")
    rows = np.flatnonzero(heard["detector"][: len(planted)] > 0)[:EXPLAINED]
    places = [test.planted[k] for k in rows]
    found["attributions"] = attributions(detector, test.present[rows], places, seed)
    say("attributions")
    changed = test.present[rows[:CHANGED]]
    shares = counterfactual_shares(detector, generator, encoder, cause, changed)
    found["counterfactual"] = [None if share is None else share / effect for share in shares]
    say("counterfactuals")
    return found


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _clock(name: str) -> Callable[[str], None]:
    start = time.process_time()

    def say(what: str) -> None:
        print(f"{name}: {what}, {time.process_time() - start:.0f} s of processor", flush=True)

    return say


def read_results(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The results in a folder, by cause."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    return {name: found[name] for name in CAUSES if name in found}


def main() -> None:
    """Run the lab, or print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--cause", action="append", choices=CAUSES, help="default: all")
    parser.add_argument("--corpus", action="append", default=None)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.what == "table":
        print_tables(read_results(options.out))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.cause or CAUSES:
        path = options.out / f"{name}.json"
        if not path.exists():
            write_json(path, run_cause(CAUSES[name], options.corpus or [str(SAMPLE)], options.seed))


if __name__ == "__main__":
    main()
