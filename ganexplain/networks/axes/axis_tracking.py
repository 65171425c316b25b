"""Follows the axes of tensors through a pass: which has the units, and what the others count.

A convolution puts its units on axis 1, a matrix product with weights on the last axis, and so on;
the other operators of torch keep, move, merge or remove axes. So the axes of a layer's output
follow from what was computed, whatever the layers are called and how long the axes are: those of
a channels-last network, of a transformer and of the nodes of an ONNX graph alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from ganexplain.networks.axes.axis_rules import Call, axes_of_output
from ganexplain.networks.axes.equations import axes_of_equation
from ganexplain.networks.axes.named_axes import EXAMPLES, UNKNOWN, Axes, Axis


@dataclass
class Work:
    """What a layer computes by itself, outside of the layers in it."""

    kernel_axes: int = 0  # of its last convolution: 2 as for Conv2d, 0 without a convolution
    multiplies: bool = False  # by weights, as a linear, recurrent or convolutional layer


@dataclass(frozen=True)
class Step:
    """Places `first` to `last` of an axis with `length` places, of which a tensor is computed."""

    length: int
    axis: Axis
    first: int
    last: int

    def with_places_of(self, other: Step) -> Step:
        """These places and those of another step along the same axis."""
        if (other.length, other.axis) != (self.length, self.axis):
            return self
        ends = min(self.first, other.first), max(self.last, other.last)
        return Step(self.length, self.axis, *ends)


class AxisTracker(TorchDispatchMode):
    """While active, follows the axes of the tensors of a pass; `work` is that of the layer that
    runs, which the caller sets.
    """

    supports_higher_order_operators = True  # those of torch.export

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # for this torch would import its compiler, which takes seconds

    def __init__(self) -> None:
        super().__init__()
        self.known = WeakTensorKeyDictionary()
        self.work = Work()
        self.time = 0
        self.steps = WeakTensorKeyDictionary()  # axes along which code takes steps, by results
        self.equations = _Equations(self)

    def __enter__(self) -> AxisTracker:
        super().__enter__()
        self.equations.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.equations.__exit__(*error)
        super().__exit__(*error)

    def name_axes(self, network_input: Tensor, names: Sequence[str]) -> None:
        """Name the axes of an input (B, ...) behind the batch's; empty for one without a name."""
        each = [((0, frozenset({name})),) if name else UNKNOWN for name in (EXAMPLES, *names)]
        self.known[network_input] = Axes(tuple(each))

    def axes(self, tensor: Tensor) -> Axes:
        """The axes of a tensor, unknown ones for a tensor that is no result of the pass."""
        found: Axes = self.known.get(tensor, Axes((UNKNOWN,) * tensor.ndim))
        return found

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Any = None,
    ) -> Any:
        """The result of an operator, whose axes are noted."""
        named = dict(kwargs or {})
        call = self._call(func, args, named)
        shapes = [tuple(tensor.shape) for tensor in call.tensors]
        result = func(*args, **named)
        self.time += 1
        if call.is_convolution and call.tensors:
            self.work.kernel_axes = call.tensors[0].ndim - 2
        self.work.multiplies |= call.multiplies
        stacked = self._stacked(call)
        for place, output in enumerate(_tensors(result)):
            found = axes_of_output(call, shapes, output, self.time, stacked)
            if found is not None:
                self.known[output] = found
                self._note_written(output, found)
            self._note_step(call, shapes, output, place)
        return result

    def note_equation(self, equation: object, operands: Sequence[object], result: Tensor) -> None:
        """Note the axes of what `torch.einsum` returned, as far as its equation tells them."""
        if isinstance(equation, str) and all(isinstance(each, Tensor) for each in operands):
            factors = [(each.ndim, self.known.get(each)) for each in _tensors(list(operands))]
            found = axes_of_equation(equation, factors, self.time)
            if found is not None and len(found.each) == result.ndim:
                self.known[result] = found

    def _note_step(
        self, call: Call, shapes: Sequence[tuple[int, ...]], output: Tensor, place: int
    ) -> None:
        """Note of which places along an axis the output number `place` of a call is computed."""
        known = [step for step in map(self.steps.get, call.tensors) if step]
        if call.name in ("unbind", "select", "slice") and call.axes[0]:
            at = call.given["dim"]
            length = shapes[0][at]
            place = (call.given.get("index", call.given.get("start", place)) or 0) % length
            of_one = call.name != "slice" or output.shape[at] == 1
            # The only place of an axis is no step along it.
            if of_one and (length > 1 or not known):
                self.steps[output] = Step(length, call.axes[0].each[at], place, place)
                return
        if known and (call.name != "stack" or len(call.tensors) == 1):  # as of one frame alone
            self.steps[output] = reduce(Step.with_places_of, known)

    def _stacked(self, call: Call) -> Axis:
        """What the axis counts on which tensors are joined: the steps, if there is one of each."""
        steps = [self.steps.get(tensor) for tensor in call.tensors] if _joins_places(call) else []
        kinds = {(step.length, step.axis) for step in steps if step}
        whole = kinds == {(len(steps), steps[0].axis)} if steps and steps[0] else False
        return steps[0].axis if whole and len(set(steps)) == len(steps) else UNKNOWN

    def _call(self, func: Any, args: Sequence[Any], named: Any) -> Call:
        name, defaults = _signature(func)
        tensors = tuple(_tensors([*args, *named.values()]))
        given = {**defaults, **dict(zip(defaults, args, strict=False)), **named}
        return Call(name, given, tensors, tuple(self.known.get(tensor) for tensor in tensors))

    def _note_written(self, part: Tensor, axes: Axes) -> None:
        """Note the axes of the tensor of which a part was overwritten, by those of the part."""
        whole = part._base
        if whole is not None and axes.units is not None and self.axes(whole).units is None:
            steps = zip(part.stride(), part.shape, axes.each, strict=True)
            by_step = {step: axis for step, size, axis in steps if size > 1}
            each = (by_step.get(step, UNKNOWN) for step in whole.stride())
            self.known[whole] = Axes(tuple(each), axes.age)


class _Equations(TorchFunctionMode):
    """While active, tells a tracker of calls of `torch.einsum`, which torch takes apart."""

    def __init__(self, tracker: AxisTracker) -> None:
        super().__init__()
        self.tracker = tracker

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """The result of a function of torch."""
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") == "einsum" and isinstance(result, Tensor):
            self.tracker.note_equation(args[0], args[1:], result)
        return result


def _joins_places(call: Call) -> bool:
    """Whether each tensor becomes one place of an axis."""
    at = call.given.get("dim")
    of_one = call.name == "cat" and all(t.ndim and t.shape[at] == 1 for t in call.tensors)
    return call.name == "stack" or of_one


@cache
def _signature(func: Any) -> tuple[str, Any]:
    """The name of an operator, and its arguments with their defaults."""
    schema = getattr(func, "_schema", None)
    if schema is None:
        return str(func), {}
    name = schema.name.rpartition("::")[2].rstrip("_")
    return name, {argument.name: argument.default_value for argument in schema.arguments}


def _tensors(values: Any) -> Iterator[Tensor]:
    """The tensors in arguments or results, which may be in lists."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)
