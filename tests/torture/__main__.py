"""`python -m tests.torture`: all parts side by side, then the table; status 1 at any violation."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .parts import PARTS, torture
from .table import table


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="in all (default: 20)")
    parser.add_argument("--only", action="append", choices=PARTS, help="one part; may be repeated")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other faults")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    folder = Path(tempfile.mkdtemp(prefix="ganexplain-torture-"))
    started = time.time()
    rounds = torture(asked.only or list(PARTS), asked.minutes, asked.seed, folder)
    print(table(rounds))
    violations = [one for one in rounds if one.violation]
    for one in violations:
        print(f"VIOLATION {one.kind}: {one.violation}", file=sys.stderr)
    print(f"{time.time() - started:.0f} s, {len(violations)} violations", file=sys.stderr)
    if violations:
        print(f"what was left stands in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
