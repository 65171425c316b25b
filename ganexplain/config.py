"""Every setting: its default, its range and what it means, in one frozen dataclass a stage.

The command line is made from these (a field is an option, the docstring the help text), and
so is `config.toml` of a run. Nothing heavy is imported here: `ganexplain --help` stays quick.
"""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import MISSING, asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from ganexplain.errors import UsageError, check_known
from ganexplain.texts import read_text

LONGEST_TOML = 2**16  # bytes; tomllib is slow, and no table of settings is long


@dataclass(frozen=True)
class FrontEnd:
    """The log-mel front end (Schlueter & Grill 2015, used unchanged by Mishra et al. 2019).

    Frequencies in Hz (`highest_hz` 0: half the rate), lengths in samples, the floor as a
    magnitude, the excerpt in frames. The rest says how others have it: mel values by `mel_scale`
    (htk or slaney), triangles by `filters` (yaafe: of unit sum; slaney: of unit area; peak: of
    height one), of magnitudes to the `power`, a Hann `window` (symmetric or periodic) of
    `window_length` samples (0: the frame), frames `centred` on their time or not; the logarithm
    of max(gain mel + offset, floor), `ln`, `log10`, `db` (10 log10, with power 2) or none;
    `relative` to the excerpt's largest value, cut `range_below` it (0: not at all); then times
    `scale` plus `shift`.
    """

    sample_rate: int = 22050
    frame_length: int = 1024
    hop_length: int = 315
    mel_bands: int = 80
    lowest_hz: float = 27.5
    highest_hz: float = 8000.0
    floor: float = 1e-7
    excerpt_frames: int = 115
    mel_scale: str = "htk"
    filters: str = "yaafe"
    power: float = 1.0
    window: str = "symmetric"
    window_length: int = 0
    centred: bool = False
    gain: float = 1.0
    offset: float = 0.0
    logarithm: str = "ln"
    relative: bool = False
    range_below: float = 0.0
    scale: float = 1.0
    shift: float = 0.0

    @property
    def silence(self) -> float:
        """The value of a band without any sound: that of the floor."""
        value = max(self.offset, self.floor)
        levels = {"ln": math.log, "log10": math.log10, "db": lambda x: 10 * math.log10(x)}
        return levels.get(self.logarithm, float)(value) * self.scale + self.shift

    @property
    def frame_rate(self) -> float:
        """Frames per second (70 for the defaults)."""
        return self.sample_rate / self.hop_length

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one excerpt, (F, T)."""
        return self.mel_bands, self.excerpt_frames

    @property
    def excerpt_samples(self) -> int:
        """Samples that the frames of one excerpt span."""
        return (self.excerpt_frames - 1) * self.hop_length + self.frame_length


def setting(
    meaning: str,
    default: Any = MISSING,
    minimum: float | None = None,
    maximum: float | None = None,
    argument: bool = False,
    reads: bool = False,
    extends: bool = False,
) -> Any:
    """A field with its meaning and range; required without a default, positional if `argument`.

    `reads` marks the path of an input, which no run may overwrite; `extends` a setting that a
    resumed run may change.
    """
    metadata = {"help": meaning, "min": minimum, "max": maximum, "argument": argument}
    metadata |= {"reads": reads, "extends": extends}
    return field(default=default, metadata=metadata)


def with_preset(kind: type[Any], given: dict[str, Any], asked: set[str]) -> Any:
    """The config of the values `given`, where not in `asked` as its preset has them.

    Raises UsageError for an unknown preset.
    """
    presets = getattr(kind, "PRESETS", None)
    if presets is None:
        return kind(**given)
    chosen = presets[check_known("--preset", given["preset"], presets)]
    return kind(**given | {name: value for name, value in chosen.items() if name not in asked})


def read_toml(option: str, path: Path) -> dict[str, Any]:
    """The values of a TOML file; UsageError that names `option` where it is none."""
    try:
        return tomllib.loads(read_text(path, LONGEST_TOML))
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{option} {path}: not TOML ({error})") from error


def toml_text(stage: str, config: Any) -> str:
    """The settings of a config as TOML that `--config` reads again."""
    lines = [f"# ganexplain {stage} --config THIS_FILE"]
    for name, value in asdict(config).items():
        listed = list(value) if isinstance(value, tuple) else value
        lines.append(f"{name.replace('_', '-')} = {json.dumps(listed, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


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
WIDEST = 256  # features of a generator of maps


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
class ExplainConfig(NamesNetwork, Computes):
    """Find inputs that drive units, over a grid of settings: OUT/explanations.npz.

    `ganexplain explain --classifier runs/classifier/classifier.pt --gan runs/gan/gan.pt
    --layer fc9 --neuron 0 --direction max --out runs/explain`

    The default grid is that of Mishra et al. (2019), 3 x 3 x 3 settings of 50 examples. Of
    several units each has a folder, OUT/LAYER-NEURON-DIRECTION. Done parts are kept for --resume.
    """

    gan: str = setting("Path of gan.pt.", reads=True)
    layer: tuple[str, ...] = setting(LAYER, ())
    neuron: str = setting(NEURON, "0")
    direction: str = setting("max, min or both: what to do with its activation.", "max")
    learning_rate: tuple[float, ...] = setting("Of Adam; repeat for several.", (0.1, 0.01, 0.001))
    prior: str = setting(
        "On latents z: l2, to the origin; shell, to a norm of sqrt(128); sphere, kept there; "
        "langevin, samples instead of a best.",
        "l2",
    )
    prior_weight: tuple[float, ...] = setting(
        "Weight of the prior (of langevin, half its temperature; of sphere, none); repeat for "
        "several.",
        (0.1, 0.01, 0.001),
    )
    iterations: tuple[int, ...] = setting("Repeat for several.", (100, 500, 1000))
    examples: int = setting("Examples of each setting.", 50, 2)
    search: str = setting(
        "grid: all settings; adaptive: towards --responses, for a tenth of that.", "grid"
    )
    responses: str = setting(
        "Path of responses.npz, or directory of `responses`, for adaptive.", "", reads=True
    )
    features: str = setting(FEATURES, "")
    precision: str = setting("float32; of the search alone tfloat32 (GPU) or bfloat16.", "float32")
    batch_size: int = setting("Searches run at once, and in a part; 0: 48, on a GPU 512.", 0, 0)
    jobs: str = setting("Processes; auto: one a core where it pays.", "auto", extends=True)
    shard: str = setting("i/n: do every n-th part from the i-th (0 to n - 1).", "", extends=True)
    seed: int = setting("Example k starts from a draw of seed + k alone.", 0, 0, LAST_SEED)


@dataclass(frozen=True, kw_only=True)
class CounterfactualConfig(Computes):
    """Change real excerpts until the network decides otherwise: OUT/counterfactual.npz, sounds.

    `ganexplain counterfactual --start-from song.ogg@12.5 --classifier runs/classifier/classifier.pt
    --gan runs/gan/gan.pt --out runs/counterfactual`

    Each excerpt is redrawn by the GAN, then its latent is moved until the response changes side.
    """

    start_from: tuple[str, ...] = setting(
        "FILE@SECONDS: a recording and where in it the excerpt begins; repeat for several.",
        reads=True,
    )
    classifier: str = setting("Path of classifier.pt.", reads=True)
    gan: str = setting("Path of gan.pt.", reads=True)
    layer: str = setting("Layer of the unit.", "fc9")
    neuron: int = setting("Number of the unit (of a convolution, the channel).", 0, 0)
    level: str = setting(
        "Response that divides the sides; empty: where the classifier decides, of hidden units "
        "the median of 256 samples of the GAN.",
        "",
    )
    prior: str = setting("near (the start, by |z - start|^2), l2, shell or sphere.", "near")
    prior_weight: float = setting("Weight of the prior; of sphere, none.", 0.1, 0)
    learning_rate: float = setting("Of Adam.", 0.02, 0)
    iterations: int = setting("Steps on the way to the other side.", 200, 1)
    refine_steps: int = setting("Steps that refine the encoder's latent.", 300, 1)
    griffin_lim_iterations: int = setting("Of the phase reconstruction.", 100, 1)
    seed: int = setting("Seed of the phases, and of the samples behind a median.", 0, 0, LAST_SEED)


@dataclass(frozen=True, kw_only=True)
class LayersConfig(Computes):
    """List what of a network can be addressed, with the shape of what each layer puts out.

    `ganexplain layers silero_vad.jit --input silero.toml --gan runs/gan/gan.pt`

    NETWORK is a classifier.pt, or what --model of `explain` takes.
    """

    network: str = setting("classifier.pt, or a network of your own.", argument=True)
    weights: str = setting("Of a module:factory, FILE.safetensors or a checkpoint of weights.", "")
    input: str = setting("TOML file that says what the network takes.", "")
    trust_pickle: bool = setting(
        "Load a pickled network, which runs whatever code its maker put into it.", False
    )
    gan: str = setting("Path of a gan.pt that draws something else than the network takes.", "")
    example: str = setting("A recording or picture to pass; without one noise.", "")


@dataclass(frozen=True, kw_only=True)
class SeeksExcerpts(ReadsRecordings):
    """What every stage that looks for real excerpts takes."""

    hop_frames: int = setting("Frames from one real excerpt tried to the next.", 10, 1)
    overlapping: bool = setting("The authors' list: at every frame, overlaps kept.", False)


@dataclass(frozen=True, kw_only=True)
class ResponsesConfig(SeeksExcerpts, NamesNetwork, Computes):
    """Find the real excerpts that drive units most and least: OUT/responses.npz.

    `ganexplain responses sample_data --classifier runs/classifier/classifier.pt --layer fc8
    --neuron all --out runs/responses`

    What `explain --search adaptive` aims at; `select` takes it in place of a corpus.
    """

    corpus: tuple[str, ...] = setting(CORPORA, argument=True, reads=True)
    gan: str = setting(
        "Path of a gan.pt, where --model takes something else than it draws.", "", reads=True
    )
    layer: tuple[str, ...] = setting(LAYER, ())
    neuron: str = setting(NEURON, "0")
    features: str = setting(FEATURES, "")
    top: int = setting("Excerpts of either kind.", 50, 2)


@dataclass(frozen=True, kw_only=True)
class SelectConfig(SeeksExcerpts, Computes):
    """Rank the settings by distance to the real excerpts that drive the unit: OUT/selection.json.

    `ganexplain select runs/explain/explanations.npz --corpus sample_data --out runs/select`
    """

    explanations: str = setting(
        "Path of explanations.npz, or the run directory of explain or of attribute.",
        argument=True,
        reads=True,
    )
    corpus: tuple[str, ...] = setting(
        "Corpus whose training split holds the real excerpts; repeat for several.", (), reads=True
    )
    responses: str = setting(
        "Or responses.npz, or the directory, of an earlier run.", "", reads=True
    )
    classifier: str = setting(
        "Where classifier.pt is now; empty: where it was explained. A module:factory has to be "
        "named again: it runs code.",
        "",
        reads=True,
    )
    trust_pickle: bool = setting(
        "Load a pickled network that was explained, which runs whatever its maker put into it.",
        False,
    )
    gan: str = setting("Where gan.pt is now; empty: where it was explained.", "", reads=True)
    top: int = setting("Real excerpts to compare with; 0: as many as examples.", 0, 0)
    by: str = setting(
        "Rank by fid-response (the paper's), fid-features, kid, wasserstein or composite; of "
        "attribute by a measure, as faithfulness (its default), deletion or truth_area.",
        "fid-response",
    )
    judge: tuple[str, ...] = setting(
        "Another classifier.pt, or MODEL@INPUT.toml, to judge the examples; repeat for several.",
        (),
        reads=True,
    )
    controls: bool = setting(
        "Score controls: no search, no GAN, a classifier that learned nothing.", True
    )
    seed: int = setting("Seed of the bootstrap and of the controls.", 0, 0, LAST_SEED)


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """See and hear the chosen setting beside real excerpts, controls and the rest of the grid.

    `ganexplain report runs/explain/explanations.npz --selection runs/select --out runs/report`

    Writes OUT/report.html; of a run of several units, a page each and OUT/index.html.
    """

    explanations: str = setting(
        "Path of explanations.npz, or the run directory of explain.", argument=True, reads=True
    )
    selection: str = setting("Path of selection.json, or the directory of select.", reads=True)
    responses: str = setting(
        "Path of responses.npz, or its directory; empty: beside the selection.", "", reads=True
    )
    examples: int = setting("Examples shown of each setting.", 6, 1)
    heard: int = setting("Of these with sound where a cell of the grid is clicked.", 2, 0)
    griffin_lim_iterations: int = setting("Of the phase reconstruction.", 100, 1)
    seed: int = setting("Seed of the phases.", 0, 0, LAST_SEED)


@dataclass(frozen=True, kw_only=True)
class AttributeConfig(NamesNetwork, Computes):
    """Explain single predictions: which parts of an input made the score: OUT/attribution.npz.

    `ganexplain attribute song.ogg@12.5 --classifier runs/classifier/classifier.pt
    --method lime --out runs/attribute`

    Of several inputs, methods, segments and fills each combination has a folder. OUT/report.html
    shows and plays them, `ganexplain select OUT` ranks them.
    """

    inputs: tuple[str, ...] = setting(
        "Recordings (FILE@SECONDS: the excerpt around that time, FILE: one after another), or "
        "pictures and folders of such.",
        argument=True,
        reads=True,
    )
    method: tuple[str, ...] = setting(
        "occlusion, lime, elime, grad-cam, captum:NAME, random, or, with --explainer, cgan or "
        "parts; repeat for several.",
        ("lime",),
    )
    target: str = setting(
        "Class to explain, `predicted`, or any unit as LAYER:NUMBER.", "predicted"
    )
    score: str = setting("Of a class: probability, logit or margin.", "probability")
    outputs: str = setting(
        "What --model puts out: logits, probabilities, activations (units that are no classes), "
        "or auto: as it looks.",
        "auto",
    )
    segments: tuple[str, ...] = setting(
        "6x4 (columns x rows: times x bands), temporal:10, spectral:8, slic:50, felzenszwalb, "
        "quickshift, file:LABELS.npy, sources:STEMS or sources:STEMS:5 (spans); repeat for "
        "several. Without: 6x4 of log-mel, slic of pictures (4x4 of small ones), temporal of "
        "waveforms.",
        (),
    )
    fill: tuple[str, ...] = setting(
        "What stands where a segment is taken away: mean, zero, silence, min, data-min, "
        "segment-mean, noise or blur; repeat for several.",
        ("mean",),
    )
    samples: int = setting("Of lime; all subsets where there are no more.", 2000, 10)
    distance: str = setting("Of lime: cosine or l2.", "cosine")
    width: float = setting("Of lime's kernel.", 0.25, 1e-3)
    ridge: float = setting("Of lime's regression.", 1.0, 0)
    founders: int = setting("Of elime: subsets it begins with, a balanced design.", 65, 5)
    population: int = setting("Of elime: subsets in each generation after.", 10, 4)
    generations: int = setting("Of elime, at most.", 5, 1)
    patience: int = setting("Generations of elime without gain before it ends.", 10, 1)
    parsimony: float = setting("Of elime: score lost where all segments are kept.", 0.0, 0)
    cam_layer: str = setting("Layer of grad-cam; empty: the last convolution.", "")
    explainer: tuple[str, ...] = setting(
        "Path of explainer.pt, which cgan and parts need; repeat for both.", (), reads=True
    )
    checks: bool = setting(
        "Also run again with other seeds, altered inputs and shuffled weights.", False
    )
    truth: str = setting(
        "What is known to matter: a .lab file or a vocal stem, of pictures a mask; or a folder "
        "of such by name.",
        "",
        reads=True,
    )
    corpus: tuple[str, ...] = setting(
        "Corpus whose training split data-min is of; repeat for several.", (), reads=True
    )
    batch_size: int = setting("Inputs in a pass.", 32, 1)
    seed: int = setting(SEED, 0, 0, LAST_SEED)


@dataclass(frozen=True, kw_only=True)
class TrainExplainerConfig(BringsNetwork, ReadsRecordings, Computes):
    """Train a network that explains classifiers: OUT/explainer.pt, for `attribute --explainer`.

    `ganexplain train-explainer sample_data --classifier runs/classifier/classifier.pt
    --out runs/explainer`

    Of parts also OUT/parts.npz, parts.png and, of sound, parts.html: what each filter looks for.

    The presets: `small`, the defaults below; `paper`, the sizes of Akash Guna et al. (cgan),
    which want a GPU.
    """

    corpus: tuple[str, ...] = setting(CORPORA, argument=True, reads=True)
    method: str = setting("cgan: maps from maps, by a conditional GAN; or parts.", "cgan")
    classifier: tuple[str, ...] = setting(
        "Path of classifier.pt; of cgan repeat for several.", (), reads=True
    )
    preset: str = setting("small or paper: what is not set otherwise.", "small")
    layer: str = setting(
        "Convolution whose map is learnt, or whose features become parts; empty: the last.", ""
    )
    target: str = setting("Of cgan: class to explain, or `predicted`.", "predicted")
    teacher: str = setting(
        "Of cgan, the maps to learn: occlusion, of a grid; or grad-cam, of --layer.", "occlusion"
    )
    occlusion_grid: int = setting("Of occlusion: squares along each axis, at most.", 8, 2)
    examples: int = setting("Of cgan: training inputs whose maps are made.", 400, 1)
    shuffled: int = setting(
        "Of cgan: networks of shuffled weights to learn from beside each, lest the input alone "
        "makes the map.",
        1,
        0,
    )
    held_out: int = setting("Inputs of the validation split that it is measured on.", 64, 1)
    generator: str = setting("Of cgan: lsft (one map a block) or gsft (all in each).", "lsft")
    size: int = setting(
        "Of cgan: cells along the longer axis of what it draws, at most; 0: as the input.", 48, 0
    )
    width: int = setting("Of cgan: features of the generator and the discriminator.", 16, 8, WIDEST)
    l1_weight: float = setting("Of cgan: of the mean absolute error.", 100.0, 0)
    adversarial_weight: float = setting("Of cgan: of the discriminator.", 1.0, 0)
    discriminator_every: int = setting("Of cgan: steps to one of the discriminator.", 4, 1)
    discriminator_rate: float = setting("Of cgan: of its Adam.", 1e-3, 0)
    ema_decay: float = setting(
        "Of cgan: of the running average of the generator, a step.", 0.998, 0, 1
    )
    targets: tuple[str, ...] = setting(
        "Of parts: layer to reconstruct; repeat for several. Without one the fully connected ones "
        "but the last.",
        (),
    )
    filter_weight: float = setting("Of parts: of the filter loss.", 0.03, 0)
    share_weight: float = setting("Of parts: of -log p, p the share of the parts.", 0.05, 0)
    top: int = setting("Of parts: inputs kept for each filter.", 5, 1)
    shown: int = setting("Of parts: filters on the page, the weightiest first.", 12, 1)
    steps: int = setting("Updates; 0: of cgan 1500, of parts 400.", 0, 0, extends=True)
    batch_size: int = setting("Inputs in an update; 0: of cgan 8, of parts 32.", 0, 0)
    learning_rate: float = setting("Of Adam.", 1e-3, 0)
    look_every: int = setting("Updates between looks at held-out inputs.", 100, 1)
    precision: str = setting("Of cgan: bfloat16 or float32, of the networks.", "bfloat16")
    checkpoint_every: int = setting(CHECKPOINT_EVERY, 100, 1, extends=True)
    seed: int = setting(SEED, 0, 0)

    BY_METHOD: ClassVar[dict[str, dict[str, Any]]] = {
        "cgan": {"steps": 1500, "batch_size": 8},
        "parts": {"steps": 400, "batch_size": 32},
    }

    def of_method(self) -> TrainExplainerConfig:
        """The same with what is 0 as its method has it."""
        own = self.BY_METHOD.get(self.method, {})
        return replace(self, **{n: v for n, v in own.items() if not getattr(self, n)})

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "small": {},
        "paper": {
            "teacher": "grad-cam",
            "size": 64,
            "examples": 4500,
            "shuffled": 0,
            "held_out": 500,
            "width": 64,
            "discriminator_every": 100,
            "ema_decay": 0.0,
            "steps": 3500,
            "batch_size": 32,
            "learning_rate": 2e-4,
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


@dataclass(frozen=True, kw_only=True)
class RerunConfig:
    """Repeat a run from what its directory tells, and say whether it gives the same.

    `ganexplain rerun runs/explain --out runs/explain-again`

    Its inputs must be what they were. Exit status 1 where a file differs; each is named with the
    key that does, and by how much.
    """

    run: str = setting("Run directory of any stage.", argument=True, reads=True)


# The stages that write a run directory: settings, and module and function in ganexplain.stages.
STAGES: dict[str, tuple[type[Any], str]] = {
    "train-classifier": (TrainClassifierConfig, "train_classifier:train_classifier"),
    "predict": (PredictConfig, "predict:predict"),
    "train-gan": (TrainGanConfig, "train_gan:train_gan"),
    "counterfactual": (CounterfactualConfig, "counterfactual:counterfactual"),
    "responses": (ResponsesConfig, "responses:responses"),
    "explain": (ExplainConfig, "explain:explain"),
    "train-explainer": (TrainExplainerConfig, "train_explainer:train_explainer"),
    "select": (SelectConfig, "selection:select"),
    "attribute": (AttributeConfig, "attribute:attribute"),
    "report": (ReportConfig, "report:write_report"),
}
