"""The number of cores that this process may use, by its affinity and a container's quota."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Number of cores that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = cpu_quota()
    return count if quota is None else max(min(count, math.ceil(quota)), 1)


def limit_threads() -> None:
    """Limit libraries that are imported later to `usable_cores` threads.

    They count only the cores of the affinity, and too many threads slow each other down. A number
    that the user has set is kept.
    """
    if cpu_quota() is not None:
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            if not os.environ.get(variable):
                os.environ[variable] = os.environ.get("OMP_NUM_THREADS") or str(usable_cores())


def cpu_quota() -> float | None:
    """CPU time per time, in cores, that control groups allow this process; None without limit.

    Limits of parent groups apply too. Version 2 has quota and period in microseconds in `cpu.max`,
    version 1 in `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
    """
    shares = [_share(folder) for folder in _folders()]
    return min((share for share in shares if share is not None), default=None)


def _folders() -> Iterator[Path]:
    """The folders that may contain limits of this process: those of its groups and their parents.

    In a container the path may be that of the host, which does not exist there; the process's own
    group is then the root.
    """
    try:
        lines = OWN_CGROUPS.read_text().splitlines()
    except (OSError, ValueError):
        lines = []
    yield from (CGROUPS, CGROUPS / "cpu", CGROUPS / "cpu,cpuacct")
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        below = PurePosixPath(path.lstrip("/"))
        if ".." in below.parts:
            continue
        mounts = ("cpu", controllers) if controllers else ("", "unified")
        for mount in mounts:
            yield from (CGROUPS / mount / group for group in (below, *below.parents))


def _share(folder: Path) -> float | None:
    """The number of cores that one group may use, None without a limit."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        share = float(quota) / float(period)  # "max" and -1 are no limit
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return share if 0 < share < math.inf else None
