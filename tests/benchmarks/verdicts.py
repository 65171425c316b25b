"""Is "this explanation shows the GAN, not the classifier" said where it is true, and there alone?

Over several seeds, which are those of the starts and of the weights, three networks are explained:
the classifier, the same with all weights shuffled, and one that was never trained. For each: the
real excerpts that drive its output most and least; a search that ends where its responses come
nearest to the former; the control of `select`, the same for shuffled weights; the judges' votes;
and what the page concludes from them.
"""

from __future__ import annotations

import argparse
import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganexplain.artifacts.explanations import ExplanationMeta, Explanations
from ganexplain.ascent.candidate import Target
from ganexplain.ascent.engine import begin_search, start_latents
from ganexplain.ascent.nearest import ascend_to_nearest
from ganexplain.ascent.responses import strongest
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.classifiers.base import initialise
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.files.fields import Fields
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import input_values
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, load_target
from ganexplain.networks.weight_shuffling import weights_shuffled
from ganexplain.report.unit.sanity_check import Votes, sanity_check
from ganexplain.runs.progress import NullProgress
from ganexplain.selection.controls import Controls
from ganexplain.selection.judges import load_judges

PRETRAINED = Path("sample_data/pretrained")
CPU = torch.device("cpu")
RATE, WEIGHT, ITERATIONS, BATCH = 0.1, 0.01, 30, 48
META: dict[str, Any] = {
    "layer": "fc9", "neuron": 0, "direction": "max", "features_layer": "fc8", "prior": "l2",
    "unit": "sing", "classifier": "none", "classifier_hash": "",
}  # fmt: skip
WANTED = {"trained": "network", "shuffled": "gan", "untrained": "gan"}


class Case:
    """What all networks and seeds share."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.examples, self.top = options.examples, options.top
        self.generator, self.front_end = load_generator(options.gan, CPU)
        assert isinstance(self.front_end, FrontEnd), "a GAN of log-mel is needed"
        self.excerpts = self.front_end
        self.trained = load_target(NetworkSource(str(options.classifier)), None, CPU)
        judged = [str(name) for name in options.judge]
        self.judges = load_judges(judged, (Path("none"), self.front_end), CPU)
        corpus = read_corpus(options.corpus)
        split = load_log_mel_split(
            corpus, "train", self.excerpts, cache_directory(""), NullProgress()
        )
        self.centres = split.whole_excerpts(options.hop_frames)
        self.mel = split.gather(self.centres)

    def outcome(self, explained: TargetNetwork, seed: int) -> tuple[Votes, str]:
        """The judges' votes for an explanation of a network, and what they amount to."""
        real = self.real(explained)
        networks = SearchNetworks(explained, self.generator, CPU)
        setting = {"learning_rate": RATE, "prior_weight": WEIGHT, "iterations": ITERATIONS}
        made = {name: np.array([value]) for name, value in setting.items()}
        made["seed"] = np.arange(self.examples)
        meta = META | {"seed": 1000 * seed, "front_end": input_values(self.front_end)}
        described = ExplanationMeta.from_json(Fields("none: meta.", meta))
        explanations = Explanations(Path("none"), made, described, self.front_end, {})
        control = Controls(explanations, real, networks).reinitialised(
            0, seed + 500, NullProgress()
        )
        explanation = self.explanation(explained, real, seed)
        sets = (explanation, control.mel, real["mel"], real["bottom_mel"])
        verdicts = [judge.verdict("sing", "max", real["mel"]) for judge in self.judges]
        shares = [[float(v.agreement(mel)) for v in verdicts] for mel in sets]
        votes = Votes(*(sum(each) / len(each) for each in shares))
        return votes, sanity_check(True, votes, self.examples, self.examples, len(real["mel"]))

    @torch.no_grad()
    def real(self, explained: TargetNetwork) -> dict[str, np.ndarray]:
        """The real excerpts that drive the output most, and those that drive it least."""
        parts = [explained.network(part)[:, 0] for part in torch.from_numpy(self.mel).split(BATCH)]
        response = torch.cat(parts).numpy()
        found: dict[str, np.ndarray] = {}
        for prefix, direction in (("", "max"), ("bottom_", "min")):
            frames = self.excerpts.excerpt_frames
            rows = strongest(response, self.centres, self.top, frames, direction)
            found |= {prefix + "mel": self.mel[rows], prefix + "response": response[rows]}
        return found

    def explanation(
        self, explained: TargetNetwork, real: dict[str, np.ndarray], seed: int
    ) -> np.ndarray:
        """Examples (N, F, T) of a search whose responses come nearest to the real ones.

        Scaled as the control is: any grid of rates and weights suits a response of unit spread.
        """
        responses = np.concatenate([real["response"], real["bottom_response"]])
        scale = float(3 / responses.std())
        starts = Starts(start_latents(1000 * seed, self.examples, LATENT_SIZE), RATE, WEIGHT)

        def objective(latent: Tensor) -> Tensor:
            return explained.network(self.generator(latent))[:, 0] * scale

        search = begin_search(objective, starts, AscentSettings(batch_size=BATCH))
        target = Target.of(real["response"].astype(np.float64) * scale, "max")
        found = ascend_to_nearest(search, target, ITERATIONS)
        with torch.no_grad():
            drawn: np.ndarray = self.generator(found.latent).numpy()
        return drawn


@contextmanager
def network_of(kind: str, trained: TargetNetwork, seed: int) -> Iterator[TargetNetwork]:
    """The network trained, shuffled or untrained."""
    if kind == "trained":
        yield trained
    elif kind == "shuffled":
        with weights_shuffled(trained.network, seed):
            yield trained
    else:
        fresh = copy.deepcopy(trained.network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        initialise(fresh, seed)
        yield replace(trained, network=fresh.eval().requires_grad_(False))


def main() -> None:
    """Print a line for each network and seed, and how often each conclusion was drawn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--classifier", type=Path, default=PRETRAINED / "classifier.pt")
    parser.add_argument("--gan", type=Path, default=PRETRAINED / "gan.pt")
    judges = [PRETRAINED / "judge.pt", PRETRAINED / "referee.pt"]
    parser.add_argument("--judge", nargs="+", default=judges)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--networks", nargs="+", choices=WANTED, default=list(WANTED))
    parser.add_argument("--examples", type=int, default=24)
    parser.add_argument("--top", type=int, default=50)
    parser.add_argument("--hop-frames", type=int, default=116)
    options = parser.parse_args()
    case, found = Case(options), {kind: Counter[str]() for kind in options.networks}
    print("| network | seed | votes: explanation | shuffled | real, most | real, least | outcome |")
    print("|---|---|---|---|---|---|---|")
    for seed in options.seeds:
        for kind in options.networks:
            with network_of(kind, case.trained, seed) as explained:
                votes, outcome = case.outcome(explained, seed)
            found[kind][{"unrelated": "gan"}.get(outcome, outcome)] += 1
            shares = " | ".join(f"{100 * share:.0f} %" for share in votes)
            print(f"| {kind} | {seed} | {shares} | {outcome} |", flush=True)
    for kind, counts in found.items():
        right = counts[WANTED[kind]]
        print(f"\n{kind}: {WANTED[kind]} in {right} of {sum(counts.values())} ({dict(counts)})")


if __name__ == "__main__":
    main()
