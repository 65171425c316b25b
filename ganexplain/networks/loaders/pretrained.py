"""Reads networks in folders of the package transformers (Hugging Face).

Such a folder has a `config.json`, which names a class of transformers, and weights. It is data: no
code in it is run, and nothing is fetched from the network.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from ganexplain.errors import GanexplainError, UsageError, reason_of, short_repr
from ganexplain.files.atomic import JsonObject
from ganexplain.files.bounded import parse_json, read_text
from ganexplain.inputs.base import Input
from ganexplain.inputs.hugging_face import FILES, is_folder, read_extractor
from ganexplain.inputs.specification import Call, call_from, input_from
from ganexplain.networks.loaders.names import CONFIG, is_pretrained
from ganexplain.networks.loaders.other_formats import advice_for
from ganexplain.runs.progress import LOGGER

PATTERNS = (CONFIG, *FILES, "*.safetensors*", "pytorch_model*.bin*")
REFUSED = {
    "auto_map": "has code of its own, which would run; if you trust its author, write a function "
    "that returns the network (trust_remote_code=True) and name it, file.py:function",
    "quantization_config": "has quantised weights, which let no gradient through; save it in "
    "float32 or float16",
}
NOT_USED = ("masked_spec_embed",)  # weights of training alone, which older files lack


def pretrained_files(folder: Path) -> list[Path]:
    """The files of a folder on which its network depends, by name."""
    return sorted({path for pattern in PATTERNS for path in folder.glob(pattern)})


def completed_specification(
    model: str, given: tuple[Input | None, Call], seconds: float
) -> tuple[Input | None, Call]:
    """What `given` leaves open, as a folder says it, if `model` is one.

    Its input is that of its extractor, of `seconds` where that takes any length. Raises UsageError
    for an extractor that is not known, and for a network that takes text alone.
    """
    input_spec, call = given
    if not is_pretrained(model):
        return given
    folder = Path(model)
    if input_spec is None and is_folder(folder):
        input_spec, described = _own_input(folder, seconds)
        call = replace(described, classes=call.classes)
    if call.method or call.output or call.argument:
        return input_spec, call
    own = _own_call(folder)
    classes = call.classes or own.classes
    return input_spec, replace(call, method=own.method, output=own.output, classes=classes)


def _own_input(folder: Path, seconds: float) -> tuple[Input, Call]:
    """The input that the extractor of a folder makes; a warning says where it makes another."""
    kind, description = read_extractor(folder)
    if description is None:
        raise UsageError(
            f"--model {folder}: its extractor, {kind or 'of no name'}, is not known here; describe "
            "the network's input with --input"
        )
    for difference in description.unlike:
        LOGGER.warning("--model %s: its extractor has another feature: %s", folder, difference)
    values = dict(description.values)
    if values.get("kind") == "waveform":
        values["samples"] = int(seconds * float(str(values["sample_rate"])))
    return input_from(str(folder), values), call_from(str(folder), description.network)


def _own_call(folder: Path) -> Call:
    """How the network is called: its classes, and the audio part of networks of text and sound."""
    config = _config(folder)
    kind = _class_of(folder, config)
    if "input_ids" in _arguments(kind.forward)[:2]:
        _check_hears(folder, kind)
        return Call(method="get_audio_features", output="pooler_output")
    labels = config.get("id2label")
    if not (_architecture(folder, config).endswith("Classification") and isinstance(labels, dict)):
        return Call()
    try:
        numbered = sorted((int(number), str(name)) for number, name in labels.items())
    except ValueError as error:
        raise GanexplainError(f"--model {folder / CONFIG}: id2label: {error}") from error
    return Call(classes=tuple(name for _, name in numbered))


def _check_hears(folder: Path, kind: Any) -> None:
    """UsageError if of a class whose first argument is text no method takes sound alone."""
    method = getattr(kind, "get_audio_features", None)
    if method is None:
        raise UsageError(
            f"--model {folder}: {kind.__name__} takes text (input_ids) first; name the argument "
            "that takes sound, argument = under [network] in the file of --input, or write a "
            "function that returns the part that hears, file.py:function"
        )
    masks = [name for name in _arguments(method) if name.endswith("_mask") and _needs(method, name)]
    if masks:
        raise UsageError(
            f"--model {folder}: {kind.__name__}.get_audio_features needs {', '.join(masks)}; write "
            "a function that returns a module which passes it, file.py:function"
        )


def _needs(function: Callable[..., object], name: str) -> bool:
    parameter = inspect.signature(function).parameters[name]
    return parameter.default is parameter.empty


def read_pretrained(folder: Path) -> nn.Module:
    """The network in a folder; of an encoder and decoder for text, the encoder.

    Raises UsageError without transformers, or if the folder has code of its own or quantised
    weights; GanexplainError for a damaged folder, weights that are missing or another class.
    """
    config = _config(folder)
    for key, reason in REFUSED.items():
        if config.get(key):
            raise UsageError(f"--model {folder}: {reason}")
    kind = _class_of(folder, config)
    try:
        network, loaded = kind.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
            attn_implementation="eager",  # other forms have no attention weights
            output_loading_info=True,
        )
    except (MemoryError, UsageError):
        raise
    except Exception as error:  # transformers raises many kinds
        raise GanexplainError(
            f"--model {folder}: cannot be loaded ({reason_of(error)}); save it again with "
            "save_pretrained"
        ) from error
    wrong = [*loaded["missing_keys"], *(str(each[0]) for each in loaded["mismatched_keys"])]
    wrong = sorted(name for name in wrong if not name.endswith(NOT_USED))
    if wrong:
        raise GanexplainError(
            f"--model {folder}: has no weights that fit {', '.join(wrong[:3])}"
            f"{', ...' if len(wrong) > 3 else ''}, which would be random; train or load the whole "
            f"{kind.__name__} and save it again"
        )
    if "decoder_input_ids" in _arguments(type(network).forward):
        return network.get_encoder()
    return network


def _arguments(function: Callable[..., object]) -> list[str]:
    return list(inspect.signature(function).parameters)


def _config(folder: Path) -> JsonObject:
    path = folder / CONFIG
    try:
        found = parse_json(read_text(path))
    except (OSError, ValueError) as error:
        raise GanexplainError(f"--model {path}: cannot be read ({error})") from error
    if not isinstance(found, dict) or not isinstance(found.get("model_type"), str):
        other = advice_for(folder)
        raise UsageError(
            f"--model {folder}: {other}"
            if other
            else f"--model {path}: has no model_type, so it is not of transformers; name the file "
            "of the network, or its factory"
        )
    return found


def _architecture(folder: Path, config: JsonObject) -> str:
    """The class that `config.json` names; the bare one of its kind if it names none."""
    named = config.get("architectures")
    first = named[0] if isinstance(named, list) and named else "AutoModel"
    if not isinstance(first, str):
        raise GanexplainError(
            f"--model {folder / CONFIG}: architectures is {short_repr(named)}, not names of classes"
        )
    return first


def _class_of(folder: Path, config: JsonObject) -> Any:
    """The class of transformers for a folder's network."""
    try:
        import transformers
    except ImportError as error:
        raise UsageError(
            f"--model {folder}: needs the package transformers (pip install transformers)"
        ) from error
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    name = _architecture(folder, config)
    if name == "AutoModel":
        usual = transformers.PreTrainedConfig
        known = transformers.CONFIG_MAPPING.get(str(config["model_type"]), usual)
        return transformers.MODEL_MAPPING.get(known, transformers.AutoModel)
    kind = getattr(transformers, name, None) if name.isidentifier() else None
    if not (inspect.isclass(kind) and issubclass(kind, transformers.PreTrainedModel)):
        raise UsageError(
            f"--model {folder}: {short_repr(name)} is no network of transformers "
            f"{transformers.__version__}; update it, or write a function that returns the network "
            "and name it, file.py:function"
        )
    return kind
