"""Blocks of `explain --search elites`: the rows of all units at once, which share every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor, nn

from ganexplain.artifacts.plan import Part
from ganexplain.ascent.blocks import BlockSearch
from ganexplain.ascent.engine import Trajectories, ascend_together
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.search_task import SearchTask
from ganexplain.networks.hooks import Response, find_layer, record_outputs
from ganexplain.networks.units import Unit
from ganexplain.runs.precision import in_precision

SharedBlock = tuple[Part, ...]  # the parts of one block, of one or several targets


def shared_blocks(parts: Sequence[Part]) -> list[SharedBlock]:
    """The parts of several targets, block by block."""
    ordered = sorted(parts, key=lambda part: part.block)
    return [tuple(block) for _, block in groupby(ordered, key=lambda part: part.block)]


class SharedBlockSearch:
    """The searches of blocks for all units of the run at once; arguments as for `BlockSearch`."""

    def __init__(self, task: SearchTask, out: Path, networks: SearchNetworks | None = None) -> None:
        self.each, self.targets = BlockSearch(task, out, networks), list(task.metas)

    def __call__(self, parts: SharedBlock, advance: Callable[[int], None]) -> None:
        """Search the R rows of a block for all units, and write the files of `parts`.

        Other units may have theirs already. They are searched again, as each has a share in what
        is found for the others.
        """
        found = self._search(parts[0], advance)
        for part in parts:
            advance(0)  # ends a task whose command has ended
            self.each.write_found(part, found[self.targets.index(part.target)])

    def _search(self, part: Part, advance: Callable[[int], None]) -> list[Trajectories]:
        """What is found for each target in the rows of a part."""
        each, config = self.each, self.each.config
        generator, network = each.fast
        settings = [each.settings(target) for target in self.targets]
        with (
            in_precision(config.precision, each.device),
            units_responses(network, [target.unit for target in self.targets]) as respond,
        ):
            return ascend_together(
                lambda latent: respond(generator(latent)),
                each.starts_of(part),
                config.iterations,
                settings[0],
                [one.sign for one in settings],
                lambda units, response: advance(units),
            )


@contextmanager
def units_responses(network: nn.Module, units: Sequence[Unit]) -> Iterator[Response]:
    """A function from inputs (B, ...) to the responses (B, U) of units, from one pass."""
    layers = {unit.layer: find_layer(network, unit.layer) for unit in units}
    with record_outputs(network, layers) as outputs:

        def respond(x: Tensor) -> Tensor:
            network(x)
            return torch.stack([unit.read(outputs[unit.layer]) for unit in units], dim=1)

        yield respond
