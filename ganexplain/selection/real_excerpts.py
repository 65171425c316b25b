"""The real excerpts of a corpus that drive a unit most and least, and random ones.

Those whose response is most above or below what the outputs of the network explain are found, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts.responses import (
    BEYOND,
    HELD_OUT,
    RANDOM,
    MeasuredUnit,
    RealResponses,
    ResponsesMeta,
)
from ganexplain.ascent.responses import strongest
from ganexplain.config import SelectConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.interfaces import AnyCorpus, AnySplit
from ganexplain.corpora.load import input_spec_for, load_split
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.arrays import try_open_array
from ganexplain.inputs.base import Input
from ganexplain.metrics.regression import residual
from ganexplain.metrics.scores import PREDICTION
from ganexplain.metrics.sharing import Sharing
from ganexplain.metrics.variation import Variation
from ganexplain.networks.adapter import OUTPUT, network_device
from ganexplain.networks.decisions import output_regressors
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
    read_parts,
)

RANDOM_EXCERPTS = 64
WORTH_PROCESSES = 16  # parts from which several processes are faster


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
        units: Iterable[Unit],
        progress: Progress,
        folder: Path,
        workers: Workers = HERE,
        out: Path | None = None,
    ) -> None:
        """Read the splits, and the responses of the units, of their layers and of the outputs.

        The responses are made by `workers`, in parts whose files are in `folder`; those of an
        earlier run are kept. `out` is the run directory that workers must see.
        """
        note_skipped(progress, self.corpus.skipped)
        self.progress = progress
        single = [unit.layer for unit in units if unit.channel is not None]
        others = [unit for unit in units if unit.channel is None]
        layers = dict.fromkeys([*single, self.output])
        measured = Measured(tuple(layers), tuple(dict.fromkeys(others)))
        parts = {key: ResponsePart.all_of(self.corpus, name) for key, name in self.splits.items()}
        work = DividedWork(
            PartResponses,
            (self.config, measured, self.hop, folder),
            out,
            loaded=((self.explained, self.corpus, self.front_end),),
        )
        wanted = [part for each in parts.values() for part in each]
        todo = parts_to_do(
            wanted, lambda part: try_open_array(part.path(folder)) is not None, progress
        )
        self._make_parts(todo, work, workers)
        self.pools = {
            key: self._pool(name, parts[key], measured, folder) for key, name in self.splits.items()
        }

    def _make_parts(
        self, todo: Sequence[ResponsePart], work: DividedWork, workers: Workers
    ) -> None:
        """Make the parts that are left."""
        files = sum(part.last - part.first for part in todo)
        self.progress.start("responses of real excerpts, files", files)
        worth_it = self.explained.device.type == "cpu" and len(todo) >= WORTH_PROCESSES
        workers.do(todo, work, self.progress.advance, worth_it)

    def _pool(
        self, name: str, parts: Sequence[ResponsePart], measured: Measured, folder: Path
    ) -> _Pool:
        config = self.config
        cache, skip = cache_directory(config.cache), config.skip_bad_files
        split = load_split(self.corpus, name, self.front_end, cache, self.progress, skip)
        centres = split.whole_excerpts(self.hop)
        widths = measured.widths(self.explained, self.front_end)
        found = read_parts(folder, parts, len(centres), sum(widths))
        columns = np.split(found, np.cumsum(widths)[:-1], axis=1)
        return _Pool(name, split, centres, dict(zip(measured.names, columns, strict=True)))

    @staticmethod
    def _unit_responses(pool: _Pool, unit: Unit) -> np.ndarray:
        """Return responses (M,) of a unit."""
        if unit.channel is not None:
            return pool.responses[unit.layer][:, unit.channel]
        return pool.responses[unit][:, 0]

    def for_unit(self, measured: MeasuredUnit, examples: int = 0) -> RealResponses:
        """Return the responses of a unit: as many as `--top`, by default as there are `examples`.

        Raises GanexplainError for fewer than two.
        """
        config, unit = self.config, measured.unit
        if not self.last or self.last[0] != unit:  # both directions come one after the other
            arrays = self._excerpts(measured, config.top or examples)
            sharing = self._sharing(unit)
            if not sharing.is_all:
                arrays |= self._strongest_beyond(measured, config.top or examples)
            self.last = unit, arrays, self._variation(unit), sharing
        _, arrays, variation, sharing = self.last
        meta = ResponsesMeta(
            measured, variation, sharing, config.corpus, config.hop_frames, config.overlapping
        )
        return RealResponses(arrays, meta)

    def _excerpts(self, measured: MeasuredUnit, count: int) -> dict[str, np.ndarray]:
        """Return `count` excerpts of the highest responses, of the lowest, and random ones."""
        arrays: dict[str, np.ndarray] = {}
        for key, pool in self.pools.items():
            found = self._rows(pool, self._unit_responses(pool, measured.unit), count)
            if self._enough(key, min(map(len, found.values())), count):
                arrays |= self._arrays(pool, found, measured, key)
        return arrays | {f"{RANDOM}mel": self._random(self.pools[""])}

    @staticmethod
    def _random(pool: _Pool) -> np.ndarray:
        """Return random excerpts (R, ...) of a pool, the same for all units."""
        count = min(RANDOM_EXCERPTS, len(pool.centres))
        rows = random_stream(0, "random excerpts").choice(len(pool.centres), count, replace=False)
        return pool.split.gather(pool.centres[np.sort(rows)])

    def _strongest_beyond(self, measured: MeasuredUnit, count: int) -> dict[str, np.ndarray]:
        """Return the same of what the outputs do not explain in the training split."""
        pool = self.pools[""]
        beyond = residual(self._unit_responses(pool, measured.unit), self._outputs(pool))
        return self._arrays(pool, self._rows(pool, beyond, count), measured, BEYOND)

    def _rows(self, pool: _Pool, response: np.ndarray, count: int) -> dict[str, np.ndarray]:
        """Return the rows with the highest and the lowest of responses (M,), by their prefix."""
        apart = 0 if self.config.overlapping else self.front_end.length
        return {
            prefix: strongest(response, pool.centres, count, apart, direction)
            for prefix, direction in (("", "max"), ("bottom_", "min"))
        }

    def _arrays(
        self, pool: _Pool, found: Mapping[str, np.ndarray], measured: MeasuredUnit, key: str
    ) -> dict[str, np.ndarray]:
        """Return the arrays of rows, whose names begin with `key` and their prefix."""
        network, unit, layer = self.explained.network, measured.unit, measured.features_layer
        return {
            key + prefix + name: values
            for prefix, rows in found.items()
            for name, values in _described(
                pool.split, pool.centres[rows], network, unit, layer
            ).items()
        }

    def _outputs(self, pool: _Pool) -> np.ndarray:
        """Return what a response is regressed on: the logits of the outputs, (M, H)."""
        if pool.regressors is None:
            pool.regressors = output_regressors(pool.responses[self.output])
        return pool.regressors

    def _sharing(self, unit: Unit) -> Sharing:
        """Return what a unit shares with the outputs and its layer over the training split."""
        pool = self.pools[""]
        response = self._unit_responses(pool, unit)
        layer = pool.responses.get(unit.layer, response[:, None][:, :0])
        return Sharing.of(response, self._outputs(pool), layer, unit.number)

    def _variation(self, unit: Unit) -> Variation:
        """Return how much the response of a unit varies over the training split."""
        pool, layer = self.pools[""], unit.layer
        if self.spread is None or self.spread.layer != layer:  # units of a layer come together
            excerpts = pool.split.gather(pool.centres[:MEASURED])
            all_units = pool.responses.get(layer)
            self.spread = LayerSpread.measure(self.explained, layer, all_units, excerpts)
        return self.spread.variation(unit, self._unit_responses(pool, unit))

    def _enough(self, key: str, found: int, count: int) -> bool:
        """Return whether there are at least two excerpts; note, or raise, what is missing."""
        held_out = " held-out" if key else ""
        if found < count:
            self.progress.note(
                f"only {found}{held_out} excerpts that do not overlap, {count} were asked for"
            )
        if found < 2 and not key:
            raise GanexplainError(
                f"{' + '.join(self.config.corpus)}: fewer than two excerpts to compare with"
            )
        return found >= 2


@dataclass
class _Pool:
    """Excerpts of a split around centres (M, 2), and the responses computed so far.

    The responses are those (M, U) of the units of a layer, by its name, or (M, 1) of a unit;
    `regressors` (M, H) are the numbers that stand for the outputs.
    """

    name: str
    split: AnySplit
    centres: np.ndarray
    responses: dict[str | Unit, np.ndarray]
    regressors: np.ndarray | None = None


def _described(
    split: AnySplit,
    centres: np.ndarray,
    network: torch.nn.Module,
    unit: Unit,
    features_layer: str,
) -> dict[str, np.ndarray]:
    device = network_device(network)
    mel = split.gather(centres)
    response, features = responses_and_features(
        network, unit, features_layer, torch.from_numpy(mel).to(device)
    )
    described = {
        "mel": mel,
        "response": response.cpu().numpy(),
        "features": features.cpu().numpy(),
    }
    described |= split.excerpt_sources(centres)
    audio = split.excerpt_audio(centres)
    return described if audio is None else described | {"audio": audio}
