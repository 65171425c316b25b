"""Recurrent layers: LSTM, GRU and RNN in one or both directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain.networks.onnx.node import Node, UnsupportedUse, operator

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "Relu": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
}
USUAL = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
State = tuple[Tensor, ...]  # of one direction: h (B, H), for LSTM also c (B, H)


@dataclass(frozen=True)
class Cell:
    """One direction of a layer.

    `weight` (G, H, I) and `recurrent` (G, H, H) are those of the G gates in ONNX's order (LSTM:
    input, output, forget, cell; GRU: update, reset, hidden), `bias` and `recurrent_bias` (G, H),
    `peepholes` (3, H) the weights of the cell's state in the gates of an LSTM.
    """

    op: str
    weight: Tensor
    recurrent: Tensor
    bias: Tensor
    recurrent_bias: Tensor
    peepholes: Tensor | None
    activations: tuple[Callable[[Tensor], Tensor], ...]
    reset_behind: bool
    clip: float | None

    def projected(self, x: Tensor) -> Tensor:
        """What the input adds to each gate: from (T, B, I) to (T, B, G, H)."""
        return torch.einsum("tbi,ghi->tbgh", x, self.weight) + self.bias

    def step(self, x: Tensor, state: State) -> State:
        """The next state from the projected input (B, G, H) and the last state."""
        return {"LSTM": self._lstm, "GRU": self._gru, "RNN": self._rnn}[self.op](x, state)

    def _from_state(self, h: Tensor, gates: slice = slice(None)) -> Tensor:
        product = torch.einsum("bh,gkh->bgk", h, self.recurrent[gates])
        return product + self.recurrent_bias[gates]

    def _bounded(self, x: Tensor) -> Tensor:
        return x if self.clip is None else x.clamp(-self.clip, self.clip)

    def _lstm(self, x: Tensor, state: State) -> State:
        h, c = state
        gate, inner, outer = self.activations
        i, o, f, g = (x + self._from_state(h)).unbind(1)
        if self.peepholes is not None:
            i, f = i + self.peepholes[0] * c, f + self.peepholes[2] * c
        c = gate(self._bounded(f)) * c + gate(self._bounded(i)) * inner(self._bounded(g))
        if self.peepholes is not None:
            o = o + self.peepholes[1] * c
        return gate(self._bounded(o)) * outer(c), c

    def _gru(self, x: Tensor, state: State) -> State:
        (h,) = state
        gate, inner = self.activations
        z, r = self._bounded(x[:, :2] + self._from_state(h, slice(0, 2))).unbind(1)
        z, r = gate(z), gate(r)
        if self.reset_behind:
            candidate = r * self._from_state(h, slice(2, 3))[:, 0]
        else:
            candidate = self._from_state(r * h, slice(2, 3))[:, 0]
        return ((1 - z) * inner(self._bounded(x[:, 2] + candidate)) + z * h,)

    def _rnn(self, x: Tensor, state: State) -> State:
        (h,) = state
        return (self.activations[0](self._bounded((x + self._from_state(h))[:, 0])),)


@operator("LSTM", "GRU", "RNN")
def recurrent_layer(
    node: Node,
    x: Tensor,
    weight: Tensor,
    recurrent: Tensor,
    bias: Tensor | None = None,
    lengths: Tensor | None = None,
    *rest: Tensor | None,
) -> tuple[Tensor, ...]:
    """All states (T, D, B, H) of D directions, and the last of each: (D, B, H)."""
    layout = node.get("layout", 0)
    if layout:
        x = x.transpose(0, 1)
    directions, hidden = len(weight), recurrent.shape[-1]
    states = 2 if node.op == "LSTM" else 1
    first = []
    for given in (*rest, None, None)[:states]:
        if given is None:
            given = x.new_zeros(directions, x.shape[1], hidden)
        elif layout:
            given = given.transpose(0, 1)
        first.append(given)
    if bias is None:
        bias = x.new_zeros(directions, 2 * GATES[node.op] * hidden)
    peepholes = rest[2] if len(rest) > 2 else None
    runs = []
    for d in range(directions):
        cell = _cell(node, d, weight[d], recurrent[d], bias[d], peepholes)
        backwards = d == 1 or node.get("direction", "forward") == "reverse"
        start = tuple(state[d] for state in first)
        runs.append(_run(cell, x, start, lengths, backwards))
    outputs = torch.stack([steps for steps, _ in runs], dim=1)
    last = [torch.stack(each) for each in zip(*(state for _, state in runs), strict=True)]
    if layout:  # (B, T, D, H) and (B, D, H)
        outputs, last = outputs.permute(2, 0, 1, 3), [each.transpose(0, 1) for each in last]
    return (outputs, *last)


def _cell(
    node: Node,
    number: int,
    weight: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    peepholes: Tensor | None,
) -> Cell:
    usual = USUAL[node.op]
    names = tuple(node.get("activations", usual * (number + 1)))
    names = names[number * len(usual) : (number + 1) * len(usual)]
    if unknown := set(names) - set(ACTIVATIONS):
        raise UnsupportedUse(f"its activation is {', '.join(sorted(unknown))}")
    if node.get("input_forget", 0):
        raise UnsupportedUse("its input and forget gates are one (input_forget)")
    gates, hidden = GATES[node.op], recurrent.shape[-1]
    own, own_recurrent = bias.reshape(2, gates, hidden)
    return Cell(
        node.op, weight.reshape(gates, hidden, -1), recurrent.reshape(gates, hidden, hidden),
        own, own_recurrent, None if peepholes is None else peepholes[number].reshape(3, hidden),
        tuple(ACTIVATIONS[name] for name in names), bool(node.get("linear_before_reset", 0)),
        node.get("clip"),
    )  # fmt: skip


def _run(
    cell: Cell, x: Tensor, state: State, lengths: Tensor | None, backwards: bool
) -> tuple[Tensor, State]:
    """All outputs (T, B, H) in the order of time, and the last state.

    Behind the `lengths` (B,) of the examples outputs are zero and states stay.
    """
    steps: Sequence[int] = range(len(x))
    projected, outputs = cell.projected(x), {}
    for t in reversed(steps) if backwards else steps:
        new = cell.step(projected[t], state)
        if lengths is None:
            outputs[t] = new[0]
        else:
            within = (t < lengths)[:, None]
            new = tuple(torch.where(within, n, old) for n, old in zip(new, state, strict=True))
            outputs[t] = torch.where(within, new[0], torch.zeros_like(new[0]))
        state = new
    return torch.stack([outputs[t] for t in steps]), state
