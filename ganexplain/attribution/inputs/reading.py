"""Inputs to explain, read from files: one function for each kind of input."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, singledispatch

from ganexplain.attribution.inputs.excerpts import read_excerpts, read_log_mels, read_waveforms
from ganexplain.attribution.inputs.pictures import read_pictures
from ganexplain.attribution.inputs.piece import Piece
from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput


@singledispatch
def read_pieces(input_spec: Input, inputs: Sequence[str]) -> Sequence[Piece]:
    """Read the inputs of a command line; raises as `read_excerpts` and `read_pictures`."""
    raise UsageError(f"attribute: reads no {input_spec.plural} from files")


@read_pieces.register
def _log_mel(front_end: FrontEnd, inputs: Sequence[str]) -> Sequence[Piece]:
    return read_excerpts(inputs, partial(read_log_mels, front_end=front_end))


@read_pieces.register
def _waveforms(input_spec: WaveformInput, inputs: Sequence[str]) -> Sequence[Piece]:
    return read_excerpts(inputs, partial(read_waveforms, input_spec=input_spec))


@read_pieces.register
def _pictures(input_spec: ImageInput, inputs: Sequence[str]) -> Sequence[Piece]:
    return read_pictures(inputs, input_spec)
