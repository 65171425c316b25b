"""Adapts a network of any origin: from the output of a generator to one output tensor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from ganexplain.inputs.specification import Call
from ganexplain.networks.axes.axis_tracking import AxisTracker
from ganexplain.networks.axes.unit_axes import OutputAxes
from ganexplain.networks.black_box import find_black_box
from ganexplain.networks.calling.call import find_calling, no_batch_axis
from ganexplain.networks.calling.grad_mode import (
    needs_gradients_kept,
    watch_grad_mode,
    without_reentrant_checkpoints,
)
from ganexplain.networks.calling.repeatability import check_repeatable
from ganexplain.networks.copies import unwrap
from ganexplain.networks.layer_outputs import LayerOutput, Observed, observe_outputs
from ganexplain.networks.units import Unit

OUTPUT = "output"  # the name of the layer that is the whole network


@dataclass(frozen=True)
class OutputNames:
    """The class names of the units of the layer `output`, in their order.

    If that layer has one unit for two classes, the unit is the second class.
    """

    output: str
    classes: tuple[str, ...] = ()

    def class_of(self, unit: Unit, outputs: int) -> str:
        """The class of a unit if it is one of the `outputs` output units, else an empty string."""
        number = unit.channel
        if unit.layer != self.output or not self.classes or number is None:
            return ""
        return self.classes[-1] if outputs == 1 else self.classes[number]

    def placed(self, texts: Sequence[str], network: nn.Module) -> list[str]:
        """Texts of LAYER or LAYER:UNIT with `output` replaced by the layer of that name.

        A class, or a difference of two, that is no layer of `network` is a unit of the output.
        """
        found, layers = [], named_layers(network)
        for text in texts:
            parts = [text] if text in self.classes else re.split("-minus-|-", text)
            of_output = set(parts) <= set(self.classes) and text not in layers
            layer, colon, unit = (OUTPUT, ":", text) if of_output else text.partition(":")
            found.append(f"{self.output if layer == OUTPUT else layer}{colon}{unit}")
        return found


class NetworkAdapter(nn.Module):
    """A network `explained` behind a `bridge` that converts generator output to its input.

    Its input is the generator's output (B, ...), its output the tensor that `call` selects, as
    (B, U, ...). Layers have their names in `explained`; only those that a pass of `examples`
    (2, ...) reaches can be used, and `output`, the whole network. `input_axes` are what the axes
    of its input behind the batch's count.

    TorchScript is run as ordinary modules if that computes the same; otherwise only `output` can
    be used. It may overwrite its input, which is a contiguous copy. A network with a batch of fixed
    length gets the inputs of a batch one by one; `row` is then the number of the one that runs, and
    `rows` that of all. A network that switches gradients off has them after `keep_gradients`.
    `calling` says how it is called; `black_box` is the box, or None for a network of torch.

    Raises UsageError if the network does not accept the bridge's output, or its output for an input
    is not always the same.
    """

    def __init__(
        self,
        explained: nn.Module,
        bridge: nn.Module,
        call: Call,
        examples: Tensor,
        input_axes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.bridge = bridge
        self.row: int | None = None
        self.rows = 1
        with torch.no_grad():
            converted = bridge(examples)
        found = find_calling(unwrap(explained), call, converted)
        self.explained, self.calling, self.plain = found.network, found.calling, found.plain
        self.black_box = find_black_box(self.explained)
        self.shape: tuple[int, ...] = ()  # of an output behind the batch's axis
        for weights in self.explained.parameters():  # a script has no `requires_grad_`
            weights.requires_grad_(False)  # or torch multiplies matrices in another order
        self.lifts = False
        with watch_grad_mode(ignore=False) as switched:
            observed = self._observe(converted, input_axes)
            if observed.returned is None:
                raise no_batch_axis(found.output, len(examples), found.others)
            self.reached = {
                n: replace(each, units=call.units) for n, each in observed.layers.items()
            }
            self.axes = observed.returned.with_units(call.units)
            if self.calling.copies and self.axes.batch:  # `found.output` is joined along axis 0
                with torch.no_grad():
                    output = self.outputs(converted)
                alone = output[-1:]
            else:
                output, alone = map(self.axes.arrange, (found.output, found.alone))
            check_repeatable(self.outputs, converted, replace(found, output=output, alone=alone))
        self.switches = bool(switched)

    def keep_gradients(self, examples: Tensor) -> None:
        """Ignore that the network's code switches gradients off, if there are none otherwise.

        This runs a backward pass of the examples (2, ...).
        """
        if self.switches:
            with torch.no_grad():
                converted = self.bridge(examples)
                output = self.outputs(converted)
            self.lifts = needs_gradients_kept(self.outputs, converted, output)

    def forward(self, sample: Tensor) -> Tensor:
        """The network's output (B, U, ...) for a generator's output (B, ...)."""
        return self.outputs(self.bridge(sample))

    def outputs(self, converted: Tensor) -> Tensor:
        """The network's output (B, U, ...) for what the bridge returns."""
        if not self.calling.copies:
            return self._checked(self.axes.arrange(self._pass(converted)), converted)
        if isinstance(converted, fx.Proxy):
            raise TypeError("a network with a batch of fixed length cannot be traced")
        passes = self.calling.passes(converted)
        outputs, self.rows = [], len(passes)
        try:
            for self.row, one in enumerate(passes):
                outputs.append(self._checked(self.axes.arrange(self._pass(one))[:1], one[:1]))
        finally:
            self.row = None
        return torch.cat(outputs)

    def _checked(self, output: Tensor, x: Tensor) -> Tensor:
        """The output for x (B, ...), if no black box returns another shape than before, or NaN."""
        if self.black_box and isinstance(output, Tensor):  # not traced by torch.fx
            self.shape = self.shape or output.shape[1:]
            self.black_box.check(output, (len(x), *self.shape))
        return output

    def _pass(self, converted: Tensor) -> Tensor:
        kept = self.lifts and torch.is_grad_enabled()
        lifted = watch_grad_mode(ignore=True) if kept else nullcontext()
        with lifted, without_reentrant_checkpoints():
            output = self.calling.raw(self.explained, converted)
        if self.plain:
            plain: Tensor = output
            return plain
        if isinstance(output, fx.Proxy):
            raise TypeError("a part of an output cannot be traced")
        found: Tensor = self.calling.tensor(output)
        return found

    def _observe(self, converted: Tensor, input_axes: Sequence[str]) -> Observed:
        """What passes of inputs show of the layers and of the output."""
        modules = {
            name: module
            for name, module in self.explained.named_modules()
            if name and "parametrizations" not in name.split(".")  # they compute weights
        }
        tracker, copies = AxisTracker(), self.calling.copies

        def run(x: Tensor) -> Tensor:
            tracker.name_axes(x, input_axes)
            return self._pass(self.calling.passes(x)[-1] if copies else x)

        return observe_outputs(run, modules, converted, tracker, copies)


def named_layers(network: nn.Module) -> dict[str, LayerOutput]:
    """The outputs of layers that options can name, by name, in the order of the network."""
    whole = {OUTPUT: LayerOutput(OUTPUT, network)}
    if isinstance(network, NetworkAdapter):
        return network.reached | whole
    inner = getattr(network, "explained", None)
    if not (isinstance(network, fx.GraphModule) and isinstance(inner, nn.Module)):
        return {name: LayerOutput(name, part) for name, part in network.named_modules() if name}
    parts = {name: part for name, part in inner.named_modules() if name}  # an optimised adapter
    reached: dict[str, LayerOutput] = getattr(network, "reached", {})
    return {
        **{name: LayerOutput(name, part) for name, part in parts.items()},
        **{
            name: replace(each, module=parts[each.name])
            for name, each in reached.items()
            if each.name in parts
        },
        **whole,
    }


def axes_of_layers(
    network: nn.Module, x: Tensor, input_axes: Sequence[str]
) -> dict[str, OutputAxes]:
    """The axes of the outputs of layers by name, as far as passes of inputs x (2, ...) show them.

    `input_axes` are what the axes of x behind the batch's count.
    """
    if isinstance(network, NetworkAdapter):
        known, whole = network.reached, {OUTPUT: network.axes}
    else:
        tracker, whole = AxisTracker(), {}
        modules = {name: module for name, module in network.named_modules() if name}

        def run(inputs: Tensor) -> Tensor:
            tracker.name_axes(inputs, input_axes)
            output: Tensor = network(inputs)
            return output

        known = observe_outputs(run, modules, x, tracker).layers
    found = {n: each.axes.with_units(each.units) for n, each in known.items() if each.axes}
    return found | whole


def layer_type(module: nn.Module) -> str:
    """The name of a layer's class; for TorchScript and torch.export that of the original class."""
    for attribute in ("kind", "type_name"):
        name = getattr(module, attribute, None)
        name = name() if callable(name) else name
        if isinstance(name, str):
            return name.rpartition(".")[2]
    return type_before_parametrizations(module).__name__


def has_weights(module: nn.Module) -> bool:
    """Whether a layer has weights of its own that are not biases; parametrised ones count."""
    if callable(getattr(module, "weight", None)):  # a method of quantised layers
        return True
    own = (
        weight
        for name, weight in module.named_parameters()
        if "." not in name or name.startswith("parametrizations.")
    )
    return any(weight.ndim > 1 for weight in own)


def network_device(network: nn.Module) -> torch.device:
    """The device of a network's weights; the CPU if it has none."""
    tensors = (*network.parameters(), *network.buffers())
    return tensors[0].device if tensors else torch.device("cpu")
