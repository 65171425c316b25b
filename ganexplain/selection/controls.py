"""Controls of a selection: sets of examples to compare an explanation with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts.explanations import Explanations, gan_path, meta_fields
from ganexplain.artifacts.responses import HELD_OUT
from ganexplain.ascent.beyond import FixedOutputs, search_response
from ganexplain.ascent.candidate import Target
from ganexplain.ascent.elites import ELITES
from ganexplain.ascent.engine import Objective, ascend, begin_search, start_latents
from ganexplain.ascent.guides import guide_features
from ganexplain.ascent.input_ascent import InputSpace, ascend_input
from ganexplain.ascent.match import MATCH
from ganexplain.ascent.nearest import ascend_to_nearest
from ganexplain.ascent.responses import batch_responses, batches
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.search_task import POPULATIONS
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.config import SelectConfig, ValidateConfig
from ganexplain.errors import Diverged, GanexplainError
from ganexplain.files.atomic import file_hash
from ganexplain.gans.checkpoint import load_searched
from ganexplain.inputs.specification import check_same_front_end
from ganexplain.metrics.scores import Examples
from ganexplain.networks.black_box import find_black_box
from ganexplain.networks.hooks import responses_and_features, unit_response
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, load_target
from ganexplain.networks.weight_shuffling import has_weights_to_shuffle, weights_shuffled
from ganexplain.runs.precision import in_precision
from ganexplain.runs.progress import Progress
from ganexplain.selection.guides_of_search import guides_of, require_file, wrong_file

BATCH = 48
PREFIXES = ("", "bottom_", HELD_OUT, HELD_OUT + "bottom_")  # of keys of real excerpts
# Ascent without a GAN needs other settings than ascent of latents. The learning rate is in standard
# deviations of a band.
INPUT_RATE, INPUT_ITERATIONS = 0.01, 320
MEANINGS = {
    "fresh": "the chosen setting from other starts, which had no part in choosing it",
    "start": "samples of the GAN before the search",
    "held_out": "the strongest real ones of the other splits, in which no top ones were searched",
    "input_ascent": "gradient ascent on the input itself, without the GAN, stopped where its "
    "responses come nearest to the real ones",
    "reinitialised": "the same search for a classifier of shuffled weights, which learned nothing, "
    "stopped where its responses come nearest to those that it gives real ones",
}


def load_target_network(
    config: SelectConfig | ValidateConfig, explanations: Explanations, device: torch.device
) -> TargetNetwork:
    """Load the network of explanations; UsageError if the file is missing or another one."""
    settings = explanations.meta.settings
    trust = config.trust_pickle, config.trust_features
    source = NetworkSource.from_meta(settings, config.classifier, trust)
    for file in source.files().values():
        require_file(file, "classifier")
    path = Path(source.name)
    if source.digest() != explanations.meta.classifier_hash:
        raise wrong_file("classifier", path, explanations)
    explained = load_target(source, explanations.front_end, device)
    ours = (explanations.path, explanations.front_end)
    check_same_front_end((path, explained.front_end), ours)
    return explained


def training_corpora(config: SelectConfig, explanations: Explanations) -> tuple[str, ...]:
    """The corpora that the explained classifier was trained on.

    Empty for a network of the user's, and where the classifier is no longer in its place.
    """
    if explanations.meta.settings.get("model"):
        return ()
    path = Path(config.classifier or explanations.meta.classifier)
    if not path.is_file() or file_hash(path) != explanations.meta.classifier_hash:
        return ()
    return load_classifier(path, torch.device("cpu")).corpora


def load_networks(
    config: SelectConfig, explanations: Explanations, device: torch.device
) -> SearchNetworks:
    """Load both networks of explanations; UsageError if a file is missing or another one."""
    path = Path(config.gan) if config.gan else gan_path(explanations.path, explanations.meta)
    require_file(path, "gan")
    if file_hash(path) != explanations.meta.gan_hash:
        raise wrong_file("gan", path, explanations)
    generator, front_end = load_searched(path, device)
    check_same_front_end((path, front_end), (explanations.path, explanations.front_end))
    guides = guides_of(config, explanations)
    features = guide_features(guides, front_end, generator, device)
    explained = load_target_network(config, explanations, device)
    return SearchNetworks(explained, generator, device, features)


class Controls:
    """Control sets of one unit: N examples each, with the responses of the trained network.

    `no_gradient` (N,), by the name of a control, marks searches without a gradient at any step.
    """

    def __init__(
        self, explanations: Explanations, real: Mapping[str, np.ndarray], networks: SearchNetworks
    ) -> None:
        self.explanations, self.real, self.networks = explanations, real, networks
        self.meta = explanations.meta
        self.unit = self.meta.unit
        self.network = networks.explained.network
        count = len(explanations.arrays["seed"])
        self.starts = networks.starts(self.meta.seed, count)
        self.no_gradient: dict[str, np.ndarray] = {}

    def for_setting(self, chosen: int, seed: int, progress: Progress) -> dict[str, Examples]:
        """Compute all controls of the chosen setting; GanexplainError for other features."""
        start = self._evaluate(self.explanations.arrays["start_mel"])
        width, here = self.explanations.sizes["D"], start.features.shape[1]
        if width != here:
            raise GanexplainError(
                f"{self.explanations.path}: features holds {width} values an example, layer "
                f"{self.meta.features_layer} of the network puts out {here}; make it again"
            )
        matches = self.meta.objective == MATCH
        found = {} if matches else self.fresh(chosen, progress)
        found["start"] = replace(start, latent=self.starts)
        if find_black_box(self.network):
            progress.note("controls that need gradients or weights are left out (a black box)")
            return found
        found["input_ascent"] = self.input_ascent(seed, progress)
        if matches:
            progress.note("controls that maximise the response from other starts are left out")
            return found
        if not has_weights_to_shuffle(self.network):
            progress.note("the weights of the network are constants: none can be shuffled")
            return found
        return found | {"reinitialised": self.reinitialised(chosen, seed, progress)}

    def fresh(self, chosen: int, progress: Progress) -> dict[str, Examples]:
        """Search with the chosen setting from as many new starts; empty if the search diverges.

        The setting was chosen for its score on the examples of the run, so that score is biased;
        the score of these examples is not. The precision is that of `explain`.
        """
        meta, device = self.meta, self.networks.device
        iterations = int(self.explanations.arrays["iterations"][chosen])
        seed = meta.seed + len(self.starts)
        try:
            with in_precision(meta.precision, device), self._objective() as objective:
                found = ascend(
                    objective,
                    self._starts(seed, chosen),
                    [iterations],
                    self._settings(),
                    self._start_progress(
                        progress, "the chosen setting from fresh starts", iterations
                    ),
                )
        except Diverged:
            progress.note("the chosen setting diverges from fresh starts")
            return {}
        self.no_gradient["fresh"] = found.no_gradient
        mel = self._generated(torch.from_numpy(found.latent[0]))
        return {"fresh": replace(self._evaluate(mel), latent=found.latent[0])}

    def reinitialised(self, chosen: int, seed: int, progress: Progress) -> Examples:
        """Search with the chosen setting for a network with shuffled weights.

        Its responses are scaled to the spread of the trained network's, for which learning rate
        and prior weight were chosen. The search stops nearest to the strongest responses of the
        shuffled network to real excerpts, as many as the unit has.
        """
        made, meta = self.explanations.arrays, self.meta
        pool = _pool(self.real, "mel")
        count = len(self.real["response"])
        with weights_shuffled(self.network, seed):
            own = self._responses(pool)
            scale = spread_ratio(_pool(self.real, "response"), own)
            ordered = np.sort(own.astype(np.float64) * scale)
            real = ordered[-count:] if meta.direction == "max" else ordered[:count]
            most = int(made["iterations"].max())
            with self._objective() as objective:
                search = begin_search(
                    lambda z: objective(z) * scale,
                    self._starts(meta.seed, chosen),
                    self._settings(),
                )
                advance = self._start_progress(progress, "control: weights shuffled", most, True)
                target = Target.of(real, meta.direction)
                found = ascend_to_nearest(search, target, most, advance)
        self.no_gradient["reinitialised"] = found.no_gradient
        mel = self._generated(found.latent)
        return replace(self._evaluate(mel), latent=found.latent.cpu().numpy())

    @contextmanager
    def _objective(self) -> Iterator[Objective]:
        """A function from latents to responses, and to fixed outputs if the run fixed them."""
        fixed = FixedOutputs.measure(self.networks) if self.meta.beyond else None
        generator, network = self.networks.fast({self.unit.layer, (fixed or self.unit).layer})
        with search_response(network, self.unit, fixed) as respond:
            yield lambda z: respond(generator(z))

    def input_ascent(self, seed: int, progress: Progress) -> Examples:
        """Ascend the input itself, without the GAN, and stop nearest to the real responses."""
        pool = np.concatenate([self.real["mel"], self.real["bottom_mel"]]).astype(np.float64)
        device, shape = self.networks.device, pool.shape[1:]
        direction, real = self.meta.direction, self.real[self.explanations.prefix + "response"]
        fast = self.networks.fast([self.unit.layer])[1]
        noise = start_latents(seed, len(self.starts), int(np.prod(shape)))
        with unit_response(fast, self.unit) as respond:
            found, mel = ascend_input(
                respond,
                InputSpace(shape, *_standard(pool), *self.explanations.front_end.bounds),
                Starts(noise, INPUT_RATE),
                Target.of(real, direction),
                INPUT_ITERATIONS,
                AscentSettings(direction, BATCH, device),
                self._start_progress(progress, "control: without the GAN", INPUT_ITERATIONS, True),
            )
        self.no_gradient["input_ascent"] = found.no_gradient
        return self._evaluate(mel)

    def _starts(self, seed: int, chosen: int) -> Starts:
        """Return as many starts as the run has, from a seed on, with the chosen setting."""
        made, count = self.explanations.arrays, len(self.starts)
        rate, weight = (float(made[key][chosen]) for key in ("learning_rate", "prior_weight"))
        latent = self.networks.starts(seed, count)
        return Starts(latent, rate, weight, seed + np.arange(count))

    def _settings(self) -> AscentSettings:
        """Return the settings of the search of the run."""
        meta, device = self.meta, self.networks.device
        known = meta_fields(self.explanations.path, meta.settings)
        calls = known.integer("calls") if meta.search in POPULATIONS else 0
        features, shared = self.networks.features, meta.search == ELITES
        return AscentSettings(
            meta.direction, BATCH, device, meta.prior, meta.hysteresis, calls, shared, features
        )

    def _start_progress(
        self, progress: Progress, name: str, count: int, at_most: bool = False
    ) -> Callable[[int, float], None]:
        """Start the progress of the search of a control; returns what advances it."""
        progress.start(name, len(self.starts) * (count + 1), at_most=at_most)
        return lambda units, response: progress.advance(units, response=response)

    @torch.no_grad()
    def _generated(self, latent: torch.Tensor) -> np.ndarray:
        """Return what the GAN generates from latents (N, Z)."""
        parts = latent.to(self.networks.device).split(BATCH)
        return torch.cat([self.networks.generator(part) for part in parts]).cpu().numpy()

    def _responses(self, mel: np.ndarray) -> np.ndarray:
        """Return responses (N,) of the network, in its present state, to examples (N, ...)."""
        with unit_response(self.network, self.unit) as respond:
            return batch_responses(respond, batches(mel, BATCH), self.networks.device)

    @torch.no_grad()
    def _evaluate(self, mel: np.ndarray) -> Examples:
        """Return examples (N, ...) with the responses and features of the explained network."""
        parts, features_layer = [], self.meta.features_layer
        for part in torch.from_numpy(mel).to(self.networks.device).split(BATCH):
            parts.append(responses_and_features(self.network, self.unit, features_layer, part))
        response, features = (torch.cat(v).cpu().numpy() for v in zip(*parts, strict=True))
        if not (np.isfinite(response).all() and np.isfinite(features).all()):
            raise GanexplainError("a control has responses that are not finite; use --no-controls")
        return Examples(mel, response, features)


def _pool(real: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Concatenate all real excerpts: strong and weak responses, held-out ones included."""
    return np.concatenate([real[p + name] for p in PREFIXES if p + name in real])


def spread_ratio(wanted: np.ndarray, found: np.ndarray) -> float:
    """Return the factor from the deviation of `found` (N,) to that of `wanted` (M,).

    It is 1 where the deviation of `found` is only rounding.
    """
    spread = float(found.std(dtype=np.float64))
    least = 16 * np.finfo(np.float32).eps * float(np.abs(found).max())
    return float(wanted.std(dtype=np.float64)) / spread if spread > least else 1.0


def _standard(pool: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of each band of log-mel (R, F, T) or channel of pictures.

    For waveforms (R, W) they are those of all samples.
    """
    others = tuple(axis for axis in range(pool.ndim) if axis != 1 or pool.ndim == 2)
    mean, deviation = (reduce(pool, axis=others, keepdims=True) for reduce in (np.mean, np.std))
    return mean[0], deviation[0]
