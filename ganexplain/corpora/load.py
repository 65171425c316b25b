"""Opens corpora of recordings or pictures, and loads their splits as inputs of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

from ganexplain.audio.filterbank import check_filters
from ganexplain.audio.formats.file_types import SOUND_FILES
from ganexplain.audio.log_mel import check_audible
from ganexplain.corpora.interfaces import AnyCorpus, AnySplit
from ganexplain.corpora.jamendo import read_jamendo
from ganexplain.corpora.manifest import read_manifest
from ganexplain.corpora.picture_folders import (
    ImageCorpus,
    contains_pictures,
    load_image_split,
    read_image_corpora,
)
from ganexplain.corpora.plain_folders import (
    contains_recordings,
    is_jamendo,
    is_sound_file,
    read_plain_folder,
)
from ganexplain.corpora.recordings import Corpus, build_corpus
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.corpora.waveform_split import load_waveform_split
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.runs.progress import Progress


def open_corpus(paths: Sequence[str], skip_bad_files: bool = False) -> AnyCorpus:
    """Open one or more corpora, of recordings or of pictures, as one corpus.

    Raises UsageError for a mix of both; other errors as `read_corpora`, `read_image_corpora`.
    """
    folders = list(map(Path, paths))
    kinds = {contains_pictures(path) and not contains_recordings(path) for path in folders}
    if kinds == {True, False}:
        raise UsageError("recordings and pictures cannot be used as one corpus; give one kind")
    read = read_image_corpora if kinds == {True} else read_corpora
    return read(paths, skip_bad_files)


def input_spec_for(material: AnyCorpus, given: Input | None) -> Input:
    """What inputs are made of a corpus: as given, else log-mel, or pictures of their own size.

    UsageError where its material cannot be made into that.
    """
    input_spec = material.default_input() if given is None else given
    _check_medium(material, input_spec)
    check_audible(input_spec)
    check_filters(input_spec)
    return input_spec.generator_output


def _check_medium(material: AnyCorpus, input_spec: Input) -> None:
    """UsageError for pictures where sound is needed, or sound where pictures are."""
    if material.has_sound != bool(input_spec.sound_rate):
        there, needed = "pictures", "recordings"
        if material.has_sound:
            there, needed = needed, there
        raise UsageError(f"{material.name}: contains {there}, but {needed} are needed here")


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
    _check_medium(material, input_spec)
    return read_split(input_spec, material, name, cache, progress, skip_bad_files)


@singledispatch
def read_split(
    input_spec: Input,
    material: Any,
    name: str,
    cache: Path,
    progress: Progress,
    skip_bad_files: bool,
) -> AnySplit:
    """A split as inputs of one kind; each kind that is made of files has a function here."""
    raise UsageError(f"{material.name}: no {input_spec.plural} are made of corpora")


@read_split.register
def _log_mel(
    input_spec: FrontEnd,
    material: Corpus,
    name: str,
    cache: Path,
    progress: Progress,
    skip_bad_files: bool,
) -> AnySplit:
    return load_log_mel_split(material, name, input_spec, cache, progress, skip_bad_files)


@read_split.register
def _waveforms(
    input_spec: WaveformInput,
    material: Corpus,
    name: str,
    cache: Path,
    progress: Progress,
    skip_bad_files: bool,
) -> AnySplit:
    return load_waveform_split(material, name, input_spec, cache, progress, skip_bad_files)


@read_split.register
def _pictures(
    input_spec: ImageInput,
    material: ImageCorpus,
    name: str,
    cache: Path,
    progress: Progress,
    skip_bad_files: bool,
) -> AnySplit:
    return load_image_split(material, name, input_spec, progress)


def read_corpus(path: Path, skip_bad_files: bool = False) -> Corpus:
    """Read a corpus folder (Jamendo layout), a CSV manifest or any folder of recordings.

    Raises UsageError if there is none, GanexplainError for a list that contradicts itself, and
    BadFile for a recording or label file that cannot be used; with `skip_bad_files` it is listed
    in `skipped` instead.
    """
    if path.is_dir():
        if is_jamendo(path):
            return read_jamendo(path, skip_bad_files)
        if contains_recordings(path):
            return read_plain_folder(path, skip_bad_files)
        raise UsageError(
            f"{path}: no recordings ({', '.join(SOUND_FILES)}) in it or its subfolders; name a "
            "folder of recordings"
        )
    if path.is_file() and is_sound_file(path):
        raise UsageError(f"{path}: a single recording; name a folder of several")
    if path.is_file():
        return read_manifest(path, skip_bad_files)
    raise UsageError(
        f"{path}: no such corpus; name a folder with audio/, labels/ and filelists/, "
        "a CSV manifest, or a folder of recordings"
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
