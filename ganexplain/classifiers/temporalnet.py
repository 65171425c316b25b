"""A singing-voice detector that hears five seconds, as today's detectors do."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional

from ganexplain.classifiers.base import SLOPE, ExcerptNet, register
from ganexplain.inputs.log_mel import FrontEnd

DILATIONS = (2, 4, 8, 16, 24)  # of kernels of three steps, each of three frames
STEP = 3  # frames
WIDTH = 128
TARGETS = 77  # moments of a training excerpt, one every step: 3.3 s


@register
class TemporalNet(ExcerptNet):
    """Excerpts (B, F=80, T=343) of natural-log mel in nat -> logits (B, outputs).

    Convolutions over bands and frames, as in SVDNet, describe moments of 23 frames; a temporal
    convolutional network with residual connections (Bai et al. 2018) compares each with what is
    around it, up to 2.4 s before and after. It has 349,345 parameters with one output. Excerpts in
    training have 8.2 s and 77 targets, which share all that is computed of a moment.
    """

    front_end = replace(FrontEnd(), excerpt_frames=343)
    target_frames = tuple(STEP * (k - TARGETS // 2) for k in range(TARGETS))

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3)
        self.act1 = nn.LeakyReLU(SLOPE)
        self.conv2 = nn.Conv2d(16, 16, 3)
        self.pool3 = nn.MaxPool2d(STEP)
        self.act3 = nn.LeakyReLU(SLOPE)
        self.conv4 = nn.Conv2d(16, 48, 3)
        self.act4 = nn.LeakyReLU(SLOPE)
        self.conv5 = nn.Conv2d(48, 64, 3)
        self.pool6 = nn.MaxPool2d((3, 1))
        self.act6 = nn.LeakyReLU(SLOPE)
        self.conv7 = nn.Conv2d(64, WIDTH, (7, 1))
        self.act7 = nn.LeakyReLU(SLOPE)
        self.times = nn.ModuleList(
            nn.Conv2d(WIDTH, WIDTH, (1, 3), dilation=(1, dilation)) for dilation in DILATIONS
        )
        self.acts = nn.ModuleList(nn.LeakyReLU(SLOPE) for _ in DILATIONS)
        self.drop = nn.Dropout(0.2)
        self.fc8 = nn.Linear(WIDTH, 64)
        self.act8 = nn.LeakyReLU(SLOPE)
        self.drop8 = nn.Dropout(0.5)
        self.fc9 = nn.Linear(64, outputs)

    def forward(self, mel: Tensor) -> Tensor:
        """Logits (B, outputs) of excerpts (B, F, T)."""
        return self.forward_targets(mel)[:, 0]

    def forward_targets(self, mel: Tensor) -> Tensor:
        """Logits (B, N, outputs) of moments three frames apart in (B, F, T + 3 (N - 1))."""
        x = self.act1(self.conv1(self.standardise(mel)))
        x = self.act3(self.pool3(self.conv2(x)))
        x = self.act4(self.conv4(x))
        x = self.act7(self.conv7(self.act6(self.pool6(self.conv5(x)))))
        for layer, act, reach in zip(self.times, self.acts, DILATIONS, strict=True):
            x = x[..., reach:-reach] + self.drop(act(layer(x)))
        x = x.squeeze(2).transpose(1, 2)
        return self.fc9(self.drop8(self.act8(self.fc8(x))))

    def forward_dense(self, mel: Tensor) -> Tensor:
        """Logits (B, T - 342, outputs) of all centre frames of recordings (B, F, T) in one pass.

        Pooling keeps all frames, and the layers behind are dilated by three.
        """
        x = self.act1(self.conv1(self.standardise(mel)))
        x = self.act3(functional.max_pool2d(self.conv2(x), STEP, stride=(STEP, 1)))
        x = self.act4(_dilated(self.conv4, x, STEP))
        x = self.act7(self.conv7(self.act6(self.pool6(_dilated(self.conv5, x, STEP)))))
        for layer, act, steps in zip(self.times, self.acts, DILATIONS, strict=True):
            reach = steps * STEP
            x = x[..., reach:-reach] + act(_dilated(layer, x, reach))
        x = x.squeeze(2).transpose(1, 2)
        return self.fc9(self.act8(self.fc8(x)))


def _dilated(layer: nn.Module, x: Tensor, dilation: int) -> Tensor:
    assert isinstance(layer, nn.Conv2d)
    return functional.conv2d(x, layer.weight, layer.bias, dilation=(1, dilation))
