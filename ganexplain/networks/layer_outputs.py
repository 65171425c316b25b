"""The outputs of layers that options can name: where each is, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganexplain.networks.axes.axis_tracking import AxisTracker, Work
from ganexplain.networks.axes.named_axes import Axes
from ganexplain.networks.axes.unit_axes import (
    OutputAxes,
    find_batch,
    find_copies,
    output_axes,
    plain_axes,
)
from ganexplain.networks.outputs import real_values, tensor_at, tensors_by_path

Path = tuple[str, str]  # of a tensor: the name of its layer, and where it is in what that returns
CONVOLUTIONS = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip
WHOLE = ("", "")  # the path of what the whole network returns


@dataclass(frozen=True)
class LayerOutput:
    """An output of the layer `name`: the tensor at the path `part` of what its module returns.

    `axes` are those of that tensor; None if they are (B, U, ...). The units are on the axis that
    `units` names as in `UNIT_AXES`. `work` is what the layer computes; None if no pass was
    observed.
    """

    name: str
    module: nn.Module
    part: str = ""
    axes: OutputAxes | None = None
    work: Work | None = None
    units: str = "auto"

    def read(self, returned: object) -> Tensor | None:
        """The output (B, U, ...), from what the module returns; None if it is not there.

        Quantised values and those of 16 bits become float32, complex ones their magnitudes.
        """
        found = tensor_at(returned, self.part)
        if found is None:
            return None
        found = real_values(found)
        return self.arrange(found.to(torch.promote_types(found.dtype, torch.float32)))

    def arrange(self, output: Tensor) -> Tensor:
        """A tensor with the axes of the output, such as its gradient, as (B, U, ...)."""
        return self.axes_of(output).arrange(output)

    def axes_of(self, output: Tensor) -> OutputAxes:
        """The axes of the output."""
        return (self.axes or plain_axes(output.shape)).with_units(self.units)

    @property
    def is_plain(self) -> bool:
        """Whether the module returns the output as (B, U, ...)."""
        return not self.part and self.units == "auto" and (not self.axes or self.axes.is_plain)

    @property
    def as_returned(self) -> LayerOutput:
        """The same tensor with the axes that it has."""
        return LayerOutput(self.name, self.module, self.part)

    @property
    def shown_axes(self) -> OutputAxes | None:
        """The axes that `layers` lists; None if they are not known."""
        own = getattr(self.module, "axes", None) if self.axes is None else self.axes
        return own.with_units(self.units) if isinstance(own, OutputAxes) else None

    @property
    def place_names(self) -> tuple[str, ...]:
        """What the axes behind the units count, such as `frames`; empty if that is not known."""
        return self.axes.with_units(self.units).places if self.axes else ()

    @property
    def kernel_axes(self) -> int:
        """The number of axes over which the layer convolves; 0 if it is no convolution."""
        if self.part:
            return 0
        if self.work:
            return self.work.kernel_axes
        return len(self.module.kernel_size) if isinstance(self.module, CONVOLUTIONS) else 0


@dataclass(frozen=True)
class Observed:
    """The outputs of layers by name, in the order in which the layers end, and `output`, the first
    tensor that the network returns, with its axes.

    Outputs of layers of which no axis counts the examples are left out; the axes of `output` are
    then None.
    """

    layers: dict[str, LayerOutput]
    returned: OutputAxes | None
    output: Tensor


def observe_outputs(
    run: Callable[[Tensor], Tensor],
    modules: Mapping[str, nn.Module],
    examples: Tensor,
    tracker: AxisTracker,
    copies: int = 0,
) -> Observed:
    """What two passes of `run`, one of `examples` (2, ...) and one of three, show of `modules`.

    The first tensor that a layer returns has the layer's name; others have the path to them behind
    it (`lstm.1.0`). `tracker` follows the first pass. If each pass has one example, `copies` times,
    the axis of the examples is that of this length on which they came in.
    """
    known, work, output = _observe_first(run, modules, examples, tracker)
    found: dict[Path, OutputAxes] = {}
    more = copies or len(examples) + 1

    def compare(path: Path, result: Tensor) -> None:
        shape, axes = known.get(path, ((), Axes(())))
        if copies:
            alike = shape == result.shape  # else it depends on the values of the input
            batch = find_copies(shape, axes, copies) if alike else None
        else:
            batch = find_batch(shape, result.shape, (len(examples), more))
        if batch is not None:
            found[path] = output_axes(result, batch, more, axes)

    _observe_pass(run, modules, torch.cat([examples, examples[:1]]), compare)
    layers = {
        f"{name}.{part}".rstrip("."): LayerOutput(
            name, modules[name], part, found[name, part], work.get(name)
        )
        for name, part in known
        if (name, part) in found and name and not (part and f"{name}.{part}" in modules)
    }
    return Observed(layers, found.get(WHOLE), output)


def _observe_first(
    run: Callable[[Tensor], Tensor],
    modules: Mapping[str, nn.Module],
    examples: Tensor,
    tracker: AxisTracker,
) -> tuple[dict[Path, tuple[torch.Size, Axes]], dict[str, Work], Tensor]:
    """The shapes and axes of the outputs of a pass, the work of layers, and the pass's result."""
    work: dict[str, Work] = {}
    known: dict[Path, tuple[torch.Size, Axes]] = {}

    def note(path: Path, output: Tensor) -> None:
        known[path] = output.shape, tracker.axes(output)

    try:
        output = _observe_pass(run, modules, examples, note, tracker, work)
    except Exception:  # code that does not run while operators are followed
        known.clear()
        work.clear()
        output = _observe_pass(run, modules, examples, note)
    return known, work, output


def _observe_pass(
    run: Callable[[Tensor], Tensor],
    modules: Mapping[str, nn.Module],
    x: Tensor,
    note: Callable[[Path, Tensor], None],
    tracker: AxisTracker | None = None,
    work: dict[str, Work] | None = None,
) -> Tensor:
    """Call `note` with each tensor that a layer returns in a pass, and with the first result, which
    is returned.
    """
    running = [""]

    def begin(name: str) -> None:
        running.append(name)
        if tracker is not None and work is not None:
            tracker.work = work.setdefault(name, Work())

    def end(name: str, output: object) -> None:
        while len(running) > 1 and running.pop() != name:
            pass  # a layer inside that failed, with an exception that the network's code caught
        if tracker is not None and work is not None:
            tracker.work = work.setdefault(running[-1], Work())
        for part, tensor in tensors_by_path(output).items():
            if tensor.ndim:
                note((name, part), tensor)

    with torch.no_grad(), _hooked(modules, begin, end), tracker or nullcontext():
        returned = run(x)
    note(WHOLE, returned)
    return returned


@contextmanager
def _hooked(
    modules: Mapping[str, nn.Module],
    begin: Callable[[str], None],
    end: Callable[[str, object], None],
) -> Iterator[None]:
    """While open, `begin` and `end` are called with the name of each module that runs."""

    def before(name: str) -> Callable[[nn.Module, object], None]:
        return lambda module, inputs: begin(name)

    def after(name: str) -> Callable[[nn.Module, object, object], None]:
        return lambda module, inputs, output: end(name, output)

    handles = []
    for name, module in modules.items():
        if not isinstance(module, torch.jit.ScriptModule):  # it accepts no hooks
            handles.append(module.register_forward_pre_hook(before(name)))
            handles.append(module.register_forward_hook(after(name)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
