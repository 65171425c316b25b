"""The form in which a classifier is trained, and the plain network that computes the same.

Batch normalisation helps training, zero-mean filters help level invariance; for inference both are
an affine map of the weights, so the plain architecture is explained and shipped.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import fusion

from ganexplain.classifiers.base import ExcerptNet

Net = TypeVar("Net", bound=ExcerptNet)
ROUNDING = 1e-4  # of a sum of float32, relative to its terms


class Normalised(nn.Sequential):
    """A convolution and the batch normalisation behind it."""


class ZeroMeanConv2d(nn.Conv2d):
    """A convolution whose filters sum to zero for any weights."""

    def zero_mean_weight(self) -> Tensor:
        """The filters (O, I, H, W) that are used."""
        return self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, O, F', T') of maps (B, I, F, T), no padding."""
        return functional.conv2d(x, self.zero_mean_weight(), self.bias)


def add_batch_norm(network: Net) -> Net:
    """Add batch normalisation to all convolutions, in place (Ioffe & Szegedy 2015).

    Fully connected layers get none: they are behind dropout, whose noise changes the statistics
    (Li et al. 2019, the variance shift).
    """
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.Conv2d):
            _replace(network, name, Normalised(layer, nn.BatchNorm2d(layer.out_channels)))
    return network


def use_zero_mean_filters(network: Net) -> Net:
    """Make the first convolution independent of level, in place (Schlueter & Lehner 2018).

    A gain is a constant in log-mel, to which filters with zero mean do not respond. All bands get
    the same deviation; otherwise the constant would differ between them.
    """
    network.deviation.fill_(network.deviation.square().mean().sqrt().item())
    layer = network.get_submodule("conv1")
    assert isinstance(layer, nn.Conv2d)
    _replace(network, "conv1", _like(layer, ZeroMeanConv2d, layer.weight))
    return network


def hears_level(network: ExcerptNet) -> bool:
    """Whether a network in its plain form depends on gain: its first filters do not sum to zero."""
    layer = network.get_submodule("conv1")
    assert isinstance(layer, nn.Conv2d)
    filters = layer.weight.detach().flatten(1)
    return bool((filters.sum(1).abs() > ROUNDING * filters.abs().sum(1)).any())


@torch.no_grad()
def to_plain_form(network: Net) -> Net:
    """A copy in eval mode that computes the same without the training form."""
    network = copy.deepcopy(network).eval()
    for name, module in list(network.named_modules()):
        if isinstance(module, ZeroMeanConv2d):
            _replace(network, name, _like(module, nn.Conv2d, module.zero_mean_weight()))
    for name, module in list(network.named_modules()):
        if isinstance(module, Normalised):
            conv, norm = module
            assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            _replace(network, name, fusion.fuse_conv_bn_eval(conv, norm))
    return network


def _like(layer: nn.Conv2d, kind: type[nn.Conv2d], weight: Tensor) -> nn.Conv2d:
    size = (layer.kernel_size[0], layer.kernel_size[1])
    other = kind(layer.in_channels, layer.out_channels, size)
    assert layer.bias is not None
    other.load_state_dict({"weight": weight, "bias": layer.bias})
    return other.train(layer.training)


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, module)
