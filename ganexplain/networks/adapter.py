"""A network of any origin as the stages take it: from what a GAN draws to one tensor, frozen."""

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
OUTPUT = "output"  # the name of what the network as a whole puts out


@dataclass(frozen=True)
class OutputNames:
    """What units are called: class names, in the order of the units of the layer `output`.

    Where that layer has one unit for two classes, it stands for the second.
    """

    output: str
    classes: tuple[str, ...] = ()

    def class_of(self, unit: Unit, outputs: int) -> str:
        """The class that a unit stands for among so many outputs, or an empty string."""
        number = unit.channel
        if unit.layer != self.output or not self.classes or number is None:
            return ""
        return self.classes[-1] if outputs == 1 else self.classes[number]


class NetworkAdapter(nn.Module):
    """A foreign network `explained` behind the `bridge` that makes its input.

    From what a GAN draws (B, ...) to the tensor of its output that `call` asks for, (B, ...).
    Its layers are addressed by the names they have in `explained`, those alone that a pass of
    `examples` (2, ...) reaches; `output` is what the whole puts out. A network of TorchScript is
    run as ordinary modules where that gives the same; where not, its `output` alone can be
    addressed. One that takes no float32, for its weights are of another precision, is run in
    float32, or, where its code does not allow that, is given its input in their precision.
    Its input is its own, and contiguous: it may write into it. Raises UsageError where the
    network does not take what the bridge makes, or puts out other values each time.
    """

    def __init__(
        self, explained: nn.Module, bridge: nn.Module, call: Call, examples: Tensor
    ) -> None:
        super().__init__()
        self.bridge = bridge
        self.method, self.arguments = call.method, dict(call.arguments)
        self.chosen_output, self.plain = call.output, False
        self.precision = torch.float32  # of the network's input
        self.explained, output = self._accepting(unwrap(explained), examples)
        self.reached, again = self._reached(examples)
        if not _close(output, again):
            raise UsageError(
                "--model: the network puts out other values for the same input (noise, dropout "
                "that eval() does not end, or a state that it keeps); make it the same each time"
            )

    def forward(self, generated: Tensor) -> Tensor:
        """The output (B, ...) for what a GAN draws (B, ...)."""
        output = self._called(self.explained)(self._input(generated), **self.arguments)
        if self.plain:
            return output
        if isinstance(output, fx.Proxy):
            raise TypeError("a part of an output cannot be traced")
        found: Tensor = first_tensor(find_part(output, self.chosen_output))
        return found

    def _input(self, generated: Tensor) -> Tensor:
        made: Tensor = self.bridge(generated)
        return made.to(self.precision).clone(memory_format=torch.contiguous_format)

    def _called(self, network: nn.Module) -> Any:
        named = self.method and not isinstance(network, ScriptedNetwork)
        return getattr(network, self.method) if named else network

    def _accepting(self, network: nn.Module, examples: Tensor) -> tuple[nn.Module, Tensor]:
        """What `_hookable` gives of the network in a precision in which it takes its input."""
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
        """The network, or the same as modules that take hooks, and what it puts out.

        UsageError where it fails.
        """
        if self.method and not hasattr(network, self.method):
            raise UsageError(f"method = {self.method!r}: the network has none of that name")
        ours = None
        with torch.no_grad(), redirect_stdout(StringIO()):  # TorchScript may print
            if isinstance(network, torch.jit.ScriptModule):
                # First as modules: a loop without an end can be interrupted there alone.
                with suppress(*NOT_RUN_HERE):
                    scripted = ScriptedNetwork(network, self.method or "forward")
                    output = scripted(self._input(examples), **self.arguments)
                    ours = first_tensor(find_part(output, self.chosen_output))
            theirs = self._tried(network, examples)
        same = ours is not None and ours.shape == theirs.shape and _close(ours, theirs)
        return (scripted if same else network), theirs

    def _tried(self, network: nn.Module, examples: Tensor) -> Tensor:
        """What the network puts out for two inputs; UsageError where it takes none, or but one."""
        call, network_input = self._called(network), self._input(examples)
        shape = tuple(network_input.shape)
        try:
            output = call(network_input, **self.arguments)
            found = first_tensor(find_part(output, self.chosen_output))
        except UsageError:
            raise
        except Exception as error:  # whatever its code raises
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
            raise UsageError("--model: the network puts out no tensor")
        if not found.ndim or len(found) != len(examples):
            raise UsageError(
                f"--model: puts out {tuple(found.shape)} for {len(examples)} inputs; its first "
                "axis must be the batch's (choose a part with output = in --input)"
            )
        self.plain = isinstance(output, Tensor) and not self.chosen_output
        return found

    def _reached(self, examples: Tensor) -> tuple[dict[str, nn.Module], Tensor]:
        """The layers that put out tensors in a pass, in the order they end, and the output."""
        names = {
            module: name
            for name, module in self.explained.named_modules()
            if name and "parametrizations" not in name.split(".")  # they make weights
        }
        ended: dict[str, nn.Module] = {}

        def note(module: nn.Module, inputs: object, output: object) -> None:
            found = first_tensor(output)
            if found is not None and found.ndim and len(found) == len(examples):
                ended.setdefault(names[module], module)

        handles = []
        for module in names:
            if not isinstance(module, torch.jit.ScriptModule):  # which takes no hooks
                handles.append(module.register_forward_hook(note))
        try:
            with torch.no_grad():
                output = self(examples)
        finally:
            for handle in handles:
                handle.remove()
        return ended, output


def _close(first: Tensor, second: Tensor) -> bool:
    """Whether two outputs are the same but for rounding."""
    return torch.allclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True)


def _precisions(network: nn.Module) -> list[torch.dtype]:
    """Those of its weights and other tensors, floating point alone, the most frequent first."""
    kept = (*network.parameters(), *network.buffers())
    counts = Counter(tensor.dtype for tensor in kept if tensor.is_floating_point())
    return [dtype for dtype, _ in counts.most_common()]


def named_layers(network: nn.Module) -> dict[str, nn.Module]:
    """All layers that can be addressed, by name: of a foreign network those of its own names."""
    if isinstance(network, NetworkAdapter):
        return network.reached | {OUTPUT: network}
    inner = getattr(network, "explained", None)
    if isinstance(network, fx.GraphModule) and isinstance(inner, nn.Module):  # a fast form
        return {name: part for name, part in inner.named_modules() if name} | {OUTPUT: network}
    return {name: module for name, module in network.named_modules() if name}


def layer_type(module: nn.Module) -> str:
    """The name of a layer's class; of TorchScript and torch.export as they remember it."""
    for remembered in ("kind", "type_name"):
        name = getattr(module, remembered, None)
        name = name() if callable(name) else name
        if isinstance(name, str):
            return name.rpartition(".")[2]
    return type_before_parametrizations(module).__name__


def has_weights(module: nn.Module) -> bool:
    """Whether a layer has weights of its own beside biases, parametrised or quantised ones too."""
    if callable(getattr(module, "weight", None)):  # of quantised layers a method
        return True
    own = (
        weight
        for name, weight in module.named_parameters()
        if "." not in name or name.startswith("parametrizations.")
    )
    return any(weight.ndim > 1 for weight in own)


def network_device(network: nn.Module) -> torch.device:
    """Where a network's weights are; the CPU if it has none."""
    for tensor in (*network.parameters(), *network.buffers()):
        return tensor.device
    return torch.device("cpu")
