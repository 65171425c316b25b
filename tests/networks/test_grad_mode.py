"""Networks that switch gradients off: they are explained as if they did not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils import checkpoint

from ganexplain.attribution.methods.grad_cam import grad_cam
from ganexplain.attribution.scorer import Scorer
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call
from ganexplain.networks.calling.grad_mode import watch_grad_mode
from ganexplain.networks.hooks import layer_output
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.target import adapt_network


def mel() -> Tensor:
    return torch.randn(3, 80, 115, generator=torch.Generator().manual_seed(1))


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv1d(80, 4, 5, stride=3), nn.Linear(4, 2)

    def features(self, x: Tensor) -> Tensor:
        return torch.tanh(self.conv(x)).mean(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x))


class Inside(Plain):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            hidden = self.features(x)
        return self.fc(hidden)


class Decorated(Plain):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Inference(Plain):
    def features(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            return super().features(x)


class DecoratedInference(Plain):
    @torch.inference_mode()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Switching(Plain):
    def forward(self, x: Tensor) -> Tensor:
        before = torch.is_grad_enabled()
        torch.set_grad_enabled(False)
        try:
            return super().forward(x)
        finally:
            torch.set_grad_enabled(before)


class Nested(Plain):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            with torch.enable_grad():
                x = x * 1
            with torch.set_grad_enabled(False):
                return super().forward(x)


class Alone(Inside):
    """Takes one input a pass."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.view(1, 80, 115))


def made(kind: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(3)
    return kind().eval()


def exported(folder: Path) -> nn.Module:
    path = folder / "network.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        free = ({0: torch.export.Dim("batch")},)
        torch.export.save(
            torch.export.export(made(Inside), (torch.zeros(2, 80, 115),), dynamic_shapes=free), path
        )
    return load_network(str(path))


KINDS = [Inside, Decorated, Inference, DecoratedInference, Switching, Nested, Alone]


def adapted(network: nn.Module) -> nn.Module:
    return adapt_network(network, FrontEnd(), None, Call(), torch.device("cpu")).network


def output_and_gradient(network: nn.Module, layer: str) -> tuple[Tensor, Tensor]:
    x = mel().requires_grad_(True)
    with layer_output(network, layer) as run:
        output = run(x)
        with torch.no_grad():
            torch.testing.assert_close(run(mel()), output)
    return output, torch.autograd.grad(output.square().sum(), x)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_network_without_the_switch(kind: type[nn.Module]) -> None:
    before = torch._C._set_grad_enabled, torch._C._InferenceMode
    found, wanted = adapted(made(kind)), adapted(made(Plain))
    for layer in ("conv", "output"):
        pairs = [output_and_gradient(each, layer) for each in (found, wanted)]
        torch.testing.assert_close(*pairs)
    maps = [grad_cam(each, Scorer(each, 1), mel()[0], "conv") for each in (found, wanted)]
    torch.testing.assert_close(*maps)
    assert (torch._C._set_grad_enabled, torch._C._InferenceMode) == before


def test_so_are_those_of_a_file_of_torch_export(tmp_path: Path) -> None:
    pairs = [
        output_and_gradient(adapted(each), "output") for each in (exported(tmp_path), made(Plain))
    ]
    torch.testing.assert_close(*pairs)


class ThroughNumpy(Plain):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.from_numpy(x.numpy() * 1))


def test_values_of_a_network_that_leaves_torch_stay_the_same() -> None:
    output = adapted(made(ThroughNumpy))(mel().requires_grad_(True))
    torch.testing.assert_close(output, made(Plain)(mel()).detach())
    assert not output.requires_grad


def test_other_threads_switch_gradients_off_as_ever() -> None:
    def in_a_thread() -> bool:
        with torch.no_grad():
            return torch.is_grad_enabled()

    with watch_grad_mode(ignore=True), ThreadPoolExecutor(1) as pool:
        with torch.no_grad():
            assert torch.is_grad_enabled()
        assert not pool.submit(in_a_thread).result()
        with torch.inference_mode():
            assert not torch.is_inference_mode_enabled()
    with torch.no_grad(), torch.inference_mode():
        assert torch.is_inference_mode_enabled() and not torch.is_grad_enabled()


class Checkpointed(Plain):
    def features(self, x: Tensor) -> Tensor:
        found: Tensor = checkpoint.checkpoint(super().features, x, use_reentrant=True)
        return found


def test_reentrant_checkpoints_change_neither_values_nor_gradients() -> None:
    torch.manual_seed(0)
    network, x = Checkpointed().eval(), mel().requires_grad_()
    found = adapt_network(network, FrontEnd(), None, Call(), torch.device("cpu")).network
    hidden = torch.tanh(network.conv(x))
    expected = network.fc(hidden.mean(2))
    output = found(x)
    torch.testing.assert_close(output, expected)
    (wanted,) = torch.autograd.grad(expected[:, 1].sum(), x, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(output[:, 1].sum(), x)[0], wanted)
    with layer_output(found, "conv") as run:
        convolved = run(x)
        torch.testing.assert_close(convolved, network.conv(x))
        (wanted,) = torch.autograd.grad(network.conv(x)[:, 2].sum(), x)
        torch.testing.assert_close(torch.autograd.grad(convolved[:, 2].sum(), x)[0], wanted)
    area = grad_cam(found, Scorer(found, 1), x[0].detach(), "conv")
    value = network.conv(x[:1]).detach().requires_grad_()
    logit = network.fc(torch.tanh(value).mean(2))[0, 1]
    weights = torch.autograd.grad(logit, value)[0].mean(2)
    map_by_hand = torch.relu((weights[..., None] * value).sum(1)).detach()
    torch.testing.assert_close(area, map_by_hand)
    assert checkpoint.CheckpointFunction.__module__ == "torch.utils.checkpoint"
