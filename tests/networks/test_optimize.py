"""Fast forms of networks against the networks themselves, and against sums done by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numba
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.classifiers.base import ExcerptNet, initialise
from ganexplain.classifiers.compactnet import CompactNet
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.files.checkpoints import freeze_network
from ganexplain.gans.dcgan import Generator
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.fast import kernels, pooled
from ganexplain.networks.fast.few_channels import (
    ConvolutionSpec,
    RowwiseConvolution,
    few_channel_input_gradient,
)
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.fast.pooled import PooledConvolution
from ganexplain.networks.hooks import find_layer, record_outputs
from ganexplain.networks.layer_passes import run_to_layer

CPU = torch.device("cpu")
examples = settings(derandomize=True, deadline=None, max_examples=40)


pytestmark = pytest.mark.usefixtures("one_thread")


def with_gradient(network: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Output, and gradient of a weighted sum of it."""
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_(True)
    y = network(x)
    weights = torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view(y.shape)
    return y.detach(), torch.autograd.grad((y * weights).sum(), x)[0]


def check_equal(
    one: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor], x: Tensor
) -> None:
    """Outputs and input gradients are equal to 1e-5 of their size."""
    for ours, theirs in zip(with_gradient(one, x), with_gradient(other, x), strict=True):
        assert ours.shape == theirs.shape
        assert torch.isfinite(theirs).all()
        assert (ours - theirs).norm() <= 1e-5 * theirs.norm()


def freeze(network: nn.Module) -> Any:
    return network.eval().requires_grad_(False)


def svdnet() -> SVDNet:
    network = SVDNet()
    initialise(network, 0)
    return freeze_network(network, CPU)


def excerpts(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 80, 115, generator=torch.Generator().manual_seed(seed))


# --- the pooled convolution -----------------------------------------------------------------


@given(
    seed=st.integers(0, 10**6),
    batch=st.integers(1, 5),
    channels=st.tuples(st.sampled_from([1, 2, 5, 16]), st.sampled_from([1, 3, 20])),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    spare=st.tuples(st.integers(0, 7), st.integers(0, 7)),
    slope=st.sampled_from([None, 0.0, 0.01, 0.3, 1.0]),
    front=st.sampled_from([None, 0.0, 0.01]),
    bias=st.booleans(),
    step=st.sampled_from([(1, 1), (1, 1), (1, 1), (2, 1), (1, 2)]),
    always_sparse=st.booleans(),
    channels_last=st.booleans(),
)
@examples
def test_a_pooled_convolution_is_its_layers_one_after_another(
    seed: int, batch: int, channels: tuple[int, int], kernel: tuple[int, int],
    window: tuple[int, int], padding: tuple[int, int], spare: tuple[int, int],
    slope: float | None, front: float | None, bias: bool, step: tuple[int, int],
    always_sparse: bool, channels_last: bool,
) -> None:  # fmt: skip
    """Also with borders that the pool drops, many chunks, strides, and any memory layout."""
    torch.manual_seed(seed)
    layer = nn.Conv2d(*channels, kernel, padding=padding, bias=bias, stride=step[0],
                      dilation=step[1])  # fmt: skip
    first = None if front is None else nn.Conv2d(2, channels[0], 3, padding=1)
    layers = [layer, nn.MaxPool2d(window)]
    layers += [] if slope is None else [nn.LeakyReLU(slope)]
    layers[:0] = [] if first is None else [first, nn.LeakyReLU(front or 0.0)]
    plain = freeze(nn.Sequential(*layers))
    size = [step[0] * step[1] * (w + 3) + k * step[1] + s
            for w, k, s in zip(window, kernel, spare, strict=True)]  # fmt: skip
    x = torch.randn(batch, channels[0] if first is None else 2, *size)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooled, "CHUNK_BYTES", 2 * 4 * 20 * size[0] * size[1])
        if always_sparse:
            patch.setattr(pooled, "FEWEST_LANES", 0)
            patch.setattr(pooled, "SMALLEST_WINDOW", 0)
        check_equal(PooledConvolution(layer, window, slope, first, front or 0.0), plain, x)


def test_the_gradient_is_the_kernel_at_the_place_of_the_maximum() -> None:
    layer = nn.Conv2d(16, 1, 3, bias=False)
    freeze(layer)
    x = torch.zeros(1, 16, 5, 5)
    x[0, :, 2:5, 1:4] = layer.weight[0]  # the output is largest where the input is the kernel
    pooled = PooledConvolution(layer, (3, 3))
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad(2 * pooled(x).sum(), x)
    expected = torch.zeros(1, 16, 5, 5)
    expected[0, :, 2:5, 1:4] = 2 * layer.weight[0]
    assert torch.equal(gradient, expected)


@pytest.mark.parametrize("slope", [None, 0.0, 0.25])
def test_of_equal_values_the_same_one_counts_as_in_torch(slope: float | None) -> None:
    """Small whole numbers: every sum is exact, so many maxima are shared by several places."""
    torch.manual_seed(0)
    layer = freeze(nn.Conv2d(16, 4, 3))
    layer.weight.copy_(torch.randint(-1, 2, layer.weight.shape))
    layer.bias.zero_()
    x = torch.randint(-1, 2, (3, 16, 13, 14)).float() * (torch.rand(3, 1, 13, 14) < 0.2)
    rectifier = [] if slope is None else [nn.LeakyReLU(slope)]
    plain = nn.Sequential(layer, *rectifier, nn.MaxPool2d(3))
    with torch.no_grad():
        windows = functional.unfold(layer(x), 3, stride=3).view(3, 4, 9, -1)
    assert ((windows == windows.amax(2, keepdim=True)).sum(2) > 1).float().mean() > 0.1
    x = x.requires_grad_(True)
    ours, theirs = (
        torch.autograd.grad(network(x).sum(), x)[0]
        for network in (PooledConvolution(layer, (3, 3), slope), plain)
    )
    assert torch.equal(ours, theirs)


def test_a_value_that_is_not_a_number_stays_one() -> None:
    network = PooledConvolution(freeze(nn.Conv2d(16, 2, 3)), (3, 3), 0.01)
    x = torch.randn(2, 16, 8, 8)
    x[0, 3, 4, 4] = torch.nan
    y, gradient = with_gradient(network, x)
    assert y[0].isnan().any() and not y[1].isnan().any() and not gradient[1].isnan().any()
    weights = torch.full((2, 2, 2, 2), torch.nan)
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad((network(x) * weights).sum(), x)
    assert gradient.isnan().any()


def test_two_threads_give_what_one_gives() -> None:
    network = PooledConvolution(freeze(nn.Conv2d(16, 8, 3)), (3, 3), 0.01)
    x = torch.randn(5, 16, 20, 20)
    alone = with_gradient(network, x)
    torch.set_num_threads(2)
    together = with_gradient(network, x)
    torch.set_num_threads(1)
    assert all(
        torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(alone, together, strict=True)
    )


def refuse(*arguments: object) -> None:
    raise AssertionError("the sparse loop was called")


@pytest.mark.parametrize("case", ["double", "no numba", "weights learn", "bfloat16"])
def test_where_the_sparse_loop_does_not_fit_the_layers_compute(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = nn.Conv2d(16, 8, 3).requires_grad_(case == "weights learn")
    x = torch.randn(2, 16, 11, 11)
    if case == "double":
        layer, x = layer.double(), x.double()
    if case == "bfloat16":
        layer, x = layer.bfloat16(), x.bfloat16()
    if case == "no numba":
        monkeypatch.setattr(pooled, "has_numba", lambda: False)
    monkeypatch.setattr(kernels, "input_gradient", refuse)
    plain = nn.Sequential(layer, nn.MaxPool2d(3), nn.LeakyReLU(0.1))
    check_equal(PooledConvolution(layer, (3, 3), 0.1), plain, x)
    if case == "weights learn":
        PooledConvolution(layer, (3, 3), 0.1)(x).sum().backward()
        assert layer.weight.grad is not None


def test_code_is_compiled_too_where_no_cache_can_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []

    def njit(cache: bool = False, **options: object) -> Any:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    assert kernels._compiled(refuse) is refuse and asked == [True, False]


# --- thin convolutions ----------------------------------------------------------------------


@given(
    seed=st.integers(0, 10**6),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 5)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 3)),
)
@examples
def test_the_gradient_by_shifted_planes_is_autograd_s(
    seed: int, channels: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int],
    padding: tuple[int, int], dilation: tuple[int, int],
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    module = freeze(nn.Conv2d(*channels, kernel, stride, padding, dilation))
    x = torch.randn(2, channels[0], 12, 15, requires_grad=True)
    y = module(x)
    assert tuple(y.shape[2:]) == ConvolutionSpec.from_module(module).output_size(12, 15)
    gradient = torch.randn_like(y)
    (expected,) = torch.autograd.grad(y, x, gradient)
    found = few_channel_input_gradient(gradient, x.shape, ConvolutionSpec.from_module(module))
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)


@given(
    seed=st.integers(0, 10**6),
    channels=st.integers(2, 9),
    kernel=st.tuples(st.integers(2, 5), st.integers(1, 5)),
    padding=st.tuples(st.integers(0, 6), st.integers(0, 3)),
    bias=st.booleans(),
)
@examples
def test_a_convolution_by_rows_is_the_convolution(
    seed: int, channels: int, kernel: tuple[int, int], padding: tuple[int, int], bias: bool
) -> None:
    torch.manual_seed(seed)
    module = freeze(nn.Conv2d(channels, 1, kernel, padding=padding, bias=bias))
    check_equal(RowwiseConvolution(module), module, torch.randn(3, channels, 6, 7))


def test_under_autocast_the_layers_compute() -> None:
    x = torch.randn(2, 16, 11, 11)
    pooled, single = freeze(nn.Conv2d(16, 8, 3)), freeze(nn.Conv2d(16, 1, 3))
    with torch.autocast("cpu", torch.bfloat16):
        check_equal(PooledConvolution(pooled, (3, 3)), nn.Sequential(pooled, nn.MaxPool2d(3)), x)
        check_equal(RowwiseConvolution(single), single, x)


# --- whole networks -------------------------------------------------------------------------


class Attributes(nn.Module):
    """Chains as attributes and as functions, with a branch that must not be swallowed."""

    def __init__(self, slope: float, functions: bool, branch: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 8, 3, padding=1)
        self.rectifier, self.pool = nn.LeakyReLU(slope), nn.MaxPool2d(3)
        self.third, self.last = nn.Conv2d(8, 4, 2), nn.Linear(4, 3)
        self.slope, self.functions, self.branch = slope, functions, branch

    def forward(self, x: Tensor) -> Tensor:
        before = self.second(functional.leaky_relu(self.first(x), self.slope))
        x = self.pool(self.rectifier(before))
        if self.functions:
            x = functional.relu(functional.max_pool2d(self.third(x), (2, 1), stride=(2, 1)))
        else:
            x = self.third(x)
        if self.branch:
            x = x + before.mean()
        return self.last(x.mean((2, 3)))


@given(
    seed=st.integers(0, 10**6),
    widths=st.lists(st.sampled_from([1, 4, 16]), min_size=1, max_size=3),
    windows=st.lists(st.sampled_from([(1, 1), (2, 2), (3, 3), (2, 3)]), min_size=3, max_size=3),
    slope=st.sampled_from([-0.1, 0.0, 0.01, 0.5]),
    pool_first=st.booleans(),
    size=st.tuples(st.integers(53, 60), st.integers(53, 60)),
    batch=st.integers(1, 4),
)
@examples
def test_random_sequences_keep_outputs_and_gradients(
    seed: int, widths: list[int], windows: list[tuple[int, int]], slope: float,
    pool_first: bool, size: tuple[int, int], batch: int,
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    blocks = []
    for (inputs, outputs), window in zip(pairwise([1, *widths]), windows, strict=False):
        pool = [nn.MaxPool2d(window), nn.Dropout(0.5)]
        rectifier: list[nn.Module] = [nn.ReLU() if slope == 0 else nn.LeakyReLU(slope)]
        both = [*pool, *rectifier] if pool_first else [*rectifier, *pool]
        blocks.append(nn.Sequential(nn.Conv2d(inputs, outputs, 3), *both))
    network = freeze(nn.Sequential(*blocks, nn.Flatten()))
    x = torch.randn(batch, 1, *size)
    fast = optimize_frozen(network, x)
    pooled = sum(isinstance(m, PooledConvolution) for m in fast.modules())
    rectifiers = sum(isinstance(m, nn.ReLU | nn.LeakyReLU) for m in fast.modules())
    # A rectifier of negative slope is not monotone and must stay where it is.
    assert pooled == (len(blocks) if slope >= 0 or pool_first else 0)
    assert rectifiers == (0 if slope >= 0 else len(blocks))
    check_equal(fast, network, x)


@pytest.mark.parametrize("functions", [False, True])
@pytest.mark.parametrize("branch", [False, True])
@pytest.mark.parametrize("slope", [0.0, 0.2, -0.2])
def test_attributes_functions_and_branches(functions: bool, branch: bool, slope: float) -> None:
    torch.manual_seed(1)
    network = freeze(Attributes(slope, functions, branch))
    x = torch.randn(2, 1, 17, 20)
    fast = optimize_frozen(network, x)
    pooled = sum(isinstance(m, PooledConvolution) for m in fast.modules())
    # A branch reads the second convolution; a negative slope is not monotone.
    assert pooled == (not branch and slope >= 0) + functions
    check_equal(fast, network, x)


@pytest.mark.parametrize("make", [SVDNet, CompactNet])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_shipped_classifiers(make: type[ExcerptNet], batch: int) -> None:
    network = make()
    initialise(network, 0)
    freeze_network(network, CPU)
    names, x = list(named_layers(network)), excerpts(batch)
    fast = optimize_frozen(network, excerpts(4, seed=1))
    assert sum(isinstance(m, PooledConvolution) for m in fast.modules()) == 2
    check_equal(fast, network, x)
    assert with_gradient(network, x)[1].norm() > 1e-3  # else the line above says little
    assert list(named_layers(network)) == names
    ours = {p.data_ptr() for p in fast.parameters()}
    assert ours == {p.data_ptr() for p in network.parameters()}


def test_a_generator_is_the_same_with_convolutions_row_by_row() -> None:
    torch.manual_seed(0)
    generator = freeze_network(Generator(), CPU)
    latent = torch.randn(3, 128)
    fast = optimize_frozen(generator, latent)
    assert any(isinstance(m, RowwiseConvolution) for m in fast.modules())
    check_equal(fast, generator, latent)


def output_of(network: nn.Module, layer: str) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        with record_outputs(network, {"layer": find_layer(network, layer)}) as outputs:
            network(x)
        return outputs["layer"].flatten(1)

    return run


@pytest.mark.parametrize("layer", list(named_layers(SVDNet())))
def test_every_layer_can_be_explained(layer: str) -> None:
    network, x = svdnet(), excerpts(1)
    fast = optimize_frozen(network, x, keep=[layer])
    check_equal(output_of(fast, layer), output_of(network, layer), x)
    with run_to_layer(fast, find_layer(fast, layer)) as respond:
        respond(x)
        check_equal(lambda x: respond(x).flatten(1), output_of(network, layer), x)


def test_layers_outside_of_chains_and_kept_containers_can_be_looked_up() -> None:
    network = CompactNet()
    initialise(network, 0)
    freeze_network(network, CPU)
    x = excerpts(2)
    fast = optimize_frozen(network, x, keep=["times", "pool1"])
    assert fast is not network
    for layer in ("times", "pool1", "act1", "conv3", "act2", "drop8", "fc9"):
        check_equal(output_of(fast, layer), output_of(network, layer), x)


class Undecided(nn.Module):
    """What it computes depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(3), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.chain(x) if x.mean() > 0 else x


@pytest.mark.parametrize("case", ["data", "hook", "training", "learning", "nothing to do"])
def test_what_cannot_be_rewritten_is_returned_as_it_is(case: str) -> None:
    network = freeze(Undecided())
    if case != "data":
        network = network.chain
    if case == "hook":
        network[1].register_forward_hook(lambda module, inputs, output: output + 1)
    if case == "training":
        network.train()
    if case == "learning":
        network.requires_grad_(True)
    if case == "nothing to do":
        network = network[:1]
    x = torch.randn(2, 1, 12, 12)
    assert optimize_frozen(network, x) is network


class Both(nn.Sequential):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(x), x


def test_a_network_of_several_outputs_is_returned_as_it_is() -> None:
    network = freeze(Both(nn.Conv2d(1, 2, 3), nn.MaxPool2d(3), nn.ReLU()))
    assert optimize_frozen(network, torch.randn(2, 1, 12, 12)) is network


def test_a_form_that_computes_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = svdnet(), excerpts(2)
    right = kernels.input_gradient

    def wrong(*arguments: Any) -> None:
        right(*arguments)
        arguments[7][:, :, -64:] *= 0.5

    monkeypatch.setattr(kernels, "input_gradient", wrong)
    assert optimize_frozen(network, x) is network
    monkeypatch.undo()
    assert optimize_frozen(network, x) is not network


# --- early stop -----------------------------------------------------------------------------


def test_nothing_behind_the_layer_is_computed() -> None:
    network, x = svdnet(), excerpts(1)
    called: list[str] = []
    for name in ("conv4", "act4", "conv5", "fc9"):
        find_layer(network, name).module.register_forward_hook(
            lambda module, inputs, output, name=name: called.append(name)
        )
    expected = output_of(network, "conv4")(x)
    with run_to_layer(network, find_layer(network, "conv4")) as respond:
        respond(x)
        called.clear()
        assert torch.equal(respond(x).flatten(1), expected)
        assert called == ["conv4"]
        assert network(x).shape == (1, 1) and called[-1] == "fc9"  # outside it runs to the end
    assert len(network.conv4._forward_hooks) == 1  # the one from above


class Twice(nn.Module):
    """One layer called twice, one never, and a handler that swallows every error."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.unused = nn.Linear(3, 3), nn.Linear(3, 3)
        self.behind = 0

    def forward(self, x: Tensor) -> Tensor:
        try:
            x = self.layer(self.layer(x))
        except Exception:
            x = torch.zeros(())
        self.behind += 1
        return x


def test_of_a_layer_called_twice_the_last_output_counts() -> None:
    network, x = Twice(), torch.randn(2, 3)
    with run_to_layer(network, find_layer(network, "layer")) as respond:
        for _ in range(3):
            assert torch.equal(respond(x), network.layer(network.layer(x)))
    assert network.behind == 1  # the first pass, which counts


def test_a_layer_that_is_not_reached_is_said() -> None:
    network = Twice()
    with (
        run_to_layer(network, find_layer(network, "unused")) as respond,
        pytest.raises(RuntimeError, match="did not reach the requested layer"),
    ):
        respond(torch.randn(2, 3))
