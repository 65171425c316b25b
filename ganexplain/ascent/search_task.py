"""The task of a run of `explain`, opened and checked before the run begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from ganexplain.artifacts.explanations import ExplanationMeta
from ganexplain.artifacts.grid import Grid
from ganexplain.artifacts.plan import DIRECTIONS, Part, Plan, SearchTarget
from ganexplain.artifacts.responses import check_group, given_path, read_responses
from ganexplain.ascent.beyond import FixedOutputs, check_beyond
from ganexplain.ascent.elites import ELITES
from ganexplain.ascent.evolution import EVOLUTION
from ganexplain.ascent.gradients import check_units
from ganexplain.ascent.guides import guide_digests
from ganexplain.ascent.match import MATCH
from ganexplain.ascent.priors import PRIORS
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.surrogate import MOST, SURROGATE
from ganexplain.config import ExplainConfig
from ganexplain.errors import UsageError
from ganexplain.files.atomic import file_hash
from ganexplain.gans.mixtures import MixtureGenerator
from ganexplain.inputs.specification import input_values
from ganexplain.networks.black_box import find_black_box
from ganexplain.networks.hooks import find_layer, last_hidden_layer
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.unit_syntax import parse_units
from ganexplain.runs.precision import with_precision_in_effect
from ganexplain.version import __version__

BATCH_SIZES = {"cpu": 48, "cuda": 512}
HOW_ONLY = ("workers", "scheduler_file", "shard")  # settings on which the result does not depend
POPULATIONS = (EVOLUTION, ELITES)  # searches with `calls` an iteration
BLIND = (*POPULATIONS, SURROGATE)  # searches without gradients of the network
Shard = tuple[int, int]  # i of n


@dataclass(frozen=True)
class SearchTask:
    """The units to search and the metas of their files.

    `aims` are the real responses (R,) that are the aim of a unit's adaptive search, or of whose
    excerpts the activations are; `warnings` are about the units of this shard; `fixed_outputs` are
    the outputs that the search leaves as they are.
    """

    config: ExplainConfig
    batch_size: int
    plan: Plan
    metas: Mapping[SearchTarget, ExplanationMeta]
    aims: Mapping[SearchTarget, np.ndarray]
    warnings: Sequence[str]
    fixed_outputs: FixedOutputs | None = None

    @classmethod
    def open(
        cls, config: ExplainConfig, shard: Shard | None, mixtures: MixtureGenerator | None = None
    ) -> tuple[SearchTask, SearchNetworks]:
        """The task of the settings and its networks; raises errors of all named files.

        A generator of `mixtures` is in place of the GAN's file, which is not yet written.
        """
        made = (mixtures, mixtures.input_spec) if mixtures else None
        networks = SearchNetworks.load(config, made=made)
        warnings: list[str] = []
        config = with_precision_in_effect(config, networks.device, warnings.append)
        config, notes = without_gradients(config, networks.explained.network)
        warnings += notes
        usual = BATCH_SIZES.get(networks.device.type, BATCH_SIZES["cpu"])
        batch_size = config.batch_size or usual
        explained, adaptive = networks.explained, config.search == "adaptive"
        features = config.features or last_hidden_layer(explained.network)
        find_layer(explained.network, features, "--features")
        rows = 1 if adaptive else Grid.from_settings(config).rows
        shares = {SURROGATE: config.examples, ELITES: 1}  # a model a setting; all units a search
        block = shares.get(config.search, batch_size)
        plan = make_plan(config, explained, networks.example(), rows, block)
        base = _base_meta(config, plan.targets[0], explained, features)
        metas, aims = {}, {}
        for target in plan.targets:
            meta = replace(base, target=target, class_name=explained.class_of(target.unit))
            if adaptive or config.objective == MATCH:
                path = given_path(Path(config.responses), target)
                aims[target] = _aim(path, meta)
                meta = replace(meta, responses_hash=file_hash(path))
            metas[target] = meta
        own = {part.target: None for part in shard_parts(plan, shard, config.search)}
        starts = networks.starts(config.seed, config.examples)
        if config.search not in BLIND:
            warnings += check_units(own, explained, networks.generator, starts, batch_size)
        fixed_outputs = FixedOutputs.measure(networks) if config.beyond else None
        if fixed_outputs:
            warnings += check_beyond(own, networks, fixed_outputs, starts)
        return cls(config, batch_size, plan, metas, aims, warnings, fixed_outputs), networks

    def with_gan(self, digest: str) -> SearchTask:
        """The task with the SHA-256 of the GAN's file in the metas."""
        metas = {target: replace(meta, gan_hash=digest) for target, meta in self.metas.items()}
        return replace(self, metas=metas)


def without_gradients(config: ExplainConfig, network: nn.Module) -> tuple[ExplainConfig, list[str]]:
    """The settings, with a search without gradients for a black box, and notes.

    That search is by a surrogate where guides are named. Raises UsageError for settings with which
    it does not go.
    """
    black_box = find_black_box(network)
    if black_box and config.search == "grid":
        config = replace(config, search=SURROGATE if config.guide else EVOLUTION)
    if config.search not in POPULATIONS and config.calls != ExplainConfig.calls:
        raise UsageError(
            f"--calls {config.calls}: goes with --search evolution or elites; leave it out"
        )
    if config.guide and config.search != SURROGATE:
        raise UsageError(f"--guide {config.guide[0]}: add --search surrogate, which it guides")
    if config.search not in BLIND:
        return config, []
    check_blind(config)
    each = config.calls if config.search in POPULATIONS else 1
    # The starts are evaluated too.
    calls = Grid.from_settings(config).rows * (max(config.iterations) * each + 1)
    chosen = f"{black_box.name} is a black box: " if black_box else ""
    whom = "all units together" if config.search == ELITES else "each unit"
    return config, [f"{chosen}--search {config.search}, {calls:,} calls of the network for {whom}"]


def check_guides(config: ExplainConfig) -> None:
    """Raise UsageError for guides without their search, or the search without guides.

    The grid may have guides: for a black box they choose the search.
    """
    if config.guide and config.search not in ("grid", SURROGATE):
        raise UsageError(
            f"--guide: --search {config.search} has no use for it; use --search surrogate, or "
            "leave it out"
        )
    if config.search == SURROGATE and not config.guide:
        raise UsageError(
            "--search surrogate: name a network like the explained one, which has gradients, with "
            "--guide"
        )
    if config.guide and config.examples > MOST:
        raise UsageError(f"--examples {config.examples}: with --guide at most {MOST:,}")


def check_blind(config: ExplainConfig) -> None:
    """Raise UsageError for settings that need gradients or have no effect without them."""
    if config.hysteresis:
        raise UsageError(
            f"--hysteresis: is about the iterates of --search grid, not of {config.search}; leave "
            "it out"
        )
    for option, given in (
        (f"--prior {config.prior}", PRIORS[config.prior].samples),
        ("--objective match", config.objective == MATCH),
        ("--beyond", config.beyond),
    ):
        if given:
            raise UsageError(
                f"{option}: needs gradients, which --search {config.search} does without; leave it "
                "out"
            )


def check_match(config: ExplainConfig) -> None:
    """Raise UsageError for settings with which no activations can be matched."""
    if not config.responses:
        raise UsageError(
            "--objective match: matches real excerpts; find them with `ganexplain responses` and "
            "pass them with --responses"
        )
    for option, given in (
        ("--search adaptive", config.search == "adaptive"),
        ("--hysteresis", config.hysteresis),
    ):
        if given:
            raise UsageError(
                f"{option}: is about the response, which --objective match does not maximise; "
                "leave it out"
            )


def _base_meta(
    config: ExplainConfig,
    target: SearchTarget,
    explained: TargetNetwork,
    features: str,
) -> ExplanationMeta:
    """The meta of a unit's files before its search."""
    source = NetworkSource.from_settings(config)
    return ExplanationMeta(
        target=target,
        class_name="",
        features_layer=features,
        front_end=input_values(explained.front_end),
        seed=config.seed,
        classifier=source.name,
        classifier_hash=source.digest(),
        guide_hashes=guide_digests(config.guide),
        gan=config.gan,
        gan_hash="",  # known when the run has begun: `with_gan`
        responses=config.responses,
        responses_hash="",
        classes=tuple(explained.names.classes),
        version=__version__,
        prior=config.prior,
        precision=config.precision,
        hysteresis=config.hysteresis,
        search=config.search,
        objective=config.objective,
        beyond=config.beyond,
        layer_axes=_unusual_axes(explained, target.unit.layer),
        settings={k: value for k, value in asdict(config).items() if k not in HOW_ONLY},
    )


def _unusual_axes(explained: TargetNetwork, layer: str) -> str:
    """The axes of a layer's output if its units are not on the first, else an empty text."""
    axes = find_layer(explained.network, layer).shown_axes
    return "" if axes is None or axes.is_plain else str(axes)


def _aim(path: Path, meta: ExplanationMeta) -> np.ndarray:
    """Responses (R,) of the real excerpts of a unit in a file; errors as `read_responses`."""
    return real_array(path, meta, "response")


def real_array(path: Path, meta: ExplanationMeta, name: str) -> np.ndarray:
    """An array of the real excerpts of a unit in a `responses.npz`; errors as `read_responses`."""
    arrays = read_responses(path, Path(meta.classifier), meta.measured, {}).arrays
    check_group(path, arrays, meta.prefix)
    return arrays[meta.prefix + name]


def make_plan(
    config: ExplainConfig, explained: TargetNetwork, example: Tensor, rows: int, batch_size: int
) -> Plan:
    """The requested units, each with `rows` in blocks of at most `batch_size`, as even as possible.

    `example` (1, F, T) is an input of the network. Raises UsageError for an unknown layer or unit.
    """
    layers, network, names = explained.layers(config.layer), explained.network, explained.names
    targets = tuple(
        SearchTarget(unit, direction)
        for unit in parse_units(layers, config.neuron, network, example, names)
        for direction in DIRECTIONS[config.direction]
    )
    blocks = -(-rows // batch_size)
    bounds = np.linspace(0, rows, blocks + 1).round().astype(int)
    return Plan(targets, tuple(bounds.tolist()))


def shard_parts(plan: Plan, shard: Shard | None, search: str) -> list[Part]:
    """The parts of shard i of n: every n-th of all; for `elites` those of every n-th block."""
    parts = plan.all_parts()
    if shard is None:
        return parts
    if search == ELITES:
        return [part for part in parts if part.block % shard[1] == shard[0]]
    return parts[shard[0] :: shard[1]]
