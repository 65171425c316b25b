"""`select` for one unit: its explanations and real excerpts -> the ranking of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ganexplain.artifacts.controls import write_controls
from ganexplain.artifacts.explanations import Explanations
from ganexplain.artifacts.figures import Control, JudgeAgreement
from ganexplain.artifacts.lost_gradients import LostSearches
from ganexplain.artifacts.responses import HELD_OUT, RANDOM, RealResponses, check_group
from ganexplain.artifacts.selection import Selection
from ganexplain.ascent.responses import batch_responses, batches
from ganexplain.audio.display import display_inputs
from ganexplain.files.arrays import write_arrays
from ganexplain.metrics.prediction import Probe
from ganexplain.metrics.scores import Examples
from ganexplain.metrics.shares import exact_interval
from ganexplain.metrics.transfer import transferred_share
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.target import TargetNetwork
from ganexplain.runs.progress import Progress
from ganexplain.selection.controls import MEANINGS, Controls
from ganexplain.selection.judges import Verdict, judge_agreement
from ganexplain.selection.paths import RealPath
from ganexplain.selection.prediction import Probes
from ganexplain.selection.ranking import (
    TIE_RULE,
    ChosenSetting,
    chosen_setting,
    real_examples,
    score_control,
    score_settings,
    score_warnings,
    setting_examples,
    setting_scores,
)
from ganexplain.selection.select_task import SelectTask


class UnitSelection:
    """The settings of one unit, scored, ranked and compared with controls and judges."""

    def __init__(
        self,
        task: SelectTask,
        explanations: Explanations,
        real: RealResponses,
        folder: Path,
        probes: Probes | None = None,
    ) -> None:
        self.task, self.config, self.networks = task, task.config, task.networks
        self.explanations, self.folder = explanations, folder
        self.all_real, self.variation = real.arrays, real.meta.variation
        self.decided = real.meta.decided
        check_group(explanations.meta.target.name, real.arrays, explanations.prefix)
        self.real = real_examples(real.arrays, explanations.prefix)
        self.path = self._real_path()
        self.compared = self._compared(self.real)
        self.probe = self._probe(probes) if probes else None
        unit, direction = explanations.meta.class_name, explanations.meta.direction
        self.verdicts = [j.verdict(unit, direction, self.real.mel) for j in task.judges]

    def select(self, progress: Progress, explanations_hash: str) -> Selection:
        """Score, choose, compare with the controls; write the arrays and return the ranking."""
        config, explanations = self.config, self.explanations
        generated = explanations.arrays["mel"]
        made = self._made(generated)
        judged = (
            np.array([v.agreement(generated) for v in self.verdicts]).reshape(-1, len(generated)).T
        )
        warnings = self._warnings(made)  # before any score
        progress.start(f"scores of the settings for {explanations.meta.title}", 1)
        rule, probe = self.task.rule, self.probe
        table = score_settings(made, self.compared, rule, config.seed, judged, probe)
        progress.advance()
        chosen = chosen_setting(table)
        controls, lost = self._controls(chosen, progress)
        for name, counts in lost.items():
            words = counts.in_words(len(controls[name].response))
            warnings.append(f"control {name.replace('_', ' ')}: {words}")
        judges = [v.judge.name for v in self.verdicts]
        meta = {"by": self.task.rule, "judges": judges}
        write_arrays(self.folder / "selection.npz", "selection", table, meta)
        best = ChosenSetting(setting_examples(made, chosen), self.compared, config.seed, probe)
        return Selection(
            chosen=chosen,
            rule=rule,
            tie_rule=TIE_RULE,
            warnings=tuple(warnings),
            variation=self.variation,
            transfer=self._transfer(generated[chosen]),
            layer=explanations.meta.unit.layer,
            neuron=explanations.meta.unit.neuron,
            direction=explanations.meta.direction,
            unit=explanations.meta.class_name,
            features_layer=explanations.meta.features_layer,
            scores=tuple(setting_scores(table, k, judges) for k in range(len(table["rank"]))),
            controls={
                name: self._control(name, one, best, lost.get(name))
                for name, one in controls.items()
            },
            judges={
                v.judge.name: self._judge(v, float(table["judges"][chosen, j]))
                for j, v in enumerate(self.verdicts)
            },
            explanations_hash=explanations_hash,
        )

    def _made(self, generated: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays of all settings, with what the scores need of the inputs (C, N, *S)."""
        explanations = self.explanations
        made = {**explanations.arrays, "mel": display_inputs(explanations.front_end, generated)}
        if self.task.encoder and self.probe:
            made["encoded"] = np.stack([self.task.encoder.encode(each) for each in generated])
        if self.path and (paths := self.path.similarities(generated)) is not None:
            made["path"] = paths
        return made

    def _warnings(self, made: Mapping[str, np.ndarray]) -> list[str]:
        """What makes the scores less sure than they look, the gravest first."""
        lost = self.explanations.meta.lost
        upwards, decided = self.explanations.meta.direction == "max", self.decided
        absence = decided.absence(upwards) if decided else ""
        grave = (
            absence,
            self.weakness,
            lost.in_words(self.explanations.sizes["N"]) if lost else "",
        )
        found = [text for text in grave if text]
        if self.probe and not len(self.probe.pairs.strong):
            found.append(
                f"the response is the same to all {self.probe.count} excerpts of the "
                "validation split: no setting can predict better than another"
            )
        return found + score_warnings(made, self.compared)

    @property
    def weakness(self) -> str:
        """What there is to say of a unit that hardly responds to real excerpts."""
        return self.variation.weakness if self.variation else ""

    def _judge(self, verdict: Verdict, agreement: float) -> JudgeAgreement:
        """What a judge says of the setting chosen, real ones and samples."""
        explanations = self.explanations
        made, upwards = explanations.arrays, explanations.meta.direction == "max"
        samples = made["start_mel"], made["start_response"] * (1 if upwards else -1)
        weak = self.all_real["bottom_mel" if upwards else "mel"]
        same = self.task.same_corpora(verdict.judge)
        found = judge_agreement(verdict, agreement, self.real.mel, weak, samples, same)
        return replace(found, interval=exact_interval(agreement, made["response"].shape[1]))

    def _compared(self, examples: Examples) -> Examples:
        """Examples as they are compared: waveforms as log-mel, encoded for a test, with paths."""
        encoder, mel = self.task.encoder, display_inputs(self.explanations.front_end, examples.mel)
        paths = self.path.similarities(examples.mel[None]) if self.path else None
        return replace(
            examples,
            mel=mel,
            encoded=encoder.encode(examples.mel) if encoder else None,
            path=None if paths is None else paths[0],
        )

    @property
    def usual(self) -> tuple[TargetNetwork, np.ndarray] | None:
        """The network and random real excerpts (R, ...); None where one of them is missing."""
        network, excerpts = self.task.explained, self.all_real.get(f"{RANDOM}mel")
        return None if network is None or excerpts is None else (network, excerpts)

    def _real_path(self) -> RealPath | None:
        """How real excerpts reach the unit; None as `usual`."""
        if not self.usual:
            return None
        network, excerpts = self.usual
        return RealPath.measure(network, self.explanations.meta.unit, self.real.mel, excerpts)

    def _transfer(self, examples: np.ndarray) -> float | None:
        """What the changes of examples (N, ...) bring to random real ones; None as `usual`.

        None also where the search gained nothing in its direction.
        """
        if not self.usual:
            return None
        network, excerpts = self.usual
        unit, starts = self.explanations.meta.unit, self.explanations.arrays["start_mel"]
        sign = 1 if self.explanations.meta.direction == "max" else -1
        with unit_response(network.network, unit) as run:

            def respond(inputs: np.ndarray) -> np.ndarray:
                rows = np.ascontiguousarray(inputs, np.float32)
                return sign * batch_responses(run, batches(rows), network.device)

            bounds = self.explanations.front_end.bounds
            share = transferred_share(respond, examples, starts, excerpts, bounds)
        return share if np.isfinite(share) else None

    def _probe(self, probes: Probes) -> Probe | None:
        """The validation excerpts of the test by which the settings are ranked."""
        encoder, meta = self.task.encoder, self.explanations.meta
        if encoder is None:
            return None
        samples = encoder.encode(self.explanations.arrays["start_mel"])
        encoded, held_out = probes.encoded[encoder.name], probes.held_out(meta.unit)
        return Probe.of(encoded, held_out, meta.direction, samples, self.config.seed)

    @property
    def name(self) -> str:
        """The unit, and which way it is driven."""
        target = self.explanations.meta.target
        return f"{target.unit} {target.direction}"

    def _controls(
        self, chosen: int, progress: Progress
    ) -> tuple[dict[str, Examples], dict[str, LostSearches]]:
        """Control sets by name, and how many searches of some of them had no gradient.

        Their examples are kept in `controls.npz`.
        """
        if not self.networks:
            return {}, {}
        controls = Controls(self.explanations, self.all_real, self.networks)
        found = controls.for_setting(chosen, self.config.seed, progress)
        searched = {name: one for name, one in found.items() if name != "start"}
        write_controls(self.folder / "controls.npz", searched, self.config.seed)
        prefix = HELD_OUT + self.explanations.prefix
        if f"{prefix}response" in self.all_real:
            found["held_out"] = real_examples(self.all_real, prefix)
        searches = controls.no_gradient.items()
        return found, {
            name: LostSearches.count(lost[None]) for name, lost in searches if lost.any()
        }

    def _control(
        self, name: str, examples: Examples, chosen: ChosenSetting, lost: LostSearches | None
    ) -> Control:
        """A control's scores, and how they differ from those of the chosen setting."""
        figures = score_control(self._compared(examples), chosen, name)
        judges = {v.judge.name: float(v.agreement(examples.mel)) for v in self.verdicts}
        count = len(examples.response)
        return Control(MEANINGS[name], count, replace(figures, judges=judges), lost)
