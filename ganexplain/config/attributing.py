"""Settings of the stages that explain single predictions, or train a network to do so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from ganexplain.config.setting import Preset, setting
from ganexplain.config.shared import (
    CHECKPOINT_EVERY,
    CORPORA,
    LAST_SEED,
    OUTPUTS,
    SEED,
    BringsNetwork,
    Computes,
    Divides,
    DividesFeatures,
    NamesNetwork,
    Trains,
)
from ganexplain.errors import UsageError

WIDEST = 256  # features of a generator of maps
MOST_SUBSETS = 10**7  # more take gigabytes, and days
WIDEST_DESIGN = 10**4  # founders: their design is a matrix as wide as they are many


@dataclass(frozen=True, kw_only=True)
class AttributeConfig(NamesNetwork, Computes, Divides):
    """Explain single predictions by the parts of the input that matter: OUT/attribution.npz.

    `ganexplain attribute song.ogg@12.5 --classifier runs/classifier/classifier.pt
    --method lime --out runs/attribute`

    With several inputs, methods, segments or fills, each combination has its own folder.
    OUT/report.html shows and plays the results; `ganexplain select OUT` ranks them.
    """

    inputs: tuple[str, ...] = setting(
        "Recordings (FILE@SECONDS: the excerpt centred at that time; FILE: all excerpts in "
        "sequence), pictures, or folders of pictures.",
        argument=True,
        reads=True,
    )
    method: tuple[str, ...] = setting(
        "Attribution method: occlusion, lime, lime-forest, elime, grad-cam, counterfactual, "
        "captum:NAME, random, or, with --explainer, cgan or parts; repeat for several.",
        ("lime",),
        packages="ganexplain.methods",
    )
    target: str = setting(
        "Class to explain, `predicted`, or a unit as LAYER:UNIT (see `explain`).", "predicted"
    )
    score: str = setting(
        "Quantity to attribute for a class: probability, logit or margin.", "probability"
    )
    outputs: str = setting(OUTPUTS, "auto")
    segments: tuple[str, ...] = setting(
        "Segments: 6x4 (columns x rows: times x bands), sound:6x4 (the same, cut at onsets and "
        "into bands of equal level), temporal:10, spectral:8, slic:50, felzenszwalb, quickshift, "
        "file:LABELS.npy, sources:STEMS, sources:STEMS:5 (in 5 spans); repeat for several. "
        "Default: 6x4 for log-mel, slic for pictures (4x4 for small ones), temporal for waveforms.",
        (),
    )
    fill: tuple[str, ...] = setting(
        "Values that replace a removed segment: mean, zero, training-mean, silence, min, "
        "data-min, segment-mean, noise or blur; repeat for several.",
        ("mean",),
    )
    samples: int = setting(
        "LIME, lime-forest: number of random subsets (all subsets if there are fewer).",
        2000,
        10,
        MOST_SUBSETS,
    )
    distance: str = setting(
        "LIME, lime-forest: distance to the full input, cosine or l2.", "cosine"
    )
    width: float = setting("LIME, lime-forest: width of the distance kernel.", 0.25, 1e-3)
    ridge: float = setting("LIME: ridge penalty of the regression.", 1.0, 0)
    founders: int = setting(
        "E-LIME: subsets in the first generation, a balanced design.", 65, 5, WIDEST_DESIGN
    )
    population: int = setting("E-LIME: subsets in each later generation.", 10, 4, MOST_SUBSETS)
    generations: int = setting("E-LIME: maximum number of generations.", 5, 1)
    patience: int = setting("E-LIME: generations without gain after which the search stops.", 10, 1)
    parsimony: float = setting("E-LIME: cost in score of keeping all segments; 0: no cost.", 0.1, 0)
    cam_layer: str = setting(
        "Grad-CAM: layer to read; empty: the last convolution over several places.", ""
    )
    explainer: tuple[str, ...] = setting(
        "Path of an explainer.pt, required by cgan and parts; repeat for several.", (), reads=True
    )
    checks: bool = setting(
        "Repeat each attribution with other seeds, perturbed inputs and shuffled weights.", False
    )
    truth: str = setting(
        "Ground truth: a .lab file or vocal stem for sound, a mask for pictures; or a folder "
        "of these, matched by name.",
        "",
        reads=True,
    )
    corpus: tuple[str, ...] = setting(
        "Corpus whose training split defines --fill data-min; repeat for several.", (), reads=True
    )
    batch_size: int = setting("Inputs per pass of the network.", 32, 1)
    seed: int = setting(SEED, 0, 0, LAST_SEED)


@dataclass(frozen=True, kw_only=True)
class TrainExplainerConfig(BringsNetwork, Trains, DividesFeatures):
    """Train a network that explains classifiers: OUT/explainer.pt, for `attribute --explainer`.

    `ganexplain train-explainer sample_data --classifier runs/classifier/classifier.pt
    --out runs/explainer`

    With `--method parts` also writes OUT/parts.npz, parts.png and, for sound, parts.html, which
    show what each filter responds to.

    Presets: `small`, the defaults below; `paper`, the network sizes of Akash Guna et al. (cgan),
    which need a GPU.
    """

    corpus: tuple[str, ...] = setting(CORPORA, argument=True, reads=True)
    method: str = setting(
        "Explainer to train: cgan (a conditional GAN that generates maps) or parts.", "cgan"
    )
    classifier: tuple[str, ...] = setting(
        "Path of classifier.pt; with cgan, repeat for several.", (), reads=True
    )
    preset: str = setting("Preset for all options that are not given: small or paper.", "small")
    layer: str = setting(
        "Convolution whose map is learned (cgan) or whose features become parts; empty: the "
        "last one.",
        "",
    )
    target: str = setting("cgan: class to explain, or `predicted`.", "predicted")
    teacher: str = setting(
        "cgan: maps to learn: shapley (from responses to random sets of squares), or exact maps of "
        "a few inputs, occlusion (of squares) or grad-cam (of --layer).",
        "occlusion",
    )
    occlusion_grid: int = setting(
        "cgan, --teacher shapley, occlusion: maximum number of squares along each axis.", 8, 2
    )
    passes: int = setting(
        "cgan, --teacher shapley: inputs passed through the classifiers in the training.",
        60_000,
        1,
        extends=True,
    )
    coalitions: int = setting(
        "cgan, --teacher shapley: random sets of squares for each input, an even number.",
        16,
        2,
    )
    examples: int = setting(
        "cgan, --teacher occlusion, grad-cam: number of training inputs with a map.", 400, 1
    )
    shuffled: int = setting(
        "cgan: networks with shuffled weights to learn from for each classifier, so that the map "
        "does not depend on the input alone (--teacher shapley: 0 for none, otherwise every fourth "
        "update is on one).",
        1,
        0,
    )
    held_out: int = setting("Inputs of the validation split used for evaluation.", 64, 1)
    generator: str = setting(
        "cgan, --teacher occlusion, grad-cam: generator, lsft (one map per block) or gsft (all "
        "maps in each block).",
        "lsft",
    )
    gradient: bool = setting(
        "cgan: add the input times the gradient as a condition (--teacher shapley: the "
        "contributions of input and convolutions).",
        True,
    )
    size: int = setting(
        "cgan, --teacher occlusion, grad-cam: maximum number of cells along the longer axis of a "
        "map; 0: the size of the input.",
        24,
        0,
    )
    width: int = setting("cgan: features of the generator and the discriminator.", 16, 8, WIDEST)
    l1_weight: float = setting(
        "cgan, --teacher occlusion, grad-cam: weight of the mean absolute error.", 100.0, 0
    )
    adversarial_weight: float = setting(
        "cgan, --teacher occlusion, grad-cam: weight of the adversarial loss.", 1.0, 0
    )
    discriminator_every: int = setting(
        "cgan, --teacher occlusion, grad-cam: generator updates per discriminator update.", 4, 1
    )
    discriminator_rate: float = setting(
        "cgan, --teacher occlusion, grad-cam: learning rate of the discriminator (Adam).", 1e-3, 0
    )
    clip: float = setting("cgan: maximum gradient norm; 0: no clipping.", 10.0, 0)
    ema_decay: float = setting(
        "cgan: decay per step of the generator's moving average.", 0.998, 0, 1
    )
    targets: tuple[str, ...] = setting(
        "parts: layer to reconstruct; repeat for several. Default: all fully connected layers "
        "except the last.",
        (),
    )
    filter_weight: float = setting(
        "parts: weight of the filter loss; 0: without it. For planted events its gain was not "
        "beyond chance.",
        0.0,
        0,
    )
    share_weight: float = setting(
        "parts: weight of -log p, where p is the share of the parts.", 0.05, 0
    )
    events: str = setting(
        "parts: CSV table of known events (path, time, duration, low_hz, high_hz, kind) of the "
        "training recordings, from which filters get names.",
        "",
        reads=True,
    )
    top: int = setting("parts: inputs kept for each filter.", 5, 1)
    shown: int = setting("parts: number of filters on the page, in order of weight.", 12, 1)
    steps: int = setting(
        "Number of updates; 0: as many as --passes allows for cgan with --teacher shapley, 1500 "
        "for cgan with another teacher, 400 for parts.",
        0,
        0,
        extends=True,
    )
    batch_size: int = setting("Inputs per update; 0: 8 for cgan, 32 for parts.", 0, 0)
    learning_rate: float = setting("Learning rate (Adam).", 1e-3, 0)
    look_every: int = setting("Updates between evaluations on held-out inputs.", 100, 1)
    precision: str = setting(
        "cgan, --teacher occlusion, grad-cam: precision of the networks in training, bfloat16 or "
        "float32. A CPU without fast instructions for bfloat16 computes in float32, and the record "
        "says so.",
        "bfloat16",
    )
    checkpoint_every: int = setting(CHECKPOINT_EVERY, 100, 1, extends=True)
    seed: int = setting(SEED, 0, 0, LAST_SEED)

    BY_METHOD: ClassVar = {"cgan": (1500, 8), "parts": (400, 32)}  # steps and batch size

    def of_method(self) -> TrainExplainerConfig:
        """The config with each 0 replaced by the default of its method.

        Raises UsageError for a budget of passes that is too small for one update.
        """
        steps, batch_size = self.BY_METHOD.get(self.method, (0, 0))
        batch_size = self.batch_size or batch_size
        if self.by_passes:
            each = batch_size * (3 + self.coalitions)  # signals take three passes
            steps = self.passes // each
            if not (steps or self.steps):
                raise UsageError(
                    f"--passes {self.passes}: one update takes {each}; give at least that"
                )
        return replace(self, steps=self.steps or steps, batch_size=batch_size)

    @property
    def by_passes(self) -> bool:
        """Whether the number of updates follows from `passes`."""
        return self.method == "cgan" and self.teacher == "shapley"

    PRESETS: ClassVar[Mapping[str, Preset]] = {
        "small": {},
        "paper": {
            "teacher": "grad-cam",
            "size": 64,
            "examples": 4500,
            "shuffled": 0,
            "gradient": False,
            "held_out": 500,
            "width": 64,
            "discriminator_every": 100,
            "clip": 0.0,
            "ema_decay": 0.0,
            "steps": 3500,
            "batch_size": 32,
            "learning_rate": 2e-4,
            "precision": "float32",
        },
    }
