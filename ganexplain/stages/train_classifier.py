"""`train-classifier`: corpus -> `classifier.pt`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganexplain.config import FrontEnd, TrainClassifierConfig
from ganexplain.data.augment import altered_excerpts
from ganexplain.data.cache import cache_directory, cached_waveform
from ganexplain.data.corpus import UNLABELLED, Corpus, read_corpus
from ganexplain.data.excerpts import Split, batch_rows, load_split, require_classes
from ganexplain.errors import Diverged, UsageError
from ganexplain.metrics import best_threshold, detection_figures, multiclass_figures, smooth
from ganexplain.models.loading import Classifier, frozen, write_classifier
from ganexplain.models.prediction import predict_frames
from ganexplain.models.svdnet import SVDNet, initialise
from ganexplain.rundir import RunDirectory
from ganexplain.runtime import Progress, pick_device, random_stream
from ganexplain.stages.resuming import check_same_recordings, resumable_steps

LOW_TARGET = 0.02  # targets 0.02 and 0.98, the authors' label smoothing


def train_classifier(
    config: TrainClassifierConfig,
    out: Path,
    progress: Progress,
    overwrite: bool = False,
    resume: bool = False,
) -> Path:
    """Train on the training split, keep the epoch with the lowest validation error, test it.

    Gives the path of `classifier.pt`. Errors: those of the corpus, UsageError for settings
    that do not fit it, Diverged where the loss is no longer finite.
    """
    corpus = read_corpus(Path(config.corpus), config.skip_bad_files)
    outputs = _output_count(config.outputs, len(corpus.classes))
    device = pick_device(config.device)
    with RunDirectory(out, "train-classifier", config, overwrite, resume) as run:
        progress = run.keep_notes(progress)
        for message in corpus.skipped:
            progress.note(f"skipped: {message}")
        splits = _load_splits(corpus, config, progress)
        for name, split in splits.items():
            run.used_recordings(name, split.recordings)
        training = ClassifierTraining(config, outputs, splits["train"], device)
        _train(training, splits["valid"], run, progress)
        network, best = training.network, training.best
        network.load_state_dict(best["weights"])
        figures: dict[str, Any] = {"valid": best["figures"], "epoch": best["epoch"]}
        if "test" in splits:
            figures["test"] = evaluate(network, splits["test"], best["threshold"])[0]
            progress.note("test: " + _figures_text(figures["test"]))
        classifier = Classifier(
            frozen(network, torch.device("cpu")),
            FrontEnd(),
            corpus.classes,
            best["threshold"],
            figures,
        )
        path = out / "classifier.pt"
        write_classifier(path, classifier, config)
        run.results.update(figures)
    return path


def _output_count(asked: int, classes: int) -> int:
    allowed = {1, 2} if classes == 2 else {classes}
    count = asked or (1 if classes == 2 else classes)
    if count not in allowed:
        choices = " or ".join(map(str, sorted(allowed)))
        raise UsageError(f"--outputs {asked}: the corpus has {classes} classes; use {choices}")
    return count


def _load_splits(
    corpus: Corpus, config: TrainClassifierConfig, progress: Progress
) -> dict[str, Split]:
    cache = cache_directory(config.cache)
    splits = {}
    for name in ("train", "valid", "test"):
        if name == "test" and not corpus.split(name):
            progress.note("the corpus has no test split; test figures are left out")
            continue
        split = load_split(corpus, name, FrontEnd(), cache, progress, config.skip_bad_files)
        require_classes(corpus, split, name)
        splits[name] = split
    return splits


def _train(
    training: ClassifierTraining, valid: Split, run: RunDirectory, progress: Progress
) -> None:
    config = training.config
    total = config.epochs * config.updates_per_epoch
    for step in resumable_steps(run, training, total, config.checkpoint_every, progress):
        loss = training.step(step)
        progress.advance(1, loss=loss)
        if (step + 1) % config.updates_per_epoch == 0:
            epoch = step // config.updates_per_epoch
            figures = training.finish_epoch(epoch, valid)
            run.metric(epoch=epoch, **figures)
            progress.note(
                f"epoch {epoch + 1}: loss {figures['loss']:.3f}, validation "
                + _figures_text(figures)
            )


class ClassifierTraining:
    """The network, its optimiser and the best epoch so far."""

    def __init__(
        self, config: TrainClassifierConfig, outputs: int, split: Split, device: torch.device
    ) -> None:
        self.config, self.split = config, split
        self.rows = split.labelled_frames()
        self.waveforms = _waveforms(split, config) if config.augment else []
        self.network = SVDNet(outputs)
        initialise(self.network, config.seed)
        mean, deviation = split.band_statistics()
        self.network.mean.copy_(torch.from_numpy(mean))
        self.network.deviation.copy_(torch.from_numpy(deviation))
        self.network.to(device)
        self.optimiser = torch.optim.SGD(
            self.network.parameters(),
            config.learning_rate,
            config.momentum,
            nesterov=config.momentum > 0,
        )
        self.losses: list[float] = []  # of the running epoch
        self.best: dict[str, Any] = {}

    def step(self, step: int) -> float:
        """One update; the loss in nat."""
        config = self.config
        for group in self.optimiser.param_groups:
            epoch = step // config.updates_per_epoch
            group["lr"] = config.learning_rate * config.learning_rate_decay**epoch
        batch = self.rows[batch_rows(len(self.rows), config.batch_size, step, config.seed)]
        device = self.network.mean.device
        torch.manual_seed(int(random_stream(config.seed, "dropout", step).integers(2**31)))
        logits = self.network.train()(torch.from_numpy(self._excerpts(batch, step)).to(device))
        loss = smoothed_loss(logits, torch.from_numpy(batch[:, 2]).to(device))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        value = float(loss.detach())
        if not np.isfinite(value):
            raise Diverged(f"the loss is {value} at update {step}; lower --learning-rate")
        self.losses.append(value)
        return value

    def _excerpts(self, batch: np.ndarray, step: int) -> np.ndarray:
        if not self.waveforms:
            return self.split.gather(batch)
        stream = random_stream(self.config.seed, "augmentation", step)
        return altered_excerpts(self.waveforms, batch, stream, self.split.front_end)

    def finish_epoch(self, epoch: int, valid: Split) -> dict[str, float]:
        """Validate, keep the weights where they are the best yet; the epoch's figures."""
        figures, threshold = evaluate(self.network, valid, None)
        if not self.best or figures["frame_error"] < self.best["figures"]["frame_error"]:
            self.best = {
                "weights": {k: v.clone() for k, v in self.network.state_dict().items()},
                "epoch": epoch,
                "threshold": threshold,
                "figures": figures,
            }
        loss = float(np.mean(self.losses))
        self.losses.clear()
        return {"loss": loss, "threshold": threshold, **figures}

    def state(self) -> dict[str, Any]:
        """Tensors and values of the training, for `restore`."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "losses": self.losses,
            "best": self.best,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state; GanexplainError where it was trained on other recordings."""
        check_same_recordings(state["network"], self.network)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.losses, self.best = list(state["losses"]), dict(state["best"])


def _waveforms(split: Split, config: TrainClassifierConfig) -> list[np.ndarray]:
    folder, rate = cache_directory(config.cache), split.front_end.sample_rate
    return [cached_waveform(recording.path, rate, folder) for recording in split.recordings]


def smoothed_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy in nat of logits (B, outputs) for classes (B,), target 0.98 for the right one.

    The others share 0.02; with one output the targets are 0.02 and 0.98.
    """
    if logits.shape[1] == 1:
        target = LOW_TARGET + (1 - 2 * LOW_TARGET) * label.to(logits.dtype)
        return functional.binary_cross_entropy_with_logits(logits[:, 0], target)
    classes = logits.shape[1]  # torch spreads the smoothing over all classes, the right one too
    smoothing = LOW_TARGET * classes / (classes - 1)
    return functional.cross_entropy(logits, label, label_smoothing=smoothing)


def evaluate(
    network: SVDNet, split: Split, threshold: float | None
) -> tuple[dict[str, float], float]:
    """Figures over all labelled frames of a split, and the threshold: chosen here where None."""
    curves, labels = [], []
    for mel, label in zip(split.mels, split.labels, strict=True):
        curve = smooth(predict_frames(network, mel, split.front_end))
        labelled = label != UNLABELLED
        curves.append(curve[labelled])
        labels.append(label[labelled])
    curve, label = np.concatenate(curves), np.concatenate(labels)
    if not np.isfinite(curve).all():
        raise Diverged("the network's outputs are no longer finite; lower --learning-rate")
    if curve.shape[1] > 2:
        return multiclass_figures(curve, label), 0.5
    truth = label == 1
    if threshold is None:
        threshold = best_threshold(curve[:, 1], truth)
    return detection_figures(curve[:, 1], truth, threshold), threshold


def _figures_text(figures: dict[str, float]) -> str:
    return f"frame error {100 * figures['frame_error']:.2f} %, AUROC {figures['auroc']:.3f}"
