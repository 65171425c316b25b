"""The charts of the report, with notes on how to read them."""

from __future__ import annotations

import numpy as np

from ganexplain.ascent.match import MATCH
from ganexplain.report.charts.curves import Curves, curves
from ganexplain.report.charts.strips import Strip, strips
from ganexplain.report.html.markup import Child, Markup, element
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.page import Chart

CONTROLS = {
    "fresh": "fresh starts",
    "input_ascent": "without GAN",
    "reinitialised": "re-initialised",
}


def strip_chart(evidence: Evidence) -> Chart:
    """Return the responses of all excerpts: real, before the search and of displayed settings."""
    real = evidence.real["response"]
    lines = [
        Strip("before search", "start", evidence.made["start_response"]),
        Strip(f"real {'top' if evidence.upwards else 'bottom'} {len(real)}", "real", real),
    ]
    for name in ("chosen", "best", "median", "worst"):
        if name in evidence.landmarks:
            responses = evidence.made["response"][evidence.landmarks[name]]
            title = "best of ranking" if name == "best" else f"{name} setting"
            lines.append(Strip(title, name, responses))
    if evidence.held_out:
        lines.insert(2, Strip("other real", "held-out", evidence.held_out["response"]))
    for name, title in CONTROLS.items():
        if name in evidence.driven:
            kind = name.replace("_", "-")
            lines.append(Strip(title, kind, evidence.driven[name]["response"]))
    note = (
        f"A dot is one {evidence.words.one}, a bar the median. A setting is right if its dots "
        "are at the height of the real ones, neither short of them nor beyond."
    )
    return Chart("All responses", note, strips(lines, float(np.median(real))))


def _curves(evidence: Evidence, title: str, key: str, level: float, name: str) -> Markup:
    made, best = evidence.made, evidence.selection.chosen
    trajectory = made["trajectory"]
    first = [int(np.flatnonzero(trajectory == t)[0]) for t in range(len(made[key]))]
    return curves(
        Curves(
            title=title,
            traces=made[key],
            steps=evidence.steps,
            learning_rate=[float(made["learning_rate"][i]) for i in first],
            prior_weight=[float(made["prior_weight"][i]) for i in first],
            level=level,
            level_name=name,
            snapshots=[
                sorted(map(int, made["iterations"][trajectory == t])) for t in range(len(made[key]))
            ],
            chosen=(int(trajectory[best]), int(made["iterations"][best])),
        )
    )


def _key(style: str, words: str) -> Markup:
    return element("span", element("i", "", class_=style), words, class_="key")


def _reading(level: str) -> Child:
    return [
        _key("line", "median of the examples"), " \N{MIDDLE DOT} ", _key("band", "10–90 %"),
        " \N{MIDDLE DOT} ", _key("level", level),
        ". Vertical lines: the iteration counts of the settings; the dot: the chosen setting. "
        "The axes are shared; where values explode they are logarithmic beyond the dashed level.",
    ]  # fmt: skip


def response_chart(evidence: Evidence) -> Chart:
    """Return the response over the iterations, with the level of the real excerpts."""
    real = evidence.real["response"]
    name = f"median of the real {'top' if evidence.upwards else 'bottom'} {len(real)}"
    level = float(np.median(real))
    title = "Response"
    if evidence.meta.objective == MATCH:
        title, name, level = "Distance of activations", "the same activations", 0.0
    drawing = _curves(evidence, f"{title} against iteration", "response_trace", level, name)
    return Chart(title, _reading(name), drawing)


def norm_chart(evidence: Evidence) -> Chart:
    """Return the norm of the latent vector over the iterations, with sqrt(Z), its usual value."""
    size = evidence.made["latent"].shape[-1]
    name = f"√{size} = {np.sqrt(size):.1f}, typical before the search"
    drawing = _curves(
        evidence, "Latent norm against iteration", "latent_norm_trace", float(np.sqrt(size)), name
    )
    return Chart("Norm of the latent vector", _reading(name), drawing)
