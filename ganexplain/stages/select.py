"""`select`: explanations and real excerpts -> `responses.npz` and `selection.json`, `.npz`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganexplain.artifacts.attributions import AttributionRanking
from ganexplain.artifacts.explanations import Explanations, read_explanation_meta, read_explanations
from ganexplain.artifacts.figures import Control, JudgeAgreement
from ganexplain.artifacts.lost_gradients import LostSearches
from ganexplain.artifacts.merging import explanation_files
from ganexplain.artifacts.responses import HELD_OUT, RealResponses, given_path, read_responses
from ganexplain.artifacts.selection import Selection
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.audio.display import display_inputs
from ganexplain.config import SelectConfig
from ganexplain.corpora.load import open_corpus
from ganexplain.errors import UsageError, check_known
from ganexplain.files.arrays import write_arrays
from ganexplain.files.atomic import write_json
from ganexplain.metrics.scores import RULES, Examples
from ganexplain.networks.units import Unit
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import Progress
from ganexplain.selection.attributions import attributions_in, rank_attributions
from ganexplain.selection.controls import MEANINGS, Controls, load_networks, load_target_network
from ganexplain.selection.judges import Judge, Verdict, judge_agreement, load_judges
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
from ganexplain.selection.real_excerpts import CorpusResponses


def select(
    config: SelectConfig, out: Path, progress: Progress, overwrite: bool = False
) -> list[Selection] | AttributionRanking:
    """Rank the settings by their distance to the real excerpts that drive the unit most.

    Returns what is written as `selection.json`, one for each unit of the run explained: in `out`
    where there is one, else in folders of the units' names. The real responses are found
    in the training split, or taken from `config.responses`. A run of `attribute` is ranked by
    `rank_attributions` instead.
    """
    attributions = attributions_in(Path(config.explanations))
    if attributions:
        return rank_attributions(config, attributions, out, progress, overwrite)
    task = SelectTask.open(config)
    with RunDirectory(out, "select", config, overwrite) as run:
        progress = run.keep_notes(progress)
        task.note_judges(run, progress)
        task.prepare(run, progress)
        selections = [task.ranked(index, run, progress) for index in range(len(task.files))]
        run.results["chosen"] = [selection.chosen for selection in selections]
    return selections


@dataclass(frozen=True)
class SelectTask:
    """What a ranking is made from, opened and checked before the run begins.

    Networks and judges serve all units; of the explanations only the `first` are kept in memory,
    with the real responses `given` for them, since a run may be of a thousand units. `found` finds
    the real responses in a corpus instead.
    """

    config: SelectConfig
    files: Sequence[Path]
    units: Sequence[Unit]
    first: Explanations
    given: RealResponses | None
    found: CorpusResponses | None
    judges: Sequence[Judge]
    networks: SearchNetworks | None

    @classmethod
    def open(cls, config: SelectConfig) -> SelectTask:
        """The task that the settings ask for; errors of settings and of every file."""
        _check_settings(config)
        files = explanation_files(Path(config.explanations))
        first, device = read_explanations(files[0]), pick_device(config.device)
        judges = load_judges(config.judge, (first.path, first.front_end), device)
        networks = load_networks(config, first, device) if config.controls else None
        metas = [first.meta, *(read_explanation_meta(path) for path in files[1:])]
        for judge in judges:
            for meta in metas:
                judge.require_class(meta.class_name)
        given, found = None, None
        if config.responses:
            given = _given(config, first)
            for path in files[1:]:  # checked now, and read again when their turn comes
                _given(config, read_explanations(path))
        else:
            corpus = open_corpus(config.corpus, config.skip_bad_files)
            explained = (
                networks.explained if networks else load_target_network(config, first, device)
            )
            found = CorpusResponses(config, explained, corpus, first.front_end)
        units = [meta.unit for meta in metas]
        return cls(config, files, units, first, given, found, judges, networks)

    def same_corpora(self, judge: Judge) -> list[str]:
        """The corpora that a judge and the network explained were trained on, where both say so."""
        corpora = self.networks.explained.corpora if self.networks else ()
        return [name for name in corpora if name in judge.corpora]

    def note_judges(self, run: RunDirectory, progress: Progress) -> None:
        """Record the files of the judges, and note those trained on the same corpora."""
        for judge in self.judges:
            for kind, path in judge.source.files().items():
                run.used(f"judge {judge.name}" + f" {kind}" * bool(judge.source.model), path)
            if same := self.same_corpora(judge):
                progress.note(
                    f"judge {judge.name} was trained on {', '.join(same)}, as the network "
                    "explained was: it is no stranger (the README's gallery has two)"
                )

    def prepare(self, run: RunDirectory, progress: Progress) -> None:
        """Compute the responses of a corpus for all units, where there is one."""
        if not self.found:
            return
        for key, name in self.found.splits.items():
            recordings = [r for part in name.split("+") for r in self.found.corpus.split(part)]
            run.used_recordings("held-out" if key else name, recordings)
        self.found.prepare(self.units, progress)

    def ranked(self, index: int, run: RunDirectory, progress: Progress) -> Selection:
        """Rank the settings of one unit and write its files."""
        path, single = self.files[index], len(self.files) == 1
        folder = run.path if single else run.path / path.parent.name
        digest = run.used("explanations" if single else path.parent.name, path)
        explanations = self.first if index == 0 else read_explanations(path)
        real = self._real(index, explanations)
        real.write(folder / "responses.npz")
        unit = _Unit(self, explanations, real, folder)
        selection = unit.select(progress, digest)
        for warning in selection.warnings:
            in_the_table = single or warning == unit.weakness
            (run.log if in_the_table else progress.note)(f"{unit.name}: {warning}")
        write_json(folder / "selection.json", selection.to_json())
        return selection

    def _real(self, index: int, explanations: Explanations) -> RealResponses:
        if self.found:
            return self.found.for_unit(explanations.meta.measured, explanations.sizes["N"])
        return self.given if index == 0 and self.given else _given(self.config, explanations)


def _check_settings(config: SelectConfig) -> None:
    check_known("--by", config.by, RULES)
    if bool(config.responses) == bool(config.corpus):
        raise UsageError(
            "name the real excerpts with --corpus or, from an earlier run, with --responses"
        )
    if config.top == 1:
        raise UsageError("--top 1: a distance needs at least 2 real excerpts")


def _given(config: SelectConfig, explanations: Explanations) -> RealResponses:
    """The real responses of a unit from the files of `--responses`."""
    path = given_path(Path(config.responses), explanations.meta.target)
    wanted, sizes = explanations.meta.measured, explanations.sizes
    return read_responses(path, explanations.path, wanted, sizes)


class _Unit:
    """The selection of one unit."""

    def __init__(
        self,
        task: SelectTask,
        explanations: Explanations,
        real: RealResponses,
        folder: Path,
    ) -> None:
        self.task, self.config, self.networks = task, task.config, task.networks
        self.explanations, self.folder = explanations, folder
        self.all_real, self.variation = real.arrays, real.meta.variation
        self.real = real_examples(real.arrays, explanations.prefix)
        self.compared = self._compared(self.real)
        unit, direction = explanations.meta.class_name, explanations.meta.direction
        self.verdicts = [j.verdict(unit, direction, self.real.mel) for j in task.judges]

    def select(self, progress: Progress, explanations_hash: str) -> Selection:
        """Score, choose, compare with the controls; write the arrays and return the ranking."""
        config, explanations = self.config, self.explanations
        generated = explanations.arrays["mel"]
        made = {**explanations.arrays, "mel": display_inputs(explanations.front_end, generated)}
        judged = (
            np.array([v.agreement(generated) for v in self.verdicts]).reshape(-1, len(generated)).T
        )
        warnings = self._warnings(made)  # before any score
        progress.note(f"scoring {len(made['response'])} settings of {self.name}")
        table = score_settings(made, self.compared, config.by, config.seed, judged)
        chosen = chosen_setting(table)
        controls, lost = self._controls(chosen, progress)
        for name, counts in lost.items():
            words = counts.in_words(len(controls[name].response))
            warnings.append(f"control {name.replace('_', ' ')}: {words}")
        judges = [v.judge.name for v in self.verdicts]
        meta = {"by": config.by, "judges": judges}
        write_arrays(self.folder / "selection.npz", "selection", table, meta)
        best = ChosenSetting(setting_examples(made, chosen), self.compared, config.seed)
        return Selection(
            chosen=chosen,
            rule=config.by,
            tie_rule=TIE_RULE,
            warnings=tuple(warnings),
            variation=self.variation,
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

    def _warnings(self, made: Mapping[str, np.ndarray]) -> list[str]:
        """What makes the scores less sure than they look, the gravest first."""
        lost = self.explanations.meta.lost
        grave = (self.weakness, lost.in_words(self.explanations.sizes["N"]) if lost else "")
        return [text for text in grave if text] + score_warnings(made, self.compared)

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
        return judge_agreement(verdict, agreement, self.real.mel, weak, samples, same)

    def _compared(self, examples: Examples) -> Examples:
        """Examples as they are compared: waveforms as log-mel."""
        return replace(examples, mel=display_inputs(self.explanations.front_end, examples.mel))

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
        arrays = {
            f"{name}_{key}": getattr(one, key)
            for name, one in searched.items()
            for key in ("mel", "response")
        }
        write_arrays(self.folder / "controls.npz", "controls", arrays, {"seed": self.config.seed})
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
