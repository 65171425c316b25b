"""What responses share with outputs and with other units, against numpy's own least squares."""

from __future__ import annotations

import numpy as np
import pytest

from ganexplain.errors import GanexplainError
from ganexplain.files.fields import Fields
from ganexplain.metrics.moments import Moments
from ganexplain.metrics.regression import explained_share, residual
from ganexplain.metrics.sharing import ALL, Regressors, Sharing

OUTPUTS = np.random.default_rng(0).normal(size=(400, 3)) * (1, 5, 0.1)
DETECTOR = np.random.default_rng(1).normal(size=400)


def regressors(outputs: np.ndarray) -> np.ndarray:
    return Regressors.of([outputs])(outputs)


def explained(response: np.ndarray, outputs: np.ndarray = OUTPUTS) -> float:
    return float(explained_share(response, regressors(outputs)))


def powers(outputs: np.ndarray) -> np.ndarray:
    """An independent basis of the same curves."""
    return np.column_stack([np.ones(len(outputs)), outputs, outputs**2, outputs**3])


def test_a_combination_of_the_outputs_is_explained_whole() -> None:
    assert explained(OUTPUTS @ [2, -1, 3] + 5) == pytest.approx(1)
    assert regressors(OUTPUTS).shape[1] == 9


def test_the_share_is_the_squared_multiple_correlation() -> None:
    response = OUTPUTS @ [1, 0.1, 0] + DETECTOR
    basis = powers(OUTPUTS)
    fit = basis @ np.linalg.lstsq(basis, response, rcond=None)[0]
    assert explained(response) == pytest.approx(np.corrcoef(fit, response)[0, 1] ** 2)
    np.testing.assert_allclose(residual(response, regressors(OUTPUTS)), response - fit, atol=1e-9)


def test_a_curve_of_an_output_is_explained_too() -> None:
    output = OUTPUTS[:, 0]
    assert explained(output**3 - 2 * output**2) >= ALL
    rectified = np.maximum(output, 0.1 * output)
    line = np.corrcoef(output, rectified)[0, 1] ** 2
    assert explained(rectified) > 0.95 > line + 0.1


def test_excerpts_that_are_too_few_fit_lines_alone() -> None:
    assert regressors(OUTPUTS[:59]).shape[1] == 3
    assert regressors(OUTPUTS[:60]).shape[1] == 6
    assert regressors(OUTPUTS[:90]).shape[1] == 9


def test_an_independent_detector_is_hardly_explained() -> None:
    assert explained(DETECTOR) < 0.06
    assert explained(np.ones(400)) == 0


def test_many_outputs_stand_for_no_more_numbers_than_the_excerpts_can_fit() -> None:
    random = np.random.default_rng(2)
    outputs = np.concatenate([OUTPUTS @ random.normal(size=(3, 197)), np.ones((400, 3))], axis=1)
    numbers = regressors(outputs)
    assert numbers.shape == (400, 40)
    assert explained_share(OUTPUTS[:, 0], numbers) > 0.999
    noise = random.normal(size=(400, 399))  # they would fit anything
    assert explained(DETECTOR, noise) < 0.3


def test_numbers_are_the_same_of_outputs_in_blocks() -> None:
    outputs = np.concatenate([OUTPUTS, np.ones((400, 1)), np.random.rand(400, 60)], axis=1)
    for some in (OUTPUTS, outputs):  # curves, and principal components
        whole, split = regressors(some), Regressors.of(np.split(some, [7, 8, 300]))(some)
        np.testing.assert_allclose(np.abs(split), np.abs(whole), rtol=1e-9, atol=1e-12)


def test_units_alike_are_those_of_a_large_correlation_either_way() -> None:
    noise = np.random.default_rng(2).normal(size=(2, 400))
    layer = np.column_stack(
        [DETECTOR, 3 - DETECTOR, DETECTOR + noise[0], np.ones(400), DETECTOR + 0.1 * noise[1]]
    )
    moments = Moments(5, [0])
    moments.add(layer)
    found = Sharing.of(moments.correlations(0), 0, 0.5, (400, 3))
    assert list(found.alike) == [1, 4] and (found.excerpts, found.numbers) == (400, 3)
    wanted = [np.corrcoef(DETECTOR, layer[:, k])[0, 1] for k in (1, 4)]
    np.testing.assert_allclose(list(found.alike.values()), wanted)


def test_it_is_read_as_it_was_written() -> None:
    found = Sharing(400, 3, 0.5, {7: 0.99, 2: -0.9})
    assert Sharing.from_json(Fields("", {"s": found.to_json()}), "s") == found
    assert Sharing.from_json(Fields("", {}), "s") is None


@pytest.mark.parametrize("name, value", [("explained", 2), ("alike", {"x": 1}), ("numbers", "3")])
def test_impossible_fields_are_named(name: str, value: object) -> None:
    spoilt = Sharing(400, 3, 0.5, {}).to_json() | {name: value}
    with pytest.raises(GanexplainError, match=name):
        Sharing.from_json(Fields("", {"s": spoilt}), "s")
