"""Adam (Kingma and Ba 2015) as in TensorFlow, the authors' optimiser."""

from __future__ import annotations

from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def adam_step(
    z: Tensor, gradient: Tensor, momentum: Tensor, square: Tensor, rate: Tensor, step: int
) -> Tensor:
    """One step down of latents (R, Z), with a learning rate (R,) each; `step` counts from 1.

    `momentum` and `square` (R, Z) are changed in place. Epsilon is outside of the bias correction.
    """
    momentum.lerp_(gradient, 1 - BETA1)
    square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
    correction = (1 - BETA2**step) ** 0.5 / (1 - BETA1**step)
    return z - (rate * correction)[:, None] * momentum / (square.sqrt() + EPSILON)
