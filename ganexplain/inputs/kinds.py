"""The kinds of input that a network takes, by the name that a specification has for them."""

from __future__ import annotations

from dataclasses import replace

from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput

Input = FrontEnd | ImageInput | WaveformInput


KINDS: dict[str, type[FrontEnd] | type[ImageInput] | type[WaveformInput]] = {
    "log-mel": FrontEnd,
    "image": ImageInput,
    "waveform": WaveformInput,
}


def generator_output_for(eaten: Input) -> Input:
    """What a GAN draws for a network that takes that: waveforms without a gain of their own."""
    if isinstance(eaten, WaveformInput):
        return replace(eaten, gain=1.0, standardise=False)
    return eaten
