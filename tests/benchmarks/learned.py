"""What learned explainers are worth: python tests/benchmarks/learned.py METHOD [OPTIONS].

METHOD is that of `train-explainer`, or `coalitions`: cgan with --teacher shapley, or `known`: parts
of sounds whose events are known; its options are shown by METHOD --help.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

METHODS = ("cgan", "coalitions", "known", "parts")


def main() -> None:
    """Hand over to the method's own benchmark."""
    if len(sys.argv) < 2 or sys.argv[1] not in METHODS:
        sys.exit(f"{__doc__}\nMETHOD: {', '.join(METHODS)}")
    import_module(f"learned_{sys.argv[1]}").run(sys.argv[2:])


if __name__ == "__main__":
    main()
