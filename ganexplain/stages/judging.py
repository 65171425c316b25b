"""Other networks of the same concept as judges of what was generated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.artifacts import check_same_front_end, file_hash
from ganexplain.errors import UsageError, did_you_mean
from ganexplain.inputs import Input
from ganexplain.models.loading import Classifier, load_classifier
from ganexplain.models.prediction import probabilities

BATCH = 50


class Judge:
    """A classifier that says of examples which class they are of."""

    def __init__(self, path: Path, name: str, device: torch.device) -> None:
        self.path, self.name, self.sha256 = path, name, file_hash(path)
        self.classifier: Classifier = load_classifier(path, device)
        self.device = device

    @torch.no_grad()
    def classes(self, mel: np.ndarray) -> np.ndarray:
        """Number of the class (N,) that each of N excerpts (N, F, T) is taken for."""
        network, found = self.classifier.network, []
        for start in range(0, len(mel), BATCH):
            part = torch.from_numpy(np.ascontiguousarray(mel[start : start + BATCH]))
            found.append(probabilities(network(part.to(self.device))).cpu().numpy())
        chance = np.concatenate(found)
        if chance.shape[1] == 2:
            return (chance[:, 1] > self.classifier.threshold).astype(np.int64)
        return np.asarray(chance.argmax(axis=1))

    def must_know(self, unit: str) -> None:
        """UsageError where the judge has no class of the name of an output unit."""
        known = self.classifier.classes
        if unit and unit not in known:
            raise UsageError(
                f"--judge {self.path}: has no class {unit!r}{did_you_mean(unit, known)}; "
                f"its classes: {', '.join(known)}"
            )

    def verdict(self, unit: str, direction: str, real: np.ndarray) -> Verdict:
        """What the judge is to say of examples of a unit, on real excerpts (R, F, T) of it.

        Of an output unit its class, or for `min` any other; of a hidden unit the class that it
        takes most of the real excerpts for. Errors as `must_know`.
        """
        self.must_know(unit)
        if not unit:
            most = int(np.bincount(self.classes(real)).argmax())
            return Verdict(self, most, True)
        return Verdict(self, self.classifier.classes.index(unit), direction == "max")


class Verdict:
    """What a judge is asked: are these of a class, or are they not?"""

    def __init__(self, judge: Judge, number: int, wanted: bool) -> None:
        self.judge, self.number, self.wanted = judge, number, wanted

    @property
    def text(self) -> str:
        """The answer hoped for, in words."""
        name = self.judge.classifier.classes[self.number]
        return name if self.wanted else f"not {name}"

    def agreement(self, mel: np.ndarray) -> np.ndarray:
        """Share of examples (..., N, F, T) of which the judge says so: (...), 0 to 1.

        Of pictures (..., N, K, H, W).
        """
        shape = self.judge.classifier.front_end.shape
        said = self.judge.classes(mel.reshape(-1, *shape)) == self.number
        return np.asarray((said == self.wanted).reshape(mel.shape[: -len(shape)]).mean(axis=-1))


def load_judges(
    paths: Sequence[str], explained: tuple[Path, Input], device: torch.device
) -> list[Judge]:
    """The judges of `--judge`, each under a name of its own, in the order given.

    Named by their file, or where that says nothing by its folder. `explained` is the explanations'
    path and front end; UsageError for a judge with another one.
    """
    judges: list[Judge] = []
    for path in map(Path, paths):
        name = path.stem if path.stem != "classifier" else path.resolve().parent.name
        taken = {judge.name for judge in judges}
        numbered = (f"{name}-{k}" for k in range(2, len(paths) + 2))
        name = next(n for n in (name, *numbered) if n not in taken)
        judge = Judge(path, name, device)
        check_same_front_end((path, judge.classifier.front_end), explained)
        judges.append(judge)
    return judges


def judge_entry(verdict: Verdict, chosen: float, real: np.ndarray) -> dict[str, Any]:
    """What `selection.json` says of a judge; `chosen` is its agreement with what was chosen."""
    return {
        "path": str(verdict.judge.path),
        "sha256": verdict.judge.sha256,
        "class": verdict.text,
        "agreement": chosen,
        "real_agreement": float(verdict.agreement(real)),
    }
