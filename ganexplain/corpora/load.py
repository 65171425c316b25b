"""What stages learn from and search: recordings or pictures, read as what they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganexplain.audio.log_mel import check_filters, check_frame_by_frame
from ganexplain.corpora.picture_folders import (
    ImageCorpus,
    ImageSplit,
    holds_pictures,
    load_image_split,
    read_image_corpora,
)
from ganexplain.corpora.recordings import Corpus, read_corpora
from ganexplain.corpora.splits import Split, load_split
from ganexplain.corpora.waveform_split import WaveformSplit, load_waveform_split
from ganexplain.errors import UsageError
from ganexplain.inputs.kinds import FrontEnd, ImageInput, Input, WaveformInput, drawn_for
from ganexplain.runs.machine import Progress

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


def taken_of(material: Material, given: Input | None) -> Input:
    """What inputs are made of a corpus: as given, else log-mel, or pictures of their own size.

    UsageError where its material cannot be made into that.
    """
    if isinstance(material, ImageCorpus):
        return material.taken(given)
    if isinstance(given, ImageInput):
        raise UsageError(f"{material.name}: holds recordings, but pictures are needed here")
    if isinstance(given, WaveformInput):
        return drawn_for(given)
    front_end = given or FrontEnd()
    check_frame_by_frame(front_end)
    check_filters(front_end)
    return front_end


def load_material(
    material: Material,
    name: str,
    taken: Input,
    cache: Path,
    progress: Progress,
    skip_bad_files: bool = False,
) -> MaterialSplit:
    """One split as inputs of what is `taken`; errors as `load_split` and `load_image_split`."""
    if isinstance(material, ImageCorpus):
        return load_image_split(material, name, material.taken(taken), progress)
    if isinstance(taken, WaveformInput):
        return load_waveform_split(material, name, taken, cache, progress, skip_bad_files)
    assert isinstance(taken, FrontEnd)  # as `taken_of` says
    return load_split(material, name, taken, cache, progress, skip_bad_files)
