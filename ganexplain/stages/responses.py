"""`responses`: classifier and recordings -> a `responses.npz` for each unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

import torch

from ganexplain.artifacts.responses import MeasuredUnit
from ganexplain.config import ResponsesConfig
from ganexplain.corpora.load import open_corpus
from ganexplain.files.atomic import write_text
from ganexplain.inputs.specification import input_values
from ganexplain.metrics.sharing import Sharing
from ganexplain.networks.hooks import find_layer, last_hidden_layer
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.unit_syntax import parse_units
from ganexplain.networks.units import Unit
from ganexplain.report.sharing import sharing_summary, sharing_table
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.parts import PARTS_FOLDER, remove_parts
from ganexplain.runs.progress import Progress
from ganexplain.runs.workers import Workers
from ganexplain.selection.real_excerpts import CorpusResponses
from ganexplain.selection.response_parts import load_explained


def responses(
    config: ResponsesConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
) -> list[Path]:
    """Find the excerpts of the training split that drive units most and least.

    Returns the paths of the `responses.npz`: in `out` for one unit, else in `out/LAYER-NEURON`,
    beside `units.csv`, a table of what each unit shares with the outputs and with other units.
    Raises the errors of the corpus, UsageError for an unknown layer or unit, and GanexplainError
    if fewer than two excerpts are found. An `executor` of any kind passes the excerpts through the
    network in place of the workers of the settings; finished parts are kept for `resume`.
    """
    workers = Workers.of(config, executor)
    source, explained = NetworkSource.from_settings(config), load_explained(config)
    units, features = _units_to_measure(config, explained)
    corpus = open_corpus(config.corpus, config.skip_bad_files)
    found = CorpusResponses(config, explained, corpus, explained.front_end)
    folders = [out if len(units) == 1 else out / unit.file_name for unit in units]
    paths = [folder / "responses.npz" for folder in folders]
    table = [out / "units.csv"] if len(units) > 1 else []
    with RunDirectory(out, "responses", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        for name, path in source.files().items():
            run.used(name, path)
        found.note_recordings(run)
        if run.finished and all(path.is_file() for path in (*paths, *table)):
            run.keep_record(progress)
            return paths
        run.note_inputs()
        found.prepare(units, config.top, progress, out / PARTS_FOLDER, workers, out)
        digest, values = source.digest(), input_values(explained.front_end)
        measured = [MeasuredUnit(unit, features, digest, values) for unit in units]
        shared, weak = _write_units(found, dict(zip(paths, measured, strict=True)), progress)
        for path in table:
            write_text(path, sharing_table(shared))
            progress.note(f"{sharing_summary(list(shared.values()))}: {path}")
        remove_parts(out)
        run.results |= {"hardly_responding": weak} if weak else {}
    return paths


def _units_to_measure(
    config: ResponsesConfig, explained: TargetNetwork
) -> tuple[Sequence[Unit], str]:
    """The units, and the layer of the features; UsageError for one that is not there."""
    network = explained.network
    example = torch.zeros(1, *explained.front_end.shape, device=explained.device)
    layers = explained.layers(config.layer)
    units = parse_units(layers, config.neuron, network, example, explained.names)
    features = config.features or last_hidden_layer(network)
    find_layer(network, features, "--features")
    return units, features


def _write_units(
    found: CorpusResponses, measured: Mapping[Path, MeasuredUnit], progress: Progress
) -> tuple[dict[Unit, Sharing], dict[str, str]]:
    """Write the files of units; what each shares with the outputs, and why some hardly respond."""
    shared: dict[Unit, Sharing] = {}
    weak: dict[str, str] = {}
    for path, each in measured.items():
        real = found.for_unit(each)
        if real.meta.sharing:
            shared[each.unit] = real.meta.sharing
        if real.meta.variation and (reason := real.meta.variation.weakness):
            progress.note(f"{each.unit}: {reason}")
            weak[str(each.unit)] = reason
        if real.meta.decided and (reason := real.meta.decided.absence(upwards=True)):
            progress.note(f"{each.unit}: {reason}")
        real.write(path)
    return shared, weak
