"""The rows of examples: real ones, those of settings and those of controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np

from ganexplain.artifacts.figures import Figures, Score
from ganexplain.audio.io import encode_flac
from ganexplain.report.charts.spectrograms import COARSE
from ganexplain.report.html.notation import interval, number, ordinal, setting, spread
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


def mean_and_deviation(values: np.ndarray) -> tuple[float, float]:
    """Return mean and sample standard deviation; the latter is 0 for a single value."""
    values = values.astype(np.float64)
    return float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else 0.0


def shown_rows(evidence: Evidence, sounds: Mapping[str, np.ndarray]) -> dict[str, Row]:
    """Return the rows of `evidence.shown`, with `sounds` (n, samples) by their names."""
    rows = {
        "real": _real_row(evidence, evidence.real, sounds.get("real", NONE)),
        "start": Row(
            "start",
            HEADINGS["start"],
            f"what {'mixing' if evidence.mixed_from else 'the generator'} makes of the same seeds",
            _mean_response(evidence.made["start_response"]),
            _generated(
                evidence, "start", evidence.made["start_response"], sounds.get("start", NONE)
            ),
        ),
    }
    if evidence.beyond:
        rows["beyond"] = _beyond_row(evidence, sounds.get("beyond", NONE))
    if evidence.held_out:
        rows["held_out"] = _held_out_row(evidence, sounds.get("held_out", NONE))
    for name, arrays in evidence.driven.items():
        control = evidence.selection.controls.get(name)
        rows[name] = Row(
            name,
            control_name(name, evidence.words),
            control.meaning if control else "",
            _mean_response(arrays["response"]),
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
    """Return a setting of the grid with few colours; `sounds` (n, samples) of n examples."""
    score, made = evidence.scores[index], evidence.made
    inputs = made["mel"][index][: evidence.seeds]
    return Row(
        "setting",
        "This setting",
        setting(score.setting),
        score_facts(score, evidence),
        _examples(evidence, inputs, made["response"][index], _seeds(evidence), sounds),
        chosen=index == evidence.selection.chosen,
        step=COARSE,
    )


def score_facts(score: Score, evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """Return rank, the score that ranks with its interval, and the responses."""
    return (
        ("rank", rank_text(score, evidence)),
        (evidence.kind.title, score_text(score.figures, evidence.selection.by)),
        ("mean response", spread(score.mean_response, score.std_response)),
    )


def rank_text(score: Score, evidence: Evidence) -> str:
    """Return the rank of a setting, and whether it is tied with the best."""
    tied = ", within one standard error of the best" if score.tied and score.rank > 1 else ""
    return f"{score.rank} of {len(evidence.scores)}{tied}"


def score_text(figures: Figures, key: str) -> str:
    """Return a score with its 95 % interval, if it has one."""
    ends = figures.interval(key)
    return number(figures.values[key]) + (f" ({interval(ends)})" if ends else "")


def _median_note(evidence: Evidence) -> str:
    count = len(evidence.scores)
    return f"The median is the {ordinal((count - 1) // 2 + 1)} of {count} settings, best first."


def _generated(
    evidence: Evidence, name: str, responses: np.ndarray, sounds: np.ndarray
) -> list[Excerpt]:
    inputs = evidence.shown[name]
    origins = _seeds(evidence, len(evidence.made["seed"]) if name == "fresh" else 0)
    if name == "input_ascent":  # only what the generator made has a seed
        origins = [f"example {k}" for k in range(len(inputs))]
    return _examples(evidence, inputs, responses, origins, sounds)


def _seeds(evidence: Evidence, offset: int = 0) -> list[str]:
    return [f"seed {seed + offset}" for seed in evidence.made["seed"]]


def _examples(
    evidence: Evidence,
    inputs: np.ndarray,
    responses: np.ndarray,
    origins: Sequence[str],
    sounds: np.ndarray,
) -> list[Excerpt]:
    return [
        Excerpt(one, float(responses[k]), origins[k], _player(evidence, sounds, k))
        for k, one in enumerate(inputs)
    ]


def _mean_response(responses: np.ndarray) -> tuple[tuple[str, str], ...]:
    return (("mean response", spread(*mean_and_deviation(responses))),)


def _player(evidence: Evidence, sounds: np.ndarray, k: int) -> tuple[Sound, ...]:
    """Return the player of example k, if it has a sound."""
    if k >= len(sounds):
        return ()
    return (Sound("listen", encode_flac(sounds[k], evidence.front_end.sound_rate)),)


# --- Real excerpts --------------------------------------------------------------------------


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
            float(real["start_s"][k]) if evidence.playable else None,
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
        Sound("original", encode_flac(real["audio"][k], input_spec.sound_rate)),
        Sound("resynth", encode_flac(sounds[k], input_spec.sound_rate)),
    )


def _recorded_facts(
    evidence: Evidence, real: Mapping[str, np.ndarray]
) -> tuple[tuple[str, str], ...]:
    count, noun = len(set(map(str, real["file"]))), evidence.words.sources.rstrip("s")
    origin = ("from", f"{count} {noun}{'' if count == 1 else 's'}")
    return (origin, *_mean_response(real["response"]))


def _real_row(evidence: Evidence, real: Mapping[str, np.ndarray], sounds: np.ndarray) -> Row:
    return Row(
        "real",
        f"Real {evidence.words.many}",
        f"with the {evidence.extreme} in the {evidence.words.sources} searched (split train)",
        _recorded_facts(evidence, real),
        _recorded(evidence, real, sounds),
        note=RESYNTH if evidence.front_end.keeps_recording else "",
        against_real=False,
    )


def _beyond_row(evidence: Evidence, sounds: np.ndarray) -> Row:
    way = "above" if evidence.upwards else "below"
    return Row(
        "beyond",
        f"Real {evidence.words.many} beyond the decision",
        f"whose response is furthest {way} the one predicted from the outputs of the network",
        _recorded_facts(evidence, evidence.beyond),
        _recorded(evidence, evidence.beyond, sounds),
    )


def _held_out_row(evidence: Evidence, sounds: np.ndarray) -> Row:
    control = evidence.selection.controls.get("held_out")
    return Row(
        "held_out",
        control_name("held_out", evidence.words),
        control.meaning if control else f"the same of {evidence.words.sources} of the other splits",
        _recorded_facts(evidence, evidence.held_out),
        _recorded(evidence, evidence.held_out, sounds),
    )
