"""How fast is latent ascent, against the authors' way in PyTorch?

    python tests/benchmarks/ascent.py

In one run, interleaved, with random weights (speed does not depend on them): one
example-iteration the authors' way - batch 1, the network evaluated once to record response and
gradient and again to step, pooling behind the rectifier - and ours, a batch with per-row
settings. Both without gradients of the weights, as TensorFlow computes them. Prints
example-iterations a second, their ratio, and the share of the machine's sgemm peak. The
allocator is set as the command line sets it, before ours and theirs alike (theirs gains too).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.neurons import neuron_response
from ganexplain.config import ExplainConfig
from ganexplain.models.dcgan import Generator
from ganexplain.models.excerptnet import SLOPE, initialise
from ganexplain.models.loading import frozen
from ganexplain.models.svdnet import SVDNet
from ganexplain.runtime import keep_freed_memory

GFLOP_PER_ITERATION = 1.112  # forward and input gradient of both networks
PAPER_ITERATIONS = 9 * 50 * (100 + 500 + 1000)
OUR_ITERATIONS = 9 * 50 * 1000


def plain_forward(network: SVDNet, mel: Tensor) -> Tensor:
    """The classifier as the authors wrote it, pooling behind the rectifier."""
    x = functional.leaky_relu(network.conv1(network.standardise(mel)), SLOPE)
    x = functional.max_pool2d(functional.leaky_relu(network.conv2(x), SLOPE), 3)
    x = functional.leaky_relu(network.conv4(x), SLOPE)
    x = functional.max_pool2d(functional.leaky_relu(network.conv5(x), SLOPE), 3).flatten(1)
    x = functional.leaky_relu(network.fc7(x), SLOPE)
    return network.fc9(functional.leaky_relu(network.fc8(x), SLOPE))


def authors_way(generator: Generator, network: SVDNet, seed: int, iterations: int) -> None:
    z = torch.from_numpy(start_latents(seed, 1, 128)).requires_grad_(True)
    adam = torch.optim.Adam([z], lr=0.01)
    for _ in range(iterations):
        for _evaluation in ("record", "step"):
            objective = plain_forward(network, generator(z)).sum() - 0.01 * z.square().sum()
            (gradient,) = torch.autograd.grad(objective, z)
            float(objective.detach())
        z.grad = -gradient
        adam.step()


def our_way(
    generator: Generator, network: SVDNet, rows: int, iterations: int, batch_size: int
) -> None:
    with neuron_response(network, "fc9", 0) as respond:
        ascend(
            generator, respond, start_latents(0, rows, 128), np.full(rows, 0.01),
            np.full(rows, 0.01), (iterations,), "max", batch_size, torch.device("cpu"),
        )  # fmt: skip


def networks(channels_last: bool) -> tuple[Generator, SVDNet]:
    torch.manual_seed(0)
    network = SVDNet()
    initialise(network, 0)
    pair = frozen(Generator(), torch.device("cpu")), frozen(network, torch.device("cpu"))
    if not channels_last:
        for module in pair:
            module.to(memory_format=torch.contiguous_format)
    return pair


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def sgemm_peak() -> float:
    """Best GFLOP/s of a 1536 x 1536 float32 matrix product."""
    a = torch.randn(1536, 1536)
    return 2 * 1536**3 / min(seconds(lambda: torch.mm(a, a)) for _ in range(10)) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=ExplainConfig.batch_size)
    arguments = parser.parse_args()
    keep_freed_memory()
    size = arguments.batch_size
    theirs, ours = networks(channels_last=False), networks(channels_last=True)
    their_steps, our_rows, our_steps = 20, 2 * size, 10

    def run_theirs() -> None:
        authors_way(*theirs, seed=0, iterations=their_steps)

    def run_ours() -> None:
        our_way(*ours, our_rows, our_steps, size)

    run_theirs(), run_ours()
    their_rates, our_rates = [], []
    for _ in range(arguments.rounds):
        their_rates.append(their_steps / seconds(run_theirs))
        our_rates.append(our_rows * our_steps / seconds(run_ours))
    their_rate, our_rate = float(np.median(their_rates)), float(np.median(our_rates))
    peak = sgemm_peak()
    print(f"{torch.get_num_threads()} threads, batch {size}, median of {arguments.rounds} rounds")
    print(f"sgemm peak                 {peak:8.1f} GFLOP/s")
    print(f"authors' way               {their_rate:8.1f} example-iterations/s")
    print(f"ganexplain                 {our_rate:8.1f} example-iterations/s")
    print(f"ratio an example-iteration {our_rate / their_rate:8.2f}")
    print(f"share of the sgemm peak    {our_rate * GFLOP_PER_ITERATION / peak:8.2f}")
    print(f"the paper's grid, theirs   {PAPER_ITERATIONS / their_rate / 60:8.1f} min")
    print(f"the paper's grid, ours     {OUR_ITERATIONS / our_rate / 60:8.1f} min")


if __name__ == "__main__":
    main()
