"""Settings of the stages that select explanations, test them and show them."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain.config.setting import setting
from ganexplain.config.shared import (
    LAST_SEED,
    Computes,
    Divides,
    ReadsRecordings,
    SeeksExcerpts,
)

CLASSIFIER = (
    "Current path of classifier.pt; empty: the path when it was explained. A factory must be named "
    "again, because it runs code."
)
TRUST_PICKLE = (
    "Load a pickled network that was explained. This runs any code that the file contains."
)
TRUST_FEATURES = (
    "Compute the input of the network by the function that the file of its --input names as "
    "features. This runs its code."
)
EXPLANATIONS = "Path of explanations.npz, or run directory of `explain`."
SELECTION = "Path of selection.json, or run directory of `select`."
RESPONSES = "Path of responses.npz, or its directory; empty: the directory of the selection."


@dataclass(frozen=True, kw_only=True)
class SelectConfig(SeeksExcerpts, Computes, Divides):
    """Rank the settings by distance to the real excerpts that drive the unit: OUT/selection.json.

    `ganexplain select runs/explain/explanations.npz --corpus sample_data --out runs/select`
    """

    explanations: str = setting(
        "Path of explanations.npz, or run directory of `explain` or `attribute`.",
        argument=True,
        reads=True,
    )
    corpus: tuple[str, ...] = setting(
        "Corpus whose training split contains the real excerpts; repeat for several.",
        (),
        reads=True,
    )
    responses: str = setting(
        "Path of responses.npz, or its directory, from an earlier run; replaces --corpus.",
        "",
        reads=True,
    )
    classifier: str = setting(CLASSIFIER, "", reads=True)
    trust_pickle: bool = setting(TRUST_PICKLE, False)
    trust_features: bool = setting(TRUST_FEATURES, False)
    gan: str = setting("Current path of gan.pt; empty: the path when it was used.", "", reads=True)
    guide: tuple[str, ...] = setting(
        "Current path of the guide of a surrogate search; repeat for several, in their order. A "
        "guide that runs code must be named again. Empty: the paths when they were used.",
        (),
        reads=True,
    )
    top: int = setting("Number of real excerpts to compare with; 0: the number of examples.", 0, 0)
    by: str = setting(
        "Score to rank by: composite (default: mean rank by fid-response and nearest real), "
        "fid-response (the paper's), fid-features, kid, kad, wasserstein, sliced-wasserstein or "
        "prediction (of validation excerpts, as in `validate`); for `attribute` a "
        "measure such as faithfulness (default), deletion or truth_area.",
        "",
    )
    encoder: str = setting(
        "Encoder of --by prediction: descriptors, classifier.pt or MODEL@INPUT.toml.",
        "descriptors",
        reads=True,
    )
    judge: tuple[str, ...] = setting(
        "Independent network to judge the examples, classifier.pt or MODEL@INPUT.toml; repeat "
        "for several.",
        (),
        reads=True,
    )
    controls: bool = setting(
        "Score controls: no search, no GAN, and a classifier with shuffled weights.", True
    )
    seed: int = setting("Seed of the bootstrap and of the controls.", 0, 0, LAST_SEED)


@dataclass(frozen=True, kw_only=True)
class ValidateConfig(ReadsRecordings, Computes):
    """Test what can be predicted with the chosen examples: OUT/prediction.json.

    `ganexplain validate runs/explain --selection runs/select --corpus sample_data
    --encoder runs/judge/classifier.pt --out runs/validate`

    The test asks which of two new excerpts excites the unit more. The answer is the one that an
    encoder finds more similar to the examples. For comparison, real excerpts, another unit's
    examples and other controls answer too.
    """

    explanations: str = setting(EXPLANATIONS, argument=True, reads=True)
    selection: str = setting(SELECTION, reads=True)
    corpus: tuple[str, ...] = setting(
        "Corpus with the excerpts to predict; repeat for several.", reads=True
    )
    split: str = setting(
        "Split of these excerpts. It should be new to everything: classifier, GAN and selection "
        "use train and valid.",
        "test",
    )
    encoder: tuple[str, ...] = setting(
        "Encoder that compares excerpts with examples: descriptors (spectrum and modulation, "
        "without a network), or an independent network, classifier.pt or MODEL@INPUT.toml; repeat "
        "for several.",
        ("descriptors",),
        reads=True,
    )
    responses: str = setting(RESPONSES, "", reads=True)
    hop_frames: int = setting("Frames between the starts of successive excerpts.", 10, 1)
    classifier: str = setting(CLASSIFIER, "", reads=True)
    trust_pickle: bool = setting(TRUST_PICKLE, False)
    trust_features: bool = setting(TRUST_FEATURES, False)
    seed: int = setting("Seed of the pairs and of the bootstrap.", 0, 0, LAST_SEED)


@dataclass(frozen=True, kw_only=True)
class ReportConfig(Divides):
    """Show and play the chosen setting beside real excerpts, controls and the other settings.

    `ganexplain report runs/explain/explanations.npz --selection runs/select --out runs/report`

    Writes OUT/report.html; for a run of several units, one page per unit and OUT/index.html.
    """

    explanations: str = setting(EXPLANATIONS, argument=True, reads=True)
    selection: str = setting(SELECTION, reads=True)
    responses: str = setting(RESPONSES, "", reads=True)
    validation: str = setting(
        "Path of prediction.json, or run directory of `validate`, to show what can be predicted "
        "with the examples; empty: not shown.",
        "",
        reads=True,
    )
    examples: int = setting("Number of examples shown for each setting.", 6, 1)
    heard: int = setting(
        "Number of these that have sound when a cell of the grid is selected.", 2, 0
    )
    export: str = setting(
        "Directory for files of what the page shows: sounds (WAV), pictures (PNG), numbers (CSV) "
        "and a README; with several units, a folder for each. Empty: none.",
        "",
        extends=True,
    )
    griffin_lim_iterations: int = setting(
        "Number of iterations of the phase reconstruction (Griffin-Lim).", 100, 1
    )
    seed: int = setting("Seed of the initial phases.", 0, 0, LAST_SEED)
