"""Which rule selects best, and does the grid behave as published?

    OMP_NUM_THREADS=1 python tests/benchmarks/selection.py runs/explain \\
        --responses runs/responses --judge sample_data/pretrained/judge.pt

Takes finished runs of `explain` over the paper's grid, and the real excerpts that `responses`
found for their units. Prints of each unit and direction the expected behaviours of the method
(holds or not), and of all together, over groups of examples that share no seed, how far each
rule of `select` ranks settings as classifiers trained apart do: Spearman's rank correlation of
the score with the share of votes, and with how thick real excerpts lie around the examples
(density) in the judges' own features. The rules see only the network explained.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from ganexplain.artifacts.explanations import Explanations, read_explanations
from ganexplain.artifacts.merging import explanation_files
from ganexplain.artifacts.responses import given_path, read_responses
from ganexplain.metrics.distances import manifold_scores
from ganexplain.metrics.scores import RULES, Examples
from ganexplain.networks.hooks import last_hidden_layer, responses_and_features
from ganexplain.networks.units import Unit
from ganexplain.selection.judges import Judge, load_judges
from ganexplain.selection.ranking import chosen_setting, real_examples, score_settings

# Those that need no more than the examples.
RANKED = {rule: key for rule, key in RULES.items() if rule != "prediction"}

LOUDEST = 6.0  # nat: what full scale reaches in a mel band
CPU = torch.device("cpu")


# --- published trends -----------------------------------------------------------------------


def trends(explanations: Explanations, real: Examples, table: Mapping[str, np.ndarray]) -> dict:
    """What section 5.5 of the method's description expects, in words, and whether it holds."""
    made, sign = explanations.arrays, 1 if explanations.meta.direction == "max" else -1
    rate, weight, count, score, norm = (
        table[name]
        for name in ("learning_rate", "prior_weight", "iterations", "fid_response", "latent_norm")
    )
    best, worst, way = int(score.argmin()), int(score.argmax()), rate * count
    shell = np.sqrt(made["latent"].shape[2])
    loosest = (rate == rate.max()) & (weight == weight.min()) & (count == count.max())
    fast = {w: score[(rate == rate.max()) & (weight == w)] for w in np.unique(weight)}
    long = (rate == rate.max()) & (count == count.max())
    cut = score[long & (weight == weight.min())] / score[long & (weight == weight.max())]
    lines = [(weight == w, w) for w in np.unique(weight)]
    u_shaped = [way[m].min() < way[m][score[m].argmin()] < way[m].max() for m, _ in lines]
    response, start = made["response"][best], made["start_response"]
    spread = np.hypot(real.response.std(ddof=1), response.std(ddof=1))
    strong = long & (weight == weight.max())
    kept = [_likeness(made["mel"][c], made["start_mel"]) for c in (best, worst)]
    return {
        f"1 the FID spans three decades ({score.min():.3g} to {score.max():.3g})":
            score.max() >= 1e3 * score.min(),
        f"1 the worst setting is the loosest and longest ({_setting(table, worst)})":
            bool(loosest[worst]),
        f"2 the best one goes a way of about 1 ({_setting(table, best)}: {way[best]:g})":
            0.3 <= way[best] <= 3.2,
        "2 and is not of learning rate 0.1 with 500 iterations or more":
            not (rate[best] >= 0.1 and count[best] >= 500),
        f"3 at a prior weight the FID falls and rises with the way ({sum(u_shaped)} of "
        f"{len(u_shaped)} weights)": all(u_shaped),
        "3 at the largest learning rate it grows with the iterations":
            all((np.diff(values) > 0).all() for values in fast.values()),
        f"3 there the largest prior weight cuts it ({float(cut[0]):.3g}-fold)": cut[0] >= 10,
        f"4 all examples of the best are on the side asked for ({response.min():.2f} to "
        f"{response.max():.2f})": bool((sign * response > 0).all()),
        f"4 their level is the real one ({response.mean():.2f} +- {response.std(ddof=1):.2f}, "
        f"real {real.response.mean():.2f} +- {real.response.std(ddof=1):.2f}, start "
        f"{start.mean():.2f} +- {start.std(ddof=1):.2f})":
            abs(response.mean() - real.response.mean()) < spread,
        f"5 |z| of the best is within a tenth of the shell's ({norm[best]:.1f} of {shell:.1f})":
            abs(norm[best] / shell - 1) <= 0.1,
        f"5 |z| shrinks below 7 with the largest weight at length ({norm[strong][0]:.1f})":
            norm[strong][0] < 7,
        f"5 |z| of the worst is beyond 30 ({norm[worst]:.1f})": norm[worst] > 30,
        f"6 the best keeps more of the start than the worst (correlation {kept[0]:.2f}, "
        f"{kept[1]:.2f})": kept[0] > kept[1],
        f"6 the worst is louder than sound can be ({made['mel'][worst].max():.1f} nat)":
            made["mel"][worst].max() > LOUDEST,
    }  # fmt: skip


def _likeness(these: np.ndarray, those: np.ndarray) -> float:
    """Mean correlation of excerpts (N, F, T) of one seed."""
    pairs = zip(these.reshape(len(these), -1), those.reshape(len(those), -1), strict=True)
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))


def _setting(table: Mapping[str, np.ndarray], index: int) -> str:
    return "{:g}, {:g}, {:g}".format(
        *(table[name][index] for name in ("learning_rate", "prior_weight", "iterations"))
    )


# --- rules ----------------------------------------------------------------------------------


def density(judge: Judge, mel: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Density (C,) of examples (C, N, F, T) among real ones (R, F, T) in a judge's features."""
    theirs = _features(judge, real)
    return np.array([manifold_scores(_features(judge, m), theirs)["density"] for m in mel])


def _features(judge: Judge, mel: np.ndarray) -> np.ndarray:
    network = judge.network
    layer = last_hidden_layer(network)
    _, features = responses_and_features(network, Unit.parse("fc9:0"), layer, torch.from_numpy(mel))
    return features.numpy()


def compare(
    explanations: Explanations, real: Examples, judges: list[Judge], size: int
) -> list[dict[str, Any]]:
    """Of each rule and group of `size` examples what it ranks like, and what it chooses."""
    made, found = explanations.arrays, []
    meta = explanations.meta
    verdicts = [judge.verdict(meta.class_name, meta.direction, real.mel) for judge in judges]
    for first in range(0, made["response"].shape[1] - size + 1, size):
        part = {n: v[:, first : first + size] for n, v in made.items() if n in
                ("mel", "response", "features", "latent")}  # fmt: skip
        part |= {n: made[n] for n in ("learning_rate", "prior_weight", "iterations")}
        truths = {}
        for judge, verdict in zip(judges, verdicts, strict=True):
            truths[f"votes of {judge.name}"] = verdict.agreement(part["mel"])
            truths[f"density by {judge.name}"] = density(judge, part["mel"], real.mel)
        for rule, key in RANKED.items():
            table = score_settings(part, real, rule, 0, np.empty((len(part["mel"]), 0)))
            chosen = chosen_setting(table)
            row: dict[str, Any] = {"rule": rule, "unit": name_of(explanations), "first": first}
            for name, values in truths.items():
                if np.ptp(values) > 0:
                    row[f"rank: {name}"] = -float(spearmanr(table[key], values).statistic)
                row[f"chosen: {name}"] = float(values[chosen])
            found.append(row)
    return found


def name_of(explanations: Explanations) -> str:
    return f"{explanations.meta.unit} {explanations.meta.direction}"


def print_rules(rows: list[dict[str, Any]], columns: list[str]) -> None:
    print(f"| rule | {' | '.join(columns)} | mean |\n|---|{'---|' * (len(columns) + 1)}")
    for rule in RANKED:
        mine = [row for row in rows if row["rule"] == rule]
        values = [np.mean([row[c] for row in mine if c in row] or [np.nan]) for c in columns]
        cells = [f"{value:.3f}" for value in [*values, np.mean(values)]]
        print(f"| {rule} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("explained", type=Path, nargs="+", help="runs of explain")
    parser.add_argument("--responses", type=Path, required=True)
    parser.add_argument("--judge", nargs="+", default=["sample_data/pretrained/judge.pt"])
    parser.add_argument("--size", type=int, default=16, help="examples of a group")
    arguments = parser.parse_args()
    rows, worst = [], {}
    for path in (file for run in arguments.explained for file in explanation_files(run)):
        explanations = read_explanations(path)
        given = given_path(arguments.responses, explanations.meta.target)
        found = read_responses(given, path, explanations.meta.measured, explanations.sizes)
        real = real_examples(found.arrays, explanations.prefix)
        judges = load_judges(arguments.judge, (path, explanations.front_end), CPU)
        made = explanations.arrays
        none = np.empty((len(made["mel"]), 0))
        table = score_settings(made, real, "fid-response", 0, none)
        print(f"\n{name_of(explanations)}, {len(explanations.arrays['seed'])} examples", flush=True)
        for text, holds in trends(explanations, real, table).items():
            print(f"{'holds' if holds else 'FAILS'}  {text}")
        worst[name_of(explanations)] = float(table["fid_response"].max())
        rows += compare(explanations, real, judges, arguments.size)
    for name in [n for n in worst if n.endswith(" max")]:
        other = worst.get(name.replace(" max", " min"))
        if other is not None:
            print(f"\n{'holds' if other > worst[name] else 'FAILS'}  7 {name[:-4]}: the worst of "
                  f"min ({other:.3g}) is beyond the worst of max ({worst[name]:.3g})")  # fmt: skip
    groups = len(rows) // len(RANKED)
    for kind, what in (("rank", "rank correlation"), ("chosen", "what the setting chosen has")):
        columns = sorted({key for row in rows for key in row if key.startswith(kind)})
        print(f"\n{what}, mean of {groups} groups of {arguments.size} examples")
        print_rules(rows, columns)


if __name__ == "__main__":
    main()
