"""Settings of the commands that go the whole way, from recordings to a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganexplain.config.setting import setting
from ganexplain.config.shared import (
    LAYER,
    NEURON,
    Computes,
    Divides,
    NamesNetwork,
    SeeksExcerpts,
)


@dataclass(frozen=True, kw_only=True)
class RunConfig(SeeksExcerpts, NamesNetwork, Computes, Divides):
    """Go from recordings to a page (OUT/report), by stages that you can also run one by one.

    `ganexplain run sample_data --out runs/whole`

    Without --classifier or --model it first trains a classifier on the recordings (`--preset
    quick`); if they have no labels, it explains the shipped one. Then it finds the real excerpts
    that drive a unit, searches for generated ones, selects, tests and reports. Each stage has its
    own run directory: OUT/train-classifier, OUT/train-gan, OUT/responses, OUT/explain, OUT/select,
    OUT/validate and OUT/report. Finished stages are kept for --resume.
    """

    NEEDS_NETWORK: ClassVar[bool] = False
    STAGES: ClassVar[tuple[str, ...]] = (
        "train-classifier", "train-gan", "responses", "explain", "select", "validate", "report",
    )  # fmt: skip

    corpus: tuple[str, ...] = setting(
        "Recordings: any folder of sound files, a folder in the Jamendo layout (audio, labels, "
        "filelists), a CSV manifest, or a folder of pictures (CLASS/NAME.png).",
        argument=True,
        reads=True,
    )
    gan: str = setting(
        "Path of gan.pt; empty: the shipped GAN, or for pictures a new one.", "", reads=True
    )
    minutes: float = setting(
        "Time for training the GAN further on these recordings (min); 0: no further training. A "
        "new GAN of pictures is trained for 10 min if this is 0.",
        0.0,
        0,
    )
    layer: tuple[str, ...] = setting(LAYER, ())
    neuron: str = setting(NEURON, "0")
    direction: str = setting(
        "Direction: max, min or both (maximise or minimise the activation).", "max"
    )
    search: str = setting(
        "Search: adaptive (guided by the real excerpts), grid (all settings), evolution or elites "
        "(as in `explain`).",
        "adaptive",
    )
    iterations: int = setting("Largest number of iterations of a search.", 400, 1)
    examples: int = setting("Number of examples for each setting; a verdict needs 24.", 24, 2)
    judge: tuple[str, ...] = setting(
        "Independent network to judge the examples, classifier.pt or MODEL@INPUT.toml; repeat for "
        "several. Default: two shipped ones where the shipped classifier is explained.",
        (),
        reads=True,
    )
    encoder: tuple[str, ...] = setting(
        "Encoder that compares new excerpts with the examples, as in `validate`; repeat for "
        "several. Default: descriptors and, for the shipped classifier, a shipped network.",
        (),
        reads=True,
    )


@dataclass(frozen=True, kw_only=True)
class DemoConfig(Computes, Divides):
    """Explain the shipped singing-voice detector with the recordings that the package carries.

    `ganexplain demo`

    Writes OUT/report/report.html, by the stages of `run` with its settings.
    """

    OUT: ClassVar[str] = "runs/demo"
