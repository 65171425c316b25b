"""`python -m tests.torture.fuzzing GROUP FOLDER COUNT SEED SECONDS`: one group of readers.

Inputs are mutated by atheris, which is guided by the branches that they reach, or by chance where
it is not installed. A reader may read a file or refuse it with a GanexplainError of one line;
anything else, more than 5 s of processor time or more than 1 GB of memory is a finding.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .readers import Reader

LONGEST = 5.0  # s of processor time
MOST = 2**30  # bytes above what the imports take
LARGEST_INPUT = 20_000  # bytes
STUCK = 60.0  # s on one input, of a process that does not even come back to Python
NO_MEMORY = re.compile(r"allocate|MemoryError|bad_alloc|out of memory", re.IGNORECASE)


class Hang(BaseException):
    """The time is up."""


@contextmanager
def timed() -> Iterator[None]:
    """While open, `Hang` is raised after so much processor time."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def limit_memory() -> None:
    """From here on no more than so much above what is taken now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MOST
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def outcome_of(call: Callable[[], object]) -> tuple[str, str]:
    """How reading ended, and the finding if it is one."""
    from ganexplain.errors import GanexplainError

    try:
        with timed():
            call()
    except GanexplainError as error:
        text = str(error)
        if NO_MEMORY.search(text):
            return "too much memory", text[:300]
        if len(text.splitlines()) != 1:
            return "refused", f"not one line: {text[:300]!r}"
        return "refused in one line", ""
    except Hang:
        return "hangs", "more than 5 s at " + traceback.format_exc().splitlines()[-3].strip()
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        ours = [p for p in traceback.extract_tb(error.__traceback__) if "ganexplain" in p.filename]
        inside = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
        where = f"{inside} {Path(place.filename).name}:{place.lineno}"
        return "traceback", f"{type(error).__name__} at {where}: {str(error)[:200]!r}"
    return "read", ""


class Session:
    """Counts of one reader's outcomes, and the inputs that found something."""

    def __init__(self, reader: Reader, folder: Path, count: int) -> None:
        self.reader, self.folder, self.count = reader, folder, count
        self.outcomes: Counter[str] = Counter()
        self.findings: dict[str, str] = {}
        self.path = folder / f"input{Path(reader.name).suffix}"

    def __call__(self, data: bytes) -> None:
        """Try one input."""
        reader = self.reader
        try:
            content = reader.make(data)
        except Exception as error:
            self.findings["make"] = f"no input could be made: {error!r} of {data!r}"
            self.outcomes["not made"] += 1
            return
        self.path.write_bytes(content)
        (self.folder / "current").write_bytes(content)
        outcome, finding = outcome_of(lambda: reader.read(self.path))
        self.outcomes[outcome] += 1
        key = re.sub(r"\d+", "9", finding)[:120]
        if finding and key not in self.findings:
            kept = self.folder / f"finding-{len(self.findings)}{self.path.suffix}"
            kept.write_bytes(content)
            self.findings[key] = f"{finding} ({kept})"
        done = self.outcomes.total()
        if finding or done >= self.count or done % 50 == 0:
            self.tell()

    def tell(self) -> None:
        """Write what is known."""
        told = {"outcomes": self.outcomes, "findings": list(self.findings.values())}
        (self.folder / "told.json").write_text(json.dumps(told))


def mutated(seeds: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Inputs by chance: bytes changed, removed, doubled, exchanged between seeds."""
    chance = random.Random(seed)
    yield from seeds
    pool = list(seeds)
    for _ in range(count - len(seeds)):
        data = bytearray(chance.choice(pool))
        for _ in range(1 + chance.randrange(6)):
            at = chance.randrange(len(data) + 1)
            span = slice(at, at + chance.randrange(1, 9))
            way = chance.randrange(5)
            if way == 0:
                data[span] = chance.randbytes(len(data[span]))
            elif way == 1:
                del data[span]
            elif way == 2:
                data[at:at] = chance.randbytes(1 + chance.randrange(8))
            elif way == 3:
                other = chance.choice(seeds)
                begin = chance.randrange(len(other) + 1)
                data[span] = other[begin : begin + chance.randrange(64)]
            else:
                data[span] = data[span] * 2
        if chance.random() < 0.05:
            pool.append(bytes(data[:LARGEST_INPUT]))
        yield bytes(data[:LARGEST_INPUT])


def run(reader: Reader, folder: Path, count: int, seed: int, guided: bool) -> None:
    """Try inputs of one reader, in a process that is forked for it."""
    session = Session(reader, folder, count)
    for data in reader.seeds:
        session(data)  # what is imported late, before memory is counted
    limit_memory()
    if not guided:
        for data in mutated(list(reader.seeds), count, seed):
            session(data)
        session.tell()
        return
    import atheris

    corpus = folder / "corpus-of-inputs"
    corpus.mkdir()
    for number, data in enumerate(reader.seeds):
        (corpus / str(number)).write_bytes(data)

    def once(data: bytes) -> None:
        session(data)
        if session.outcomes.total() >= count:
            os._exit(0)

    arguments = [
        f"-seed={seed + 1}",
        f"-max_len={LARGEST_INPUT}",
        "-timeout=600",
        "-rss_limit_mb=0",
        "-verbosity=0",
        f"-artifact_prefix={folder}/",
        str(corpus),
    ]
    atheris.Setup([sys.argv[0], *arguments], once)
    atheris.Fuzz()


def watched(pid: int, folder: Path, until: float) -> str:
    """Wait for a forked process; what is wrong with how it ended."""
    current = folder / "current"
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return "" if code == 0 else f"the process ended with {code} on {current}"
        stuck = current.exists() and time.time() - current.stat().st_mtime > STUCK
        if stuck or time.time() > until:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return f"hangs on {current}" if stuck else ""
        time.sleep(0.05)


def main() -> None:
    """Entry point of the child: a line of JSON for each reader of the group."""
    group, name, inputs, seed, seconds = sys.argv[1:]
    folder, end = Path(name), time.time() + float(seconds)
    guided = find_spec("atheris") is not None
    with instrumented(guided):
        from .readers import readers

        known = readers(folder)[group]()
    for place, reader in enumerate(known):
        mine = folder / re.sub(r"\W", "-", reader.name)
        mine.mkdir()
        left = (end - time.time()) / (len(known) - place)
        count = max(1, round(int(inputs) * reader.share))
        if pid := os.fork():
            wrong = watched(pid, mine, time.time() + max(left, 1.0))
        else:
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            run(reader, mine, count, int(seed), guided)
            os._exit(0)
        told = mine / "told.json"
        found = json.loads(told.read_text()) if told.exists() else {"outcomes": {}, "findings": []}
        found["findings"] += [wrong] if wrong else []
        print(json.dumps({"name": reader.name, **found}), flush=True)


def instrumented(guided: bool) -> AbstractContextManager[object]:
    """While open, what is imported of ganexplain tells atheris of its branches."""
    if not guided:
        return nullcontext()
    import atheris

    found: AbstractContextManager[object] = atheris.instrument_imports(include=["ganexplain"])
    return found


if __name__ == "__main__":
    main()
