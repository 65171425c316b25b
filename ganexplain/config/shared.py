"""Settings that several stages share, and their help texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from ganexplain.config.setting import renamed, setting

HUB = "hf://"  # before the name of a network on the Hugging Face hub


@dataclass(frozen=True, kw_only=True)
class ReadsRecordings:
    """Settings of every stage that reads recordings."""

    cache: str = setting(
        "Directory of the feature cache; empty: the user's cache directory.", "", extends=True
    )
    skip_bad_files: bool = setting("Skip files that cannot be used, and list them.", False)


@dataclass(frozen=True, kw_only=True)
class Computes:
    """Settings of every stage that computes with networks."""

    device: str = setting("Device: auto, cpu, cuda or cuda:N.", "auto", extends=True)


@dataclass(frozen=True, kw_only=True)
class Trains(ReadsRecordings, Computes):
    """Settings of every training."""

    format: str = setting(
        "Format of the trained network's file: pt or safetensors.", "pt", extends=True
    )


@dataclass(frozen=True, kw_only=True)
class Divides:
    """Settings of every stage whose work several processes or machines can share."""

    workers: str = renamed(
        setting(
            "Workers: a number of processes; auto: one per core if the run is long enough; or the "
            "address of a Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.",
            "auto",
            extends=True,
        ),
        former="jobs",
    )
    scheduler_file: str = setting(
        "File that a Dask scheduler writes with its address, in place of that.",
        "",
        extends=True,
    )

    @property
    def names_scheduler(self) -> bool:
        """Whether the workers are those of a scheduler."""
        return bool(self.scheduler_file) or "://" in self.workers

    def on_this_machine(self) -> Self:
        """The settings without a scheduler, with which the results are the same."""
        return replace(self, workers="auto", scheduler_file="")


@dataclass(frozen=True, kw_only=True)
class DividesFeatures(Divides):
    """Settings of trainings whose inputs several processes or machines can compute beforehand."""

    workers: str = setting(
        "Workers that compute features (and the maps of cgan) before the training: a number of "
        "processes; auto: one per core if there are many; or the address of a Dask scheduler, "
        "tcp://HOST:PORT or tls://HOST:PORT. The training itself is divided by torchrun.",
        "auto",
        extends=True,
    )


CORPORA = (
    "Folders of sound files, folders in the Jamendo layout (audio, labels, filelists), CSV "
    "manifests, or folders of pictures (CLASS/NAME.png); a classifier needs labels."
)
SEED = "Seed of all random draws."
LAST_SEED = 2**31 - 1  # with room for one a draw below what NumPy's legacy generator takes
LAYER = (
    "Layer of the unit, LAYER:UNIT, or a class; repeat for several. LAYER@first and LAYER@last "
    "name the axis of its units. Default: the output."
)
NEURON = (
    "Unit: its number (for a convolution, the channel), 0,3,8-11 for several, or all; 17@max or "
    "17@12,30 (a place), a class, classA-classB, or FILE.npy (a direction)."
)
FEATURES = "Layer whose features are recorded for `select`; empty: the last hidden layer."
CHECKPOINT_EVERY = "Updates between checkpoints for --resume."


@dataclass(frozen=True, kw_only=True)
class BringsNetwork:
    """Settings that name a network of the user's own and describe its input."""

    model: str = setting(
        "Network of your own, in place of --classifier: FILE.pt (TorchScript), FILE.pt2, "
        "FILE.onnx, FILE.tflite, a folder of transformers, hf://OWNER/NAME, module:factory or "
        "file.py:factory, or a function from arrays to arrays, module:function.",
        "",
        reads=True,
    )
    weights: str = setting(
        "Weights of a network made by a factory: FILE.safetensors, a checkpoint, or "
        "CHECKPOINT:PLACE for a table or prefix in it.",
        "",
        reads=True,
    )
    input: str = setting(
        "TOML file that describes the network's input; empty: the output of the GAN, or the "
        "default log-mel.",
        "",
        reads=True,
    )
    backend: str = setting(
        "Library that runs a FILE.onnx: torch (with hidden layers and gradients) or onnxruntime (a "
        "black box).",
        "torch",
    )
    trust_pickle: bool = setting(
        "Load a pickled --model. This runs any code that the file contains.", False
    )
    trust_features: bool = setting(
        "Compute the network's input by the function that --input names as features. This runs its "
        "code.",
        False,
    )


@dataclass(frozen=True, kw_only=True)
class NamesNetwork(BringsNetwork):
    """Settings that name the network to explain: a classifier.pt, or one of the user's own."""

    NEEDS_NETWORK: ClassVar[bool] = True

    classifier: str = setting("Path of classifier.pt, or hf://OWNER/NAME.", "", reads=True)


OUTPUTS = (
    "Type of the outputs of --model: logits, probabilities, activations (units that are not "
    "classes), or auto (detected from the values)."
)


@dataclass(frozen=True, kw_only=True)
class SeeksExcerpts(ReadsRecordings):
    """Settings of every stage that searches for real excerpts."""

    hop_frames: int = setting("Frames between the starts of successive real excerpts.", 10, 1)
    overlapping: bool = setting(
        "Try an excerpt at every frame and keep overlapping ones, as the authors do.", False
    )
