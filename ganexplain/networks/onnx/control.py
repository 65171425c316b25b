"""Control flow: branches, loops, and sequences of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ganexplain.networks.onnx.node import Node, UnsupportedUse, Value, enter_plain, operator

MOST_STEPS = 2**20  # of one loop; more is taken for a loop that never ends


def _results(node: Node, values: Sequence[Value]) -> Value:
    return values[0] if len(node.outputs) == 1 else tuple(values)


@operator("If")
def branch(node: Node, condition: Tensor, *captured: Value) -> Value:
    """The outputs of one of two graphs, which read from `captured`, the values around them."""
    graphs = node.get("then_branch"), node.get("else_branch")
    shares = len(graphs[0].captured)
    if bool(condition):
        return _results(node, graphs[0](*captured[:shares]))
    return _results(node, graphs[1](*captured[shares:]))


@operator("Loop")
def loop(node: Node, count: Tensor | None, condition: Tensor | None, *values: Value) -> Value:
    """A graph as often as `count` and its own condition allow.

    Its outputs are the last carried values, and each scanned value stacked along a new axis.
    """
    body = node.get("body")
    carried = len(body.inputs) - 2
    state, captured = list(values[:carried]), values[len(values) - len(body.captured) :]
    scanned: list[list[Tensor]] = [[] for _ in range(len(node.outputs) - carried)]
    most = MOST_STEPS if count is None else int(count)
    going = True if condition is None else bool(condition)
    step = 0
    while going and step < most:
        index = torch.tensor(step, dtype=torch.int64)
        found = body(index, torch.tensor(True), *state, *captured)
        going, state = bool(found[0]), list(found[1 : 1 + carried])
        for kept, value in zip(scanned, found[1 + carried :], strict=True):
            kept.append(value)
        step += 1
        if step == MOST_STEPS:
            raise RuntimeError(f"loop {node.name} has not ended after {MOST_STEPS} steps")
    stacked = [torch.stack(each) if each else torch.zeros(0) for each in scanned]
    return _results(node, [*state, *stacked])


@operator("Scan")
def scan(node: Node, *values: Value) -> Value:
    """A graph for each slice of the scanned inputs; outputs as those of `loop`."""
    if node.opset < 9:
        raise UnsupportedUse("its form is that before operator set 9")
    body, count = node.get("body"), node.get("num_scan_inputs")
    carried = len(body.inputs) - count
    state, scanned = list(values[:carried]), values[carried : carried + count]
    captured = values[carried + count :]
    made = len(node.outputs) - carried
    axes_in = node.get("scan_input_axes", [0] * count)
    axes_out = node.get("scan_output_axes", [0] * made)
    backwards_in = node.get("scan_input_directions", [0] * count)
    backwards_out = node.get("scan_output_directions", [0] * made)
    slices = [each.unbind(axis) for each, axis in zip(scanned, axes_in, strict=True)]
    slices = [each[::-1] if back else each for each, back in zip(slices, backwards_in, strict=True)]
    outputs: list[list[Tensor]] = [[] for _ in range(made)]
    for inputs in zip(*slices, strict=True):
        found = body(*state, *inputs, *captured)
        state = list(found[:carried])
        for kept, value in zip(outputs, found[carried:], strict=True):
            kept.append(value)
    stacked = [
        torch.stack(each[::-1] if back else each, axis)
        for each, axis, back in zip(outputs, axes_out, backwards_out, strict=True)
    ]
    return _results(node, [*state, *stacked])


# --- sequences --------------------------------------------------------------------------------


def _inserted(sequence: list[Tensor], value: Tensor, at: Tensor | None = None) -> list[Tensor]:
    place = len(sequence) if at is None else int(at)
    return [*sequence[:place], value, *sequence[place:]]


def _without(sequence: list[Tensor], at: Tensor | None = None) -> list[Tensor]:
    place = len(sequence) - 1 if at is None else int(at) % len(sequence)
    return [*sequence[:place], *sequence[place + 1 :]]


enter_plain(
    {
        "Optional": lambda value=None: value,
        "OptionalGetElement": lambda value: value,
        "OptionalHasElement": lambda value=None: torch.tensor(value is not None),
        "SequenceAt": lambda sequence, at: sequence[int(at)],
        "SequenceConstruct": lambda *values: list(values),
        "SequenceEmpty": lambda: [],
        "SequenceErase": _without,
        "SequenceInsert": _inserted,
        "SequenceLength": lambda sequence: torch.tensor(len(sequence), dtype=torch.int64),
    }
)


@operator("ConcatFromSequence")
def join_sequence(node: Node, sequence: list[Tensor]) -> Tensor:
    """The tensors of a sequence behind each other, or stacked along a new axis."""
    join: Any = torch.stack if node.get("new_axis", 0) else torch.cat
    return join(sequence, node.get("axis"))


@operator("SplitToSequence")
def split_to_sequence(node: Node, x: Tensor, lengths: Tensor | None = None) -> list[Tensor]:
    """Parts of an axis: of given lengths, or of one each, whose axis may be dropped."""
    axis = node.get("axis", 0)
    if lengths is None:
        parts = x.split(1, axis)
        return list(parts) if node.get("keepdims", 1) else [part.squeeze(axis) for part in parts]
    return list(x.split(lengths.tolist() if lengths.ndim else int(lengths), axis))
