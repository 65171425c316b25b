"""Excerpts of recordings, edited until the decision of a network changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.audio.difference import AUDIBLE_DB
from ganexplain.audio.display import display_front_end, display_inputs
from ganexplain.audio.io import as_written, load_excerpt, read_duration
from ganexplain.audio.sonify import limit_peak
from ganexplain.config import CounterfactualConfig
from ganexplain.corpora.single import StartExcerpt, parse_start
from ganexplain.counterfactuals.boundary import BATCH, DecisionBoundary, Trials
from ganexplain.counterfactuals.edit import Edit, EditSearch
from ganexplain.counterfactuals.sound_judges import GanRange, judge_margin
from ganexplain.errors import UsageError
from ganexplain.gans.checkpoint import load_generator
from ganexplain.inputs.base import Input
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.gains import Gains
from ganexplain.networks.sound_target import load_sound_target
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork
from ganexplain.runs.machine import pick_device, random_stream

EDIT_STATES = ("original", "edited", "opposite")
ELSEWHERE = 20  # random shifts of an edit
FURTHER_DB = 0.5  # from the GAN's range, which an edited excerpt may be in addition


@dataclass(frozen=True)
class EditTask:
    """Networks and excerpts of a run, opened and checked before it begins.

    `judges` are the sources of networks that are not asked during the search, by name.
    """

    config: CounterfactualConfig
    source: NetworkSource
    explained: TargetNetwork
    sound: WaveformInput
    judges: Mapping[str, NetworkSource]
    starts: Sequence[StartExcerpt]

    @classmethod
    def open(cls, config: CounterfactualConfig, judges: Mapping[str, NetworkSource]) -> EditTask:
        """The task of the settings; errors of settings and of every file."""
        source, device = NetworkSource.from_settings(config), pick_device(config.device)
        generated = load_generator(Path(config.gan), device)[1] if config.gan else None
        explained, sound = load_sound_target(source, generated, device)
        opened = cls(config, source, explained, sound, judges, ())
        return replace(opened, starts=[opened.read(text) for text in config.start_from])

    @property
    def input_spec(self) -> Input:
        """The input that an excerpt is."""
        return self.sound

    def read(self, text: str) -> StartExcerpt:
        """The excerpt that FILE@SECONDS names; raises as `parse_start`."""
        return parse_start(text, self.sound.samples, self.sound.sample_rate)

    def networks(self) -> dict[str, NetworkSource]:
        """The networks that are asked, by what the names of their files begin with."""
        return {"": self.source, **{f"judge {name}/": each for name, each in self.judges.items()}}

    def trials(self) -> Trials:
        """The excerpts themselves, and for a median others of their recordings."""
        device = self.explained.device
        sounds = np.stack([start.sound for start in self.starts[:BATCH]])
        return Trials(nn.Identity(), torch.from_numpy(sounds).to(device), self._others)

    def _others(self, count: int) -> Tensor:
        """About `count` excerpts (N, W) at equal distances of all recordings."""
        files = sorted({start.path for start in self.starts})
        each, length = -(-count // len(files)), self.sound.seconds
        sounds = [
            load_excerpt(path, at, self.sound.samples, self.sound.sample_rate)
            for path in files
            for at in np.linspace(0, max(0.0, read_duration(path) - length), each)
        ]
        return torch.from_numpy(np.stack(sounds)).to(self.explained.device)


@dataclass(frozen=True)
class ExcerptEdit:
    """Arrays of an excerpt in `counterfactual.npz`, and waveforms (W,).

    `edited` is what is written, `edit` what the edit adds to the excerpt.
    """

    arrays: Mapping[str, np.ndarray]
    edited: np.ndarray
    edit: np.ndarray


class ExcerptEditor:
    """Edits excerpts with the networks of a task, each by itself."""

    def __init__(self, task: EditTask, divided: DecisionBoundary) -> None:
        self.task, self.config, self.divided = task, task.config, divided
        self.sound, self.device = task.sound, task.explained.device
        if task.judges and not divided.name:
            raise UsageError(
                f"--judge: is asked for a class, which {divided.unit} is not; leave it out"
            )
        self.judges = {
            name: judge_margin(source, divided.name, task.sound, self.device)
            for name, source in task.judges.items()
        }
        gan = self.config.gan
        self.range = GanRange.open(Path(gan), task.sound, self.device) if gan else None

    def edit(self, start: StartExcerpt, advance: Callable[[int], None]) -> ExcerptEdit:
        """Return the edit (F, T) in dB, what it does, and the controls.

        `advance` is called with the number of steps done.
        """
        gains = Gains(start.sound, display_front_end(self.sound)).to(self.device)
        with torch.no_grad():
            upwards = float(self._margin(self._tensor(start.sound))) <= 0
        found = self._search(start, gains, upwards, advance)
        by = torch.from_numpy(found.by).to(self.device)
        written = {
            "original": start.sound,
            "edited": self._written(gains, by),
            "opposite": self._written(gains, -by),
        }
        arrays: dict[str, np.ndarray] = {
            "file": np.array(str(start.path)),
            "start_s": np.array(start.seconds),
            "iterations": np.array(found.steps),
            "no_gradient": np.array(found.no_gradient),
            "edit_db": found.by,
            "elsewhere_margin": self._elsewhere(gains, by),
        }
        with torch.no_grad():
            for state, sound in written.items():
                arrays |= self._answers(state, sound)
            changed = gains(by[None])[0].cpu().numpy()
        return ExcerptEdit(arrays, written["edited"], changed - start.sound)

    def _search(
        self, start: StartExcerpt, gains: Gains, upwards: bool, advance: Callable[[int], None]
    ) -> Edit:
        shown = self._shown(start.sound)
        unit = display_front_end(self.sound).decibels_per_unit
        audible = torch.from_numpy(shown >= shown.max() - AUDIBLE_DB / unit).to(self.device)
        off = self._off(start.sound)

        def confirm(by: Tensor) -> bool:
            sound = self._written(gains, by)
            with torch.no_grad():
                crossed = (float(self._margin(self._tensor(sound))) > 0) == upwards
            return crossed and self._off(sound) <= off + FURTHER_DB

        return EditSearch(
            lambda by: self._margin(gains(by)), upwards, audible.float(), self.config.cells,
            self.config.iterations, confirm,
        ).find(advance)  # fmt: skip

    def _answers(self, state: str, sound: np.ndarray) -> dict[str, np.ndarray]:
        """What the networks say about a state of an excerpt."""
        x = self._tensor(sound)
        found = {
            f"{state}_mel": self._shown(sound),
            f"{state}_response": self.divided.response(x)[0].cpu().numpy(),
            f"{state}_margin": self._margin(x)[0].cpu().numpy(),
        }
        if self.judges:
            margins = [float(margin(x)) for margin in self.judges.values()]
            found[f"{state}_judge_margins"] = np.array(margins)
        if self.range:
            found[f"{state}_gan_off_db"] = np.array(self._off(sound))
        return found

    @torch.no_grad()
    def _elsewhere(self, gains: Gains, by: Tensor) -> np.ndarray:
        """Margins (K,) with the edit at other bands and times, and half of them its opposite."""
        stream = random_stream(self.config.seed, "edits elsewhere")
        margins = []
        for sign in np.resize([1, -1], ELSEWHERE):
            shift = tuple(int(stream.integers(1, count)) for count in by.shape)
            moved = int(sign) * by.roll(shift, (0, 1))
            margins.append(float(self._margin(self._tensor(self._written(gains, moved)))))
        return np.array(margins)

    @torch.no_grad()
    def _written(self, gains: Gains, by: Tensor) -> np.ndarray:
        """The waveform with the changes (F, T), as it is read from the file that is written."""
        return as_written(limit_peak(gains(by[None])[0].cpu().numpy()))

    def _margin(self, waveforms: Tensor) -> Tensor:
        return self.divided.margin(waveforms)

    def _off(self, sound: np.ndarray) -> float:
        return self.range.off_db(self._tensor(sound)) if self.range else 0.0

    def _shown(self, sound: np.ndarray) -> np.ndarray:
        """The log-mel (F, T) whose cells are edited."""
        shown: np.ndarray = display_inputs(self.sound, sound[None])[0]
        return shown

    def _tensor(self, sound: np.ndarray) -> Tensor:
        return torch.from_numpy(sound)[None].to(self.device)
