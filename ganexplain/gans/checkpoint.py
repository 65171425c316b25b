"""`gan.pt`: a generator, and the encoder from what it generates to its latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ganexplain.audio.log_mel import read_front_end
from ganexplain.config import TrainGanConfig
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.atomic import Document
from ganexplain.files.checkpoints import (
    build_network_from,
    freeze_network,
    plain_value,
    read_checkpoint,
    training_corpora,
    write_checkpoint,
)
from ganexplain.gans.dcgan import CHANNELS, LATENT_SIZE
from ganexplain.gans.mixtures import MixtureGenerator
from ganexplain.gans.networks import (
    AnyEncoder,
    AnyGenerator,
    encoder_for,
    generator_for,
)
from ganexplain.inputs.base import Input
from ganexplain.inputs.specification import input_values

Weights = Mapping[str, Tensor]
MIXED = "mixed"  # the key that a file of mixtures alone has


@dataclass(frozen=True)
class GanFile:
    """What `gan.pt` contains: the weights of the generator of `step`, and its `figures`.

    `channels` is the number of channels of its first layer, `front_end` the type of input that it
    generates. `encoder` is None where the training diverged before an encoder was trained.
    """

    generator: Weights
    channels: int
    step: int
    figures: Mapping[str, float]
    front_end: Input
    encoder: Weights | None = None


def write_gan(path: Path, gan: GanFile, config: TrainGanConfig) -> None:
    """Write `gan.pt`, with the settings of its training."""
    content = {
        "generator": gan.generator,
        "channels": gan.channels,
        "latent_size": LATENT_SIZE,
        "step": gan.step,
        "figures": gan.figures,
        "front_end": input_values(gan.front_end),
        "config": asdict(config),
    }
    encoder = {} if gan.encoder is None else {"encoder": gan.encoder}
    write_checkpoint(path, "gan", {**content, **encoder})


def write_mixtures(path: Path, generator: MixtureGenerator, corpus: str) -> None:
    """Write a generator of mixtures of a corpus, which is read as `gan.pt` is; without encoder."""
    content = {
        "generator": generator.state_dict(),
        "latent_size": generator.latent_size,
        MIXED: input_values(generator.sound),
        "front_end": input_values(generator.input_spec),
        "config": {"corpus": [corpus]},
    }
    write_checkpoint(path, "gan", content)


def load_gan(path: Path, device: torch.device) -> tuple[AnyGenerator, AnyEncoder, Input]:
    """Read the frozen generator and encoder of `gan.pt`, and its input type.

    Raises as `load_generator` and `load_encoder`.
    """
    content = _trained(path, ("generator", "front_end"))
    encoder = _encoder(path, content, device)
    generator, input_spec = _generator(path, content, device)
    return generator, encoder, input_spec


def load_generator(path: Path, device: torch.device) -> tuple[AnyGenerator, Input]:
    """Read the frozen generator of `gan.pt` and its input type; raises as `read_checkpoint`."""
    return _generator(path, _trained(path, ("generator", "front_end")), device)


def load_searched(path: Path, device: torch.device) -> tuple[nn.Module, Input]:
    """As `load_generator`, also the generator of a file of mixtures (`write_mixtures`)."""
    content = read_checkpoint(path, "gan", ("generator", "front_end"))
    if MIXED not in content:
        return _generator(path, content, device)
    input_spec, mixed = (read_front_end(path, content[key]) for key in ("front_end", MIXED))
    weights = content["generator"]
    sources = len(weights["excerpts"]) if "excerpts" in weights else 0
    generator = build_network_from(
        path, weights, lambda: MixtureGenerator(mixed, input_spec, sources)
    )
    return freeze_network(generator, device), input_spec


def gan_corpora(path: Path) -> tuple[str, ...]:
    """The corpora that a `gan.pt` was trained on, as typed then; raises as `read_checkpoint`."""
    return training_corpora(read_checkpoint(path, "gan"))


def load_encoder(path: Path, device: torch.device) -> AnyEncoder:
    """Read the frozen encoder of `gan.pt`; raises as `read_checkpoint`.

    Raises GanexplainError also where the file has no encoder: the training diverged.
    """
    return _encoder(path, _trained(path, ("front_end",)), device)


def gan_start(path: Path) -> str:
    """The gan.pt that a `gan.pt` was trained on from, as typed then; empty for none.

    Raises as `read_checkpoint`.
    """
    config = read_checkpoint(path, "gan").get("config")
    start = config.get("start") if isinstance(config, Mapping) else None
    return start if isinstance(start, str) else ""


def _trained(path: Path, keys: Sequence[str]) -> Document:
    """The content of a `gan.pt`, not of mixtures; raises as `read_checkpoint`."""
    content = read_checkpoint(path, "gan", keys)
    if MIXED in content:
        raise UsageError(
            f"{path}: is of mixtures (explain --prior-from), which are not trained; name the "
            "gan.pt of a training"
        )
    return content


def _generator(path: Path, content: Document, device: torch.device) -> tuple[AnyGenerator, Input]:
    input_spec = read_front_end(path, content["front_end"])
    # Files written before the size was a setting contain the small generator.
    channels = plain_value(path, {"channels": CHANNELS, **content}, "channels", int)
    generator = build_network_from(
        path, content["generator"], lambda: generator_for(input_spec, channels=channels)
    )
    return freeze_network(generator, device), input_spec


def _encoder(path: Path, content: Document, device: torch.device) -> AnyEncoder:
    if "encoder" not in content:
        raise GanexplainError(
            f"{path}: contains no encoder, which finds the latents of real excerpts; "
            "name the gan.pt of a finished training"
        )
    input_spec = read_front_end(path, content["front_end"])
    encoder = build_network_from(path, content["encoder"], lambda: encoder_for(input_spec))
    return freeze_network(encoder, device)
