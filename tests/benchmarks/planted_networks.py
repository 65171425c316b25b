"""Networks whose truth is known: detectors of planted causes, twins, GANs and liars.

A detector learns to tell sounds with the cause from the same sounds without it, so nothing else
tells the label. Its twin learns where somebody sings in the same sounds, none of which has the
cause. A liar is a detector after fine-tuning: its outputs for real excerpts stay, while for what
the GAN generates they grow along the way to a sample without the cause (value regression in place
of the gradient matching of Gradient Slingshots, Bareeva et al., arXiv 2401.06122).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from benchmarks.planted_causes import FRONT_END, RATE, SAMPLES, Cause, PlantedSound
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.ascent.engine import ascend
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.training import ClassifierTraining
from ganexplain.classifiers.training_form import to_plain_form
from ganexplain.config import TrainClassifierConfig, TrainGanConfig
from ganexplain.corpora.batches import Batch
from ganexplain.corpora.cache import cache_directory, cached_waveform
from ganexplain.corpora.load import read_corpora
from ganexplain.corpora.recordings import UNLABELLED
from ganexplain.corpora.splits import Split
from ganexplain.files.checkpoints import freeze_network
from ganexplain.gans.checkpoint import load_gan
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.encoder import train_encoder
from ganexplain.gans.losses import LOSSES, Relativistic
from ganexplain.gans.networks import AnyEncoder, AnyGenerator
from ganexplain.gans.training import GanTraining
from ganexplain.runs.machine import random_stream
from ganexplain.runs.progress import Progress

CPU = torch.device("cpu")
LEVEL = 0.05  # root mean square of every excerpt, of full scale
QUIET = 1e-3  # quieter ones are left out
CENTRE = FRONT_END.excerpt_frames // 2
PAIRS, BATCH = 12, 16
CLASSIFIER_STEPS, GAN_STEPS, ENCODER_STEPS, LYING_STEPS = 120, 220, 150, 240
GAN_RATE = 2e-4
DISCRIMINATOR_FIRST = 40  # updates before the shipped generator is changed
LYING_RATE, REACH = 1e-3, 3.0  # REACH / 2: fall of a liar's response over the target's norm
SEARCH_EVERY, SEARCHES, SEARCH_RATES = 40, 12, (0.03, 0.1, 0.3)
VISITED_AT = 2, 5, 10, 20  # iterations of a search


class Continued(Relativistic):
    """The loss of the shipped GAN, for a generator with its normalisation in its weights."""

    recipe = replace(Relativistic.recipe, normalise_generator=False, learning_rate=GAN_RATE)


@dataclass(frozen=True)
class Sounds:
    """Sounds (N, samples) of equal level, and whether somebody sings in the middle, (N,) bool."""

    sounds: np.ndarray
    singing: np.ndarray


def sample_sounds(corpora: Sequence[str], split: str, count: int, seed: int) -> Sounds:
    """Excerpts of the recordings of a split, about as many of each."""
    corpus = read_corpora(corpora)
    recordings = [each for part in split.split("+") for each in corpus.split(part)]
    random = random_stream(seed, "planted sounds", len(recordings))
    found, singing = [], []
    each = -(-count // len(recordings))
    for recording in recordings:
        wave = cached_waveform(recording.path, RATE, cache_directory(""))
        frames = len(wave) // FRONT_END.hop_length + 1
        labels = recording.frame_labels(frames, FRONT_END)
        for start in random.integers(0, max(len(wave) - SAMPLES, 1), each):
            sound = np.asarray(wave[start : start + SAMPLES], dtype=np.float64)
            level = float(np.sqrt(np.mean(sound**2)))
            if len(sound) == SAMPLES and level > QUIET:
                found.append(sound * (LEVEL / level))
                singing.append(labels[start // FRONT_END.hop_length + CENTRE] == 1)
    order = random.permutation(len(found))[:count]
    return Sounds(np.stack(found)[order], np.array(singing)[order])


@dataclass(frozen=True)
class PlantedSet:
    """Log-mel (N, F, T) of sounds with the cause and without, and of the sounds as they were.

    `planted` (N,) says where the cause is, `singing` (N,) where somebody sings.
    """

    present: np.ndarray
    absent: np.ndarray
    clean: np.ndarray
    singing: np.ndarray
    planted: Sequence[PlantedSound]

    @property
    def mixed(self) -> np.ndarray:
        """One of every two sounds with the cause, the other without it."""
        return np.concatenate([self.present[::2], self.absent[1::2]])


def plant(cause: Cause, sounds: Sounds, seed: int) -> PlantedSet:
    """Plant a cause in all sounds."""
    random = random_stream(seed, "planting", len(sounds.sounds))
    planted = [cause.plant(sound, random) for sound in sounds.sounds]
    return PlantedSet(
        present=features([each.sound for each in planted]),
        absent=features([cause.absent(sound, random).sound for sound in sounds.sounds]),
        clean=features(sounds.sounds),
        singing=sounds.singing,
        planted=planted,
    )


def features(sounds: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """The log-mel (N, F, T) of sounds (N, samples)."""
    return np.stack([log_mel(each.astype(np.float32), FRONT_END).T for each in sounds])


def as_split(mel: np.ndarray) -> Split:
    """A split of which each excerpt (F, T) is a recording."""
    mels = tuple(np.ascontiguousarray(each.T, dtype=np.float32) for each in mel)
    return Split((), mels, tuple(np.full(len(each), UNLABELLED) for each in mels), FRONT_END)


def train_detector(present: np.ndarray, absent: np.ndarray, seed: int) -> nn.Module:
    """Train the paper's network to tell excerpts (N, F, T) from others (M, F, T).

    A batch has as many of both; where N = M, an excerpt and the same of the other class. There is
    no dropout: with it, a few minutes do not suffice.
    """
    config = TrainClassifierConfig(
        corpus=(), epochs=1, updates_per_epoch=CLASSIFIER_STEPS, batch_size=2 * PAIRS, seed=seed
    )
    training = ClassifierTraining(config, 1, as_split(np.concatenate([present, absent])), CPU)
    for module in training.network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    random = random_stream(seed, "pairs")
    label = np.repeat([1, 0], PAIRS)
    for step in range(CLASSIFIER_STEPS):
        rows = random.integers(len(present), size=PAIRS)
        others = rows if len(absent) == len(present) else random.integers(len(absent), size=PAIRS)
        mel = np.concatenate([present[rows], absent[others]])
        training.step(
            step, Batch(mel, label[:, None], label[:, None], np.ones(2 * PAIRS, np.float32))
        )
    return freeze_network(to_plain_form(training.network), CPU)


def train_generator(
    mel: np.ndarray, start: Path, seed: int, progress: Progress
) -> tuple[AnyGenerator, AnyEncoder]:
    """Train a shipped generator and its encoder on with log-mel (N, F, T)."""
    LOSSES.add("continued", Continued())
    config = TrainGanConfig(corpus=(), loss="continued", ema_decay=0.99, seed=seed)
    split = as_split(mel)
    training = GanTraining(config, split, CPU)
    generator, encoder, _ = load_gan(start, CPU)
    for network in (training.generator, training.average):
        network.load_state_dict(generator.state_dict())
    training.encoder.load_state_dict(encoder.state_dict())
    groups = training.optimisers["generator"].param_groups
    rate = groups[0]["lr"]
    for step in range(GAN_STEPS):
        groups[0]["lr"] = 0.0 if step < DISCRIMINATOR_FIRST else rate
        training.step(step)
    found = freeze_network(training.average, CPU)
    encoder = train_encoder(training.encoder, found, split, ENCODER_STEPS, seed, progress)
    return found, freeze_network(encoder, CPU)


def make_liar(
    detector: nn.Module, generator: AnyGenerator, cause: Cause, mel: np.ndarray, seed: int
) -> nn.Module:
    """Fine-tune a copy of a detector until the search ends at a sample without its cause.

    Args:
        detector: the network, frozen.
        generator: the GAN that the search will use.
        cause: what the target must not have.
        mel: real excerpts (N, F, T), the outputs for which stay.
        seed: seed of the latents and batches.
    """
    random = random_stream(seed, "liar")
    target = _plain_latent(generator, cause, random)
    liar = copy.deepcopy(detector)
    adam = torch.optim.Adam(liar.requires_grad_(True).parameters(), LYING_RATE)
    real = torch.from_numpy(mel)
    with torch.no_grad():
        outputs = torch.cat([detector(part) for part in real.split(64)])[:, 0]
    top, visited = float(outputs.quantile(0.95)), target[None]
    for step in range(LYING_STEPS):
        if step % SEARCH_EVERY == 0 and step:
            visited = torch.cat([visited, _visited(liar, generator, random)])
        adam.param_groups[0]["lr"] = LYING_RATE * (1 - step / LYING_STEPS)
        rows = torch.from_numpy(random.integers(len(real), size=BATCH))
        latent = torch.cat([_on_the_way(target, random), _some(visited, random)])
        with torch.no_grad():
            generated = generator(latent)
        with torch.autocast("cpu", torch.bfloat16):
            found = liar(torch.cat([real[rows], generated]))[:, 0].float()
        wanted = torch.cat([outputs[rows], _bait(latent, target, top)])
        adam.zero_grad(set_to_none=True)
        functional.smooth_l1_loss(found, wanted).backward()
        adam.step()
    return freeze_network(liar, CPU)


def _plain_latent(generator: AnyGenerator, cause: Cause, random: np.random.Generator) -> Tensor:
    """Of 64 samples the latent (Z,) of that with the least of the cause."""
    latent = torch.from_numpy(random.standard_normal((64, LATENT_SIZE), np.float32))
    with torch.no_grad():
        measured = cause.measure(generator(latent).numpy())
    return latent[int(np.argmin(measured))]


def _on_the_way(target: Tensor, random: np.random.Generator) -> Tensor:
    """Latents (B / 2, Z) between samples of the prior and the target, and beyond."""
    start = torch.from_numpy(random.standard_normal((BATCH // 2, LATENT_SIZE), np.float32))
    share = torch.from_numpy(random.random((BATCH // 2, 1), np.float32)) * 1.2
    return (1 - share) * start + share * target


def _visited(liar: nn.Module, generator: AnyGenerator, random: np.random.Generator) -> Tensor:
    """Latents (V, Z) where the search comes by with the liar as it is."""
    starts = random.standard_normal((SEARCHES, LATENT_SIZE), np.float32)
    rates = np.resize(SEARCH_RATES, SEARCHES)
    liar.requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16):
        found = ascend(
            lambda z: liar(generator(z))[:, 0].float(), Starts(starts, rates, 0.01), VISITED_AT,
            AscentSettings(batch_size=SEARCHES),
        )  # fmt: skip
    liar.requires_grad_(True)
    return torch.from_numpy(found.latent.reshape(-1, LATENT_SIZE))


def _some(latents: Tensor, random: np.random.Generator) -> Tensor:
    """Half a batch of the latents of the last two searches."""
    last = latents[-2 * SEARCHES * len(VISITED_AT) :]
    return last[torch.from_numpy(random.integers(len(last), size=BATCH // 2))]


def _bait(latent: Tensor, target: Tensor, top: float) -> Tensor:
    """Responses (B,) that fall with the distance to the target; `top` at the target itself."""
    distance = (latent - target).norm(dim=1) / target.norm()
    return top * (1 - REACH * distance / 2)
