"""Files and record of an edited excerpt: sounds, a picture, and what the edit is and does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ganexplain.artifacts.edits import EditedExcerpt, EditStates, JudgedEdit
from ganexplain.audio.difference import measure_edit
from ganexplain.audio.display import display_front_end
from ganexplain.audio.io import encode_flac
from ganexplain.audio.sonify import limit_peak
from ganexplain.corpora.single import StartExcerpt
from ganexplain.counterfactuals.boundary import DecisionBoundary
from ganexplain.counterfactuals.edited_excerpts import EDIT_STATES, EditTask, ExcerptEdit
from ganexplain.files.atomic import write_bytes
from ganexplain.report.pictures.change_picture import change_picture

CHANGED_DB = 0.1  # least change of a cell that counts


class EditWriter:
    """Writes the files of edited excerpts, and makes their records."""

    def __init__(self, task: EditTask, divided: DecisionBoundary) -> None:
        self.task, self.divided = task, divided
        self.view, self.rate = display_front_end(task.sound), task.sound.sample_rate

    def write(self, start: StartExcerpt, base: Path, found: ExcerptEdit) -> EditedExcerpt:
        """Write the sounds and the picture that `base` names; the record with their names."""
        sounds = {"original": start.sound, "edited": found.edited, "edit": found.edit}
        paths = [base.with_name(f"{base.name}-{name}.flac") for name in sounds]
        for path, sound in zip(paths, sounds.values(), strict=True):
            write_bytes(path, encode_flac(limit_peak(sound), self.rate))
        picture, arrays = base.with_name(f"{base.name}.png"), found.arrays
        sides = self._sides(arrays)
        excerpts = {
            f"{state}: {sides[state]} {float(arrays[f'{state}_response']):+.2f}": (
                arrays[f"{state}_mel"]
            )
            for state in ("original", "edited")
        }
        write_bytes(picture, change_picture(excerpts, self.view))
        return self._record(start, found, tuple(path.name for path in paths), picture.name)

    def _sides(self, arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
        return {s: self.divided.sides[int(arrays[f"{s}_margin"] > 0)] for s in EDIT_STATES}

    def _record(
        self, start: StartExcerpt, found: ExcerptEdit, sounds: tuple[str, ...], picture: str
    ) -> EditedExcerpt:
        arrays, upwards = found.arrays, not found.arrays["original_margin"] > 0
        size = np.abs(arrays["edit_db"])
        changed = size > CHANGED_DB
        off = [arrays.get(f"{state}_gan_off_db") for state in ("original", "edited")]
        return EditedExcerpt(
            excerpt=start.text,
            span_s=tuple(round(s, 4) for s in start.span),
            sides=EditStates(**self._sides(arrays)),
            responses=EditStates(
                **{s: round(float(arrays[f"{s}_response"]), 4) for s in EDIT_STATES}
            ),
            iterations=int(arrays["iterations"]),
            no_gradient=bool(arrays["no_gradient"]),
            cells=round(float(changed.mean()), 4),
            mean_db=round(float(size[changed].mean()), 2) if changed.any() else 0.0,
            change=measure_edit(arrays["edit_db"], self.view).rounded(),
            elsewhere=float(((arrays["elsewhere_margin"] > 0) == upwards).mean()),
            gan_off_db=tuple(round(float(each), 2) for each in off if each is not None),
            judges=self._judged(found, upwards),
            sounds=sounds,
            picture=picture,
        )

    def _judged(self, found: ExcerptEdit, upwards: bool) -> tuple[JudgedEdit, ...]:
        if not self.task.judges:
            return ()
        before, after = (found.arrays[f"{state}_judge_margins"] for state in ("original", "edited"))
        return tuple(
            JudgedEdit(
                judge=name,
                sides=(self.divided.sides[int(old > 0)], self.divided.sides[int(new > 0)]),
                margins=(round(float(old), 4), round(float(new), 4)),
                agrees=bool((new > old) == upwards),
            )
            for name, old, new in zip(self.task.judges, before, after, strict=True)
        )
