"""Features of a corpus, computed by workers into the cache before the corpus is read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ganexplain.corpora.cache import feature_kind
from ganexplain.corpora.interfaces import AnyCorpus, split_files
from ganexplain.errors import BadFile
from ganexplain.inputs.base import Input
from ganexplain.runs.distributed import rank_and_world_size
from ganexplain.runs.progress import Progress
from ganexplain.runs.tasks import Advance
from ganexplain.runs.workers import DividedWork, Workers

WORTH_PROCESSES = 32  # recordings without features from which several processes are faster


class RecordingFeatures:
    """Computes the features of recordings into a cache, in any process."""

    def __init__(self, input_spec: Input, cache: Path) -> None:
        self.kind, self.cache = feature_kind(input_spec), cache

    def __call__(self, path: Path, advance: Advance) -> None:
        """Compute the features of a recording; one that cannot be used is named when it is read."""
        assert self.kind is not None
        with suppress(BadFile):
            self.kind.open(path, self.cache)
        advance(1)


@dataclass(frozen=True)
class FeatureWorkers:
    """Who computes features: `workers` of a run in the directory `out`."""

    workers: Workers
    out: Path
    progress: Progress

    def fill(
        self, corpus: AnyCorpus, splits: Sequence[str], input_spec: Input, cache: Path
    ) -> None:
        """Compute the features of splits that the cache lacks, if several workers do it.

        Else they are computed as they are read, also in each of the processes of torchrun.
        """
        kind = feature_kind(input_spec)
        listed = [file.path for name in splits for file in split_files(corpus, name)]
        paths = [path for path in dict.fromkeys(listed) if path.is_file()]
        alone = self.workers.are_one(len(paths)) or rank_and_world_size()[1] > 1
        if kind is None or alone:
            return
        todo = [path for path in paths if not kind.entry(path, cache).is_file()]
        worth_it = len(todo) >= WORTH_PROCESSES
        if todo and not self.workers.are_one(len(todo), worth_it):
            self.progress.start("features, recordings", len(todo))
            work = DividedWork(RecordingFeatures, (input_spec, cache.absolute()), self.out)
            self.workers.do(todo, work, self.progress.advance, worth_it)
