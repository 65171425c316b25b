"""Settings of the stages that train a classifier or a GAN, and that use a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ganexplain.config.setting import setting
from ganexplain.config.shared import (
    CHECKPOINT_EVERY,
    CORPORA,
    LAST_SEED,
    SEED,
    Computes,
    ReadsRecordings,
)


@dataclass(frozen=True, kw_only=True)
class TrainClassifierConfig(ReadsRecordings, Computes):
    """Train a classifier on labelled recordings: OUT/classifier.pt.

    `ganexplain train-classifier sample_data --out runs/classifier --preset quick`

    The presets: `best`, the defaults below; `quick`, a tenth of the updates and nothing altered;
    `paper`, the recipe of Schlueter and Grill (2015).
    """

    corpus: tuple[str, ...] = setting(CORPORA, argument=True, reads=True)
    preset: str = setting("best, quick or paper: what is not set otherwise.", "best")
    input: str = setting(
        "TOML file with the size and channels of pictures; empty: as they are.", "", reads=True
    )
    architecture: str = setting("svdnet or compactnet.", "svdnet")
    outputs: int = setting("Output units; 0: one for two classes, else one each.", 0, 0)
    epochs: int = setting("Epochs; the best on validation is kept.", 20, 1, extends=True)
    updates_per_epoch: int = setting("Updates in an epoch.", 500, 1)
    batch_size: int = setting("Excerpts in an update.", 32, 1)
    optimiser: str = setting("adamw, or sgd with Nesterov momentum.", "adamw")
    learning_rate: float = setting("In the first epoch.", 1e-3, 0)
    schedule: str = setting("Of the learning rate: cosine to zero, or step by epoch.", "cosine")
    learning_rate_decay: float = setting("Of step: factor after each epoch.", 0.85, 0, 1)
    momentum: float = setting("Of sgd.", 0.95, 0, 1)
    weight_decay: float = setting("Of adamw.", 0.01, 0)
    batch_norm: bool = setting("Normalise while training; folded into the weights after.", True)
    level_invariant: bool = setting("First filters of zero mean, blind to gain.", False)
    augment: float = setting(
        "Share of excerpts stretched in time and pitch by up to 30 %, and equalised.", 0.7, 0, 1
    )
    level: float = setting("Random gain of up to this much (dB).", 10.0, 0)
    mix: float = setting("Share of excerpts with one of the first of two classes added.", 0.5, 0, 1)
    masks: bool = setting("Hide spans of frames and bands (SpecAugment).", True)
    mixup: float = setting("Blend pairs of excerpts by Beta(x, x); 0: none.", 0.0, 0)
    precision: str = setting("bfloat16 or float32, of convolutions in training.", "bfloat16")
    workers: int = setting("Threads that make batches; 0: none.", 1, 0, extends=True)
    checkpoint_every: int = setting(CHECKPOINT_EVERY, 1000, 1, extends=True)
    seed: int = setting(SEED, 0, 0, LAST_SEED)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "best": {},
        "quick": {
            "epochs": 5,
            "updates_per_epoch": 200,
            "optimiser": "sgd",
            "learning_rate": 0.02,
            "batch_norm": False,
            "augment": 0.0,
            "level": 0.0,
            "mix": 0.0,
            "masks": False,
        },
        "paper": {
            "updates_per_epoch": 2000,
            "optimiser": "sgd",
            "learning_rate": 0.01,
            "schedule": "step",
            "batch_norm": False,
            "augment": 1.0,
            "level": 0.0,
            "mix": 0.0,
            "masks": False,
            "precision": "float32",
        },
    }


@dataclass(frozen=True, kw_only=True)
class PredictConfig(ReadsRecordings, Computes):
    """Say when in a recording what sounds: OUT/NAME.csv, NAME.lab and NAME.png of each file.

    `ganexplain predict song.mp3 --classifier runs/classifier/classifier.pt --out runs/predict`

    NAME is the file's without its ending; where several have one NAME, the second is NAME-2. Of
    pictures: OUT/predictions.csv, the class and all probabilities of each.
    """

    files: tuple[str, ...] = setting(
        "Recordings; or pictures, or folders of them.", argument=True, reads=True
    )
    classifier: str = setting("Path of classifier.pt.", reads=True)


@dataclass(frozen=True, kw_only=True)
class TrainGanConfig(ReadsRecordings, Computes):
    """Train a generator of excerpts on recordings: OUT/gan.pt, with samples on the way.

    `ganexplain train-gan sample_data --out runs/gan --steps 2000`

    The presets: `small`, the defaults below; `large`, the authors' big generator; `paper`, their
    recipe.
    """

    corpus: tuple[str, ...] = setting(CORPORA, argument=True, reads=True)
    preset: str = setting("small, large or paper: what is not set otherwise.", "small")
    input: str = setting(
        "TOML file that says what to draw; empty: log-mel, or pictures as they are.",
        "",
        reads=True,
    )
    loss: str = setting("relativistic, non-saturating, hinge or wgan-gp.", "relativistic")
    classifier: str = setting(
        "Path of a classifier.pt whose features choose the best generator.", "", reads=True
    )
    features_of: str = setting(
        "Path of another classifier.pt, for a discriminator on its features.", "", reads=True
    )
    augment: bool = setting("Alter what the discriminators see, for small corpora.", False)
    channels: int = setting("Of the generator's first layer.", 128, 16)
    autoencoder_steps: int = setting(
        "Steps as the decoder of a variational autoencoder before; 0: none.", 1000, 0
    )
    steps: int = setting("Adversarial updates of the generator.", 20000, 1, extends=True)
    batch_size: int = setting("Excerpts in an update; 0: that of the loss's recipe.", 0, 0)
    learning_rate: float = setting("Of Adam; 0: that of the loss's recipe.", 0.0, 0)
    ema_decay: float = setting("Of the running average of the generator, a step.", 0.999, 0, 1)
    encoder_steps: int = setting(
        "Updates of the encoder for the best generator.", 500, 0, extends=True
    )
    sample_every: int = setting("Steps between validations and their samples.", 1000, 1)
    precision: str = setting("float32 or bfloat16, of the networks in training.", "bfloat16")
    checkpoint_every: int = setting(CHECKPOINT_EVERY, 1000, 1, extends=True)
    seed: int = setting(SEED, 0, 0, LAST_SEED)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "small": {},
        "large": {"channels": 512},
        "paper": {
            "loss": "wgan-gp",
            "autoencoder_steps": 0,
            "steps": 1_000_000,
            "ema_decay": 0.0,
            "precision": "float32",
        },
    }


@dataclass(frozen=True, kw_only=True)
class LabelStemsConfig:
    """Label singing by the energy of the vocal stem: a CSV manifest beside the tracks.

    `ganexplain label-stems ~/musdb18hq`

    Takes folders that hold `mixture` and `vocals` as sound files, below `train` and `test` if
    there are such. Prints the path of STEMS/manifest.csv, which is a corpus for the other
    commands.
    """

    stems: str = setting("Folder of the tracks.", argument=True)
    threshold_db: float = setting(
        "Level below the loudest at which vocals end (dB).", -40.0, None, 0
    )
    join_gaps: float = setting("Shorter pauses count as singing (s).", 0.35, 0)
    shortest: float = setting("Shorter sounds do not count (s).", 0.1, 0)
    valid_share: float = setting("Share of the training tracks held out.", 0.15, 0, 1)
    seed: int = setting("Seed of which tracks are held out.", 0, 0, LAST_SEED)
