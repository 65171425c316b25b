"""`--segments` in words to the parts of one excerpt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts import map_array
from ganexplain.config import FrontEnd
from ganexplain.data.audio import load_mono
from ganexplain.data.frontend import log_mel
from ganexplain.data.pictures import opened
from ganexplain.errors import GanexplainError, UsageError, did_you_mean
from ganexplain.local import segments
from ganexplain.local.fills import Reference, fill
from ganexplain.local.masking import MaskedInput, Parts, SourceMix, source_components
from ganexplain.stages.attribute_inputs import Moment, cut

KINDS = ("temporal", "spectral", *segments.SUPERPIXELS, "file", "sources")
SOUND_FILES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


@dataclass(frozen=True)
class Partition:
    """The parts of one excerpt, the label map (F, T) that shows them, and the fill (F, T)."""

    parts: Parts
    labels: np.ndarray
    fill: torch.Tensor


def partition(
    text: str,
    fill_name: str,
    moment: Moment,
    front_end: FrontEnd,
    reference: Reference,
    device: torch.device,
    seed: int,
) -> Partition:
    """Parts of an excerpt as `--segments` names them; UsageError where it does not."""
    x = torch.as_tensor(moment.mel, device=device)
    kind, _, rest = text.partition(":")
    if kind == "sources":
        mix = _sources(rest, moment, front_end, device)
        labels = mix.presence.argmax(axis=0)
        return Partition(mix, labels, fill(fill_name, x, labels, reference, seed))
    labels = _labels(text, kind, rest, moment.mel)
    filled = fill(fill_name, x, labels, reference, seed)
    return Partition(MaskedInput(x, labels, filled), labels, filled)


def _labels(text: str, kind: str, rest: str, mel: np.ndarray) -> np.ndarray:
    bands, frames = mel.shape
    if grid := re.fullmatch(r"(\d+)x(\d+)", text):
        return segments.grid(bands, frames, rows=int(grid[2]), columns=int(grid[1]))
    if kind in ("temporal", "spectral"):
        count = _number(text, rest, 10)
        return getattr(segments, kind)(bands, frames, count)
    if kind in segments.SUPERPIXELS:
        settings = {"n_segments": _number(text, rest, 50)} if kind == "slic" else {}
        return segments.superpixels(mel, kind, **settings)
    if kind == "file":
        return _labels_of_file(Path(rest), mel.shape)
    raise UsageError(
        f"--segments {text}: neither TIMESxBANDS nor one of {', '.join(KINDS)}"
        f"{did_you_mean(kind, KINDS)}"
    )


def _number(text: str, rest: str, default: int) -> int:
    if rest and not (rest.isdecimal() and int(rest) > 0):
        raise UsageError(f"--segments {text}: {rest!r} is not a number of segments")
    return int(rest) if rest else default


def _labels_of_file(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A label map (F, T) from `.npy`, or from a picture whose grey values are the labels."""
    if not path.is_file():
        raise UsageError(f"--segments file:{path}: no such file")
    # Of a picture the lowest band is drawn last.
    labels = map_array(path) if path.suffix == ".npy" else np.asarray(opened(path))[::-1]
    if labels is None:
        raise GanexplainError(f"{path}: cannot be read as a label map; save one with numpy.save")
    if labels.shape != shape or labels.dtype.kind not in "iub":
        raise GanexplainError(
            f"{path}: a label map here is integers of shape {shape}, not {labels.dtype} of "
            f"{labels.shape}"
        )
    return segments.numbered(labels)


# --- separated sources ----------------------------------------------------------------------


def stem_files(folder: Path) -> list[Path]:
    """The sound files of a folder of stems, by name; UsageError where there are fewer than two."""
    if not folder.is_dir():
        raise UsageError(f"--segments sources:{folder}: no such folder")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SOUND_FILES)
    if len(files) < 2:
        raise UsageError(f"--segments sources:{folder}: holds fewer than two stems")
    return files


def _sources(rest: str, moment: Moment, front_end: FrontEnd, device: torch.device) -> SourceMix:
    matched = re.fullmatch(r"(.+?)(?::(\d+))?", rest)
    if not matched:
        raise UsageError("--segments sources: name the folder of stems, sources:FOLDER")
    spans = int(matched[2] or 1)
    stems = np.stack([
        cut(load_mono(path, front_end.sample_rate), moment.start, moment.waveform.size)
        for path in stem_files(Path(matched[1]))
    ])  # fmt: skip

    def features(waveforms: np.ndarray) -> torch.Tensor:
        mels = [log_mel(waveform, front_end).T for waveform in waveforms.astype(np.float32)]
        return torch.as_tensor(np.stack(mels), device=device)

    components = source_components(stems, moment.waveform, spans)
    energy = np.exp(features(components).cpu().numpy().astype(np.float64))
    return SourceMix(components, features, energy / energy.sum(axis=0))
