"""How long the stages of `run` take on this machine, measured before they begin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ganexplain.artifacts.grid import Grid
from ganexplain.ascent.adaptive_blocks import search_budget
from ganexplain.ascent.elites import ELITES
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.search_task import POPULATIONS, make_plan
from ganexplain.config import ExplainConfig, RunConfig
from ganexplain.corpora.interfaces import AnyCorpus
from ganexplain.pipeline.expected_training import TriedClassifier, TriedGan, length, seconds_of

# What stages cost, in example-iterations of the search, as measured with the shipped networks.
OF_A_SECOND = 2.0  # of recordings, with an excerpt every ten frames
OF_A_TESTED_SECOND = 0.8  # with each encoder
OF_AN_EXAMPLE = 60.0  # the controls of a unit
OF_A_PAGE = 500.0  # its sounds and pictures
OF_A_SEARCHED_EXAMPLE = 60.0  # of an adaptive search, if its budget is not less

ROWS = 4
STEP = 3.0  # an iteration of a search, forwards and back, in passes forwards


@dataclass(frozen=True)
class ExpectedTime:
    """The `networks` of a search and the amount of work of each stage, in example-iterations."""

    networks: SearchNetworks
    iterations: dict[str, float]

    @classmethod
    def of(
        cls,
        config: RunConfig,
        searched: ExplainConfig,
        corpus: AnyCorpus,
        classifier: TriedClassifier | None = None,
        gan: TriedGan | None = None,
    ) -> ExpectedTime:
        """The work of the stages that are not trainings, of networks in files or as tried.

        Raises the errors of the networks and of the unit in the settings.
        """
        networks = SearchNetworks.load(
            searched,
            classifier.network if classifier else None,
            (gan.generator, gan.input_spec) if gan else None,
        )
        units = len(make_plan(searched, networks.explained, networks.example(), 1, 1).targets)
        hop = 10 / (1 if config.overlapping else max(config.hop_frames, 1))
        iterations = {
            "responses": OF_A_SECOND * hop * length(corpus, "train+valid+test"),
            "explain": _search(searched, units),
            "select": units * OF_AN_EXAMPLE * config.examples,
            "validate": OF_A_TESTED_SECOND * len(config.encoder) * length(corpus, "test"),
            "report": units * OF_A_PAGE,
        }
        return cls(networks, iterations)

    def seconds(self) -> dict[str, float]:
        """About how long each stage takes here now, by its name."""
        latent = torch.from_numpy(self.networks.starts(0, ROWS)).to(self.networks.device)
        network = self.networks.explained.network
        pace = seconds_per_iteration(self.networks.generator, network, latent)
        return {name: pace * count for name, count in self.iterations.items()}


def seconds_per_iteration(generator: nn.Module, network: nn.Module, latent: torch.Tensor) -> float:
    """About how long one example-iteration of a search takes here, in seconds.

    It is measured by passes of latents (N, Z) through both networks, without gradients.
    """

    def one_pass(_: int) -> None:
        network(generator(latent))
        if latent.is_cuda:
            torch.cuda.synchronize(latent.device)

    with torch.no_grad():
        return STEP * seconds_of(one_pass) / len(latent)


def _search(config: ExplainConfig, units: int) -> float:
    """About how many example-iterations the search of the units takes."""
    if config.search == "adaptive":
        return units * min(OF_A_SEARCHED_EXAMPLE * config.examples, search_budget(config))
    calls = config.calls if config.search in POPULATIONS else 1
    searches = 1 if config.search == ELITES else units  # it searches for all at once
    return float(searches * Grid.from_settings(config).rows * max(config.iterations) * calls)
