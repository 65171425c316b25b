"""Settings of the stages that explain one prediction, or learn to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ganexplain.config.setting import setting
from ganexplain.config.shared import (
    CHECKPOINT_EVERY,
    CORPORA,
    LAST_SEED,
    SEED,
    BringsNetwork,
    Computes,
    NamesNetwork,
    ReadsRecordings,
)

WIDEST = 256  # features of a generator of maps
MOST_SUBSETS = 10**7  # more take gigabytes, and days
WIDEST_DESIGN = 10**4  # founders: their design is a matrix as wide as they are many


@dataclass(frozen=True, kw_only=True)
class AttributeConfig(NamesNetwork, Computes):
    """Explain single predictions: which parts of an input made the score: OUT/attribution.npz.

    `ganexplain attribute song.ogg@12.5 --classifier runs/classifier/classifier.pt
    --method lime --out runs/attribute`

    Of several inputs, methods, segments and fills each combination has a folder. OUT/report.html
    shows and plays them, `ganexplain select OUT` ranks them.
    """

    inputs: tuple[str, ...] = setting(
        "Recordings (FILE@SECONDS: the excerpt with that time in its middle, FILE: all excerpts, "
        "one after another), or pictures and folders of such.",
        argument=True,
        reads=True,
    )
    method: tuple[str, ...] = setting(
        "occlusion, lime, elime, grad-cam, captum:NAME, random, or, with --explainer, cgan or "
        "parts; repeat for several.",
        ("lime",),
    )
    target: str = setting(
        "Class to explain, `predicted`, or any unit as LAYER:UNIT of `explain`.", "predicted"
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
        "Values in place of a segment taken away: mean, zero, training-mean, silence, min, "
        "data-min, segment-mean, noise or blur; repeat for several.",
        ("mean",),
    )
    samples: int = setting("Of lime; all subsets where there are no more.", 2000, 10, MOST_SUBSETS)
    distance: str = setting("Of lime: cosine or l2.", "cosine")
    width: float = setting("Of lime's kernel.", 0.25, 1e-3)
    ridge: float = setting("Of lime's regression.", 1.0, 0)
    founders: int = setting(
        "Of elime: subsets it begins with, a balanced design.", 65, 5, WIDEST_DESIGN
    )
    population: int = setting("Of elime: subsets in each generation after.", 10, 4, MOST_SUBSETS)
    generations: int = setting("Of elime, at most.", 5, 1)
    patience: int = setting("Generations of elime without gain before it ends.", 10, 1)
    parsimony: float = setting(
        "E-LIME: score that keeping all segments costs; 0: as many as help.", 0.1, 0
    )
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
    gradient: bool = setting("Of cgan: show the generator the input times the gradient, too.", True)
    size: int = setting(
        "Of cgan: cells along the longer axis of what it draws, at most; 0: as the input.", 24, 0
    )
    width: int = setting("Of cgan: features of the generator and the discriminator.", 16, 8, WIDEST)
    l1_weight: float = setting("Of cgan: of the mean absolute error.", 100.0, 0)
    adversarial_weight: float = setting("Of cgan: of the discriminator.", 1.0, 0)
    discriminator_every: int = setting("Of cgan: steps to one of the discriminator.", 4, 1)
    discriminator_rate: float = setting("Of cgan: of its Adam.", 1e-3, 0)
    clip: float = setting(
        "Of cgan: largest norm of a gradient, lest single ones throw Adam off; 0: any.", 10.0, 0
    )
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
    seed: int = setting(SEED, 0, 0, LAST_SEED)

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
