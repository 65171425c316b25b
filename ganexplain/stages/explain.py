"""`explain`: classifier and GAN -> an `explanations.npz` for each unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ganexplain import __version__
from ganexplain.artifacts import check_same_front_end, read_meta, write_json
from ganexplain.ascent.neurons import find_layer
from ganexplain.config import ExplainConfig
from ganexplain.distributed import place
from ganexplain.errors import UsageError, check_known
from ganexplain.models.dcgan import LATENT_SIZE
from ganexplain.models.loading import Classifier, load_classifier, load_generator
from ganexplain.pool import job_count, work_through
from ganexplain.rundir import RunDirectory
from ganexplain.runtime import Progress, pick_device
from ganexplain.stages.explain_adaptive import (
    AdaptiveWork,
    budget,
    real_path,
    real_responses,
)
from ganexplain.stages.explain_merge import merge_all
from ganexplain.stages.explain_parts import (
    PRECISIONS,
    PartWork,
    check_same_inputs,
    features_layer,
    is_done,
    trajectory_settings,
    unit_meta,
)
from ganexplain.stages.explain_plan import (
    DIRECTIONS,
    PARTS_FOLDER,
    PLAN_FILE,
    Part,
    Plan,
    make_plan,
    own_share,
    parse_shard,
    read_plan,
)

SEARCHES = ("grid", "adaptive")
LARGEST_SEED = 2**32  # of NumPy's legacy generator
BATCH_SIZES = {"cpu": 48, "cuda": 512}
WORTH_PROCESSES = 10_000  # example-iterations, a minute's work: starting a process takes seconds
HOW_ONLY = ("jobs", "shard")  # settings of which the result does not depend


def explain(
    config: ExplainConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
) -> list[Path]:
    """Search the latent space for inputs that drive units, over the grid of settings.

    Gives the paths of the `explanations.npz`, one for each unit and direction; of a shard the
    folder of the parts, which `select` merges. Raises UsageError for an unknown layer, unit or
    direction, settings out of range, or checkpoints that do not belong together.
    """
    check_settings(config)
    shard = parse_shard(config.shard) or torchrun_shard()
    if shard and overwrite:
        raise UsageError("--overwrite: would delete what other shards have done; remove --out")
    device = pick_device(config.device)
    batch_size = config.batch_size or BATCH_SIZES.get(device.type, BATCH_SIZES["cpu"])
    classifier, plan, meta = _prepared(config, device, batch_size)
    share = f"{shard[0]}-of-{shard[1]}" if shard else ""
    with RunDirectory(out, "explain", config, overwrite, resume, share) as run:
        progress = run.keep_notes(progress)
        for name in ("classifier", "gan"):
            meta[f"{name}_hash"] = run.used(name, Path(getattr(config, name)))
        if config.search == "adaptive":
            for unit in plan.units:
                of_unit = unit_meta(meta, unit, classifier)
                real_responses(config, of_unit)  # what is wrong with them is said at once
                run.used(f"responses of {unit.name}", real_path(config, of_unit))
        _keep_plan(out, plan)
        parts = own_share([part for unit in plan.units for part in plan.parts(unit)], shard)
        waiting = [part for part in parts if not _is_merged(out, plan, part, meta)]
        waiting = [part for part in waiting if not is_done(out, part, meta)]
        if len(waiting) < len(parts):
            progress.note(f"{len(parts) - len(waiting)} of {len(parts)} parts were done before")
        spent = _work(config, waiting, batch_size, out, meta, progress)
        run.results["example_iterations"] = spent
        progress.note(f"{spent:,} example-iterations")
        return [out / PARTS_FOLDER] if shard else merge_all(out, plan)


def torchrun_shard() -> tuple[int, int] | None:
    """The share of this process where torchrun has started several."""
    rank, world = place()
    return (rank, world) if world > 1 else None


def _prepared(
    config: ExplainConfig, device: torch.device, batch_size: int
) -> tuple[Classifier, Plan, dict[str, Any]]:
    """The network explained, what is to be done, and the meta of every part."""
    classifier_path, gan_path = Path(config.classifier), Path(config.gan)
    classifier = load_classifier(classifier_path, device)
    generator, front_end = load_generator(gan_path, device)
    check_same_front_end((classifier_path, classifier.front_end), (gan_path, front_end))
    with torch.no_grad():
        example = generator(torch.zeros(1, LATENT_SIZE, device=device))
    features = features_layer(config, classifier)
    find_layer(classifier.network, features, "--features")
    settings = {name: value for name, value in asdict(config).items() if name not in HOW_ONLY}
    rows = len(trajectory_settings(config)) * config.examples
    plan = make_plan(
        config,
        classifier.network,
        example,
        rows=1 if config.search == "adaptive" else rows,
        batch_size=batch_size,
    )
    return (
        classifier,
        plan,
        {
            **settings,
            "features_layer": features,
            "front_end": asdict(front_end),
            "classes": list(classifier.classes),
            "version": __version__,
        },
    )


def _keep_plan(out: Path, plan: Plan) -> None:
    if (out / PLAN_FILE).is_file() and read_plan(out) != plan:
        raise UsageError(
            f"--out {out}: holds parts laid out otherwise; give the same --batch-size and "
            "classifier, or name another"
        )
    write_json(out / PLAN_FILE, plan.document())


def _is_merged(out: Path, plan: Plan, part: Part, meta: Mapping[str, Any]) -> bool:
    path = plan.path(out, part.unit)
    if not path.is_file():
        return False
    check_same_inputs(path, read_meta(path, "explanations"), meta)
    return True


def _work(
    config: ExplainConfig,
    parts: Sequence[Part],
    batch_size: int,
    out: Path,
    meta: Mapping[str, Any],
    progress: Progress,
) -> int:
    """Search all parts, in several processes on a CPU where that pays; what it took."""
    if not parts:
        return 0
    adaptive, spent = config.search == "adaptive", 0
    each = budget(config) if adaptive else max(config.iterations)
    total = sum(part.last - part.first for part in parts) * each

    def advance(units: int) -> None:
        nonlocal spent
        spent += units
        progress.advance(units)

    alone = pick_device(config.device).type != "cpu" or place()[1] > 1
    jobs = (
        1
        if alone and config.jobs == "auto"
        else job_count(config.jobs, len(parts), total >= WORTH_PROCESSES)
    )
    units = list(dict.fromkeys(part.unit.name for part in parts))
    progress.start(units[0] if len(units) == 1 else f"{len(units)} units", total)
    prepare = AdaptiveWork if adaptive else PartWork
    work_through(parts, jobs, prepare, (config, batch_size, out, meta), advance)
    return spent


def check_settings(config: ExplainConfig) -> None:
    """UsageError naming the option whose value is out of range or repeated."""
    check_known("--direction", config.direction, DIRECTIONS)
    check_known("--precision", config.precision, PRECISIONS)
    check_known("--search", config.search, SEARCHES)
    for option, values in (
        ("--learning-rate", config.learning_rate),
        ("--prior-weight", config.prior_weight),
        ("--iterations", config.iterations),
    ):
        if not values:
            raise UsageError(f"{option}: give at least one value")
        if len(set(values)) < len(values):
            raise UsageError(f"{option}: a value is given twice; leave one out")
        may_be_zero = option == "--prior-weight"
        for value in values:
            if not (0 < value < float("inf") or (value == 0 and may_be_zero)):
                kind = "zero or above" if may_be_zero else "above zero"
                raise UsageError(f"{option} {value:g}: must be a finite number {kind}")
    if config.examples < 2:
        raise UsageError(f"--examples {config.examples}: a distance needs at least 2")
    if config.seed + config.examples > LARGEST_SEED:
        raise UsageError(f"--seed {config.seed}: seed + examples must stay below 2^32")
    if config.search == "adaptive":
        budget(config)
        real_path(config, {"layer": "", "neuron": 0, "direction": ""})
