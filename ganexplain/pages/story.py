"""The words and figures of the report: evidence and sounds to a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np

from ganexplain.pages.charts import grid_chart, norm_chart, response_chart, strip_chart
from ganexplain.pages.document import Page, Table
from ganexplain.pages.evidence import CRITERIA, Evidence, Score
from ganexplain.pages.markup import Child, element
from ganexplain.pages.notation import clock, number, ordinal, signed, spread
from ganexplain.pages.panels import Excerpt, Row, Sound
from ganexplain.pages.sounds import wav_uri
from ganexplain.pages.spectrograms import ColourScale, colour_scale


def tell(evidence: Evidence, sounds: Mapping[str, np.ndarray], provenance: Sequence[Table]) -> Page:
    """The page for `evidence`; `sounds` are waveforms (n, samples) of each of its shown rows."""
    scale = colour_scale(evidence.real["mel"])
    rows = _rows(evidence, sounds)
    return Page(
        title=_title(evidence),
        guide=_guide(evidence),
        answer=_answer(evidence),
        responses=strip_chart(evidence),
        scale=scale,
        scale_note=_scale_note(evidence, scale),
        front_end=evidence.front_end,
        compared=[rows["real"], rows["best"]],
        others=[rows[name] for name in ("start", "median", "worst") if name in rows],
        others_note="The same seeds, column by column: where each began, and what other settings "
        "of the grid made of it.",
        grid=[grid_chart(evidence, name) for name in CRITERIA.values()],
        grid_note=f"{_layout(evidence)} Each number is a Fréchet distance to the real excerpts, "
        "smaller is closer; colours are logarithmic. Arrow keys move between cells.",
        search=[response_chart(evidence), norm_chart(evidence)],
        provenance=provenance,
    )


def _layout(evidence: Evidence) -> str:
    if evidence.meta.get("search") == "adaptive":
        return "Above each cell stand the iterations, the learning rate and the prior weight."
    return "Rows are learning rates, columns prior weights, blocks iteration counts."


# --- Head -----------------------------------------------------------------------------------


def _title(evidence: Evidence) -> str:
    meta = evidence.meta
    unit = f" ({meta['unit']})" if meta.get("unit") else ""
    way = "upwards" if evidence.upwards else "downwards"
    return f"What drives {meta['layer']}, neuron {meta['neuron']}{unit}, {way}"


def _guide(evidence: Evidence) -> str:
    drive, most = ("raise", "highest") if evidence.upwards else ("lower", "lowest")
    return (
        f"A generator of sound excerpts was searched for those that {drive} the neuron’s response; "
        f"see and hear below what they share with the real excerpts that have the {most} "
        "responses, and what they lack before the search."
    )


def _answer(evidence: Evidence) -> list[tuple[str, Child]]:
    best = evidence.scores[evidence.order[0]]
    real, start = evidence.real["response"], evidence.made["start_response"]
    of = evidence.ranked_on
    distance = best.fid_response if of == "responses" else best.fid_features
    word = "highest" if evidence.upwards else "lowest"
    return [
        ("Chosen setting", element("strong", best.setting)),
        ("Why this one", [
            element("strong", number(distance or 0.0)),
            f" Fréchet distance of {of} to the {len(real)} real excerpts with the {word} "
            f"responses, the smallest of {len(evidence.scores)} settings",
        ]),
        ("Response", [
            element("strong", spread(best.mean_response, best.std_response)),
            f" generated, against {spread(*_moments(real))} real and "
            f"{spread(*_moments(start))} before the search (mean ± standard deviation)",
        ]),
    ]  # fmt: skip


def _moments(values: np.ndarray) -> tuple[float, float]:
    values = values.astype(np.float64)
    return float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else 0.0


def _scale_note(evidence: Evidence, scale: ColourScale) -> str:
    return (
        f"natural logarithm of mel magnitude, 1 nat = 8.7 dB; from the {len(evidence.real['mel'])} "
        f"real excerpts: their 1st percentile (at most 10 nat down) to their maximum, "
        f"{signed(scale.low, 0)} to {signed(scale.high, 0)}"
    )


# --- Rows of excerpts -----------------------------------------------------------------------


def _rows(evidence: Evidence, sounds: Mapping[str, np.ndarray]) -> dict[str, Row]:
    rows = {"real": _real_row(evidence, sounds["real"])}
    start = evidence.made["start_response"]
    rows["start"] = Row(
        "start",
        "Before the search",
        "what the generator makes of the same seeds",
        (("mean response", spread(*_moments(start))),),
        _generated(evidence, "start", start, sounds["start"]),
    )
    for name, index in evidence.landmarks.items():
        score = evidence.scores[index]
        rows[name] = Row(
            name,
            f"{name.capitalize()} setting",
            score.setting,
            _score_facts(score, len(evidence.scores), str(evidence.meta["features_layer"])),
            _generated(evidence, name, evidence.made["response"][index], sounds[name]),
            note=_median_note(evidence) if name == "median" else "",
            chosen=name == "best",
        )
    return rows


def _median_note(evidence: Evidence) -> str:
    count = len(evidence.scores)
    return f"The median is the {ordinal((count - 1) // 2 + 1)} of {count} settings, best first."


def _score_facts(score: Score, count: int, layer: str) -> tuple[tuple[str, str], ...]:
    facts = [
        ("rank", f"{score.rank} of {count}"),
        ("distance, responses", number(score.fid_response)),
    ]
    if score.fid_features is not None:
        facts.append((f"distance, {layer}", number(score.fid_features)))
    facts.append(("mean response", spread(score.mean_response, score.std_response)))
    return tuple(facts)


def _generated(
    evidence: Evidence, name: str, responses: np.ndarray, sounds: np.ndarray
) -> list[Excerpt]:
    rate = evidence.front_end.sample_rate
    return [
        Excerpt(mel, float(response), f"seed {seed}", (Sound("listen", wav_uri(sound, rate)),))
        for mel, response, seed, sound in zip(
            evidence.shown[name], responses, evidence.made["seed"], sounds, strict=False
        )
    ]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _real_row(evidence: Evidence, sounds: np.ndarray) -> Row:
    real, rate = evidence.real, evidence.front_end.sample_rate
    excerpts = [
        Excerpt(
            real["mel"][k],
            float(real["response"][k]),
            PurePath(str(real["file"][k])).name,
            (
                Sound("original", wav_uri(real["audio"][k], rate)),
                Sound("resynth", wav_uri(sounds[k], rate)),
            ),
            f"at {clock(float(real['start_s'][k]))}",
        )
        for k in range(len(sounds))
    ]
    word = "highest" if evidence.upwards else "lowest"
    return Row(
        "real",
        "Real excerpts",
        f"with the {word} responses in the training recordings",
        (
            ("from", _counted(len(set(map(str, real["file"]))), "recording")),
            ("mean response", spread(*_moments(real["response"]))),
        ),
        excerpts,
        note="“Original” is the recording. “Resynth” is the picture turned back into sound the way "
        "the generated ones are, so that like is compared with like.",
    )
