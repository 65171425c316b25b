"""The real excerpts that drive a unit most and least: found in a corpus, or given as a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from ganexplain.artifacts.responses import HELD_OUT, SAME_UNIT, RealResponses
from ganexplain.ascent.responses import excerpt_responses, strongest
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import (
    Material,
    MaterialSplit,
    heard,
    input_spec_for,
    load_material,
    origin,
)
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs.kinds import Input
from ganexplain.metrics.variation import Variation
from ganexplain.networks.adapter import network_device
from ganexplain.networks.hooks import (
    Response,
    layer_response,
    responses_and_features,
    unit_response,
)
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.unit_variation import MEASURED, VARIATION, LayerSpread
from ganexplain.networks.units import Unit
from ganexplain.runs.progress import Progress


class Sought(Protocol):
    """Settings of the search for real excerpts, those of `responses` and of `select`."""

    @property
    def corpus(self) -> tuple[str, ...]:
        """Corpora whose recordings are searched."""

    @property
    def top(self) -> int:
        """Excerpts to find; 0: as many as there are examples."""

    @property
    def hop_frames(self) -> int:
        """Frames from one excerpt tried to the next."""

    @property
    def overlapping(self) -> bool:
        """Whether every frame is tried and overlaps are kept."""

    @property
    def cache(self) -> str:
        """Feature cache."""

    @property
    def skip_bad_files(self) -> bool:
        """Whether files that cannot be used are left out."""


class FoundResponses:
    """Real responses found in a corpus, by one pass of the classifier for each layer.

    Those of the training split, and apart from them those of the recordings held out (the
    splits `valid` and `test` together), where there are such.
    """

    def __init__(
        self, config: Sought, explained: TargetNetwork, corpus: Material, front_end: Input
    ) -> None:
        self.config, self.explained, self.corpus = config, explained, corpus
        self.front_end = input_spec_for(corpus, front_end)
        hop = 1 if config.overlapping else config.hop_frames
        if hop < 1:
            raise UsageError(f"--hop-frames {hop}: must be at least 1")
        self.hop = hop
        self.last: tuple[Unit, dict[str, np.ndarray], dict[str, float | None]] | None = None
        self.spread: LayerSpread | None = None

    @property
    def splits(self) -> dict[str, str]:
        """The splits searched, as `load_material` takes them, by what their keys begin with."""
        held_out = self.corpus.split("valid") + self.corpus.split("test")
        return {"": "train"} | ({HELD_OUT: "valid+test"} if held_out else {})

    def prepare(self, units: Iterable[Unit], progress: Progress) -> None:
        """Read the splits and compute the responses (M, U) of the layers of units.

        Those of a place, a difference or a direction come when they are asked for.
        """
        for message in self.corpus.skipped:
            progress.note(f"skipped: {message}")
        self.progress = progress
        wanted = list(dict.fromkeys(unit.layer for unit in units if unit.channel is not None))
        self.pools = {key: self._pool(name, wanted) for key, name in self.splits.items()}

    def _pool(self, name: str, layers: Sequence[str]) -> _Pool:
        config, progress = self.config, self.progress
        cache, skip = cache_directory(config.cache), config.skip_bad_files
        split = load_material(self.corpus, name, self.front_end, cache, progress, skip)
        pool = _Pool(name, split, split.whole_excerpts(self.hop), {})
        for layer in layers:
            with layer_response(self.explained.network, layer) as respond:
                pool.responses[layer] = self._responses(pool, layer, respond)
        return pool

    def _responses(self, pool: _Pool, name: str, respond: Response) -> np.ndarray:
        self.progress.start(f"responses of real excerpts, {pool.name}, {name}", len(pool.centres))
        device, advance = self.explained.device, self.progress.advance
        return excerpt_responses(pool.split, pool.centres, respond, device, advance)

    def _of_unit(self, pool: _Pool, unit: Unit) -> np.ndarray:
        """Responses (M,) of one: of a number from those of its layer, else by a pass of its own."""
        if unit.channel is not None:
            return pool.responses[unit.layer][:, unit.channel]
        if unit not in pool.responses:
            with unit_response(self.explained.network, unit) as respond:
                pool.responses[unit] = self._responses(pool, str(unit), respond)
        return pool.responses[unit]

    def of(self, meta: Mapping[str, Any]) -> RealResponses:
        """Those of the unit that `meta` names; GanexplainError where there are fewer than two."""
        config, unit = self.config, Unit.from_meta(meta["layer"], meta["neuron"])
        if not self.last or self.last[0] != unit:  # both directions come one after the other
            self.last = unit, self._strongest(unit, meta), self._variation(unit).to_meta()
        _, arrays, variation = self.last
        return arrays, {
            **{key: meta[key] for key in SAME_UNIT},
            VARIATION: variation,
            "corpus": list(config.corpus),
            "hop_frames": config.hop_frames,
            "overlapping": config.overlapping,
        }

    def _strongest(self, unit: Unit, meta: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Arrays of `responses.npz`: the N excerpts of highest response, and those of lowest."""
        network, count = self.explained.network, self.config.top or meta["examples"]
        apart = 0 if self.config.overlapping else self.front_end.length
        arrays: dict[str, np.ndarray] = {}
        for key, pool in self.pools.items():
            response = self._of_unit(pool, unit)
            found = {
                prefix: strongest(response, pool.centres, count, apart, direction)
                for prefix, direction in (("", "max"), ("bottom_", "min"))
            }
            if self._enough(key, min(map(len, found.values())), count):
                for prefix, rows in found.items():
                    described = _described(
                        pool.split, pool.centres[rows], network, unit, meta["features_layer"]
                    )
                    arrays.update({key + prefix + name: v for name, v in described.items()})
        return arrays

    def _variation(self, unit: Unit) -> Variation:
        """How much a unit responds to the excerpts of the training split."""
        pool, layer = self.pools[""], unit.layer
        if self.spread is None or self.spread.layer != layer:  # units of a layer come together
            excerpts = pool.split.gather(pool.centres[:MEASURED])
            all_units = pool.responses.get(layer)
            self.spread = LayerSpread.measure(self.explained, layer, all_units, excerpts)
        return self.spread.variation(unit, self._of_unit(pool, unit))

    def _enough(self, key: str, found: int, count: int) -> bool:
        """Whether there are excerpts to compare with; what is missing is noted, or raised."""
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


@dataclass(frozen=True)
class _Pool:
    """Excerpts of a split around centres (M, 2) and their responses, as far as computed.

    By a layer's name those of its units (M, U), by a unit its own (M,).
    """

    name: str
    split: MaterialSplit
    centres: np.ndarray
    responses: dict[str | Unit, np.ndarray]


def _described(
    split: MaterialSplit,
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
    described |= origin(split, centres)
    audio = heard(split, centres)
    return described if audio is None else described | {"audio": audio}
