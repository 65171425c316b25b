"""A TorchScript module as a tree of ordinary modules, whose layers accept hooks.

TorchScript runs a whole network at once: it refuses hooks, and the outputs of submodules are not
accessible. Here the same graph is run node by node with torch's own operators and autograd, in
modules of the same names. Attributes that the code writes (the state of a recurrent network) are
stored here and reset before each pass; the module of the file is not changed.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ganexplain.networks.loaders.torchscript_ops import Find, Program, Values

SHARED = ("_find", "_programs", "_script")  # attributes that copies share: they are only code


class ScriptedPart(nn.Module):
    """One module of a TorchScript network, with its parameters, buffers and submodules."""

    def __init__(self, script: Any, find: Find) -> None:
        super().__init__()
        self._find = find
        self.kind: str = script.original_name
        self._programs: dict[str, Program] = {}
        self._script = [script]  # in a list, so that it is not registered as a submodule
        for name, parameter in script.named_parameters(recurse=False):
            self.register_parameter(name, nn.Parameter(parameter.detach(), requires_grad=False))
        for name, buffer in script.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
        for name, part in script.named_children():
            self.add_module(name, ScriptedPart(part, find))
        self.own: Values = {}  # attributes that the code has written
        self.pass_method = "forward"

    def __deepcopy__(self, memo: dict[int, Any]) -> ScriptedPart:
        """A copy with weights of its own; the code, which cannot be copied, is shared."""
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        for name, value in (self.__dict__ | {"own": {}}).items():
            copied.__dict__[name] = value if name in SHARED else copy.deepcopy(value, memo)
        return copied

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The output of the TorchScript module for the same inputs."""
        name, self.pass_method = self.pass_method, "forward"
        return self.method(name, inputs, named)

    def method(self, name: str, inputs: tuple[Any, ...], named: Values) -> Any:
        """The result of the method `name`."""
        made = self._script[0]._c._get_method(name)
        if name not in self._programs:
            self._programs[name] = Program(made.graph, self._find)
        bound = _bound(made.schema, inputs, named)
        results = self._programs[name].run([self, *bound], {})
        return results[0] if len(results) == 1 else tuple(results)

    def attribute(self, name: str) -> Any:
        """The submodule, parameter, buffer or other attribute of that name."""
        for kept in (self.own, self._modules, self._parameters, self._buffers):
            if name in kept:
                return kept[name]
        return self._script[0]._c.getattr(name)


class ScriptedNetwork(ScriptedPart):
    """A whole TorchScript network; each pass begins with the attributes in the file.

    `called` is the method that a pass runs. Raises UnsupportedNode, when it is created or at the
    first pass, if an instruction is not supported.
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
        """The result of the method."""
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
