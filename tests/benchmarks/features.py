"""How fast are the features, against librosa?

    OMP_NUM_THREADS=1 python tests/benchmarks/features.py sample_data

Decoding and log-mel of the recordings of a corpus on one core, without the cache, in seconds of
music per second; and the same front end by librosa (load, stft, filterbank product, logarithm)
on the same files in the same run. Says how far the two differ.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import librosa
import numpy as np
import soundfile as sf

from ganexplain.audio.filterbank import mel_filterbank
from ganexplain.audio.io import mono_blocks
from ganexplain.audio.log_mel import log_mel_blocks, window
from ganexplain.corpora.load import read_corpus
from ganexplain.inputs.log_mel import FrontEnd

FRONT_END = FrontEnd()


def ours(path: Path) -> np.ndarray:
    return np.concatenate(list(log_mel_blocks(mono_blocks(path, FRONT_END.sample_rate), FRONT_END)))


def theirs(path: Path) -> np.ndarray:
    waveform, _ = librosa.load(path, sr=FRONT_END.sample_rate, mono=True, res_type="soxr_hq")
    spectrum = librosa.stft(
        waveform, n_fft=FRONT_END.frame_length, hop_length=FRONT_END.hop_length,
        window=window(FRONT_END), center=False,
    )  # fmt: skip
    filters = mel_filterbank(FRONT_END)
    mel = filters.T @ np.abs(spectrum[: len(filters)])
    return np.log(np.maximum(mel, FRONT_END.floor)).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--files", type=int, default=20)
    arguments = parser.parse_args()
    paths = [r.path for r in read_corpus(arguments.corpus).recordings][: arguments.files]
    ours(paths[0]), theirs(paths[0])
    music = sum(sf.info(str(path)).duration for path in paths)
    spent = {"ganexplain": 0.0, "librosa": 0.0}
    difference = 0.0
    for path in paths:
        results = {}
        for name, extract in (("ganexplain", ours), ("librosa", theirs)):
            started = time.perf_counter()
            results[name] = extract(path)
            spent[name] += time.perf_counter() - started
        difference = max(difference, np.abs(results["ganexplain"] - results["librosa"]).max())
    print(f"{len(paths)} files, {music / 60:.1f} min of music")
    for name, seconds in spent.items():
        print(f"{name:12} {music / seconds:8.0f} x real time")
    print(f"ratio        {spent['librosa'] / spent['ganexplain']:8.2f}")
    print(f"largest difference {difference:.2g} nat")


if __name__ == "__main__":
    main()
