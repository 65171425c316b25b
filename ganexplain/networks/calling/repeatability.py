"""Whether a network returns the same for an input, whenever and beside whatever it is passed."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganexplain.errors import UsageError
from ganexplain.networks.calling.call import Accepted, is_close, weight_precisions


def check_repeatable(run: Callable[[Tensor], Tensor], x: Tensor, found: Accepted) -> None:
    """Raise UsageError, with the cause, if the output for an input is not always that in `found`.

    `run` passes the inputs x (2, ...) with which the network was tried. They are passed once more,
    behind a louder one, which changes whatever is computed of the whole batch.
    """
    with torch.no_grad():
        behind = run(torch.cat([2 * x[:1], x]))[1:]
        if not is_close(found.output, behind) and not is_close(found.output, run(x)):
            cause = (
                "draws random numbers (noise, or dropout that eval() does not end); remove them"
                if is_close(_seeded(run, x), _seeded(run, x))
                else "keeps a state between passes; reset it at the beginning of forward"
            )
            raise UsageError(
                f"--model: the network returns other values for the same input: it {cause}"
            )
    rounding = _rounding(found)
    others = torch.cat([found.alone, behind])
    usual = torch.cat([found.output[-1:], found.output])
    if not torch.allclose(others, usual, rtol=0, atol=rounding, equal_nan=True):
        raise UsageError(
            "--model: the network mixes the inputs of a batch: beside others, one has another "
            "output (an average or a maximum over the batch, BatchNorm in training mode, or a "
            "recurrent layer without batch_first); change that, choose a part with output =, or "
            "pass each input alone with batch = 1 under [network] in the file of --input"
            f"{found.others}"
        )


def _rounding(found: Accepted) -> float:
    """How far rounding may move an output if its input is alone in a batch.

    Layers that quantise what they get do it in steps of the largest value in the batch.
    """
    values = found.output.float().abs().nan_to_num(0, 0, 0)
    largest = float(values.max()) if values.numel() else 0.0
    kinds = (f"{type(m).__module__} {getattr(m, 'kind', '')}" for m in found.network.modules())
    step = 1 / 16 if any("quantize" in kind.lower() for kind in kinds) else 1e-3
    epsilons = [torch.finfo(precision).eps for precision in weight_precisions(found.network)]
    return 1e-5 + max([step, *(16 * epsilon for epsilon in epsilons)]) * largest


def _seeded(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The output after all random generators were set to the same state, which is restored."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            return run(x)
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
