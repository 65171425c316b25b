"""Settings that several stages have, and the words they are told in."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain.config.setting import setting


@dataclass(frozen=True, kw_only=True)
class ReadsRecordings:
    """What every stage that reads recordings takes."""

    cache: str = setting("Feature cache; empty: the user's cache directory.", "", extends=True)
    skip_bad_files: bool = setting("Leave out files that cannot be used, and list them.", False)


@dataclass(frozen=True, kw_only=True)
class Computes:
    """What every stage that computes with networks takes."""

    device: str = setting("auto, cpu, cuda or cuda:N.", "auto", extends=True)


CORPORA = (
    "Folders in the Jamendo layout (audio, labels, filelists), CSV manifests, or folders of "
    "pictures (CLASS/NAME.png)."
)
SEED = "Seed of every random draw."
LAST_SEED = 2**31 - 1  # with room for one a draw below what NumPy's legacy generator takes
LAYER = "Layer of the unit, or LAYER:UNIT; repeat for several. Without one the output."
NEURON = (
    "Number of the unit (of a convolution, the channel), 0,3,8-11 for several, or all; 17@max or "
    "17@12,30 (a place), a class, classA-classB, a direction's FILE.npy."
)
FEATURES = "Layer recorded for selection; empty: the last hidden one."
CHECKPOINT_EVERY = "Updates between states written for --resume."


@dataclass(frozen=True, kw_only=True)
class BringsNetwork:
    """What says of a network of the user's own where it is and what it takes."""

    model: str = setting(
        "Or a network of your own: FILE.pt (TorchScript), FILE.pt2, FILE.onnx, module:factory.",
        "",
        reads=True,
    )
    weights: str = setting(
        "Of a module:factory, FILE.safetensors or a checkpoint of weights.", "", reads=True
    )
    input: str = setting(
        "TOML file that says what the network takes; empty: what the GAN draws, or our log-mel.",
        "",
        reads=True,
    )
    trust_pickle: bool = setting(
        "Load a pickled --model, which runs whatever code its maker put into it.", False
    )


@dataclass(frozen=True, kw_only=True)
class NamesNetwork(BringsNetwork):
    """The network to look into, ours or one of the user's own."""

    classifier: str = setting("Path of classifier.pt.", "", reads=True)


@dataclass(frozen=True, kw_only=True)
class SeeksExcerpts(ReadsRecordings):
    """What every stage that looks for real excerpts takes."""

    hop_frames: int = setting("Frames from one real excerpt tried to the next.", 10, 1)
    overlapping: bool = setting("The authors' list: at every frame, overlaps kept.", False)
