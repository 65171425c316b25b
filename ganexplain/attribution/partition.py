"""The parts of an input that `--segments` names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ganexplain.attribution import segments
from ganexplain.attribution.fills import Reference, fill
from ganexplain.attribution.inputs.excerpts import Moment, cut
from ganexplain.attribution.inputs.piece import Piece
from ganexplain.attribution.masking import MaskedInput, Parts, SourceMix, source_components
from ganexplain.audio.formats.file_types import SOUND_FILES
from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_expand, log_mel
from ganexplain.corpora.listed_files import is_hidden
from ganexplain.corpora.picture_files import open_image
from ganexplain.errors import GanexplainError, UsageError, did_you_mean
from ganexplain.files.arrays import try_open_array

KINDS = ("temporal", "spectral", "sound", *segments.SUPERPIXELS, "file", "sources")
QUIETEST = 1e-7  # least level of a source in a cell, to avoid division by zero


@dataclass(frozen=True)
class Partition:
    """The parts of one input, the label map (H, W) that shows them, and the fill (*S)."""

    parts: Parts
    labels: np.ndarray
    fill: torch.Tensor


def partition(
    text: str,
    fill_name: str,
    piece: Piece,
    reference: Reference,
    device: torch.device,
    seed: int,
) -> Partition:
    """Divide an input into the parts that `--segments` names; UsageError for an invalid text."""
    x = torch.as_tensor(piece.values, device=device)
    kind, _, rest = text.partition(":")
    if kind == "sources":
        if not isinstance(piece, Moment):
            raise UsageError(f"--segments {text}: pictures have no separated sources")
        mix = _sources(rest, piece, device)
        labels = mix.presence.argmax(axis=0)
        return Partition(mix, labels, fill(fill_name, x, labels, reference, seed))
    labels = parse_labels(text, kind, rest, piece.values)
    filled = fill(fill_name, x, labels, reference, seed)
    return Partition(MaskedInput(x, labels, filled), labels, filled)


def parse_labels(text: str, kind: str, rest: str, values: np.ndarray) -> np.ndarray:
    """Return the label map (H, W) that `--segments` names; `text` is `kind:rest`."""
    bands, frames = values.shape[-2:]
    if counts := segments.columns_and_rows(text):
        return segments.grid(bands, frames, rows=counts[1], columns=counts[0])
    if kind == "sound":
        return _follow_sound(text, rest, values)
    if kind in ("temporal", "spectral"):
        count = _number(text, rest, 10)
        return getattr(segments, kind)(bands, frames, count)
    if kind in segments.SUPERPIXELS:
        count = _number(text, rest if kind == "slic" else "", segments.SLIC_SEGMENTS)
        return segments.superpixels(values, kind, count)
    if kind == "file":
        return read_labels(Path(rest), values)
    raise UsageError(
        f"--segments {text}: neither TIMESxBANDS nor one of {', '.join(KINDS)}"
        f"{did_you_mean(kind, KINDS)}"
    )


def _follow_sound(text: str, rest: str, values: np.ndarray) -> np.ndarray:
    """Return the label map (F, T) of `sound` or `sound:COLUMNSxROWS`, 6x4 if they are not given."""
    counts = segments.columns_and_rows(rest or "6x4")
    if not counts:
        raise UsageError(f"--segments {text}: write times x bands, as in sound:6x4")
    if values.ndim != 2 or len(values) == 1:
        raise UsageError(f"--segments {text}: goes with log-mel; use slic or temporal here")
    return segments.follow_sound(values, rows=counts[1], columns=counts[0])


def _number(text: str, rest: str, default: int) -> int:
    if rest and not (rest.isdecimal() and int(rest) > 0):
        raise UsageError(f"--segments {text}: {rest!r} is not a number of segments")
    return int(rest) if rest else default


def read_labels(path: Path, values: np.ndarray) -> np.ndarray:
    """Read a label map (H, W) from `.npy`, or from a picture whose grey values are the labels."""
    if not path.is_file():
        raise UsageError(f"--segments file:{path}: no such file")
    labels = try_open_array(path) if path.suffix == ".npy" else np.asarray(open_image(path))
    if labels is None:
        raise GanexplainError(f"{path}: cannot be read as a label map; save one with numpy.save")
    if path.suffix != ".npy" and values.ndim == 2:
        labels = labels[::-1]  # the lowest band is drawn last
    shape = values.shape[-2:]
    if labels.shape != shape or labels.dtype.kind not in "iub":
        raise GanexplainError(
            f"{path}: a label map here is integers of shape {shape}, not {labels.dtype} of "
            f"{labels.shape}"
        )
    return segments.numbered(labels)


# --- separated sources ----------------------------------------------------------------------


def stem_files(folder: Path) -> list[Path]:
    """Return the sound files of a folder of stems, by name; UsageError for fewer than two."""
    if not folder.is_dir():
        raise UsageError(f"--segments sources:{folder}: no such folder")
    files = sorted(
        p for p in folder.iterdir() if p.suffix.lower() in SOUND_FILES and not is_hidden(p.name)
    )
    if len(files) < 2:
        raise UsageError(f"--segments sources:{folder}: contains fewer than two stems")
    return files


def _sources(rest: str, moment: Moment, device: torch.device) -> SourceMix:
    matched = re.fullmatch(r"(.+?)(?::(\d+))?", rest)
    if not matched:
        raise UsageError("--segments sources: name the folder of stems, sources:FOLDER")
    spans, front_end = int(matched[2] or 1), moment.front_end
    most = moment.values.shape[-1]
    if not 1 <= spans <= most:
        raise UsageError(f"--segments sources:{rest}: give 1 to {most} spans of each stem")
    stems = np.stack([
        cut(load_mono(path, front_end.sample_rate), moment.start, moment.waveform.size)
        for path in stem_files(Path(matched[1]))
    ])  # fmt: skip
    plain = front_end.unpadded  # the first frame starts with the sound

    def features(waveforms: np.ndarray) -> torch.Tensor:
        sounds = waveforms.astype(np.float32)
        if moment.raw:
            return torch.as_tensor(sounds[:, None], device=device)
        mels = [log_mel(sound, plain).T for sound in sounds]
        return torch.as_tensor(np.stack(mels), device=device)

    components = source_components(stems, moment.waveform, spans)
    if moment.raw:
        energy = np.abs(components[:, None].astype(np.float64)) + QUIETEST
    else:
        levels = features(components).cpu().numpy()
        energy = np.maximum(log_expand(levels, front_end), QUIETEST)
    return SourceMix(components, features, energy / energy.sum(axis=0))
