"""Address any unit of any layer of a network, by the layer's name and the unit's number or name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from ganexplain.errors import UsageError, did_you_mean
from ganexplain.networks.adapted import OUTPUT, Names, named_layers
from ganexplain.networks.hooks import layer_shape
from ganexplain.networks.readings import OVER_UNITS, Neuron, direction_neuron, units

__all__ = ["units"]  # what a layer's units are is part of how they are addressed


def chosen_neurons(
    layers: Sequence[str],
    neurons: str,
    network: nn.Module,
    example: Tensor,
    names: Names | None = None,
) -> list[tuple[str, Neuron]]:
    """Layer and number, or text, of each unit asked for; UsageError where there is no such one.

    A layer may have its own units behind a colon (`conv5:17@max`); for the others `neurons`
    counts. Both as `neuron_numbers` takes them. `example` (1, ...) is an input of the network.
    """
    if not layers:
        raise UsageError("--layer: give at least one")
    chosen: list[tuple[str, Neuron]] = []
    for item in dict.fromkeys(layers):
        layer, colon, own = item.partition(":")
        shape = layer_shape(network, layer, example)
        text = own if colon else neurons
        known = names if names and layer == names.output else None
        chosen += [(layer, n) for n in neuron_numbers(text, layer, shape[0], shape[1:], known)]
    return list(dict.fromkeys(chosen))


def chosen_neuron(
    text: str, network: nn.Module, example: Tensor, names: Names, option: str
) -> tuple[str, Neuron]:
    """Layer and number, or text, of the one unit that `text` names; UsageError else.

    `LAYER:UNIT` as `chosen_neurons` takes it, a layer alone for its first unit, or a unit of the
    output (`sing-nosing`, `5-minus-7`). `example` (1, ...) is an input of the network.
    """
    layer, colon, unit = text.partition(":")
    if not colon:
        is_layer = layer == OUTPUT or layer in named_layers(network)
        layer, unit = (layer, "0") if is_layer else (OUTPUT, text)
    layer = names.output if layer == OUTPUT else layer
    count, *places = layer_shape(network, layer, example, option)
    known = names if layer == names.output else None
    found = neuron_numbers(unit, layer, count, places, known, option)
    if len(found) != 1:
        raise UsageError(f"{option} {text}: names {len(found)} units; give one")
    return layer, found[0]


def neuron_numbers(
    text: str,
    layer: str,
    count: int,
    places: Sequence[int] = (),
    names: Names | None = None,
    option: str = "--neuron",
) -> list[Neuron]:
    """Neurons of a layer of `count` units with axes of `places` behind: `all`, or a list.

    Its items are numbers and spans as in `0,3,8-11`; `17@max` or `17@12,30` (a place); `mean` or
    `max` over all units; a class name, a difference of two (`sing-nosing`), the path of a `.npy`.
    """
    if text.strip() == "all":
        return list(range(count))
    chosen: list[Neuron] = []
    where = f"{option} {text}"
    for item in _items(text, len(places)):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", item)
        if found is None:
            chosen.append(_named_neuron(where, item, layer, count, places, names))
            continue
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise UsageError(f"{where}: {item} ends before it begins")
        _check_count(where, last, layer, count)
        chosen += range(first, last + 1)
    return list(dict.fromkeys(chosen))


def _items(text: str, axes: int) -> list[str]:
    """What stands between commas, the coordinates of a place kept together."""
    items: list[str] = []
    for part in map(str.strip, text.split(",")):
        place = re.fullmatch(r"\d+@(\d+(?:,\d+)*)", items[-1]) if items else None
        if place and part.isdecimal() and place[1].count(",") + 1 < axes:
            items[-1] += f",{part}"
        else:
            items.append(part)
    return items


def _check_count(where: str, unit: int, layer: str, count: int) -> None:
    if unit >= count:
        raise UsageError(f"{where}: layer {layer} has units 0 to {count - 1}")


def _named_neuron(
    where: str, item: str, layer: str, count: int, places: Sequence[int], names: Names | None
) -> Neuron:
    if item in OVER_UNITS:
        return item
    if item.endswith(".npy"):
        return direction_neuron(Path(item), layer, count)
    if found := re.fullmatch(r"(\d+)@(.+)", item):
        _check_count(where, int(found[1]), layer, count)
        return f"{found[1]}@{_place(where, found[2], layer, places)}"
    classes = names.classes if names else ()
    if item in classes:
        return _class_unit(where, item, classes, count)
    if found := re.fullmatch(r"(\d+)-minus-(\d+)", item):
        _check_count(where, max(int(found[1]), int(found[2])), layer, count)
        return item
    for dash in re.finditer("-minus-|-", item):
        first, second = item[: dash.start()], item[dash.end() :]
        if first in classes and second in classes and first != second:
            return _class_difference(where, first, second, classes, count)
    known = f", or of the classes {', '.join(classes)}{did_you_mean(item, classes)}"
    raise UsageError(
        f"{where}: give numbers and spans as in 0,3,8-11, or all, or 17@max"
        f"{known if classes else ''}"
    )


def _place(where: str, place: str, layer: str, places: Sequence[int]) -> str:
    if place == "max":
        return place
    coordinates = place.split(",")
    numbers = [int(c) if c.strip().isdecimal() else -1 for c in coordinates]
    inside = len(numbers) == len(places) and all(
        0 <= n < size for n, size in zip(numbers, places, strict=True)
    )
    if not inside:
        sizes = " x ".join(map(str, places)) or "no"
        raise UsageError(
            f"{where}: {place} is neither max nor a place; layer {layer} has {sizes} places"
        )
    return ",".join(map(str, numbers))


def _class_unit(where: str, name: str, classes: Sequence[str], count: int) -> Neuron:
    if count == len(classes):
        return classes.index(name)
    if count == 1 and name == classes[-1]:
        return 0
    raise UsageError(
        f"{where}: {name} has no output unit; the only one is {classes[-1]}, so name that one "
        "(with --direction min in explain)"
    )


def _class_difference(
    where: str, first: str, second: str, classes: Sequence[str], count: int
) -> Neuron:
    if count == 1:  # the log-odds of the second class, which is the difference
        return _class_unit(where, first, classes, count)
    return f"{classes.index(first)}-minus-{classes.index(second)}"
