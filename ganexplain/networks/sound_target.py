"""The network to explain as one that takes the sound of a recording."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch

from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call, read_input_file
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.adapter import OutputNames
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.loaders.pretrained import completed_specification
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import OUR_OUTPUT, TargetNetwork, adapt_network


def load_sound_target(
    source: NetworkSource,
    gan_output: Input | None,
    device: torch.device,
    sound: WaveformInput | None = None,
) -> tuple[TargetNetwork, WaveformInput]:
    """The network of a source behind its front end, from waveforms; and what these are.

    They are `sound`, by default at the rate and of the length that the network takes, but of the
    length of what the GAN generates where `fit` extends that. A network whose input is not
    described gets what the GAN generates. Raises UsageError for a network of pictures; other errors
    as `load_target`.
    """
    if source.classifier:
        ours = load_classifier(Path(source.classifier), torch.device("cpu"))  # moved below
        threshold = math.log(ours.threshold / (1 - ours.threshold))
        call = Call(classes=ours.classes, threshold=threshold)
        sound = sound or _sound_of(source, ours.front_end, None)
        whole = adapt_network(ours.network, sound, ours.front_end, call, device)
        names = OutputNames(OUR_OUTPUT, ours.classes)
        return replace(whole, names=names, corpora=ours.corpora), sound
    network = load_network(source.model, source.weights, source.trust_pickle, source.backend)
    given = read_input_file(Path(source.input)) if source.input else (None, Call())
    seconds = (gan_output or FrontEnd()).seconds
    described, call = completed_specification(source.model, given, seconds)
    taken = described or (gan_output or FrontEnd()).generator_output
    sound = sound or _sound_of(source, taken, gan_output if call.fit else None)
    return adapt_network(network, sound, taken, call, device, source.trust_features), sound


def _sound_of(source: NetworkSource, taken: Input, extended: Input | None) -> WaveformInput:
    """The waveforms that an input `taken` by a network is made of, or of the length `extended`."""
    rate = taken.sound_rate
    if not rate:
        raise UsageError(
            f"{source.name}: takes {taken.plural}, not recordings; explain it with attribute"
        )
    return WaveformInput(
        sample_rate=rate, samples=math.ceil((extended or taken).seconds * rate - 1e-6)
    )
