"""How fast is latent ascent, against the authors' way in PyTorch?

    python tests/benchmarks/ascent.py

In one run, interleaved, with random weights (speed does not depend on them): example-iterations
the authors' way - batch 1, the network evaluated once to record response and gradient and again
to step, pooling behind the rectifier - in one process with all threads and in a process a core;
and ours, a process a core, in float32 and in bfloat16. All without gradients of the weights, as
TensorFlow computes them, and all with the allocator set as our workers set it (theirs gains too).
Beside them two ceilings: sgemm, and oneDNN's forward convolution of the layer that costs most.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.search_networks import fast_networks
from ganexplain.ascent.search_task import BATCH_SIZES
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.classifiers.base import SLOPE, initialise
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.files.checkpoints import freeze_network
from ganexplain.gans.dcgan import Generator
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.units import Unit
from ganexplain.runs.cores import usable_cores
from ganexplain.runs.machine import keep_freed_memory
from ganexplain.runs.precision import in_precision

GFLOP_PER_ITERATION = 1.112  # forward and input gradient of both networks
PAPER_ITERATIONS = 9 * 50 * (100 + 500 + 1000)
OUR_ITERATIONS = 9 * 50 * 1000
CPU = torch.device("cpu")


def plain_forward(network: SVDNet, mel: Tensor) -> Tensor:
    """The classifier as the authors wrote it, pooling behind the rectifier."""
    x = functional.leaky_relu(network.conv1(network.standardise(mel)), SLOPE)
    x = functional.max_pool2d(functional.leaky_relu(network.conv2(x), SLOPE), 3)
    x = functional.leaky_relu(network.conv4(x), SLOPE)
    x = functional.max_pool2d(functional.leaky_relu(network.conv5(x), SLOPE), 3).flatten(1)
    x = functional.leaky_relu(network.fc7(x), SLOPE)
    return network.fc9(functional.leaky_relu(network.fc8(x), SLOPE))


def networks(channels_last: bool) -> tuple[Generator, SVDNet]:
    torch.manual_seed(0)
    network = SVDNet()
    initialise(network, 0)
    pair = freeze_network(Generator(), CPU), freeze_network(network, CPU)
    if not channels_last:
        for module in pair:
            module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return pair


def theirs() -> Callable[[], int]:
    """Ten iterations of one example; gives the example-iterations done."""
    generator, network = networks(channels_last=False)

    def work() -> int:
        z = torch.from_numpy(start_latents(0, 1, 128)).requires_grad_(True)
        adam = torch.optim.Adam([z], lr=0.01)
        for _ in range(10):
            for _evaluation in ("record", "step"):
                objective = plain_forward(network, generator(z)).sum() - 0.01 * z.square().sum()
                (gradient,) = torch.autograd.grad(objective, z)
                float(objective.detach())
            z.grad = -gradient
            adam.step()
        return 10

    return work


def ours(precision: str) -> Callable[[], int]:
    """Five iterations of a batch, as `explain` runs it; gives the example-iterations done."""
    generator, network = fast_networks(*networks(channels_last=True), ("fc9",), CPU)
    rows = BATCH_SIZES["cpu"]
    starts, settings = (
        Starts(start_latents(0, rows, 128), 0.01, 0.01),
        AscentSettings(batch_size=rows),
    )

    def work() -> int:
        with in_precision(precision, CPU), unit_response(network, Unit.parse("fc9:0")) as respond:
            ascend(lambda z: respond(generator(z)), starts, (5,), settings)
        return 5 * rows

    return work


def product() -> Callable[[], int]:
    """A 1536 x 1536 float32 matrix product; gives its MFLOP."""
    a = torch.randn(1536, 1536)

    def work() -> int:
        torch.mm(a, a)
        return 2 * 1536**3 // 10**6

    return work


def convolution() -> Callable[[], int]:
    """The classifier's second convolution, forward, batch 16, channels last; gives its MFLOP."""
    layer = torch.nn.Conv2d(64, 32, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(16, 64, 78, 113).to(memory_format=torch.channels_last)

    def work() -> int:
        with torch.no_grad():
            layer(x)
        return 2 * 16 * 64 * 32 * 9 * 76 * 111 // 10**6

    return work


WAYS: dict[str, Callable[[], Callable[[], int]]] = {
    "theirs": theirs,
    "float32": lambda: ours("float32"),
    "bfloat16": lambda: ours("bfloat16"),
    "sgemm": product,
    "convolution": convolution,
}


def serve(pipe: Connection, threads: int) -> None:
    """Told a way and a time in seconds, work that way for so long; answer units a second."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    made: dict[str, Callable[[], int]] = {}
    while True:
        try:
            name, limit = pipe.recv()
        except EOFError:  # the first process is through
            return
        if name not in made:
            made[name] = WAYS[name]()
            made[name]()
        started, done = time.perf_counter(), 0
        while (spent := time.perf_counter() - started) < limit:
            done += made[name]()
        pipe.send(done / spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each way in each round")
    arguments = parser.parse_args()
    cores = usable_cores()
    context = multiprocessing.get_context("spawn")

    def process(threads: int) -> Connection:
        ours_end, its_end = context.Pipe()
        context.Process(target=serve, args=(its_end, threads), daemon=True).start()
        return ours_end

    one, each = [process(cores)], [process(1) for _ in range(cores)]
    ways = {"theirs, one process": ("theirs", one)}
    ways |= {f"{name}, {cores} processes": (name, each) for name in WAYS}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(arguments.rounds + 1):  # the first warms up
        for name, (way, pipes) in ways.items():
            for pipe in pipes:
                pipe.send((way, arguments.seconds if turn else 0.1))
            rate = sum(pipe.recv() for pipe in pipes)
            if turn:
                rates[name].append(rate)
    print_table({name: float(np.median(values)) for name, values in rates.items()}, cores)


def print_table(rate: dict[str, float], cores: int) -> None:
    single = rate["theirs, one process"]
    many = rate[f"theirs, {cores} processes"]
    sgemm, convolution = (
        rate[f"{name}, {cores} processes"] / 1000 for name in ("sgemm", "convolution")
    )
    print(f"sgemm {sgemm:.1f} GFLOP/s, oneDNN's convolution {convolution:.1f}, {cores} processes")
    titles = ("way", "example-iterations/s", "the grid's gain on one", "on all", "share of sgemm",
              "of convolution", "the paper's grid")  # fmt: skip
    print("| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|")
    for name, value in rate.items():
        if name.startswith(("sgemm", "convolution")):
            continue
        theirs_too = name.startswith("theirs")
        flops = value * GFLOP_PER_ITERATION * (2 if theirs_too else 1)
        total = PAPER_ITERATIONS if theirs_too else OUR_ITERATIONS
        # Over the grid ours has fewer iterations too: one trajectory serves three counts.
        gain = PAPER_ITERATIONS / total * value
        print(
            f"| {name} | {value:.1f} | {gain / single:.2f} | {gain / many:.2f} | "
            f"{flops / sgemm:.2f} | {flops / convolution:.2f} | {total / value / 60:.1f} min |"
        )


if __name__ == "__main__":
    main()
