"""Front ends of other packages by name, as the keys of a specification."""

from __future__ import annotations

# What `convention` in a specification stands for; keys beside it win.
CONVENTIONS: dict[str, dict[str, object]] = {
    "ganexplain": {},
    # librosa.power_to_db(librosa.feature.melspectrogram(y=..., sr=...)) without its top_db. Before
    # librosa 0.10 the ends were mirrored: pad_mode = "reflect".
    "librosa": {
        "frame_length": 2048, "hop_length": 512, "mel_bands": 128, "lowest_hz": 0.0,
        "highest_hz": 0.0, "mel_scale": "slaney", "filters": "slaney", "power": 2.0,
        "window": "periodic", "centred": True, "logarithm": "db", "floor": 1e-10,
    },
    # torchaudio.transforms.MelSpectrogram() and AmplitudeToDB() behind it.
    "torchaudio": {
        "sample_rate": 16000, "frame_length": 400, "hop_length": 200, "mel_bands": 128,
        "lowest_hz": 0.0, "highest_hz": 0.0, "mel_scale": "htk", "filters": "peak", "power": 2.0,
        "window": "periodic", "centred": True, "pad_mode": "reflect", "logarithm": "db",
        "floor": 1e-10,
    },
}  # fmt: skip
