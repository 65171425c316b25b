"""Faults: every stage is hit at random moments and has to end as if nothing had been."""

from __future__ import annotations

import itertools
import math
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .checks import broken_features, broken_files, is_locked, left_over, unequal
from .process import Running, mount, mounts_allowed, with_own_mounts
from .stand import Stage, Stand
from .table import Room, Round

SIGNALS = {
    "SIGKILL": (signal.SIGKILL, (-9,)),
    "SIGTERM": (signal.SIGTERM, (143, -15)),  # -15: before the command has begun
    "SIGINT": (signal.SIGINT, (130, -2)),
}
AFRESH = 0.15  # share of kills in a new interpreter, where the imports are hit as well
COLD = 0.3  # share of kills with an empty cache, so that the features are hit as well
MEGABYTE = 2**20
Fault = Callable[[Stand, Stage, np.random.Generator], Round]


def faults(room: Room, names: tuple[str, ...] = (), kinds: tuple[str, ...] = ()) -> Iterator[Round]:
    """Rounds of each kind of fault on each stage in turn, those named or all."""
    stand = Stand(room.folder, names)
    allowed = mounts_allowed(stand.temporary)
    chosen = {name: fault for name, fault in FAULTS.items() if not kinds or name in kinds}
    for turn in itertools.count():
        for offset, (name, fault) in enumerate(chosen.items()):
            stage = stand.stages[(turn + offset) % len(stand.stages)]
            if name in NEED_MOUNTS and not allowed:
                continue
            stream = np.random.default_rng([room.seed, turn, offset])
            yield fault(stand, stage, stream)


def one_of_each(folder: Path, stage: str, kinds: tuple[str, ...]) -> list[Round]:
    """A round of each of these faults on one stage; for a process that has computed nothing yet."""
    room = Room(folder, 0, math.inf)
    return list(itertools.islice(faults(room, (stage,), kinds), len(kinds)))


def _killed(name: str) -> Fault:
    number, codes = SIGNALS[name]

    def fault(stand: Stand, stage: Stage, stream: np.random.Generator) -> Round:
        out, afresh = stand.new_run(), bool(stream.random() < AFRESH)
        cache = out.with_name(f"{out.name}-cache") if stream.random() < COLD else stand.cache
        seconds = stand.seconds[stage.name] * 1.1 + (3.0 if afresh and not stage.afresh else 0.0)
        running = stand.start(stage, out, cache=cache, afresh=afresh)
        _sleep(stream.uniform(0, seconds), running)
        running.hit(number)
        code = running.wait()
        wrong = _after(out, cache, running, code, (0, *codes))
        if number != signal.SIGKILL and code not in (-2, -15):
            wrong += [f"left over: {name}" for name in left_over(out, cache)]
        ended = "done before" if code == 0 else "taken up, equal"
        return _taken_up(stand, stage, out, cache, f"{name} {stage.name}", ended, wrong)

    return fault


def _full_disk(stand: Stand, stage: Stage, stream: np.random.Generator) -> Round:
    """A disk with room for a part of what the stage writes, then with enough."""
    return with_own_mounts(_on_small_disk, stand, stage, stream, _disk(stand))


def _disk(stand: Stand) -> Path:
    """A new folder to mount something on."""
    disk = stand.new_run()
    disk.mkdir()
    return disk


def _on_small_disk(stand: Stand, stage: Stage, stream: np.random.Generator, disk: Path) -> Round:
    out, cache = disk / "run", disk / "cache" if stream.random() < COLD else stand.cache
    needed = _kilobytes(stand.ready(stage)) + (
        _kilobytes(stand.cache) if cache != stand.cache else 0
    )
    mount(disk, 4 * max(1, int(stream.uniform(0, needed) / 4)))
    running = stand.start(stage, out, cache=cache)
    code = running.wait()
    wrong = _after(out, cache, running, code, (0, 1), one_line=True)
    wrong += [f"left over: {name}" for name in left_over(out, cache)]
    mount(disk, 10 * needed + 10_000, again=True)
    ended = "room enough" if code == 0 else "one line; taken up, equal"
    return _taken_up(stand, stage, out, cache, f"full disk {stage.name}", ended, wrong)


def _file_limit(stand: Stand, stage: Stage, stream: np.random.Generator) -> Round:
    """Files cut off at a size: the full disk of those who may not mount one."""
    out = stand.new_run()
    largest = max(path.stat().st_size for path in stand.ready(stage).rglob("*") if path.is_file())
    running = stand.start(stage, out, file_size=max(1, int(stream.uniform(0, largest))))
    code = running.wait()
    wrong = _after(out, stand.cache, running, code, (0, 1), one_line=True)
    wrong += [f"left over: {name}" for name in left_over(out)]
    ended = "room enough" if code == 0 else "one line; taken up, equal"
    return _taken_up(stand, stage, out, stand.cache, f"file limit {stage.name}", ended, wrong)


def _read_only(stand: Stand, stage: Stage, stream: np.random.Generator) -> Round:
    """A directory that cannot be written, empty or with a killed run, then one that can."""
    return with_own_mounts(_on_read_only, stand, stage, stream, _disk(stand))


def _on_read_only(stand: Stand, stage: Stage, stream: np.random.Generator, disk: Path) -> Round:
    size = 10 * _kilobytes(stand.ready(stage)) + 20_000
    mount(disk, size)
    out, more = disk / "run", ""
    cache = disk / "cache" if stream.random() < COLD else stand.cache
    if stream.random() < 0.5:
        killed = stand.start(stage, out, cache=cache)
        _sleep(stream.uniform(0, stand.seconds[stage.name]), killed)
        killed.hit(signal.SIGKILL)
        killed.wait()
        more = stage.again
    mount(disk, size, again=True, read_only=True)
    running = stand.start(stage, out, more, cache)
    wrong = _after(out, cache, running, running.wait(), (1, 2), one_line=True)
    mount(disk, size, again=True)
    kind = f"read-only {stage.name}"
    return _taken_up(stand, stage, out, cache, kind, "one line; taken up, equal", wrong)


def _little_memory(stand: Stand, stage: Stage, stream: np.random.Generator) -> Round:
    out = stand.new_run()
    limit = int(np.exp(stream.uniform(np.log(MEGABYTE), np.log(600 * MEGABYTE))))
    running = stand.start(stage, out, memory=limit)
    code = running.wait()
    wrong = _after(out, stand.cache, running, code, None)
    if code is not None and code < 0:
        how = f"signal {-code}"
    else:
        how = "one line"
        if code and not _is_one_line(running):
            wrong.append(f"more than a line: {running.said[-600:]}")
    ended = "room enough" if code == 0 else f"{how}; taken up, equal"
    return _taken_up(stand, stage, out, stand.cache, f"memory {stage.name}", ended, wrong)


def _two_at_once(stand: Stand, stage: Stage, stream: np.random.Generator) -> Round:
    """A second run where one is at work: it has to be refused, and to harm nothing."""
    out, wrong = stand.new_run(), []
    first = stand.start(stage, out)
    while not first.ended() and not (out / "config.toml").is_file():  # by then it holds it
        time.sleep(0.002)
    _sleep(stream.uniform(0, stand.seconds[stage.name] / 2), first)
    second = stand.start(stage, out, stage.again)
    code = second.wait()
    alone = first.ended()
    ended = "first was done" if alone else "refused, first equal"
    if not alone and (code != 2 or not _is_one_line(second) or "another run" not in second.said):
        wrong.append(f"second run ended with {code}: {second.said[-300:]}")
    if first.wait() != 0:
        wrong.append(f"first run ended with {first.status}: {first.said[-300:]}")
    return _taken_up(stand, stage, out, stand.cache, f"two at once {stage.name}", ended, wrong)


def _dead_holder(stand: Stand, stage: Stage, stream: np.random.Generator) -> Round:
    """Killed in mid-run, again and again: the lock dies with the process, work goes on."""
    out, wrong, kills = stand.new_run(), [], int(stream.integers(2, 4))
    for turn in range(kills):
        running = stand.start(stage, out, stage.again if turn else "")
        _sleep(stream.uniform(0, stand.seconds[stage.name]), running)
        running.hit(signal.SIGKILL)
        code = running.wait()
        wrong += _after(out, stand.cache, running, code, (0, -9))
    kind = f"SIGKILL, again {stage.name}"
    return _taken_up(stand, stage, out, stand.cache, kind, "taken up, equal", wrong, kills)


FAULTS: dict[str, Fault] = {
    **{name: _killed(name) for name in SIGNALS},
    "again": _dead_holder,
    "full disk": _full_disk,
    "file limit": _file_limit,
    "read-only": _read_only,
    "memory": _little_memory,
    "two at once": _two_at_once,
}
NEED_MOUNTS = ("full disk", "read-only")


# --- what has to hold -------------------------------------------------------------------------


def _after(
    out: Path,
    cache: Path,
    running: Running,
    code: int | None,
    allowed: tuple[int, ...] | None,
    one_line: bool = False,
) -> list[str]:
    """What is wrong right after a fault; `allowed` exit statuses, any where None."""
    said = running.said
    wrong = [f"broken: {text}" for text in broken_files(out) + broken_features(cache)]
    if code is None:
        wrong.append(f"hangs: {said[-300:]}")
    if allowed is not None:
        if code not in allowed:
            wrong.append(f"ended with {code}: {said[-600:]}")
        if "Traceback" in said and code != -2:  # -2: hit before the command had begun
            wrong.append(f"traceback: {said[-600:]}")
    if one_line and code not in (0, None) and not _is_one_line(running):
        wrong.append(f"more than a line: {said[-600:]}")
    if out.is_dir() and is_locked(out):
        wrong.append("still locked")
    return wrong


def _is_one_line(running: Running) -> bool:
    lines = running.said.splitlines()
    return len(lines) == 1 and lines[0].startswith("error: ")


def _taken_up(
    stand: Stand,
    stage: Stage,
    out: Path,
    cache: Path,
    kind: str,
    ended: str,
    wrong: list[str],
    count: int = 1,
) -> Round:
    """Run the stage again, as a user would, and hold the result against the undisturbed run."""
    begun = out.is_dir() and any(out.iterdir())
    before = time.monotonic()
    running = stand.start(stage, out, stage.again if begun else "", cache=cache)
    if running.wait() != 0:
        wrong.append(f"taken up it ended with {running.status}: {running.said[-600:]}")
    else:
        # How long the stage takes just now, so that faults hit it in its midst.
        if stage.again != "--resume" or not begun:
            stand.seconds[stage.name] = time.monotonic() - before
        wrong += [f"unequal: {text}" for text in unequal(out, stand.ready(stage))]
    wrong += [f"broken: {text}" for text in broken_files(out) + broken_features(cache)]
    wrong += [f"left over: {name}" for name in left_over(out, cache)]
    wrong += [f"left in TMPDIR: {path}" for path in stand.temporary.iterdir()]
    if wrong:
        return Round(
            kind, "broke a promise", count, f"{stage.name} in {out}: {'; '.join(wrong[:3])}"
        )
    shutil.rmtree(out, ignore_errors=True)
    if cache != stand.cache:
        shutil.rmtree(cache, ignore_errors=True)
    return Round(kind, ended, count)


def _kilobytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 1024 + 1


def _sleep(seconds: float, running: Running) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not running.ended():
        time.sleep(0.002)
