"""What can be predicted with examples, in words: a sentence and a table for each encoder."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap

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

START = "start"  # the set of samples before the search
HEADLINE, BEYOND = "random", "beyond_random"  # difficulties of a sentence
WIDTH = 100  # characters of a line
NO_BREAK = "\N{NO-BREAK SPACE}"
COLUMNS: Mapping[str, str] = {  # titles of the difficulties
    "extreme": "top 1 %",
    "top": "top 10 %",
    "random": "random",
    "matched": "matched",
    "beyond_extreme": "beyond 1 %",
    "beyond_top": "beyond 10 %",
    "beyond_random": "beyond random",
}
LEGEND = (  # for `Words.fill`
    "Pairs: one of the strongest 1 % and one of the weakest, one of the strongest 10 % and one of "
    "the rest, two random {many}, two with the same response as fitted by the outputs; “beyond” "
    "are the first three for what the outputs leave of the response"
)
SUMMARY = (GENERATED, "real", OTHER)  # sets in the rows of units
# Names of sets in sentences, for `Words.fill`.
NAMES = {
    "real": "real {many}", OTHER: "another unit’s {whole}s", START: "samples before the search",
}  # fmt: skip


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
        f"{_percent(own[HEADLINE])} of pairs{_between(own[HEADLINE])} "
        f"which of {pair} excites the unit more"
    ]
    for name, title in NAMES.items():
        if HEADLINE in sets.get(name, {}):
            parts.append(f"{words.fill(title)}: {_percent(sets[name][HEADLINE])}")
    if BEYOND in own:
        parts.append(f"beyond the decision: {_percent(own[BEYOND])}")
    return " ".join(["; ".join(parts) + ".", *_limits(own[HEADLINE], sets.get(START, {}))])


def _between(pair: PairShare) -> str:
    """Return the 95 % interval of a share in brackets, if it has one."""
    if pair.interval is None:
        return ""
    low, high = (f"{100 * end:.0f}" for end in pair.interval)
    return f" ({low} to {high} %)"


def _limits(own: PairShare, start: Mapping[str, PairShare]) -> list[str]:
    """Return sentences on what a share does not show: that it is no chance, or of the search."""
    found = []
    if own.interval and own.interval[0] <= 0.5 <= own.interval[1]:
        found.append("This may be chance: the interval contains 50 %.")
    before = start.get(HEADLINE)
    if before and not (before.difference and before.difference[1] < 0):
        found.append("That the search adds to it is not shown: samples before it may do as well.")
    return found


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
    legend = found.words.fill(LEGEND)
    explained = [f"{100 * unit.explained_share:.0f}" for unit in found.units]
    share = (
        explained[0]
        if len(explained) == 1
        else f"{min(explained, key=int)} to " + max(explained, key=int)
    )
    tail = f"the outputs of the network explain {share} % of the variance of the responses"
    return "\n".join([head, *blocks, *_wrapped(legend), tail, *_wrapped(*found.notes)])


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
    """Return a sentence and a table for each encoder: a row for each set of examples."""
    lines = []
    for encoder, sets in shares.items():
        own = sets.get(GENERATED, {})
        shown = [name for name in DIFFICULTIES if name in own]
        table = [["", *(COLUMNS[name] for name in shown)]]
        table.append([GENERATED, *(_percent(own[name]) for name in shown)])
        table.append(["  95 %", *(_ends(own[name]) for name in shown)])
        for examples, pairs in sets.items():
            if examples != GENERATED:
                cells = [_percent(pairs[name]) if name in pairs else "" for name in shown]
                table.append([set_title(examples), *cells])
        lines.append(f"{title}, {encoder}")
        lines += _wrapped(prediction_sentence(found, encoder, sets))
        lines += [aligned(table, 1)] if shown else []
    return "\n".join(lines)


def _wrapped(*texts: str) -> list[str]:
    """Return lines of at most `WIDTH` characters, none of which begins with a sign of per cent.

    A word, such as a path, is not broken, and may be longer than that.
    """
    parts = (
        wrap(
            text.replace(" %", f"{NO_BREAK}%"),
            WIDTH,
            break_on_hyphens=False,
            break_long_words=False,
        )
        for text in texts
    )
    return [line.replace(NO_BREAK, " ") for lines in parts for line in lines]


def _ends(share: PairShare) -> str:
    return "-".join(f"{100 * end:.0f}" for end in share.interval or ())


def _percent(share: PairShare) -> str:
    return f"{100 * share.share:.0f} %"
