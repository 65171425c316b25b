"""Files and record of a changed reconstruction: sounds, a picture, and what has changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ganexplain.artifacts.counterfactuals import ChangedExcerpt, States
from ganexplain.audio.difference import measure_change
from ganexplain.audio.io import encode_flac
from ganexplain.audio.sonify import limit_peak, sonify
from ganexplain.corpora.single import StartExcerpt
from ganexplain.counterfactuals.boundary import DecisionBoundary
from ganexplain.counterfactuals.changed_excerpts import (
    RETOUCHED,
    STATES,
    CounterfactualTask,
    ExcerptChange,
)
from ganexplain.files.atomic import write_bytes
from ganexplain.report.pictures.change_picture import change_picture


class ChangeWriter:
    """Writes the files of changed excerpts, and makes their records."""

    def __init__(self, task: CounterfactualTask, divided: DecisionBoundary) -> None:
        self.config, self.front_end, self.divided = task.config, task.front_end, divided

    def write(self, start: StartExcerpt, base: Path, changed: ExcerptChange) -> ChangedExcerpt:
        """Write the sounds and the picture that `base` names; the record with their names."""
        config, front_end, found = self.config, self.front_end, changed.arrays
        mels = [found[f"{state}_mel"] for state in STATES]
        sounds_made = sonify(
            np.stack(mels[1:]), front_end, config.griffin_lim_iterations, config.seed
        )
        sounds = [start.sound, *sounds_made, changed.retouched]
        paths = [base.with_name(f"{base.name}-{s}.flac") for s in (*STATES, RETOUCHED)]
        for path, sound in zip(paths, sounds, strict=True):
            write_bytes(path, encode_flac(limit_peak(sound), front_end.sample_rate))
        sides = {state: self._side(float(found[f"{state}_margin"])) for state in STATES}
        titles = [f"{s}: {sides[s]} {float(found[f'{s}_response']):+.2f}" for s in STATES]
        picture = base.with_name(f"{base.name}.png")
        excerpts = dict(zip(titles, mels, strict=True))
        write_bytes(picture, change_picture(excerpts, front_end))
        return self._record(start, found, tuple(path.name for path in paths), picture.name)

    def _record(
        self,
        start: StartExcerpt,
        found: Mapping[str, np.ndarray],
        sounds: tuple[str, ...],
        picture: str,
    ) -> ChangedExcerpt:
        original, redrawn, changed = (found[f"{state}_mel"] for state in STATES)
        latents = [found[f"{state}_latent"].astype(np.float64) for state in STATES[1:]]
        states = (*STATES, RETOUCHED)
        off = float(np.sqrt(np.mean((redrawn - original) ** 2)))
        off *= self.front_end.decibels_per_unit
        return ChangedExcerpt(
            excerpt=start.text,
            span_s=tuple(round(s, 4) for s in start.span),
            sides=States(**{s: self._side(float(found[f"{s}_margin"])) for s in states}),
            responses=States(**{s: round(float(found[f"{s}_response"]), 4) for s in states}),
            iterations=int(found["iterations"]),
            no_gradient=bool(found["no_gradient"]),
            reconstruction_off_db=round(off, 2),
            moved=round(float(np.linalg.norm(latents[1] - latents[0])), 4),
            latent_norm=round(float(np.linalg.norm(latents[1])), 4),
            change=measure_change(redrawn, changed, self.front_end).rounded(),
            sounds=sounds,
            picture=picture,
        )

    def _side(self, margin: float) -> str:
        return self.divided.sides[margin > 0]
