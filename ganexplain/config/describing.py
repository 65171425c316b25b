"""Settings of the stage that describes the input of a network."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain.config.setting import setting

MOST_SECONDS = 600.0  # of one input


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """Describe the input of a network of your own, and check it on a recording: OUT, for --input.

    `ganexplain input my_features:log_mel --example song.wav --out input.toml`

    The features of the example are computed twice: from the description, and by the extractor of
    the package transformers, your function or your array. The largest difference, the RMS
    difference, the correlation and the keys to change are reported. If only a function or an array
    is given, a search finds the keys; if none fit, nothing is written and the exit status is 1.
    """

    source: str = setting(
        "Source of the description: a folder of Hugging Face (preprocessor_config.json), a "
        "convention (librosa, kaldi, panns, ...), a TOML file for --input, module:function that "
        "computes features from (samples) or (samples, rate), or an array of features (FILE.npy).",
        argument=True,
        reads=True,
    )
    example: str = setting("Recording or picture with which the input is checked.", reads=True)
    features: str = setting(
        "Features of the example with which a described input is compared: FILE.npy or "
        "module:function; empty: those of the extractor in the folder.",
        "",
        reads=True,
    )
    sample_rate: int = setting(
        "Rate in Hz of the samples that a function gets, or of those from which an array was "
        "computed; 0: found by search.",
        0,
        0,
    )
    seconds: float = setting(
        "Length of one input (s); 0: as in the source, or the longest that the shipped GAN covers.",
        0.0,
        0.0,
        MOST_SECONDS,
    )
