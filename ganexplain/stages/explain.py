"""`explain`: classifier and GAN -> an `explanations.npz` for each unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from ganexplain.artifacts.explanations import (
    KIND,
    ExplanationMeta,
    is_made,
    read_explanation_meta,
)
from ganexplain.artifacts.lost_gradients import LOST
from ganexplain.artifacts.merging import merge_all
from ganexplain.artifacts.plan import (
    DIRECTIONS,
    PART,
    PARTS_FOLDER,
    PLAN_FILE,
    Part,
    Plan,
    parse_shard,
    part_path,
    read_plan,
)
from ganexplain.artifacts.responses import given_path
from ganexplain.ascent.adaptive_blocks import AdaptiveBlockSearch, check_aim, search_budget
from ganexplain.ascent.beyond import BEYOND
from ganexplain.ascent.blocks import BlockSearch
from ganexplain.ascent.elites import ELITES
from ganexplain.ascent.guides import guide_files
from ganexplain.ascent.match import MATCH, OBJECTIVES
from ganexplain.ascent.mixture_prior import with_mixtures
from ganexplain.ascent.priors import PRIORS, SEARCH_PRIORS, is_weightless
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.search_task import (
    BLIND,
    POPULATIONS,
    SearchTask,
    check_guides,
    check_match,
    shard_parts,
)
from ganexplain.ascent.shared_blocks import SharedBlock, SharedBlockSearch, shared_blocks
from ganexplain.config import ExplainConfig
from ganexplain.errors import UsageError, check_known
from ganexplain.files.atomic import JsonObject, write_json
from ganexplain.gans.checkpoint import write_mixtures
from ganexplain.networks.source import NetworkSource
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.distributed import rank_and_world_size, use_own_gpu
from ganexplain.runs.parts import parts_to_do
from ganexplain.runs.precision import SEARCH_PRECISIONS
from ganexplain.runs.progress import Progress
from ganexplain.runs.workers import DividedWork, Workers

SEARCHES = ("grid", "adaptive", *BLIND)
LARGEST_SEED = 2**32  # of NumPy's legacy generator
WORTH_PROCESSES = 10_000  # example-iterations (a minute) from which several processes are faster


def explain(
    config: ExplainConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
) -> list[Path]:
    """Search the latent space for inputs that drive units, over the grid of settings.

    Returns the paths of the `explanations.npz`, one for each unit and direction; for a shard the
    folder of its parts, which `select` merges. Raises UsageError for an unknown layer, unit or
    direction, for settings out of range, and for checkpoints that do not belong together.
    An `executor` of any kind does the searches in place of the workers of the settings.
    """
    settings = config = _without_unused_weights(config)
    check_settings(config)
    workers = Workers.of(config, executor)
    shard = _own_shard(config, overwrite)
    use_own_gpu()
    # Errors of the inputs are found before --overwrite deletes anything.
    config, mixtures = with_mixtures(config, out, keep=resume or shard is not None)
    task, networks = SearchTask.open(config, shard, mixtures)
    share = f"{shard[0]}-of-{shard[1]}" if shard else ""
    with RunDirectory(out, "explain", settings, overwrite, resume, share) as run:
        progress = run.keep_notes(progress)
        for warning in task.warnings:
            progress.note(warning)
        if mixtures:
            write_mixtures(Path(config.gan), mixtures, config.prior_from)
        task = _with_inputs(task, run)
        plan = _write_or_keep_plan(config, out, task.plan)
        parts = shard_parts(plan, shard, config.search)
        todo = parts_to_do(
            parts, lambda part: _is_done(out, plan, part, task.metas[part.target]), progress
        )
        spent = _search(task, networks, todo, out, progress, workers)
        run.results["example_iterations"] = spent  # of this call; the files have those of all
        progress.note(f"searched with {spent:,} iterations, those of all examples added up")
        if shard and not all(plan.path(out, target).is_file() for target in plan.targets):
            return [out / PARTS_FOLDER]
        return _merge(plan, config, run, progress)


def _merge(plan: Plan, config: ExplainConfig, run: RunDirectory, progress: Progress) -> list[Path]:
    """Merge the parts of all targets; returns the paths. Notes say which examples were lost."""
    merged = merge_all(run.path, plan)
    found = {
        target.name: read_explanation_meta(plan.path(run.path, target)) for target in plan.targets
    }
    run.results |= _results(found)
    for name, meta in found.items():
        if meta.lost and (words := meta.lost.in_words(config.examples)):
            progress.note(f"{name}: {words}")
    return merged


def _with_inputs(task: SearchTask, run: RunDirectory) -> SearchTask:
    """The task with the file of the GAN; this and the other files are recorded."""
    config = task.config
    for name, path in NetworkSource.from_settings(config).files().items():
        run.used(name, path)
    for k, path in enumerate(guide_files(config.guide), 1):
        run.used(f"guide {k}", path)
    task = task.with_gan(run.used("gan", Path(config.gan)))
    for target in task.aims:
        path = given_path(Path(config.responses), target)
        run.used(f"responses of {target.name}", path)
    run.note_inputs()
    return task


def _results(found: Mapping[str, ExplanationMeta]) -> JsonObject:
    """The results of the whole run for `run.json`, from the metas of its units by their names."""
    counts = {
        name: meta.lost.searches_without_gradient for name, meta in found.items() if meta.lost
    }
    lost = {name: count for name, count in counts.items() if count}
    each = [meta.example_iterations for meta in found.values()]
    together = any(meta.search == ELITES for meta in found.values())
    spent = max(each) if together else sum(each)
    return {
        "example_iterations": spent,
        **({LOST: lost} if lost else {}),
    }


def _own_shard(config: ExplainConfig, overwrite: bool) -> tuple[int, int] | None:
    """The shard of this process: that of `--shard`, or its rank among torchrun's processes.

    Raises UsageError for both, and for a shard that would `overwrite`.
    """
    requested, (rank, world) = parse_shard(config.shard), rank_and_world_size()
    if requested and world > 1:
        raise UsageError("--shard: torchrun divides the blocks itself; use only one of the two")
    shard = (rank, world) if world > 1 else requested
    if shard and overwrite:
        raise UsageError(
            "--overwrite: would delete the results of other shards; remove --out instead"
        )
    return shard


def _write_or_keep_plan(config: ExplainConfig, out: Path, plan: Plan) -> Plan:
    """The plan of the run in `out`; that of the first process, if no batch size is given."""
    earlier = read_plan(out) if (out / PLAN_FILE).is_file() else plan
    same = earlier.targets == plan.targets and earlier.bounds[-1] == plan.bounds[-1]
    if not same or (config.batch_size and earlier != plan):
        raise UsageError(
            f"--out {out}: contains blocks of a run with another batch size or classifier; "
            "repeat those, or choose another --out"
        )
    write_json(out / PLAN_FILE, earlier.to_json())
    return earlier


def _is_done(out: Path, plan: Plan, part: Part, meta: ExplanationMeta) -> bool:
    """Whether a part, or its unit, is done; UsageError if it was made from other inputs."""
    whole = plan.path(out, part.target)
    return is_made(whole, KIND, meta) or is_made(part_path(out, part), PART, meta)


def _search(
    task: SearchTask,
    networks: SearchNetworks,
    parts: Sequence[Part],
    out: Path,
    progress: Progress,
    workers: Workers,
) -> int:
    """Search all parts, on a CPU in several processes if that is faster.

    Returns the example-iterations spent.
    """
    if not parts:
        return 0
    config, spent = task.config, 0
    adaptive = config.search == "adaptive"
    each = search_budget(config) if adaptive else max(config.iterations)
    together = config.search == ELITES
    tasks: Sequence[Part] | Sequence[SharedBlock] = shared_blocks(parts) if together else parts
    rows = [block[0] for block in shared_blocks(parts)] if together else parts
    total = sum(part.last - part.first for part in rows) * each

    def advance(units: int) -> None:
        nonlocal spent
        spent += units
        progress.advance(units)

    single = networks.device.type != "cpu" or rank_and_world_size()[1] > 1
    progress.start(f"search for {_describe(task, parts)}", total, at_most=adaptive)
    passes = total * config.calls if config.search in POPULATIONS else total
    worth_it = not single and passes >= WORTH_PROCESSES
    if adaptive and len(parts) == 1:  # its settings are divided among the workers
        AdaptiveBlockSearch(task, out, networks, workers)(parts[0], advance)
        return spent
    kinds = {"adaptive": AdaptiveBlockSearch, ELITES: SharedBlockSearch}
    prepare = kinds.get(config.search, BlockSearch)
    work = DividedWork(prepare, (task, out), out, loaded=(networks,))
    workers.do(tasks, work, advance, worth_it)
    return spent


def _describe(task: SearchTask, parts: Sequence[Part]) -> str:
    """The title of one target, or the number of units, for the progress."""
    targets = {part.target for part in parts}
    if len(targets) == 1:
        return task.metas[targets.pop()].title
    count = len({target.unit for target in targets})
    both = len({target.direction for target in targets}) > 1
    return f"{count} unit{'' if count == 1 else 's'}{', both directions' if both else ''}"


def _without_unused_weights(config: ExplainConfig) -> ExplainConfig:
    """The settings, with a prior weight of zero if the prior has no weight.

    Raises UsageError if a weight is given for such a prior.
    """
    check_known("--prior", config.prior, PRIORS)
    given = config.prior_weight not in (ExplainConfig.prior_weight, (0.0,))
    weightless = is_weightless(config.prior, given)
    return replace(config, prior_weight=(0.0,)) if weightless else config


def check_settings(config: ExplainConfig) -> None:
    """Raise UsageError, which names the option, for a value out of range or given twice."""
    check_known("--direction", config.direction, DIRECTIONS)
    check_known("--precision", config.precision, SEARCH_PRECISIONS)
    check_known("--search", config.search, SEARCHES)
    check_known("--objective", config.objective, OBJECTIVES)
    check_guides(config)
    if config.objective == MATCH:
        check_match(config)
    if config.beyond:
        check_known("--beyond", config.beyond, BEYOND)
    samples = PRIORS[config.prior].samples
    _check_values("--learning-rate", config.learning_rate)
    _check_values("--prior-weight", config.prior_weight, may_be_zero=not samples)
    _check_values("--iterations", config.iterations)
    if config.beyond and samples:
        raise UsageError(
            f"--prior {config.prior}: samples a density and cannot hold the outputs; with --beyond "
            f"use {', '.join(SEARCH_PRIORS)}"
        )
    if config.examples < 2:
        raise UsageError(f"--examples {config.examples}: a distance needs at least 2")
    if config.seed + config.examples > LARGEST_SEED:
        raise UsageError(f"--seed {config.seed}: seed + examples must stay below 2^32")
    if config.hysteresis and (config.search == "adaptive" or samples):
        raise UsageError(
            "--hysteresis: goes with --search grid and a prior of "
            f"{', '.join(SEARCH_PRIORS)}; leave it out"
        )
    if config.search == "adaptive":
        if samples:
            raise UsageError(
                f"--prior {config.prior}: its samples do not approach the target step by step, as "
                "--search adaptive requires; use only one of the two"
            )
        search_budget(config)
        check_aim(config)


def _check_values(option: str, values: Sequence[float], may_be_zero: bool = False) -> None:
    """Raise UsageError for a value of a grid that is out of range or given twice, and for none."""
    if not values:
        raise UsageError(f"{option}: give at least one value")
    if len(set(values)) < len(values):
        raise UsageError(f"{option}: a value is given twice; remove one")
    for value in values:
        if not (0 < value < float("inf") or (value == 0 and may_be_zero)):
            kind = "zero or above" if may_be_zero else "above zero"
            raise UsageError(f"{option} {value:g}: must be a finite number {kind}")
