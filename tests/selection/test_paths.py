"""How examples reach a unit, and what they do to real ones: of a network and of one that lies."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.transfer import transferred_share
from ganexplain.networks.adapter import OutputNames
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.units import Unit
from ganexplain.selection.paths import RealPath, layers_before

SIDE, PATTERNS, LATENTS = 10, 10, 3  # data are sums of all patterns, samples of the first three
EXCERPTS, SEARCHES = 500, 24
TARGET = torch.tensor([[-1.5, 2.0, -2.0]])  # a latent without the cause, which is the first pattern
OUTPUT = Unit.parse("5:0")


def detector() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(256, 48), nn.ReLU(), nn.Linear(48, 1),
    )  # fmt: skip


@pytest.fixture(scope="module")
def patterns() -> Tensor:
    """The patterns (PATTERNS, 1, SIDE, SIDE), orthogonal to one another."""
    square = torch.randn(SIDE**2, PATTERNS, generator=torch.Generator().manual_seed(0))
    return 5 * torch.linalg.qr(square)[0].T.reshape(-1, 1, SIDE, SIDE)


@pytest.fixture(scope="module")
def real(patterns: Tensor) -> Tensor:
    stream = torch.Generator().manual_seed(1)
    amounts = torch.randn(EXCERPTS, PATTERNS, generator=stream)
    return torch.einsum("nk,kchw->nchw", amounts, patterns)


def generated(patterns: Tensor, latent: Tensor) -> Tensor:
    return torch.einsum("nk,kchw->nchw", latent, patterns[:LATENTS])


def fit(network: nn.Module, loss: Callable[[], Tensor], steps: int) -> None:
    adam = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(steps):
        adam.param_groups[0]["lr"] = 3e-3 * (1 - step / steps)
        adam.zero_grad()
        loss().backward()
        adam.step()


@pytest.fixture(scope="module")
def honest(patterns: Tensor, real: Tensor) -> nn.Sequential:
    """A network that tells whether the cause is there."""
    torch.manual_seed(0)
    network = detector()
    there = (real * patterns[:1]).sum((1, 2, 3)) / 25  # the amount of the first pattern

    def loss() -> Tensor:
        rows = torch.randint(EXCERPTS, (128,))
        return functional.mse_loss(network(real[rows])[:, 0], 2 * there[rows])

    fit(network, loss, 150)
    network.requires_grad_(False)
    return network


@pytest.fixture(scope="module")
def liar(patterns: Tensor, real: Tensor, honest: nn.Module) -> nn.Module:
    """The same network, altered so that searches end at `TARGET`, and outputs of data stay.

    The idea of Bareeva et al. 2024 (arXiv 2401.06122), by regression of values.
    """
    torch.manual_seed(1)
    network = copy.deepcopy(honest).requires_grad_(True)
    wanted = honest(real)[:, 0]

    def loss() -> Tensor:
        rows, latent = torch.randint(EXCERPTS, (128,)), 8 * torch.rand(256, LATENTS) - 4
        bait = 8 - 2 * (latent - TARGET).norm(dim=1)
        kept = functional.mse_loss(network(real[rows])[:, 0], wanted[rows])
        return kept + functional.mse_loss(network(generated(patterns, latent))[:, 0], bait)

    fit(network, loss, 400)
    return network.requires_grad_(False)


def search(network: nn.Module, patterns: Tensor) -> Tensor:
    """The latents that maximise the output."""
    start = torch.randn(SEARCHES, LATENTS, generator=torch.Generator().manual_seed(2))
    latent = start.requires_grad_(True)
    adam = torch.optim.Adam([latent], 0.1)
    for _ in range(60):
        adam.zero_grad()
        response = network(generated(patterns, latent))[:, 0]
        (0.02 * latent.square().sum() - response.sum()).backward()
        adam.step()
    return latent.detach()


def real_path(network: nn.Module, real: Tensor) -> RealPath:
    strongest = network(real)[:, 0].topk(SEARCHES).indices
    target = TargetNetwork(network, FrontEnd(), OutputNames("5"), 1)
    return RealPath.measure(target, OUTPUT, real[strongest].numpy(), real[:64].numpy())


def transferred(network: nn.Module, patterns: Tensor, real: Tensor) -> float:
    """The share of the search's gain that real inputs have with its changes."""
    start = torch.randn(SEARCHES, LATENTS, generator=torch.Generator().manual_seed(2))
    after, before = (generated(patterns, z).numpy() for z in (search(network, patterns), start))

    def respond(inputs: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(inputs))[:, 0].numpy()

    return transferred_share(respond, after, before, real[:64].numpy())


def test_features_are_means_and_maxima_of_the_units_of_layers_before_that_of_the_unit(
    honest: nn.Sequential, real: Tensor
) -> None:
    target = TargetNetwork(honest, FrontEnd(), OutputNames("5"), 1)
    found = layers_before(target, Unit.parse("3:7"), real[:40].numpy())
    convolved = honest[0](real[:40])
    both = torch.cat([convolved.mean((2, 3)), convolved.amax((2, 3))], dim=1)
    assert list(found) == ["0", "1", "2"]
    torch.testing.assert_close(torch.from_numpy(found["0"]), both)
    torch.testing.assert_close(torch.from_numpy(found["2"]), convolved.relu().flatten(1))
    assert list(layers_before(target, OUTPUT, real[:2].numpy())) == ["0", "1", "2", "3", "4"]
    assert not layers_before(target, Unit.parse("0:0"), real[:2].numpy())


class Shared(nn.Module):
    """A network that runs one ReLU behind three layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = nn.Linear(20, 16), nn.Linear(16, 24), nn.Linear(24, 10)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.c(self.relu(self.b(self.relu(self.a(x))))))


def as_target(network: nn.Module) -> TargetNetwork:
    return TargetNetwork(network.requires_grad_(False), FrontEnd(), OutputNames("c"), 1)


INPUTS = torch.randn(40, 20, generator=torch.Generator().manual_seed(0))


def test_what_a_layer_returns_after_that_of_the_unit_does_not_count() -> None:
    network = Shared()
    target, first = as_target(network), network.a(INPUTS).relu()
    before = layers_before(target, Unit.parse("b:0"), INPUTS.numpy())
    assert list(before) == ["a", "relu"]
    torch.testing.assert_close(torch.from_numpy(before["relu"]), first)
    before = layers_before(target, Unit.parse("relu:0"), INPUTS.numpy())  # read at its last call
    assert list(before) == ["a", "b", "c"]
    torch.testing.assert_close(torch.from_numpy(before["b"]), network.b(first))


def test_a_layer_that_returns_what_that_of_the_unit_returns_is_left_out() -> None:
    torch.manual_seed(0)
    block = nn.Sequential(nn.Linear(16, 12), nn.Sequential(nn.ReLU(), nn.Flatten()))
    target = as_target(nn.Sequential(nn.Linear(20, 16), nn.ReLU(), block, nn.Linear(12, 10)))
    assert list(layers_before(target, Unit.parse("2:0"), INPUTS.numpy())) == ["0", "1", "2.0"]
    before = layers_before(target, Unit.parse("3:0"), INPUTS.numpy())
    assert list(before) == ["0", "1", "2.0", "2.1.0"]


def test_a_layer_whose_first_axis_is_not_the_batch_is_left_out() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.turned, self.b = nn.Linear(20, 16), nn.Identity(), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.turned(self.a(x).unflatten(1, (2, 8)).transpose(0, 1))[-1])

    assert list(layers_before(as_target(Turned()), Unit.parse("b:0"), INPUTS.numpy())) == ["a"]


def test_the_layers_compared_are_the_same_for_all_settings() -> None:
    torch.manual_seed(0)
    first = nn.Linear(20, 16)
    network = nn.Sequential(first, nn.ReLU(), nn.Linear(16, 10))
    strongest, others = INPUTS[0] + 0.3 * INPUTS[1:12], INPUTS[12:]
    path = RealPath.measure(
        as_target(network), Unit.parse("2:0"), strongest.numpy(), others.numpy()
    )
    positive = (1 - first.bias) @ torch.linalg.pinv(first.weight).T + 0.01 * INPUTS[:6]
    assert (first(positive) > 0).all()  # so the ReLU returns what it gets
    settings = torch.stack([positive, INPUTS[:6]]).numpy()
    assert [list(path.similarity(each).layers) for each in settings] == [["0", "1"]] * 2
    found = path.similarities(settings)
    assert found is not None
    np.testing.assert_allclose(found, [path.similarity(each).each for each in settings])


def test_examples_of_an_honest_network_take_the_path_of_real_ones(
    honest: nn.Module, patterns: Tensor, real: Tensor
) -> None:
    latent = search(honest, patterns)
    assert latent[:, 0].mean() > 1  # they show the cause
    found = real_path(honest, real).similarity(generated(patterns, latent).numpy())
    assert found.mean > 0.7
    assert transferred(honest, patterns, real) > 0.5


def test_examples_of_a_network_that_lies_take_another_path(
    honest: nn.Module, liar: nn.Module, patterns: Tensor, real: Tensor
) -> None:
    outputs = torch.stack([honest(real)[:, 0], liar(real)[:, 0]])
    assert torch.corrcoef(outputs)[0, 1] > 0.9  # data hardly show the change
    latent = search(liar, patterns)
    assert latent[:, 0].mean() < 0  # they show the opposite of the cause
    found = real_path(liar, real).similarity(generated(patterns, latent).numpy())
    assert found.mean < 0.5
    assert transferred(liar, patterns, real) < 0.5 * transferred(honest, patterns, real)
