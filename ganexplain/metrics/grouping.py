"""Groups of what is alike."""

from __future__ import annotations

import numpy as np

ALIKE = 0.5  # least mean cosine between the members of two groups that are one


def group_profiles(profiles: np.ndarray) -> np.ndarray:
    """Group numbers (N,) of profiles (N, B), 0 for the largest group, by what is above zero.

    Groups are joined as long as the cosine of their members is `ALIKE` or more on average (average
    linkage). Profiles without anything above zero are one group.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    size = np.maximum(profiles.astype(np.float64), 0)
    length = np.linalg.norm(size, axis=1)
    labels, some = np.zeros(len(size), dtype=np.int64), np.flatnonzero(length > 0)
    if some.size == 1:
        labels[some] = 1
    elif some.size:
        tree = linkage(np.maximum(pdist(size[some], "cosine"), 0), "average")
        labels[some] = fcluster(tree, 1 - ALIKE, "distance")
    _, first, numbers, counts = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    ranks = np.empty(len(counts), dtype=np.int64)
    ranks[np.lexsort((first, -counts))] = np.arange(len(counts))
    return ranks[numbers]


def most_central(profiles: np.ndarray) -> int:
    """The number of the profile (N, B) whose cosine to the mean of all directions is largest."""
    size = np.maximum(profiles.astype(np.float64), 0)
    length = np.linalg.norm(size, axis=1, keepdims=True)
    unit = np.divide(size, length, out=np.zeros_like(size), where=length > 0)
    return int((unit @ unit.mean(axis=0)).argmax())
