"""The HTML page of a part explainer: the strongest parts of each filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion

from ganexplain.audio.filtering import filter_by_share
from ganexplain.audio.io import FULL_SCALE, encode_flac
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.charts.spectrograms import (
    HEIGHT,
    LEFT,
    PIXELS,
    TOP,
    WIDTH,
    ColourScale,
    colour_legend,
    colour_scale,
    picture,
)
from ganexplain.report.html.document import document
from ganexplain.report.html.levels import meaning
from ganexplain.report.html.markup import Markup, data_uri, element, void
from ganexplain.report.html.notation import clock, number, signed
from ganexplain.report.html.panels import Sound, player
from ganexplain.report.pictures.png import png_bytes
from ganexplain.report.unit.page import Table, provenance

SCRIPTS = ("sound.js",)
EDGE = 0.4  # opacity of the colours at the edge of a part
OUTLINE = (255, 225, 77, 150)
SHORT = 24  # most letters of a file's name


@dataclass(frozen=True)
class Patch:
    """An input and the part that a filter finds in it.

    `mel` is log-mel (F, T) or a picture (C, H, W), from `start` seconds of `file`. `window` (F, T)
    is the part, 0 to 1; `audio` (samples,), int16, the sound, if there is any.
    """

    mel: np.ndarray
    window: np.ndarray
    strength: float
    file: str
    start: float
    audio: np.ndarray | None

    @property
    def colours(self) -> np.ndarray:
        """Opacity of the colours of each cell (F, T): 0 outside of the part."""
        return np.where(self.window > 0, EDGE + (1 - EDGE) * self.window, 0.0)

    def name(self, letters: int = SHORT) -> str:
        """Return the file, shortened to `letters`, and for sound the time."""
        short = self.file if len(self.file) <= letters else self.file[: letters - 1] + "…"
        return short if self.audio is None else f"{short} {clock(self.start)}"


@dataclass(frozen=True)
class Filter:
    """A row of `parts.json`: a filter's contribution, weight, presence and places.

    `share` is that of its weight in the sum of all weights. 80 % of its parts lie within `rows` and
    `columns` of the input, for sound within `hz` and `seconds`. Where events are listed and most of
    its peaks meet one `kind`, `purity` is their share.
    """

    filter: int
    contribution: float
    weight: float
    share: float
    presence: float
    rows: list[float]
    columns: list[float]
    hz: list[float] | None = None
    seconds: list[float] | None = None
    kind: str | None = None
    purity: float | None = None

    def document(self) -> dict[str, int | float | str | list[float]]:
        """Return the values that are not None, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class FilterParts:
    """A filter: its row of `parts.json`, its mean part (F, T) and its strongest inputs."""

    row: Filter
    where: np.ndarray
    patches: Sequence[Patch]

    @property
    def title(self) -> str:
        """A short title."""
        named = f" ({self.row.kind})" if self.row.kind else ""
        return f"filter {self.row.filter}{named}: {signed(self.row.contribution)}"


@dataclass(frozen=True)
class PartsContent:
    """The content of the page: filters, figures on held-out inputs and provenance.

    `layer` of `classifier` is decomposed into parts, from which the layers `targets` are
    reconstructed. `searched` is the number of searched inputs, `corpus` the training recordings.
    """

    layer: str
    figures: Mapping[str, float]
    searched: int
    filters: Sequence[FilterParts]
    classifier: str
    targets: Sequence[str]
    corpus: Sequence[str]


def parts_page(content: PartsContent, front_end: FrontEnd) -> str:
    """Return the content as one HTML document that needs no other file."""
    title = f"The parts that {content.layer} sees"
    patches = [patch for each in content.filters for patch in each.patches]
    scale = colour_scale(np.stack([patch.mel for patch in patches]), front_end)
    head = element(
        "header",
        element("p", "ganexplain train-explainer", class_="brand"),
        element("h1", title),
        element("p", _guide(content), class_="guide"),
    )
    note = f"{meaning(front_end)}; the part in colours, the rest grey."
    body = element(
        "main", head,
        [_filter(each, scale, front_end) for each in content.filters],
        element("div", colour_legend(scale, front_end.unit, note), class_="legend"),
        _provenance(content),
    )  # fmt: skip
    return document(title, body, SCRIPTS)


def _guide(content: PartsContent) -> str:
    figures = content.figures
    errors = ", ".join(
        f"{100 * value:.1f} % of {name.removeprefix('error_')}"
        for name, value in figures.items()
        if name.startswith("error_")
    )
    parts, same = 100 * figures["p"], 100 * figures["agreement"]
    return (
        "Each filter detects one part: a patch of sound around a peak. "
        f"{parts:.0f} % of the decoded features come from parts, the rest from ordinary features. "
        f"The reconstruction loses {errors} in held-out excerpts, and {same:.1f} % of the "
        "decisions stay the same. Below are the filters of the largest weights, each with its "
        f"strongest excerpts of {content.searched}, from end to end, of the training recordings. "
        "The sounds are the recordings themselves, whole or filtered to the part alone."
    )


def _filter(each: FilterParts, scale: ColourScale, front_end: FrontEnd) -> Markup:
    row = each.row
    assert row.hz is not None and row.seconds is not None  # the page is of sound
    identity = f"filter-{row.filter}"
    facts = [
        ("share", f"{100 * row.share:.0f} %", "of what all filters contribute, in magnitude"),
        ("weight", number(row.weight), "mean magnitude of the contribution to the logit"),
        ("contribution", signed(row.contribution), "mean contribution to the logit"),
        ("presence", f"{100 * row.presence:.0f} %", "of the excerpts contain the part"),
        ("frequency", "{:.0f} to {:.0f} Hz".format(*row.hz), "80 % of its parts"),
        ("time", "{:.2f} to {:.2f} s".format(*row.seconds), "80 % of its parts"),
    ]
    listed = [
        element("div", element("dt", name, title=meaning), element("dd", value))
        for name, value, meaning in facts
    ]
    if row.kind is not None and row.purity is not None:
        facts.insert(0, (row.kind, f"{100 * row.purity:.0f} %", "of its strongest peaks meet one"))
    named = f"Filter {row.filter}" + (f": {row.kind}" if row.kind else "")
    heading = element("h3", named, id=identity)
    sheet = [_mean(each, front_end), *(_panel(p, identity, scale, front_end) for p in each.patches)]
    return element(
        "section",
        element("header", element("div", heading), element("dl", listed, class_="facts")),
        element("div", sheet, class_="sheet"),
        class_="row best", aria_labelledby=identity,
    )  # fmt: skip


def _mean(each: FilterParts, front_end: FrontEnd) -> Markup:
    highest = max(float(each.where.max()), 1e-12)
    label = f"Where filter {each.row.filter} fires on average"
    caption = element("div", element("span", "where it fires", class_="origin"), class_="caption")
    return element(
        "figure",
        picture(each.where, ColourScale(0.0, highest), front_end, label),
        element("figcaption", caption),
        class_="panel",
    )


def _panel(patch: Patch, within: str, scale: ColourScale, front_end: FrontEnd) -> Markup:
    name = f"{within}, {patch.name()}"
    caption = element(
        "div",
        element("span", patch.name(), class_="origin", title=patch.file),
        element("span", number(patch.strength), class_="response", title="peak of the part"),
        class_="caption",
    )
    return element(
        "figure",
        picture(patch.mel, scale, front_end, f"Spectrogram: {name}", over=_grey(patch, scale)),
        element("figcaption", caption, element("div", _players(patch, name, front_end),
                                               class_="players")),
        class_="panel",
    )  # fmt: skip


def _players(patch: Patch, name: str, front_end: FrontEnd) -> list[Markup]:
    if patch.audio is None:
        return []
    rate = front_end.sample_rate
    whole = patch.audio.astype(np.float32) / FULL_SCALE
    part = filter_by_share(whole, patch.window, front_end)
    sounds = [
        Sound("part", encode_flac(part, rate)),
        Sound("whole", encode_flac(patch.audio, rate)),
    ]
    return [player(sound, f"{name}, {sound.label}") for sound in sounds]


def _grey(patch: Patch, scale: ColourScale) -> Markup:
    """Return the excerpt in grey, to draw over its colours: transparent in the part."""
    pixels = np.empty((*patch.mel.shape, 4), dtype=np.uint8)
    pixels[..., :3] = scale.indices(patch.mel)[..., None]
    pixels[..., 3] = np.round(255 * (1 - patch.colours))
    inside = patch.window > 0
    pixels[inside & ~binary_erosion(inside, border_value=1)] = OUTLINE
    big = pixels[::-1].repeat(PIXELS, axis=0).repeat(PIXELS, axis=1)
    return void(
        "image", x=LEFT, y=TOP, width=WIDTH, height=HEIGHT, preserveAspectRatio="none",
        href=data_uri("image/png", png_bytes(big)),
    )  # fmt: skip


def _provenance(content: PartsContent) -> Markup:
    lines = [
        ("classifier", content.classifier),
        ("layer", content.layer),
        ("reconstructed", ", ".join(content.targets)),
        ("corpus", ", ".join(content.corpus)),
    ]
    return provenance([Table("", lines)])
