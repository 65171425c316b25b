"""Scores, ranks and ties of the settings of a search, from the arrays of its explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ganexplain.artifacts.figures import RESPONSES, SETTING, Figures, Score
from ganexplain.metrics.bootstrap import interval, order_to_ranks, resample_rows, tied_with_best
from ganexplain.metrics.prediction import Probe
from ganexplain.metrics.scores import RULES, SCORES, Comparison, Examples

TIE_RULE = (
    "the smallest score is chosen, of equal scores the least optimised setting (learning rate x "
    "iterations); a tied setting is within one standard error of the best, and one that is not "
    "tied is not proved worse"
)

OTHER_SEEDS = ("held_out", "fresh")  # controls that share no seed with the settings

Table = dict[str, np.ndarray]


def setting_examples(made: Mapping[str, np.ndarray], index: int) -> Examples:
    """Return the N examples of one setting."""
    names = ("mel", "response", "features", "latent", "encoded", "path")
    return Examples(**{name: made[name][index] for name in names if name in made})


def real_examples(real: Mapping[str, np.ndarray], prefix: str) -> Examples:
    """Return the real excerpts whose keys start with `prefix`."""
    return Examples(*(real[prefix + name] for name in ("mel", "response", "features")))


def score_settings(
    made: Mapping[str, np.ndarray],
    real: Examples,
    by: str,
    seed: int,
    judged: np.ndarray,
    probe: Probe | None = None,
) -> Table:
    """Return the arrays of `selection.npz`, with a row for each of C settings.

    Each resampled score has an `_interval` (C, 2), low and high. `rank` starts at 1 for the
    smallest score by the rule `by`; of equal scores the least optimised setting is first. `tied`
    marks settings within one standard error of the best. `judges` are the shares `judged` (C, J).
    The rule `prediction` needs a `probe`.
    """
    count, examples = made["response"].shape
    rows = resample_rows(examples, seed)
    scored, resampled = [], []
    for index in range(count):
        pair = Comparison(setting_examples(made, index), real, probe)
        scored.append(pair.scores())
        resampled.append(pair.resampled(rows))
    table = {name: np.array([one[name] for one in scored]) for name in scored[0]}
    spread = {name: np.stack([one[name] for one in resampled]) for name in resampled[0]}
    for key, kind in SCORES.items():
        if kind.rank:
            table[key], spread[key] = kind.rank(table), kind.rank(spread)
    for name, values in spread.items():
        bounds = _bounds(name, table[name], values, examples)
        table[f"{name}_interval"] = np.clip(bounds, 1, count) if SCORES[name].rank else bounds
    settings = {name: made[name] for name in SETTING}
    score = table[RULES[by]]
    return {
        **settings,
        **table,
        "mean_response": made["response"].mean(axis=1, dtype=np.float64),
        "std_response": made["response"].std(axis=1, ddof=1, dtype=np.float64),
        "latent_norm": np.linalg.norm(made["latent"].astype(np.float64), axis=2).mean(axis=1),
        "rank": order_to_ranks(np.lexsort([*_optimisation(settings), score])),
        "tied": tied_with_best(score, spread[RULES[by]]),
        "judges": judged,
    }


def setting_scores(table: Table, index: int, judges: Sequence[str]) -> Score:
    """Return a row of the table of `score_settings`; `judges` are the names of its J judges."""
    row = {name: values[index].tolist() for name, values in table.items()}
    values = {key: row[key] for key in row if key in SCORES or key in RESPONSES}
    ends = [key for key in row if key.endswith("_interval")]
    return Score(
        **{name: row[name] for name in (*SETTING, "rank", "tied", "latent_norm")},
        figures=Figures(
            values=values,
            intervals={key.removesuffix("_interval"): tuple(row[key]) for key in ends},
            judges=dict(zip(judges, row["judges"], strict=True)),
        ),
    )


@dataclass(frozen=True)
class ChosenSetting:
    """The setting that controls are compared with: its scores are resampled once for all.

    `real` are the real excerpts; `seed` and `probe` as for `score_settings`.
    """

    examples: Examples
    real: Examples
    seed: int
    probe: Probe | None = None

    @property
    def count(self) -> int:
        """N, the number of its examples."""
        return len(self.examples.response)

    @cached_property
    def scores(self) -> dict[str, float]:
        """Its scores by key."""
        return Comparison(self.examples, self.real, self.probe).scores()

    @cached_property
    def resampled(self) -> dict[str, np.ndarray]:
        """Its scores (B,) in B resamples."""
        rows = resample_rows(self.count, self.seed)
        return Comparison(self.examples, self.real, self.probe).resampled(rows)


def score_control(control: Examples, chosen: ChosenSetting, name: str) -> Figures:
    """Return scores of a control, with 95 % bounds (low, high) of each resampled score.

    `intervals` bound the control's own score, `differences` its score minus that of the `chosen`
    setting. Controls that started from the same seeds are resampled with the rows of the settings,
    so that their differences are paired.
    """
    count = len(control.response)
    alone = name in OTHER_SEEDS or count != chosen.count
    compared = Comparison(control, chosen.real, chosen.probe)
    scores = compared.scores()
    resampled = compared.resampled(resample_rows(count, chosen.seed, name if alone else ""))
    intervals, differences = {}, {}
    for key, values in resampled.items():
        intervals[key] = _ends(_bounds(key, np.array(scores[key]), values, count))
        apart = np.array(scores[key] - chosen.scores[key])
        bounds = interval(apart, values - chosen.resampled[key], min(count, chosen.count))
        differences[key] = _ends(bounds)
    response = control.response.astype(np.float64)
    spread = {"mean_response": float(response.mean()), "std_response": float(response.std(ddof=1))}
    return Figures({**scores, **spread}, intervals, differences=differences)


def _ends(bounds: np.ndarray) -> tuple[float, float]:
    low, high = bounds.tolist()
    return low, high


def _bounds(key: str, score: np.ndarray, resampled: np.ndarray, examples: int) -> np.ndarray:
    """Return `interval`, not below the least possible score."""
    return np.maximum(interval(score, resampled, examples), SCORES[key].floor)


def chosen_setting(table: Mapping[str, np.ndarray]) -> int:
    """Return the index of the first setting of the ranking (`TIE_RULE`).

    A preference for the least optimised setting within one standard error is worse: see the results
    of `tests/benchmarks/rules.py`.
    """
    return int(np.argmin(table["rank"]))


def score_warnings(made: Mapping[str, np.ndarray], real: Examples) -> list[str]:
    """Return reasons why the scores are less certain than they look."""
    (_, examples, size), found = made["features"].shape, []
    fewest = min(examples, len(real.features))
    if fewest <= size:
        found.append(
            f"{fewest} examples span fewer than the {size} dimensions of the features: FID "
            "features is biased upwards, compare it only between sets of this size; KID is not"
        )
    if fewest < 20:
        found.append(
            f"{fewest} examples are few: intervals of 95 % may hold in 85 % only, 50 are usual"
        )
    if not np.ptp(real.response) > 0:
        found.append(
            f"the response is {real.response[0]:.3g} to every real excerpt: nothing drives this "
            "unit, and no setting can be better than another"
        )
    return found


def _optimisation(settings: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return sort keys that put the least optimised setting first; the last key is the primary."""
    return -settings["prior_weight"], settings["learning_rate"] * settings["iterations"]
