"""Settings of the stages that train a classifier or a GAN, or apply a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from ganexplain.config.setting import Preset, setting
from ganexplain.config.shared import (
    CHECKPOINT_EVERY,
    CORPORA,
    LAST_SEED,
    OUTPUTS,
    SEED,
    Computes,
    Divides,
    DividesFeatures,
    NamesNetwork,
    ReadsRecordings,
    Trains,
)


@dataclass(frozen=True, kw_only=True)
class TrainClassifierConfig(Trains):
    """Train a classifier on labelled recordings: OUT/classifier.pt.

    `ganexplain train-classifier sample_data --out runs/classifier --preset quick`

    Presets: `best`, the defaults below; `quick`, a tenth of the updates and no augmentation;
    `paper`, the recipe of Schlueter and Grill (2015); `detector`, a network that hears 4.9 s
    and ignores their level, for the best predictions if there are hours of music.
    """

    corpus: tuple[str, ...] = setting(CORPORA, argument=True, reads=True)
    preset: str = setting(
        "Preset for all options that are not given: best, quick, paper or detector.", "best"
    )
    input: str = setting(
        "TOML file with the size and channels of pictures; empty: as in the files.", "", reads=True
    )
    architecture: str = setting(
        "Architecture: svdnet, compactnet, or temporalnet, which hears 4.9 s.", "svdnet"
    )
    outputs: int = setting(
        "Number of output units; 0: one for two classes, otherwise one per class.", 0, 0
    )
    epochs: int = setting(
        "Number of epochs; the best one on the validation split is kept.", 20, 1, extends=True
    )
    updates_per_epoch: int = setting("Number of updates per epoch.", 500, 1)
    batch_size: int = setting("Excerpts per update.", 32, 1)
    optimiser: str = setting("Optimiser: adamw, or sgd with Nesterov momentum.", "adamw")
    learning_rate: float = setting("Initial learning rate.", 1e-3, 0)
    schedule: str = setting(
        "Learning rate schedule: cosine (to zero) or step (per epoch).", "cosine"
    )
    learning_rate_decay: float = setting(
        "With `--schedule step`: factor applied after each epoch.", 0.85, 0, 1
    )
    momentum: float = setting("With `--optimiser sgd`: Nesterov momentum.", 0.95, 0, 1)
    weight_decay: float = setting("With `--optimiser adamw`: weight decay.", 0.01, 0)
    batch_norm: bool = setting(
        "Use batch normalisation in training; it is folded into the weights afterwards.", True
    )
    level_invariant: bool = setting(
        "Constrain the first filters to zero mean, so that gain has no effect.", False
    )
    augment: float = setting(
        "Share of excerpts that are equalised and stretched in time and pitch by up to 30 %.",
        0.7,
        0,
        1,
    )
    level: float = setting("Maximum random gain (dB).", 10.0, 0)
    mix: float = setting(
        "Share of excerpts mixed with an excerpt of the first class (two classes only).", 0.5, 0, 1
    )
    masks: bool = setting("Mask spans of frames and bands (SpecAugment).", True)
    mixup: float = setting(
        "Parameter x of mixup, which blends pairs of excerpts by Beta(x, x); 0: off.", 0.0, 0
    )
    balance: bool = setting(
        "Draw each class equally often, and in a class each kind of recording (column `kind`).",
        False,
    )
    precision: str = setting(
        "Precision of convolutions in training: bfloat16 or float32. A CPU without fast "
        "instructions for bfloat16 computes in float32, and the record says so.",
        "bfloat16",
    )
    workers: int = setting(
        "Threads that prepare batches, and processes that compute features before the training; "
        "0: the process of the run does both.",
        1,
        0,
        extends=True,
    )
    scheduler_file: str = setting(
        "File that a Dask scheduler writes with its address; its workers compute features.",
        "",
        extends=True,
    )
    checkpoint_every: int = setting(CHECKPOINT_EVERY, 1000, 1, extends=True)
    seed: int = setting(SEED, 0, 0, LAST_SEED)

    @property
    def names_scheduler(self) -> bool:
        """Whether features are computed by the workers of a scheduler."""
        return bool(self.scheduler_file)

    def on_this_machine(self) -> Self:
        """The settings without a scheduler, with which the results are the same."""
        return replace(self, scheduler_file="")

    PRESETS: ClassVar[Mapping[str, Preset]] = {
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
        "detector": {
            "architecture": "temporalnet",
            "epochs": 40,
            "batch_size": 16,
            "level_invariant": True,
            "balance": True,
        },
    }


@dataclass(frozen=True, kw_only=True)
class PredictConfig(NamesNetwork, ReadsRecordings, Computes, Divides):
    """Predict the classes over time in recordings: OUT/NAME.csv, NAME.lab and NAME.png per file.

    `ganexplain predict song.mp3 --classifier runs/classifier/classifier.pt --out runs/predict`

    NAME is the name of the file without its extension; if two files share a name, the second is
    NAME-2. For pictures: OUT/predictions.csv, the class and all probabilities of each picture.
    A classifier.pt predicts every frame, a network of your own (--model) one excerpt after another.
    Finished files are kept for --resume.
    """

    files: tuple[str, ...] = setting(
        "Recordings, pictures, or folders of pictures.", argument=True, reads=True
    )
    outputs: str = setting(OUTPUTS, "auto")
    hop_seconds: float = setting(
        "Seconds between predictions of --model; 0: a tenth of an excerpt.", 0.0, 0
    )


@dataclass(frozen=True, kw_only=True)
class TrainGanConfig(Trains, DividesFeatures):
    """Train a GAN that generates excerpts like those of a corpus: OUT/gan.pt, with samples.

    `ganexplain train-gan sample_data --out runs/gan --steps 2000`

    Presets: `small`, the defaults below; `large`, the authors' large generator; `paper`, their
    recipe.
    """

    corpus: tuple[str, ...] = setting(CORPORA, argument=True, reads=True)
    preset: str = setting(
        "Preset for all options that are not given: small, large or paper.", "small"
    )
    input: str = setting(
        "TOML file that describes what to generate; empty: log-mel, or pictures as in the files.",
        "",
        reads=True,
    )
    loss: str = setting(
        "Loss: relativistic, non-saturating, hinge or wgan-gp.",
        "relativistic",
        packages="ganexplain.losses",
    )
    classifier: str = setting(
        "Path of a classifier.pt whose features are used to choose the best generator.",
        "",
        reads=True,
    )
    features_of: str = setting(
        "Path of another classifier.pt, or hf://OWNER/NAME, whose features a second discriminator "
        "uses.",
        "",
        reads=True,
    )
    start: str = setting(
        "Path of a gan.pt, or hf://OWNER/NAME, to train further, in place of --autoencoder-steps; "
        "empty: random weights.",
        "",
        reads=True,
    )
    augment: bool = setting("Augment the inputs of the discriminators, for small corpora.", False)
    channels: int = setting("Channels of the generator's first layer.", 128, 16)
    autoencoder_steps: int = setting(
        "Updates as the decoder of a variational autoencoder, before the GAN; 0: none.", 1000, 0
    )
    steps: int = setting("Adversarial updates of the generator.", 20000, 1, extends=True)
    batch_size: int = setting("Excerpts per update; 0: the default of the loss.", 0, 0)
    learning_rate: float = setting("Learning rate (Adam); 0: the default of the loss.", 0.0, 0)
    ema_decay: float = setting("Decay per step of the generator's moving average.", 0.999, 0, 1)
    encoder_steps: int = setting(
        "Updates of the encoder of the best generator.", 500, 0, extends=True
    )
    sample_every: int = setting("Updates between validations; each writes samples.", 1000, 1)
    precision: str = setting(
        "Precision of the networks in training: float32 or bfloat16. A CPU without fast "
        "instructions for bfloat16 computes in float32, and the record says so.",
        "bfloat16",
    )
    checkpoint_every: int = setting(CHECKPOINT_EVERY, 1000, 1, extends=True)
    seed: int = setting(SEED, 0, 0, LAST_SEED)

    PRESETS: ClassVar[Mapping[str, Preset]] = {
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
    """Label singing by the level of the vocal stem: a CSV manifest beside the tracks.

    `ganexplain label-stems ~/musdb18hq`

    Reads folders that contain `mixture` and `vocals` as sound files, inside `train` and `test` if
    these exist. Prints the path of STEMS/manifest.csv, a corpus for the other commands.
    """

    stems: str = setting("Folder of the tracks.", argument=True)
    threshold_db: float = setting(
        "Level, relative to the loudest, below which there are no vocals (dB).", -40.0, None, 0
    )
    join_gaps: float = setting("Maximum length of a pause that counts as singing (s).", 0.35, 0)
    shortest: float = setting("Minimum length of a sound that counts as singing (s).", 0.1, 0)
    valid_share: float = setting("Share of the training tracks used for validation.", 0.15, 0, 1)
    seed: int = setting("Seed of the choice of validation tracks.", 0, 0, LAST_SEED)
