"""Units are units: of each layer of many architectures, whatever axes its output has."""

from __future__ import annotations

import copy
import importlib.util
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from ganexplain.attribution.methods.grad_cam import convolutions, find_layer_of_map, grad_cam
from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import UsageError
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call, call_from
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.hooks import (
    last_hidden_layer,
    layer_output,
    layer_response,
    record_outputs,
    unit_response,
)
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.target import TargetNetwork, adapt_network
from ganexplain.networks.unit_syntax import parse_unit, parse_units

CPU = torch.device("cpu")
BANDS, FRAMES = 12, 18
INPUT = FrontEnd(mel_bands=BANDS, excerpt_frames=FRAMES)
Step = tuple[str, Any, str]  # its name, if it is a layer; a module or function; the axes behind it


def mel(rows: int = 3) -> Tensor:
    return torch.randn(rows, BANDS, FRAMES, generator=torch.Generator().manual_seed(4)) * 2 - 3


class Steps(nn.Module):
    """Steps one behind another; `values` of the last pass are copies, by name.

    `axes` are those of the output of a layer: b examples, u units, others places, 1 of length
    one; (bt) is folded. Without u there is one unit.
    """

    def __init__(self, *steps: Step) -> None:
        super().__init__()
        self.steps = steps
        self.values: dict[str, Any] = {}
        for name, step, _ in steps:
            if isinstance(step, nn.Module):
                self.add_module(name, step)

    def forward(self, x: Tensor) -> Tensor:
        value: Any = x
        for name, step, axes in self.steps:
            value = getattr(self, name)(value) if hasattr(self, name) else step(value)
            if axes and not (torch.jit.is_tracing() or torch.compiler.is_exporting()):
                self.values[name] = copy.deepcopy(value)
        return value


def in_order(output: Tensor, axes: str, examples: int) -> Tensor:
    """An output as (B, U, ...), by its axes as a test writes them."""
    if "(" in axes:
        folded = (examples, -1) if axes.startswith("(b") else (-1, examples)
        output = output.reshape(*folded, *output.shape[1:])
        axes = axes.replace("(", "").replace(")", "")
    if "u" not in axes:
        output, axes = output.unsqueeze(-1), axes + "u"
    if axes[-1] != "1":  # an axis of length one behind the units stays a place
        ones = [k for k, axis in enumerate(axes) if axis == "1"]
        output, axes = output.squeeze(ones), axes.replace("1", "")
    return output.permute(axes.index("b"), axes.index("u"),
                          *(k for k, axis in enumerate(axes) if axis not in "bu"))  # fmt: skip


def first(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else first(output[0])


# --- layers of the table ----------------------------------------------------------------------


class Functional(nn.Module):
    """A convolution without a module of torch's."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(outputs, inputs, 3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv1d(x, self.kernel).relu()


class Subclass(nn.Conv2d):
    """A convolution of another name, as in packages."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.pad(x, (1, 1, 1, 1)))


class ChannelNorm(nn.LayerNorm):
    """A LayerNorm of channels, as LayerNorm2d of ConvNeXt."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Residual(nn.Module):
    def __init__(self, inner: nn.Module, swapped: bool = False, newest_first: bool = False) -> None:
        super().__init__()
        self.inner, self.swapped, self.newest_first = inner, swapped, newest_first

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x.transpose(1, 2)).transpose(1, 2) if self.swapped else self.inner(x)
        return y + x if self.newest_first else x + y


class ConvNeXtBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm, self.wide = nn.LayerNorm(width), nn.Linear(width, 2 * width)
        self.narrow, self.scale = nn.Linear(2 * width, width), nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.narrow(functional.gelu(self.wide(y)))
        return x + y.permute(0, 3, 1, 2)


class Attention(nn.Module):
    def __init__(self, width: int, batch_first: bool) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(width, 2, batch_first=batch_first)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.inner(x, x, x)
        return found


class Windows(nn.Module):
    """Attention in windows of a channels-last map, as in Swin."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        b, h, w, c = x.shape
        y = x.view(b, h // 3, 3, w // 3, 3, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 9, c)
        y = self.attention(y, y, y)[0]
        y = y.view(b, h // 3, w // 3, 3, 3, c).permute(0, 1, 3, 2, 4, 5)
        return y.reshape(b, h, w, c)


class SqueezeExcitation(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(width, 2, 1), nn.Conv2d(2, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.up(self.down(x.mean((2, 3), keepdim=True)).relu())
        return gate.sigmoid() * x


class OwnRecurrence(nn.Module):
    """Writes its states into a tensor that it made before, with an axis of its own for time."""

    def __init__(self, inputs: int, units: int, time: int) -> None:
        super().__init__()
        self.cell, self.time = nn.GRUCell(inputs, units), time

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), self.cell.hidden_size)
        shape = [len(x), self.cell.hidden_size]
        shape.insert(self.time, x.shape[1])
        kept = x.new_zeros(shape)
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
            kept.select(self.time, step).copy_(state)
        return kept


class ControlFlow(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(2 if float(x.sum()) > 1e30 else 1):
            y = self.inner(x)
        return y


class Loud(nn.Module):
    """Puts out a truth value for each of its inputs."""

    def forward(self, x: Tensor) -> Tensor:
        return x > 0


class Product(nn.Module):
    """A function of an input and of layers, which are its later arguments."""

    def __init__(self, function: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.layers)


def graph_convolution(x: Tensor, edges: nn.Linear, dense: nn.Linear) -> Tensor:
    return edges.weight.softmax(1) @ dense(x)


def graph_convolution_by_weights(x: Tensor, edges: nn.Linear, dense: nn.Linear) -> Tensor:
    return edges.weight @ dense(x)


def mixed_by_an_equation(x: Tensor, tokens: nn.Linear) -> Tensor:
    return torch.einsum("b...c, st -> bsc", x, tokens.weight)


def time_first_by_an_equation(x: Tensor, weights: nn.Linear) -> Tensor:
    return torch.einsum("bft,of->tbo", x, weights.weight)


def statistics(x: Tensor, conv: nn.Conv1d) -> Tensor:
    left, right = conv(x).unflatten(1, (2, 4)).unbind(1)
    product = left * right
    return torch.stack([product.mean(2), product.std(2)], dim=2)


def stacked_cells(x: Tensor, first_cell: nn.LSTMCell, second_cell: nn.LSTMCell) -> Tensor:
    states: list[Any] = [None, tuple(x.new_zeros(2, len(x), 5))]
    found = []
    for values in x.unbind(2):
        states[0] = first_cell(values, states[0])
        states[1] = second_cell(states[0][0], states[1])
        found.append(states[1][0])
    return torch.stack(found)


def channel_first_attention(x: Tensor, *layers: nn.Module) -> Tensor:
    q, k, v = (layer(x) for layer in layers)
    return torch.bmm(v, torch.bmm(q.mT, k).softmax(-1).mT)


def attention_pooling(x: Tensor, weights: nn.Module) -> Tensor:
    return torch.bmm(x, weights(x).softmax(-1).mT)


def product_by_computed_weights(x: Tensor, weights: nn.Module) -> Tensor:
    return torch.bmm(weights(x.mean(2)).view(-1, 5, BANDS), x)


def linear_attention(x: Tensor, *layers: nn.Module) -> Tensor:
    q, k, v = (layer(x).unflatten(1, (2, 4)) for layer in layers)  # (B, heads, 4, frames)
    sums = torch.einsum("bhdn,bhen->bhde", k.softmax(-1), v)
    return torch.einsum("bhdn,bhde->bhen", q.softmax(2), sums).flatten(1, 2)


def bilinear(x: Tensor, layer: nn.Module) -> Tensor:
    found: Tensor = layer(x, x)
    return found


def chosen_tokens(x: Tensor, scores: nn.Module) -> Tensor:
    best = scores(x).squeeze(-1).topk(4, 1).indices
    return x.gather(1, best[..., None].expand(-1, -1, x.shape[2]))


def scores_by_a_vector(x: Tensor, vector: nn.Linear) -> Tensor:
    return x @ vector.weight[0]


def prototypes(x: Tensor, vectors: nn.Linear) -> Tensor:
    return ((x[:, :, None] - vectors.weight) ** 2).sum(-1)


def heads_of_one_class(x: Tensor, *heads: nn.Module) -> Tensor:
    return torch.stack([each(x).squeeze(-1) for each in heads], -1)


def curve_by_steps(x: Tensor, *layers: nn.Module) -> Tensor:
    cell, dense = layers
    state, found = x.new_zeros(len(x), 6), []
    for values in x.unbind(2):
        state = cell(values, state)
        found.append(dense(state)[:, 0])
    return torch.stack(found, 1)


def joined_curve(x: Tensor, *layers: nn.Module) -> Tensor:
    cell, dense = layers
    state, found = x.new_zeros(len(x), 6), []
    for frame in range(x.shape[2]):
        state = cell(x[:, :, frame], state)
        found.append(dense(torch.cat([x[:, :, frame], state], 1)))
    return torch.cat(found, 1)


def curve_of_chunks(x: Tensor, *layers: nn.Module) -> Tensor:
    gru, dense = layers
    state, found = None, []
    for frame in range(x.shape[1]):
        values, state = gru(x[:, frame : frame + 1], state)
        found.append(dense(values[:, -1]))
    return torch.cat(found, 1)


def masked_sound(x: Tensor, dense: nn.Module) -> Tensor:
    """A sound (B, samples) from one (B, samples), by a mask of its spectrum."""
    window = torch.hann_window(8)
    spectra = torch.stft(x, 8, 2, window=window, return_complex=True)
    mask = dense(spectra.abs().mT).sigmoid().mT
    return torch.istft(spectra * mask, 8, 2, window=window, length=x.shape[1])


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.bottom = nn.Conv2d(4, 6, 3, padding=1)
        self.up = nn.ConvTranspose2d(6, 3, 2, stride=2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        down = self.down(x).relu()
        bottom = self.bottom(down)
        return {"masks": self.up(bottom), "bottom": x, "edges": down}


def swap(x: Tensor) -> Tensor:
    return x.transpose(1, 2)


def by_frames(x: Tensor) -> Tensor:
    return x.transpose(1, 2).reshape(-1, 1, BANDS)


def tokens(x: Tensor) -> Tensor:
    return (x.mean(1) > -3).long() + 1


def spectrum(x: Tensor) -> Tensor:
    """Magnitudes (B, bins, frames) of the sum over bands as a sound."""
    window = torch.ones(8)
    return torch.stft(x.mean(1), 8, 2, window=window, return_complex=True).abs()


def patches(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def shuffled(x: Tensor) -> Tensor:
    """Channels exchanged between two groups, as in ShuffleNet."""
    return x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)


def encoder(batch_first: bool, norm_first: bool = False) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 10, batch_first=batch_first, norm_first=norm_first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def frames_first() -> Step:
    return "", lambda x: x.permute(2, 0, 1), ""


SWAP: Step = ("", swap, "")
PICTURE: Step = ("", lambda x: x[:, None], "")
MEAN: Step = ("", lambda x: first(x).mean(1), "")
LAST: Step = ("", lambda x: first(x)[:, -1], "")
OVER_TIME: Step = ("", lambda x: x.mean(2), "")
OVER_MAP: Step = ("", lambda x: x.mean((2, 3)), "")


def head(inputs: int) -> Step:
    return "head", nn.Linear(inputs, 2), "bu"


CASES: dict[str, Callable[[], Sequence[Step]]] = {
    "conv2d": lambda: [
        PICTURE,
        ("conv", nn.Conv2d(1, 4, 3), "bucd"),
        ("bn", nn.BatchNorm2d(4), "bucd"),
        ("pool", nn.MaxPool2d(2), "bucd"),
        ("flat", nn.Flatten(), "bu"),
        head(160),
    ],
    "conv1d": lambda: [
        ("conv", nn.Conv1d(12, 6, 3), "but"),
        ("act", nn.ReLU(inplace=True), "but"),
        OVER_TIME,
        head(6),
    ],
    "lstm": lambda: [SWAP, ("lstm", nn.LSTM(12, 7, batch_first=True), "btu"), LAST, head(7)],
    "lstm of time first": lambda: [
        frames_first(),
        ("lstm", nn.LSTM(12, 7), "tbu"),
        ("", lambda x: x[0][-1], ""),
        head(7),
    ],
    "gru in both directions": lambda: [
        SWAP,
        ("gru", nn.GRU(12, 5, 2, batch_first=True, bidirectional=True), "btu"),
        MEAN,
        head(10),
    ],
    "gru of time first": lambda: [
        frames_first(),
        ("gru", nn.GRU(12, 5), "tbu"),
        ("", first, ""),
        ("frames", nn.Linear(5, 4), "tbu"),
        ("", lambda x: x.mean(0), ""),
        head(4),
    ],
    "rnn": lambda: [
        SWAP,
        ("rnn", nn.RNN(12, 5, batch_first=True), "btu"),
        ("", first, ""),
        ("drop", nn.Dropout(), "btu"),
        MEAN,
        head(5),
    ],
    "own recurrence": lambda: [SWAP, ("own", OwnRecurrence(12, 5, 1), "btu"), MEAN, head(5)],
    "own recurrence, time last": lambda: [
        SWAP,
        ("own", OwnRecurrence(12, 5, 2), "but"),
        OVER_TIME,
        head(5),
    ],
    "attention": lambda: [SWAP, ("attention", Attention(12, True), "btu"), MEAN, head(12)],
    "attention of time first": lambda: [
        frames_first(),
        ("attention", Attention(12, False), "tbu"),
        ("", lambda x: x[0].mean(0), ""),
        head(12),
    ],
    "transformer": lambda: [
        SWAP,
        ("project", nn.Linear(12, 8), "btu"),
        ("encoder", encoder(True), "btu"),
        MEAN,
        head(8),
    ],
    "transformer of time first": lambda: [
        frames_first(),
        ("project", nn.Linear(12, 8), "tbu"),
        ("encoder", encoder(False, True), "tbu"),
        ("", lambda x: x.mean(0), ""),
        head(8),
    ],
    "transformer with a class token": lambda: [
        PICTURE,
        ("patches", nn.Conv2d(1, 8, 3, stride=3), "bucd"),
        ("", patches, ""),
        ("encoder", encoder(True), "btu"),
        ("norm", nn.LayerNorm(8), "btu"),
        ("", lambda x: x[:, 0], ""),
        head(8),
    ],
    "convnext": lambda: [
        PICTURE,
        ("stem", nn.Conv2d(1, 6, 2, stride=2), "bucd"),
        ("block", ConvNeXtBlock(6), "bucd"),
        OVER_MAP,
        head(6),
    ],
    "convnext of square maps": lambda: [
        PICTURE,
        ("stem", nn.Conv2d(1, 4, (3, 4), stride=(3, 4)), "bucd"),
        ("block", ConvNeXtBlock(4), "bucd"),
        OVER_MAP,
        head(4),
    ],
    "norm of channels": lambda: [
        PICTURE,
        ("stem", nn.Conv2d(1, 6, 2, stride=2), "bucd"),
        ("norm", ChannelNorm(6), "bucd"),
        OVER_MAP,
        head(6),
    ],
    "channels last": lambda: [
        PICTURE,
        ("stem", nn.Conv2d(1, 4, 3), "bucd"),
        ("", lambda x: x.permute(0, 2, 3, 1), ""),
        ("dense", nn.Linear(4, 5), "bcdu"),
        ("act", nn.GELU(), "bcdu"),
        ("", lambda x: x.mean((1, 2)), ""),
        head(5),
    ],
    "windows": lambda: [
        PICTURE,
        ("", lambda x: x.permute(0, 2, 3, 1), ""),
        ("project", nn.Linear(1, 4), "bcdu"),
        ("windows", Windows(4), "bcdu"),
        ("", lambda x: x.mean((1, 2)), ""),
        head(4),
    ],
    "mixer": lambda: [
        SWAP,
        ("project", nn.Linear(12, 6), "btu"),
        ("tokens", Residual(nn.Linear(18, 18), True, True), "btu"),
        ("channels", Residual(nn.Linear(6, 6)), "btu"),
        MEAN,
        head(6),
    ],
    "tokens": lambda: [
        ("", tokens, ""),
        ("embedding", nn.Embedding(4, 5), "btu"),
        ("conv", nn.Conv1d(18, 3, 2), "but"),
        OVER_TIME,
        head(3),
    ],
    "frames folded before examples": lambda: [
        ("", lambda x: x.permute(2, 0, 1).reshape(-1, BANDS), ""),
        ("dense", nn.Linear(12, 4), "(tb)u"),
        ("loud", Loud(), "(tb)u"),
        ("", lambda x: x.float().view(FRAMES, -1, 4).mean(0), ""),
        head(4),
    ],
    "folded frames": lambda: [
        ("", by_frames, ""),
        ("conv", nn.Conv1d(1, 4, 5), "(bt)uc"),
        OVER_TIME,
        ("dense", nn.Linear(4, 3), "(bt)u"),
        ("", lambda x: x.view(-1, FRAMES, 3), ""),
        ("gru", nn.GRU(3, 4, batch_first=True), "btu"),
        LAST,
        head(4),
    ],
    "crnn": lambda: [
        PICTURE,
        ("conv", nn.Conv2d(1, 3, 3, padding=1), "bucd"),
        ("", lambda x: x.flatten(1, 2).transpose(1, 2), ""),
        ("gru", nn.GRU(36, 4, batch_first=True, bidirectional=True), "btu"),
        MEAN,
        head(8),
    ],
    "ecapa": lambda: [
        ("conv", nn.Conv1d(12, 6, 3), "but"),
        ("", lambda x: x.mean(2, keepdim=True), ""),
        ("fc", nn.Conv1d(6, 5, 1), "bu1"),
        ("turned", nn.Sequential(), "bu1"),
        ("", swap, ""),
        ("id", nn.Identity(), "b1u"),
    ],
    "frame-wise": lambda: [
        SWAP,
        ("gru", nn.GRU(12, 5, batch_first=True), "btu"),
        ("", first, ""),
        ("classes", nn.Linear(5, 3), "btu"),
        ("act", nn.Sigmoid(), "btu"),
    ],
    "frame-wise, one class": lambda: [
        SWAP,
        ("gru", nn.GRU(12, 5, batch_first=True), "btu"),
        ("", first, ""),
        ("class", nn.Linear(5, 1), "btu"),
    ],
    "dilated": lambda: [
        ("a", nn.Conv1d(12, 6, 3, dilation=2), "but"),
        ("b", Residual(nn.Conv1d(6, 6, 3, padding=4, dilation=4), newest_first=True), "but"),
        ("gate", nn.GLU(1), "but"),
        OVER_TIME,
        head(3),
    ],
    "depthwise": lambda: [
        ("depth", nn.Conv1d(12, 12, 3, groups=12), "but"),
        ("point", nn.Conv1d(12, 5, 1), "but"),
        ("group", nn.GroupNorm(1, 5), "but"),
        ("instance", nn.InstanceNorm1d(5), "but"),
        OVER_TIME,
        head(5),
    ],
    "squeeze-excitation": lambda: [
        PICTURE,
        ("conv", nn.Conv2d(1, 4, 3), "bucd"),
        ("se", SqueezeExcitation(4), "bucd"),
        OVER_MAP,
        head(4),
    ],
    "shuffled": lambda: [
        PICTURE,
        ("conv", nn.Conv2d(1, 8, 3), "bucd"),
        ("", shuffled, ""),
        ("id", nn.Identity(), "bucd"),
        ("pixels", nn.PixelShuffle(2), "bucd"),
        OVER_MAP,
        head(2),
    ],
    "functional": lambda: [("conv", Functional(12, 5), "but"), OVER_TIME, head(5)],
    "subclass": lambda: [PICTURE, ("conv", Subclass(1, 4, 3), "bucd"), OVER_MAP, head(4)],
    "weight norm": lambda: [
        ("conv", nn.utils.weight_norm(nn.Conv1d(12, 4, 3)), "but"),
        OVER_TIME,
        head(4),
    ],
    "parametrised": lambda: [
        ("conv", parametrizations.weight_norm(nn.Conv1d(12, 4, 3)), "but"),
        ("other", parametrizations.spectral_norm(nn.Conv1d(4, 5, 3)), "but"),
        OVER_TIME,
        head(5),
    ],
    "spectral norm": lambda: [
        SWAP,
        ("dense", nn.utils.spectral_norm(nn.Linear(12, 4)), "btu"),
        MEAN,
        head(4),
    ],
    "lazy": lambda: [
        ("conv", nn.LazyConv1d(4, 3), "but"),
        ("bn", nn.LazyBatchNorm1d(), "but"),
        OVER_TIME,
        ("head", nn.LazyLinear(2), "bu"),
    ],
    "control flow": lambda: [("flow", ControlFlow(nn.Conv1d(12, 4, 3)), "but"), OVER_TIME, head(4)],
    "spectra inside": lambda: [
        ("", spectrum, ""),
        ("conv", nn.Conv1d(5, 4, 3), "but"),
        OVER_TIME,
        head(4),
    ],
    "filterbank": lambda: [
        ("", lambda x: torch.matmul(torch.ones(5, BANDS), x), ""),
        ("bank", nn.Identity(), "but"),
        ("conv", nn.Conv1d(5, 4, 3), "but"),
        OVER_TIME,
        head(4),
    ],
    "equations": lambda: [
        ("", lambda x: torch.einsum("bft,of->bto", x, torch.ones(5, BANDS)), ""),
        ("sums", nn.Identity(), "btu"),
        MEAN,
        head(5),
    ],
    "unet": lambda: [
        PICTURE,
        ("unet", UNet(), "bucd"),
        ("", lambda x: x["masks"].mean((2, 3)), ""),
        ("head", nn.Linear(3, 2), "bu"),
    ],
    "data parallel inside": lambda: [
        SWAP,
        ("wrapped", nn.DataParallel(nn.GRU(12, 4, batch_first=True)), "btu"),
        MEAN,
        head(4),
    ],
    "compiled inside": lambda: [
        ("wrapped", torch.compile(nn.Conv1d(12, 4, 3), backend="eager"), "but"),
        OVER_TIME,
        head(4),
    ],
    "one output": lambda: [
        ("conv", nn.Conv1d(12, 1, 3), "but"),
        ("mean", nn.AdaptiveAvgPool1d(1), "bu1"),
        ("flat", nn.Flatten(), "bu"),
    ],
    "rms norm": lambda: [
        SWAP,
        ("project", nn.Linear(12, 18), "btu"),
        ("norm", nn.RMSNorm(18), "btu"),
        MEAN,
        head(18),
    ],
    "upsampled": lambda: [
        PICTURE,
        ("conv", nn.Conv2d(1, 3, 3), "bucd"),
        ("up", nn.Upsample(scale_factor=2), "bucd"),
        OVER_MAP,
        head(3),
    ],
    "graph convolution": lambda: [
        SWAP,
        ("dense", nn.Linear(12, 8), "btu"),
        ("graph", Product(graph_convolution, nn.Linear(18, 18), nn.Linear(8, 5)), "btu"),
        MEAN,
        head(5),
    ],
    "graph convolution by weights": lambda: [
        SWAP,
        (
            "graph",
            Product(graph_convolution_by_weights, nn.Linear(18, 18), nn.Linear(12, 5)),
            "btu",
        ),
        MEAN,
        head(5),
    ],
    "tokens mixed by an equation": lambda: [
        SWAP,
        ("project", nn.Linear(12, 6), "btu"),
        ("mixed", Product(mixed_by_an_equation, nn.Linear(18, 18)), "btu"),
        MEAN,
        head(6),
    ],
    "time first by an equation": lambda: [
        ("product", Product(time_first_by_an_equation, nn.Linear(12, 5)), "tbu"),
        ("", lambda x: x.mean(0), ""),
        head(5),
    ],
    "statistics": lambda: [
        ("both", Product(statistics, nn.Conv1d(12, 8, 3)), "buc"),
        ("", lambda x: x.mean(2), ""),
        head(4),
    ],
    "stacked cells": lambda: [
        ("cells", Product(stacked_cells, nn.LSTMCell(12, 5), nn.LSTMCell(5, 5)), "tbu"),
        ("", lambda x: x.mean(0), ""),
        head(5),
    ],
    "norm of bands": lambda: [
        PICTURE,
        ("conv", nn.Conv2d(1, 4, 3, padding=1), "bucd"),
        ("", lambda x: x.transpose(2, 3), ""),
        ("norm", nn.LayerNorm(12), "bucd"),
        OVER_MAP,
        head(4),
    ],
    "time in chunks, as in CLAP": lambda: [
        ("norm", nn.BatchNorm1d(12), "but"),
        ("", lambda x: x.unflatten(2, (3, 6)).permute(0, 2, 1, 3).flatten(1, 2)[:, None], ""),
        ("conv", nn.Conv2d(1, 4, 3, padding=1), "bucd"),
        ("", lambda x: x.permute(0, 2, 3, 1).reshape(-1, 6, 6, 6, 4), ""),
        ("norm_of_windows", nn.LayerNorm(4), "bwcdu"),
        ("", lambda x: x.mean((1, 2, 3)), ""),
        head(4),
    ],
    "a number for each frame": lambda: [
        SWAP,
        ("gru", nn.GRU(12, 5, batch_first=True), "btu"),
        ("", first, ""),
        ("class", nn.Linear(5, 1), "btu"),
        ("", lambda x: x[..., 0], ""),
        ("act", nn.Sigmoid(), "bt"),
    ],
    "a number for each frame, time first": lambda: [
        ("conv", nn.Conv1d(12, 1, 3, stride=2), "but"),
        ("", lambda x: x.squeeze(1).T, ""),
        ("act", nn.Sigmoid(), "tb"),
    ],
    "a mask": lambda: [
        PICTURE,
        ("conv", nn.Conv2d(1, 1, 3, padding=1), "bucd"),
        ("", lambda x: x.squeeze(1), ""),
        ("act", nn.Sigmoid(), "bcd"),
    ],
    "attention of channels first": lambda: [
        ("conv", nn.Conv1d(12, 8, 1), "but"),
        (
            "mixed",
            Product(channel_first_attention, *(nn.Conv1d(8, n, 1) for n in (2, 2, 8))),
            "but",
        ),
        OVER_TIME,
        head(8),
    ],
    "attention pooling": lambda: [
        ("conv", nn.Conv1d(12, 8, 1), "but"),
        ("pool", Product(attention_pooling, nn.Conv1d(8, 3, 1)), "buc"),
        ("act", nn.ReLU(), "buc"),
        OVER_TIME,
        head(8),
    ],
    "pooling to one place": lambda: [
        ("conv", nn.Conv1d(12, 8, 1), "but"),
        ("pool", Product(attention_pooling, nn.Conv1d(8, 1, 1)), "buc"),
        ("act", nn.ReLU(), "buc"),
        OVER_TIME,
        head(8),
    ],
    "computed weights": lambda: [
        ("product", Product(product_by_computed_weights, nn.Linear(12, 60)), "but"),
        OVER_TIME,
        head(5),
    ],
    "bilinear": lambda: [
        SWAP,
        ("product", Product(bilinear, nn.Bilinear(12, 12, 5)), "btu"),
        MEAN,
        head(5),
    ],
    "chosen tokens": lambda: [
        SWAP,
        ("project", nn.Linear(12, 6), "btu"),
        ("chosen", Product(chosen_tokens, nn.Linear(6, 1)), "btu"),
        MEAN,
        head(6),
    ],
    "scores by a vector": lambda: [
        SWAP,
        ("project", nn.Linear(12, 6), "btu"),
        ("scores", Product(scores_by_a_vector, nn.Linear(6, 1)), "bt"),
    ],
    "prototypes": lambda: [
        ("conv", nn.Conv1d(12, 5, 3), "but"),
        ("", swap, ""),
        ("distances", Product(prototypes, nn.Linear(5, 7)), "btu"),
        MEAN,
        head(7),
    ],
    "heads of one class": lambda: [
        SWAP,
        ("project", nn.Linear(12, 5), "btu"),
        ("heads", Product(heads_of_one_class, *(nn.Linear(5, 1) for _ in range(4))), "btu"),
    ],
    "a curve by steps": lambda: [
        ("curve", Product(curve_by_steps, nn.GRUCell(12, 6), nn.Linear(6, 1)), "bt"),
    ],
    "a joined curve": lambda: [
        ("curve", Product(joined_curve, nn.GRUCell(12, 6), nn.Linear(18, 1)), "bt"),
    ],
    "a curve of chunks": lambda: [
        SWAP,
        ("curve", Product(curve_of_chunks, nn.GRU(12, 6, batch_first=True), nn.Linear(6, 1)), "bt"),
    ],
    "sound by a mask": lambda: [
        ("", lambda x: x.mean(1), ""),
        ("sound", Product(masked_sound, nn.Linear(5, 5)), "bt"),
    ],
    "linear attention": lambda: [
        ("conv", nn.Conv1d(12, 8, 1), "but"),
        ("mixed", Product(linear_attention, *(nn.Conv1d(8, 8, 1) for _ in range(3))), "but"),
        OVER_TIME,
        head(8),
    ],
}


def network_of(case: str) -> Steps:
    torch.manual_seed(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old forms of normalised weights
        return Steps(*CASES[case]()).eval()


def adapted(network: nn.Module, call: Call | None = None) -> TargetNetwork:
    return adapt_network(network, INPUT, None, call or Call(), CPU)


def wanted(network: Steps, x: Tensor) -> dict[str, Tensor]:
    """The outputs (B, U, ...) of the named steps, without hooks."""
    with torch.no_grad():
        network(x)
    found = {}
    for name, _, axes in network.steps:
        if axes:
            value = network.values[name]
            value = next(iter(value.values())) if isinstance(value, dict) else first(value)
            found[name] = in_order(value.float(), axes, len(x))
    return found


def recorded(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    with torch.no_grad(), record_outputs(network, named_layers(network)) as outputs:
        network(x)
    return outputs


# `make test` measures lines with SlipCover, whose probes torch.compile cannot trace, so the case
# with it is one of the slow ones.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.slow if case == "compiled inside" else ())
        for case in CASES
    ],
)
def test_all_units_of_all_layers_are_those_of_a_plain_pass(case: str) -> None:
    network, x = network_of(case), mel()
    found = adapted(network).network
    expected = wanted(network, x)
    outputs = recorded(found, x)
    for layer, value in expected.items():
        torch.testing.assert_close(outputs[layer], value, atol=1e-5, rtol=1e-5, msg=layer)
    last = list(expected)[-1]
    torch.testing.assert_close(outputs["output"], expected[last], atol=1e-5, rtol=1e-5)
    hidden = next(iter(expected))
    with torch.no_grad(), layer_response(found, hidden) as respond:
        means = (
            expected[hidden].flatten(2).mean(2) if expected[hidden].ndim > 2 else expected[hidden]
        )
        torch.testing.assert_close(respond(x), means, atol=1e-5, rtol=1e-5)
    assert not any("parametrizations" in layer for layer in named_layers(found))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "case",
    ["time first by an equation", "stacked cells", "gru of time first", "transformer",
     "a number for each frame, time first", "statistics"],
)  # fmt: skip
def test_so_are_those_of_networks_that_get_one_input_at_a_time(case: str) -> None:
    network, x = network_of(case), mel()
    expected = wanted(network, x)
    outputs = recorded(adapted(network, Call(batch=1)).network, x)
    for layer, value in expected.items():
        torch.testing.assert_close(outputs[layer], value, atol=1e-5, rtol=1e-5, msg=layer)


def test_the_table_is_large() -> None:
    assert len(CASES) >= 40


# --- other outputs, and other axes of the units -----------------------------------------------


def test_later_parts_of_an_output_are_layers_too() -> None:
    network = adapted(network_of("lstm")).network
    lstm, x = network.get_submodule("explained.lstm"), mel()
    with torch.no_grad():
        _, (state, cell) = lstm(swap(x))
    outputs = recorded(network, x)
    torch.testing.assert_close(outputs["lstm.1.0"], state[0])
    torch.testing.assert_close(outputs["lstm.1.1"], cell[0])
    assert "lstm.0" not in outputs  # that is `lstm`
    network = adapted(network_of("attention")).network
    attention = network.get_submodule("explained.attention")
    with torch.no_grad():
        weights = attention(swap(x))[1]
    torch.testing.assert_close(recorded(network, x)["attention.1"], swap(weights))


def test_parts_of_a_mapping_have_its_names() -> None:
    network = adapted(network_of("unet")).network
    with torch.no_grad():
        edges = network.get_submodule("explained.unet")(mel()[:, None])["edges"]
    outputs = recorded(network, mel())
    torch.testing.assert_close(outputs["unet.edges"], edges)
    assert outputs["unet.bottom"].shape == (3, 6, 6, 9)  # the layer, not the part of that name


@pytest.mark.parametrize("units", ["first", "last"])
def test_the_axis_of_the_units_can_be_named(units: str) -> None:
    network, x = network_of("transformer"), mel()
    tokens_of = network.get_submodule("project")
    with torch.no_grad():
        plain = tokens_of(swap(x))  # (B, frames, 8)
    value = plain if units == "first" else swap(plain)
    everywhere = adapted(network, Call(units=units)).network
    torch.testing.assert_close(recorded(everywhere, x)["project"], value)
    of_one = adapted(network).network
    with torch.no_grad(), layer_output(of_one, f"project@{units}") as run:
        torch.testing.assert_close(run(x), value)
    (unit,) = parse_units([f"project@{units}:7"], "0", of_one, x[:1])
    assert str(unit) == f"project@{units}:7"
    assert str(
        parse_unit(f"project@{units}", of_one, x[:1], adapted(network).names, "--target")
    ) == (f"project@{units}:0")


def test_an_unknown_axis_of_the_units_is_refused() -> None:
    with pytest.raises(UsageError, match=r"network: units.*did you mean 'last'"):
        call_from("--input i.toml", {"units": "lats"})
    with pytest.raises(UsageError, match="no layer 'project@middle'"):
        parse_units(["project@middle"], "0", adapted(network_of("transformer")).network, mel(1))


def test_axes_are_named_by_what_they_count() -> None:
    def named(case: str, layer: str) -> str:
        return str(named_layers(adapted(network_of(case)).network)[layer].axes)

    assert named("gru in both directions", "gru") == "frames 18 x units 10"
    assert named("conv2d", "conv") == "units 4 x bands 10 x frames 16"
    assert named("convnext", "block.wide") == "bands 6 x frames 9 x units 12"
    assert named("transformer of time first", "encoder") == "frames 18 x units 8"
    assert named("folded frames", "conv") == "frames 18 x units 4 x bands 8"
    assert named("ecapa", "id") == "units 5"
    assert named("a number for each frame", "act") == "units 1 x frames 18"
    assert named("stacked cells", "cells") == "frames 18 x units 5"
    clap = "time in chunks, as in CLAP"
    assert named(clap, "conv") == "units 4 x bands/blocks of frames 36 x frames 6"
    blocks = "blocks of bands/blocks of frames 6 x bands 6 x frames 6 x units 4"
    assert named(clap, "norm_of_windows") == blocks
    assert named("norm of bands", "norm") == "units 4 x frames 18 x bands 12"


class OneByOne(nn.Module):
    """Takes one input alone, and has layers with time before the examples."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.dense = nn.GRU(BANDS, 5), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.gru(x.view(1, BANDS, FRAMES).permute(2, 0, 1))[0]
        return self.dense(frames)[-1]


def test_so_are_units_of_a_network_that_takes_one_input_at_a_time() -> None:
    network, x = OneByOne().eval(), mel()
    outputs = recorded(adapted(network, Call(batch=1)).network, x)
    with torch.no_grad():
        gru = torch.cat([network.gru(one.permute(2, 0, 1))[0] for one in x.split(1)], dim=1)
        torch.testing.assert_close(outputs["gru"], gru.permute(1, 2, 0))
        torch.testing.assert_close(outputs["dense"], network.dense(gru).permute(1, 2, 0))


class Folded(nn.Module):
    """Computes with examples and frames folded on one axis (B*T, F)."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.head = nn.Linear(BANDS, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.dense(x.mT.reshape(-1, BANDS))
        return self.head(frames.view(-1, FRAMES, 5).mean(1))


def test_so_are_units_of_folded_examples_that_run_one_by_one() -> None:
    torch.manual_seed(2)
    network, x = Folded().eval(), mel()
    for batch in (1, 2):
        outputs = recorded(adapted(network, Call(batch=batch)).network, x)
        torch.testing.assert_close(outputs["dense"], network.dense(x.mT).mT)


def test_the_frames_of_an_output_of_one_class_can_be_made_units() -> None:
    network, x = network_of("a number for each frame"), mel()
    expected = wanted(network, x)["act"]
    found = adapted(network, Call(units="last"))
    assert (found.outputs, adapted(network).outputs) == (FRAMES, 1)
    with torch.no_grad():
        torch.testing.assert_close(found.network(x), expected[:, 0])


def test_classes_are_those_of_a_frame_wise_output() -> None:
    found = adapted(network_of("frame-wise"), Call(classes=("a", "b", "c")))
    assert found.outputs == 3
    (unit,) = parse_units(["output"], "b", found.network, mel(1), found.names)
    assert str(unit) == "output:1" and found.class_of(unit) == "b"


def test_a_layer_that_mixes_examples_is_not_listed() -> None:
    class Mixing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.similar, self.head = nn.Identity(), nn.Linear(BANDS * FRAMES, 2)

        def forward(self, x: Tensor) -> Tensor:
            rows = x.flatten(1)
            self.similar(rows @ rows.T)
            return self.head(rows)

    assert list(named_layers(adapted(Mixing()).network)) == ["head", "output"]


# --- convolutions are known by what they compute ----------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("case", "found"),
    [
        ("functional", ["conv"]),
        ("subclass", ["conv"]),
        ("parametrised", ["conv", "other"]),
        ("weight norm", ["conv"]),
        ("lazy", ["conv"]),
        ("unet", ["unet.down", "unet.bottom", "unet.up"]),
        ("transformer", []),
    ],
)
def test_convolutions_are_known_by_what_they_compute(case: str, found: list[str]) -> None:
    assert convolutions(adapted(network_of(case)).network, (1, 2)) == found


@pytest.mark.parametrize(
    ("case", "layer"),
    [("functional", "conv"), ("crnn", "gru"), ("transformer", "encoder.layers.1.linear2")],
)
def test_features_are_those_of_the_last_hidden_layer_with_weights(case: str, layer: str) -> None:
    assert last_hidden_layer(adapted(network_of(case)).network) == layer


def test_a_map_is_of_the_last_convolution_over_places() -> None:
    network = adapted(network_of("squeeze-excitation")).network
    assert find_layer_of_map(network, network, mel(1))[0] == "conv"
    with pytest.raises(UsageError, match=r"se\.up: its output has one place; name one of conv$"):
        find_layer_of_map(network, network, mel(1), "se.up")


# --- files and directions ---------------------------------------------------------------------

IN_FILES = ("gru in both directions", "transformer of time first", "convnext", "folded frames")
NEEDS_ONNX = pytest.mark.skipif(
    importlib.util.find_spec("onnx") is None, reason="onnx is not installed"
)


def file_of(network: nn.Module, form: str, folder: Path) -> Path:
    """The network in a file that takes batches of any length."""
    example = mel()
    path = folder / {"traced": "n.pt", "exported": "n.pt2", "onnx": "n.onnx"}[form]
    if form == "traced":
        torch.jit.save(torch.jit.trace(network, example), str(path))
    elif form == "exported":
        free = ({0: torch.export.Dim("batch")},)
        torch.export.save(torch.export.export(network, (example,), dynamic_shapes=free), path)
    else:
        torch.onnx.export(
            network, (example,), str(path), dynamo=False, input_names=["mel"],
            dynamic_axes={"mel": {0: "batch"}},
        )  # fmt: skip
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("case", "form"),
    [
        *((case, "traced") for case in IN_FILES),
        *(pytest.param(case, "onnx", marks=NEEDS_ONNX) for case in IN_FILES),
        ("convnext", "exported"),
    ],
)
def test_so_are_those_of_networks_in_files(case: str, form: str, tmp_path: Path) -> None:
    network, x = network_of(case), mel()
    expected = wanted(network, x)
    outputs = recorded(adapted(load_network(str(file_of(network, form, tmp_path)))).network, x)
    for layer, value in expected.items():
        # A node of ONNX has a name of its own, and some compute a part of a layer.
        candidates = outputs.values() if form == "onnx" else [outputs[layer]]
        found = any(
            each.shape == value.shape and torch.allclose(each, value, atol=1e-4, rtol=1e-4)
            for each in candidates
        )
        assert found, layer


def test_a_direction_weighs_the_units_of_a_transformer(tmp_path: Path) -> None:
    network, x = network_of("transformer"), mel()
    tokens_of = wanted(network, x)["encoder"]  # (B, 8, frames)
    vector = np.random.default_rng(0).standard_normal(8).astype(np.float32)
    np.save(tmp_path / "feature.npy", vector)
    found = adapted(network).network
    (unit,) = parse_units([f"encoder:{tmp_path}/feature.npy"], "0", found, x[:1])
    with torch.no_grad(), unit_response(found, unit) as respond:
        torch.testing.assert_close(respond(x), tokens_of.mean(2) @ torch.from_numpy(vector))


# --- maps are upright -------------------------------------------------------------------------


class Mapped(nn.Module):
    """Convolutions of (B, 1, bands, frames), or of the transposed input with transposed kernels."""

    def __init__(self, transposed: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.line = nn.Conv2d(1, 3, (3, 5), padding=(1, 2)), nn.Conv1d(BANDS, 4, 3)
        self.head = nn.Linear(7, 2)
        if transposed:
            self.conv.weight.data = self.conv.weight.data.mT.contiguous()
            self.conv.padding = (2, 1)
        self.transposed = transposed

    def forward(self, x: Tensor) -> Tensor:
        planes = self.conv(x[:, None]).relu()
        lines = self.line(x.mT if self.transposed else x)
        return self.head(torch.cat([planes.mean((2, 3)), lines.mean(2)], dim=1))


@pytest.mark.parametrize("layer", ["conv", "line"])
def test_the_map_of_a_transposed_network_is_that_of_the_same_network(layer: str) -> None:
    x = mel(1)
    maps = []
    for layout in ("FT", "TF"):
        network = adapted(Mapped(layout == "TF").eval(), Call(layout=layout)).network
        maps.append(grad_cam(network, Scorer(network, 1), x[0], layer))
    torch.testing.assert_close(maps[0], maps[1])
    assert maps[0].shape == {"conv": (BANDS, FRAMES), "line": (1, FRAMES - 2)}[layer]


def test_a_map_over_bands_alone_is_a_column() -> None:
    network = adapted(nn.Sequential(nn.Conv1d(FRAMES, 3, 3), nn.ReLU(), nn.Flatten()),
                      Call(layout="TF")).network  # fmt: skip
    assert grad_cam(network, Scorer(network, 1, outputs="activations"), mel(1)[0]).shape == (10, 1)


def test_patches_on_one_axis_are_no_map() -> None:
    network = adapted(network_of("transformer with a class token")).network
    with pytest.raises(UsageError, match=r"encoder: its output has no places of a map; .*patches$"):
        find_layer_of_map(network, network, mel(1), "encoder")


class FrameWise(nn.Module):
    """A convolution whose pooling over bands can be computed faster, and a class for each frame."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d((12, 1))
        self.dense = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        frames: Tensor = self.dense(self.pool(self.conv(x[:, None]))[:, :, 0].transpose(1, 2))
        return frames


def test_a_faster_form_reads_the_same_units() -> None:
    network, x = FrameWise().eval(), mel()
    found = adapted(network).network
    fast = optimize_frozen(found, x, keep=["explained.dense"])
    assert fast is not found
    with torch.no_grad():
        expected = swap(network(x))
    for layer in ("dense", "output"):
        with torch.no_grad(), layer_output(fast, layer) as run:
            torch.testing.assert_close(run(x), expected, atol=1e-5, rtol=1e-4)


class Squeezing(nn.Module):
    """Has no axis for the examples where there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dense = nn.Conv1d(BANDS, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.conv(x).mean(2)).squeeze()


def test_an_output_without_an_axis_for_one_example_has_its_units_all_the_same() -> None:
    network, x = Squeezing().eval(), mel()
    found = adapted(network)
    assert found.outputs == 3
    with torch.no_grad():
        torch.testing.assert_close(found.network(x), network(x))
        torch.testing.assert_close(found.network(x[:1]), network(x)[:1])
        torch.testing.assert_close(recorded(found.network, x)["conv"], network.conv(x))
