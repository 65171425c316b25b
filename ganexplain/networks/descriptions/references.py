"""The input of a network as others compute it: an extractor, a function, or an array in a file."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.errors import GanexplainError, UsageError, reason_of
from ganexplain.networks.loaders.factories import import_object

RATE_NAMES = ("sr", "rate", "fs", "sample_rate", "sampling_rate", "samplerate")
LARGEST = 2**26  # values of an array
LONGEST_REASON = 200


@dataclass(frozen=True)
class Reference:
    """Computes the input of a network from one of sound or of pictures.

    `compute` takes samples (W,) and their rate, or a picture (C, H, W) with values 0 to 1 and 0.
    `is_told_rate` says whether it uses the rate; `rate` is the usual or only one that it takes,
    0 if it has none. `is_fixed`: it returns the same whatever the sound is.
    """

    name: str
    compute: Callable[[np.ndarray, int], np.ndarray]
    is_told_rate: bool = True
    rate: int = 0
    is_fixed: bool = False

    def of(self, values: np.ndarray, rate: int) -> np.ndarray:
        """Its features, float32; GanexplainError if it fails or returns something else."""
        try:
            found = np.array(self.compute(values.copy(), rate))  # its code may work in place
        except GanexplainError:
            raise
        except (Exception, SystemExit) as error:  # its code may raise anything
            raise UsageError(
                f"{self.name}: fails for {values.shape[-1]:,} samples ({reason_of(error)}); it "
                "is called with a float32 array (samples,) and, if it takes it, their rate"
            ) from error
        if found.dtype.kind not in "fiub":
            raise UsageError(f"{self.name}: returns {found.dtype}, not real numbers; make it do so")
        found = found.astype(np.float32)
        if not found.size or not np.isfinite(found).all():
            raise UsageError(f"{self.name}: returns values that are not finite, or none")
        return found


def function_reference(named: str, option: str) -> Reference:
    """The function of (samples) or (samples, rate) that `module:function` names.

    Raises UsageError if it cannot be imported or takes something else.
    """
    function = import_object(option, named)
    if not callable(function):
        raise UsageError(
            f"{option} {named}: is no function; name one of (samples) or (samples, rate)"
        )
    rate_name, default = _rate_parameter(option, named, function)

    def compute(samples: np.ndarray, rate: int) -> np.ndarray:
        given = {rate_name: rate} if rate_name else {}
        try:
            found = function(samples.copy(), **given)
        except (AttributeError, TypeError):  # as of a function of tensors
            found = function(torch.from_numpy(samples), **given)
        if isinstance(found, torch.Tensor):
            found = found.detach().cpu().numpy()
        return np.asarray(found)

    return Reference(named, compute, bool(rate_name), default)


def _rate_parameter(option: str, named: str, function: Callable[..., object]) -> tuple[str, int]:
    """The name of the parameter that is the rate, empty without one, and its default or 0."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of C
        return "", 0
    required = [
        each.name for each in parameters
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]  # fmt: skip
    rates = [each for each in parameters[1:] if each.name.lower() in RATE_NAMES]
    if len(required) == 2 and not rates:
        rates = [each for each in parameters if each.name == required[1]]
    if len(required) > 1 + len([each for each in rates if each.name in required]):
        raise UsageError(
            f"{option} {named}: needs {', '.join(required)}; name a function of (samples) or "
            "(samples, rate)"
        )
    if not rates:
        return "", 0
    default = rates[0].default
    return rates[0].name, default if type(default) is int else 0


def array_reference(path: Path) -> Reference:
    """The features in a file of NumPy, `.npy`, whatever the sound; UsageError if it is none."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not an array of NumPy ({reason_of(error)})") from error
    if found.dtype.kind not in "fiu" or found.size > LARGEST or found.ndim == 0:
        raise UsageError(f"{path}: {found.dtype} {found.shape} are no features; save float32")
    return Reference(str(path), lambda values, rate: np.array(found), is_fixed=True)


def extractor_reference(folder: Path, named: str = "") -> Reference | None:
    """The extractor `named` in a folder of Hugging Face; None if transformers is not installed.

    It is data: no code in the folder is run. Raises UsageError if transformers cannot make it, or
    if it has code of its own.
    """
    try:
        transformers = importlib.import_module("transformers")  # not installed with this package
    except ImportError:
        return None
    transformers.logging.set_verbosity_error()
    kinds = (transformers.AutoFeatureExtractor, transformers.AutoImageProcessor)
    faults = []
    for kind in kinds:
        try:
            extractor = kind.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # it raises many kinds
            if "trust_remote_code" in str(error):
                raise UsageError(
                    f"{folder}: its extractor has code of its own, which would run; if you trust "
                    "its author, name a function of (samples, rate) that calls it, file.py:function"
                ) from error
            faults.append(reason_of(error))
            continue
        name = type(extractor).__name__
        if hasattr(extractor, "sampling_rate"):
            return Reference(name, _sound_extractor(extractor), rate=extractor.sampling_rate)
        return Reference(name, _picture_extractor(extractor))
    key = f"feature_extractor_type {named}" if named else "an extractor without a type"
    raise UsageError(
        f"{folder}: transformers {transformers.__version__} cannot load {key} ({faults[0]}); "
        "correct preprocessor_config.json, or name a function of (samples, rate)"
    )


def _sound_extractor(extractor: Any) -> Callable[[np.ndarray, int], np.ndarray]:
    def compute(samples: np.ndarray, rate: int) -> np.ndarray:
        found = extractor(samples, sampling_rate=rate, return_tensors="np")
        return np.asarray(found[extractor.model_input_names[0]][0])

    return compute


def _picture_extractor(extractor: Any) -> Callable[[np.ndarray, int], np.ndarray]:
    """Pictures (C, H, W) of the network's size, which are not resized again."""

    def compute(picture: np.ndarray, rate: int) -> np.ndarray:
        whole = np.round(picture.transpose(1, 2, 0) * 255).astype(np.uint8)
        found = extractor(whole, do_resize=False, do_center_crop=False, return_tensors="np")
        return np.asarray(found[extractor.model_input_names[0]][0])

    return compute
