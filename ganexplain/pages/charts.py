"""The charts of the report: evidence to drawings with the words that explain them."""

from __future__ import annotations

import numpy as np

from ganexplain.pages.curves import Curves, curves
from ganexplain.pages.document import Chart
from ganexplain.pages.evidence import Evidence, Score
from ganexplain.pages.heatmap import Setting, heat_map
from ganexplain.pages.markup import Child, Markup, element
from ganexplain.pages.notation import number, spread
from ganexplain.pages.strips import Strip, strips


def strip_chart(evidence: Evidence) -> Chart:
    """Responses of all excerpts: real, before the search, and under the settings shown."""
    real = evidence.real["response"]
    lines = [
        Strip("before search", "start", evidence.made["start_response"]),
        Strip(f"real {'top' if evidence.upwards else 'bottom'} {len(real)}", "real", real),
    ]
    for name in ("best", "median", "worst"):
        if name in evidence.landmarks:
            responses = evidence.made["response"][evidence.landmarks[name]]
            lines.append(Strip(f"{name} setting", name, responses))
    note = (
        "A dot is one excerpt, a bar the median. A setting is right where its dots lie on the "
        "real ones: neither short of them nor beyond."
    )
    return Chart("All responses", note, strips(lines, _level(real)))


def _level(values: np.ndarray) -> float:
    return float(np.median(values))


def grid_chart(evidence: Evidence, of: str) -> Chart:
    """Distances over the grid, `of` responses or features."""
    count, layer = len(evidence.scores), str(evidence.meta["features_layer"])
    scores = [s.fid_response if of == "responses" else s.fid_features for s in evidence.scores]
    settings = [
        Setting(s.learning_rate, s.prior_weight, s.iterations, _in_full(s, count, layer))
        for s in evidence.scores
    ]
    marks = {index: name for name, index in evidence.landmarks.items()}
    width = evidence.made["features"].shape[-1]
    if of == "responses":
        heading, note = "Distance of responses", "One number an excerpt: the response itself. "
    else:
        heading = f"Distance of features, {layer}"
        note = f"{width} numbers an excerpt: the activations of {layer}. "
    note += "Settings are ranked by this." if of == evidence.ranked_on else ""
    drawing = heat_map(scores, settings, evidence.order[0], marks, heading)
    return Chart(heading, note, drawing)


def _in_full(score: Score, count: int, layer: str) -> str:
    features = (
        f", of {layer} {number(score.fid_features)}" if score.fid_features is not None else ""
    )
    setting = score.setting[0].upper() + score.setting[1:]
    return (
        f"{setting}: rank {score.rank} of {count}; distance of responses "
        f"{number(score.fid_response)}{features}; mean response "
        f"{spread(score.mean_response, score.std_response)}"
    )


def _curves(evidence: Evidence, title: str, key: str, level: float, name: str) -> Markup:
    made, best = evidence.made, evidence.order[0]
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
    """Response against iteration, with the level of the real excerpts."""
    real = evidence.real["response"]
    name = f"median of the real {'top' if evidence.upwards else 'bottom'} {len(real)}"
    drawing = _curves(evidence, "Response against iteration", "response_trace", _level(real), name)
    return Chart("Response", _reading(name), drawing)


def norm_chart(evidence: Evidence) -> Chart:
    """Norm of the latent vector against iteration, with sqrt(Z), its usual length."""
    size = evidence.made["latent"].shape[-1]
    name = f"√{size} = {np.sqrt(size):.1f}, typical before the search"
    drawing = _curves(
        evidence, "Latent norm against iteration", "latent_norm_trace", float(np.sqrt(size)), name
    )
    return Chart("Norm of the latent vector", _reading(name), drawing)
