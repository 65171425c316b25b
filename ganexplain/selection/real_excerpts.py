"""The real excerpts of a corpus that drive a unit most and least, and random ones.

Those whose response is most above or below what the outputs of the network explain are found, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts.responses import (
    BEYOND,
    HELD_OUT,
    RANDOM,
    Decided,
    MeasuredUnit,
    RealResponses,
    ResponsesMeta,
)
from ganexplain.ascent.responses import Strongest
from ganexplain.config import SelectConfig
from ganexplain.corpora.interfaces import AnyCorpus
from ganexplain.corpora.load import input_spec_for
from ganexplain.counterfactuals.boundary import class_margin
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs.base import Input
from ganexplain.metrics.scores import PREDICTION
from ganexplain.metrics.sharing import Sharing
from ganexplain.metrics.variation import Variation
from ganexplain.networks.adapter import OUTPUT, network_device
from ganexplain.networks.hooks import responses_and_features
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.unit_variation import MEASURED, LayerSpread
from ganexplain.networks.units import Unit
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.machine import random_stream
from ganexplain.runs.parts import parts_to_do
from ganexplain.runs.progress import Progress, note_skipped
from ganexplain.runs.workers import HERE, DividedWork, Workers
from ganexplain.selection.response_parts import (
    Measured,
    PartResponses,
    ResponsePart,
    SearchSettings,
)
from ganexplain.selection.response_pool import Pool, SearchedSplit
from ganexplain.selection.unit_statistics import Columns, UnitStatistics, column_of

RANDOM_EXCERPTS = 64
WORTH_PROCESSES = 16  # parts from which several processes are faster
TOGETHER = 2**21  # numbers of a part that are compared at once
DIRECTIONS = {"": "max", "bottom_": "min"}  # by the prefix of keys


class CorpusResponses:
    """Responses of units to the excerpts of a corpus, by one pass of the network for all layers.

    The excerpts are those of the training split and, separately, of the held-out recordings: the
    splits `valid` and `test` together, if the corpus has them. If settings are ranked by the
    prediction of the split `valid`, they are of `test` only.
    """

    def __init__(
        self, config: SearchSettings, explained: TargetNetwork, corpus: AnyCorpus, front_end: Input
    ) -> None:
        self.config, self.explained, self.corpus = config, explained, corpus
        self.front_end = input_spec_for(corpus, front_end)
        hop = 1 if config.overlapping else config.hop_frames
        if hop < 1:
            raise UsageError(f"--hop-frames {hop}: must be at least 1")
        self.hop = hop
        self.last: tuple[Unit, dict[str, np.ndarray], Variation, Sharing] | None = None
        (self.output,) = explained.layers((OUTPUT,))
        self.spread: LayerSpread | None = None

    @property
    def splits(self) -> dict[str, str]:
        """The splits to search, as `load_split` takes them, by the prefix of their keys."""
        ranks = isinstance(self.config, SelectConfig) and self.config.by == PREDICTION
        names = ("test",) if ranks else ("valid", "test")
        held_out = {HELD_OUT: "+".join(names)} if any(map(self.corpus.split, names)) else {}
        return {"": "train"} | held_out

    def note_recordings(self, run: RunDirectory) -> None:
        """Record what the splits contain in the run that reads them; errors as `used`."""
        for key, name in self.splits.items():
            recordings = [r for part in name.split("+") for r in self.corpus.split(part)]
            run.used_recordings("held-out" if key else name, recordings)

    def prepare(
        self,
        units: Sequence[Unit],
        count: int,
        progress: Progress,
        folder: Path,
        workers: Workers = HERE,
        out: Path | None = None,
    ) -> None:
        """Find the excerpts of the splits that drive units most and least, up to `count` each.

        The responses of the units, of their layers and of the outputs are made by `workers`, in
        parts whose files are in `folder`; those of an earlier run are kept. `out` is the run
        directory that workers must see. Of the parts one is in memory at a time.
        """
        note_skipped(progress, self.corpus.skipped)
        self.progress, self.count = progress, count
        units = list(dict.fromkeys(units))
        single = [unit.layer for unit in units if unit.channel is not None]
        others = tuple(unit for unit in units if unit.channel is None)
        measured = Measured(tuple(dict.fromkeys([*single, self.output])), others)
        parts = {key: ResponsePart.all_of(self.corpus, name) for key, name in self.splits.items()}
        work = DividedWork(
            PartResponses,
            (self.config, measured, self.hop, folder),
            out,
            loaded=((self.explained, self.corpus, self.front_end),),
        )
        wanted = [part for each in parts.values() for part in each]
        todo = parts_to_do(wanted, lambda part: part.read(folder) is not None, progress)
        self._make_parts(todo, work, workers)
        columns = measured.columns(self.explained, self.front_end)
        width = max(each.stop for each in columns.values())
        pools = {key: Pool.open(each, folder, width) for key, each in parts.items()}
        self._search(pools, units, columns)

    def _make_parts(
        self, todo: Sequence[ResponsePart], work: DividedWork, workers: Workers
    ) -> None:
        """Make the parts that are left."""
        files = sum(part.last - part.first for part in todo)
        self.progress.start("responses of real excerpts, files", files)
        worth_it = self.explained.device.type == "cpu" and len(todo) >= WORTH_PROCESSES
        workers.do(todo, work, self.progress.advance, worth_it)

    def _search(self, pools: Mapping[str, Pool], units: Sequence[Unit], columns: Columns) -> None:
        """Find the excerpts, and what the training split says of the units."""
        self.searched = {
            key: SearchedSplit(self.corpus, name, self.front_end, self.config)
            for key, name in self.splits.items()
        }
        for key, pool in pools.items():
            self.searched[key].note_skipped(pool.files(), self.progress)
        train = pools[""]
        self.some = train.centres(np.arange(min(MEASURED, len(train))))
        count = min(RANDOM_EXCERPTS, len(train))
        rows = random_stream(0, "random excerpts").choice(len(train), count, replace=False)
        self.random = self.searched[""].gather(train.centres(np.sort(rows)))
        self.statistics = UnitStatistics(train, units, columns, self.output)
        self.decided = {unit: found for unit in units if (found := self._decided(unit, train))}
        left = [unit for unit in units if not self.statistics.sharing(unit).is_all]
        apart = 0 if self.config.overlapping else self.front_end.length

        def responses(rows: np.ndarray, some: Sequence[Unit]) -> np.ndarray:
            return rows[:, [column_of(unit, columns) for unit in some]]

        searches = {key: Search(pool, units, responses) for key, pool in pools.items()}
        searches[BEYOND] = Search(train, left, self.statistics.beyond)
        self.progress.start("strongest excerpts", sum(s.parts for s in searches.values()))
        self.strongest = {
            key: search.run(self.count, apart, self.progress) for key, search in searches.items()
        }

    def for_unit(self, measured: MeasuredUnit) -> RealResponses:
        """Return the responses of a unit; GanexplainError for fewer than two."""
        config, unit = self.config, measured.unit
        if not self.last or self.last[0] != unit:  # both directions come one after the other
            arrays = self._excerpts(measured)
            sharing = self.statistics.sharing(unit)
            self.last = unit, arrays, self._variation(unit), sharing
        _, arrays, variation, sharing = self.last
        meta = ResponsesMeta(
            measured, variation, sharing, config.corpus, config.hop_frames, config.overlapping,
            self.decided.get(unit),
        )  # fmt: skip
        return RealResponses(arrays, meta)

    def _excerpts(self, measured: MeasuredUnit) -> dict[str, np.ndarray]:
        """Return the excerpts of the highest responses, of the lowest, and random ones."""
        arrays: dict[str, np.ndarray] = {}
        for key, split in self.searched.items():
            found = self.strongest[key][measured.unit]
            if self._enough(key, min(map(len, found.values()))):
                arrays |= self._arrays(split, found, measured, key)
        arrays[f"{RANDOM}mel"] = self.random
        if beyond := self.strongest[BEYOND].get(measured.unit):
            arrays |= self._arrays(self.searched[""], beyond, measured, BEYOND)
        return arrays

    def _arrays(
        self,
        split: SearchedSplit,
        found: Mapping[str, np.ndarray],
        measured: MeasuredUnit,
        key: str,
    ) -> dict[str, np.ndarray]:
        """Return the arrays of centres, whose names begin with `key` and their prefix."""
        network = self.explained.network
        return {
            key + prefix + name: values
            for prefix, centres in found.items()
            for name, values in _described(split, centres, network, measured).items()
        }

    def _variation(self, unit: Unit) -> Variation:
        """Return how much the response of a unit varies over the training split."""
        statistics = self.statistics.layers[unit.layer]
        if self.spread is None or self.spread.layer != unit.layer:  # units of a layer come together
            excerpts, std = self.searched[""].gather(self.some), statistics.layer_deviations()
            self.spread = LayerSpread.measure(self.explained, unit.layer, std, excerpts)
        moments = statistics.moments.count, statistics.mean(unit), statistics.deviation(unit)
        return self.spread.variation(unit, *moments)

    def _decided(self, unit: Unit, train: Pool) -> Decided | None:
        """Count the decisions for the class of a unit; None for one without a class of its own."""
        name, channel = self.explained.class_of(unit), unit.channel
        outputs = self.statistics.outputs
        kind = outputs.regressors.kind if self.output == OUTPUT else "logits"  # of our classifier
        if not name or channel is None or kind == "activations":
            return None
        decide, found = class_margin(self.explained, channel, kind), 0
        for rows in train:
            margins = decide(torch.from_numpy(np.array(rows[:, outputs.columns])))
            found += int((margins > 0).sum())
        return Decided(name, found, len(train))

    def _enough(self, key: str, found: int) -> bool:
        """Return whether there are at least two excerpts; note, or raise, what is missing."""
        held_out = " held-out" if key else ""
        if found < self.count:
            self.progress.note(
                f"only {found}{held_out} excerpts that do not overlap, {self.count} were asked for"
            )
        if found < 2 and not key:
            raise GanexplainError(
                f"{' + '.join(self.config.corpus)}: fewer than two excerpts to compare with"
            )
        return found >= 2


@dataclass(frozen=True)
class Search:
    """A search of a pool for the excerpts that drive units most and least.

    `values` returns numbers (m, N) of N units from responses (m, C).
    """

    pool: Pool
    units: Sequence[Unit]
    values: Callable[[np.ndarray, Sequence[Unit]], np.ndarray]

    @property
    def parts(self) -> int:
        """The number of parts that are read."""
        return len(self.pool.parts) if self.units else 0

    def run(self, count: int, apart: int, progress: Progress) -> dict[Unit, dict[str, np.ndarray]]:
        """The centres (up to `count`, 2) of these excerpts by unit and by prefix of keys."""
        found = {
            unit: {prefix: Strongest(count, apart, way) for prefix, way in DIRECTIONS.items()}
            for unit in self.units
        }
        for responses, centres in self.pool.arrays() if self.units else ():
            step = max(TOGETHER // max(len(responses), 1), 1)
            for first in range(0, len(self.units), step) if len(responses) else ():
                some = self.units[first : first + step]
                for unit, values in zip(some, self.values(responses, some).T, strict=True):
                    for each in found[unit].values():
                        each.add(np.ascontiguousarray(values), centres)
            progress.advance()
        return {
            unit: {prefix: each.centres for prefix, each in both.items()}
            for unit, both in found.items()
        }


def _described(
    split: SearchedSplit, centres: np.ndarray, network: torch.nn.Module, measured: MeasuredUnit
) -> dict[str, np.ndarray]:
    read, own = split.excerpts(centres)
    mel = read.gather(own)
    response, features = responses_and_features(
        network,
        measured.unit,
        measured.features_layer,
        torch.from_numpy(mel).to(network_device(network)),
    )
    described = {
        "mel": mel,
        "response": response.cpu().numpy(),
        "features": features.cpu().numpy(),
    }
    described |= read.excerpt_sources(own)
    audio = read.excerpt_audio(own)
    return described if audio is None else described | {"audio": audio}
