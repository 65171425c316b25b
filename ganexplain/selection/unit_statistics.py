"""What the responses to a whole training split say of units, in one pass over its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ganexplain.metrics.moments import Mapped, Moments
from ganexplain.metrics.regression import OrthogonalBasis
from ganexplain.metrics.sharing import Sharing
from ganexplain.networks.decisions import OutputRegressors
from ganexplain.networks.units import Unit
from ganexplain.selection.response_pool import Pool, row_blocks

Columns = Mapping[str | Unit, slice]


@dataclass(frozen=True)
class ExplainingOutputs:
    """Orthonormal numbers (m, R) that stand for the outputs, in `columns` of rows (m, C).

    There are `count` regressors, of which they are sums.
    """

    columns: slice
    regressors: OutputRegressors
    basis: OrthogonalBasis

    @classmethod
    def of(cls, pool: Pool, columns: slice) -> ExplainingOutputs:
        """Those of all responses of a pool."""
        outputs = Mapped(lambda rows: np.array(rows[:, columns]), pool)
        regressors = OutputRegressors.of(outputs)
        return cls(columns, regressors, OrthogonalBasis.of(Mapped(regressors, outputs)))

    @property
    def count(self) -> int:
        """The number of regressors."""
        return len(self.basis.mean)

    @property
    def size(self) -> int:
        """The number of numbers R."""
        return self.basis.weights.shape[1]

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """The numbers (m, R) for rows of responses (m, C)."""
        return self.basis(self.regressors(np.array(rows[:, self.columns])))


class LayerStatistics:
    """The moments of units of a layer: those asked for, all that were measured, and the outputs.

    Columns of the moments are all units of the layer, the other forms of unit, and the outputs.
    """

    def __init__(
        self, layer: str, units: Sequence[Unit], columns: Columns, outputs: ExplainingOutputs
    ) -> None:
        all_units = columns.get(layer, slice(0, 0))
        self.width, self.outputs = all_units.stop - all_units.start, outputs
        others = [unit for unit in units if unit.channel is None]
        self.picked = np.r_[all_units, [columns[unit].start for unit in others]].astype(np.int64)
        self.own = {unit: self.width + k for k, unit in enumerate(others)}
        self.own |= {unit: unit.channel for unit in units if unit.channel is not None}
        self.rows = {unit: row for row, unit in enumerate(self.own)}
        first = len(self.picked)
        asked = [*self.own.values(), *range(first, first + outputs.size)]
        self.moments = Moments(first + outputs.size, asked)

    def add(self, rows: np.ndarray, numbers: np.ndarray) -> None:
        """Add responses (m, C) and the numbers (m, R) of the outputs."""
        self.moments.add(np.concatenate([rows[:, self.picked], numbers], axis=1))

    def mean(self, unit: Unit) -> float:
        """The mean response of a unit."""
        return float(self.moments.mean[self.own[unit]])

    def deviation(self, unit: Unit) -> float:
        """The standard deviation of the response of a unit."""
        return float(self.moments.deviations(ddof=1)[self.own[unit]])

    def layer_deviations(self) -> np.ndarray:
        """The standard deviations (U,) of all units of the layer, none if only others are known."""
        return self.moments.deviations(ddof=1)[: self.width]

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights (N, R) of the least squares fit of each unit by the outputs."""
        products, units, first = self.moments.products, len(self.own), len(self.picked)
        # The numbers are orthonormal but for rounding, which this takes into account.
        fitted = np.linalg.solve(products[units:, first:], products[:units, first:].T)
        return np.asarray(fitted.T)

    def sharing(self, unit: Unit) -> Sharing:
        """What a unit shares with the outputs and with other units of the layer."""
        moments, row = self.moments, self.rows[unit]
        explained, total = 0.0, moments.squares[self.own[unit]]
        if total > 0:
            explained = self.weights[row] @ moments.products[row, len(self.picked) :] / total
        alike = moments.correlations(row)[: self.width]
        size = moments.count, self.outputs.count
        return Sharing.of(alike, unit.number, float(np.clip(explained, 0, 1)), size)


class UnitStatistics:
    """The statistics of units by layer, and what of their responses the outputs do not explain.

    `layers` has the `LayerStatistics` by the name of the layer.
    """

    def __init__(self, pool: Pool, units: Sequence[Unit], columns: Columns, output: str) -> None:
        self.columns, self.outputs = columns, ExplainingOutputs.of(pool, columns[output])
        self.layers = {
            layer: LayerStatistics(
                layer, [unit for unit in units if unit.layer == layer], columns, self.outputs
            )
            for layer in dict.fromkeys(unit.layer for unit in units)
        }
        for rows in pool:
            numbers = self.outputs(rows)
            for each in self.layers.values():
                each.add(rows, numbers)

    def sharing(self, unit: Unit) -> Sharing:
        """What a unit shares with the outputs and with other units of its layer."""
        return self.layers[unit.layer].sharing(unit)

    def beyond(self, responses: np.ndarray, units: Sequence[Unit]) -> np.ndarray:
        """What the outputs leave unexplained (m, N) of N units, of responses (m, C)."""
        of = [self.layers[unit.layer] for unit in units]
        pairs = list(zip(of, units, strict=True))
        weights = np.stack([each.weights[each.rows[unit]] for each, unit in pairs])
        means = [each.mean(unit) for each, unit in pairs]
        centre = of[0].moments.mean[len(of[0].picked) :]
        columns = [column_of(unit, self.columns) for unit in units]
        return np.concatenate(
            [
                rows[:, columns] - means - (self.outputs(rows) - centre) @ weights.T
                for rows in row_blocks(responses)
            ]
        )


def column_of(unit: Unit, columns: Columns) -> int:
    """The column of the responses of a unit."""
    if unit.channel is None:
        return columns[unit].start
    return columns[unit.layer].start + unit.channel
