"""Finds convolutions with max-pool, and the layers to merge with them, in a traced network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from ganexplain.networks.fast.few_channels import (
    ConvolutionSpec,
    has_few_channels,
    is_plain_convolution,
)

IDLE = (nn.Dropout, nn.Dropout2d, nn.Identity)  # the identity in eval mode


@dataclass
class ConvPoolPattern:
    """A chain of layers that one `PooledConvolution` can replace, with its nodes in order.

    [front -> rectifier with `front_slope` ->] convolution -> max-pool over `window` [-> rectifier
    with `slope`]. The last two may have either order in the network: slopes are not negative, so
    both orders compute the same.
    """

    nodes: list[fx.Node]
    convolution: nn.Conv2d
    window: tuple[int, int]
    slope: float | None
    front: nn.Conv2d | None = None
    front_slope: float = 1.0


class PatternFinder:
    """Finds patterns in a traced network that contain no layer named in `keep`."""

    def __init__(self, traced: fx.GraphModule, keep: Collection[str]) -> None:
        self.modules, self.keep = dict(traced.named_modules()), set(keep)
        calls = (str(node.target) for node in traced.graph.nodes if node.op == "call_module")
        self.calls = Counter(calls)

    def module(self, node: fx.Node) -> Any:
        """The module that a node calls, or None."""
        return self.modules[str(node.target)] if node.op == "call_module" else None

    def is_free(self, node: fx.Node) -> bool:
        """Whether a node may be removed: a function, or a module called once and not in `keep`."""
        name = str(node.target)
        return node.op != "call_module" or (self.calls[name] == 1 and name not in self.keep)

    def pattern(self, node: fx.Node) -> ConvPoolPattern | None:
        """The pattern whose pooled convolution is `node`, or None."""
        layer = self.module(node)
        if not (is_plain_convolution(layer) and self._is_inner(node)):
            return None
        nodes, window, slope = [node], None, None
        while self._is_inner(nodes[-1], inputs=None):
            (following,) = nodes[-1].users
            name = str(following.target)
            found_window, found_slope = self.window(following), self.slope(following)
            if self.calls[name] > 1 and name in self.keep:
                break
            if window is None and found_window is not None:
                window = found_window
            elif slope is None and found_slope is not None:
                slope = found_slope
            elif not isinstance(self.module(following), IDLE):
                break
            nodes.append(following)
        while isinstance(self.module(nodes[-1]), IDLE):
            nodes.pop()  # it stays behind the pattern, and can be looked up
        if window is None:
            return None
        found = ConvPoolPattern(nodes, layer, window, slope)
        self._add_front(found)
        return found

    def _add_front(self, pattern: ConvPoolPattern) -> None:
        """Prepend a convolution with few channels and its rectifier, where they come before."""
        rectifier = pattern.nodes[0].args[0]
        if not isinstance(rectifier, fx.Node) or not self._is_inner(rectifier, inputs=None):
            return
        slope = self.slope(rectifier)
        if slope is None or not isinstance(rectifier.args[0], fx.Node):
            return
        first = rectifier.args[0]
        layer = self.module(first)
        if (
            is_plain_convolution(layer)
            and has_few_channels(ConvolutionSpec.from_module(layer))
            and self._is_inner(first)
        ):
            pattern.front, pattern.front_slope = layer, slope
            pattern.nodes[:0] = [first, rectifier]

    def _is_inner(self, node: fx.Node, inputs: int | None = 1) -> bool:
        """Whether a node can be merged: it has one reader, and `inputs` inputs unless None."""
        return (
            len(node.users) == 1
            and self.is_free(node)
            and (inputs is None or len(node.args) == inputs)
        )

    def slope(self, node: fx.Node) -> float | None:
        """Slope of a rectifier for negative values, at least 0; None for other nodes."""
        module = self.module(node)
        if node.op == "call_function" and node.args:
            module = _rectifier_of(node)
        if type(module) is nn.ReLU:
            return 0.0
        if type(module) is nn.LeakyReLU and module.negative_slope >= 0:
            return float(module.negative_slope)
        return None

    def window(self, node: fx.Node) -> tuple[int, int] | None:
        """Window of a max-pool without gaps, overlap or padding; None for other nodes."""
        module = self.module(node)
        if node.op == "call_function" and node.target in (functional.max_pool2d, torch.max_pool2d):
            module = nn.MaxPool2d(*node.args[1:5], **node.kwargs)  # type: ignore[arg-type]
            if len(node.args) > 5 or "input" in node.kwargs:
                return None
        if type(module) is not nn.MaxPool2d or module.ceil_mode or module.return_indices:
            return None
        size, stride, padding, dilation = (
            _pair(v) for v in (module.kernel_size, module.stride, module.padding, module.dilation)
        )
        fits = stride == size and padding == (0, 0) and dilation == (1, 1)
        return size if fits else None


def _rectifier_of(node: fx.Node) -> nn.Module | None:
    """The module that computes the same as a call of a rectifying function, or None."""
    if node.target in (functional.relu, torch.relu):
        return nn.ReLU()
    if node.target is functional.leaky_relu and len(node.args) <= 3 and "input" not in node.kwargs:
        return nn.LeakyReLU(*node.args[1:], **node.kwargs)  # type: ignore[arg-type]
    return None


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
