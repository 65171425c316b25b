"""What can be predicted with examples, in words: a sentence and a table for each encoder."""

from __future__ import annotations

from collections.abc import Mapping

from ganexplain.artifacts.prediction import GENERATED, OTHER, PairShare, Prediction, Shares
from ganexplain.metrics.prediction import DIFFICULTIES
from ganexplain.report.tables import aligned

HEADLINE, BEYOND = "random", "beyond_random"  # difficulties of a sentence
SUMMARY = (GENERATED, "real", OTHER)  # sets in the rows of units
# Names of sets in sentences; the word for examples is filled in.
NAMES = {"real": "real excerpts", OTHER: "another unit’s {examples}"}
TITLES = {"reinitialised": "shuffled weights", "start": "before search", "shuffled": "by chance"}


def prediction_sentence(
    encoder: str, path: str, sets: Mapping[str, Mapping[str, PairShare]], examples: str = "sounds"
) -> str:
    """Return what an encoder predicts with the examples of a unit, and with others.

    `path` is that of its network, empty for descriptors; `sets` are its shares.
    """
    own = sets.get(GENERATED, {})
    if HEADLINE not in own:
        return f"{encoder}: all excerpts have the same response, so there is nothing to predict."
    who = f"another network ({encoder})" if path else "a description of spectrum and modulation"
    parts = [
        f"With these {examples} alone, {who} tells in {_percent(own[HEADLINE])} of pairs which of "
        "two new excerpts excites the unit more"
    ]
    for name, words in NAMES.items():
        if HEADLINE in sets.get(name, {}):
            parts.append(f"{words.format(examples=examples)}: {_percent(sets[name][HEADLINE])}")
    if BEYOND in own:
        parts.append(f"beyond the decision: {_percent(own[BEYOND])}")
    return "; ".join(parts) + "."


def prediction_text(found: Prediction) -> str:
    """Return sentences and tables: of each unit, or of the means and a summary of several."""
    alone = [unit for unit in found.units if unit.layer not in found.layers]
    several = {name: _count(found, name) for name in found.layers}
    blocks = []
    for name, shares in found.layers.items():
        blocks.append(_block(found, f"{several[name]} units of {name}", shares))
        blocks += [_units(found, name, encoder) for encoder in shares]
    for unit in alone:
        title = f"{unit.layer}:{unit.neuron}" + f" ({unit.unit})" * bool(unit.unit)
        blocks.append(_block(found, title, unit.shares))
    head = (
        f"{found.excerpts} excerpts of {found.recordings} recordings, split {found.split}; shares "
        "of pairs, 50 % is chance"
    )
    explained = [f"{100 * unit.explained_share:.0f}" for unit in found.units]
    share = (
        explained[0]
        if len(explained) == 1
        else f"{min(explained, key=int)} to " + max(explained, key=int)
    )
    tail = f"the outputs of the network explain {share} % of the variance of the responses"
    return "\n".join([head, *blocks, tail, *found.notes])


def _units(found: Prediction, layer: str, encoder: str) -> str:
    """Return a table of the random pairs, a row for each unit of a layer."""
    table = [[f"two random excerpts, {encoder}", *map(set_title, SUMMARY), "beyond", "explained"]]
    for unit in found.units:
        if unit.layer == layer and encoder in unit.shares:
            sets = unit.shares[encoder]
            cells = [sets.get(name, {}).get(HEADLINE) for name in SUMMARY]
            cells.append(sets.get(GENERATED, {}).get(BEYOND))
            row = [_percent(cell) if cell else "" for cell in cells]
            table.append([f"{layer}:{unit.neuron}", *row, f"{100 * unit.explained_share:.0f} %"])
    return aligned(table, 1)


def set_title(name: str) -> str:
    """Return the short name of a set of examples."""
    return TITLES.get(name, name.replace("_", " "))


def _count(found: Prediction, layer: str) -> int:
    return sum(unit.layer == layer for unit in found.units)


def _block(found: Prediction, title: str, shares: Shares) -> str:
    lines = []
    for encoder, sets in shares.items():
        table = [[f"{title}, {encoder}", GENERATED, "95 %"]]
        others = [name for name in sets if name != GENERATED]
        table[0] += map(set_title, others)
        for key, words in DIFFICULTIES.items():
            if own := sets.get(GENERATED, {}).get(key):
                low, high = (f"{100 * end:.0f}" for end in own.interval)
                row = [words, _percent(own), f"{low}-{high}"]
                cells = [sets[name].get(key) for name in others]
                table.append(row + [_percent(cell) if cell else "" for cell in cells])
        lines += [
            prediction_sentence(encoder, found.encoders.get(encoder, ""), sets),
            aligned(table, 1),
        ]
    return "\n".join(lines)


def _percent(share: PairShare) -> str:
    return f"{100 * share.share:.0f} %"
