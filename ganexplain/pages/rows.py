"""The rows of excerpts: real ones, those of settings, those of controls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

import numpy as np

from ganexplain.pages.evidence import Evidence, Figures, Score
from ganexplain.pages.findings import NAMES
from ganexplain.pages.notation import clock, interval, number, ordinal, spread
from ganexplain.pages.panels import Excerpt, Row, Sound
from ganexplain.pages.sounds import flac_uri
from ganexplain.pages.spectrograms import COARSE

HEADINGS = {
    "chosen": "Chosen setting",
    "best": "Best of the ranking",
    "median": "Median setting",
    "worst": "Worst setting",
    **NAMES,
}


def moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and sample standard deviation, the latter 0 of a single value."""
    values = values.astype(np.float64)
    return float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else 0.0


def shown_rows(evidence: Evidence, sounds: Mapping[str, np.ndarray]) -> dict[str, Row]:
    """Every row of `evidence.shown`, with `sounds` (n, samples) of the same names."""
    rows = {
        "real": _real_row(evidence, evidence.real, sounds["real"]),
        "start": Row(
            "start",
            HEADINGS["start"],
            "what the generator makes of the same seeds",
            (("mean response", spread(*moments(evidence.made["start_response"]))),),
            _generated(evidence, "start", evidence.made["start_response"], sounds["start"]),
        ),
    }
    if evidence.held_out:
        rows["held_out"] = _held_out_row(evidence, sounds["held_out"])
    for name, arrays in evidence.driven.items():
        control = evidence.selection.controls.get(name)
        rows[name] = Row(
            name,
            HEADINGS[name],
            control.meaning if control else "",
            (("mean response", spread(*moments(arrays["response"]))),),
            _generated(evidence, name, arrays["response"], sounds[name]),
        )
    for name, index in evidence.landmarks.items():
        score = evidence.scores[index]
        rows[name] = Row(
            name,
            HEADINGS[name],
            score.setting,
            score_facts(score, evidence),
            _generated(evidence, name, evidence.made["response"][index], sounds[name]),
            note=_median_note(evidence) if name == "median" else "",
            chosen=name == "chosen",
        )
    return {name: rows[name] for name in evidence.shown}


def setting_row(evidence: Evidence, index: int, sounds: np.ndarray) -> Row:
    """One setting of the grid, small: `sounds` (n, samples) of the first n examples."""
    score, rate = evidence.scores[index], evidence.front_end.sample_rate
    made = evidence.made
    excerpts = [
        Excerpt(
            made["mel"][index, k],
            float(made["response"][index, k]),
            f"seed {made['seed'][k]}",
            (Sound("listen", flac_uri(sounds[k], rate)),) if k < len(sounds) else (),
        )
        for k in range(min(evidence.seeds, made["mel"].shape[1]))
    ]
    chosen = index == evidence.selection.chosen
    return Row(
        "setting",
        "This setting",
        score.setting,
        score_facts(score, evidence),
        excerpts,
        chosen=chosen,
        step=COARSE,
    )


def score_facts(score: Score, evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """Rank, the score that ranks with its interval, and the responses."""
    return (
        ("rank", rank(score, evidence)),
        (evidence.kind.title, scored(score.figures, evidence.selection.by)),
        ("mean response", spread(score.mean_response, score.std_response)),
    )


def rank(score: Score, evidence: Evidence) -> str:
    """The place of a setting among all, and whether it is tied with the first."""
    tied = ", tied with the best" if score.tied and score.rank > 1 else ""
    return f"{score.rank} of {len(evidence.scores)}{tied}"


def scored(figures: Figures, key: str) -> str:
    """A score with its 95 % interval where it has one."""
    ends = figures.intervals.get(key)
    return number(figures.values[key]) + (f" ({interval(ends)})" if ends else "")


def _median_note(evidence: Evidence) -> str:
    count = len(evidence.scores)
    return f"The median is the {ordinal((count - 1) // 2 + 1)} of {count} settings, best first."


def _generated(
    evidence: Evidence, name: str, responses: np.ndarray, sounds: np.ndarray
) -> list[Excerpt]:
    rate, seeds = evidence.front_end.sample_rate, evidence.made["seed"]
    # Only what the generator made has a latent vector, and so a seed of its own.
    named = "example" if name == "input_ascent" else "seed"
    origins = [f"{named} {seed}" for seed in (range(len(sounds)) if named == "example" else seeds)]
    return [
        Excerpt(mel, float(response), origin, (Sound("listen", flac_uri(sound, rate)),))
        for mel, response, origin, sound in zip(
            evidence.shown[name], responses, origins, sounds, strict=False
        )
    ]


# --- Real excerpts --------------------------------------------------------------------------


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _recorded(
    evidence: Evidence, real: Mapping[str, np.ndarray], sounds: np.ndarray
) -> list[Excerpt]:
    rate = evidence.front_end.sample_rate
    return [
        Excerpt(
            real["mel"][k],
            float(real["response"][k]),
            PurePath(str(real["file"][k])).name,
            (
                Sound("original", flac_uri(real["audio"][k], rate)),
                Sound("resynth", flac_uri(sounds[k], rate)),
            ),
            f"at {clock(float(real['start_s'][k]))}",
        )
        for k in range(len(sounds))
    ]


def _recorded_facts(real: Mapping[str, np.ndarray]) -> tuple[tuple[str, str], ...]:
    return (
        ("from", _counted(len(set(map(str, real["file"]))), "recording")),
        ("mean response", spread(*moments(real["response"]))),
    )


def _real_row(evidence: Evidence, real: Mapping[str, np.ndarray], sounds: np.ndarray) -> Row:
    word = "highest" if evidence.upwards else "lowest"
    return Row(
        "real",
        "Real excerpts",
        f"with the {word} responses in the training recordings",
        _recorded_facts(real),
        _recorded(evidence, real, sounds),
        note="“Original” is the recording. “Resynth” is the picture turned back into sound the way "
        "the generated ones are, so that like is compared with like.",
        against_real=False,
    )


def _held_out_row(evidence: Evidence, sounds: np.ndarray) -> Row:
    control = evidence.selection.controls.get("held_out")
    return Row(
        "held_out",
        HEADINGS["held_out"],
        control.meaning if control else "the same of recordings kept from training",
        _recorded_facts(evidence.held_out),
        _recorded(evidence, evidence.held_out, sounds),
    )
