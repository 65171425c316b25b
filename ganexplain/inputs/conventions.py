"""Inputs as other packages have them, by name: the keys that `convention` stands for."""

from __future__ import annotations

from collections.abc import Mapping

Keys = Mapping[str, object]

# torchaudio.compliance.kaldi.fbank(waveform, dither=0) and kaldi-native-fbank. Kaldi itself reads
# samples as 16-bit integers: gain = 1073741824 (2 ** 30) then. Without snip_edges pad_start = 120,
# pad_end = 200, pad_mode = "symmetric".
KALDI: Keys = {
    "sample_rate": 16000, "frame_length": 400, "hop_length": 160, "fft_length": 512,
    "mel_bands": 23, "lowest_hz": 20.0, "highest_hz": 0.0, "mel_scale": "htk", "filters": "peak",
    "triangles": "mel", "power": 2.0, "window_shape": "povey", "preemphasis": 0.97,
    "remove_mean": True, "floor": 1.1920928955078125e-07,
}  # fmt: skip
# Of AudioSet by TensorFlow, in tensorflow/models/research/audioset.
AUDIO_SET: Keys = {
    "sample_rate": 16000, "frame_length": 400, "hop_length": 160, "fft_length": 512,
    "mel_bands": 64, "lowest_hz": 125.0, "highest_hz": 7500.0, "mel_scale": "htk",
    "filters": "peak", "triangles": "mel", "window": "periodic", "floor": 1e-10,
    "excerpt_frames": 96,
}  # fmt: skip
# librosa.power_to_db(librosa.feature.melspectrogram(y=..., sr=...)) without its top_db. Before
# librosa 0.10 the ends were mirrored: pad_mode = "reflect".
LIBROSA: Keys = {
    "frame_length": 2048, "hop_length": 512, "mel_bands": 128, "lowest_hz": 0.0,
    "highest_hz": 0.0, "mel_scale": "slaney", "filters": "slaney", "power": 2.0,
    "window": "periodic", "centred": True, "logarithm": "db", "floor": 1e-10,
}  # fmt: skip
CLAP: Keys = {
    **LIBROSA, "sample_rate": 48000, "frame_length": 1024, "hop_length": 480, "mel_bands": 64,
    "lowest_hz": 50.0, "highest_hz": 14000.0, "pad_mode": "reflect", "excerpt_frames": 1001,
}  # fmt: skip

# Keys beside a convention win.
CONVENTIONS: dict[str, Keys] = {
    "ganexplain": {},
    "librosa": LIBROSA,
    # torchaudio.transforms.MelSpectrogram() and AmplitudeToDB() behind it.
    "torchaudio": {
        "sample_rate": 16000, "frame_length": 400, "hop_length": 200, "mel_bands": 128,
        "lowest_hz": 0.0, "highest_hz": 0.0, "mel_scale": "htk", "filters": "peak", "power": 2.0,
        "window": "periodic", "centred": True, "pad_mode": "reflect", "logarithm": "db",
        "floor": 1e-10,
    },
    "kaldi": KALDI,
    # ASTFeatureExtractor of transformers, with the mean and twice the deviation of AudioSet.
    "ast": {
        **KALDI, "mel_bands": 128, "window_shape": "hann", "mean": -4.2677393,
        "deviation": 9.1379948, "excerpt_frames": 1024,
    },
    # Whisper up to large-v2, 30 seconds; large-v3 has mel_bands = 128.
    "whisper": {
        **LIBROSA, "sample_rate": 16000, "frame_length": 400, "hop_length": 160, "mel_bands": 80,
        "highest_hz": 8000.0, "pad_mode": "reflect", "logarithm": "log10", "range_below": 8.0,
        "scale": 0.25, "shift": 1.0, "excerpt_frames": 3000,
    },
    # AudioToMelSpectrogramPreprocessor of NeMo, without dither.
    "nemo": {
        **LIBROSA, "sample_rate": 16000, "frame_length": 512, "window_length": 400,
        "hop_length": 160, "mel_bands": 80, "window": "symmetric", "preemphasis": 0.97,
        "preemphasis_of": "signal", "logarithm": "ln", "offset": 2.0**-24, "floor": 1e-37,
        "standardise": "band",
    },
    # What its embedding network takes: melspectrogram.onnx of 16-bit integers, x / 10 + 2.
    "openwakeword": {
        **LIBROSA, "sample_rate": 16000, "frame_length": 512, "window_length": 400,
        "hop_length": 160, "mel_bands": 32, "lowest_hz": 60.0, "highest_hz": 3800.0,
        "centred": False, "gain": 2.0**30, "range_below": 80.0, "scale": 0.1, "shift": 2.0,
        "excerpt_frames": 76,
    },
    "vggish": {**AUDIO_SET, "offset": 0.01},
    "yamnet": {**AUDIO_SET, "offset": 0.001},
    # Cnn14 and others at 32 kHz, with torchlibrosa.
    "panns": {
        **LIBROSA, "sample_rate": 32000, "frame_length": 1024, "hop_length": 320, "mel_bands": 64,
        "lowest_hz": 50.0, "highest_hz": 14000.0, "pad_mode": "reflect",
    },
    # Without fusion (truncation "rand_trunc").
    "clap": CLAP,
    # Wav2Vec2FeatureExtractor of transformers, with do_normalize; give `samples`, too.
    "wav2vec2": {
        "kind": "waveform", "sample_rate": 16000, "standardise": True, "variance_offset": 1e-7,
    },
    # BirdNET-Analyzer 2.4, whose network computes its spectra itself.
    "birdnet": {"kind": "waveform", "sample_rate": 48000, "samples": 144000},
}  # fmt: skip
