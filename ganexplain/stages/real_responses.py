"""The real excerpts that drive a unit most and least: found in a corpus, or given as a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ganexplain.ascent.neurons import (
    Response,
    layer_response,
    neuron_response,
    responses_and_features,
)
from ganexplain.ascent.readings import Neuron, file_name
from ganexplain.ascent.responses import excerpt_responses, strongest
from ganexplain.config import FrontEnd
from ganexplain.data.audio import load_excerpt
from ganexplain.data.cache import cache_directory
from ganexplain.data.image_corpus import ImageSplit
from ganexplain.data.material import Material, MaterialSplit, load_material, taken_of
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs import Input
from ganexplain.models.explained import Explained
from ganexplain.models.foreign import device_of
from ganexplain.runtime import Progress
from ganexplain.stages.contracts import SAME_UNIT

RealResponses = tuple[dict[str, np.ndarray], dict[str, Any]]  # arrays and meta of responses.npz


class Sought(Protocol):
    """Settings of the search for real excerpts, those of `responses` and of `select`."""

    @property
    def corpus(self) -> tuple[str, ...]:
        """Corpora whose training splits are searched."""

    @property
    def top(self) -> int:
        """Excerpts to find; 0: as many as there are examples."""

    @property
    def hop_frames(self) -> int:
        """Frames from one excerpt tried to the next."""

    @property
    def overlapping(self) -> bool:
        """Whether every frame is tried and overlaps are kept."""

    @property
    def cache(self) -> str:
        """Feature cache."""

    @property
    def skip_bad_files(self) -> bool:
        """Whether files that cannot be used are left out."""


def given_path(path: Path, meta: Mapping[str, Any]) -> Path:
    """The `responses.npz` of a unit: the file named, or that for the unit in the folder named."""
    if not path.is_dir():
        return path
    unit = f"{file_name(meta['layer'])}-{file_name(meta['neuron'])}"
    folders = (path / f"{unit}-{meta['direction']}", path / unit, path)
    return next((f for f in folders if f.is_dir()), path) / "responses.npz"


class FoundResponses:
    """Real responses found in a corpus, by one pass of the classifier for each layer."""

    def __init__(
        self, config: Sought, explained: Explained, corpus: Material, front_end: Input
    ) -> None:
        self.config, self.explained, self.corpus = config, explained, corpus
        self.front_end = taken_of(corpus, front_end)
        hop = 1 if config.overlapping else config.hop_frames
        if hop < 1:
            raise UsageError(f"--hop-frames {hop}: must be at least 1")
        self.hop = hop
        self.last: tuple[tuple[str, Neuron], dict[str, np.ndarray]] = ("", -1), {}

    def prepare(self, neurons: Iterable[tuple[str, Neuron]], progress: Progress) -> None:
        """Read the training split and compute the responses (M, U) of the layers of units.

        Those of a place, a difference or a direction come when they are asked for.
        """
        for message in self.corpus.skipped:
            progress.note(f"skipped: {message}")
        config, self.progress = self.config, progress
        cache, skip = cache_directory(config.cache), config.skip_bad_files
        self.split = load_material(self.corpus, "train", self.front_end, cache, progress, skip)
        self.centres = self.split.whole_excerpts(self.hop)
        self.responses: dict[tuple[str, Neuron | None], np.ndarray] = {}
        for layer in dict.fromkeys(layer for layer, neuron in neurons if isinstance(neuron, int)):
            with layer_response(self.explained.network, layer) as respond:
                self.responses[layer, None] = self._responses(layer, respond)

    def _responses(self, layer: str, respond: Response) -> np.ndarray:
        self.progress.start(f"responses of real excerpts, {layer}", len(self.centres))
        device, advance = self.explained.device, self.progress.advance
        return excerpt_responses(self.split, self.centres, respond, device, advance)

    def _of_neuron(self, layer: str, neuron: Neuron) -> np.ndarray:
        """Responses (M,) of one: of a unit from those of its layer, else by a pass of its own."""
        if isinstance(neuron, int):
            return self.responses[layer, None][:, neuron]
        if (layer, neuron) not in self.responses:
            with neuron_response(self.explained.network, layer, neuron) as respond:
                self.responses[layer, neuron] = self._responses(f"{layer}:{neuron}", respond)
        return self.responses[layer, neuron]

    def of(self, meta: Mapping[str, Any]) -> RealResponses:
        """Those of the unit that `meta` names; GanexplainError where there are fewer than two."""
        config, unit = self.config, (meta["layer"], meta["neuron"])
        if self.last[0] != unit:  # both directions of a unit come one after the other
            self.last = unit, self._strongest(meta)
        return self.last[1], {
            **{key: meta[key] for key in SAME_UNIT},
            "corpus": list(config.corpus),
            "hop_frames": config.hop_frames,
            "overlapping": config.overlapping,
        }

    def _strongest(self, meta: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Arrays of `responses.npz`: the N excerpts of highest response, and those of lowest."""
        config, network = self.config, self.explained.network
        response = self._of_neuron(meta["layer"], meta["neuron"])
        count = config.top or meta["examples"]
        front_end = self.split.front_end
        length = front_end.excerpt_frames if isinstance(front_end, FrontEnd) else 1
        apart = 0 if config.overlapping else length
        arrays: dict[str, np.ndarray] = {}
        for prefix, direction in (("", "max"), ("bottom_", "min")):
            rows = strongest(response, self.centres, count, apart, direction)
            if len(rows) < count:
                self.progress.note(
                    f"only {len(rows)} excerpts that do not overlap, {count} were asked for"
                )
            if len(rows) < 2:
                raise GanexplainError(
                    f"{' + '.join(config.corpus)}: fewer than two excerpts to compare with"
                )
            described = _described(self.split, self.centres[rows], network, meta)
            arrays.update({prefix + key: value for key, value in described.items()})
        return arrays


def _described(
    split: MaterialSplit,
    centres: np.ndarray,
    network: torch.nn.Module,
    meta: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    device = device_of(network)
    mel = split.gather(centres)
    response, features = responses_and_features(
        network,
        meta["layer"],
        meta["neuron"],
        meta["features_layer"],
        torch.from_numpy(mel).to(device),
    )
    described = {
        "mel": mel,
        "response": response.cpu().numpy(),
        "features": features.cpu().numpy(),
    }
    return described | _origin(split, centres)


def _origin(split: MaterialSplit, centres: np.ndarray) -> dict[str, np.ndarray]:
    """Where excerpts come from, and of sound how they sound; of pictures the class's folder too."""
    paths = [split.recordings[i].path for i in centres[:, 0]]
    if isinstance(split, ImageSplit):
        names = [f"{path.parent.name}/{path.name}" for path in paths]
        return {"file": np.array(names), "start_s": np.zeros(len(paths))}
    front_end = split.front_end
    first = np.maximum(centres[:, 1] - front_end.excerpt_frames // 2, 0)
    start = first * front_end.hop_length / front_end.sample_rate
    return {
        "file": np.array([path.name for path in paths]),
        "start_s": start,
        "audio": np.stack(
            [_audio(path, at, front_end) for path, at in zip(paths, start, strict=True)]
        ),
    }


def _audio(path: Path, start: float, front_end: FrontEnd) -> np.ndarray:
    sound = load_excerpt(path, start, front_end.excerpt_samples, front_end.sample_rate)
    return np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)
