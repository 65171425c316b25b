"""Entries of one kind by name: the product's own, and those of other installed packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from ganexplain.errors import GanexplainError, reason_of

Entry = TypeVar("Entry")


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Entries by name: `own` first, then those that other packages declare.

    A package declares an entry in its entry points, in the `group` of the registry:
    `NAME = "MODULE:OBJECT"`, where OBJECT is an instance of `kind`, or with `classes` a class of
    that kind. The module is imported when the entry is first looked up, not to list names. A name
    of `own` cannot be replaced.

    Raises GanexplainError, which names the package, for an entry that cannot be loaded or is of
    another kind.
    """

    def __init__(
        self, kind: type[Any], group: str, own: Mapping[str, Entry], classes: bool = False
    ) -> None:
        self.kind, self.group, self.classes = kind, group, classes
        self._entries = dict(own)

    def add(self, name: str, entry: Entry) -> None:
        """Add an entry of the product's own."""
        self._entries[name] = entry

    def __getitem__(self, name: str) -> Entry:
        if name not in self._entries:
            self._entries[name] = self._load(installed(self.group)[name])
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in installed(self.group)

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._entries, *installed(self.group)))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _load(self, point: EntryPoint) -> Entry:
        package = point.dist.name if point.dist else point.module
        try:
            entry = point.load()
        except MemoryError:
            raise
        except Exception as error:  # whatever the module of another package raises
            reason = reason_of(error)
        else:
            reason = self._fault(entry, point)
            if not reason:
                return entry
        raise GanexplainError(
            f"package {package}: {point.name!r} of its entry points {self.group} cannot be used "
            f"({reason}); repair or uninstall it"
        )

    def _fault(self, entry: Any, point: EntryPoint) -> str:
        kind = f"{self.kind.__module__}.{self.kind.__name__}"
        if self.classes and not (isinstance(entry, type) and issubclass(entry, self.kind)):
            return f"{point.value} is no class of {kind}"
        if not (self.classes or isinstance(entry, self.kind)):
            return f"{point.value} is no {kind}"
        key = getattr(entry, "key", point.name)
        return "" if key == point.name else f"its key is {key!r}"


@cache
def installed(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name, in the order of their names; imports nothing."""
    return {point.name: point for point in sorted(entry_points(group=group), key=lambda p: p.name)}
