"""What a run of `select` ranks, and with which networks: opened before the run begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganexplain.artifacts.explanations import Explanations, read_explanation_meta, read_explanations
from ganexplain.artifacts.merging import explanation_files
from ganexplain.artifacts.responses import RealResponses, given_path, read_responses
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.config import SelectConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import load_split, open_corpus
from ganexplain.errors import UsageError, check_known
from ganexplain.metrics.scores import DEFAULT_RULE, PREDICTION, RULES
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.units import Unit
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.machine import pick_device
from ganexplain.runs.parts import PARTS_FOLDER
from ganexplain.runs.progress import Progress
from ganexplain.runs.workers import Workers
from ganexplain.selection.controls import (
    load_networks,
    load_target_network,
    training_corpora,
)
from ganexplain.selection.encoders import Encoder, load_encoders
from ganexplain.selection.judges import Judge, load_judges
from ganexplain.selection.prediction import Probes, check_enough
from ganexplain.selection.real_excerpts import CorpusResponses


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
    corpora: Sequence[str]  # on which the explained network was trained, where that is known
    encoder: Encoder | None = None  # of a ranking by prediction

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
        else:
            corpus = open_corpus(config.corpus, config.skip_bad_files)
            explained = (
                networks.explained if networks else load_target_network(config, first, device)
            )
            found = CorpusResponses(config, explained, corpus, first.front_end)
        units = [meta.unit for meta in metas]
        corpora = training_corpora(config, first) if judges else ()
        ours, encoder = (first.path, first.front_end), None
        if config.by == PREDICTION:
            (encoder,) = load_encoders((config.encoder,), ours, device)
        return cls(config, files, units, first, given, found, judges, networks, corpora, encoder)

    def check_given(self) -> None:
        """Raise the errors of responses given for further units, which are read in their turn."""
        if self.given:
            for path in self.files[1:]:
                _given(self.config, read_explanations(path))

    @property
    def rule(self) -> str:
        """The score to rank by."""
        return self.config.by or DEFAULT_RULE

    @property
    def explained(self) -> TargetNetwork | None:
        """The explained network, where it is loaded."""
        with_it = self.networks or self.found
        return with_it.explained if with_it else None

    def same_corpora(self, judge: Judge) -> list[str]:
        """The corpora that a judge and the explained network were both trained on, if known."""
        return [name for name in self.corpora if name in judge.corpora]

    def note_judges(self, run: RunDirectory, progress: Progress) -> None:
        """Record the files of the judges, and note those trained on the same corpora."""
        for judge in self.judges:
            for kind, path in judge.source.files().items():
                run.used(f"judge {judge.name}" + f" {kind}" * bool(judge.source.model), path)
        if same := [judge.name for judge in self.judges if self.same_corpora(judge)]:
            progress.note(
                f"trained on corpora of the network explained, too: {', '.join(same)} (--judge); "
                "what they say may share its mistakes"
            )

    def prepare(self, run: RunDirectory, progress: Progress, workers: Workers) -> Probes | None:
        """Compute the responses of a corpus for all units, where there is one, by `workers`.

        Returns the excerpts of the validation split for a ranking by prediction; GanexplainError
        for fewer than 20.
        """
        if not self.found:
            return None
        if not self.encoder:
            self._find(self.found, run.path, progress, workers)
            return None
        found, cache = self.found, cache_directory(self.config.cache)
        skip = self.config.skip_bad_files
        split = load_split(found.corpus, "valid", found.front_end, cache, progress, skip)
        check_enough(found.corpus.name, "valid", len(split.whole_excerpts(found.hop)))
        self._find(found, run.path, progress, workers)
        units = list(dict.fromkeys(self.units))
        return Probes.measure(split, found.hop, found.explained, units, [self.encoder], progress)

    def _find(
        self, found: CorpusResponses, out: Path, progress: Progress, workers: Workers
    ) -> None:
        count = self.config.top or self.first.sizes["N"]
        found.prepare(self.units, count, progress, out / PARTS_FOLDER, workers, out)

    def explanations(self, index: int) -> Explanations:
        """Those of one unit."""
        return self.first if index == 0 else read_explanations(self.files[index])

    def real(self, index: int, explanations: Explanations) -> RealResponses:
        """The real responses of one unit."""
        if self.found:
            return self.found.for_unit(explanations.meta.measured)
        return self.given if index == 0 and self.given else _given(self.config, explanations)


def _check_settings(config: SelectConfig) -> None:
    check_known("--by", config.by or DEFAULT_RULE, RULES)
    if bool(config.responses) == bool(config.corpus):
        if config.corpus:
            raise UsageError("--corpus and --responses both name the real excerpts; name one")
        raise UsageError(
            "name the real excerpts with --corpus or, from an earlier run, with --responses"
        )
    if config.by == PREDICTION:
        if not config.corpus:
            raise UsageError(
                "--by prediction: name a --corpus, whose validation split it predicts, not "
                "--responses"
            )
        if not open_corpus(config.corpus, config.skip_bad_files).split("valid"):
            raise UsageError(f"--by prediction: {config.corpus[0]} has no validation split")
    if config.top == 1:
        raise UsageError("--top 1: a distance needs at least 2 real excerpts")


def _given(config: SelectConfig, explanations: Explanations) -> RealResponses:
    """The real responses of a unit from the files of `--responses`."""
    path = given_path(Path(config.responses), explanations.meta.target)
    wanted, sizes = explanations.meta.measured, explanations.sizes
    return read_responses(path, explanations.path, wanted, sizes)
