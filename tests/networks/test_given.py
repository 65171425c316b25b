"""Networks given as objects in Python: their names tell apart what computes something else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from torch import nn

from ganexplain.networks.loaders.given import GivenNetwork


def with_constant(gain: float) -> Callable[[np.ndarray], np.ndarray]:
    def one(x: np.ndarray) -> np.ndarray:
        return x * 1.0

    def two(x: np.ndarray) -> np.ndarray:
        return x * 2.0

    one.__name__ = one.__qualname__ = two.__name__ = two.__qualname__ = "network"
    return one if gain == 1.0 else two


def with_closure(gain: float) -> Callable[[np.ndarray], np.ndarray]:
    weights = np.full((2, 3), gain)
    return lambda x: x @ weights


def with_default(gain: float) -> Callable[[np.ndarray], np.ndarray]:
    def network(x: np.ndarray, gain: float = gain) -> np.ndarray:
        return x * gain

    return network


def with_module(gain: float) -> Callable[[np.ndarray], np.ndarray]:
    layer = nn.Linear(2, 2)
    nn.init.constant_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return lambda x: layer(x)


def with_helper(gain: float) -> Callable[[np.ndarray], np.ndarray]:
    def helper(x: np.ndarray) -> np.ndarray:
        return x * gain

    return lambda x: helper(x)


def with_class(gain: float) -> Callable[[np.ndarray], np.ndarray]:
    class Network:
        @property
        def gain(self) -> float:
            return gain

        def __call__(self, x: np.ndarray) -> np.ndarray:
            return x * self.gain

    return Network()


class Scaled:
    def __init__(self, gain: float) -> None:
        self.gain = gain

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x * self.gain

    def scale(self, x: np.ndarray) -> np.ndarray:
        return x * self.gain


def with_partial(gain: float) -> Callable[[np.ndarray], np.ndarray]:
    return partial(np.multiply, gain)


def with_method(gain: float) -> Callable[[np.ndarray], np.ndarray]:
    return Scaled(gain).scale


KINDS = [
    with_constant, with_closure, with_default, with_module, with_helper, with_class, with_partial,
    with_method, Scaled,
]  # fmt: skip


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_functions_that_compute_something_else_have_other_names(
    make: Callable[[float], Callable[[np.ndarray], np.ndarray]],
) -> None:
    assert GivenNetwork(make(1.0)) == GivenNetwork(make(1.0)) != GivenNetwork(make(2.0))


PROGRAM = """
import numpy as np
from ganexplain.networks.loaders.given import GivenNetwork
GAIN = {gain}
class Scaled:
    def __call__(self, x):
        return again(x, 3) * GAIN
def again(x, times):
    return again(x, times - 1) if times else np.asarray(x) + {added}
print(GivenNetwork(lambda x: again(x, 2) * GAIN), GivenNetwork(Scaled()))
"""


def test_a_program_that_is_edited_has_other_networks() -> None:
    def names(gain: float, added: float) -> list[str]:
        space: dict[str, object] = {"__name__": "__main__"}
        lines: list[str] = []
        code = PROGRAM.replace("print(", "found(").format(gain=gain, added=added)
        exec(code, space | {"found": lambda *each: lines.extend(map(str, each))})
        return lines

    first = names(1.0, 0.0)
    assert names(1.0, 0.0) == first
    for other in (names(2.0, 0.0), names(1.0, 1.0)):
        assert all(one != two for one, two in zip(first, other, strict=True))


def test_a_function_that_cannot_be_hashed_has_a_name_of_its_own() -> None:
    def make() -> Callable[[np.ndarray], np.ndarray]:
        lock = threading.Lock()
        return lambda x: x if lock else -x

    one, other = make(), make()
    assert GivenNetwork(one) == GivenNetwork(one) != GivenNetwork(other)
