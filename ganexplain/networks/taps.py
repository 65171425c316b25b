"""What layers return in the passes of one batch, and gradients with respect to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from ganexplain.errors import UsageError
from ganexplain.networks.adapter import NetworkAdapter
from ganexplain.networks.layer_outputs import LayerOutput

Part = TypeVar("Part", bound="Tensor | Tap")


@dataclass(frozen=True)
class Tap:
    """The output (B, U, ...) of a layer without its graph, and its edges in the graph of the pass.

    There is one edge, or one for each input of a batch whose inputs the network gets one by one;
    there is none without a gradient.
    """

    value: Tensor
    edges: tuple[GradientEdge, ...]
    layer: LayerOutput | None = None  # None if gradients have the axes of `value`

    @classmethod
    def of(cls, output: Tensor) -> Tap:
        """That of a tensor of a pass."""
        return cls(output.detach(), edges_of(output))

    @property
    def shape(self) -> torch.Size:
        """That of the value."""
        return self.value.shape

    @classmethod
    def joined(cls, parts: Sequence[Tap]) -> Tap:
        """That of a batch, of those of its parts."""
        edges = [edge for part in parts for edge in part.edges]
        return cls(joined([part.value for part in parts]), tuple(edges), parts[0].layer)


def edges_of(output: Tensor) -> tuple[GradientEdge, ...]:
    """The edge of a tensor in the graph, if it has a gradient."""
    return (get_gradient_edge(output),) if output.requires_grad else ()


def check_alike(layer: str, shapes: Iterable[Sequence[int]]) -> None:
    """Raise UsageError if the outputs of a layer for the inputs of a batch have several shapes."""
    found = sorted({tuple(shape)[1:] for shape in shapes})
    if len(found) > 1:
        raise UsageError(
            f"--layer {layer}: its output has the shape {found[0]} for one input and {found[1]} "
            "for another; name a layer whose output always has the same"
        )


def joined(parts: Sequence[Tensor]) -> Tensor:
    """The tensors one behind another; a single one is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def gradients_at(total: Tensor, taps: Sequence[Tap]) -> list[Tensor | None]:
    """The gradients of a number with respect to the outputs (B, ...) of taps that have edges.

    One is None if the number does not depend on the output.
    """
    edges = [edge for tap in taps for edge in tap.edges]
    found = iter(torch.autograd.grad(total, edges, allow_unused=True))
    gradients: list[Tensor | None] = []
    for tap in taps:
        each = tap.value.tensor_split(len(tap.edges))
        parts = [(part, next(found)) for part in each]
        if all(gradient is None for _, gradient in parts):
            gradients.append(None)
        else:
            read = tap.layer.arrange if tap.layer else torch.Tensor.detach
            rows = [torch.zeros_like(x) if g is None else read(g)[: len(x)].to(x) for x, g in parts]
            gradients.append(joined(rows))
    return gradients


class Batch(Generic[Part]):
    """Collects what a layer returns in the passes of one batch.

    It is one pass, unless the network gets the inputs of a batch one by one.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.parts: dict[str, dict[int, Part]] = {}

    def rows(self, output: Tensor) -> Tensor:
        """The rows of a layer's output that count: one, where a pass has copies of one input."""
        return output if self._row is None else output[:1]

    def add(self, name: str, part: Part) -> list[Part]:
        """The parts of the whole batch, in its order, if this is the last; else none.

        Of a layer that runs several times in a pass the last call counts: parts of other shapes
        are of an earlier one.
        """
        row = self._row
        if row is None:
            return [part]
        kept = self.parts.setdefault(name, {})
        if not row:
            kept.clear()
        kept[row] = part
        alike = len({each.shape for each in kept.values()}) == 1
        return [*kept.values()] if alike and len(kept) == self.network.rows else []

    def end(self, *passed: object) -> None:
        """Forget the parts at the end of a batch, for whose last input the network has run.

        Raises UsageError for a layer whose outputs for the inputs have several shapes.
        """
        for name, kept in self.parts.items():
            check_alike(name, [part.shape for part in kept.values()])
        self.parts.clear()

    @property
    def _row(self) -> int | None:
        return self.network.row if isinstance(self.network, NetworkAdapter) else None
