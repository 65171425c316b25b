"""What can be predicted with the examples of runs of `explain`, over all units of a layer?

The test of `validate` without a selection: of each unit the setting `--setting`, the real excerpts
of the training splits, and for the first units the same search for shuffled weights. The excerpts
to predict are those of the test splits.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ganexplain.artifacts.explanations import Explanations, read_explanations
from ganexplain.artifacts.merging import explanation_files
from ganexplain.artifacts.prediction import Prediction
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.config import ResponsesConfig, SelectConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.interfaces import AnyCorpus
from ganexplain.corpora.load import load_split, open_corpus
from ganexplain.files.atomic import write_json
from ganexplain.networks.units import Unit
from ganexplain.report.prediction import prediction_text
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import Progress, stderr_progress
from ganexplain.selection.controls import Controls, load_networks
from ganexplain.selection.encoders import Encoder, load_encoders
from ganexplain.selection.example_sets import Direction, example_sets
from ganexplain.selection.prediction import PredictionTest, Probes, TestedUnit
from ganexplain.selection.real_excerpts import CorpusResponses


@dataclass(frozen=True)
class Bench:
    """What all units share."""

    options: argparse.Namespace
    networks: SearchNetworks
    corpus: AnyCorpus
    encoders: Sequence[Encoder]
    progress: Progress

    def real(self, files: Sequence[Path]) -> CorpusResponses:
        """The real excerpts of the training splits."""
        options = self.options
        hop = 2 * options.hop_frames
        config = ResponsesConfig(corpus=tuple(options.corpus), hop_frames=hop, top=options.top)
        explained = self.networks.explained
        found = CorpusResponses(config, explained, self.corpus, explained.front_end)
        units = [read_explanations(path).meta.unit for path in files]
        with TemporaryDirectory() as parts:
            found.prepare(units, options.top, self.progress, Path(parts))
        return found

    def tested(self, files: Sequence[Path], found: CorpusResponses, control: bool) -> TestedUnit:
        """One unit with its sets; `control`: those of shuffled weights, too."""
        directions = {}
        for path in files:
            explanations = read_explanations(path)
            real = found.for_unit(explanations.meta.measured).arrays
            directions[explanations.meta.direction] = Direction(
                explanations,
                explanations.arrays["mel"][self.options.setting],
                real,
                self.reinitialised(explanations, real) if control else None,
            )
        sets = example_sets(directions)
        meta = explanations.meta
        encoded = {
            each.name: {name: one.encoded(each) for name, one in sets.items()}
            for each in self.encoders
        }
        return TestedUnit(meta.unit, meta.class_name, dict.fromkeys(directions, ""), encoded)

    def reinitialised(
        self, explanations: Explanations, real: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Examples of the same search for shuffled weights."""
        controls = Controls(explanations, real, self.networks)
        options = self.options
        return controls.reinitialised(options.setting, options.seed, self.progress).mel


def main() -> None:
    """Test all units of the runs, and print the means of their layers."""
    options = _options()
    files = [path for run in options.runs for path in explanation_files(Path(run))]
    first, device = read_explanations(files[0]), pick_device("cpu")
    given = SelectConfig(explanations=str(files[0]), classifier=options.classifier, gan=options.gan)
    with stderr_progress(False) as progress:
        bench = Bench(
            options,
            load_networks(given, first, device),
            open_corpus(options.corpus),
            load_encoders(options.encoder, (first.path, first.front_end), device),
            progress,
        )
        units: dict[Unit, list[Path]] = {}
        for path in files:
            units.setdefault(read_explanations(path).meta.unit, []).append(path)
        found = bench.real(files)
        tested = [
            bench.tested(each, found, number < options.reinitialised)
            for number, each in enumerate(units.values())
        ]
        split = load_split(
            bench.corpus, "test", first.front_end.generator_output, cache_directory(""), progress
        )
        probes = Probes.measure(
            split, options.hop_frames, bench.networks.explained, list(units), bench.encoders,
            progress,
        )  # fmt: skip
        test = PredictionTest(probes, tested, options.seed)
        predictions = test.run(progress)
    result = Prediction(
        corpus=tuple(options.corpus), split="test", excerpts=len(probes.recording),
        recordings=test.recordings,
        encoders={e.name: e.source.name if e.source else "" for e in bench.encoders},
        notes=(), units=tuple(predictions), layers=test.layers(),
    )  # fmt: skip
    print(prediction_text(result))
    print(json.dumps(_ranges(result)))
    if options.out:
        write_json(Path(options.out), result.to_json())


def _ranges(result: Prediction) -> dict[str, list[float]]:
    """The lowest, the median and the highest share over the units, of the generated examples."""
    found: dict[str, list[float]] = {}
    for unit in result.units:
        for encoder, sets in unit.shares.items():
            for name, share in sets["generated"].items():
                found.setdefault(f"{encoder} {name}", []).append(share.share)
    return {
        key: [round(float(q), 3) for q in np.quantile(values, (0, 0.5, 1))]
        for key, values in found.items()
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", help="run directories of explain")
    parser.add_argument("--corpus", action="append", required=True)
    parser.add_argument("--encoder", action="append", required=True)
    parser.add_argument("--classifier", default="", help="where it is now")
    parser.add_argument("--gan", default="", help="where it is now")
    parser.add_argument("--setting", type=int, default=0)
    parser.add_argument("--hop-frames", type=int, default=70)
    parser.add_argument("--top", type=int, default=24, help="real excerpts of each direction")
    parser.add_argument("--reinitialised", type=int, default=0, help="units with this control")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="", help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
