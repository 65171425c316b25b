"""`label-stems`: tracks with a vocal stem -> a CSV manifest with vocal labels."""

from __future__ import annotations

import csv
import io
import logging
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import soundfile as sf

from ganexplain.audio.formats.sound_files import sound_streams
from ganexplain.audio.io import channel_blocks, load_channels, read_duration
from ganexplain.config import LabelStemsConfig
from ganexplain.corpora.jamendo import JAMENDO_CLASSES
from ganexplain.corpora.listed_files import files_below
from ganexplain.corpora.manifest import MANIFEST_COLUMNS
from ganexplain.corpora.spans import active_spans, block_levels
from ganexplain.errors import GanexplainError, SilentFile, UsageError
from ganexplain.files.atomic import remove_unfinished, write_bytes
from ganexplain.runs.machine import random_stream
from ganexplain.runs.progress import Progress

STEM_RATE = 22050
STEMS = ("mixture", "vocals")
LOSSY = {".mp3", ".ogg", ".oga", ".opus"}
SUFFIXES = {f".{name.lower()}" for name in sf.available_formats()} - {".raw"} | {".aif"} | LOSSY
INAUDIBLE_DB = -60.0  # relative to the mixture's maximum: level of noise and leakage in a stem
LENGTH_TOLERANCE = 0.5  # s by which vocals and mixture may differ
LOGGER = logging.getLogger("ganexplain")


@dataclass(frozen=True)
class Track:
    """A track folder: its mixture, its vocals, and `train`, `valid` or `test`."""

    mixture: Path
    vocals: Path
    split: str


def label_stems(config: LabelStemsConfig, progress: Progress, overwrite: bool = False) -> Path:
    """Write STEMS/manifest.csv with `sing` and `nosing` spans of all mixtures; returns its path.

    Raises UsageError if there is no such folder or the manifest exists, GanexplainError if no track
    is found, BadFile for a stem that cannot be read.
    """
    root = Path(config.stems)
    path = root / "manifest.csv"
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder")
    if path.exists() and not overwrite:
        raise UsageError(f"{path}: exists already; add --overwrite to replace it")
    remove_unfinished(root)
    tracks = find_tracks(root, config.valid_share, config.seed)
    rows: list[tuple[str, str, str, str, str]] = []
    progress.start("labelling", len(tracks))
    for track in tracks:
        name = track.mixture.relative_to(root).as_posix()
        for start, end, is_sung in track_spans(track, config):
            label = JAMENDO_CLASSES[is_sung]
            if f"{start:.3f}" != f"{end:.3f}":
                rows.append((name, f"{start:.3f}", f"{end:.3f}", label, track.split))
        progress.advance()
    text = io.StringIO(newline="")
    csv.writer(text).writerows([MANIFEST_COLUMNS, *rows])
    write_bytes(path, text.getvalue().encode())
    return path


def find_tracks(root: Path, valid_share: float, seed: int) -> list[Track]:
    """Tracks below `train/` and `test/`, or, without these, below `root`, all for training.

    A share of the training tracks, drawn by `seed`, becomes the validation split.
    """
    parts = {name: root / name for name in ("train", "test") if (root / name).is_dir()}
    tracks = [
        Track(mixture, vocals, split)
        for split, folder in (parts or {"train": root}).items()
        for mixture, vocals in _stem_pairs(folder)
    ]
    if not tracks:
        raise GanexplainError(f"{root}: no folder below it has both a mixture and vocals file")
    training = [i for i, track in enumerate(tracks) if track.split == "train"]
    held_out = round(valid_share * len(training))
    if valid_share > 0 and len(training) > 1:
        held_out = min(max(held_out, 1), len(training) - 1)
    chosen = set(random_stream(seed, "held-out tracks").permutation(training)[:held_out])
    return [
        Track(track.mixture, track.vocals, "valid") if i in chosen else track
        for i, track in enumerate(tracks)
    ]


def _stem_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """The mixture and the vocals of each folder that has both."""
    found: dict[Path, dict[str, list[Path]]] = {}
    for path in files_below(folder):
        if path.stem.lower() in STEMS and path.suffix.lower() in SUFFIXES:
            stems = found.setdefault(path.parent, {name: [] for name in STEMS})
            stems[path.stem.lower()].append(path)
    return [
        (_chosen(stems["mixture"]), _chosen(stems["vocals"]))
        for stems in found.values()
        if all(stems.values())
    ]


def _chosen(paths: list[Path]) -> Path:
    """The file of a stem that is used: the first that is not lossy, if there is one."""
    first = min(paths, key=lambda path: (path.suffix.lower() in LOSSY, path.name))
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        LOGGER.warning("%s: a stem exists as %s; %s is used", first.parent, names, first.name)
    return first


def track_spans(track: Track, config: LabelStemsConfig) -> list[tuple[float, float, bool]]:
    """Contiguous spans (start s, end s, sung) of a track, from the level of its vocals.

    A track whose vocal stem is silent or far below its mixture has no singing.
    """
    length = read_duration(track.mixture)
    try:
        vocals = load_channels(track.vocals, STEM_RATE)
    except SilentFile:
        return [(0.0, length, False)]
    if abs(len(vocals) / STEM_RATE - length) > LENGTH_TOLERANCE:
        LOGGER.warning(
            "%s: %.3f s long, its mixture %.3f s", track.vocals, len(vocals) / STEM_RATE, length
        )
    least = _loudest(track.mixture) * 10 ** (INAUDIBLE_DB / 20)
    if block_levels(vocals, STEM_RATE).max(initial=0.0) <= least:
        LOGGER.warning(
            "%s: nowhere louder than %.0f dB below its mixture; labelled as without singing",
            track.vocals, -INAUDIBLE_DB,
        )  # fmt: skip
    sung = active_spans(
        vocals, STEM_RATE, config.threshold_db, config.join_gaps, config.shortest, least
    )
    edges = [0.0, *(min(edge, length) for span in sung for edge in span), length]
    spans = pairwise(edges)
    return [(start, end, i % 2 == 1) for i, (start, end) in enumerate(spans) if end > start]


def _loudest(mixture: Path) -> float:
    """RMS of the loudest 20 ms; 0 for a mixture that is silent."""
    rate = sound_streams(mixture)[0].rate
    try:
        blocks = channel_blocks(mixture)
        return max(float(block_levels(block, rate).max(initial=0.0)) for block in blocks)
    except SilentFile:
        return 0.0
