"""The origin of a report: files, networks, settings and commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import singledispatch
from pathlib import Path

from ganexplain.ascent.match import RESPONSE
from ganexplain.config import ReportConfig
from ganexplain.errors import GanexplainError
from ganexplain.files.atomic import read_json
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.report.html.markup import Child, element
from ganexplain.report.unit.comparison import judge_files
from ganexplain.report.unit.evidence import Evidence
from ganexplain.report.unit.page import Table

LEVEL = ("level", "kept, unless the peak would pass 0.99")


def provenance(
    evidence: Evidence, config: ReportConfig, files: Mapping[str, Path], hashes: Mapping[str, str]
) -> list[Table]:
    """Return tables of the files with their hashes, the search, the sound and the commands."""
    meta, made, words = evidence.meta, evidence.made, evidence.words
    inputs = [(name, _hashed(path, hashes[name])) for name, path in files.items()]
    networks = [
        (name, _hashed(path or "unnamed", digest or "unknown"))
        for name, path, digest in (
            ("classifier", meta.classifier, meta.classifier_hash),
            ("gan", meta.gan, meta.gan_hash),
        )
    ]
    seeds = made["seed"]
    search = [
        ("layer, neuron", f"{meta.unit.layer}, {meta.unit.neuron}"),
        *([("axes of the layer", meta.layer_axes)] if meta.layer_axes else []),
        ("classes", ", ".join(meta.classes) or "unknown"),
        ("direction", meta.direction),
        *([("objective", meta.objective)] if meta.objective != RESPONSE else []),
        *([("fixed", f"{meta.beyond} of the network")] if meta.beyond else []),
        ("prior", meta.prior),
        ("examples", f"{len(seeds)}, seeds {seeds.min()} to {seeds.max()}"),
        ("shown", f"the first {len(evidence.shown['start'])}, not picked by {words.picked_by}"),
        ("settings", f"{len(evidence.scores)} on {len(made['response_trace'])} trajectories"),
        ("latent size", str(made["latent"].shape[-1])),
        ("features", f"{meta.features_layer}, {made['features'].shape[-1]} values"),
        ("ganexplain", meta.version or "unknown"),
    ]
    lines = [
        (name.replace("_", " "), f"{value:g}" if isinstance(value, int | float) else str(value))
        for name, value in meta.front_end.items()
    ]
    sound = sound_facts(evidence.front_end, config)
    return [
        Table("Files", [*inputs, *networks, *judge_files(evidence).items()]),
        Table("Search", search),
        Table(words.input_table, [*sound, *lines]),
        Table("Commands", _commands([*filter(None, (meta.classifier, meta.gan)), *files.values()])),
    ]


@singledispatch
def sound_facts(input_spec: Input, config: ReportConfig) -> list[tuple[str, Child]]:
    """Return how the sound of the page was made; each type of input with sound registers one."""
    return []


@sound_facts.register
def _of_waveforms(input_spec: WaveformInput, config: ReportConfig) -> list[tuple[str, Child]]:
    return [("method", "the waveform as it was drawn"), LEVEL]


@sound_facts.register
def _of_log_mel(front_end: FrontEnd, config: ReportConfig) -> list[tuple[str, Child]]:
    return [
        (
            "method",
            "non-negative magnitudes behind the filterbank, then fast Griffin-Lim, "
            f"{config.griffin_lim_iterations} iterations, seed {config.seed}",
        ),
        ("range", "values above what a full-scale waveform can have are cut; the floor is silence"),
        LEVEL,
    ]


def _hashed(path: object, digest: object) -> Child:
    return [str(path), element("code", f"sha256 {digest}")]


def _commands(files: Sequence[str | Path]) -> list[tuple[str, Child]]:
    """Return the command lines of the run directories that the files are in, if they exist."""
    commands: dict[str, Child] = {}
    for path in map(Path, files):
        try:
            folders = (path.parent, path.parent.parent)  # the second of several units' folders
            runs = (run for folder in folders for run in sorted(folder.glob("run*.json")))
            run = read_json(next(runs))  # of several shards the first
            words = ["ganexplain", *(shlex.quote(str(word)) for word in run["argv"][1:])]
            line = [[element("span", word, class_="word"), " "] for word in words]
            seed = "" if run["seed"] is None else f", seed {run['seed']}"
            made_with = element("code", f"version {run['version']}{seed}")
            commands.setdefault(str(run["stage"]), [*line, made_with])
        except (GanexplainError, KeyError, TypeError, StopIteration):
            continue
    return list(commands.items()) or [("commands", "no run.json beside the inputs")]
