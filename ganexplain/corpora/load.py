"""What stages learn from and search: recordings or pictures, read as what they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganexplain.audio.io import load_excerpt
from ganexplain.audio.log_mel import check_filters, check_frame_by_frame
from ganexplain.corpora.jamendo import read_jamendo
from ganexplain.corpora.manifest import read_manifest
from ganexplain.corpora.picture_folders import (
    ImageCorpus,
    ImageSplit,
    holds_pictures,
    load_image_split,
    read_image_corpora,
)
from ganexplain.corpora.recordings import Corpus, checked_corpus
from ganexplain.corpora.splits import Split, load_split
from ganexplain.corpora.waveform_split import WaveformSplit, load_waveform_split
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs.kinds import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.runs.progress import Progress

Material = Corpus | ImageCorpus
LabelledSplit = Split | ImageSplit  # what classifiers learn from
MaterialSplit = LabelledSplit | WaveformSplit


def read_material(paths: Sequence[str], skip_bad_files: bool = False) -> Material:
    """Several corpora of recordings, or of pictures, as one; errors as those of either kind."""
    kinds = {holds_pictures(Path(path)) for path in paths}
    if kinds == {True, False}:
        raise UsageError("recordings and pictures cannot be used as one corpus; give one kind")
    read = read_image_corpora if kinds == {True} else read_corpora
    return read(paths, skip_bad_files)


def input_spec_for(material: Material, given: Input | None) -> Input:
    """What inputs are made of a corpus: as given, else log-mel, or pictures of their own size.

    UsageError where its material cannot be made into that.
    """
    if isinstance(material, ImageCorpus):
        return material.input_spec(given)
    if isinstance(given, ImageInput):
        raise UsageError(f"{material.name}: holds recordings, but pictures are needed here")
    if isinstance(given, WaveformInput):
        return given.generator_output
    front_end = given or FrontEnd()
    check_frame_by_frame(front_end)
    check_filters(front_end)
    return front_end


def load_material(
    material: Material,
    name: str,
    input_spec: Input,
    cache: Path,
    progress: Progress,
    skip_bad_files: bool = False,
) -> MaterialSplit:
    """One split as inputs of `input_spec`; errors as `load_split` and `load_image_split`."""
    if isinstance(material, ImageCorpus):
        return load_image_split(material, name, material.input_spec(input_spec), progress)
    if isinstance(input_spec, WaveformInput):
        return load_waveform_split(material, name, input_spec, cache, progress, skip_bad_files)
    assert isinstance(input_spec, FrontEnd)  # as `taken_of` says
    return load_split(material, name, input_spec, cache, progress, skip_bad_files)


def origin(split: MaterialSplit, centres: np.ndarray) -> dict[str, np.ndarray]:
    """Where excerpts come from: `file` and `start_s`; of pictures the class's folder too."""
    paths = [split.recordings[i].path for i in centres[:, 0]]
    if isinstance(split, ImageSplit):
        names = [f"{path.parent.name}/{path.name}" for path in paths]
        return {"file": np.array(names), "start_s": np.zeros(len(paths))}
    names = [path.name for path in paths]
    if isinstance(split, WaveformSplit):
        start = centres[:, 1] / split.front_end.sample_rate
    else:
        first = np.maximum(centres[:, 1] - split.front_end.excerpt_frames // 2, 0)
        start = first * split.front_end.hop_length / split.front_end.sample_rate
    return {"file": np.array(names), "start_s": start}


def heard(split: MaterialSplit, centres: np.ndarray) -> np.ndarray | None:
    """How excerpts of log-mel sound, (N, samples) int16; None for other inputs."""
    if isinstance(split, ImageSplit | WaveformSplit):
        return None
    starts = origin(split, centres)["start_s"]
    paths = [split.recordings[i].path for i in centres[:, 0]]
    sounds = [_audio(p, at, split.front_end) for p, at in zip(paths, starts, strict=True)]
    return np.stack(sounds)


def _audio(path: Path, start: float, front_end: FrontEnd) -> np.ndarray:
    sound = load_excerpt(path, start, front_end.excerpt_samples, front_end.sample_rate)
    return np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)


def read_corpus(path: Path, skip_bad_files: bool = False) -> Corpus:
    """Read a corpus folder (Jamendo layout) or a CSV manifest.

    Raises UsageError where there is none, GanexplainError for a list that does not hold
    together, BadFile for a recording or label file that cannot be used (unless
    `skip_bad_files`, which lists it in `skipped`).
    """
    if path.is_dir():
        return read_jamendo(path, skip_bad_files)
    if path.is_file():
        return read_manifest(path, skip_bad_files)
    raise UsageError(
        f"{path}: no such corpus; name a folder with audio/, labels/ and filelists/, "
        "or a CSV manifest"
    )


def read_corpora(paths: Sequence[str], skip_bad_files: bool = False) -> Corpus:
    """Read several corpora of the same classes as one; errors as `read_corpus`."""
    parts = [read_corpus(Path(path), skip_bad_files) for path in paths]
    classes = parts[0].classes
    for part in parts:
        if part.classes != classes:
            raise GanexplainError(
                f"{part.name}: its classes are {', '.join(part.classes)}, those of "
                f"{parts[0].name} {', '.join(classes)}; use the same names"
            )
    recordings = [recording for part in parts for recording in part.recordings]
    skipped = [message for part in parts for message in part.skipped]
    return checked_corpus(" + ".join(part.name for part in parts), classes, recordings, skipped)
