"""What responses in parts say of units, against NumPy's least squares and correlations of all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ganexplain.networks.units import Unit
from ganexplain.selection.response_parts import ResponsePart
from ganexplain.selection.response_pool import Pool
from ganexplain.selection.unit_statistics import UnitStatistics

ROWS = 400
RANDOM = np.random.default_rng(0)
SIGNAL = RANDOM.normal(size=(ROWS, 3))
LAYER = np.concatenate(
    [SIGNAL, RANDOM.normal(size=(ROWS, 3)), np.full((ROWS, 1), 0.3), -SIGNAL[:, :1] + 100], axis=1
)
OTHERS = np.stack([LAYER[:, 0] - LAYER[:, 4], LAYER[:, 3] ** 2], axis=1)
UNITS = [Unit.parse(text) for text in ("a:0", "a:4", "a:6", "a:0-minus-4", "a:3@max", "b:1@max")]


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logits)))


def cubes(logits: np.ndarray) -> np.ndarray:
    """What the regression has of a few outputs."""
    standard = (logits - logits.mean(axis=0)) / logits.std(axis=0)
    return np.column_stack([standard, standard**2, standard**3])


def components(logits: np.ndarray) -> np.ndarray:
    """What it has of many outputs, some of them constant."""
    varied = logits[:, np.ptp(logits, axis=0) > 0]
    standard = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    return np.asarray(standard @ np.linalg.svd(standard, full_matrices=False)[2][: ROWS // 10].T)


SPREAD = RANDOM.normal(size=(ROWS, 70)) * 0.95 ** np.arange(70)  # so that components are distinct
MANY = np.concatenate([SPREAD @ RANDOM.normal(size=(70, 70)), np.ones((ROWS, 2))], axis=1)
OUTPUTS: dict[str, tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]] = {
    "logits": (SIGNAL * [1, 5, 0.1], cubes),
    "probabilities": (softmax(SIGNAL), lambda p: cubes(np.log(p))),
    "one probability": (sigmoid(SIGNAL[:, :1]), lambda p: cubes(np.log(p) - np.log(1 - p))),
    "activations": (sigmoid(SIGNAL), cubes),
    "many logits": (MANY, components),
    "constant": (np.full((ROWS, 2), -1.5), lambda outputs: np.empty((ROWS, 0))),
}


def pool_of(responses: np.ndarray, folder: Path, ends: list[int]) -> Pool:
    parts = []
    for number, rows in enumerate(np.split(responses, ends)):
        parts.append(part := ResponsePart("train", number, number + 1))
        np.save(part.path(folder), rows)
        centres = np.stack([np.full(len(rows), number), np.arange(len(rows))], axis=1)
        np.save(part.centres_path(folder), centres)
    return Pool.open(parts, folder, responses.shape[1])


@pytest.mark.parametrize("ends", [[], [0, 1, 130, 131, 390]], ids=["one part", "many"])
@pytest.mark.parametrize("kind", OUTPUTS)
def test_statistics_are_those_of_all_rows_at_once(
    kind: str, ends: list[int], tmp_path: Path
) -> None:
    outputs, numbers = OUTPUTS[kind]
    whole = np.concatenate([LAYER, outputs, OTHERS, OTHERS[:, 1:] * 2], axis=1)
    whole = whole.astype(np.float32).astype(np.float64)
    width, last = LAYER.shape[1], LAYER.shape[1] + outputs.shape[1]
    columns: dict[str | Unit, slice] = {"a": slice(0, width), "out": slice(width, last)}
    columns |= {unit: slice(last + k, last + k + 1) for k, unit in enumerate(UNITS[3:])}
    found = UnitStatistics(pool_of(whole, tmp_path, ends), UNITS, columns, "out")

    basis = numbers(whole[:, width:last])
    design = np.column_stack([np.ones(ROWS), basis])
    own = np.concatenate([whole[:, [0, 4, 6]], whole[:, last:]], axis=1)
    left = own - design @ np.linalg.lstsq(design, own, rcond=None)[0]
    np.testing.assert_allclose(found.beyond(whole, UNITS), left, atol=1e-9 * np.abs(own).max())
    for unit, response, rest in zip(UNITS, own.T, left.T, strict=True):
        layer, sharing = found.layers[unit.layer], found.sharing(unit)
        assert layer.mean(unit) == pytest.approx(response.mean(), rel=1e-9)
        assert layer.deviation(unit) == pytest.approx(response.std(ddof=1), rel=1e-9, abs=1e-12)
        assert (sharing.excerpts, sharing.numbers) == (ROWS, basis.shape[1])
        varies = np.ptp(response) > 0
        wanted = 1 - rest.var() / response.var() if varies else 0
        assert sharing.explained == pytest.approx(wanted, rel=1e-9, abs=1e-12)
        assert dict(sharing.alike) == pytest.approx(alike(whole, unit, response), rel=1e-9)
    wanted_std = whole[:, :width].std(axis=0, ddof=1)
    np.testing.assert_allclose(found.layers["a"].layer_deviations(), wanted_std, atol=1e-12)
    assert not len(found.layers["b"].layer_deviations())


def alike(whole: np.ndarray, unit: Unit, response: np.ndarray) -> dict[int, float]:
    """Correlations of at least 0.9 with units of the layer, but for the unit's own number."""
    if unit.layer != "a" or np.ptp(response) == 0:
        return {}
    varied = [k for k in range(LAYER.shape[1]) if np.ptp(whole[:, k]) > 0 and k != unit.number]
    found = {k: float(np.corrcoef(response, whole[:, k])[0, 1]) for k in varied}
    return {k: value for k, value in found.items() if abs(value) >= 0.9}
