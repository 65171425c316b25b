"""`README.md` beside a trained network: what it is, of what it was made, and how good it is.

Its form is that of the Hugging Face hub, where the folder of a run can be put as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from ganexplain.config import TrainClassifierConfig, TrainExplainerConfig, TrainGanConfig
from ganexplain.config.setting import command_text
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.files.atomic import write_text
from ganexplain.inputs.base import Input
from ganexplain.version import __version__

CARD = "README.md"
FURTHER = 1000  # steps between two places whose times are compared
FRAME = """\
---
library_name: ganexplain
license: unknown
tags: [{medium}, {kind}, explainability]
---

# {file}

{content} Input: {input}.

Use it with ganexplain, `--{kind} {file}`, or from the Hugging Face hub, `--{kind} hf://OWNER/NAME`.

## Training

```sh
{command}
```

ganexplain {version}, seed {seed}. `config.toml` has all settings, `run.json` the hashes of files.

## Data

{corpora}

{data}

## Measures

{measures}

## Licence

**To be filled in before publication**, here and in the first lines of this file: the licence of the
weights, and the authors and licences of the recordings or pictures above.
"""

Figures = Mapping[str, float | Mapping[str, float]]


@dataclass(frozen=True)
class ModelCard:
    """What a training writes beside its network, `path`, whose stem is the kind of network.

    `content` is a sentence on the network, `splits` those that it was made of by their names,
    `figures` are numbers by name, or by split and name.
    """

    path: Path
    content: str
    config: TrainClassifierConfig | TrainGanConfig | TrainExplainerConfig
    splits: Mapping[str, AnySplit]
    figures: Figures

    def write(self) -> None:
        """Write the card."""
        write_text(self.path.parent / CARD, self.text())

    def text(self) -> str:
        """The card as Markdown."""
        kind, spec = self.path.stem, self.splits["train"].front_end
        files = {name: len(split.recordings) for name, split in self.splits.items()}
        data = [[name, str(count)] for name, count in files.items()]
        if spec.seconds:
            hours = [f"{seconds_of(split) / 3600:.2f}" for split in self.splits.values()]
            data = [[*row, each] for row, each in zip(data, hours, strict=True)]
        return FRAME.format(
            medium="audio" if spec.seconds else "image",
            kind=kind,
            file=self.path.name,
            content=self.content,
            input=_input_text(spec),
            command=command_text(f"train-{kind}", self.config),
            version=__version__,
            seed=self.config.seed,
            corpora="\n".join(f"- `{name}`" for name in self.config.corpus),
            data=_table(["split", "files", "hours"][: len(data[0])], data),
            measures=_table(["measure", "value"], [*_numbers(self.figures)]),
        )


def seconds_of(split: AnySplit) -> float:
    """The length of the recordings of a split; 0 for pictures."""
    spec, files = split.front_end, split.whole_files()
    places = np.array([[0, spec.length], [0, spec.length + FURTHER]])
    first, second = split.excerpt_sources(places)["start_s"]
    steps = sum(each.size for each in files) * spec.length / prod(spec.shape)
    return float(second - first) / FURTHER * steps


def _input_text(spec: Input) -> str:
    axes = zip(spec.axes, spec.shape, strict=True)
    shape = " x ".join(f"{spec.axis_words.get(axis, axis)} {size}" for axis, size in axes)
    return f"{spec.kind}, {shape}" + (f", {spec.seconds:.2f} s" if spec.seconds else "")


def _numbers(figures: Figures, place: str = "") -> Iterator[list[str]]:
    """Rows of numbers with their names, behind that of their split if there is one."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{place}{name}: ")
        else:
            yield [f"{place}{name}".replace("_", " "), f"{value:.4g}"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
