"""The tables of the planted-truth lab, from the results of its causes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from benchmarks.planted_names import Signatures
from scipy.stats import spearmanr

from ganexplain.attribution.measures import MEASURES
from ganexplain.metrics.scores import SCORES
from ganexplain.metrics.transfer import GENERATED_ALONE

Results = Mapping[str, Mapping[str, Any]]

DRAWN = 0.5  # share of the planted effect from which a cause counts as drawn
TRUTHS = ("time_truth", "band_truth")
UNMEASURED = ("truth_area", "truth_mass", "passes", "seconds")  # no measure of quality


def print_tables(results: Results) -> None:
    """Print in Markdown all tables for which there are results."""
    whole = (
        networks,
        drawn,
        paths,
        transfers,
        attributions,
        counterfactuals,
        measures,
        rules,
        choices,
    )
    needed = {names: "examples"} | dict.fromkeys(whole, "auroc") | {hears: "twin_hears"}
    for table, key in needed.items():
        found = {name: one for name, one in results.items() if key in one}
        if found:
            print(f"\n### {table.__doc__}\n")
            table(found)


def names(results: Results) -> None:
    """Share of the own cause, and the cause named: by examples, by real excerpts"""
    kinds = list(next(iter(results.values()))["examples"])
    header("cause", *(f"{kind}: {what}" for kind in kinds for what in ("share", "named", "real")))
    shown = dict.fromkeys(kinds, 0)
    for name, one in results.items():
        known, cells = Signatures.from_json(one["signatures"]), []
        for kind, measured in one["examples"].items():
            change = known.change(measured["max"], measured["min"])
            real = known.change(measured["real max"], measured["real min"])
            cells += [two(known.share(change, name)), known.name(change), known.name(real)]
            shown[kind] += known.name(change) == name and known.share(change, name) >= DRAWN
        line(name, *cells)
    counts = (f"{count} of {len(results)}" for count in shown.values())
    line(f"at least {DRAWN}, and named", *(cell for count in counts for cell in ("", count, "")))


def networks(results: Results) -> None:
    """Networks: AUROC on the test excerpts"""
    header("cause", "its measure", "detector", "twin (singing)", "liar", "outputs of liar, r")
    for name, one in results.items():
        found = one["auroc"]
        values = one["measure_auroc"], *found.values(), one["liar_correlation"]
        line(name, *map(two, values))


def drawn(results: Results) -> None:
    """Share of the planted effect that `explain` draws"""
    header("cause", "detector", "twin", "liar")
    shares = {name: one["share_drawn"] for name, one in results.items()}
    for name, share in shares.items():
        line(name, *(two(share[network]) for network in ("detector", "twin", "liar")))
    line(f"at least {DRAWN}", *(
        f"{sum(share[network] >= DRAWN for share in shares.values())} of {len(shares)}"
        for network in ("detector", "twin", "liar")
    ))  # fmt: skip


def hears(results: Results) -> None:
    """Twins: what is drawn of a cause, and what planting it changes in the outputs"""
    header("cause", "drawn", "heard")
    shares = {
        name: (one["share_drawn"]["twin"], one["twin_hears"]) for name, one in results.items()
    }
    for name, share in shares.items():
        line(name, *map(two, share))
    far = np.array(list(shares.values())) >= DRAWN
    line(f"at least {DRAWN}", *(f"{count} of {len(far)}" for count in far.sum(axis=0)))
    line("drawn, not heard", f"{(far[:, 0] & ~far[:, 1]).sum()} of {len(far)}", "")
    correlation = float(spearmanr(*zip(*shares.values(), strict=True))[0])
    line("rank correlation", two(correlation), "")


def paths(results: Results) -> None:
    """Path similarity of the examples: mean over layers"""
    kinds = ("detector", "twin", "liar")
    ways = ("plain", "from_samples")
    header("cause", *kinds, *(f"{kind}, from samples" for kind in kinds))
    means = {
        name: [one["path_similarity"][kind][way]["mean"] for way in ways for kind in kinds]
        for name, one in results.items()
    }
    for name, values in means.items():
        line(name, *map(two, values))


def transfers(results: Results) -> None:
    """Share of a search's gain that its changes bring to real excerpts"""
    kinds = ("detector", "twin", "liar")
    header("cause", *kinds)
    shares = {
        name: [one["transfer"][kind] for kind in kinds]
        for name, one in results.items()
        if "transfer" in one
    }
    for name, values in shares.items():
        line(name, *map(two, values))
    flags = (np.array(list(shares.values()), dtype=float) < GENERATED_ALONE).sum(axis=0)
    line(f"flagged, below {GENERATED_ALONE}", *(f"{count} of {len(shares)}" for count in flags))


def attributions(results: Results) -> None:
    """Attributions: AUROC of the map for where the cause is, mean over causes (least)"""
    header("method", "in time", "in frequency", "causes with a place in time, in frequency")
    for method in methods(results):
        cells, counts = [], []
        for key in TRUTHS:
            means = [v for v in per_cause(results, method, key).values() if np.isfinite(v)]
            cells.append(f"{two(np.mean(means))} ({two(min(means))})" if means else "")
            counts.append(str(len(means)))
        line(method, *cells, ", ".join(counts))


def counterfactuals(results: Results) -> None:
    """Counterfactuals: share of the planted effect that goes where the decision is changed"""
    header("cause", "decisions changed", "mean share that goes")
    for name, one in results.items():
        shares = [each for each in one["counterfactual"] if each is not None]
        mean = two(np.mean(shares)) if shares else ""
        line(name, f"{len(shares)} of {len(one['counterfactual'])}", mean)


def measures(results: Results) -> None:
    """Measures of `attribute`: rank correlation over methods with the truth"""
    rows: dict[str, list[float]] = {}
    for one in results.values():
        names = [name for name in one["attributions"][0] if name != "random"]
        truth = np.array([_truth(one, name) for name in names])
        if not np.isfinite(truth).all():
            continue
        for key, measure in MEASURES.items():
            values = np.array([_mean(one, name, key) for name in names])
            if key not in UNMEASURED and np.isfinite(values).all() and np.ptp(values) > 0:
                sign = 1 if measure.better == "high" else -1
                rows.setdefault(key, []).append(float(spearmanr(sign * values, truth)[0]))
    _distributions("measure", rows)


def rules(results: Results) -> None:
    """Scores of `select`: rank correlation over settings with the error of the cause"""
    rows: dict[str, list[float]] = {}
    for key, values, error in _scored(results):
        rows.setdefault(key, []).append(float(spearmanr(values, error)[0]))
    _distributions("score", rows)


def choices(results: Results) -> None:
    """Scores of `select`: error of the cause of the setting ranked first, above the least error"""
    rows: dict[str, list[float]] = {}
    for key, values, error in _scored(results):
        rows.setdefault(key, []).append(float(error[np.argmin(values)] - error.min()))
    _distributions("score", rows, highest_first=False)


def _scored(results: Results) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each score of each cause over the settings (low is good), and the error of the cause."""
    for one in results.values():
        error = np.array(one["rules"]["error"])
        table = {key: np.array(values) for key, values in one["rules"]["scores"].items()}
        table |= {key: s.rank(table) for key, s in SCORES.items() if s.rank}
        for key, values in table.items():
            if len(values) == len(error) and np.ptp(values) > 0:
                yield key, (1 if SCORES[key].better == "low" else -1) * values, error


def _distributions(
    what: str, rows: Mapping[str, Sequence[float]], highest_first: bool = True
) -> None:
    header(what, "causes", "lowest", "quarter", "median", "three quarters", "highest")
    for key in sorted(rows, key=lambda name: float(np.median(rows[name])), reverse=highest_first):
        line(key, str(len(rows[key])), *map(two, np.quantile(rows[key], (0, 0.25, 0.5, 0.75, 1))))


def methods(results: Results) -> list[str]:
    """The methods that were asked."""
    return list(next(iter(results.values()))["attributions"][0])


def per_cause(results: Results, method: str, key: str) -> dict[str, float]:
    """The mean of a key over the excerpts of each cause; NaN where none has it."""
    return {name: _mean(one, method, key) for name, one in results.items()}


def _truth(one: Mapping[str, Any], method: str) -> float:
    """The mean of the agreements in time and in frequency, of those that there are."""
    found = [_mean(one, method, key) for key in TRUTHS]
    kept = [each for each in found if np.isfinite(each)]
    return float(np.mean(kept)) if kept else float("nan")


def _mean(one: Mapping[str, Any], method: str, key: str) -> float:
    values = [row[method].get(key) for row in one["attributions"]]
    found = [each for each in values if each is not None and np.isfinite(each)]
    return float(np.mean(found)) if found else float("nan")


def two(value: float | np.floating[Any] | None) -> str:
    """Two digits; nothing for a missing value."""
    return "" if value is None else f"{value:.2f}"


def header(*cells: str) -> None:
    """Print the first two lines of a table."""
    line(*cells)
    print("|" + "---|" * len(cells))


def line(*cells: str) -> None:
    """Print a line of a table."""
    print(f"| {' | '.join(cells)} |")
