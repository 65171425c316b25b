"""Tables as text: ranked settings, measured and ranked attributions, the layers of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from textwrap import wrap

from ganexplain.artifacts.attributions import AttributionRanking
from ganexplain.artifacts.figures import RESPONSES, Figures, Score
from ganexplain.artifacts.layers import NetworkLayers
from ganexplain.artifacts.selection import Selection
from ganexplain.metrics.scores import SCORES

SCORES_SHOWN = (
    "fid_response",
    "nearest_real",
    "fid_features",
    "kid",
    "density",
    "coverage",
    "shell_distance",
)


@dataclass(frozen=True)
class Expendable:
    """Titles of the columns that a narrow terminal does without, in this order; who has `all`."""

    titles: tuple[str, ...]
    all: str


RANKING = Expendable(
    (
        "std",
        *(SCORES[name].title for name in ("coverage", "density", "shell_distance", "kid")),
        "FID features",
        "nearest real",
        "95 %",
        "response",
        "FID response",
    ),
    "selection.json",
)
MEASURED = Expendable(
    (
        *("seconds", "complexity", "increase", "gain", "passes", "in truth", "flip", "drop"),
        *("removal", "inputs", "seeds", "random net"),
    ),
    "attributions.json",
)
LAYERS = Expendable(("units", "weights", "kind"), "--json")  # the axes name the units, too
MARKS = "* chosen, = within one standard error of the best"


def ranking_table(selection: Selection, width: int | None = None) -> str:
    """Return the ranking of one unit: a row for each setting, best first, and for each control.

    With a `width` in characters, the least important columns are left out until the table fits.
    """
    by, judges = selection.by, list(selection.judges)
    chosen = selection.scores[selection.chosen]
    shown = list(dict.fromkeys([by, *SCORES_SHOWN]))
    head = ["rank", "", "learning rate", "prior weight", "iterations"]
    head += [SCORES[by].title, "95 %", *(SCORES[name].title for name in shown[1:])]
    table = [[*head, "response", "std", *(f"judge {name}" for name in judges)]]
    for score in sorted(selection.scores, key=lambda score: score.rank):
        mark = "*" if score is chosen else "=" if score.tied else ""
        place = [str(score.rank), mark, *_setting(score)]
        table.append(place + _figures(score.figures, shown, judges))
    for name, control in selection.controls.items():
        place = ["", "", name.replace("_", " "), "", ""]
        table.append(place + _figures(control.figures, shown, judges))
    first = [selection.weakness] if selection.weakness else []
    text, left_out = fitted(table, width, RANKING, SCORES[by].title)
    notes = [f"by {selection.rule}: {MARKS}; {selection.tie_rule}", *left_out]
    notes += [warning for warning in selection.warnings if warning not in first]
    if width is not None:
        notes = [line for note in notes for line in wrap(note, width)]
    return "\n".join([*first, text, *notes])


def chosen_table(selections: Sequence[Selection], width: int | None = None) -> str:
    """Return the chosen settings of several units, a row each, after warnings of weak responses.

    `width` as in `ranking_table`.
    """
    table = [["layer", "unit", "direction", "learning rate", "prior weight", "iterations"]]
    table[0] += [SCORES["fid_response"].title, "fresh FID"]
    table[0] += [SCORES["fid_features"].title, "KID", "response"]
    judges, weak = list(selections[0].judges), []
    table[0] += [f"judge {name}" for name in judges]
    for selection in selections:
        chosen = selection.scores[selection.chosen]
        values = chosen.figures.values
        unit = [selection.layer, str(selection.neuron), selection.direction]
        fresh = selection.controls.get("fresh")
        scores = [
            _number(values["fid_response"]),
            _number(fresh.figures.values["fid_response"]) if fresh else "",
            *(_number(values[name]) for name in ("fid_features", "kid")),
        ]
        votes = [_share(chosen.figures.judges[name]) for name in judges]
        row = [*unit, *_setting(chosen), *scores, f"{chosen.mean_response:.2f}", *votes]
        table.append(row)
        if selection.weakness:
            weak.append(f"{' '.join(unit)}: {selection.weakness}")
    text, left_out = fitted(table, width, RANKING)
    return "\n".join([*weak, text, *left_out])


def attributions_table(ranking: AttributionRanking) -> str:
    """Return the ranking of attributions: method, segments, fill, the measure and its interval."""
    by = ranking.by
    table = [["rank", "", "method", "segments", "fill", by, "from", "to"]]
    for row in sorted(ranking.configurations, key=lambda row: row.rank):
        mark = "*" if row.rank == 1 else "=" if row.tied else ""
        figures = [
            "-" if value is None else format(value, ".4g")
            for value in (row.means[by], *row.interval)
        ]
        table.append([str(row.rank), mark, *astuple(row.configuration), *figures])
    return f"{aligned(table)}\nby {by}: {MARKS}"


def measures_text(table: Sequence[Sequence[str]], width: int) -> str:
    """Return a table of the measures of attributions; `width` as in `ranking_table`."""
    text, left_out = fitted(table, width, MEASURED, left=1)
    return "\n".join([text, *left_out])


def layers_table(found: NetworkLayers, width: int | None = None) -> str:
    """Return a row for each layer of a network, with its units, its axes, and its weights.

    `width` as in `ranking_table`.
    """
    table = [["layer", "kind", "units", "axes", "weights"]]
    for row in found.layers:
        table.append([row.layer, row.kind, str(row.units), row.axes, f"{row.weights:,}"])
    text, left_out = fitted(table, width, LAYERS)
    return "\n".join([text, *left_out])


def aligned(table: Sequence[Sequence[str]], left: int = 0) -> str:
    """Align cells in columns two spaces apart, the first `left` columns left, the others right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    forms = [f"<{w}" if k < left else f">{w}" for k, w in enumerate(widths)]
    return "\n".join("  ".join(map(format, line, forms)).rstrip() for line in table)


def fitted(
    table: Sequence[Sequence[str]],
    width: int | None,
    expendable: Expendable,
    kept: str = "",
    left: int = 0,
) -> tuple[str, list[str]]:
    """Align a table in at most `width` characters, without `expendable` columns if necessary.

    Returns the text, and lines with the columns left out, if any. The column `kept` stays; `left`
    as in `aligned`.
    """
    left_out: list[str] = []
    text = aligned(table, left)
    for title in expendable.titles:
        if width is None or max(map(len, text.splitlines())) <= width:
            break
        if title in table[0] and title != kept:
            column = table[0].index(title)
            table = [[*row[:column], *row[column + 1 :]] for row in table]
            left_out.append(title)
            text = aligned(table, left)
    if width is None or not left_out:
        return text, []
    note = f"too wide, left out: {', '.join(left_out)}; {expendable.all} has all"
    return text, wrap(note, width)


def _setting(score: Score) -> list[str]:
    """Return the cells of learning rate, prior weight and iterations."""
    return [f"{score.learning_rate:g}", f"{score.prior_weight:g}", f"{score.iterations:d}"]


def _figures(figures: Figures, shown: Sequence[str], judges: Sequence[str]) -> list[str]:
    """Return the cells of a setting or of a control, some of which are empty for a control."""
    values, bounds = figures.values, figures.interval(shown[0])
    interval = f"{_number(bounds[0])}-{_number(bounds[1])}" if bounds else ""
    scores = [_number(values[name]) if name in values else "" for name in shown]
    response = [f"{values[name]:.2f}" for name in RESPONSES]
    votes = [_share(figures.judges[name]) for name in judges]
    return [scores[0], interval, *scores[1:], *response, *votes]


def _number(value: float) -> str:
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
