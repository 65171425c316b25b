"""Which search draws what a unit hears, and which rule chooses the setting of it that does?

    ganexplain responses CORPUS --classifier classifier.pt --layer fc8 --neuron 0,8 --out runs/real
    OMP_NUM_THREADS=1 python tests/benchmarks/searches.py runs/plain runs/match \\
        --responses runs/real --corpus CORPUS --encoder descriptors --encoder referee.pt

Takes runs of `explain` for the same units in both directions. Of each setting of each run, in the
vectors of each encoder: how close the examples are to the held-out excerpts of `responses` and the
share of pairs of excerpts of the test splits that they order rightly (`validate`). Then, of runs of
several settings, the same of what each rule of `select` chooses; `--by prediction` with one encoder
on the validation splits is asked only by the other encoders. All are means over the units; the
differences to `fid-response` have 95 % intervals over units.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np

from ganexplain.artifacts.explanations import Explanations, read_explanations
from ganexplain.artifacts.merging import explanation_files
from ganexplain.artifacts.responses import HELD_OUT, given_path, read_responses
from ganexplain.config import SelectConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import load_split, open_corpus
from ganexplain.metrics.bootstrap import interval, resample_rows
from ganexplain.metrics.distances import (
    as_sample,
    densities,
    frechet_distance,
    kernel_distances,
)
from ganexplain.metrics.prediction import Kernel, Probe
from ganexplain.metrics.scores import PREDICTION, RULES
from ganexplain.networks.units import Unit
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import Progress, stderr_progress
from ganexplain.selection.controls import load_target_network
from ganexplain.selection.encoders import Encoder, load_encoders
from ganexplain.selection.judges import Judge, load_judges
from ganexplain.selection.prediction import Probes
from ganexplain.selection.ranking import chosen_setting, real_examples, score_settings

ENDS = ("max", "min")
BASE = "fid-response"
SHOWN = ("extreme", "top", "random", "beyond_top")
Row = dict[str, float]


@dataclass(frozen=True)
class Bench:
    """What all units share: encoders, judges, and excerpts by the name of their split."""

    encoders: Sequence[Encoder]
    judges: Sequence[Judge]
    probes: Mapping[str, Probes]
    responses: Path
    seed: int


@dataclass(frozen=True)
class End:
    """The examples of one unit in one direction, and real excerpts."""

    bench: Bench
    explanations: Explanations

    @cached_property
    def real(self) -> Mapping[str, np.ndarray]:
        """The arrays of `responses.npz`."""
        explanations = self.explanations
        path = given_path(self.bench.responses, explanations.meta.target)
        wanted = explanations.meta.measured
        return read_responses(path, explanations.path, wanted, explanations.sizes).arrays

    @cached_property
    def encoded(self) -> dict[str, np.ndarray]:
        """The examples (C, N, D) by encoder."""
        made = self.explanations.arrays["mel"]
        return {e.name: np.stack([e.encode(each) for each in made]) for e in self.bench.encoders}

    def rows(self) -> list[Row]:
        """Of each setting the response, distances to held-out excerpts, and votes."""
        found: list[Row] = [
            {"response": float(each.mean())} for each in self.explanations.arrays["response"]
        ]
        held_out = self.real[f"{HELD_OUT}{self.explanations.prefix}mel"]
        for encoder in self.bench.encoders:
            probes = self.bench.probes["test"].encoded[encoder.name]
            unit, centre = Kernel.around(probes).scale, probes.mean(axis=0)
            real = (encoder.encode(held_out) - centre) * unit
            for row, made in zip(found, self.encoded[encoder.name], strict=True):
                row |= _distances(encoder.name, (made - centre) * unit, real)
        meta, mel = self.explanations.meta, self.explanations.arrays["mel"]
        for judge in self.bench.judges:
            strong = self.real[f"{self.explanations.prefix}mel"]
            agreed = judge.verdict(meta.class_name, meta.direction, strong).agreement(mel)
            for row, share in zip(found, agreed, strict=True):
                row[f"votes of {judge.name}"] = float(share)
        return found

    def chosen(self) -> dict[str, int]:
        """The setting that each rule chooses; of `prediction` with each encoder."""
        made = dict(self.explanations.arrays)
        meta, real = self.explanations.meta, self.real
        examples = real_examples(real, self.explanations.prefix)
        none, seed = np.empty((len(made["mel"]), 0)), self.bench.seed
        chosen = {}
        for rule in RULES:
            if rule != PREDICTION:
                table = score_settings(made, examples, rule, seed, none)
                chosen[rule] = chosen_setting(table)
        valid = self.bench.probes["valid"]
        for encoder in self.bench.encoders:
            samples = encoder.encode(made["start_mel"])
            held_out, vectors = valid.held_out(meta.unit), valid.encoded[encoder.name]
            probe = Probe.of(vectors, held_out, meta.direction, samples, seed)
            given = made | {"encoded": self.encoded[encoder.name]}
            with_vectors = replace(examples, encoded=encoder.encode(examples.mel))
            table = score_settings(given, with_vectors, PREDICTION, seed, none, probe)
            chosen[f"{PREDICTION}, {encoder.name}"] = chosen_setting(table)
        return chosen


def _distances(name: str, made: np.ndarray, real: np.ndarray) -> Row:
    """FID, KID and density of vectors (N, D), in deviations of the test excerpts, and real ones."""
    ours, theirs = as_sample(made), as_sample(real)
    return {
        f"{name}: FID": frechet_distance(ours, theirs),
        f"{name}: KID": float(kernel_distances(ours, theirs, np.ones((1, len(ours))))[0]),
        f"{name}: density": float(densities(ours, theirs).mean()),
    }


def shares(
    bench: Bench, unit: Unit, ends: Mapping[str, End]
) -> Mapping[str, Mapping[str, np.ndarray]]:
    """By encoder and difficulty the shares (C, C) of settings of `max` and of `min`."""
    probes, found = bench.probes["test"], {}
    for encoder in bench.encoders:
        kernel = Kernel.around(probes.encoded[encoder.name])
        near = {
            name: np.stack([kernel.similarities(e).mean(axis=1) for e in end.encoded[encoder.name]])
            for name, end in ends.items()
        }
        contrast = near["max"][:, None] - near["min"][None]
        counts = probes.held_out(unit).counts(contrast.reshape(-1, contrast.shape[2]), bench.seed)
        found[encoder.name] = {
            name: each.share.reshape(contrast.shape[:2]) for name, each in counts.items()
        }
    return found


class UnitOfRun:
    """One unit of one run, measured."""

    def __init__(self, bench: Bench, unit: Unit, files: Mapping[str, Explanations]) -> None:
        ends = {name: End(bench, each) for name, each in files.items()}
        self.shares = shares(bench, unit, ends)
        self.rows = {name: end.rows() for name, end in ends.items()}
        first = files["max"].arrays
        self.settings = [
            ", ".join(
                f"{first[name][c]:g}" for name in ("learning_rate", "prior_weight", "iterations")
            )
            for c in range(len(first["response"]))
        ]
        self.chosen = (
            {name: end.chosen() for name, end in ends.items()} if len(self.settings) > 1 else {}
        )

    def row(self, high: int, low: int) -> Row:
        """The figures of a setting of `max` and one of `min`; means over both where they have."""
        upper, lower = self.rows["max"][high], self.rows["min"][low]
        row = {key: (upper[key] + lower[key]) / 2 for key in upper if key != "response"}
        row |= {"response, max": upper["response"], "response, min": lower["response"]}
        for encoder, each in self.shares.items():
            row |= {f"{encoder}: {name}": float(each[name][high, low]) for name in SHOWN}
        return row

    def best(self) -> Row:
        """Of each encoder and difficulty the highest share of all pairs of settings."""
        return {
            f"{encoder}: {name}": float(each[name].max())
            for encoder, each in self.shares.items()
            for name in SHOWN
        }


def main() -> None:
    """Print the tables."""
    options = _options()
    runs = {run: _by_unit(explanation_files(Path(run))) for run in options.runs}
    units = list(next(iter(runs.values())))
    with stderr_progress(False) as progress:
        bench = _bench(options, runs[options.runs[0]][units[0]]["max"], units, progress)
    measured = {
        run: [UnitOfRun(bench, unit, found[unit]) for unit in units] for run, found in runs.items()
    }
    rows = {
        f"{run}: {setting}": [one.row(c, c) for one in those]
        for run, those in measured.items()
        for c, setting in enumerate(those[0].settings)
    }
    _print(rows)
    for run, those in measured.items():
        if those[0].chosen:
            _print_rules(run, those)


def _bench(
    options: argparse.Namespace, first: Explanations, units: Sequence[Unit], progress: Progress
) -> Bench:
    device = pick_device("cpu")
    ours = first.path, first.front_end
    encoders = load_encoders(options.encoder, ours, device)
    explained = load_target_network(SelectConfig(explanations=str(first.path)), first, device)
    corpus, cache = open_corpus(options.corpus), cache_directory("")
    probes = {
        name: Probes.measure(
            load_split(corpus, name, first.front_end, cache, progress),
            options.hop_frames, explained, units, encoders, progress,
        )
        for name in ("valid", "test")
    }  # fmt: skip
    judges = load_judges(options.judge, ours, device)
    return Bench(encoders, judges, probes, options.responses, options.seed)


def _by_unit(files: Iterable[Path]) -> dict[Unit, dict[str, Explanations]]:
    found: dict[Unit, dict[str, Explanations]] = {}
    for each in map(read_explanations, files):
        found.setdefault(each.meta.unit, {})[each.meta.direction] = each
    return found


def _print_rules(run: str, those: Sequence[UnitOfRun]) -> None:
    """What each rule chooses in a run, and the difference to the rule of the paper."""
    rows = {
        rule: [one.row(*(one.chosen[end][rule] for end in ENDS)) for one in those]
        for rule in those[0].chosen["max"]
    }
    for rule, each in rows.items():
        own = rule.partition(", ")[2]  # the encoder of the choice is no independent one
        rows[rule] = [{k: v for k, v in row.items() if not own or own not in k} for row in each]
    _print(rows | {"the best of all": [one.best() for one in those]})
    for rule, each in rows.items():
        for key in each[0]:
            if rule.startswith(PREDICTION) and key.partition(": ")[2] in ("density", *SHOWN):
                apart = np.array([a[key] - b[key] for a, b in zip(each, rows[BASE], strict=True)])
                drawn = apart[resample_rows(len(apart), 0, "units")].mean(axis=1)
                low, high = interval(np.array(apart.mean()), drawn, len(apart))
                print(f"{rule} less {BASE}, {key}: {apart.mean():+.3f} ({low:+.3f} to {high:+.3f})")
    for end, rule in product(ENDS, rows):
        numbers = Counter(one.settings[one.chosen[end][rule]] for one in those)
        print(f"{run}, {end}, {rule} chose {dict(numbers)}")


def _print(rows: Mapping[str, Sequence[Row]]) -> None:
    """A line for each row, the means over its units."""
    keys = list(next(iter(rows.values()))[0])
    print(f"\n| | {' | '.join(keys)} |\n|---|{'---|' * len(keys)}")
    for name, each in rows.items():
        cells = [
            f"{np.mean([row[key] for row in each]):.3g}" if key in each[0] else "-" for key in keys
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="run directories of explain")
    parser.add_argument("--responses", type=Path, required=True)
    parser.add_argument("--corpus", action="append", required=True)
    parser.add_argument("--encoder", action="append", required=True)
    parser.add_argument("--judge", action="append", default=[])
    parser.add_argument("--hop-frames", type=int, default=140)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
