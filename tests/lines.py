"""Print the share of lines that tests ran, and the modules of which they ran the fewest.

    python tests/lines.py .coverage.json

Reads what `slipcover --json` wrote: the lines that ran in the process of the tests, not those that
ran only in a process that a test started. `make coverage` prints the lines that did not run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FEW = 80  # per cent


def main() -> None:
    """Print a line in total, and a line a module under FEW per cent, the fewest first."""
    coverage = json.loads(Path(sys.argv[1]).read_text())
    total = coverage["summary"]
    ran, missed = total["covered_lines"], total["missing_lines"]
    print(f"{ran} of {ran + missed} lines ran: {total['percent_covered']:.1f} %")
    modules = sorted(
        (m["summary"]["percent_covered"], path) for path, m in coverage["files"].items()
    )
    for share, path in modules:
        if share < FEW:
            print(f"{share:5.0f} % {path}")


if __name__ == "__main__":
    main()
