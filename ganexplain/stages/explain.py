"""`explain`: classifier and GAN -> `explanations.npz`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from ganexplain import __version__
from ganexplain.artifacts import check_same_front_end, write_arrays
from ganexplain.ascent.engine import Trajectories, ascend, start_latents
from ganexplain.ascent.neurons import (
    check_neuron,
    find_layer,
    last_hidden_layer,
    neuron_response,
    responses_and_features,
)
from ganexplain.config import ExplainConfig
from ganexplain.errors import UsageError, check_known
from ganexplain.models.dcgan import LATENT_SIZE, Generator
from ganexplain.models.loading import Classifier, load_classifier, load_generator
from ganexplain.rundir import RunDirectory
from ganexplain.runtime import Progress, pick_device

DIRECTIONS = ("max", "min")
LARGEST_SEED = 2**32  # of NumPy's legacy generator


def explain(config: ExplainConfig, out: Path, progress: Progress, overwrite: bool = False) -> Path:
    """Search the latent space for inputs that drive one unit, over the grid of settings.

    Gives the path of `explanations.npz`. Raises UsageError for an unknown layer, unit or
    direction, settings out of range, or checkpoints that do not belong together.
    """
    check_settings(config)
    device = pick_device(config.device)
    classifier_path, gan_path = Path(config.classifier), Path(config.gan)
    classifier = load_classifier(classifier_path, device)
    generator, front_end = load_generator(gan_path, device)
    check_same_front_end((classifier_path, classifier.front_end), (gan_path, front_end))
    _check_units(config, classifier, generator, device)
    with RunDirectory(out, "explain", config, overwrite) as run:
        progress = run.keep_notes(progress)
        hashes = {
            "classifier_hash": run.used("classifier", classifier_path),
            "gan_hash": run.used("gan", gan_path),
        }
        starts = start_latents(config.seed, config.examples, LATENT_SIZE)
        found = _search(config, classifier, generator, starts, device, progress)
        arrays = explanation_arrays(config, classifier, generator, starts, found, device)
        meta = {
            **asdict(config),
            **hashes,
            "features_layer": features_layer(config, classifier),
            "unit": classifier.unit_name(config.layer, config.neuron),
            "front_end": asdict(front_end),
            "classes": list(classifier.classes),
            "version": __version__,
        }
        path = out / "explanations.npz"
        write_arrays(path, "explanations", arrays, meta)
        run.results["example_iterations"] = int(found.response_trace.size)
    return path


def check_settings(config: ExplainConfig) -> None:
    """UsageError naming the option whose value is out of range or repeated."""
    check_known("--direction", config.direction, DIRECTIONS)
    for option, values in (
        ("--learning-rate", config.learning_rate),
        ("--prior-weight", config.prior_weight),
        ("--iterations", config.iterations),
    ):
        if not values:
            raise UsageError(f"{option}: give at least one value")
        if len(set(values)) < len(values):
            raise UsageError(f"{option}: a value is given twice; leave one out")
        may_be_zero = option == "--prior-weight"
        for value in values:
            if not (0 < value < float("inf") or (value == 0 and may_be_zero)):
                kind = "zero or above" if may_be_zero else "above zero"
                raise UsageError(f"{option} {value:g}: must be a finite number {kind}")
    if config.examples < 2:
        raise UsageError(f"--examples {config.examples}: a distance needs at least 2")
    if config.seed + config.examples > LARGEST_SEED:
        raise UsageError(f"--seed {config.seed}: seed + examples must stay below 2^32")


def features_layer(config: ExplainConfig, classifier: Classifier) -> str:
    """The layer whose output is recorded for selection; by default the last hidden one."""
    return config.features or last_hidden_layer(classifier.network)


def _check_units(
    config: ExplainConfig, classifier: Classifier, generator: Generator, device: torch.device
) -> None:
    with torch.no_grad():
        example = generator(torch.zeros(1, LATENT_SIZE, device=device))
    check_neuron(classifier.network, config.layer, config.neuron, example)
    find_layer(classifier.network, features_layer(config, classifier), "--features")


def trajectory_settings(config: ExplainConfig) -> list[tuple[float, float]]:
    """The L distinct (learning rate, prior weight) pairs, in the order of the grid."""
    return list(itertools.product(config.learning_rate, config.prior_weight))


def _search(
    config: ExplainConfig,
    classifier: Classifier,
    generator: Generator,
    starts: np.ndarray,
    device: torch.device,
    progress: Progress,
) -> Trajectories:
    """All settings and examples as rows of one search: row l * N + k is example k of pair l."""
    pairs = np.array(trajectory_settings(config))
    count = len(starts)
    total = len(pairs) * count * max(config.iterations)
    progress.start(f"{config.layer}:{config.neuron} {config.direction}", total)
    with neuron_response(classifier.network, config.layer, config.neuron) as respond:
        return ascend(
            generator,
            respond,
            np.tile(starts, (len(pairs), 1)),
            np.repeat(pairs[:, 0], count),
            np.repeat(pairs[:, 1], count),
            config.iterations,
            config.direction,
            config.batch_size,
            device,
            lambda units, response: progress.advance(units, response=response),
        )


def explanation_arrays(
    config: ExplainConfig,
    classifier: Classifier,
    generator: Generator,
    starts: np.ndarray,
    found: Trajectories,
    device: torch.device,
) -> dict[str, np.ndarray]:
    """Arrays of `explanations.npz`: configurations C = L x P, iteration counts fastest."""
    pairs = trajectory_settings(config)
    lines, steps, count = len(pairs), len(config.iterations), len(starts)

    def by_configuration(values: np.ndarray) -> np.ndarray:
        """(P, L * N, ...) to (C, N, ...)."""
        split = values.reshape(steps, lines, count, *values.shape[2:])
        return np.ascontiguousarray(split.swapaxes(0, 1)).reshape(-1, *split.shape[2:])

    latent = by_configuration(found.latent)
    mel, response, features = _drawn(config, classifier, generator, latent, device)
    start_mel, start_response, _ = _drawn(config, classifier, generator, starts[None], device)
    return {
        "learning_rate": np.repeat([rate for rate, _ in pairs], steps),
        "prior_weight": np.repeat([weight for _, weight in pairs], steps),
        "iterations": np.tile(config.iterations, lines),
        "trajectory": np.repeat(np.arange(lines), steps),
        "seed": config.seed + np.arange(count),
        "latent": latent,
        "mel": mel,
        "response": response,
        "features": features,
        "best_iteration": by_configuration(found.best_iteration),
        "response_trace": found.response_trace.reshape(lines, count, -1),
        "latent_norm_trace": found.latent_norm_trace.reshape(lines, count, -1),
        "start_mel": start_mel[0],
        "start_response": start_response[0],
    }


def _drawn(
    config: ExplainConfig,
    classifier: Classifier,
    generator: Generator,
    latent: np.ndarray,
    device: torch.device,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-mel (C, N, F, T), responses (C, N) and features (C, N, D) of latents (C, N, Z)."""
    rows = torch.from_numpy(latent.reshape(-1, latent.shape[-1])).to(device)
    layer = features_layer(config, classifier)
    drawn: list[Sequence[torch.Tensor]] = []
    with torch.no_grad():
        for part in rows.split(config.batch_size):
            mel = generator(part)
            answer = responses_and_features(
                classifier.network, config.layer, config.neuron, layer, mel
            )
            drawn.append((mel, *answer))
    joined = [torch.cat(column).cpu().numpy() for column in zip(*drawn, strict=True)]
    mel, response, features = (v.reshape(*latent.shape[:2], *v.shape[1:]) for v in joined)
    return mel, response, features
