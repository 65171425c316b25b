"""The table that `select` prints: settings by rank, and the controls below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from ganexplain.metrics.scores import RULES, SCORES
from ganexplain.metrics.variation import Variation

SETTING = (("learning_rate", "g"), ("prior_weight", "g"), ("iterations", "d"))
SCORES_SHOWN = (
    "fid_response",
    "nearest_real",
    "fid_features",
    "kid",
    "density",
    "coverage",
    "shell_distance",
)
# Titles of columns that a narrow terminal does without, the first ones first.
EXPENDABLE = (
    "std",
    *(SCORES[name].title for name in ("coverage", "density", "shell_distance", "kid")),
    "FID features",
    "nearest real",
    "95 %",
    "response",
    "FID response",
)
MARKS = "* chosen, = within one standard error of the best"


def ranking_table(document: Mapping[str, Any], width: int | None = None) -> str:
    """One `selection.json` as text: a row a setting, best first, then a row a control.

    With a `width` in characters the least telling columns are left out, and named, until it fits.
    """
    rule = RULES[document["by"]]
    rows = sorted(document["configurations"], key=lambda row: row["rank"])
    chosen = document["configurations"][document["chosen"]]
    judges = list(document["judges"])
    shown = list(dict.fromkeys([rule, *SCORES_SHOWN]))
    head = ["rank", "", "learning rate", "prior weight", "iterations"]
    head += [SCORES[rule].title, "95 %", *(SCORES[name].title for name in shown[1:])]
    table = [[*head, "response", "std", *(f"judge {name}" for name in judges)]]
    for row in rows:
        mark = "*" if row is chosen else "=" if row["tied"] else ""
        place = [str(row["rank"]), mark, *(format(row[name], form) for name, form in SETTING)]
        table.append(place + _figures(row, shown, judges))
    for name, row in document["controls"].items():
        place = ["", "", name.replace("_", " "), "", ""]
        table.append(place + _figures(row, shown, judges))
    first = _weakness(document)
    text, left_out = fitted(table, width, SCORES[rule].title)
    notes = [f"by {document['by']}: {MARKS}; {document['tie_rule']}", *left_out]
    notes += [warning for warning in document["warnings"] if warning not in first]
    if width is not None:
        notes = [line for note in notes for line in wrap(note, width)]
    return "\n".join([*first, text, *notes])


def chosen_table(documents: Sequence[Mapping[str, Any]], width: int | None = None) -> str:
    """The chosen setting of each of several units, a row each; first those that hardly respond.

    `width` as in `ranking_table`.
    """
    table = [["layer", "unit", "direction", "learning rate", "prior weight", "iterations"]]
    table[0] += [SCORES["fid_response"].title, "fresh FID"]
    table[0] += [SCORES["fid_features"].title, "KID", "response"]
    judges, weak = list(documents[0]["judges"]), []
    table[0] += [f"judge {name}" for name in judges]
    for document in documents:
        row = document["configurations"][document["chosen"]]
        place = [document["layer"], str(document["neuron"]), document["direction"]]
        place += [format(row[name], form) for name, form in SETTING]
        fresh = document["controls"].get("fresh")
        scores = [
            _number(row["fid_response"]),
            _number(fresh["fid_response"]) if fresh else "",
            *(_number(row[name]) for name in ("fid_features", "kid")),
        ]
        votes = [_share(row["judges"][name]) for name in judges]
        table.append([*place, *scores, f"{row['mean_response']:.2f}", *votes])
        weak += [f"{' '.join(place[:3])}: {text}" for text in _weakness(document)]
    text, left_out = fitted(table, width)
    return "\n".join([*weak, text, *left_out])


def _weakness(document: Mapping[str, Any]) -> list[str]:
    """What stands before all scores of a unit that hardly responds to real excerpts."""
    found = Variation.from_meta(document.get("response_variation"))
    return [found.weakness] if found and found.weakness else []


def attributions_table(document: Mapping[str, Any]) -> str:
    """The ranking of attributions: method, segments and fill, the measure and its interval."""
    by = document["by"]
    table = [["rank", "", "method", "segments", "fill", by, "from", "to"]]
    for row in sorted(document["configurations"], key=lambda row: row["rank"]):
        mark = "*" if row["rank"] == 1 else "=" if row["tied"] else ""
        figures = [
            "-" if value is None else format(value, ".4g") for value in (row[by], *row["interval"])
        ]
        setting = [row["method"], row["segments"], row["fill"]]
        table.append([str(row["rank"]), mark, *setting, *figures])
    return f"{aligned(table)}\nby {by}: {MARKS}"


def layers_table(document: Mapping[str, Any]) -> str:
    """What `layers` found: a row a layer, with its units, the places of each, and its weights."""
    table = [["layer", "kind", "units", "places", "weights"]]
    for row in document["layers"]:
        places = " x ".join(map(str, row["places"]))
        table.append([row["layer"], row["kind"], str(row["units"]), places, f"{row['weights']:,}"])
    return aligned(table)


def aligned(table: Sequence[Sequence[str]], left: int = 0) -> str:
    """Cells in columns two spaces apart, the first `left` columns to the left, others right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    forms = [f"<{w}" if k < left else f">{w}" for k, w in enumerate(widths)]
    return "\n".join("  ".join(map(format, line, forms)).rstrip() for line in table)


def fitted(
    table: Sequence[Sequence[str]], width: int | None, kept: str = ""
) -> tuple[str, list[str]]:
    """The table in lines of at most `width` characters, where columns of `EXPENDABLE` allow it.

    Gives the text, and a line that names the columns left out, if any; that of the title `kept`
    never is.
    """
    left_out: list[str] = []
    text = aligned(table)
    for title in EXPENDABLE:
        if width is None or max(map(len, text.splitlines())) <= width:
            break
        if title in table[0] and title != kept:
            column = table[0].index(title)
            table = [[*row[:column], *row[column + 1 :]] for row in table]
            left_out.append(title)
            text = aligned(table)
    if not left_out:
        return text, []
    return text, [f"left out for want of room: {', '.join(left_out)}; selection.json has all"]


def _figures(row: Mapping[str, Any], shown: Sequence[str], judges: Sequence[str]) -> list[str]:
    """Cells of a setting or a control: of a control some do not exist."""
    bounds = row.get(f"{shown[0]}_interval")
    interval = f"{_number(bounds[0])}-{_number(bounds[1])}" if bounds else ""
    scores = [_number(row[name]) if name in row else "" for name in shown]
    response = [f"{row['mean_response']:.2f}", f"{row['std_response']:.2f}"]
    return [
        scores[0],
        interval,
        *scores[1:],
        *response,
        *(_share(row["judges"][n]) for n in judges),
    ]


def _number(value: float) -> str:
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
