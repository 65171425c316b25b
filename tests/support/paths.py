"""Where things lie that tests read."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data"
PRETRAINED = SAMPLE / "pretrained"
# An hour of labelled music beside the checkout, where there is one; tests that want it skip.
SHARED_CORPUS = Path(os.environ.get("GANEXPLAIN_CORPUS", ROOT.parent / "shared" / "corpus"))
