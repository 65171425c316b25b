"""Distances of a generator's samples to real excerpts, held-out ones included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ganexplain.audio.display import display_inputs, display_spec
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.errors import Diverged, GanexplainError
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.networks import AnyGenerator
from ganexplain.metrics.distances import (
    frechet_distance,
    gaussian_kernel,
    kernel_distances,
    manifold_scores,
)
from ganexplain.metrics.texture import lattice, note_lengths, onset_strengths
from ganexplain.metrics.transport import wasserstein_distances
from ganexplain.networks.hooks import find_layer, last_hidden_layer, record_outputs
from ganexplain.networks.layer_units import unit_values
from ganexplain.runs.machine import random_stream

EXCERPTS = 500
CANDIDATES, NEIGHBOUR_SAMPLES = 2000, 200
CELLS = (16, 23)  # most cells of a coarse picture: 5 bands by 5 frames a cell for the paper's shape
CHUNK = 50
PICTURE_CELLS = 8  # along each side


@dataclass(frozen=True)
class SampleStatistics:
    """Features (N, D), responses (N,) of the output and coarse pictures (N, C) of N excerpts."""

    features: np.ndarray
    response: np.ndarray
    coarse: np.ndarray


class Validation:
    """Compares samples from fixed latents with fixed real excerpts.

    Features are the outputs of the last hidden layer of a frozen `classifier`, responses those of
    its last unit. Without a classifier there are no responses, and features are the mean and
    standard deviation over time of each standardised band, or the means of 8 x 8 cells of pictures.
    Waveforms are compared by their log-mel. `real` are the statistics of the validation split,
    `training` the features of training excerpts.
    """

    def __init__(
        self,
        seed: int,
        train: AnySplit,
        valid: AnySplit,
        device: torch.device,
        classifier: nn.Module | None = None,
    ) -> None:
        self.seed, self.train, self.valid, self.device = seed, train, valid, device
        self.classifier = classifier
        stream = random_stream(seed, "validation latents")
        self.latents = stream.standard_normal((EXCERPTS, LATENT_SIZE), np.float32)
        if len(valid.whole_excerpts()) < 2 or len(train.whole_excerpts()) < 2:
            raise GanexplainError(
                "the train and valid splits must contain two excerpts (1.7 s) or pictures at the "
                "least to train a GAN; list longer recordings"
            )
        self.mean, self.deviation = self._band_statistics()
        self.real = self._statistics(self.excerpts(valid, EXCERPTS))
        self.real_distance = _mean_distance(self.real.coarse)
        self.training = self._statistics(self.excerpts(train, EXCERPTS)).features
        self.floor = frechet_distance(self.training, self.real.features)
        # The validation split alone has too few songs: a generator of all the training music would
        # score worse than a monotonous one near those songs.
        self.both = np.concatenate([self.training, self.real.features])

    def excerpts(self, split: AnySplit, count: int) -> np.ndarray:
        """Return at most `count` excerpts (N, F, T) of a split, the same ones every time."""
        centres = split.whole_excerpts()
        stream = random_stream(self.seed, "validation excerpts")
        rows = stream.choice(len(centres), min(count, len(centres)), replace=False)
        return split.gather(centres[rows])

    @torch.no_grad()
    def samples(self, generator: AnyGenerator, count: int = EXCERPTS) -> np.ndarray:
        """Return the first `count` samples (N, F, T) of the generator."""
        rows = torch.from_numpy(self.latents[:count]).to(self.device)
        return torch.cat([generator(part).cpu() for part in rows.split(CHUNK)]).numpy()

    def measure(self, generator: AnyGenerator) -> dict[str, float]:
        """Return figures of a generator.

        `score` is the Frechet distance of the features of its samples to those of the training and
        the validation split together, `held_out` to those of the validation split alone, to which
        `apart_from_held_out` adds. `diversity` is the mean distance between samples over that
        between real excerpts. `response_mean` and `response_std` need a classifier. Raises Diverged
        where samples are not finite.
        """
        samples = self._statistics(self.samples(generator))
        if not np.isfinite(samples.features).all():
            raise Diverged(
                "the generator returns values that are not finite; lower --learning-rate"
            )
        figures = {
            "score": frechet_distance(samples.features, self.both),
            "held_out": frechet_distance(samples.features, self.real.features),
            "diversity": _mean_distance(samples.coarse) / max(self.real_distance, 1e-9),
            **self.apart_from_held_out(samples.features),
        }
        return figures | _responses("response", samples.response)

    def reference(self) -> dict[str, float]:
        """Return `floor`, the distance of training to held-out excerpts, and real responses."""
        return {"floor": self.floor} | _responses("real_response", self.real.response)

    def apart_from_held_out(self, features: np.ndarray) -> dict[str, float]:
        """Return how features (N, D) differ from those of held-out excerpts.

        `kernel` is the squared Kernel Audio Distance, which unlike the Frechet distance does not
        depend on N: with more dimensions than excerpts that one is mostly bias. The others are
        those of `manifold_scores`.
        """
        real, once = self.real.features, np.ones((1, len(features)))
        kernel = kernel_distances(features, real, once, gaussian_kernel(real))
        return {"kernel": float(kernel[0]), **manifold_scores(features, real)}

    def texture(self, excerpts: np.ndarray) -> dict[str, float]:
        """Return how far excerpts (N, ...) are from held-out ones in their onsets and notes.

        Wasserstein distances of the strengths of onsets in nat and of the lengths of notes in
        frames, and the two figures of `lattice`. Pictures have none of them.
        """
        shown = display_spec(self.train.front_end)
        if not shown.sound_rate:
            return {}
        mel, real = (
            display_inputs(self.train.front_end, values)
            for values in (excerpts, self.excerpts(self.valid, EXCERPTS))
        )
        bands, frames = lattice(mel)
        return {
            "onsets": _distance(onset_strengths(mel), onset_strengths(real)),
            "notes": _distance(note_lengths(mel), note_lengths(real)),
            "lattice_bands": bands,
            "lattice_frames": frames,
        }

    def nearest(self, samples: np.ndarray) -> dict[str, float]:
        """Return median distances to the nearest neighbour, in standard deviations of a cell.

        The distances are those of samples (N, ...) to training and to equally many held-out
        excerpts, and of held-out to training excerpts. Samples much nearer to training than to
        held-out excerpts are memorised.
        """
        count = min(CANDIDATES, *(len(s.whole_excerpts()) for s in (self.train, self.valid)))
        training = self.coarse(self.excerpts(self.train, count))
        held_out = self.coarse(self.excerpts(self.valid, count))
        drawn = self.coarse(samples)
        return {
            "nearest_training": _nearest(drawn, training),
            "nearest_held_out": _nearest(drawn, held_out),
            "held_out_to_training": _nearest(held_out[:NEIGHBOUR_SAMPLES], training),
        }

    def _band_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation (F,) of each band or channel as they are displayed."""
        input_spec = self.train.front_end
        if display_spec(input_spec) == input_spec:
            return self.train.band_statistics()
        values = display_inputs(input_spec, self.excerpts(self.train, EXCERPTS))
        others = tuple(axis for axis in range(values.ndim) if axis != 1)
        return values.mean(axis=others), values.std(axis=others).clip(1e-6)

    def coarse(self, samples: np.ndarray) -> np.ndarray:
        """Return the means (N, C) of standardised excerpts (N, ...) over coarse cells."""
        mel = display_inputs(self.train.front_end, samples)
        standard = torch.from_numpy(self._standard(mel))
        cell = [max(side // most, 1) for side, most in zip(mel.shape[-2:], CELLS, strict=True)]
        maps = standard[:, None] if standard.ndim == 3 else standard
        return functional.avg_pool2d(maps, cell).flatten(1).numpy()

    def _standard(self, mel: np.ndarray) -> np.ndarray:
        """Standardise each band or channel of inputs (N, ...)."""
        axes = (-1, *[1] * (mel.ndim - 2))
        standard: np.ndarray = (mel - self.mean.reshape(axes)) / self.deviation.reshape(axes)
        return standard

    def _statistics(self, mel: np.ndarray) -> SampleStatistics:
        if self.classifier is None:
            features = self._plain_features(mel)
            response = np.empty(0, dtype=np.float32)
        else:
            features, response = self._classifier_outputs(self.classifier, mel)
        return SampleStatistics(features, response, self.coarse(mel))

    def _plain_features(self, samples: np.ndarray) -> np.ndarray:
        mel = display_inputs(self.train.front_end, samples)
        standard = self._standard(mel)
        if mel.ndim == 3:
            return np.concatenate([standard.mean(axis=2), standard.std(axis=2)], axis=1)
        side = tuple(min(size, PICTURE_CELLS) for size in mel.shape[2:])
        return functional.adaptive_avg_pool2d(torch.from_numpy(standard), side).flatten(1).numpy()

    @torch.no_grad()
    def _classifier_outputs(
        self, classifier: nn.Module, mel: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        layer = find_layer(classifier, last_hidden_layer(classifier))
        features, response = [], []
        with record_outputs(classifier, {"features": layer}) as outputs:
            for start in range(0, len(mel), CHUNK):
                part = torch.from_numpy(mel[start : start + CHUNK]).to(self.device)
                response.append(classifier(part)[:, -1].cpu())
                features.append(unit_values(outputs["features"]).cpu())
        return torch.cat(features).numpy(), torch.cat(response).numpy()


def _responses(name: str, response: np.ndarray) -> dict[str, float]:
    if not response.size:
        return {}
    return {f"{name}_mean": float(response.mean()), f"{name}_std": float(response.std())}


def _distance(values: np.ndarray, real: np.ndarray) -> float:
    """Wasserstein distance of values (M,) to real ones (R,); none at all count as zeros."""
    values, real = (np.resize(found, max(found.size, 2)) for found in (values, real))
    return float(wasserstein_distances(values, real, np.ones((1, len(values))))[0])


def _mean_distance(coarse: np.ndarray) -> float:
    """Return the mean distance between two of N coarse pictures (N, C)."""
    return float(torch.pdist(torch.from_numpy(coarse)).mean())


def _nearest(these: np.ndarray, those: np.ndarray) -> float:
    """Return the median over `these` (N, C) of the RMS distance to the nearest of `those`."""
    exact = "donot_use_mm_for_euclid_dist"  # a matrix product would lose the distance of copies
    distance = torch.cdist(torch.from_numpy(these), torch.from_numpy(those), compute_mode=exact)
    return float(np.median(distance.min(dim=1).values.numpy()) / np.sqrt(these.shape[1]))
