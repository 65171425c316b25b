"""`attribute`: recordings or pictures and a network -> explanations of its decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import torch

from ganexplain.artifacts.attributions import Attributions, Configuration
from ganexplain.attribution.fills import FILLS
from ganexplain.attribution.inputs.piece import Piece
from ganexplain.attribution.measures import MEASURES
from ganexplain.attribution.methods.base import Method
from ganexplain.attribution.methods.captum import CAPTUM, captum_names
from ganexplain.attribution.methods.lime import DISTANCES
from ganexplain.attribution.methods.registry import METHODS, method_for
from ganexplain.attribution.partition import partition
from ganexplain.attribution.run import AttributionRun
from ganexplain.attribution.scorer import SCORES
from ganexplain.attribution.story import measures_table, report_page
from ganexplain.attribution.subject import Subject, load_subject
from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.recording_level import warn_of_level
from ganexplain.config import AttributeConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import input_spec_for, load_split, open_corpus
from ganexplain.errors import UsageError, check_known
from ganexplain.explainers.loading import explainers_for
from ganexplain.files.atomic import JsonObject, write_json, write_text
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.decisions import AUTO, OUTPUTS
from ganexplain.networks.hooks import find_layer
from ganexplain.networks.target import NetworkSource
from ganexplain.report.tables import aligned
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import Progress


@dataclass(frozen=True)
class AttributeResult:
    """The attributions, the path of their page, and the table of mean measures, titles first."""

    found: Attributions
    report: Path
    table: Sequence[Sequence[str]]

    def to_json(self) -> JsonObject:
        """The document of `--json`."""
        lines = aligned(self.table, left=1).splitlines()
        return {**asdict(self.found), "report": str(self.report), "table": lines}


def attribute(
    config: AttributeConfig, out: Path, progress: Progress, overwrite: bool = False
) -> AttributeResult:
    """Explain each input with each configuration.

    Writes `attributions.json`, `report.html` and the files of `write_attribution` for each
    attribution, in folders of input and configuration if there are several. Raises UsageError for
    an impossible setting, BadFile for an input that cannot be used.
    """
    _check(config)
    source = NetworkSource.from_settings(config)
    subject, pieces = load_subject(config, pick_device(config.device), progress)
    configurations = _configurations(config, subject.front_end)
    target = subject.target(config.target)
    explainers, warnings = explainers_for(config, subject, source)
    methods = {name: method_for(name, config, explainers) for name in config.method}
    _check_first_input(config, subject, pieces[0], configurations, methods)
    with RunDirectory(out, "attribute", config, overwrite) as run:
        progress = run.keep_notes(progress)
        for name, path in source.files().items():
            run.used(name, path)
        for path in dict.fromkeys(piece.path for piece in pieces):
            run.used(str(path), path)
            if isinstance(subject.front_end, FrontEnd) and source.classifier:
                sound = load_mono(path, subject.front_end.sample_rate)
                warn_of_level(path, log_mel(sound, subject.front_end), subject.network)
        subject = _with_least(subject, config, progress)
        for name in config.explainer:
            run.used(f"explainer {name}", Path(name))
        for warning in warnings:
            progress.note(warning)
        attribution_run = AttributionRun(config, subject, target, methods, out, progress)
        progress.start("attributions", len(pieces) * len(configurations))
        entries, views = [], []
        for piece in pieces:
            folder = out if len(pieces) == 1 else out / piece.name
            entry, view = attribution_run.explain(piece, configurations, folder)
            entries.append(entry)
            views.append(view)
        attribution_run.note_repeated_warnings()
        found = Attributions(
            classifier=source.name,
            classifier_hash=source.digest(),
            score=config.score,
            seed=config.seed,
            configurations=tuple(configurations),
            inputs=tuple(entries),
        )
        keys, rows = measures_table(found)
        write_json(out / "attributions.json", found.to_json())
        page = report_page(found, views, rows, keys, subject.front_end)
        write_text(out / "report.html", page)
        run.results["attributions"] = len(pieces) * len(configurations)
    table = [["", *(MEASURES[key].title for key in keys)], *rows]
    return AttributeResult(found, out / "report.html", table)


def _check(config: AttributeConfig) -> None:
    for name in config.method:
        if name.startswith(CAPTUM):
            check_known("--method captum:", name.removeprefix(CAPTUM), captum_names())
        else:
            check_known("--method", name, (*METHODS, "captum:NAME"))
    for name in config.fill:
        check_known("--fill", name, FILLS)
    check_known("--score", config.score, SCORES)
    check_known("--distance", config.distance, DISTANCES)
    if check_known("--outputs", config.outputs, (AUTO, *OUTPUTS)) != AUTO and not config.model:
        raise UsageError("--outputs: goes with --model; the outputs of a classifier.pt are logits")
    if not (config.method and config.fill):
        raise UsageError("give at least one --method and --fill")
    if "data-min" in config.fill and not config.corpus:
        raise UsageError("--fill data-min: name the data with --corpus")


def _check_first_input(
    config: AttributeConfig,
    subject: Subject,
    piece: Piece,
    configurations: list[Configuration],
    methods: Mapping[str, Method],
) -> None:
    """Raise errors of all configurations on the first input, before any long computation."""
    if config.cam_layer:
        find_layer(subject.network, config.cam_layer, "--cam-layer")
    for method in methods.values():
        method.check(subject.network, subject.example[:1])
    if config.truth:
        piece.truth(config.truth)
    known = [name for name in config.fill if name != "data-min"]  # its data are not read yet
    tries = {(each.segments, (known or ["mean"])[0]) for each in configurations}
    tries |= {(configurations[0].segments, name) for name in known}
    for segments, name in sorted(tries):
        partition(segments, name, piece, subject.reference, subject.device, config.seed)


def _configurations(config: AttributeConfig, input_spec: Input) -> list[Configuration]:
    segments = config.segments or (input_spec.segments,)
    combinations = product(config.method, segments, config.fill)
    return [Configuration(*each) for each in dict.fromkeys(combinations)]


def _with_least(subject: Subject, config: AttributeConfig, progress: Progress) -> Subject:
    """The subject with the least standardised value of its data, if a fill needs it."""
    if "data-min" not in config.fill:
        return subject
    material = open_corpus(config.corpus)
    input_spec = input_spec_for(material, subject.front_end)
    split = load_split(material, "train", input_spec, cache_directory(""), progress)
    values = (torch.as_tensor(each, device=subject.device) for each in split.whole_files())
    lowest = min(float(subject.reference.standardised(x).min()) for x in values)
    return replace(subject, reference=replace(subject.reference, lowest=lowest))
