"""Opens corpora of recordings or pictures, and loads their splits as inputs of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganexplain.audio.io import load_excerpt, to_pcm
from ganexplain.audio.log_mel import check_filters, check_frame_by_frame
from ganexplain.corpora.jamendo import read_jamendo
from ganexplain.corpora.manifest import read_manifest
from ganexplain.corpora.picture_folders import (
    ImageCorpus,
    ImageSplit,
    contains_pictures,
    load_image_split,
    read_image_corpora,
)
from ganexplain.corpora.recordings import Corpus, build_corpus
from ganexplain.corpora.splits import Split, load_log_mel_split
from ganexplain.corpora.waveform_split import WaveformSplit, load_waveform_split
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs.kinds import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.runs.progress import Progress

AnyCorpus = Corpus | ImageCorpus
LabelledSplit = Split | ImageSplit  # for the training of classifiers
AnySplit = LabelledSplit | WaveformSplit


def open_corpus(paths: Sequence[str], skip_bad_files: bool = False) -> AnyCorpus:
    """Open one or more corpora, of recordings or of pictures, as one corpus.

    Raises UsageError for a mix of both; other errors as `read_corpora`, `read_image_corpora`.
    """
    kinds = {contains_pictures(Path(path)) for path in paths}
    if kinds == {True, False}:
        raise UsageError("recordings and pictures cannot be used as one corpus; give one kind")
    read = read_image_corpora if kinds == {True} else read_corpora
    return read(paths, skip_bad_files)


def input_spec_for(material: AnyCorpus, given: Input | None) -> Input:
    """What inputs are made of a corpus: as given, else log-mel, or pictures of their own size.

    UsageError where its material cannot be made into that.
    """
    if isinstance(material, ImageCorpus):
        return material.input_spec(given)
    if isinstance(given, ImageInput):
        raise UsageError(f"{material.name}: contains recordings, but pictures are needed here")
    if isinstance(given, WaveformInput):
        return given.generator_output
    front_end = given or FrontEnd()
    check_frame_by_frame(front_end)
    check_filters(front_end)
    return front_end


def load_split(
    material: AnyCorpus,
    name: str,
    input_spec: Input,
    cache: Path,
    progress: Progress,
    skip_bad_files: bool = False,
) -> AnySplit:
    """Load one split as inputs of `input_spec`; errors as `load_log_mel_split`, `load_image_split`.

    Several splits are named as in `valid+test`.
    """
    if isinstance(material, ImageCorpus):
        return load_image_split(material, name, material.input_spec(input_spec), progress)
    if isinstance(input_spec, WaveformInput):
        return load_waveform_split(material, name, input_spec, cache, progress, skip_bad_files)
    assert isinstance(input_spec, FrontEnd)  # as `taken_of` says
    return load_log_mel_split(material, name, input_spec, cache, progress, skip_bad_files)


def excerpt_sources(split: AnySplit, centres: np.ndarray) -> dict[str, np.ndarray]:
    """The `file` and `start_s` (N,) of excerpts; files of pictures include the class's folder."""
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


def excerpt_audio(split: AnySplit, centres: np.ndarray) -> np.ndarray | None:
    """The sound (N, samples), int16, of log-mel excerpts; None for other inputs."""
    if isinstance(split, ImageSplit | WaveformSplit):
        return None
    front_end, starts = split.front_end, excerpt_sources(split, centres)["start_s"]
    samples, rate = front_end.excerpt_samples, front_end.sample_rate
    paths = [split.recordings[i].path for i in centres[:, 0]]
    sounds = (load_excerpt(p, at, samples, rate) for p, at in zip(paths, starts, strict=True))
    return np.stack([to_pcm(sound) for sound in sounds])


def read_corpus(path: Path, skip_bad_files: bool = False) -> Corpus:
    """Read a corpus folder (Jamendo layout) or a CSV manifest.

    Raises UsageError if there is none, GanexplainError for a list that contradicts itself, and
    BadFile for a recording or label file that cannot be used; with `skip_bad_files` it is listed
    in `skipped` instead.
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
    return build_corpus(" + ".join(part.name for part in parts), classes, recordings, skipped)
