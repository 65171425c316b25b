"""The kinds of input by the name that a specification has for them."""

from __future__ import annotations

from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.registry import Registry

KINDS: Registry[type[Input]] = Registry(
    Input,
    "ganexplain.inputs",
    {"log-mel": FrontEnd, "image": ImageInput, "waveform": WaveformInput},
    classes=True,
)
