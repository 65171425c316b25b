"""`label-stems`: tracks with a vocal stem -> a CSV manifest with vocal labels."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import soundfile as sf

from ganexplain.artifacts import remove_unfinished, write_bytes
from ganexplain.config import LabelStemsConfig
from ganexplain.data.audio import duration_of, load_mono
from ganexplain.data.corpus import JAMENDO_CLASSES
from ganexplain.data.manifests import MANIFEST_COLUMNS
from ganexplain.data.sounding import sounding_spans
from ganexplain.errors import GanexplainError, SilentFile, UsageError
from ganexplain.runtime import Progress, random_stream

STEM_RATE = 22050
SUFFIXES = {f".{name.lower()}" for name in sf.available_formats()} - {".raw"} | {".oga"}


@dataclass(frozen=True)
class Track:
    """A track folder: its mixture, its vocals, and `train`, `valid` or `test`."""

    mixture: Path
    vocals: Path
    split: str


def label_stems(config: LabelStemsConfig, progress: Progress, overwrite: bool = False) -> Path:
    """Write STEMS/manifest.csv with `sing` and `nosing` spans of every mixture; gives its path.

    Raises UsageError where there is no such folder or the manifest is there already,
    GanexplainError where no track is found, BadFile for a stem that cannot be read.
    """
    root = Path(config.stems)
    path = root / "manifest.csv"
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder")
    if path.exists() and not overwrite:
        raise UsageError(f"{path}: is there already; add --overwrite to make it again")
    remove_unfinished(root)
    tracks = find_tracks(root, config.valid_share, config.seed)
    rows: list[tuple[str, str, str, str, str]] = []
    progress.start("labelling", len(tracks))
    for track in tracks:
        name = track.mixture.relative_to(root).as_posix()
        for start, end, sounding in track_spans(track, config):
            label = JAMENDO_CLASSES[sounding]
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
        raise GanexplainError(f"{root}: no folder below it holds both a mixture and vocals file")
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
    pairs = []
    for mixture in sorted(folder.rglob("mixture.*")):
        vocals = [
            p for p in sorted(mixture.parent.glob("vocals.*")) if p.suffix.lower() in SUFFIXES
        ]
        if mixture.suffix.lower() in SUFFIXES and vocals:
            pairs.append((mixture, vocals[0]))
    return pairs


def track_spans(track: Track, config: LabelStemsConfig) -> list[tuple[float, float, bool]]:
    """Contiguous spans (start s, end s, sung) of a track, from the level of its vocals.

    A vocal stem without any sound is a track without singing.
    """
    length = duration_of(track.mixture)
    try:
        vocals = load_mono(track.vocals, STEM_RATE)
    except SilentFile:
        return [(0.0, length, False)]
    sung = sounding_spans(vocals, STEM_RATE, config.threshold_db, config.join_gaps, config.shortest)
    edges = [0.0, *(min(edge, length) for span in sung for edge in span), length]
    spans = pairwise(edges)
    return [(start, end, i % 2 == 1) for i, (start, end) in enumerate(spans) if end > start]
