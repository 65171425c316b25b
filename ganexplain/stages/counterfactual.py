"""`counterfactual`: real excerpts, classifier and GAN -> what must change for another decision."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganexplain.artifacts.counterfactuals import ChangedExcerpt, Counterfactuals, States
from ganexplain.ascent.boundary import DecisionBoundary, decision_boundary, parse_level
from ganexplain.ascent.counterfactual import cross_boundary, refine_latent
from ganexplain.ascent.priors import NEAR, PRIORS, SEARCH_PRIORS
from ganexplain.audio.difference import level_change_db, measure_change
from ganexplain.audio.filtering import filter_by_change
from ganexplain.audio.io import encode_flac
from ganexplain.audio.log_mel import log_mel
from ganexplain.audio.sonify import limit_peak, sonify
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.config import CounterfactualConfig
from ganexplain.corpora.single import StartExcerpt, parse_start
from ganexplain.errors import GanexplainError, UsageError, check_known
from ganexplain.files.arrays import write_arrays
from ganexplain.files.atomic import write_bytes
from ganexplain.files.names import LONGEST, distinct_names, shorten_name
from ganexplain.gans.checkpoint import load_encoder, load_generator
from ganexplain.gans.networks import AnyEncoder, AnyGenerator
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import check_same_front_end
from ganexplain.report.pictures.change_picture import change_picture
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import Progress
from ganexplain.version import __version__

STATES = ("original", "reconstruction", "counterfactual")
RETOUCHED = "retouched"  # the original with what changed from reconstruction to counterfactual
MOST_NAME = LONGEST - len(
    "-counterfactual.flac"
)  # bytes of an excerpt's name in those of its files


def counterfactual(
    config: CounterfactualConfig, out: Path, progress: Progress, overwrite: bool = False
) -> Counterfactuals:
    """Write `counterfactual.npz`, and sounds and a picture of each excerpt.

    Raises UsageError for an excerpt that is not there, settings out of range or checkpoints that
    do not belong together, GanexplainError for a GAN without encoder.
    """
    _check_settings(config)
    device = pick_device(config.device)
    classifier = load_classifier(Path(config.classifier), device)
    generator, generator_output = load_generator(Path(config.gan), device)
    encoder = load_encoder(Path(config.gan), device)
    ours, theirs = (
        (Path(config.classifier), classifier.front_end),
        (Path(config.gan), generator_output),
    )
    check_same_front_end(ours, theirs)
    front_end = classifier.sound
    starts = [parse_start(text, front_end) for text in config.start_from]
    for start in starts:
        start.sound(front_end)  # one that cannot be used is found now, not after those before it
    with decision_boundary(config, classifier, generator) as divided:
        wished = [
            shorten_name(start.path.stem, f"-{start.seconds:g}s", MOST_NAME) for start in starts
        ]
        names = distinct_names(wished, MOST_NAME)
        with RunDirectory(out, "counterfactual", config, overwrite) as run:
            progress = run.keep_notes(progress)
            run.used("classifier", Path(config.classifier))
            run.used("gan", Path(config.gan))
            for start in starts:
                run.used(str(start.path), start.path)
            maker = _Maker(config, generator, encoder, divided, front_end)
            each = config.refine_steps + config.iterations
            progress.start("counterfactuals", each * len(starts))
            found, entries = maker.all_arrays(starts, progress.advance), []
            for start, name, one in zip(starts, names, found, strict=True):
                entries.append(maker.written(start, out / name, one))
                for note in _remarks(entries[-1]):
                    progress.note(note)
            result = Counterfactuals(
                config.classifier,
                config.gan,
                layer=divided.unit.layer,
                neuron=divided.unit.neuron,
                unit=divided.name,
                divide=divided.meaning,
                excerpts=tuple(entries),
            )
            named = {key: getattr(result, key) for key in ("layer", "neuron", "unit", "divide")}
            arrays = {key: np.stack([one[key] for one in found]) for key in found[0]}
            hashes = {f"{name}_hash": run.inputs[name] for name in ("classifier", "gan")}
            more = {**hashes, "front_end": asdict(front_end), "version": __version__}
            meta = {**asdict(config), **named, **more}
            write_arrays(out / "counterfactual.npz", "counterfactual", arrays, meta)
            run.results["excerpts"] = [entry.to_json() for entry in entries]
            run.results["starts_without_gradient"] = sum(entry.no_gradient for entry in entries)
    return result


def _check_settings(config: CounterfactualConfig) -> None:
    check_known("--prior", config.prior, (NEAR, *SEARCH_PRIORS))
    if not config.start_from:
        raise UsageError("--start-from: give at least one FILE@SECONDS")
    if not 0 < config.learning_rate < math.inf:
        raise UsageError(f"--learning-rate {config.learning_rate:g}: must be above zero")
    if not math.isfinite(config.prior_weight):
        raise UsageError(f"--prior-weight {config.prior_weight:g}: must be a finite number")
    weightless = config.prior != NEAR and PRIORS[config.prior].weightless
    if weightless and config.prior_weight not in (CounterfactualConfig.prior_weight, 0):
        raise UsageError(
            f"--prior {config.prior}: has no weight; leave --prior-weight out, or give 0"
        )
    if ":" in config.layer and config.neuron != CounterfactualConfig.neuron:
        raise UsageError(
            f"--neuron {config.neuron}: --layer {config.layer} names the unit already; leave one "
            "of them out"
        )
    if config.level:
        parse_level(config.level)


class _Maker:
    """Networks and settings, and what is made of each excerpt, by itself."""

    def __init__(
        self,
        config: CounterfactualConfig,
        generator: AnyGenerator,
        encoder: AnyEncoder,
        divided: DecisionBoundary,
        front_end: FrontEnd,
    ) -> None:
        self.config, self.generator, self.encoder = config, generator, encoder
        self.divided, self.front_end = divided, front_end
        self.device = generator.mean.device

    def all_arrays(
        self, starts: Sequence[StartExcerpt], advance: Callable[[int], None]
    ) -> list[dict[str, np.ndarray]]:
        """The `arrays` of each excerpt; GanexplainError where none has a gradient."""
        found = [self.arrays(start, advance) for start in starts]
        if all(one["no_gradient"] for one in found):
            raise GanexplainError(
                f"{self.divided.unit}: the response has no gradient at any of the {len(found)} "
                "excerpts (a dead rectifier, say); choose other excerpts or another unit"
            )
        return found

    def arrays(self, start: StartExcerpt, advance: Callable[[int], None]) -> dict[str, np.ndarray]:
        """Log-mel (F, T), response and margin of each state, and the two latents (Z,).

        `advance` is told of steps done, now and then.
        """
        config, generator, margin = self.config, self.generator, self.divided.margin
        mel = self._seen(start.sound(self.front_end))
        with torch.no_grad():
            encoded = self.encoder(mel[None])[0][0].cpu().numpy()
            upwards = float(margin(mel[None])) <= 0
        # Near a latent that the generator does not know, nothing it draws would mean much.
        prior = "shell" if config.prior == NEAR else config.prior
        redrawn = refine_latent(
            encoded, mel, generator, generator.deviation, margin, prior, config.refine_steps,
            lambda steps, _: advance(steps),
        )  # fmt: skip
        crossed = cross_boundary(
            redrawn, lambda z: margin(generator(z)), upwards, config, self.device, advance
        )
        latents = torch.from_numpy(np.stack([redrawn, crossed.latent])).to(self.device)
        with torch.no_grad():
            generated = [generator(latent[None])[0] for latent in latents]
        shown = dict(zip(STATES, [mel, *generated], strict=True))
        shown[RETOUCHED] = self._seen(self._retouched(start, *(m.cpu().numpy() for m in generated)))
        found: dict[str, np.ndarray] = {
            "file": np.array(str(start.path)),
            "start_s": np.array(start.seconds),
            "iterations": np.array(crossed.iterations),
            "no_gradient": np.array(crossed.no_gradient),
            "reconstruction_latent": redrawn,
            "counterfactual_latent": crossed.latent,
        }
        for state, excerpt in shown.items():
            found[f"{state}_mel"] = excerpt.cpu().numpy()
            with torch.no_grad():
                found[f"{state}_response"] = self.divided.response(excerpt[None])[0].cpu().numpy()
                found[f"{state}_margin"] = margin(excerpt[None])[0].cpu().numpy()
        return found

    def _seen(self, sound: np.ndarray) -> Tensor:
        """Log-mel (F, T) of a waveform."""
        return torch.from_numpy(log_mel(sound, self.front_end).T.copy()).to(self.device)

    def _retouched(self, start: StartExcerpt, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        by = level_change_db(before, after, self.front_end)
        return filter_by_change(start.sound(self.front_end), by, self.front_end)

    def written(
        self, start: StartExcerpt, base: Path, found: Mapping[str, np.ndarray]
    ) -> ChangedExcerpt:
        """Write the sounds and the picture that `base` names; the record of both."""
        config, front_end = self.config, self.front_end
        mels = [found[f"{state}_mel"] for state in STATES]
        sounds_made = sonify(
            np.stack(mels[1:]), front_end, config.griffin_lim_iterations, config.seed
        )
        sounds = [start.sound(self.front_end), *sounds_made, self._retouched(start, *mels[1:])]
        paths = [base.with_name(f"{base.name}-{s}.flac") for s in (*STATES, RETOUCHED)]
        for path, sound in zip(paths, sounds, strict=True):
            write_bytes(path, encode_flac(limit_peak(sound), front_end.sample_rate))
        titles = [f"{state}: {float(found[f'{state}_response']):+.2f}" for state in STATES]
        picture = base.with_name(f"{base.name}.png")
        excerpts = dict(zip(titles, mels, strict=True))
        write_bytes(picture, change_picture(excerpts, front_end))
        return self._record(start, found, tuple(map(str, paths)), str(picture))

    def _record(
        self,
        start: StartExcerpt,
        found: Mapping[str, np.ndarray],
        sounds: tuple[str, ...],
        picture: str,
    ) -> ChangedExcerpt:
        original, redrawn, changed = (found[f"{state}_mel"] for state in STATES)
        latents = [found[f"{state}_latent"].astype(np.float64) for state in STATES[1:]]
        states = (*STATES, RETOUCHED)
        off = float(np.sqrt(np.mean((redrawn - original) ** 2)))
        off *= self.front_end.decibels_per_unit
        return ChangedExcerpt(
            excerpt=start.text,
            span_s=tuple(round(s, 4) for s in start.span(self.front_end)),
            sides=States(**{s: self._side(float(found[f"{s}_margin"])) for s in states}),
            responses=States(**{s: round(float(found[f"{s}_response"]), 4) for s in states}),
            iterations=int(found["iterations"]),
            no_gradient=bool(found["no_gradient"]),
            reconstruction_off_db=round(off, 2),
            moved=round(float(np.linalg.norm(latents[1] - latents[0])), 4),
            latent_norm=round(float(np.linalg.norm(latents[1])), 4),
            change=measure_change(redrawn, changed, self.front_end).rounded(),
            sounds=sounds,
            picture=picture,
        )

    def _side(self, margin: float) -> str:
        return self.divided.sides[margin > 0]


def _remarks(entry: ChangedExcerpt) -> Sequence[str]:
    """Warnings about an excerpt beside its results."""
    if entry.no_gradient:
        return [
            f"{entry.excerpt}: the response has no gradient there (a dead rectifier, say), so "
            "nothing could be changed"
        ]
    if entry.iterations < 0:
        return [
            f"{entry.excerpt}: never changed side; give more --iterations, a smaller "
            "--prior-weight or a larger --learning-rate"
        ]
    if entry.iterations == 0:
        return [
            f"{entry.excerpt}: changed side by being redrawn alone, so the counterfactual is "
            "the reconstruction; give more --refine-steps"
        ]
    return []
