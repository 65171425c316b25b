"""Renders recordings of known events from Debian packages.

    python -m sample_data.known_parts drums OUT
    python -m sample_data.known_parts phrases OUT

OUT/manifest.csv is then a corpus for `train-classifier`, whose classes are rhythms or pairs of
instruments, and OUT/events.csv lists what sounds when, in which band. The sounds of the test split
are of other drum kits or another sound font than those of the training. Packages are kept in
OUT/packages (or `--store`); what is there already is not downloaded again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ganexplain.errors import GanexplainError

from .drums import drum_takes
from .phrases import phrase_takes
from .takes import write_takes

TASKS = {"drums": drum_takes, "phrases": phrase_takes}


def main() -> int:
    """Command line; the exit status is 2 if a package is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--store", type=Path, help="folder for packages; default: OUT/packages")
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws")
    options = parser.parse_args()
    try:
        takes = TASKS[options.task](options.store or options.out / "packages", options.seed)
        write_takes(options.out, takes)
    except (GanexplainError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
