"""A TorchScript module as a tree of ordinary modules, whose layers can be hooked.

TorchScript runs a whole network in one piece: hooks on its parts are refused, and what they put
out cannot be seen. Here the same graph is run node by node with torch's own operators, a module
a part, of the same names; gradients are autograd's. Attributes that the code writes (the state
of a recurrent network) live here and start afresh with every pass; the file's module is not
touched.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ganexplain.networks.loaders.torchscript_ops import Find, Program, Values

OF_CODE = ("_find", "_programs", "_script")  # attributes of a part that hold code alone


class ScriptedPart(nn.Module):
    """One module of a TorchScript network, with its parameters, buffers and parts."""

    def __init__(self, script: Any, find: Find) -> None:
        super().__init__()
        self._find = find
        self.kind: str = script.original_name
        self._programs: dict[str, Program] = {}
        self._script = [script]  # in a list, so that it is no part of this
        for name, parameter in script.named_parameters(recurse=False):
            self.register_parameter(name, nn.Parameter(parameter.detach(), requires_grad=False))
        for name, buffer in script.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
        for name, part in script.named_children():
            self.add_module(name, ScriptedPart(part, find))
        self.own: Values = {}  # attributes that the code has written
        self.pass_method = "forward"

    def __deepcopy__(self, memo: dict[int, Any]) -> ScriptedPart:
        """A part with weights of its own; the code, which cannot be copied, is shared."""
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        for name, value in (self.__dict__ | {"own": {}}).items():
            copied.__dict__[name] = value if name in OF_CODE else copy.deepcopy(value, memo)
        return copied

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """What the TorchScript module puts out for the same inputs."""
        name, self.pass_method = self.pass_method, "forward"
        return self.method(name, inputs, named)

    def method(self, name: str, inputs: tuple[Any, ...], named: Values) -> Any:
        """What another method of it gives."""
        made = self._script[0]._c._get_method(name)
        if name not in self._programs:
            self._programs[name] = Program(made.graph, self._find)
        bound = _bound(made.schema, inputs, named)
        results = self._programs[name].run([self, *bound], {})
        return results[0] if len(results) == 1 else tuple(results)

    def attribute(self, name: str) -> Any:
        """Part, parameter, buffer or other attribute of that name."""
        for kept in (self.own, self._modules, self._parameters, self._buffers):
            if name in kept:
                return kept[name]
        return self._script[0]._c.getattr(name)


class ScriptedNetwork(ScriptedPart):
    """A whole TorchScript network; every pass begins with the attributes that the file has.

    `called` is the method that is a pass. Raises UnsupportedNode, now or at the first pass, where
    an instruction cannot be run here.
    """

    def __init__(self, script: torch.jit.ScriptModule, called: str = "forward") -> None:
        unit = torch._C.CompilationUnit()
        copied = script._c.save_to_buffer()  # a copy of our own, with the functions of its code
        device = torch.device("cpu")
        module = torch._C.import_ir_module_from_buffer(  # type: ignore[call-arg]
            unit, copied, device, {}, False
        )
        own = torch.jit._recursive.wrap_cpp_module(module)
        own.eval()
        super().__init__(own, unit.find_function)
        self.called, self.running = called, False

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """What the method gives."""
        if self.running:  # the method calls `forward` of its own network
            return self.method("forward", inputs, named)
        for part in self.modules():
            assert isinstance(part, ScriptedPart)
            part.own.clear()
        self.running = True
        try:
            return self.method(self.called, inputs, named)
        finally:
            self.running = False


def _bound(schema: Any, inputs: tuple[Any, ...], named: Values) -> list[Any]:
    """Arguments of a method in its order, defaults filled in."""
    bound = list(inputs)
    for argument in schema.arguments[len(inputs) + 1 :]:  # the first is the module itself
        if argument.name in named:
            bound.append(named[argument.name])
        elif argument.has_default_value():
            bound.append(argument.default_value)
        else:
            raise TypeError(f"argument {argument.name!r} is missing")
    return bound
