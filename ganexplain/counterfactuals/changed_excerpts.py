"""Excerpts of recordings, changed until the decision of a network changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.priors import NEAR
from ganexplain.audio.difference import level_change_db
from ganexplain.audio.filtering import filter_by_change
from ganexplain.audio.log_mel import log_mel
from ganexplain.config import CounterfactualConfig
from ganexplain.corpora.single import StartExcerpt, parse_start
from ganexplain.counterfactuals.boundary import DecisionBoundary, Trials
from ganexplain.counterfactuals.crossing import cross_boundary, refine_detail, refine_latent
from ganexplain.errors import UsageError
from ganexplain.gans.checkpoint import load_gan
from ganexplain.gans.dcgan import Generator
from ganexplain.gans.networks import AnyEncoder
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd, require_log_mel
from ganexplain.inputs.specification import check_same_front_end
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, load_target
from ganexplain.runs.machine import pick_device

STATES = ("original", "reconstruction", "counterfactual")
RETOUCHED = "retouched"  # the original with what changed from reconstruction to counterfactual


@dataclass(frozen=True)
class CounterfactualTask:
    """Networks and excerpts of a run, opened and checked before it begins."""

    config: CounterfactualConfig
    source: NetworkSource
    explained: TargetNetwork
    front_end: FrontEnd
    generator: Generator
    encoder: AnyEncoder
    starts: Sequence[StartExcerpt]

    @classmethod
    def open(cls, config: CounterfactualConfig) -> CounterfactualTask:
        """The task of the settings; errors of settings and of every file."""
        source, gan = NetworkSource.from_settings(config), Path(config.gan)
        device = pick_device(config.device)
        explained = load_target(source, None, device) if source.classifier else None
        generator, encoder, generator_output = load_gan(gan, device)
        explained = explained or load_target(source, generator_output, device)
        check_same_front_end((Path(source.name), explained.front_end), (gan, generator_output))
        front_end = require_log_mel(
            generator_output,
            f"{gan}: generates {generator_output.plural}, not recordings; name a GAN of log-mel",
        )
        if not isinstance(generator, Generator):
            raise UsageError(f"{gan}: has no block to which detail is added; name another GAN")
        opened = cls(config, source, explained, front_end, generator, encoder, ())
        return replace(opened, starts=[opened.read(text) for text in config.start_from])

    @property
    def input_spec(self) -> Input:
        """The input that an excerpt is."""
        return self.front_end

    def read(self, text: str) -> StartExcerpt:
        """The excerpt that FILE@SECONDS names; raises as `parse_start`."""
        return parse_start(text, self.front_end.excerpt_samples, self.front_end.sample_rate)

    def trials(self) -> Trials:
        """Samples of the GAN."""
        return Trials.of_generator(self.generator, self.config.seed)

    def networks(self) -> dict[str, NetworkSource]:
        """The network that is asked, by what the names of its files begin with."""
        return {"": self.source}


@dataclass(frozen=True)
class ExcerptChange:
    """Arrays of an excerpt in `counterfactual.npz`, and the waveform of the recording changed."""

    arrays: Mapping[str, np.ndarray]
    retouched: np.ndarray


class ExcerptChanger:
    """Changes excerpts with the networks of a task, each by itself."""

    def __init__(self, task: CounterfactualTask, divided: DecisionBoundary) -> None:
        self.task, self.config, self.divided = task, task.config, divided
        self.generator, self.encoder = task.generator, task.encoder
        self.front_end = task.front_end
        self.device = task.generator.mean.device

    def change(self, start: StartExcerpt, advance: Callable[[int], None]) -> ExcerptChange:
        """Return log-mel (F, T), response and margin of each state, latents (Z,) and the detail.

        `advance` is called with the number of steps done.
        """
        margin, generator = self.divided.margin, self.generator
        mel = self._to_log_mel(start.sound)
        redrawn, detail = self._redraw(mel, advance)
        added = torch.from_numpy(detail).to(self.device)

        def draw(latent: Tensor) -> Tensor:
            return generator.draw(generator.sketch(latent) + added)

        with torch.no_grad():
            upwards = float(margin(mel[None])) <= 0
        crossed = cross_boundary(
            redrawn, lambda z: margin(draw(z)), upwards, self.config, self.device, advance
        )
        latents = torch.from_numpy(np.stack([redrawn, crossed.latent])).to(self.device)
        with torch.no_grad():
            generated = draw(latents)
        shown = dict(zip(STATES, [mel, *generated], strict=True))
        retouched = self._change_recording(start, *(m.cpu().numpy() for m in generated))
        shown[RETOUCHED] = self._to_log_mel(retouched)
        found: dict[str, np.ndarray] = {
            "file": np.array(str(start.path)),
            "start_s": np.array(start.seconds),
            "iterations": np.array(crossed.iterations),
            "no_gradient": np.array(crossed.no_gradient),
            "reconstruction_latent": redrawn,
            "counterfactual_latent": crossed.latent,
            "detail": detail,
        }
        for state, excerpt in shown.items():
            found[f"{state}_mel"] = excerpt.cpu().numpy()
            with torch.no_grad():
                found[f"{state}_response"] = self.divided.response(excerpt[None])[0].cpu().numpy()
                found[f"{state}_margin"] = margin(excerpt[None])[0].cpu().numpy()
        return ExcerptChange(found, retouched)

    def _redraw(self, mel: Tensor, advance: Callable[[int], None]) -> tuple[np.ndarray, np.ndarray]:
        """The latent (Z,) and the detail (C, H, W) that reconstruct an excerpt (F, T)."""
        config, generator = self.config, self.generator
        with torch.no_grad():
            encoded = self.encoder(mel[None])[0][0].cpu().numpy()
        # Near a latent that the generator does not know, nothing it draws would mean much.
        prior = "shell" if config.prior == NEAR else config.prior
        latent = refine_latent(
            encoded, mel, generator, generator.deviation, self.divided.margin, prior,
            config.refine_steps, lambda steps, _: advance(steps),
        )  # fmt: skip
        detail = refine_detail(
            latent, mel, generator, config.refine_steps, lambda steps, _: advance(steps)
        )
        return latent, detail

    def _to_log_mel(self, sound: np.ndarray) -> Tensor:
        """Log-mel (F, T) of a waveform."""
        return torch.from_numpy(log_mel(sound, self.front_end).T.copy()).to(self.device)

    def _change_recording(
        self, start: StartExcerpt, before: np.ndarray, after: np.ndarray
    ) -> np.ndarray:
        by = level_change_db(before, after, self.front_end)
        return filter_by_change(start.sound, by, self.front_end)
