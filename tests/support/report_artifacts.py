"""Small artifacts of `explain` and `select`, written as those stages do, for tests of `report`."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.artifacts.figures import Control
from ganexplain.audio.log_mel import log_mel
from ganexplain.config import ReportConfig
from ganexplain.files.arrays import write_arrays
from ganexplain.files.atomic import file_hash, write_json
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.distances import frechet_distance
from ganexplain.metrics.scores import SCORES, Examples
from ganexplain.runs.progress import NullProgress
from ganexplain.selection.ranking import (
    ChosenSetting,
    real_examples,
    score_control,
    setting_examples,
)
from ganexplain.stages.report import write_report

FRONT_END = FrontEnd()
EXAMPLES, SHOWN, LATENT, FEATURES = 4, 2, 8, 3
RATES, WEIGHTS, COUNTS = (0.1, 0.01), (0.1, 0.001), (5, 10)
PER_SETTING = ("learning_rate", "prior_weight", "iterations", "trajectory")
HOSTILE = '<script>alert("x")</script>&.ogg'


def tone(hertz: float, level: float = 0.1) -> np.ndarray:
    """A sine (samples,) over one excerpt."""
    seconds = np.arange(FRONT_END.excerpt_samples) / FRONT_END.sample_rate
    return (level * np.sin(2 * np.pi * hertz * seconds)).astype(np.float32)


def real_side(prefix: str, hertz: list[float], responses: list[float]) -> dict[str, np.ndarray]:
    """One half of `responses.npz`."""
    sounds = [tone(h) for h in hertz]
    return {
        prefix + "mel": np.stack([log_mel(sound, FRONT_END).T for sound in sounds]),
        prefix + "response": np.array(responses),
        prefix + "features": np.ones((len(hertz), FEATURES), np.float32),
        prefix + "file": np.array([HOSTILE, *(f"{prefix}song{k}.ogg" for k in hertz[1:])]),
        prefix + "start_s": np.arange(len(hertz)) * 61.5,
        prefix + "audio": np.stack([np.round(sound * 32767).astype(np.int16) for sound in sounds]),
    }


@dataclass
class Artifacts:
    """The three inputs of a report as they will be written; a test may spoil them first."""

    folder: Path
    grid: list[tuple[float, float, int]] = field(
        default_factory=lambda: list(itertools.product(RATES, WEIGHTS, COUNTS))
    )
    meta: dict[str, Any] = field(
        default_factory=lambda: {
            "layer": "fc9", "neuron": 0, "direction": "max", "features_layer": "fc8",
            "front_end": asdict(FRONT_END), "classes": ["nosing", "sing"], "unit": "sing",
            "classifier": "none.pt", "classifier_hash": "c" * 64, "gan": "none.pt", "seed": 7,
            "gan_hash": "a" * 64, "version": "0.1.0",
        }
    )  # fmt: skip

    controls: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        count = len(self.grid)
        pairs = sorted({setting[:2] for setting in self.grid}, reverse=True)
        start = np.stack([log_mel(tone(200 * (k + 1)), FRONT_END).T for k in range(EXAMPLES)])
        gain = np.linspace(0.2, 300, count)[:, None, None, None]
        response = np.linspace(4, 90, count)[:, None] + rng.normal(size=(count, EXAMPLES))
        steps = max(setting[2] for setting in self.grid) + 1
        trace = np.linspace(0, 90, steps) + rng.normal(size=(len(pairs), EXAMPLES, steps))
        self.made = {
            "learning_rate": np.array([s[0] for s in self.grid]),
            "prior_weight": np.array([s[1] for s in self.grid]),
            "iterations": np.array([s[2] for s in self.grid]),
            "trajectory": np.array([pairs.index(s[:2]) for s in self.grid]),
            "seed": 7 + np.arange(EXAMPLES),
            "latent": rng.normal(size=(count, EXAMPLES, LATENT)).astype(np.float32),
            "mel": (start[None] + gain * (start[None] > 0)).astype(np.float32),
            "response": response,
            "features": np.ones((count, EXAMPLES, FEATURES), np.float32),
            "best_iteration": np.zeros((count, EXAMPLES), np.int64),
            "response_trace": trace,
            "latent_norm_trace": np.abs(trace),
            "start_mel": start,
            "start_response": rng.normal(size=EXAMPLES),
        }
        self.real = real_side("", [300.0, 600.0, 900.0], [9.0, 8.0, 7.5])
        self.real |= real_side("bottom_", [150.0, 250.0, 350.0], [-9.0, -8.0, -7.5])
        self.real_meta = {
            name: self.meta[name]
            for name in ("layer", "neuron", "features_layer", "classifier_hash", "front_end")
        }
        self.selection: dict[str, Any] = {
            "chosen": 0, "by": "fid-response", "direction": "max", "layer": "fc9", "neuron": 0,
            "configurations": [
                {
                    "learning_rate": s[0], "prior_weight": s[1], "iterations": s[2], "rank": k + 1,
                    "fid_response": 1.5 * 3.0**k, "fid_features": 2.5 * 3.0**k,
                    "mean_response": float(response[k].mean()), "std_response": 1.0,
                }
                for k, s in enumerate(self.grid)
            ],
        }  # fmt: skip

    def complete(self) -> Artifacts:
        """Add all that `select` may write: scores with intervals, ties, controls, judges."""
        real = self.real["response"]
        scored: dict[str, Any] = {key: 0.5 for key in SCORES if not key.startswith("fid_")}
        scored |= {f"{key}_interval": [0.25, 0.75] for key in scored}
        for k, entry in enumerate(self.selection["configurations"]):
            entry.update(scored | {"kid": 0.1 * k - 0.05, "tied": k < 3})
            entry["kid_interval"] = [0.1 * k - 0.11, 0.1 * k + 0.01]
            entry["fid_response"] = frechet_distance(self.made["response"][k], real)
            entry["fid_response_interval"] = [entry["fid_response"] * f for f in (0.5, 1.5)]
            entry["judges"] = {"judge": 1 - k / len(self.grid)}
        self.selection["chosen"] = 1
        self.selection["tie_rule"] = "the least learning rate times iterations of those tied"
        self.selection["warnings"] = ["too few <examples> for 3 features"]
        self.selection["judges"] = {
            "judge": {"path": "judge.pt", "sha256": "e" * 64, "agreement": 0.875,
                      "real_agreement": 1.0, "weak_agreement": 0.0, "sample_agreement": 0.95,
                      "same_corpora": ["songs"], "class": "sing"}
        }  # fmt: skip
        quiet = self.made["start_response"]
        driven = {"fresh": self.made["response"][1] + 0.5}
        driven |= {"input_ascent": real.mean() + quiet, "reinitialised": quiet - 0.5}
        sets = {"start": quiet, "held_out": real - 0.5, **driven}
        self.selection["controls"] = {
            name: self._control(name, responses) for name, responses in sets.items()
        }
        self.controls = {f"{name}_response": responses for name, responses in driven.items()}
        self.controls |= {f"{name}_mel": self.made["start_mel"] for name in driven}
        for prefix in ("", "bottom_"):
            names = ("mel", "response", "features", "file", "start_s", "audio")
            self.real |= {f"held_out_{prefix}{n}": self.real[prefix + n] for n in names}
            self.real[f"held_out_{prefix}response"] = self.real[f"{prefix}response"] - 0.5
        return self

    def repeat(self, examples: int, real: int) -> None:
        """Repeat the examples and the real excerpts up to so many of each."""
        for arrays, axis, count in ((self.made, 1, examples), (self.real, 0, real)):
            for name, array in arrays.items():
                at = 0 if name.startswith("start_") or name == "seed" else axis
                if array.ndim > at and name not in PER_SETTING:
                    arrays[name] = np.take(array, np.arange(count) % array.shape[at], axis=at)
        self.made["seed"] = self.made["seed"][0] + np.arange(examples)
        self.controls = {
            name: np.take(array, np.arange(examples) % len(array), axis=0)
            for name, array in self.controls.items()
        }
        for control in self.selection.get("controls", {}).values():
            control["examples"] = examples

    def _control(self, name: str, responses: np.ndarray) -> dict[str, Any]:
        """What `select` writes of a control whose features lie away from the real ones."""
        features = np.full((len(responses), FEATURES), 3.0)
        control = Examples(self.made["start_mel"][: len(responses)], responses, features)
        examples = setting_examples(self.made, self.selection["chosen"])
        chosen = ChosenSetting(examples, real_examples(self.real, ""), 0)
        figures = score_control(control, chosen, name)
        figures = replace(figures, judges={"judge": 0.25})
        return Control(f"the {name}", len(responses), figures).to_json()

    def write(self) -> ReportConfig:
        """Write the files; give settings that name them."""
        made, real, chosen = (
            self.folder / name for name in ("explanations.npz", "responses.npz", "selection.json")
        )
        write_arrays(made, "explanations", self.made, self.meta)
        write_arrays(real, "responses", self.real, self.real_meta)
        if self.controls:
            write_arrays(self.folder / "controls.npz", "controls", self.controls, {})
        write_json(chosen, {"explanations_hash": file_hash(made), **self.selection})
        return ReportConfig(
            explanations=str(made), responses=str(real), selection=str(chosen), examples=SHOWN,
            griffin_lim_iterations=3,
        )  # fmt: skip

    def report(self, name: str = "report") -> str:
        """The page."""
        return write_report(self.write(), self.folder / name, NullProgress()).read_text()
