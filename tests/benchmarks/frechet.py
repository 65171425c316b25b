"""Frechet distance: the nuclear norm of a small matrix against scipy's matrix square root.

    OMP_NUM_THREADS=1 python tests/benchmarks/frechet.py

Both ways on the same two samples, one after the other. With fewer examples than dimensions the
covariances are singular, where a matrix square root need not exist; the usual remedy, a small
multiple of the identity added to both, changes the distance. So the second way is also shown
with as many examples as make it regular, and both against a closed form.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.linalg import sqrtm

from ganexplain.metrics.distances import frechet_distance


def by_square_root(a: np.ndarray, b: np.ndarray, ridge: float) -> float:
    """As published implementations have it: means, covariances, `sqrtm` of their product."""
    s, t = (np.cov(x, rowvar=False) + ridge * np.eye(x.shape[1]) for x in (a, b))
    root = sqrtm(s @ t)
    mean = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    return float(mean + np.trace(s) + np.trace(t) - 2 * np.trace(root).real)


def timed(run: Callable[[], float], repeats: int) -> tuple[float, float]:
    """The result and the least of the times (s)."""
    spent = []
    for _ in range(repeats):
        begun = time.perf_counter()
        result = run()
        spent.append(time.perf_counter() - begun)
    return result, min(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dimensions", type=int, default=2048)
    dimensions = parser.parse_args().dimensions
    stream = np.random.default_rng(0)
    scale = stream.uniform(0.5, 2, dimensions)
    print("| N | D | ours | s | sqrtm | s | ratio of time | difference over the distance |")
    print("|---|---|---|---|---|---|---|---|")
    for count, ridge in ((50, 0.0), (50, 1e-6), (2 * dimensions, 0.0)):
        a = stream.normal(size=(count, dimensions)) * scale
        b = stream.normal(0.1, 1, (count, dimensions))
        ours, quick = timed(partial(frechet_distance, a, b), 5)
        theirs, slow = timed(partial(by_square_root, a, b, ridge), 1)
        name = f"{count}, + {ridge:g} I" if ridge else str(count)
        print(f"| {name} | {dimensions} | {ours:.4f} | {quick:.4f} | {theirs:.4f} | {slow:.1f} | "
              f"{slow / quick:,.0f} | {abs(ours - theirs) / ours:.1e} |", flush=True)  # fmt: skip
    # Orthogonal directions, equal variances: the spreads cannot overlap, so the distance is
    # |m1 - m2|^2 + tr S1 + tr S2 exactly.
    basis = np.linalg.qr(stream.normal(size=(dimensions, 98)))[0].T
    a, b = basis[:49], basis[49:] + 0.1
    a, b = np.vstack([a, -a]), np.vstack([b - 0.1, 0.1 - b]) + 0.1
    exact = dimensions * 0.01 + 2 * np.sum(a**2) / (len(a) - 1)
    print(f"closed form {exact:.9f}, ours {frechet_distance(a, b):.9f}")


if __name__ == "__main__":
    main()
