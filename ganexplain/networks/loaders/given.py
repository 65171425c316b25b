"""Networks that Python code gives as objects, in settings that otherwise name a file."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, Self

from torch import nn

from ganexplain.errors import UsageError, reason_of
from ganexplain.networks.black_box import BlackBox
from ganexplain.networks.copies import copy_network
from ganexplain.networks.loaders.given_hash import function_hash, module_hash

GIVEN = "python:"  # how the name of such a network begins


class GivenNetwork(str):
    """A torch module, or a function from arrays to arrays, as the value of the setting `model`.

    The text is `python:KIND@HASH`, where the hash is of the weights, or of all that a function
    computes with, so that files of runs tell networks apart. Other processes get the network.
    """

    network: nn.Module

    def __new__(cls, given: nn.Module | Callable[..., Any], text: str = "") -> Self:
        """The setting for a network; UsageError for a class in place of an instance.

        `text` is that of another process.
        """
        name = getattr(given, "__name__", type(given).__name__)
        network = given if isinstance(given, nn.Module) else BlackBox(name, given)
        found = super().__new__(cls, text or f"{GIVEN}{name}@{_digest(network)[:16]}")
        found.network = network
        return found

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        box = self.network
        given = box.function if isinstance(box, BlackBox) else box
        try:
            pickle.dumps(given)
        except Exception as error:  # pickle raises many kinds
            raise UsageError(
                f"--workers: {self} cannot be sent to other processes ({reason_of(error)}); use "
                "one worker, or name a factory, 'file.py:factory'"
            ) from error
        return type(self), (given, str(self))

    def load(self) -> nn.Module:
        """The network; a module is copied, so that the caller's stays as it is."""
        return self.network if isinstance(self.network, BlackBox) else copy_network(self.network)


def load_given(model: str) -> nn.Module | None:
    """The network of a setting, None for the name of a file, folder or factory.

    Raises UsageError for a name in a file of a run, of which this process has no network.
    """
    if isinstance(model, GivenNetwork):
        return model.load()
    if model.startswith(GIVEN):
        raise UsageError(
            f"--model {model}: was given as an object in Python; give it again there as classifier="
        )
    return None


def _digest(network: nn.Module) -> str:
    """SHA-256 of a module, or of the function of a black box."""
    return (
        function_hash(network.function) if isinstance(network, BlackBox) else module_hash(network)
    )
