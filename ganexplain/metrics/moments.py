"""Means and products of many columns of numbers whose rows come in blocks.

Only one block is in memory, so there may be any number of rows. `Blocks` can be iterated more than
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Blocks = Iterable[np.ndarray]


@dataclass(frozen=True)
class Mapped:
    """What a function makes of each of some blocks, as often as they are iterated."""

    function: Callable[[np.ndarray], np.ndarray]
    blocks: Blocks

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.function, self.blocks)


class Moments:
    """Means (B,) and sums of squares (B,) around them, of the rows of all blocks (m, B) so far.

    `products` (A, B) are the same sums of some `columns` (A,) multiplied by all. Sums of two blocks
    are merged as by Chan, Golub and LeVeque (1979), so that nothing is lost where means are large.
    """

    def __init__(self, width: int, columns: Sequence[int] = ()) -> None:
        self.columns = np.array(columns, dtype=np.int64)
        self.count = 0
        self.mean, self.squares = np.zeros(width), np.zeros(width)
        self.products = np.zeros((len(self.columns), width))

    @classmethod
    def of(cls, blocks: Blocks) -> Moments:
        """Those of all blocks, at least one."""
        found: Moments | None = None
        for block in blocks:
            found = found or cls(block.shape[1])
            found.add(block)
        assert found is not None
        return found

    def add(self, block: np.ndarray) -> None:
        """Add the rows of a block (m, B), at least one."""
        mean = block.mean(axis=0, dtype=np.float64)
        centred, apart = block - mean, mean - self.mean
        weight = self.count * len(block) / (self.count + len(block))
        self.count += len(block)
        self.mean += apart * (len(block) / self.count)
        self.squares += np.square(centred).sum(axis=0) + weight * np.square(apart)
        if len(self.columns):
            self.products += centred[:, self.columns].T @ centred
            self.products += weight * np.outer(apart[self.columns], apart)

    def deviations(self, ddof: int = 0) -> np.ndarray:
        """Standard deviations (B,)."""
        return np.sqrt(self.squares / max(self.count - ddof, 1))

    def correlations(self, row: int) -> np.ndarray:
        """Correlations (B,) of the column of a row of `products` with all; 0 for constant ones."""
        size = np.sqrt(self.squares[self.columns[row]] * self.squares)
        found = np.zeros_like(size)
        return np.divide(self.products[row], size, out=found, where=size > 0)


@dataclass(frozen=True)
class CentredTriangle:
    """What a QR decomposition of all rows (M, B) less their `mean` (B,) leaves: (up to B, B).

    It has the singular values and axes of these rows, and is made block after block.
    """

    count: int
    mean: np.ndarray
    triangle: np.ndarray

    @classmethod
    def of(cls, blocks: Blocks) -> CentredTriangle:
        """That of all blocks, at least one."""
        found: np.ndarray | None = None
        for block in blocks:
            rows = np.concatenate([np.ones((len(block), 1)), block], axis=1)
            rows = rows if found is None else np.concatenate([found, rows])
            found = np.asarray(np.linalg.qr(rows, mode="r"))
        assert found is not None
        return cls(round(found[0, 0] ** 2), found[0, 1:] / found[0, 0], found[1:, 1:])

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """The singular values (R,), the largest first, and their axes (R, B)."""
        _, sizes, axes = np.linalg.svd(self.triangle, full_matrices=False)
        return sizes, axes
