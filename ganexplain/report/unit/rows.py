"""The rows of examples: real ones, those of settings, those of controls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

import numpy as np

from ganexplain.artifacts.figures import Figures, Score
from ganexplain.report.charts.spectrograms import COARSE
from ganexplain.report.html.markup import flac_uri
from ganexplain.report.html.notation import clock, interval, number, ordinal, setting, spread
from ganexplain.report.html.panels import Excerpt, Row, Sound
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.findings import NAMES, control_name

HEADINGS = {
    "chosen": "Chosen setting",
    "best": "Best of the ranking",
    "median": "Median setting",
    "worst": "Worst setting",
    **NAMES,
}

NONE = np.empty((0, 0))  # no sounds
RESYNTH = (
    "“Original” is the recording. “Resynth” is the picture turned back into sound the way the "
    "generated ones are, so that like is compared with like."
)


def moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and sample standard deviation, the latter 0 of a single value."""
    values = values.astype(np.float64)
    return float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else 0.0


def shown_rows(evidence: Evidence, sounds: Mapping[str, np.ndarray]) -> dict[str, Row]:
    """Every row of `evidence.shown`, with `sounds` (n, samples) of the same names if any."""
    rows = {
        "real": _real_row(evidence, evidence.real, sounds.get("real", NONE)),
        "start": Row(
            "start",
            HEADINGS["start"],
            "what the generator makes of the same seeds",
            (("mean response", spread(*moments(evidence.made["start_response"]))),),
            _generated(
                evidence, "start", evidence.made["start_response"], sounds.get("start", NONE)
            ),
        ),
    }
    if evidence.held_out:
        rows["held_out"] = _held_out_row(evidence, sounds.get("held_out", NONE))
    for name, arrays in evidence.driven.items():
        control = evidence.selection.controls.get(name)
        rows[name] = Row(
            name,
            control_name(name, evidence.words),
            control.meaning if control else "",
            (("mean response", spread(*moments(arrays["response"]))),),
            _generated(evidence, name, arrays["response"], sounds.get(name, NONE)),
        )
    for name, index in evidence.landmarks.items():
        score = evidence.scores[index]
        rows[name] = Row(
            name,
            HEADINGS[name],
            setting(score.setting),
            score_facts(score, evidence),
            _generated(evidence, name, evidence.made["response"][index], sounds.get(name, NONE)),
            note=_median_note(evidence) if name == "median" else "",
            chosen=name == "chosen",
        )
    return {name: rows[name] for name in evidence.shown}


def setting_row(evidence: Evidence, index: int, sounds: np.ndarray) -> Row:
    """One setting of the grid, small: `sounds` (n, samples) of the first n examples."""
    score, made = evidence.scores[index], evidence.made
    excerpts = [
        Excerpt(
            made["mel"][index, k],
            float(made["response"][index, k]),
            f"seed {made['seed'][k]}",
            _player(evidence, sounds, k),
        )
        for k in range(min(evidence.seeds, made["mel"].shape[1]))
    ]
    chosen = index == evidence.selection.chosen
    return Row(
        "setting",
        "This setting",
        setting(score.setting),
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
    """The place of a setting among all, and whether it is near the first."""
    tied = ", within one standard error of the best" if score.tied and score.rank > 1 else ""
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
    inputs = evidence.shown[name]
    # Only what the generator made has a latent vector, and so a seed of its own.
    if name == "input_ascent":
        origins = [f"example {k}" for k in range(len(inputs))]
    else:
        behind = len(evidence.made["seed"]) if name == "fresh" else 0
        origins = [f"seed {seed + behind}" for seed in evidence.made["seed"][: len(inputs)]]
    return [
        Excerpt(inputs[k], float(responses[k]), origin, _player(evidence, sounds, k))
        for k, origin in enumerate(origins)
    ]


def _player(evidence: Evidence, sounds: np.ndarray, k: int) -> tuple[Sound, ...]:
    """The player of example k, where it has a sound."""
    if k >= len(sounds):
        return ()
    return (Sound("listen", flac_uri(sounds[k], evidence.front_end.sound_rate)),)


# --- Real ones ------------------------------------------------------------------------------


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _recorded(
    evidence: Evidence, real: Mapping[str, np.ndarray], sounds: np.ndarray
) -> list[Excerpt]:
    shown = real["mel"][: evidence.seeds]
    return [
        Excerpt(
            shown[k],
            float(real["response"][k]),
            _file_name(evidence, str(real["file"][k])),
            _real_players(evidence, real, sounds, k),
            f"at {clock(float(real['start_s'][k]))}" if evidence.playable else "",
        )
        for k in range(len(shown))
    ]


def _file_name(evidence: Evidence, path: str) -> str:
    """A file without its folders; of pictures with that of its class."""
    return "/".join(PurePath(path).parts[-1 - evidence.words.folders :])


def _real_players(
    evidence: Evidence, real: Mapping[str, np.ndarray], sounds: np.ndarray, k: int
) -> tuple[Sound, ...]:
    """Of log-mel the recording too, which a spectrogram turned back into sound is not."""
    input_spec = evidence.front_end
    if not input_spec.keeps_recording:
        return _player(evidence, sounds, k)
    return (
        Sound("original", flac_uri(real["audio"][k], input_spec.sound_rate)),
        Sound("resynth", flac_uri(sounds[k], input_spec.sound_rate)),
    )


def _recorded_facts(
    evidence: Evidence, real: Mapping[str, np.ndarray]
) -> tuple[tuple[str, str], ...]:
    return (
        ("from", _counted(len(set(map(str, real["file"]))), evidence.words.sources.rstrip("s"))),
        ("mean response", spread(*moments(real["response"]))),
    )


def _real_row(evidence: Evidence, real: Mapping[str, np.ndarray], sounds: np.ndarray) -> Row:
    word = "highest" if evidence.upwards else "lowest"
    return Row(
        "real",
        f"Real {evidence.words.many}",
        f"with the {word} responses in the training {evidence.words.sources}",
        _recorded_facts(evidence, real),
        _recorded(evidence, real, sounds),
        note=RESYNTH if evidence.front_end.keeps_recording else "",
        against_real=False,
    )


def _held_out_row(evidence: Evidence, sounds: np.ndarray) -> Row:
    control = evidence.selection.controls.get("held_out")
    return Row(
        "held_out",
        control_name("held_out", evidence.words),
        control.meaning if control else f"the same of {evidence.words.sources} kept from training",
        _recorded_facts(evidence, evidence.held_out),
        _recorded(evidence, evidence.held_out, sounds),
    )
