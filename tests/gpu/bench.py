"""What all steps use: sizes, the report, the shipped networks and the sample data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.ascent.engine import Objective
from ganexplain.ascent.search_networks import fast_networks
from ganexplain.ascent.settings import AscentSettings
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.training import ClassifierTraining
from ganexplain.config import TrainClassifierConfig, TrainGanConfig
from ganexplain.corpora.batches import ExcerptBatches
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import read_corpora
from ganexplain.corpora.splits import Split, load_log_mel_split
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.training import GanTraining
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.units import Unit
from ganexplain.runs.progress import NullProgress

ROOT = Path(__file__).parents[2]
PRETRAINED = ROOT / "sample_data" / "pretrained"
OUTPUT = "fc9:0"  # the unit that is searched
SEPARATE_TRAJECTORIES = 9 * 50  # of the grid's 27 settings, three are snapshots of each


@dataclass(frozen=True)
class Sizes:
    """How much each step does."""

    excerpts: int = 256
    rows: int = SEPARATE_TRAJECTORIES
    iterations: int = 1000
    short_iterations: int = 50
    steps: int = 60
    passes: int = 10_000
    channels: tuple[int, ...] = (128, 512)  # of the GAN presets small and large

    @classmethod
    def tiny(cls) -> Sizes:
        """Sizes at which everything runs once on a CPU."""
        return cls(8, 3, 2, 2, 2, 60, (16,))


@dataclass
class Report:
    """What is written: checks, rates, and steps that were left out or failed."""

    device: str
    torch: str
    checks: list[dict[str, Any]] = field(default_factory=list)
    rates: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def check(self, name: str, difference: float, limit: float) -> None:
        """Note a difference and whether it is within its limit."""
        passed = bool(difference <= limit)
        self.checks.append(
            {"name": name, "difference": difference, "limit": limit, "passed": passed}
        )
        print(
            f"{'ok' if passed else 'FAILED'}: {name}: {difference:.3g}, limit {limit:g}", flush=True
        )

    def rate(self, name: str, value: float, unit: str, peak: float | None = None) -> None:
        """Note a rate and the peak memory of its step in MiB."""
        self.rates.append({"name": name, "value": value, "unit": unit, "peak_mib": peak})
        memory = "" if peak is None else f", {peak:,.0f} MiB"
        print(f"{name}: {value:,.1f} {unit}{memory}", flush=True)


class Bench:
    """The shipped networks and the sample data, on a CPU and on the device."""

    def __init__(self, device: torch.device, sizes: Sizes) -> None:
        self.device, self.sizes, self.cpu = device, sizes, torch.device("cpu")

    @cached_property
    def split(self) -> Split:
        """The training split of the sample data."""
        corpus = read_corpora([str(ROOT / "sample_data")])
        return load_log_mel_split(corpus, "train", FrontEnd(), cache_directory(""), NullProgress())

    @cached_property
    def excerpts(self) -> Tensor:
        """Excerpts (N, F, T) of the training split, evenly spaced."""
        rows = self.split.whole_excerpts()
        chosen = np.linspace(0, len(rows) - 1, self.sizes.excerpts).astype(int)
        return torch.from_numpy(self.split.gather(rows[chosen]))

    def networks(self, device: torch.device) -> tuple[nn.Module, nn.Module]:
        """Generator and classifier on a device."""
        generator, _ = load_generator(PRETRAINED / "gan.pt", device)
        return generator, load_classifier(PRETRAINED / "classifier.pt", device).network

    @contextmanager
    def objective(self, device: torch.device, unit: str) -> Iterator[Objective]:
        """The response of a unit to what the generator makes of latents, as `explain` runs it."""
        asked = Unit.parse(unit)
        generator, network = fast_networks(*self.networks(device), (asked.layer,), device)
        with unit_response(network, asked) as respond:
            yield lambda latent: respond(generator(latent))

    def settings(self, device: torch.device) -> AscentSettings:
        """A search of all rows in one batch on a GPU, in small ones on a CPU."""
        rows = 512 if device.type == "cuda" else 48
        return AscentSettings(batch_size=rows, device=device)

    def wait(self) -> None:
        """Return when the device has done its work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], object]) -> tuple[float, float | None]:
        """Wall time of work and, on a GPU, its peak memory in MiB."""
        self.wait()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        started = time.perf_counter()
        work()
        self.wait()
        spent = time.perf_counter() - started
        if self.device.type != "cuda":
            return spent, None
        return spent, torch.cuda.max_memory_allocated(self.device) / 2**20


def gan_training(bench: Bench, channels: int) -> GanTraining:
    """A training of the paper's generator, or a wider one."""
    config = TrainGanConfig(corpus=(), autoencoder_steps=0, channels=channels)
    return GanTraining(config, bench.split, bench.device)


def classifier_training(bench: Bench) -> tuple[ClassifierTraining, ExcerptBatches]:
    """A training of the paper's network, without changes of the sound."""
    config = TrainClassifierConfig(corpus=(), workers=0, augment=0.0)
    batches = ExcerptBatches(config, bench.split, [])
    return ClassifierTraining(config, 1, bench.split, bench.device), batches


def first_line(error: BaseException) -> str:
    """The kind of an error and the first line of its message."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:300]
