"""Every setting and its default: one frozen dataclass a stage, and the front end.

Nothing heavy is imported here, so that `ganexplain --help` stays quick.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrontEnd:
    """The log-mel front end (Schlueter & Grill 2015, used unchanged by Mishra et al. 2019).

    Frequencies in Hz, lengths in samples, the floor as a magnitude, the excerpt in frames.
    """

    sample_rate: int = 22050
    frame_length: int = 1024
    hop_length: int = 315
    mel_bands: int = 80
    lowest_hz: float = 27.5
    highest_hz: float = 8000.0
    floor: float = 1e-7
    excerpt_frames: int = 115

    @property
    def frame_rate(self) -> float:
        """Frames per second (70 for the defaults)."""
        return self.sample_rate / self.hop_length

    @property
    def excerpt_samples(self) -> int:
        """Samples that the frames of one excerpt span."""
        return (self.excerpt_frames - 1) * self.hop_length + self.frame_length


@dataclass(frozen=True)
class CorpusConfig:
    """What every stage that reads recordings takes."""

    corpus: str = ""
    cache: str = ""  # empty: the user's cache directory
    skip_bad_files: bool = False


@dataclass(frozen=True)
class TrainClassifierConfig(CorpusConfig):
    """`train-classifier`: the recipe of Schlueter & Grill 2015, section 2.2 of the method."""

    outputs: int = 0  # 0: one for two classes, else one per class
    epochs: int = 20
    updates_per_epoch: int = 2000
    batch_size: int = 32
    learning_rate: float = 0.01
    learning_rate_decay: float = 0.85
    momentum: float = 0.95
    augment: bool = False
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class TrainGanConfig(CorpusConfig):
    """`train-gan`. Zero for a learning rate or batch size means the recipe's own."""

    loss: str = "non-saturating"
    steps: int = 20000
    batch_size: int = 0
    learning_rate: float = 0.0
    ema_decay: float = 0.999
    sample_every: int = 1000
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class ExplainConfig:
    """`explain`: the grid of Mishra et al. 2019 (3 x 3 x 3 settings, 50 examples)."""

    classifier: str = ""
    gan: str = ""
    layer: str = "fc9"
    neuron: int = 0
    direction: str = "max"
    learning_rate: tuple[float, ...] = (0.1, 0.01, 0.001)
    prior_weight: tuple[float, ...] = (0.1, 0.01, 0.001)
    iterations: tuple[int, ...] = (100, 500, 1000)
    examples: int = 50
    features: str = ""  # empty: the last hidden layer
    batch_size: int = 8
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class SelectConfig(CorpusConfig):
    """`select`: real responses and the ranking of settings."""

    explanations: str = ""
    classifier: str = ""
    responses: str = ""
    top: int = 0  # 0: as many as the explanations have examples
    hop_frames: int = 10
    overlapping: bool = False
    by: str = "fid-response"
    device: str = "auto"


@dataclass(frozen=True)
class ReportConfig:
    """`report`."""

    explanations: str = ""
    selection: str = ""
    responses: str = ""
    examples: int = 6
    griffin_lim_iterations: int = 100
    seed: int = 0


@dataclass(frozen=True)
class LabelStemsConfig:
    """`label-stems`: vocal labels from the energy of a separate vocal track (dB, seconds)."""

    stems: str = ""
    threshold_db: float = -40.0
    join_gaps: float = 0.35
    shortest: float = 0.1
    valid_share: float = 0.15
    seed: int = 0
