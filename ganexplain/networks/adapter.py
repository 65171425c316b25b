"""Adapts a network of any origin: from the output of a generator to one output tensor."""

from __future__ import annotations

from collections import Counter
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from ganexplain.errors import UsageError, reason_of
from ganexplain.inputs.specification import Call
from ganexplain.networks.copies import copy_network, unwrap
from ganexplain.networks.loaders.torchscript import ScriptedNetwork
from ganexplain.networks.loaders.torchscript_ops import UnsupportedNode
from ganexplain.networks.outputs import find_part, first_tensor
from ganexplain.networks.units import Unit

NOT_RUN_HERE = (UnsupportedNode, RuntimeError, TypeError, LookupError, AttributeError)
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


class NetworkAdapter(nn.Module):
    """A network `explained` behind a `bridge` that converts generator output to its input.

    Its input is the generator's output (B, ...), its output the tensor (B, ...) that `call`
    selects. Layers have their names in `explained`; only those that a pass of `examples` (2, ...)
    reaches can be used, and `output`, the whole network.

    TorchScript is run as ordinary modules if that computes the same; otherwise only `output` can
    be used. A network with weights in another precision is run in float32 or, if its code does
    not allow that, gets its input in that precision. It may overwrite its input, which is a
    contiguous copy.

    Raises UsageError if the network does not accept the bridge's output or is not deterministic.
    """

    def __init__(
        self, explained: nn.Module, bridge: nn.Module, call: Call, examples: Tensor
    ) -> None:
        super().__init__()
        self.bridge = bridge
        self.method, self.arguments = call.method, dict(call.arguments)
        self.chosen_output, self.plain = call.output, False
        self.precision = torch.float32  # of the network's input
        self.explained, output = self._in_accepted_precision(unwrap(explained), examples)
        self.reached, again = self._run_with_layers(examples)
        if not _close(output, again):
            raise UsageError(
                "--model: the network returns other values for the same input (noise, dropout "
                "that eval() does not end, or a state that it keeps); make it deterministic"
            )

    def forward(self, generated: Tensor) -> Tensor:
        """The network's output (B, ...) for a generator's output (B, ...)."""
        output = self._method_of(self.explained)(self._input(generated), **self.arguments)
        if self.plain:
            return output
        if isinstance(output, fx.Proxy):
            raise TypeError("a part of an output cannot be traced")
        found: Tensor = first_tensor(find_part(output, self.chosen_output))
        return found

    def _input(self, generated: Tensor) -> Tensor:
        converted: Tensor = self.bridge(generated)
        return converted.to(self.precision).clone(memory_format=torch.contiguous_format)

    def _method_of(self, network: nn.Module) -> Any:
        named = self.method and not isinstance(network, ScriptedNetwork)
        return getattr(network, self.method) if named else network

    def _in_accepted_precision(
        self, network: nn.Module, examples: Tensor
    ) -> tuple[nn.Module, Tensor]:
        """`_hookable` of the network in the first precision in which it accepts its input."""
        try:
            return self._hookable(network, examples)
        except UsageError as error:
            others = [dtype for dtype in _precisions(network) if dtype != torch.float32]
            if not others:
                raise
            refusal = error
        with suppress(UsageError):  # it cannot be copied, or its code names its precision
            return self._hookable(copy_network(network).float(), examples)
        for precision in others:
            self.precision = precision
            try:
                return self._hookable(network, examples)
            except UsageError as error:
                refusal = error
        named = " and ".join(str(dtype).removeprefix("torch.") for dtype in others)
        raise UsageError(f"{refusal}; its weights are {named}") from refusal

    def _hookable(self, network: nn.Module, examples: Tensor) -> tuple[nn.Module, Tensor]:
        """The network, as modules that accept hooks if possible, and its output.

        Raises UsageError if it fails.
        """
        if self.method and not hasattr(network, self.method):
            raise UsageError(f"method = {self.method!r}: the network has none of that name")
        ours = None
        with torch.no_grad(), redirect_stdout(StringIO()):  # TorchScript may print
            if isinstance(network, torch.jit.ScriptModule):
                # First as modules: only there can an endless loop be interrupted.
                with suppress(*NOT_RUN_HERE):
                    scripted = ScriptedNetwork(network, self.method or "forward")
                    output = scripted(self._input(examples), **self.arguments)
                    ours = first_tensor(find_part(output, self.chosen_output))
            theirs = self._try(network, examples)
        same = ours is not None and ours.shape == theirs.shape and _close(ours, theirs)
        return (scripted if same else network), theirs

    def _try(self, network: nn.Module, examples: Tensor) -> Tensor:
        """The network's output for two inputs; UsageError if it accepts none or only one."""
        call, network_input = self._method_of(network), self._input(examples)
        shape = tuple(network_input.shape)
        try:
            output = call(network_input, **self.arguments)
            found = first_tensor(find_part(output, self.chosen_output))
        except UsageError:
            raise
        except Exception as error:  # its code may raise anything
            try:
                call(self._input(examples[:1]), **self.arguments)
            except Exception:
                raise UsageError(
                    f"--model: the network does not take {shape} ({reason_of(error)}); "
                    "describe its input with --input"
                ) from error
            raise UsageError(
                f"--model: the network takes {(1, *shape[1:])}, but not {shape} "
                f"({reason_of(error)}); export it with a batch axis of any length (dynamic_shapes "
                "of torch.export, dynamic_axes of torch.onnx)"
            ) from error
        if found is None:
            raise UsageError("--model: the network's output contains no tensor")
        if not found.ndim or len(found) != len(examples):
            raise UsageError(
                f"--model: the output for {len(examples)} inputs has shape {tuple(found.shape)}; "
                "its first axis must be the batch's (choose a part with output = in --input)"
            )
        self.plain = isinstance(output, Tensor) and not self.chosen_output
        return found

    def _run_with_layers(self, examples: Tensor) -> tuple[dict[str, nn.Module], Tensor]:
        """The layers that return tensors in a pass, in the order they end, and the output."""
        names = {
            module: name
            for name, module in self.explained.named_modules()
            if name and "parametrizations" not in name.split(".")  # they compute weights
        }
        ended: dict[str, nn.Module] = {}

        def note(module: nn.Module, inputs: object, output: object) -> None:
            found = first_tensor(output)
            if found is not None and found.ndim and len(found) == len(examples):
                ended.setdefault(names[module], module)

        handles = []
        for module in names:
            if not isinstance(module, torch.jit.ScriptModule):  # it accepts no hooks
                handles.append(module.register_forward_hook(note))
        try:
            with torch.no_grad():
                output = self(examples)
        finally:
            for handle in handles:
                handle.remove()
        return ended, output


def _close(first: Tensor, second: Tensor) -> bool:
    """Whether two outputs are equal but for rounding."""
    return torch.allclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True)


def _precisions(network: nn.Module) -> list[torch.dtype]:
    """The floating-point precisions of its weights and buffers, the most frequent first."""
    kept = (*network.parameters(), *network.buffers())
    counts = Counter(tensor.dtype for tensor in kept if tensor.is_floating_point())
    return [dtype for dtype, _ in counts.most_common()]


def named_layers(network: nn.Module) -> dict[str, nn.Module]:
    """The layers that options can name, by name, in the order of the network."""
    if isinstance(network, NetworkAdapter):
        return network.reached | {OUTPUT: network}
    inner = getattr(network, "explained", None)
    if isinstance(network, fx.GraphModule) and isinstance(inner, nn.Module):  # an optimised adapter
        return {name: part for name, part in inner.named_modules() if name} | {OUTPUT: network}
    return {name: module for name, module in network.named_modules() if name}


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
