"""Runs the nodes of a TorchScript graph one by one."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import torch

from ganexplain.networks.loaders.pure_operators import is_pure

Values = dict[str, object]  # values of a graph, by their names there
Find = Callable[[str], Any]  # returns a function of the network's code, by its full name
Step = Callable[[list[Any], Values], Sequence[Any]]
PASS = re.compile(r"forward\d*")  # a trace has forward1, forward2, ... for repeated calls
_OF_LISTS: dict[str, Callable[[list[Any]], Sequence[Any]]] = {
    "aten::add": lambda inputs: (inputs[0] + inputs[1],),
    "aten::mul": lambda inputs: (inputs[0] * inputs[1],),
    "aten::slice": lambda inputs: (inputs[0][slice(*inputs[1:])],),
}


class UnsupportedNode(Exception):
    """An instruction that is not supported; the message names it."""


class Program:
    """A graph, or a block of one, as a list of steps that Python runs."""

    def __init__(self, block: Any, find: Find) -> None:
        self.inputs = _names(block.inputs())
        self.outputs = _names(block.outputs())
        self.steps = [
            (_step(node, find), _names(node.inputs()), _names(node.outputs()))
            for node in block.nodes()
        ]

    def run(self, given: Sequence[Any], values: Values) -> list[Any]:
        """Results for inputs; `values` of the surrounding graph are read and extended."""
        values.update(zip(self.inputs, given, strict=True))
        for step, inputs, outputs in self.steps:
            results = step([values[name] for name in inputs], values)
            values.update(zip(outputs, results, strict=True))
        return [values[name] for name in self.outputs]


def _names(values: Iterable[Any]) -> list[str]:
    return [value.debugName() for value in values]


def _step(node: Any, find: Find) -> Step:
    """The function of a node: from its inputs and all values so far to its outputs."""
    kind = node.kind()
    if kind in _MADE:
        return _MADE[kind](node, find)
    of_lists = kind in _OF_LISTS and "t[]" in node.schema()
    if kind in _SIMPLE or of_lists:
        simple = _OF_LISTS[kind] if of_lists else _SIMPLE[kind]
        return lambda inputs, values: simple(inputs)
    return _operator(kind, node.schema(), node.outputsSize())


@cache
def _operator(kind: str, declared: str, outputs: int) -> Step:
    """One of torch's own operators, by its declaration."""
    if declared == "(no schema)" or not is_pure(kind):
        raise UnsupportedNode(kind)
    schema = torch._C.parse_schema(declared)
    found = torch._C._get_operation_overload(schema.name, schema.overload_name)
    if not found:
        raise UnsupportedNode(kind)
    call, arguments = found[0], schema.arguments
    first_named = sum(not argument.kwarg_only for argument in arguments)
    names = [argument.name for argument in arguments[first_named:]]

    def run(inputs: list[Any], values: Values) -> Sequence[Any]:
        named = dict(zip(names, inputs[first_named:], strict=False))
        result = call(*inputs[:first_named], **named)
        return () if outputs == 0 else (result,) if outputs == 1 else tuple(result)

    return run


def _constant(node: Any, find: Find) -> Step:
    value = node.output().toIValue()
    return lambda inputs, values: (value,)


def _if(node: Any, find: Find) -> Step:
    yes, no = (Program(block, find) for block in node.blocks())
    return lambda inputs, values: (yes if inputs[0] else no).run((), values)


def _loop(node: Any, find: Find) -> Step:
    (body,) = (Program(block, find) for block in node.blocks())

    def run(inputs: list[Any], values: Values) -> Sequence[Any]:
        most, going, *carried = inputs
        turn = 0
        while going and turn < most:
            going, *carried = body.run((turn, *carried), values)
            turn += 1
        return carried

    return run


def _call_method(node: Any, find: Find) -> Step:
    name = node.s("name")

    def run(inputs: list[Any], values: Values) -> Sequence[Any]:
        part, *given = inputs
        if part is None:  # the context manager of `_create_object`
            return (None,)
        if not PASS.fullmatch(name):
            return (part.method(name, tuple(given), {}),)
        part.pass_method = name
        return (part(*given),)  # as a module, so that hooks see it

    return run


def _call_function(node: Any, find: Find) -> Step:
    name = node.inputsAt(0).type().annotation_str
    function = find(name)
    if function is None:
        raise UnsupportedNode(name)
    program = Program(function.graph, find)
    return lambda inputs, values: program.run(inputs[1:], {})


def _get_attribute(node: Any, find: Find) -> Step:
    name = node.s("name")
    return lambda inputs, values: (inputs[0].attribute(name),)


def _set_attribute(node: Any, find: Find) -> Step:
    name = node.s("name")

    def run(inputs: list[Any], values: Values) -> Sequence[Any]:
        inputs[0].own[name] = inputs[1]
        return ()

    return run


def _raise(inputs: list[Any]) -> Sequence[Any]:
    raise RuntimeError(str(inputs[0]))


def _mutating(change: Callable[[list[Any]], None]) -> Callable[[Any, Find], Step]:
    """A change of a list in place; torch's own operators would change a copy."""

    def make(node: Any, find: Find) -> Step:
        outputs = node.outputsSize()

        def run(inputs: list[Any], values: Values) -> Sequence[Any]:
            change(inputs)
            return (inputs[0],) if outputs else ()

        return run

    return make


def _create_object(node: Any, find: Find) -> Step:
    """Skip torch.no_grad: values are the same without it, and gradients are needed."""
    kind = node.output().type().annotation_str
    if not kind.endswith("no_grad"):
        raise UnsupportedNode(kind)
    return lambda inputs, values: (None,)


_MADE: dict[str, Callable[[Any, Find], Step]] = {
    "prim::Constant": _constant,
    "prim::If": _if,
    "prim::Loop": _loop,
    "prim::CallMethod": _call_method,
    "prim::CallFunction": _call_function,
    "prim::CreateObject": _create_object,
    "prim::GetAttr": _get_attribute,
    "prim::SetAttr": _set_attribute,
    "aten::append": _mutating(lambda inputs: inputs[0].append(inputs[1])),
    "aten::extend": _mutating(lambda inputs: inputs[0].extend(inputs[1])),
    "aten::_set_item": _mutating(lambda inputs: operator.setitem(*inputs)),
}


_SIMPLE: dict[str, Callable[[list[Any]], Sequence[Any]]] = {
    "prim::ListConstruct": lambda inputs: (list(inputs),),
    "prim::TupleConstruct": lambda inputs: (tuple(inputs),),
    "prim::DictConstruct": lambda inputs: (dict(zip(inputs[::2], inputs[1::2], strict=True)),),
    "prim::TupleUnpack": lambda inputs: inputs[0],
    "prim::ListUnpack": lambda inputs: inputs[0],
    "prim::TupleIndex": lambda inputs: (inputs[0][inputs[1]],),
    **dict.fromkeys(("prim::unchecked_cast", "prim::data"), lambda inputs: inputs),
    **dict.fromkeys(("prim::Uninitialized", "prim::Enter", "prim::Exit"), lambda inputs: (None,)),
    **dict.fromkeys(("prim::Print", "aten::warn"), lambda inputs: ()),
    "prim::RaiseException": _raise,
    "aten::__getitem__": lambda inputs: (inputs[0][inputs[1]],),
    "aten::__contains__": lambda inputs: (inputs[1] in inputs[0],),
    "aten::len": lambda inputs: (len(inputs[0]),),
    "aten::list": lambda inputs: (list(inputs[0]),),
    "aten::keys": lambda inputs: (list(inputs[0]),),
    "aten::values": lambda inputs: (list(inputs[0].values()),),
    "aten::items": lambda inputs: (list(inputs[0].items()),),
    "aten::__is__": lambda inputs: (inputs[0] is inputs[1],),
    "aten::__isnot__": lambda inputs: (inputs[0] is not inputs[1],),
    "aten::__not__": lambda inputs: (not inputs[0],),
}
