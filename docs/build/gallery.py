"""Picture and sounds of the gallery, from runs of explain and select that maximise one unit.

    python docs/build/gallery.py runs/gallery/fc9-0-max runs/gallery-select/fc9-0-max

Writes docs/images/gallery.png and docs/sounds/gallery-*.flac: the first four seeds before and after
the search, the four strongest real excerpts, and four of the control without the GAN; none is
chosen.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from ganexplain.artifacts.controls import read_controls
from ganexplain.artifacts.explanations import read_explanations
from ganexplain.artifacts.selection import read_selection
from ganexplain.audio.sonify import make_sounds
from ganexplain.files.arrays import read_arrays
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.pictures.sample_sheet import sample_sheet, strip

DOCS = Path(__file__).parents[1]
SHOWN = 4
TITLES = {
    "before": "before the search",
    "found": "found by the search",
    "real": "real excerpts that drive the neuron most",
    "noise": "without the GAN",
}


def main(explanations: Path, selection: Path) -> None:
    """Write what the page of the gallery shows and plays."""
    found = read_explanations(explanations / "explanations.npz")
    chosen = read_selection(selection / "selection.json", found).chosen
    controls = read_controls(selection / "controls.npz", found)
    real, _ = read_arrays(selection / "responses.npz", "responses", ())
    front_end = found.front_end
    assert isinstance(front_end, FrontEnd)
    rows = {
        "before": found.arrays["start_mel"][:SHOWN],
        "found": found.arrays["mel"][chosen, :SHOWN],
        "real": real["mel"][:SHOWN],
        "noise": controls["input_ascent"]["mel"][:SHOWN],
    }
    sheet = sample_sheet({TITLES[name]: inputs for name, inputs in rows.items()}, front_end)
    Image.open(BytesIO(sheet)).quantize(128).save(DOCS / "images/gallery.png", optimize=True)
    for name, inputs in rows.items():
        sounds = make_sounds(front_end, inputs)
        if name == "real":
            sounds = real["audio"][:SHOWN].astype(np.float32) / 2**15
        sound = strip(sounds, front_end.sample_rate)
        (DOCS / f"sounds/gallery-{name}.flac").write_bytes(sound)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
