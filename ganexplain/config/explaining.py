"""Settings of the stages that explain a unit and find real excerpts, and of reruns."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain.config.setting import by_place, introduced, setting
from ganexplain.config.shared import (
    CORPORA,
    FEATURES,
    LAST_SEED,
    LAYER,
    NEURON,
    OUTPUTS,
    Computes,
    Divides,
    NamesNetwork,
    SeeksExcerpts,
)

MOST_EXAMPLES = 10**6  # whose starts are drawn one by one, before the search


@dataclass(frozen=True, kw_only=True)
class ExplainConfig(NamesNetwork, Computes, Divides):
    """Generate inputs that drive units, by several settings of the search: OUT/explanations.npz.

    `ganexplain explain --classifier runs/classifier/classifier.pt --gan runs/gan/gan.pt
    --search adaptive --responses runs/real --out runs/explain`

    The adaptive search aims at the excerpts of `responses`. The default grid is that of Mishra et
    al. (2019), 3 x 3 x 3 settings of 50 examples, which takes ten times as long. With
    several units, each has its own folder, OUT/LAYER-NEURON-DIRECTION. Finished blocks are kept
    for --resume.
    """

    gan: str = by_place(setting("Path of gan.pt, or hf://OWNER/NAME.", "", reads=True))
    prior_from: str = setting(
        "Corpus of recordings in place of --gan: excerpts of it are mixed, shifted, filtered and "
        "made louder or softer.",
        "",
        reads=True,
    )
    layer: tuple[str, ...] = setting(LAYER, ())
    neuron: str = setting(NEURON, "0")
    direction: str = setting(
        "Direction: max, min or both (maximise or minimise the activation).", "max"
    )
    learning_rate: tuple[float, ...] = setting(
        "Learning rate (Adam); repeat for several.", (0.1, 0.01, 0.001)
    )
    prior: str = setting(
        "Prior on the latent z: l2 (towards the origin), shell (towards the norm sqrt(128)), "
        "sphere (fixed at that norm) or langevin (samples instead of an optimum).",
        "l2",
    )
    prior_weight: tuple[float, ...] = setting(
        "Weight of the prior (langevin: half its temperature; sphere: not used); repeat for "
        "several.",
        (0.1, 0.01, 0.001),
    )
    iterations: tuple[int, ...] = setting(
        "Number of iterations; repeat for several.", (100, 500, 1000)
    )
    examples: int = setting("Number of examples for each setting.", 50, 2, MOST_EXAMPLES)
    objective: str = setting(
        "Objective: response (drive the unit) or match (activations like those of the real "
        "excerpts of --responses that drive it).",
        "response",
    )
    beyond: str = setting(
        "Values that a search leaves unchanged: output (the outputs of the network, to find what "
        "else drives the unit) or empty (none).",
        "",
    )
    hysteresis: bool = setting(
        "Keep a better iterate only if |response| changes by 0.1 or more, as the authors do.", False
    )
    search: str = setting(
        "Search: grid (all settings), adaptive (guided by --responses, at a tenth of the cost), "
        "evolution (all settings, without gradients; chosen for black boxes), elites (the same for "
        "all units at once, which share every call) or surrogate (the same by gradients of a model "
        "of the responses, with --guide).",
        "grid",
    )
    calls: int = setting(
        "Evolution, elites: calls of the network for each iteration and example. The learning rate "
        "is a quarter of the first population's standard deviation.",
        17,
        5,
        1025,
    )
    guide: tuple[str, ...] = setting(
        "Surrogate: another network that hears such sounds and has gradients, classifier.pt or "
        "MODEL@INPUT.toml; repeat for several.",
        (),
        reads=True,
    )
    responses: str = setting(
        "Path of responses.npz, or run directory of `responses`; required by --search adaptive and "
        "--objective match.",
        "",
        reads=True,
    )
    features: str = setting(FEATURES, "")
    precision: str = setting(
        "Precision of the search: float32, tfloat32 (GPU) or bfloat16. A CPU without fast "
        "instructions for bfloat16 computes in float32, and the record says so.",
        "float32",
    )
    batch_size: int = setting(
        "Searches per batch and per saved block; 0: 48 on a CPU, 512 on a GPU.", 0, 0
    )
    shard: str = setting(
        "Share of the run, i/n: every n-th block, starting with block i (0 to n - 1).",
        "",
        extends=True,
    )
    seed: int = setting(
        "First seed: example k starts from the latent drawn with seed + k.", 0, 0, LAST_SEED
    )


@dataclass(frozen=True, kw_only=True)
class CounterfactualConfig(NamesNetwork, Computes, Divides):
    """Change real excerpts until the network's decision changes: OUT/counterfactual.npz, sounds.

    `ganexplain counterfactual --start-from song.ogg@12.5 --classifier runs/classifier/classifier.pt
    --out runs/counterfactual`

    The recording itself is edited: at most a fifth of its spectrogram's cells (--cells) become
    louder or softer. The smoothest such edit that changes the decision is used. With --on gan, a
    GAN reconstructs each excerpt, and the latent of this copy is moved.
    """

    start_from: tuple[str, ...] = setting(
        "Excerpt as FILE@SECONDS, the time at which it begins (`attribute`: its centre); "
        "repeat for several.",
        reads=True,
    )
    on: str = introduced(
        setting(
            "Subject of the change: recording (levels of its spectrogram) or gan (a GAN's copy of "
            "it).",
            "recording",
        ),
        before="gan",
    )
    gan: str = setting(
        "Path of gan.pt, or hf://OWNER/NAME. With `--on recording`, an edit must stay near what "
        "this GAN generates; empty: no such check.",
        "",
        reads=True,
    )
    cells: float = setting(
        "Recording: largest share of the spectrogram's cells that an edit changes.", 0.2, 0, 1
    )
    judge: tuple[str, ...] = setting(
        "Recording: another network to ask about the edit, classifier.pt or MODEL@INPUT.toml; "
        "repeat for several.",
        (),
        reads=True,
    )
    outputs: str = setting(OUTPUTS, "auto")
    layer: str = setting(
        "Layer of the unit, LAYER:UNIT, or a class. Default: the output.", "output"
    )
    neuron: str = setting("Unit, as for `explain`: 3, 17@max, sing, FILE.npy.", "0")
    level: str = setting(
        "Response that separates the two sides; empty: the decision for output units that have a "
        "class name, for others the median of 256 excerpts of the recordings (or GAN samples).",
        "",
    )
    prior: str = setting(
        "GAN: prior on the latent z: near (the start, by |z - start|^2), l2, shell or sphere.",
        "near",
    )
    prior_weight: float = setting("GAN: weight of the prior; not used by sphere.", 0.1, 0)
    learning_rate: float = setting("GAN: learning rate (Adam).", 0.02, 0)
    iterations: int = setting("Maximum number of steps to reach the other side.", 200, 1)
    refine_steps: int = setting(
        "GAN: number of steps that refine the encoder's latent, and of steps that add what it "
        "misses.",
        300,
        1,
    )
    griffin_lim_iterations: int = setting(
        "GAN: number of iterations of the phase reconstruction (Griffin-Lim).", 100, 1
    )
    seed: int = setting(
        "Seed of the initial phases, of the samples for a median and of edits elsewhere.",
        0,
        0,
        LAST_SEED,
    )


@dataclass(frozen=True, kw_only=True)
class LayersConfig(Computes):
    """List the layers of a network that can be explained, with the shape of their outputs.

    `ganexplain layers silero_vad.jit --input silero.toml --gan runs/gan/gan.pt`

    NETWORK is a classifier.pt, or any network that --model of `explain` accepts.
    """

    network: str = setting(
        "Path of classifier.pt, or any network that --model of `explain` accepts.", argument=True
    )
    weights: str = setting(
        "Weights of a network made by a factory: FILE.safetensors, a checkpoint, or "
        "CHECKPOINT:PLACE for a table or prefix in it.",
        "",
    )
    input: str = setting("TOML file that describes the network's input.", "")
    backend: str = setting("Library that runs a FILE.onnx: torch or onnxruntime.", "torch")
    trust_pickle: bool = setting(
        "Load a pickled network. This runs any code that the file contains.", False
    )
    trust_features: bool = setting(
        "Compute the network's input by the function that --input names as features. This runs its "
        "code.",
        False,
    )
    gan: str = setting(
        "Path of gan.pt, if it generates another kind of input than the network takes.", ""
    )
    example: str = setting("Recording or picture to pass through the network; empty: noise.", "")


@dataclass(frozen=True, kw_only=True)
class ResponsesConfig(SeeksExcerpts, NamesNetwork, Computes, Divides):
    """Find the real excerpts that drive units most and least: OUT/responses.npz.

    `ganexplain responses sample_data --classifier runs/classifier/classifier.pt --layer fc8
    --neuron all --out runs/responses`

    `explain --search adaptive` uses these responses as its target; `select` takes them in place
    of a corpus. Finished parts are kept for --resume.
    """

    corpus: tuple[str, ...] = setting(CORPORA, argument=True, reads=True)
    gan: str = setting(
        "Path of gan.pt, if --model takes another kind of input than the GAN generates.",
        "",
        reads=True,
    )
    layer: tuple[str, ...] = setting(LAYER, ())
    neuron: str = setting(NEURON, "0")
    features: str = setting(FEATURES, "")
    top: int = setting("Number of excerpts with the highest and with the lowest response.", 50, 2)


@dataclass(frozen=True, kw_only=True)
class RerunConfig:
    """Repeat a run from its directory, and report whether the results are the same.

    `ganexplain rerun runs/explain --out runs/explain-again`

    The inputs must be unchanged. The exit status is 1 if a file differs; each such file is
    reported with the key that differs, and by how much.
    """

    run: str = setting("Run directory of any stage.", argument=True, reads=True)
