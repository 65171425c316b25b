"""`attribute`: recordings or pictures and a network -> explanations of its decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import torch

from ganexplain.artifacts.attributions import AttributedInput, Attributions, Configuration
from ganexplain.attribution.fills import FILLS
from ganexplain.attribution.inputs.piece import Piece
from ganexplain.attribution.inputs.reading import read_pieces
from ganexplain.attribution.measures import MEASURES
from ganexplain.attribution.methods.base import Method
from ganexplain.attribution.methods.captum import CAPTUM, captum_names
from ganexplain.attribution.methods.lime import DISTANCES
from ganexplain.attribution.methods.registry import METHODS, method_for
from ganexplain.attribution.partition import partition
from ganexplain.attribution.run import AttributedPiece, AttributionRun, note_warnings
from ganexplain.attribution.scorer import SCORES
from ganexplain.attribution.story import measures_table, report_page
from ganexplain.attribution.subject import Subject, load_subject
from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.recording_level import warn_of_level
from ganexplain.config import AttributeConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import input_spec_for, load_split, open_corpus
from ganexplain.corpora.picture_folders import Picture
from ganexplain.errors import UsageError, check_known
from ganexplain.explainers.loading import explainers_for
from ganexplain.files.atomic import JsonObject, write_json, write_text
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.decisions import AUTO, OUTPUTS
from ganexplain.networks.hooks import find_layer
from ganexplain.networks.source import NetworkSource
from ganexplain.report.tables import aligned
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.machine import pick_device
from ganexplain.runs.part_results import NumberedPart, PartedRun, PartWork
from ganexplain.runs.parts import remove_parts
from ganexplain.runs.progress import NullProgress, Progress
from ganexplain.runs.workers import Workers

WORTH_PROCESSES = 20_000  # passes of the network from which several processes are faster


@dataclass(frozen=True)
class AttributeResult:
    """The attributions, the path of their page, and the table of mean measures, titles first."""

    found: Attributions
    report: Path
    table: Sequence[Sequence[str]]

    @classmethod
    def of(cls, found: Attributions, report: Path) -> AttributeResult:
        """The result with the table of mean measures."""
        keys, rows = measures_table(found)
        return cls(found, report, [["", *(MEASURES[key].title for key in keys)], *rows])

    def to_json(self) -> JsonObject:
        """The document of `--json`."""
        lines = aligned(self.table, left=1).splitlines()
        return {**asdict(self.found), "report": str(self.report), "table": lines}


def attribute(
    config: AttributeConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
) -> AttributeResult:
    """Explain each input with each configuration.

    Writes `attributions.json`, `report.html` and the files of `write_attribution` for each
    attribution, in folders of input and configuration if there are several. Raises UsageError for
    an impossible setting, BadFile for an input that cannot be used. An `executor` of any kind
    explains in place of the workers of the settings; inputs that are done are kept for `resume`.
    """
    _check(config)
    workers = Workers.of(config, executor)
    source = NetworkSource.from_settings(config)
    subject, pieces = load_subject(config, pick_device(config.device), progress)
    configurations = _configurations(config, subject.front_end)
    explainers, warnings = explainers_for(config, subject, source)
    methods = {name: method_for(name, config, explainers) for name in config.method}
    target = subject.target(config.target)
    _check_first_input(config, subject, pieces[0], configurations, methods)
    with RunDirectory(out, "attribute", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        _note_inputs(run, source, subject, pieces)
        if run.finished and (earlier := _recorded(out)):
            run.keep_record(progress)
            return earlier
        run.note_inputs()
        for warning in warnings:
            progress.note(warning)
        lowest = _lowest(subject, config, progress)
        attribution_run = AttributionRun(config, with_lowest(subject, lowest), target, methods, out)
        done = _attributed(attribution_run, pieces, lowest, workers, progress)
        found = Attributions(
            source.name, source.digest(), config.score, config.seed, tuple(configurations),
            tuple(piece.entry for piece in done),
        )  # fmt: skip
        note_warnings(found, [piece.name for piece in pieces], progress)
        _write(found, done, subject.front_end, out)
        remove_parts(out)
        run.results["attributions"] = len(pieces) * len(configurations)
    return AttributeResult.of(found, out / "report.html")


def _write(found: Attributions, done: Sequence[AttributedPiece], spec: Input, out: Path) -> None:
    """Write the document and the page of a run."""
    write_json(out / "attributions.json", found.to_json())
    sections, (keys, rows) = [piece.section for piece in done], measures_table(found)
    write_text(out / "report.html", report_page(found, sections, rows, keys, spec))


def _note_inputs(
    run: RunDirectory, source: NetworkSource, subject: Subject, pieces: Sequence[Piece]
) -> None:
    """Record the files of a run, and warn of recordings of an unusual level."""
    for name, path in source.files().items():
        run.used(name, path)
    paths = tuple(dict.fromkeys(piece.path for piece in pieces))
    run.used_recordings("input", [Picture(path, "", -1) for path in paths])
    for path in paths:
        run.used(str(path), path)
        if isinstance(subject.front_end, FrontEnd) and source.classifier:
            sound = load_mono(path, subject.front_end.sample_rate)
            warn_of_level(path, log_mel(sound, subject.front_end), subject.network)
    for name in run.config.explainer:
        run.used(f"explainer {name}", Path(name))


def _recorded(out: Path) -> AttributeResult | None:
    """What a finished run has written; None if one of its files is not there."""
    path, report = out / "attributions.json", out / "report.html"
    if not (path.is_file() and report.is_file()):
        return None
    found = Attributions.read(path)
    complete = all(path.is_file() for each in found.inputs for path in _files(each, out))
    return AttributeResult.of(found, report) if complete else None


def _files(entry: AttributedInput, out: Path) -> Iterable[Path]:
    """The files of the attributions of an input."""
    return (out / each.folder / "attribution.npz" for each in entry.results)


@dataclass(frozen=True)
class PiecePart(NumberedPart):
    """An input: the text that names it, and its number among the inputs of that text.

    `name` is that of the input, `folder` that of its results in the run directory, empty for the
    directory itself; `units` is the number of attributions.
    """

    text: str
    index: int
    name: str
    folder: str

    @classmethod
    def all_of(cls, pieces: Sequence[Piece], units: int) -> list[PiecePart]:
        """The parts of all inputs."""
        found, earlier, single = [], Counter[str](), len(pieces) == 1
        for number, piece in enumerate(pieces):
            index, folder = earlier[piece.text], "" if single else piece.name
            found.append(cls(number, units, piece.text, index, piece.name, folder))
            earlier[piece.text] += 1
        return found


class PieceAttribution:
    """Explains inputs of a run in any process, of which `pieces` are read already."""

    def __init__(self, run: AttributionRun, pieces: Sequence[Piece] = ()) -> None:
        self.run, self.pieces = run, pieces
        self.configurations = _configurations(run.config, run.subject.front_end)
        self.last: tuple[str, Sequence[Piece]] = "", ()

    @classmethod
    def open(
        cls,
        config: AttributeConfig,
        out: Path,
        lowest: float | None,
    ) -> PieceAttribution:
        """What a worker opens, by the settings and the least value of the data."""
        subject, _ = load_subject(config, pick_device(config.device), NullProgress())
        explainers, _ = explainers_for(config, subject, NetworkSource.from_settings(config))
        methods = {name: method_for(name, config, explainers) for name in config.method}
        subject, target = with_lowest(subject, lowest), subject.target(config.target)
        return cls(AttributionRun(config, subject, target, methods, out))

    def __call__(self, part: PiecePart, progress: Progress) -> AttributedPiece:
        """Explain an input, and write its files."""
        place = self.run.out / part.folder
        return self.run.explain(self._piece(part), part.name, self.configurations, place, progress)

    def _piece(self, part: PiecePart) -> Piece:
        if self.pieces:
            return self.pieces[part.number]
        if self.last[0] != part.text:
            self.last = part.text, read_pieces(self.run.subject.front_end, (part.text,))
        return self.last[1][part.index]


def _attributed(
    run: AttributionRun,
    pieces: Sequence[Piece],
    lowest: float | None,
    workers: Workers,
    progress: Progress,
) -> list[AttributedPiece]:
    """Explain all inputs; those that an earlier run has explained are not explained again."""
    opened, subject = PieceAttribution(run, pieces), run.subject
    passes = run.announce(pieces[0], opened.configurations, progress)
    parts = PiecePart.all_of(pieces, len(opened.configurations))
    # A folder may change before a worker reads it.
    config = replace(run.config, inputs=(parts[0].text,), outputs=subject.outputs)
    work = PartWork(
        AttributedPiece, PieceAttribution.open, (config, run.out, lowest), opened,
        files=lambda part, found: _files(found.entry, run.out),
    )  # fmt: skip
    worth_it = subject.device.type == "cpu" and passes * len(parts) >= WORTH_PROCESSES
    return PartedRun(run.out, workers, progress, "attributions", worth_it).results(parts, work)


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


def _lowest(subject: Subject, config: AttributeConfig, progress: Progress) -> float | None:
    """The least standardised value of the subject's data, if a fill needs it."""
    if "data-min" not in config.fill:
        return None
    material = open_corpus(config.corpus)
    input_spec = input_spec_for(material, subject.front_end)
    split = load_split(material, "train", input_spec, cache_directory(""), progress)
    values = (torch.as_tensor(each, device=subject.device) for each in split.whole_files())
    return min(float(subject.reference.standardised(x).min()) for x in values)


def with_lowest(subject: Subject, lowest: float | None) -> Subject:
    """The subject with the least standardised value of its data."""
    return replace(subject, reference=replace(subject.reference, lowest=lowest))
