"""Settings of the stages that explain a unit, choose among explanations and show them."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain.config.setting import setting
from ganexplain.config.shared import (
    CORPORA,
    FEATURES,
    LAST_SEED,
    LAYER,
    NEURON,
    Computes,
    NamesNetwork,
    SeeksExcerpts,
)

MOST_EXAMPLES = 10**6  # whose starts are drawn one by one, before the search


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
    examples: int = setting("Examples of each setting.", 50, 2, MOST_EXAMPLES)
    hysteresis: bool = setting(
        "The authors' kept iterate: the best by 0.1 or more in |response|.", False
    )
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
        "FILE@SECONDS: a recording and where in it the excerpt begins (in attribute: where its "
        "middle is); repeat for several.",
        reads=True,
    )
    classifier: str = setting("Path of classifier.pt.", reads=True)
    gan: str = setting("Path of gan.pt.", reads=True)
    layer: str = setting("Layer of the unit, or LAYER:UNIT.", "fc9")
    neuron: str = setting("The unit, as `explain` takes it: 3, 17@max, sing, FILE.npy.", "0")
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
        "Rank by composite (mean rank by fid-response and nearest real), fid-response (the "
        "paper's), fid-features, kid or wasserstein; of attribute by a measure, as faithfulness "
        "(its default), deletion or truth_area.",
        "composite",
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
class RerunConfig:
    """Repeat a run from what its directory tells, and say whether it gives the same.

    `ganexplain rerun runs/explain --out runs/explain-again`

    Its inputs must be what they were. Exit status 1 where a file differs; each is named with the
    key that does, and by how much.
    """

    run: str = setting("Run directory of any stage.", argument=True, reads=True)
