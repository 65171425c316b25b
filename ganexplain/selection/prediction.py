"""The prediction test of a run: which of two held-out excerpts excites a unit more?

Every set of examples answers by itself: those of the chosen setting, and sets to compare it with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from ganexplain.artifacts.prediction import (
    GENERATED,
    OTHER,
    SETS,
    SHUFFLED,
    PairShare,
    Shares,
    UnitPrediction,
    set_title,
)
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.errors import TooFewExcerpts
from ganexplain.files.arrays import scratch_array
from ganexplain.metrics.bootstrap import share_difference_interval, share_interval
from ganexplain.metrics.prediction import HeldOut, Kernel, recording_weights
from ganexplain.metrics.regression import explained_share
from ganexplain.metrics.shares import exact_interval
from ganexplain.networks.decisions import output_regressors
from ganexplain.networks.hooks import find_layer, record_outputs
from ganexplain.networks.layer_units import unit_values
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.units import Unit
from ganexplain.runs.progress import Progress
from ganexplain.selection.encoders import BATCH, Encoder

RANDOM = "random"  # the pairs by which sets are compared in words
FEWEST = 20  # excerpts with which a test says something


def check_enough(corpus: str, split: str, excerpts: int) -> None:
    """Raise TooFewExcerpts if a test of the excerpts of a split says nothing."""
    if excerpts < FEWEST:
        raise TooFewExcerpts(
            f"{corpus}: {excerpts} excerpts in the split {split}; the test needs at least {FEWEST}"
        )


@dataclass(frozen=True)
class ExampleSet:
    """Strong examples (N, ...) of a unit and weak ones (N', ...), or both encoded (N, D)."""

    strong: np.ndarray
    weak: np.ndarray

    def encoded(self, encoder: Encoder) -> ExampleSet:
        """The same as vectors."""
        return ExampleSet(encoder.encode(self.strong), encoder.encode(self.weak))


@dataclass(frozen=True)
class Probes:
    """M held-out excerpts as the network and the encoders see them, in files.

    `responses` has the responses (M,) of units, `outputs` (M, H) the `output_regressors` of
    the network, `encoded` the vectors (M, D) by the name of an encoder, `recording` (M,) numbers of
    recordings.
    """

    responses: Mapping[Unit, np.ndarray]
    outputs: np.ndarray
    encoded: Mapping[str, np.ndarray]
    recording: np.ndarray

    @classmethod
    def measure(
        cls,
        split: AnySplit,
        hop_frames: int,
        explained: TargetNetwork,
        units: Sequence[Unit],
        encoders: Sequence[Encoder],
        progress: Progress,
    ) -> Probes:
        """Pass all excerpts of a split through the network and the encoders, once."""
        centres, output = split.whole_excerpts(hop_frames), explained.names.output
        layers = {unit.layer for unit in units} | {output}
        wanted = {layer: find_layer(explained.network, layer) for layer in layers}
        found: dict[str | Unit, np.ndarray] = {}
        progress.start("held-out excerpts", len(centres))
        for first in range(0, len(centres), BATCH):
            mel = split.gather(centres[first : first + BATCH])
            with record_outputs(explained.network, wanted) as recorded, torch.no_grad():
                explained.network(torch.from_numpy(mel).to(explained.device))
            values: dict[str | Unit, np.ndarray] = {"": unit_values(recorded[output]).cpu().numpy()}
            values |= {unit: unit.read(recorded[unit.layer]).cpu().numpy() for unit in units}
            values |= {encoder.name: encoder.encode(mel) for encoder in encoders}
            for key, rows in values.items():
                if key not in found:
                    found[key] = scratch_array((len(centres), *rows.shape[1:]), rows.dtype)
                found[key][first : first + len(rows)] = rows
            progress.advance(len(mel))
        return cls(
            {unit: found[unit] for unit in units},
            output_regressors(found[""]),
            {encoder.name: found[encoder.name] for encoder in encoders},
            np.unique(centres[:, 0], return_inverse=True)[1],
        )

    def held_out(self, unit: Unit) -> HeldOut:
        """The excerpts of the test of one unit."""
        return HeldOut(self.responses[unit], self.outputs, self.recording)


@dataclass(frozen=True)
class TestedUnit:
    """A unit with its sets of examples, encoded, by the names of encoder and set.

    `directions` has the hash of its explanations by direction, `name` its class or an empty string.
    """

    unit: Unit
    name: str
    directions: Mapping[str, str]
    sets: Mapping[str, Mapping[str, ExampleSet]]


@dataclass(frozen=True)
class MeasuredShare:
    """A share of pairs, NaN without any, and that of resamples (B,); of how many recordings."""

    share: float
    resampled: np.ndarray
    recordings: int

    @classmethod
    def mean(cls, shares: Sequence[MeasuredShare]) -> MeasuredShare:
        """The mean over units, of those that have pairs; of the recordings of the most varied."""
        known = [each for each in shares if not np.isnan(each.share)]
        if not known:
            return shares[0]
        stacked = np.stack([each.resampled for each in known])
        number, total = np.isfinite(stacked).sum(axis=0), np.nansum(stacked, axis=0)
        mean = np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)
        share = float(np.mean([each.share for each in known]))
        return cls(share, mean, max(each.recordings for each in known))

    def minus(self, other: MeasuredShare) -> tuple[float, float] | None:
        """95 % bounds of the difference to another share of the same excerpts, if it has any."""
        apart = self.resampled - other.resampled
        count = min(self.recordings, other.recordings)
        return share_difference_interval(self.share - other.share, apart, count)


class PredictionTest:
    """The test of all units of a run, with the same excerpts and resamples."""

    def __init__(self, probes: Probes, units: Sequence[TestedUnit], seed: int) -> None:
        self.probes, self.units, self.seed = probes, units, seed
        self.recordings = int(probes.recording.max()) + 1
        self.weights = recording_weights(self.recordings, seed)
        self.kernels = {name: Kernel.around(rows) for name, rows in probes.encoded.items()}
        # By encoder, set and difficulty.
        self.found: dict[Unit, dict[tuple[str, str, str], MeasuredShare]] = {}

    def run(self, progress: Progress) -> list[UnitPrediction]:
        """Test each unit."""
        progress.start("units", len(self.units))
        found = []
        for index, tested in enumerate(self.units):
            self.found[tested.unit] = self._shares(index)
            held_out = self.probes.held_out(tested.unit)
            found.append(
                UnitPrediction(
                    layer=tested.unit.layer,
                    neuron=tested.unit.neuron,
                    unit=tested.name,
                    directions=tested.directions,
                    explained_share=float(explained_share(held_out.response, held_out.outputs)),
                    shares=self._described([tested.unit]),
                )
            )
            progress.advance()
        return found

    def layers(self) -> dict[str, Shares]:
        """Means over the units of each layer that has several; call `run` first."""
        return {name: self._described(units) for name, units in self._several().items()}

    def notes(self) -> list[str]:
        """What to say of means over fewer units of a layer than that of the examples."""
        found = []
        for layer, units in self._several().items():
            for encoder, name in product(self.kernels, SETS):
                some = [unit for unit in units if (encoder, name, RANDOM) in self.found[unit]]
                sets = self._described(some).get(encoder, {}) if len(some) < len(units) else {}
                if RANDOM in sets.get(name, {}):
                    share, own = (100 * sets[each][RANDOM].share for each in (name, GENERATED))
                    found.append(
                        f"{layer}, {encoder}: the column “{set_title(name)}” is of {len(some)} of "
                        f"{len(units)} units; for these it has {share:.0f} % of random pairs, and "
                        f"“{GENERATED}” has {own:.0f} %"
                    )
        return found

    def _several(self) -> dict[str, list[Unit]]:
        """The units of each layer that has several."""
        layers: dict[str, list[Unit]] = {}
        for unit in self.found:
            layers.setdefault(unit.layer, []).append(unit)
        return {name: units for name, units in layers.items() if len(units) > 1}

    def _shares(self, index: int) -> dict[tuple[str, str, str], MeasuredShare]:
        tested, found = self.units[index], {}
        held_out = self.probes.held_out(tested.unit)
        other = self._other_unit(index)
        for encoder, kernel in self.kernels.items():
            sets = dict(tested.sets[encoder])
            if other is not None:
                sets[OTHER] = other.sets[encoder][GENERATED]
            contrast = np.stack([kernel.contrast(each.strong, each.weak) for each in sets.values()])
            shuffled = held_out.shuffled(self.seed + index)
            generated = contrast[list(sets).index(GENERATED)][None]
            for excerpts, rows, names in (
                (held_out, contrast, list(sets)),
                (shuffled, generated, [SHUFFLED]),
            ):
                for difficulty, counts in excerpts.counts(rows, self.seed).items():
                    resampled = counts.resampled(self.weights)
                    for name, share, spread in zip(names, counts.share, resampled, strict=True):
                        measured = MeasuredShare(float(share), spread, counts.recordings)
                        found[encoder, name, difficulty] = measured
        return found

    def _other_unit(self, index: int) -> TestedUnit | None:
        """The next unit of the same layer whose responses correlate with this one's, or None."""
        own = self.units[index].unit
        for step in range(1, len(self.units)):
            other = self.units[(index + step) % len(self.units)]
            if other.unit.layer == own.layer:
                pair = self.probes.responses[own], self.probes.responses[other.unit]
                if min(map(np.ptp, pair)) > 0 and np.corrcoef(*pair)[0, 1] > 0:
                    return other
        return None

    def _described(self, units: Iterable[Unit]) -> Shares:
        """Shares, their means over several units, with intervals and differences."""
        each = [self.found[unit] for unit in units]
        found: dict[str, dict[str, dict[str, PairShare]]] = {}
        for key in dict.fromkeys(key for shares in each for key in shares):
            encoder, name, difficulty = key
            those = [shares for shares in each if key in shares]
            mean = MeasuredShare.mean([shares[key] for shares in those])
            if np.isnan(mean.share):
                continue
            own = MeasuredShare.mean([shares[encoder, GENERATED, difficulty] for shares in those])
            bounds = None
            if self.recordings > 1:
                spread = share_interval(mean.share, mean.resampled, mean.recordings)
                bounds = spread or exact_interval(mean.share, mean.recordings)
            entry = PairShare(mean.share, bounds, None if name == GENERATED else mean.minus(own))
            found.setdefault(encoder, {}).setdefault(name, {})[difficulty] = entry
        return {
            encoder: {name: sets[name] for name in SETS if name in sets}
            for encoder, sets in found.items()
        }
