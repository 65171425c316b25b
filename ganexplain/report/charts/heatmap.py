"""A heat map of a score over the settings, with a block of cells for each iteration count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.report.html.markup import Markup, element, svg_text, void
from ganexplain.report.html.notation import exact, number

CELL_WIDTH, CELL_HEIGHT, BLOCK_GAP = 54.0, 38.0, 20.0
LEFT, TOP = 76.0, 40.0
BLOCKS_ABREAST = 3
LIST_WIDTH, LIST_TOP, LIST_ABREAST = 92.0, 36.0, 7
LONGEST = 7  # most letters in a cell
SHADES = {"low": 0.26, "middle": 0.5, "high": 1.0}  # shares up to which a colour of text is used


@dataclass(frozen=True)
class Setting:
    """A setting of the search, and its full description on the page."""

    learning_rate: float
    prior_weight: float
    iterations: int
    description: str
    tied: bool = False


def heat_map(
    scores: Sequence[float | None],
    settings: Sequence[Setting],
    chosen: int,
    marks: Mapping[int, str],
    title: str,
    better: str = "low",
) -> Markup:
    """Draw the scores (C,), some of which may be None, of `settings` as an SVG.

    `better` is low or high, see `colour_shares`. `marks` are texts of cells by index ("chosen",
    "tied", "worst"). The cell `chosen` has a frame and the keyboard focus. Settings that are not a
    full grid are in rows, each with its values above.
    """
    shares = colour_shares(scores, better)
    if not is_grid(settings):
        return _listed(scores, shares, settings, chosen, marks, title)
    rates = sorted({s.learning_rate for s in settings}, reverse=True)
    weights = sorted({s.prior_weight for s in settings}, reverse=True)
    counts = sorted({s.iterations for s in settings})
    block_width = CELL_WIDTH * len(weights)
    block_height = TOP + CELL_HEIGHT * len(rates) + 14
    parts: list[Markup] = []
    for block, count in enumerate(counts):
        left = LEFT + (block % BLOCKS_ABREAST) * (block_width + BLOCK_GAP)
        top = (block // BLOCKS_ABREAST) * block_height + TOP
        labelled = block % BLOCKS_ABREAST == 0
        parts += _block_labels(left, top, count, weights, rates if labelled else ())
    for index, setting in sorted(enumerate(settings), key=lambda pair: pair[0] == chosen):
        block = counts.index(setting.iterations)
        column, line = weights.index(setting.prior_weight), rates.index(setting.learning_rate)
        x = LEFT + (block % BLOCKS_ABREAST) * (block_width + BLOCK_GAP) + column * CELL_WIDTH
        y = (block // BLOCKS_ABREAST) * block_height + TOP + line * CELL_HEIGHT
        mark = marks.get(index, "")
        parts.append(_cell(index, x, y, scores[index], shares[index], setting, mark, chosen))
    abreast = min(len(counts), BLOCKS_ABREAST)
    width = LEFT + abreast * block_width + (abreast - 1) * BLOCK_GAP + 4
    height = -(-len(counts) // BLOCKS_ABREAST) * block_height
    return _drawing(parts, width, height, title)


def is_grid(settings: Sequence[Setting]) -> bool:
    """Whether `settings` contain every combination of their values."""
    axes = zip(*((s.learning_rate, s.prior_weight, s.iterations) for s in settings), strict=True)
    return math.prod(len(set(axis)) for axis in axes) == len(settings)


def _listed(
    scores: Sequence[float | None], shares: Sequence[float], settings: Sequence[Setting],
    chosen: int, marks: Mapping[int, str], title: str,
) -> Markup:  # fmt: skip
    parts: list[Markup] = []
    for index, setting in sorted(enumerate(settings), key=lambda pair: pair[0] == chosen):
        x = LIST_WIDTH * (index % LIST_ABREAST) + (LIST_WIDTH - CELL_WIDTH) / 2
        y = (index // LIST_ABREAST) * (CELL_HEIGHT + LIST_TOP) + LIST_TOP
        pair = f"{exact(setting.learning_rate)}, {exact(setting.prior_weight)}"
        for line, text in enumerate((f"{setting.iterations} iterations", pair)):
            parts.append(svg_text(text, x + CELL_WIDTH / 2, y - 5 - 11 * line))
        mark = marks.get(index, "")
        parts.append(_cell(index, x, y, scores[index], shares[index], setting, mark, chosen))
    width = LIST_WIDTH * min(len(settings), LIST_ABREAST)
    height = -(-len(settings) // LIST_ABREAST) * (CELL_HEIGHT + LIST_TOP)
    return _drawing(parts, width, height, title)


def _drawing(parts: list[Markup], width: float, height: float, title: str) -> Markup:
    return element(
        "svg", parts, class_="heat-map", viewBox=f"0 0 {width:g} {height:g}",
        style=f"min-width:{width * 0.85:.0f}px;max-width:{width * 1.25:.0f}px", role="group",
        aria_label=title,
    )  # fmt: skip


def colour_shares(scores: Sequence[float | None], better: str = "low") -> list[float]:
    """Return the position of each score between the best (0) and the worst (1).

    The scale is logarithmic if low is better and no score is negative (zero is then the best),
    else linear.
    """
    known = np.array([s for s in scores if s is not None], dtype=np.float64)
    logarithmic = better == "low" and bool((known >= 0).all())
    if logarithmic:
        known = np.log(known[known > 0])
    if known.size == 0:
        return [0.0] * len(scores)
    low, reach = known.min(), max(known.max() - known.min(), 1e-9)

    def share(score: float | None) -> float:
        if score is None or (logarithmic and score <= 0):
            return 0.0
        place = float(np.clip(((np.log(score) if logarithmic else score) - low) / reach, 0, 1))
        return place if better == "low" or known.size == 1 else 1 - place

    return [share(score) for score in scores]


def _block_labels(
    left: float, top: float, count: int, weights: Sequence[float], rates: Sequence[float]
) -> list[Markup]:
    middle = left + CELL_WIDTH * len(weights) / 2
    labels = [svg_text(f"{count} iterations", middle, top - 25, "block")]
    for column, weight in enumerate(weights):
        labels.append(svg_text(exact(weight), left + CELL_WIDTH * (column + 0.5), top - 7))
    if rates:
        labels.append(svg_text("prior weight", left - 7, top - 7, anchor="end"))
        middle, x = top + CELL_HEIGHT * len(rates) / 2, left - 60
        turn = f"rotate(-90 {x:g} {middle:g})"
        labels.append(svg_text("learning rate", x, middle, transform=turn))
    for line, rate in enumerate(rates):
        y = top + CELL_HEIGHT * (line + 0.5) + 3.5
        labels.append(svg_text(exact(rate), left - 7, y, anchor="end"))
    return labels


def _short(score: float) -> str:
    """Format a number so that it fits into a cell, with up to three digits."""
    texts = [number(score, digits) for digits in (3, 2, 1)]
    return next((text for text in texts if len(text) <= LONGEST), texts[-1])


def _cell(
    index: int, x: float, y: float, score: float | None, share: float, setting: Setting,
    mark: str, chosen: int,
) -> Markup:  # fmt: skip
    middle, height = x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2
    text = _short(score) if score is not None else "\N{EN DASH}"
    inside = [
        element("title", setting.description),
        void("rect", x=x + 1, y=y + 1, width=CELL_WIDTH - 2, height=CELL_HEIGHT - 2, rx=3.0),
        element("text", text, x=middle, y=height + (0.5 if mark else 4.0), text_anchor="middle"),
    ]
    if mark:
        inside.append(svg_text(mark, middle, height + 12, "mark"))
    names = ["cell", next(name for name, end in SHADES.items() if share <= end)]
    names += ["chosen"] if index == chosen else []
    names += ["tied"] if setting.tied else []
    names += ["missing"] if score is None else []
    return element(
        "g", inside, class_=" ".join(names), style=f"--share:{share * 100:.1f}%",
        data_setting=index, tabindex=0 if index == chosen else -1, role="button",
        aria_label=setting.description,
    )  # fmt: skip
