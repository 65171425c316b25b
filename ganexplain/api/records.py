"""The records of trainings, and of what explains single decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from shutil import get_terminal_size
from typing import Self

import numpy as np
import torch
from torch import nn

from ganexplain.api.arguments import PathName
from ganexplain.api.display import Row, files_shown, rows_shown, text_shown
from ganexplain.api.runs import Run
from ganexplain.artifacts.attributions import AttributionResult
from ganexplain.artifacts.counterfactuals import Counterfactuals
from ganexplain.artifacts.false_alarms import FoundAlarms
from ganexplain.artifacts.input_description import InputDescription
from ganexplain.artifacts.prediction import Prediction
from ganexplain.artifacts.predictions import Predictions
from ganexplain.classifiers.checkpoint import Classifier, load_classifier
from ganexplain.errors import UsageError
from ganexplain.files.arrays import read_arrays
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.networks import AnyGenerator
from ganexplain.inputs.base import Input
from ganexplain.report.counterfactuals import counterfactuals_text
from ganexplain.report.false_alarms import false_alarms_text
from ganexplain.report.prediction import prediction_text
from ganexplain.report.tables import aligned, measures_text
from ganexplain.stages.attribute import AttributeResult
from ganexplain.stages.rerun import Repetition
from ganexplain.stages.train_explainer import TrainedExplainer

CPU = torch.device("cpu")
CHUNK = 32
WIDTH = 100  # characters of a line where no terminal says how many it has


@dataclass(frozen=True, repr=False)
class File(Run[Path]):
    """A run whose result is one file."""

    @classmethod
    def read(cls, path: PathName) -> Self:
        """The record of a file that was written before, without the settings of its run."""
        return cls(Path(path).parent, None, Path(path))

    def __fspath__(self) -> str:
        return str(self.result)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.result)!r})"


@dataclass(frozen=True, repr=False)
class TrainedClassifier(File):
    """A trained classifier, which can be passed as `network`.

    Attributes:
        result: Path of `classifier.pt`.
    """

    @cached_property
    def classifier(self) -> Classifier:
        """The network with its classes, threshold and input."""
        return load_classifier(self.result, CPU)

    @property
    def network(self) -> nn.Module:
        """The network, from inputs (N, ...) to logits (N, outputs)."""
        return self.classifier.network

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.classifier.classes


@dataclass(frozen=True, repr=False)
class TrainedGan(File):
    """A trained GAN, which can be passed as `gan`. In a notebook it shows samples.

    Attributes:
        result: Path of `gan.pt`.
    """

    @cached_property
    def _read(self) -> tuple[AnyGenerator, Input]:
        return load_generator(self.result, CPU)

    @property
    def input_spec(self) -> Input:
        """The description of what it generates."""
        return self._read[1]

    def generate(self, count: int = 8, seed: int = 0) -> np.ndarray:
        """Samples (N, ...) from `count` latents that are drawn with `seed`."""
        drawn = torch.randn(count, LATENT_SIZE, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            return np.concatenate([self._read[0](part).numpy() for part in drawn.split(CHUNK)])

    def sounds(self, count: int = 8, seed: int = 0) -> np.ndarray:
        """Waveforms (N, samples) of the same samples; UsageError for pictures."""
        from ganexplain.audio.sonify import make_sounds

        return make_sounds(self.input_spec, self.generate(count, seed))

    def _repr_html_(self) -> str:
        samples = self.generate()
        row = Row("samples", samples, np.full(len(samples), np.nan))
        return rows_shown(str(self.result), [row], self.input_spec)


@dataclass(frozen=True, repr=False)
class Explainer(Run[TrainedExplainer]):
    """A trained explainer, for `attribute`'s argument `explainer`; `result` has its figures."""

    def __fspath__(self) -> str:
        return str(self.result.path)


@dataclass(frozen=True, repr=False)
class Predicted(Run[Predictions]):
    """Predictions for recordings or pictures. In a notebook it shows the curves.

    Attributes:
        result: For each file its classes, and the paths of its curve, segments and picture.
    """

    def _repr_html_(self) -> str:
        paths = [Path(each.picture) for each in self.result.recordings]
        lines = [f"{each.file}  {each.class_name}" for each in self.result.pictures]
        return files_shown(f"predictions of {self.result.classifier}", paths, "\n".join(lines))


@dataclass(frozen=True, repr=False)
class Validated(Run[Prediction]):
    """What can be predicted with the examples; `result` has the shares of each unit."""

    def __repr__(self) -> str:
        return prediction_text(self.result)

    def _repr_html_(self) -> str:
        return text_shown(repr(self))


@dataclass(frozen=True, repr=False)
class Described(Run[InputDescription]):
    """The description of an input, which can be passed as `input`; `result` has its keys."""

    def __repr__(self) -> str:
        return "\n".join(self.result.lines)


@dataclass(frozen=True, repr=False)
class Rerun(Run[Repetition]):
    """A run and its repetition; `result.equal` says whether they are the same."""


@dataclass(frozen=True, repr=False)
class Page(File):
    """A page to open in a browser; `result` is its path. In a notebook it shows itself."""

    def _repr_html_(self) -> str:
        page = escape(self.result.read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{page}" width="100%" height="700"></iframe>'


@dataclass(frozen=True, repr=False)
class Counterfactual(Run[Counterfactuals]):
    """Excerpts and what would change the decision. In a notebook it shows and plays them.

    Attributes:
        result: For each excerpt the sides, the responses and the change by bands.

    Shape:
        `arrays["edit_db"]`, `"original_mel"` and `"edited_mel"` are (N, F, T) for N excerpts.
        With `on="gan"` `"original_mel"`, `"reconstruction_mel"` and `"counterfactual_mel"` are
        (N, ...), `"reconstruction_latent"` and `"counterfactual_latent"` (N, Z).
    """

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """The arrays of `counterfactual.npz`."""
        return read_arrays(self.out / "counterfactual.npz", "counterfactual", ())[0]

    def __repr__(self) -> str:
        return f"Counterfactual({str(self.out)!r})\n{counterfactuals_text(self.result)}"

    def _repr_html_(self) -> str:
        return "".join(
            files_shown(each.excerpt, [Path(each.picture), *map(Path, each.sounds)])
            for each in self.result.excerpts
        )


@dataclass(frozen=True, repr=False)
class FalseAlarms(Run[FoundAlarms]):
    """Where a network finds a class that is not there, and why. In a notebook it plays causes.

    Attributes:
        result: For each class how often, the groups of alarms with their causes, and the page.
    """

    def __repr__(self) -> str:
        return f"FalseAlarms({str(self.out)!r})\n{false_alarms_text(self.result)}"

    def _repr_html_(self) -> str:
        groups = [group for each in self.result.classes for group in each.groups]
        shown = [
            files_shown(each.alarms[0].excerpt, list(map(Path, each.sounds))) for each in groups
        ]
        return "".join(shown) + text_shown(repr(self))


@dataclass(frozen=True, repr=False)
class Attribution(Run[AttributeResult]):
    """The parts of inputs that matter for a decision. In a notebook it shows and plays them.

    Attributes:
        result: The measures of each input and configuration, the table and the page.

    Shape:
        For one input and configuration: `map` and `segments` have the shape of the input's
        plane (F, T), `weights` and `kept` are (n,) for n segments. Of several, `maps` has them
        all.
    """

    @property
    def maps(self) -> tuple[Mapping[str, np.ndarray], ...]:
        """The arrays of each attribution, by input and configuration."""
        return tuple(
            read_arrays(self.out / each.folder / "attribution.npz", "attribution", ())[0]
            for each in self._results
        )

    @property
    def _results(self) -> list[AttributionResult]:
        return [each for entry in self.result.found.inputs for each in entry.results]

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """The arrays of the only attribution; UsageError if there are several."""
        if len(self._results) != 1:
            raise UsageError(f"{self.out}: has {len(self._results)} maps; take one of `maps`")
        return self.maps[0]

    @property
    def table(self) -> str:
        """The table of all measures; `print` leaves out those that do not fit the terminal."""
        return aligned(self.result.table, left=1)

    @property
    def map(self) -> np.ndarray:
        """What each place of the input adds to the score, (F, T)."""
        return self.arrays["map"]

    @property
    def segments(self) -> np.ndarray:
        """The number of the segment of each place, (F, T)."""
        return self.arrays["segments"]

    @property
    def weights(self) -> np.ndarray:
        """The weight of each segment, (n,)."""
        return self.arrays["weights"]

    @property
    def kept(self) -> np.ndarray:
        """Whether each segment is kept, (n,)."""
        return self.arrays["kept"]

    def __repr__(self) -> str:
        width = get_terminal_size((WIDTH, 24)).columns
        return f"Attribution({str(self.out)!r})\n{measures_text(self.result.table, width)}"

    def _repr_html_(self) -> str:
        shown = []
        for entry in self.result.found.inputs:
            for each in entry.results:
                folder = self.out / each.folder
                sides = [*folder.glob("kept.*"), *folder.glob("removed.*")]
                title = f"{entry.file}: {entry.explained}, {folder.name}"
                shown.append(files_shown(title, [folder / "map.png", *sides]))
        return "".join(shown) + text_shown(self.table)
