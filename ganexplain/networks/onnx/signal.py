"""Fourier transforms, windows and mel filters as ONNX has them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganexplain.networks.onnx.dtypes import torch_dtype
from ganexplain.networks.onnx.node import Node, operator

COSINES = {
    "HannWindow": (0.5, 0.5),
    "HammingWindow": (25 / 46, 21 / 46),
    "BlackmanWindow": (0.42, 0.5, 0.08),
}


@operator(*COSINES)
def window(node: Node, size: Tensor) -> Tensor:
    """A window of that many samples, periodic or symmetric."""
    samples = int(size)
    period = samples if node.get("periodic", 1) else samples - 1
    x = 2 * math.pi * torch.arange(samples, dtype=torch.float64) / period
    terms = [(-1) ** k * c * torch.cos(k * x) for k, c in enumerate(COSINES[node.op])]
    return torch.stack(terms).sum(0).to(torch_dtype(node.get("output_datatype", 1)))


@operator("DFT")
def fourier_transform(
    node: Node, x: Tensor, length: Tensor | None = None, axis: Tensor | None = None
) -> Tensor:
    """Along an axis of (..., 1) or (..., 2), real and imaginary part; inverse or one-sided."""
    along = node.get("axis", 1) if axis is None else int(axis)
    if node.opset >= 20 and axis is None:
        along = -2
    along = along % x.ndim
    values = (
        torch.view_as_complex(x.contiguous()) if x.shape[-1] == 2 else x[..., 0].to(_complex(x))
    )
    size = None if length is None else int(length)
    if node.get("inverse", 0):
        if node.get("onesided", 0):
            return torch.fft.irfft(values, size, along)[..., None]
        return torch.view_as_real(torch.fft.ifft(values, size, along))
    found = torch.fft.fft(values, size, along)
    if node.get("onesided", 0):
        found = found.narrow(along, 0, found.shape[along] // 2 + 1)
    return torch.view_as_real(found)


def _complex(x: Tensor) -> torch.dtype:
    return torch.complex128 if x.dtype == torch.float64 else torch.complex64


@operator("STFT")
def short_time_transform(
    node: Node,
    signal: Tensor,
    hop: Tensor,
    shape: Tensor | None = None,
    length: Tensor | None = None,
) -> Tensor:
    """Transforms (B, frames, bins, 2) of windowed frames of a signal (B, W) or (B, W, 1 or 2)."""
    if signal.ndim == 3:
        signal = signal[..., 0] if signal.shape[-1] == 1 else torch.view_as_complex(signal)
    size = int(length) if length is not None else len(shape)  # type: ignore[arg-type]
    frames = signal.unfold(1, size, int(hop))
    frames = frames if shape is None else frames * shape
    one_sided = node.get("onesided", 1) and not frames.is_complex()
    found = torch.fft.rfft(frames) if one_sided else torch.fft.fft(frames)
    return torch.view_as_real(found.contiguous())


@operator("MelWeightMatrix")
def mel_weights(
    node: Node, bands: Tensor, size: Tensor, rate: Tensor, lowest: Tensor, highest: Tensor
) -> Tensor:
    """Triangles (bins, bands) of height one on the mel scale of HTK, on whole bins."""
    count, bins = int(bands), int(size) // 2 + 1
    ends = [2595 * math.log10(1 + float(hz) / 700) for hz in (lowest, highest)]
    step = (ends[1] - ends[0]) / (count + 2)  # the definition's, whose last edge is below highest
    mel = ends[0] + step * torch.arange(count + 2, dtype=torch.float64)
    hz = 700 * (10 ** (mel / 2595) - 1)
    edges = torch.floor((int(size) + 1) * hz / int(rate)).long().tolist()
    found = torch.zeros(bins, count, dtype=torch.float64)
    for band, (low, centre, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        if low == centre:
            found[centre, band] = 1
        for k in range(low, centre + 1):
            found[k, band] = (k - low) / (centre - low) if centre > low else found[k, band]
        for k in range(centre, high):
            found[k, band] = (high - k) / (high - centre)
    return found.to(torch_dtype(node.get("output_datatype", 1)))
