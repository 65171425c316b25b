"""What can be predicted with examples, in words: a sentence and a table for each encoder."""

from __future__ import annotations

from collections.abc import Mapping

from ganexplain.artifacts.prediction import (
    GENERATED,
    OTHER,
    PairShare,
    Prediction,
    Shares,
    set_title,
)
from ganexplain.metrics.prediction import DIFFICULTIES
from ganexplain.report.tables import aligned

HEADLINE, BEYOND = "random", "beyond_random"  # difficulties of a sentence
SUMMARY = (GENERATED, "real", OTHER)  # sets in the rows of units
# Names of sets in sentences, for `Words.fill`.
NAMES = {"real": "real {many}", OTHER: "another unit’s {whole}s"}


def prediction_sentence(
    found: Prediction, encoder: str, sets: Mapping[str, Mapping[str, PairShare]]
) -> str:
    """Return what an encoder predicts with the examples of a unit, and with others.

    `sets` are its shares.
    """
    own, words = sets.get(GENERATED, {}), found.words
    if HEADLINE not in own:
        return f"{encoder}: all {words.many} have one response, so there is nothing to predict."
    pair = (
        f"two new {words.many}"
        if found.held_out
        else f"two {words.many} of the split {found.split}"
    )
    parts = [
        f"With these {words.whole}s alone, {_who(found, encoder)} tells in "
        f"{_percent(own[HEADLINE])} of pairs which of {pair} excites the unit more"
    ]
    for name, title in NAMES.items():
        if HEADLINE in sets.get(name, {}):
            parts.append(f"{words.fill(title)}: {_percent(sets[name][HEADLINE])}")
    if BEYOND in own:
        parts.append(f"beyond the decision: {_percent(own[BEYOND])}")
    return "; ".join(parts) + "."


def _who(found: Prediction, encoder: str) -> str:
    if encoder in found.explained_encoders:
        return f"the explained network itself ({encoder})"
    if found.encoders.get(encoder):
        return f"another network ({encoder})"
    return f"a description of {found.words.description}"


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
    head = f"{_tested(found)}, split {found.split}; shares of pairs, 50 % is chance"
    explained = [f"{100 * unit.explained_share:.0f}" for unit in found.units]
    share = (
        explained[0]
        if len(explained) == 1
        else f"{min(explained, key=int)} to " + max(explained, key=int)
    )
    tail = f"the outputs of the network explain {share} % of the variance of the responses"
    return "\n".join([head, *blocks, tail, *found.notes])


def _tested(found: Prediction) -> str:
    many, sources, count = found.words.many, found.words.sources, found.recordings
    if sources == many:
        return f"{found.excerpts} {many}"
    return f"{found.excerpts} {many} of {count} {sources if count > 1 else sources[:-1]}"


def _units(found: Prediction, layer: str, encoder: str) -> str:
    """Return a table of the random pairs, a row for each unit of a layer."""
    title = f"{found.words.fill(DIFFICULTIES[HEADLINE])}, {encoder}"
    table = [[title, *map(set_title, SUMMARY), "beyond", "explained"]]
    for unit in found.units:
        if unit.layer == layer and encoder in unit.shares:
            sets = unit.shares[encoder]
            cells = [sets.get(name, {}).get(HEADLINE) for name in SUMMARY]
            cells.append(sets.get(GENERATED, {}).get(BEYOND))
            row = [_percent(cell) if cell else "" for cell in cells]
            table.append([f"{layer}:{unit.neuron}", *row, f"{100 * unit.explained_share:.0f} %"])
    return aligned(table, 1)


def _count(found: Prediction, layer: str) -> int:
    return sum(unit.layer == layer for unit in found.units)


def _block(found: Prediction, title: str, shares: Shares) -> str:
    lines = []
    for encoder, sets in shares.items():
        table = [[f"{title}, {encoder}", GENERATED, "95 %"]]
        others = [name for name in sets if name != GENERATED]
        table[0] += map(set_title, others)
        for key, pairs in DIFFICULTIES.items():
            if own := sets.get(GENERATED, {}).get(key):
                ends = "-".join(f"{100 * end:.0f}" for end in own.interval or ())
                row = [found.words.fill(pairs), _percent(own), ends]
                cells = [sets[name].get(key) for name in others]
                table.append(row + [_percent(cell) if cell else "" for cell in cells])
        lines += [prediction_sentence(found, encoder, sets), aligned(table, 1)]
    return "\n".join(lines)


def _percent(share: PairShare) -> str:
    return f"{100 * share.share:.0f} %"
