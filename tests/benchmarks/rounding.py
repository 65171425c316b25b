"""How far searches drift apart that differ in nothing but rounding.

OMP_NUM_THREADS=1 python tests/benchmarks/rounding.py

Ten examples of fc9 of the shipped classifier, prior weight 0.01: the responses in one batch against
batches of three, and in the optimised form against the plain networks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.search_networks import fast_networks
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.gans.checkpoint import load_generator
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.units import Unit

PRETRAINED = Path(__file__).parents[2] / "sample_data" / "pretrained"
CPU = torch.device("cpu")
EXAMPLES, STEPS = 10, (1, 5, 10, 20, 40)

if __name__ == "__main__":
    plain = (
        load_generator(PRETRAINED / "gan.pt", CPU)[0],
        load_classifier(PRETRAINED / "classifier.pt", CPU).network,
    )
    fast = fast_networks(*plain, ["fc9"], CPU)
    starts = start_latents(0, EXAMPLES, 128)

    def trace(networks: tuple[torch.nn.Module, ...], rate: float, batch: int) -> np.ndarray:
        with unit_response(networks[1], Unit.parse("fc9:0")) as respond:
            found = ascend(
                lambda z: respond(networks[0](z)),
                Starts(starts, rate, 0.01),
                [max(STEPS)],
                AscentSettings(batch_size=batch),
            )
        return found.response_trace

    print("| learning rate | steps | batches: largest, median | form: largest, median | its mean |")
    print("|---|---|---|---|---|")
    for rate in (0.1, 0.01):
        one = trace(fast, rate, EXAMPLES)
        others = trace(fast, rate, 3), trace(plain, rate, EXAMPLES)
        for k in STEPS:
            off = [np.abs(one - other)[:, k] for other in others]
            cells = [f"{each.max():.2g}, {np.median(each):.2g}" for each in off]
            mean = abs(one[:, k].mean() - others[1][:, k].mean())
            print(f"| {rate:g} | {k} | {' | '.join(cells)} | {mean:.2g} |", flush=True)
