"""Networks of packages whose classes need arguments: with random weights unless a function says so.

Each function imports its package, which has to be installed. Sizes are those of the package's own
examples where they are not small here, which is said.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def panns() -> nn.Module:
    """Cnn14 of panns_inference, which hears a waveform at 32 kHz; its weights: --weights FILE."""
    from panns_inference.models import Cnn14

    return Cnn14(32000, 1024, 320, 64, 50, 14000, 527)


def ecapa() -> nn.Module:
    """ECAPA-TDNN of speechbrain, of 128 channels, with the package's own log-mel before it."""
    from speechbrain.lobes.features import Fbank
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

    network = ECAPA_TDNN(80, lin_neurons=192, channels=[128, 128, 128, 128, 384])
    return nn.Sequential(Fbank(n_mels=80), WithoutMean(), network)


def xvector() -> nn.Module:
    """The x-vector of speechbrain, smaller, without the noise that its pooling adds (1e-5)."""
    from speechbrain.lobes.features import Fbank
    from speechbrain.lobes.models.Xvector import Xvector
    from speechbrain.nnet.pooling import StatisticsPooling

    StatisticsPooling._get_gauss_noise = lambda self, shape, device="cpu": torch.zeros(shape)
    network = Xvector(in_channels=24, lin_neurons=128, tdnn_channels=[128, 128, 128, 128, 300])
    return nn.Sequential(Fbank(n_mels=24), WithoutMean(), network)


class WithoutMean(nn.Module):
    """Log-mel (B, T, F) less the mean over time, as speechbrain's InputNormalization."""

    def forward(self, mel: Tensor) -> Tensor:
        """The difference."""
        return mel - mel.mean(1, keepdim=True)


def pesto() -> nn.Module:
    """PESTO of pesto-pitch, with its weights, which are in the wheel."""
    from pesto.loader import load_model

    return load_model("mir-1k_g7", step_size=20.0, sampling_rate=16000)


def resemblyzer() -> nn.Module:
    """Resemblyzer's speaker encoder, with its weights, which are in the wheel."""
    from resemblyzer.voice_encoder import VoiceEncoder

    return VoiceEncoder("cpu", verbose=False)


def beat_this() -> nn.Module:
    """The beat tracker Beat This!, smaller: 128 dimensions and two layers."""
    from beat_this.model.beat_tracker import BeatThis

    return BeatThis(transformer_dim=128, n_layers=2)


def passt() -> nn.Module:
    """PaSST of hear21passt, smaller: 96 dimensions and two layers."""
    from hear21passt.models.passt import PaSST

    return PaSST(stride=10, embed_dim=96, depth=2, num_heads=4, distilled=True)


def demucs() -> nn.Module:
    """Demucs, which separates stereo sound, smaller: eight channels."""
    from demucs.demucs import Demucs

    return Demucs(["drums", "bass", "other", "vocals"], channels=8, depth=4)


def open_unmix() -> nn.Module:
    """Open-Unmix for spectra of 2048 samples, smaller: 64 hidden units."""
    from openunmix.model import OpenUnmix

    return OpenUnmix(nb_bins=1025, nb_channels=2, hidden_size=64, max_bin=700)
