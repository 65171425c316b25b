"""A network of any origin as the stages take it: from what a GAN draws to one tensor, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from typing import Any

import torch
from torch import Tensor, fx, nn

from ganexplain.errors import UsageError, check_known
from ganexplain.inputs import Call
from ganexplain.models.torchscript import Scripted, UnsupportedNode

NOT_RUN_HERE = (UnsupportedNode, RuntimeError, TypeError, LookupError, AttributeError)
OUTPUT = "output"  # the name of what the network as a whole puts out


def first_tensor(output: object) -> Any:
    """The first tensor of a layer's output, which may be a tensor, a sequence or a mapping."""
    if isinstance(output, Tensor):
        return output
    parts = list(output.values()) if isinstance(output, Mapping) else output
    found = map(first_tensor, parts if isinstance(parts, tuple | list) else ())
    return next((tensor for tensor in found if tensor is not None), None)


@dataclass(frozen=True)
class Names:
    """What units are called: class names, in the order of the units of the layer `output`.

    Where that layer has one unit for two classes, it stands for the second.
    """

    output: str
    classes: tuple[str, ...] = ()


class Adapted(nn.Module):
    """A foreign network `explained` behind the `bridge` that makes its input.

    From what a GAN draws (B, ...) to the tensor of its output that `call` asks for, (B, ...).
    Its layers are addressed by the names they have in `explained`, those alone that a pass of
    `examples` (2, ...) reaches; `output` is what the whole puts out. A network of TorchScript is
    run as ordinary modules where that gives the same; where not, its `output` alone can be
    addressed. Raises UsageError where the network does not take what the bridge makes, or puts
    out other values each time.
    """

    def __init__(
        self, explained: nn.Module, bridge: nn.Module, call: Call, examples: Tensor
    ) -> None:
        super().__init__()
        self.bridge = bridge
        self.method, self.arguments = call.method, dict(call.arguments)
        self.chosen_output, self.plain = call.output, False
        self.explained, output = self._hookable(explained, examples)
        self.reached, again = self._reached(examples.clone())
        if not _close(output, again):
            raise UsageError(
                "--model: the network puts out other values for the same input (noise, dropout "
                "that eval() does not end, or a state that it keeps); make it the same each time"
            )

    def forward(self, drawn: Tensor) -> Tensor:
        """The output (B, ...) for what a GAN draws (B, ...)."""
        output = self._called(self.explained)(self.bridge(drawn), **self.arguments)
        if self.plain:
            return output
        if isinstance(output, fx.Proxy):
            raise TypeError("a part of an output cannot be traced")
        found: Tensor = first_tensor(_part(output, self.chosen_output))
        return found

    def _called(self, network: nn.Module) -> Any:
        named = self.method and not isinstance(network, Scripted)
        return getattr(network, self.method) if named else network

    def _hookable(self, network: nn.Module, examples: Tensor) -> tuple[nn.Module, Tensor]:
        """The network, or the same as modules that take hooks, and what it puts out.

        UsageError where it fails.
        """
        if self.method and not hasattr(network, self.method):
            raise UsageError(f"method = {self.method!r}: the network has none of that name")
        with torch.no_grad(), redirect_stdout(StringIO()):  # TorchScript may print
            taken, ours = self.bridge(examples), None
            if isinstance(network, torch.jit.ScriptModule):
                # First as modules: a loop without an end can be interrupted there alone.
                with suppress(*NOT_RUN_HERE):
                    scripted = Scripted(network, self.method or "forward")
                    output = scripted(taken.clone(), **self.arguments)
                    ours = first_tensor(_part(output, self.chosen_output))
            theirs = self._tried(network, taken.clone())
        same = ours is not None and ours.shape == theirs.shape and _close(ours, theirs)
        return (scripted if same else network), theirs

    def _tried(self, network: nn.Module, taken: Tensor) -> Tensor:
        """What the network puts out for two inputs; UsageError where it takes none, or but one."""
        call = self._called(network)
        try:
            output = call(taken, **self.arguments)
            found = first_tensor(_part(output, self.chosen_output))
        except UsageError:
            raise
        except Exception as error:  # whatever its code raises
            try:
                call(taken[:1], **self.arguments)
            except Exception:
                raise UsageError(
                    f"--model: the network does not take {tuple(taken.shape)} "
                    f"({_reason(error)}); describe its input with --input"
                ) from error
            raise UsageError(
                "--model: the network takes one input at a time; export it with a batch axis of "
                "any length (dynamic_shapes of torch.export, dynamic_axes of torch.onnx)"
            ) from error
        if found is None:
            raise UsageError("--model: the network puts out no tensor")
        if not found.ndim or len(found) != len(taken):
            raise UsageError(
                f"--model: puts out {tuple(found.shape)} for {len(taken)} inputs; its first axis "
                "must be the batch's (choose a part with output = in --input)"
            )
        self.plain = isinstance(output, Tensor) and not self.chosen_output
        return found

    def _reached(self, examples: Tensor) -> tuple[dict[str, nn.Module], Tensor]:
        """The layers that put out tensors in a pass, in the order they end, and the output."""
        names = {module: name for name, module in self.explained.named_modules() if name}
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


def _reason(error: Exception) -> str:
    """The last line of an error that says something: TorchScript puts the message there."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[-1] if lines and "TorchScript" in lines[0] else " ".join(lines[:1])
    return f"{type(error).__name__}: {said[:200]}"


def _part(output: object, name: str) -> object:
    """The item of a network's output with that number or name; all of it without one."""
    if not name:
        return output
    if isinstance(output, Mapping):
        return output[check_known("output", name, map(str, output))]
    if isinstance(output, tuple | list) and name.isdecimal() and int(name) < len(output):
        return output[int(name)]
    if hasattr(output, name):
        return getattr(output, name)
    raise UsageError(f"output = {name!r}: the network puts out {type(output).__name__} without it")


def named_layers(network: nn.Module) -> dict[str, nn.Module]:
    """All layers that can be addressed, by name: of a foreign network those of its own names."""
    if isinstance(network, Adapted):
        return network.reached | {OUTPUT: network}
    inner = getattr(network, "explained", None)
    if isinstance(network, fx.GraphModule) and isinstance(inner, nn.Module):  # a fast form
        return {name: part for name, part in inner.named_modules() if name} | {OUTPUT: network}
    return {name: module for name, module in network.named_modules() if name}


def kind_of(module: nn.Module) -> str:
    """The name of a layer's class; of TorchScript and torch.export as they remember it."""
    for remembered in ("kind", "type_name"):
        name = getattr(module, remembered, None)
        name = name() if callable(name) else name
        if isinstance(name, str):
            return name.rpartition(".")[2]
    return type(module).__name__


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights are; the CPU if it has none."""
    for tensor in (*network.parameters(), *network.buffers()):
        return tensor.device
    return torch.device("cpu")
