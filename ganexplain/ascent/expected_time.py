"""How long the stages of `run` take on this machine, measured before they begin."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch
from torch import nn

from ganexplain.artifacts.grid import Grid
from ganexplain.ascent.adaptive_blocks import search_budget
from ganexplain.ascent.engine import start_latents
from ganexplain.ascent.evolution import EVOLUTION
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.search_task import make_plan
from ganexplain.audio.io import read_duration
from ganexplain.config import ExplainConfig, RunConfig
from ganexplain.corpora.interfaces import AnyCorpus, split_files
from ganexplain.gans.dcgan import LATENT_SIZE

# What stages cost, in example-iterations of the search, as measured with the shipped networks.
OF_A_SECOND = 2.0  # of recordings, with an excerpt every ten frames
OF_A_TESTED_SECOND = 0.8  # with each encoder
OF_AN_EXAMPLE = 60.0  # the controls of a unit
OF_A_PAGE = 500.0  # its sounds and pictures
USUAL_SHARE = 0.5  # of its budget that an adaptive search uses
PICTURE_SECONDS = 1.6  # of sound that cost as much as a picture

ROWS = 4
PASSES, SECONDS = 3, 1.0  # at least; the best pass counts: other programs only slow them
STEP = 3.0  # an iteration of a search, forwards and back, in passes forwards


def expected_seconds(
    config: RunConfig, searched: ExplainConfig, corpus: AnyCorpus
) -> Mapping[str, float]:
    """About how long each stage takes here, by its name, in a time that is measured in one.

    Raises the errors of the networks and of the unit in the settings.
    """
    networks = SearchNetworks.load(searched)
    latent = torch.from_numpy(start_latents(0, ROWS, LATENT_SIZE)).to(networks.device)
    pace = seconds_per_iteration(networks.generator, networks.explained.network, latent)
    units = len(make_plan(searched, networks.explained, networks.example(), 1, 1).targets)
    hop = 10 / (1 if config.overlapping else max(config.hop_frames, 1))
    iterations = {
        "responses": OF_A_SECOND * hop * _seconds(corpus, "train+valid+test"),
        "explain": units * _search(searched),
        "select": units * OF_AN_EXAMPLE * config.examples,
        "validate": OF_A_TESTED_SECOND * len(config.encoder) * _seconds(corpus, "test"),
        "report": units * OF_A_PAGE,
    }
    return {name: pace * count for name, count in iterations.items()}


def seconds_per_iteration(generator: nn.Module, network: nn.Module, latent: torch.Tensor) -> float:
    """About how long one example-iteration of a search takes here, in seconds.

    It is measured by passes of latents (N, Z) through both networks, without gradients.
    """
    times: list[float] = []
    with torch.no_grad():
        while len(times) < PASSES or sum(times) < SECONDS:
            started = time.perf_counter()
            network(generator(latent))
            if latent.is_cuda:
                torch.cuda.synchronize(latent.device)
            times.append(time.perf_counter() - started)
    return STEP * min(times) / len(latent)


def _search(config: ExplainConfig) -> float:
    """About how many example-iterations the search of a unit takes."""
    if config.search == "adaptive":
        return USUAL_SHARE * search_budget(config)
    calls = config.calls if config.search == EVOLUTION else 1
    return float(Grid.from_settings(config).rows * max(config.iterations) * calls)


def _seconds(corpus: AnyCorpus, split: str) -> float:
    """The length of the recordings of a split, or of several as in `valid+test`."""
    files = split_files(corpus, split)
    if not corpus.has_sound:
        return PICTURE_SECONDS * len(files)
    return sum(read_duration(file.path) for file in files)
