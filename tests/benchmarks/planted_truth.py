"""Do explanations tell the truth, where it is known? The planted-truth lab.

    OMP_NUM_THREADS=1 python tests/benchmarks/planted_truth.py run OUT --corpus sample_data \\
        --corpus CORPUS [--cause CAUSE ...]
    OMP_NUM_THREADS=1 python tests/benchmarks/planted_truth.py name OUT ...
    OMP_NUM_THREADS=1 python tests/benchmarks/planted_truth.py twin OUT ...
    python tests/benchmarks/planted_truth.py table OUT

`run` makes, of each of twelve causes, a detector that was trained on it, its twin, a GAN of the
same excerpts and a liar (`planted_networks.py`), asks every method, and writes OUT/CAUSE.json.
`name` asks only which cause the examples of detector and twin show, in half of the time. `twin`
measures what planting each cause changes in the outputs of the twin, which is one for all causes.
Two processes with other causes can run at once. `table` reads what is there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.planted_causes import CAUSES, Cause
from benchmarks.planted_names import examples_measured, heard
from benchmarks.planted_networks import (
    PlantedSet,
    features,
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
from torch import nn

from ganexplain.files.atomic import write_json
from ganexplain.gans.networks import AnyEncoder, AnyGenerator
from ganexplain.metrics.detection import auroc
from ganexplain.metrics.transfer import transferred_share
from ganexplain.runs.progress import NullProgress

TRAINED_ON, TESTED_ON = 1000, 200
OTHERS = 60  # random excerpts that the paths are compared with
CHANGED = 3  # excerpts whose decision is changed


@dataclass(frozen=True)
class Asked:
    """The networks that are asked, by name, and what they are asked with, for one cause.

    Of each network, `pools` (P, F, T) has the real excerpts that its examples are ranked by and
    `others` (R, F, T) those that their paths are compared with.
    """

    generator: AnyGenerator
    encoder: AnyEncoder
    networks: Mapping[str, nn.Module]
    pools: Mapping[str, np.ndarray]
    others: Mapping[str, np.ndarray]


def make_networks(train: PlantedSet, seed: int, say: Callable[[str], None]) -> Asked:
    """Train a detector of the cause, its twin and a GAN."""
    detector = train_detector(train.present, train.absent, seed)
    twin = train_detector(train.clean[train.singing], train.clean[~train.singing], seed)
    say("classifiers")
    start = SAMPLE / "pretrained" / "gan.pt"
    generator, encoder = train_generator(train.mixed, start, seed, NullProgress())
    say("GAN")
    pools = {"detector": train.mixed[::2], "twin": train.clean[::2]}
    others = {name: pool[1 :: len(train.mixed) // 2 // OTHERS] for name, pool in pools.items()}
    return Asked(generator, encoder, {"detector": detector, "twin": twin}, pools, others)


def with_liar(asked: Asked, cause: Cause, train: PlantedSet, seed: int) -> Asked:
    """The same networks, and the detector's liar, which is asked with the detector's excerpts."""
    liar = make_liar(asked.networks["detector"], asked.generator, cause, train.mixed, seed)
    return replace(
        asked,
        networks={**asked.networks, "liar": liar},
        pools={**asked.pools, "liar": asked.pools["detector"]},
        others={**asked.others, "liar": asked.others["detector"]},
    )


def draw_examples(asked: Asked, seed: int) -> tuple[dict[str, Drawn], dict[str, Drawn]]:
    """What drives each network most, and least; a liar's least is that of the detector."""

    def drawn_by(name: str, way: str) -> Drawn:
        settings = WHOLE_GRID if (name, way) == ("detector", "max") else SMALL_GRID
        network, pool = asked.networks[name], asked.pools[name]
        return draw(network, asked.generator, pool, way, seed, settings)

    most = {name: drawn_by(name, "max") for name in asked.networks}
    least = {name: drawn_by(name, "min") for name in ("detector", "twin")}
    return most, {name: least["detector" if name == "liar" else name] for name in most}


def recognition(
    measured: np.ndarray, heard: Mapping[str, np.ndarray], test: PlantedSet
) -> dict[str, Any]:
    """How well the cause as `measured` and the outputs of each network tell the labels.

    Those of the twin are for the `clean` test excerpts, others for the `present` and the `absent`.
    """
    label = np.repeat([True, False], len(test.present))
    return {
        "measure_auroc": auroc(measured, label),
        "auroc": {
            "detector": auroc(heard["detector"], label),
            "twin": auroc(heard["twin"], test.singing),
            "liar": auroc(heard["liar"], label),
        },
        "liar_correlation": float(np.corrcoef(heard["detector"], heard["liar"])[0, 1]),
    }


def transfer(network: nn.Module, drawn: Drawn, clean: np.ndarray) -> float | None:
    """What the changes of the chosen examples bring to excerpts (N, F, T) without the cause."""
    share = transferred_share(lambda mel: outputs(network, mel), drawn.chosen, drawn.start, clean)
    return share if np.isfinite(share) else None


def compare(
    cause: Cause,
    asked: Asked,
    test: PlantedSet,
    most: Mapping[str, Drawn],
    least: Mapping[str, Drawn],
) -> dict[str, Any]:
    """What the examples of each network have of the cause, their paths, and what they transfer."""
    effect = effect_of(cause, test)
    present, whole = cause.measure(test.present).mean(), most["detector"]
    clean = {name: test.clean if name == "twin" else test.absent for name in asked.networks}
    return {
        "share_drawn": shares_drawn(cause, effect, most, least),
        "path_similarity": {
            name: similarity(network, most[name], asked.others[name])
            for name, network in asked.networks.items()
        },
        "transfer": {
            name: transfer(network, most[name], clean[name][:OTHERS])
            for name, network in asked.networks.items()
        },
        "rules": {
            "settings": [list(each) for each in whole.settings],
            "error": [
                float(abs(cause.measure(mel).mean() - present) / effect) for mel in whole.mel
            ],
            "scores": whole.scores,
        },
    }


def shares_drawn(
    cause: Cause, effect: float, most: Mapping[str, Drawn], least: Mapping[str, Drawn]
) -> dict[str, float]:
    """How far the examples of each network are apart in a measure, in units of planting it."""
    return {
        name: float((cause.measure(most[name].chosen) - cause.measure(few.chosen)).mean() / effect)
        for name, few in least.items()
    }


def effect_of(cause: Cause, test: PlantedSet) -> float:
    """How far the measure of a cause is with it above that without it, on average."""
    return float(cause.measure(test.present).mean() - cause.measure(test.absent).mean())


def run_cause(cause: Cause, corpora: list[str], seed: int) -> dict[str, Any]:
    """All results for one cause."""
    say = _clock(cause.name)
    train = plant(cause, sample_sounds(corpora, "train+valid", TRAINED_ON, seed), seed)
    few = sample_sounds(corpora, "test", TESTED_ON, seed)
    test = plant(cause, few, seed + 1)
    asked = with_liar(make_networks(train, seed, say), cause, train, seed)
    say("liar")
    most, least = draw_examples(asked, seed)
    say("explain")
    shown = np.concatenate([test.present, test.absent])
    heard = {
        name: outputs(network, test.clean if name == "twin" else shown)
        for name, network in asked.networks.items()
    }
    effect = effect_of(cause, test)
    found: dict[str, Any] = {
        "cause": cause.name,
        "seed": seed,
        "effect": effect,
        **examples_measured(most, least, few, seed + 1),
        **recognition(cause.measure(shown), heard, test),
        **compare(cause, asked, test, most, least),
    }
    say("paths and rules")
    detector = asked.networks["detector"]
    rows = np.flatnonzero(heard["detector"][: len(test.present)] > 0)[:EXPLAINED]
    places = [test.planted[k] for k in rows]
    found["attributions"] = attributions(detector, test.present[rows], places, seed)
    say("attributions")
    changed = test.present[rows[:CHANGED]]
    shares = counterfactual_shares(detector, asked.generator, asked.encoder, cause, changed)
    found["counterfactual"] = [None if share is None else share / effect for share in shares]
    say("counterfactuals")
    return found


def name_cause(cause: Cause, corpora: list[str], seed: int) -> dict[str, Any]:
    """What is needed to name the cause that the examples of detector and twin show."""
    say = _clock(cause.name)
    train = plant(cause, sample_sounds(corpora, "train+valid", TRAINED_ON, seed), seed)
    most, least = draw_examples(make_networks(train, seed, say), seed)
    say("explain")
    few = sample_sounds(corpora, "test", TESTED_ON, seed)
    effect = effect_of(cause, plant(cause, few, seed + 1))
    return {
        "cause": cause.name,
        "seed": seed,
        "effect": effect,
        "share_drawn": shares_drawn(cause, effect, most, least),
        **examples_measured(most, least, few, seed + 1),
    }


def ask_twin(corpora: list[str], seed: int) -> dict[str, float]:
    """What planting each cause changes in the outputs of the twin, which was trained on none."""
    sounds = sample_sounds(corpora, "train+valid", TRAINED_ON, seed)
    mel = features(sounds.sounds)
    twin = train_detector(mel[sounds.singing], mel[~sounds.singing], seed)
    few = sample_sounds(corpora, "test", TESTED_ON, seed)
    clean, found = outputs(twin, features(few.sounds)), {}
    for cause in CAUSES.values():
        test = plant(cause, few, seed + 1)
        planted = outputs(twin, test.present), outputs(twin, test.absent)
        found[cause.name] = heard(*planted, clean, few.singing)
    return found


def _clock(name: str) -> Callable[[str], None]:
    start = time.process_time()

    def say(what: str) -> None:
        print(f"{name}: {what}, {time.process_time() - start:.0f} s of processor", flush=True)

    return say


def read_results(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The results in a folder, by cause; what its twin hears of it is in them."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    hears = {name: {"twin_hears": share} for name, share in found.get("twin", {}).items()}
    return {name: found[name] | hears.get(name, {}) for name in CAUSES if name in found}


def main() -> None:
    """Run the lab, or print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("run", "name", "twin", "table"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--cause", action="append", choices=CAUSES, help="default: all")
    parser.add_argument("--corpus", action="append", default=None)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.what == "table":
        print_tables(read_results(options.out))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    corpora = options.corpus or [str(SAMPLE)]
    if options.what == "twin":
        write_json(options.out / "twin.json", ask_twin(corpora, options.seed))
        return
    ask = run_cause if options.what == "run" else name_cause
    for name in options.cause or CAUSES:
        path = options.out / f"{name}.json"
        if not path.exists():
            write_json(path, ask(CAUSES[name], corpora, options.seed))


if __name__ == "__main__":
    main()
