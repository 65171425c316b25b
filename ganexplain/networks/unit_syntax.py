"""Parses the texts that name units in options: by number, form, class name or file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import Tensor, nn

from ganexplain.errors import UsageError, did_you_mean
from ganexplain.networks.adapter import OUTPUT, OutputNames, named_layers
from ganexplain.networks.hooks import known_layer, layer_shape
from ganexplain.networks.layer_units import LayerUnits
from ganexplain.networks.readings import FORMS, Channel, Difference, Reading
from ganexplain.networks.units import Unit

FIRST = "0"  # the unit where `--neuron` is not given


def parse_units(
    layers: Sequence[str],
    neurons: str,
    network: nn.Module,
    example: Tensor,
    names: OutputNames | None = None,
) -> list[Unit]:
    """The units that `--layer` and `--neuron` name, each once.

    A layer may name its own units behind a colon (`conv5:17@max`); for other layers they are
    those of `neurons`. Both have the syntax of `parse_readings`. `example` (1, ...) is an input of
    the network. Raises UsageError if a layer or unit does not exist.
    """
    if not layers:
        raise UsageError("--layer: give at least one")
    if neurons != FIRST and all(":" in layer for layer in layers):
        raise UsageError(
            f"--neuron {neurons}: each --layer names its units already; leave one of them out"
        )
    chosen: list[Unit] = []
    for item in dict.fromkeys(layers):
        layer, colon, own = item.partition(":")
        if names and names.classes and not colon:
            _check_layer_or_class(layer, network, names.classes)
        count, *places = layer_shape(network, layer, example)
        of = LayerUnits(layer, count, tuple(places))
        found = parse_readings(own if colon else neurons, of, _classes(names, layer))
        chosen += [Unit(layer, reading) for reading in found]
    return list(dict.fromkeys(chosen))


def _check_layer_or_class(name: str, network: nn.Module, classes: Sequence[str]) -> None:
    """Raise UsageError, with the closest match, if a network has neither of that name."""
    if known_layer(network, name) is None:
        layers = named_layers(network)
        raise UsageError(
            f"--layer: the network has no layer or class {name!r}"
            f"{did_you_mean(name, [*classes, *layers])}; classes: {', '.join(classes)}; "
            f"layers: {', '.join(layers)}"
        )


def parse_unit(
    text: str, network: nn.Module, example: Tensor, names: OutputNames, option: str
) -> Unit:
    """The one unit that `text` names.

    `text` is `LAYER:UNIT`, a layer alone for its first unit, or a unit of the output
    (`sing-nosing`, `5-minus-7`). `example` (1, ...) is an input of the network. Raises UsageError,
    which begins with `option`, if the text does not name exactly one unit.
    """
    layer, colon, neuron = text.partition(":")
    if not colon:
        is_layer = layer == OUTPUT or known_layer(network, layer) is not None
        layer, neuron = (layer, "0") if is_layer else (OUTPUT, text)
    layer = names.output if layer == OUTPUT else layer
    count, *places = layer_shape(network, layer, example, option)
    of = LayerUnits(layer, count, tuple(places))
    found = parse_readings(neuron, of, _classes(names, layer), option)
    if len(found) != 1:
        raise UsageError(f"{option} {text}: names {len(found)} units; give one")
    return Unit(layer, found[0])


def _classes(names: OutputNames | None, layer: str) -> tuple[str, ...]:
    return names.classes if names and layer == names.output else ()


def parse_readings(
    text: str, of: LayerUnits, classes: Sequence[str] = (), option: str = "--neuron"
) -> list[Reading]:
    """The units of a layer that a text names: `all`, or a list.

    Items of the list are numbers and spans (`0,3,8-11`), the forms in `readings` (for a direction
    the path of its `.npy`), one of the `classes`, or a difference of two classes (`sing-nosing`).
    Raises UsageError if the layer has no such unit.
    """
    if text.strip() == "all":
        return [Channel(number) for number in range(of.count)]
    where = f"{option} {text}"
    chosen: list[Reading] = []
    for item in _items(text, len(of.places)):
        if found := re.fullmatch(r"(\d+)-(\d+)", item):
            first, last = int(found[1]), int(found[2])
            if last < first:
                raise UsageError(f"{where}: {item} ends before it begins")
            of.check(where, last)
            chosen += [Channel(number) for number in range(first, last + 1)]
        else:
            chosen.append(_reading(where, item, of, classes))
    return list(dict.fromkeys(chosen))


def _items(text: str, axes: int) -> list[str]:
    """The items between commas; the coordinates of a place stay together."""
    items: list[str] = []
    for part in map(str.strip, text.split(",")):
        place = re.fullmatch(r"\d+@(\d+(?:,\d+)*)", items[-1]) if items else None
        if place and part.isdecimal() and place[1].count(",") + 1 < axes:
            items[-1] += f",{part}"
        else:
            items.append(part)
    return items


def _reading(where: str, item: str, of: LayerUnits, classes: Sequence[str]) -> Reading:
    for form in FORMS:
        if found := form.from_option(item, of, where):
            return found
    if item in classes:
        return _class_unit(where, item, classes, of.count)
    for dash in re.finditer("-minus-|-", item):
        first, second = item[: dash.start()], item[dash.end() :]
        if first in classes and second in classes and first != second:
            return _class_difference(where, first, second, classes, of.count)
    known = f", or of the classes {', '.join(classes)}{did_you_mean(item, classes)}"
    raise UsageError(
        f"{where}: give numbers and spans as in 0,3,8-11, or all, or 17@max"
        f"{known if classes else ''}"
    )


def _class_unit(where: str, name: str, classes: Sequence[str], count: int) -> Channel:
    if count == len(classes):
        return Channel(classes.index(name))
    if count == 1 and name == classes[-1]:
        return Channel(0)
    raise UsageError(
        f"{where}: {name} has no output unit; the only one is {classes[-1]}, so name that one "
        "(with --direction min in explain)"
    )


def _class_difference(
    where: str, first: str, second: str, classes: Sequence[str], count: int
) -> Reading:
    if count == 1:  # the log-odds of the second class, which is the difference
        return _class_unit(where, first, classes, count)
    return Difference(classes.index(first), classes.index(second))
