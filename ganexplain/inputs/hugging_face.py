"""Folders of Hugging Face: the input that `preprocessor_config.json` describes.

The file names the class of an extractor of the package `transformers` and its settings; the
package itself is not needed. Sources: `transformers/models/*/feature_extraction_*.py` and
`image_processing_*.py` of version 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ganexplain.errors import UsageError
from ganexplain.files.atomic import Document, JsonObject, read_json
from ganexplain.files.fields import Fields

FILES = ("preprocessor_config.json", "processor_config.json")
PARTS = ("feature_extractor", "image_processor")  # in the file of several processors
KIND_KEYS = ("feature_extractor_type", "image_processor_type")
BYTE = 1 / 255  # the usual `rescale_factor`
CLAP_FITS = {"repeatpad": "repeat-whole", "repeat": "repeat", "pad": "zeros"}  # by its `padding`


@dataclass(frozen=True)
class Description:
    """What is known of a network's input: values of an `--input` file and of its `[network]`.

    `samples` is the length of sound to which the extractor cuts and pads, 0 for any. Values
    without a length are completed by the caller. `unlike` lists in which ways the extractor
    does something else than the values say.
    """

    values: Document
    network: Document = field(default_factory=dict)
    samples: int = 0
    unlike: tuple[str, ...] = ()


def is_folder(path: Path) -> bool:
    """Whether a path is a folder with the settings of an extractor."""
    return any((path / name).is_file() for name in FILES)


def read_extractor(folder: Path) -> tuple[str, Description | None]:
    """The class of the extractor of a folder, and what it computes; None if that is not known here.

    Raises UsageError without such a file, GanexplainError for a setting of another kind.
    """
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        raise UsageError(f"{folder}: contains no {FILES[0]}; name the folder of a network")
    document = read_json(path)
    fields = Fields(f"{path}: ", document, "correct it")
    part = next((name for name in PARTS if name in fields), "")
    fields = fields.child(part) if part else fields
    kind = next((fields.text(key) for key in KIND_KEYS if key in fields), "")
    if kind.removesuffix("Fast") in AUDIO:
        defaults, describe = AUDIO[kind.removesuffix("Fast")]
        return kind, describe(Fields(fields.place, {**defaults, **fields.values}, fields.remedy))
    if KIND_KEYS[1] in fields or ("size" in fields and "image_mean" in fields):
        return kind, _picture(fields)
    if "sampling_rate" in fields.values:
        fields.positive("sampling_rate")
    return kind, None


def _waveform(fields: Fields) -> Description:
    channels = fields.positive("feature_size")
    values: JsonObject = {"kind": "waveform", "sample_rate": fields.positive("sampling_rate")}
    if "do_normalize" in fields and fields.flag("do_normalize"):
        values |= {"standardise": True, "variance_offset": 1e-7}
    unlike = (f"{channels} channels",) if channels > 1 else ()
    return Description(values, unlike=unlike)


def _waveform_with_channel(fields: Fields) -> Description:
    found, channels = _waveform(fields), fields.positive("feature_size")
    unlike = (f"{channels} channels, which are the same here",) if channels > 1 else ()
    return Description(found.values, {"layout": f"{channels}W"}, unlike=unlike)


def _whisper(fields: Fields) -> Description:
    rate, hop = fields.positive("sampling_rate"), fields.positive("hop_length")
    samples = fields.positive("chunk_length") * rate
    values: JsonObject = {
        "convention": "whisper", "sample_rate": rate, "frame_length": fields.positive("n_fft"),
        "hop_length": hop, "mel_bands": fields.positive("feature_size"),
        "excerpt_frames": samples // hop,
    }  # fmt: skip
    return Description(values, {"fit": "zeros"}, samples)


def _ast(fields: Fields) -> Description:
    """Kaldi's filterbank under a Hann window, less `mean`, by twice `std`."""
    values: JsonObject = {
        "convention": "kaldi", "sample_rate": fields.positive("sampling_rate"),
        "window_shape": "hann", "mel_bands": fields.positive("num_mel_bins"),
        "excerpt_frames": fields.positive("max_length"),
    }  # fmt: skip
    if fields.flag("do_normalize"):
        if fields.number("std") <= 0:
            raise fields.wrong("std", "above 0")
        values |= {"mean": fields.number("mean"), "deviation": 2 * fields.number("std")}
    samples = 160 * (fields.positive("max_length") - 1) + 400
    return Description(values, {"layout": "TF", "fit": "zero-features"}, samples)


def _kaldi(fields: Fields) -> Description:
    """Kaldi's filterbank of 16-bit integers, each band standardised over the recording."""
    values: JsonObject = {
        "convention": "kaldi", "sample_rate": fields.positive("sampling_rate"), "gain": 2.0**30,
        "mel_bands": fields.positive("num_mel_bins"),
        "standardise": "band" if fields.flag("normalize_vars") else "band-mean",
        "unbiased": fields.flag("unbiased"),
    }  # fmt: skip
    if not fields.flag("normalize_means"):
        raise UsageError(f"{fields.place}normalize_means = false: no key describes this")
    if fields.positive("stride") != 1:
        values["stack"] = fields.positive("stride")
    return Description(values, {"layout": "TF"})


def _parakeet(fields: Fields) -> Description:
    values: JsonObject = {
        "convention": "nemo", "sample_rate": fields.positive("sampling_rate"),
        "frame_length": fields.positive("n_fft"), "window_length": fields.positive("win_length"),
        "hop_length": fields.positive("hop_length"), "mel_bands": fields.positive("feature_size"),
        "preemphasis": fields.number("preemphasis"), "highest_hz": 0.0,
    }  # fmt: skip
    unlike = "the last frame is zeros, and left out of mean and deviation"
    return Description(values, {"layout": "TF"}, unlike=(unlike,))


def _lasr(fields: Fields) -> Description:
    values: JsonObject = {
        "sample_rate": fields.positive("sampling_rate"),
        "frame_length": fields.positive("win_length"), "fft_length": fields.positive("n_fft"),
        "hop_length": fields.positive("hop_length"), "mel_bands": fields.positive("feature_size"),
        "lowest_hz": 125.0, "highest_hz": 7500.0, "filters": "peak", "triangles": "mel",
        "power": 2.0, "floor": 1e-5,
    }  # fmt: skip
    return Description(values, {"layout": "TF"})


def _granite(fields: Fields) -> Description:
    """Torchaudio's spectrogram, of which two frames are one; the package itself is needed there."""
    values: JsonObject = {
        "convention": "torchaudio", "sample_rate": fields.positive("sampling_rate"),
        "frame_length": fields.positive("n_fft"), "window_length": fields.positive("win_length"),
        "hop_length": fields.positive("hop_length"), "mel_bands": fields.positive("n_mels"),
        "logarithm": "log10", "range_below": 8.0, "scale": 0.25, "shift": 1.0, "stack": 2,
    }  # fmt: skip
    return Description(values, {"layout": "TF"})


def _clap(fields: Fields) -> Description:
    rate, hop = fields.positive("sampling_rate"), fields.positive("hop_length")
    samples = fields.positive("max_length_s") * rate
    fuses = _choice(fields, "truncation", ("fusion", "rand_trunc")) == "fusion"
    fit = CLAP_FITS[_choice(fields, "padding", tuple(CLAP_FITS))]
    values: JsonObject = {
        "convention": "clap", "sample_rate": rate, "hop_length": hop,
        "frame_length": fields.positive("fft_window_size"),
        "mel_bands": fields.positive("feature_size"),
        "lowest_hz": fields.number("frequency_min"),
        "highest_hz": fields.number("frequency_max"), "excerpt_frames": samples // hop + 1,
    }  # fmt: skip
    if not fuses:
        return Description(values, {"layout": "1TF", "fit": fit}, samples)
    values |= {"mel_scale": "htk", "filters": "peak"}
    unlike = "of longer recordings three parts and the whole made shorter"
    return Description(values, {"layout": "4TF", "fit": fit}, samples, (unlike,))


def _choice(fields: Fields, name: str, known: tuple[str, ...]) -> str:
    """A text that is one of some."""
    found = fields.text(name)
    if found not in known:
        raise fields.wrong(name, " or ".join(known))
    return found


def _picture(fields: Fields) -> Description:
    """The size is that of the crop; `rescale_factor`, mean and deviation are of values 0 to 255."""
    height, width = _size(fields, "crop_size" if fields.flag("do_center_crop") else "size")
    factor = fields.number("rescale_factor") if "rescale_factor" in fields else BYTE
    rescales = "do_rescale" not in fields or fields.flag("do_rescale")
    offset = -1.0 if "rescale_offset" in fields and fields.flag("rescale_offset") else 0.0
    values: JsonObject = {
        "kind": "image", "channels": 3, "height": height, "width": width, "low": offset,
        "high": round(255 * factor, 9) + offset if rescales else 255.0,
    }  # fmt: skip
    if "do_normalize" not in fields or fields.flag("do_normalize"):
        values |= {
            "mean": list(fields.numbers("image_mean")),
            "deviation": list(fields.numbers("image_std")),
        }
    crops = ("the middle of a larger picture",) if fields.flag("do_center_crop") else ()
    return Description(values, unlike=crops)


def _size(fields: Fields, name: str) -> tuple[int, int]:
    """Height and width: an object of both, of one edge, or in older files a number."""
    if isinstance(fields.values.get(name), int):
        return fields.positive(name), fields.positive(name)
    size = fields.child(name)
    edge = next((key for key in ("shortest_edge", "longest_edge") if key in size), "")
    height, width = (size.positive(edge or key) for key in ("height", "width"))
    return height, width


# Classes of extractors: the settings that a file may leave out, and what they compute.
AUDIO: dict[str, tuple[Document, Callable[[Fields], Description]]] = {
    "Wav2Vec2FeatureExtractor": (
        {"feature_size": 1, "sampling_rate": 16000, "do_normalize": True},
        _waveform,
    ),
    "EncodecFeatureExtractor": (
        {"feature_size": 1, "sampling_rate": 24000},
        _waveform_with_channel,
    ),
    "DacFeatureExtractor": ({"feature_size": 1, "sampling_rate": 16000}, _waveform_with_channel),
    "SpeechT5FeatureExtractor": (
        {"feature_size": 1, "sampling_rate": 16000, "do_normalize": False},
        _waveform,
    ),
    "ParakeetFeatureExtractor": (
        {
            "feature_size": 80, "sampling_rate": 16000, "hop_length": 160, "n_fft": 512,
            "win_length": 400, "preemphasis": 0.97,
        },
        _parakeet,
    ),
    "LasrFeatureExtractor": (
        {
            "feature_size": 128, "sampling_rate": 16000, "hop_length": 160, "n_fft": 512,
            "win_length": 400,
        },
        _lasr,
    ),
    "GraniteSpeechFeatureExtractor": (
        {"sampling_rate": 16000, "hop_length": 160, "n_fft": 512, "win_length": 400, "n_mels": 80},
        _granite,
    ),
    "Speech2TextFeatureExtractor": (
        {
            "sampling_rate": 16000, "num_mel_bins": 80, "normalize_means": True,
            "normalize_vars": True, "unbiased": False, "stride": 1,
        },
        _kaldi,
    ),
    "SeamlessM4TFeatureExtractor": (
        {
            "sampling_rate": 16000, "num_mel_bins": 80, "normalize_means": True,
            "normalize_vars": True, "unbiased": True, "stride": 2,
        },
        _kaldi,
    ),
    "ASTFeatureExtractor": (
        {
            "sampling_rate": 16000, "num_mel_bins": 128, "max_length": 1024, "do_normalize": True,
            "mean": -4.2677393, "std": 4.5689974,
        },
        _ast,
    ),
    "WhisperFeatureExtractor": (
        {
            "feature_size": 80, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30,
            "n_fft": 400,
        },
        _whisper,
    ),
    "ClapFeatureExtractor": (
        {
            "feature_size": 64, "sampling_rate": 48000, "hop_length": 480, "max_length_s": 10,
            "fft_window_size": 1024, "frequency_min": 0, "frequency_max": 14000,
            "truncation": "fusion", "padding": "repeatpad",
        },
        _clap,
    ),
}  # fmt: skip
