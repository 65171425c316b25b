"""How many cores a run takes: the affinity's, and no more than a container's quota pays for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ganexplain.runs import cores
from ganexplain.runs.workers import Workers


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of control groups of a machine with eight cores."""
    groups = tmp_path / "cgroup"
    groups.mkdir()
    monkeypatch.setattr(cores, "CGROUPS", groups)
    monkeypatch.setattr(cores, "OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    return groups


def write(groups: Path, own: str, files: dict[str, str]) -> None:
    (groups.parent / "own").write_text(own)
    for name, text in files.items():
        path = groups / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


V1 = "5:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n"


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {}, 8),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "100000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 3),  # two and a half keep three busy
        ("0::/\n", {"cpu.max": "5000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "1600000 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "nonsense\n"}, 8),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, 2),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000\n", "a/cpu.max": "max 100000\n"}, 4),
        ("0::/host/a\n", {"cpu.max": "200000 100000\n"}, 2),  # a path of the host
        ("0::/../b\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/a\n", {"unified/a/cpu.max": "200000 100000\n"}, 2),
        (V1, {"cpu,cpuacct/docker/a/cpu.cfs_quota_us": "150000\n",
              "cpu,cpuacct/docker/a/cpu.cfs_period_us": "50000\n"}, 3),
        (V1, {"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        (V1, {"cpu/docker/a/cpu.cfs_quota_us": "-1\n",
              "cpu/docker/a/cpu.cfs_period_us": "100000\n"}, 8),
        (V1, {"cpu/docker/a/cpu.cfs_quota_us": "100000\n",
              "cpu/docker/a/cpu.cfs_period_us": "0\n"}, 8),
    ],
)  # fmt: skip
def test_cores_that_a_quota_pays_for(
    machine: Path, own: str, files: dict[str, str], expected: int
) -> None:
    write(machine, own, files)
    assert cores.usable_cores() == expected
    assert Workers("auto").count(100, worth_it=True) == expected
    assert Workers("5").count(100, worth_it=True) == 5  # a number is as it is


def test_without_any_control_groups_the_affinity_counts(machine: Path) -> None:
    machine.rmdir()
    assert cores.usable_cores() == 8


def test_threads_follow_the_quota_unless_the_user_has_set_them(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    cores.limit_threads()
    assert not any(name in os.environ for name in names)  # no quota, nothing to limit
    write(machine, "0::/\n", {"cpu.max": "150000 100000\n"})
    for name in names:
        monkeypatch.setenv(name, "")
    cores.limit_threads()
    assert [os.environ[name] for name in names] == ["2"] * 3
    for name, value in zip(names, ("6", "", "5"), strict=True):
        monkeypatch.setenv(name, value)
    cores.limit_threads()
    assert [os.environ[name] for name in names] == ["6", "6", "5"]
