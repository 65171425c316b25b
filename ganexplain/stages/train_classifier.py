"""`train-classifier`: corpus -> `classifier.pt`."""

from __future__ import annotations

from dataclasses import dataclass
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

LOW_TARGET = 0.02  # targets 0.02 and 0.98, the authors' label smoothing


def train_classifier(
    config: TrainClassifierConfig, out: Path, progress: Progress, overwrite: bool = False
) -> Path:
    """Train on the training split, keep the epoch with the lowest validation error, test it.

    Gives the path of `classifier.pt`. Errors: those of the corpus, UsageError for settings
    that do not fit it, Diverged where the loss is no longer finite.
    """
    corpus = read_corpus(Path(config.corpus), config.skip_bad_files)
    outputs = _output_count(config.outputs, len(corpus.classes))
    device = pick_device(config.device)
    with RunDirectory(out, "train-classifier", config, overwrite) as run:
        progress = run.keep_notes(progress)
        for message in corpus.skipped:
            progress.note(f"skipped: {message}")
        splits = _load_splits(corpus, config, progress)
        network = SVDNet(outputs).to(device)
        initialise(network, config.seed)
        mean, deviation = splits["train"].band_statistics()
        network.mean.copy_(torch.from_numpy(mean))
        network.deviation.copy_(torch.from_numpy(deviation))

        best = _train(network, splits, corpus.classes, config, run, progress)
        network.load_state_dict(best.weights)
        figures: dict[str, Any] = {"valid": best.figures, "epoch": best.epoch}
        if "test" in splits:
            figures["test"] = evaluate(network, splits["test"], best.threshold)[0]
            progress.note("test: " + _figures_text(figures["test"]))
        classifier = Classifier(
            frozen(network, torch.device("cpu")),
            FrontEnd(),
            corpus.classes,
            best.threshold,
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


@dataclass(frozen=True)
class _Best:
    weights: dict[str, Tensor]
    epoch: int
    threshold: float
    figures: dict[str, float]


def _train(
    network: SVDNet,
    splits: dict[str, Split],
    classes: tuple[str, ...],
    config: TrainClassifierConfig,
    run: RunDirectory,
    progress: Progress,
) -> _Best:
    optimiser = torch.optim.SGD(
        network.parameters(), config.learning_rate, momentum=config.momentum, nesterov=True
    )
    rows = splits["train"].labelled_frames()
    waveforms = _waveforms(splits["train"], config) if config.augment else []
    best: _Best | None = None
    progress.start("training", config.epochs * config.updates_per_epoch)
    for epoch in range(config.epochs):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * config.learning_rate_decay**epoch
        network.train()
        losses = []
        for update in range(config.updates_per_epoch):
            step = epoch * config.updates_per_epoch + update
            batch = rows[batch_rows(len(rows), config.batch_size, step, config.seed)]
            mel = _excerpts(splits["train"], waveforms, batch, step, config.seed)
            losses.append(_update(network, optimiser, mel, batch[:, 2], step, config.seed))
            progress.advance(loss=losses[-1])
        figures, threshold = evaluate(network, splits["valid"], None)
        run.metric(epoch=epoch, loss=float(np.mean(losses)), threshold=threshold, **figures)
        progress.note(
            f"epoch {epoch + 1}: loss {np.mean(losses):.3f}, validation " + _figures_text(figures)
        )
        if best is None or figures["frame_error"] < best.figures["frame_error"]:
            weights = {name: value.clone() for name, value in network.state_dict().items()}
            best = _Best(weights, epoch, threshold, figures)
    assert best is not None
    return best


def _waveforms(split: Split, config: TrainClassifierConfig) -> list[np.ndarray]:
    folder, rate = cache_directory(config.cache), split.front_end.sample_rate
    return [cached_waveform(recording.path, rate, folder) for recording in split.recordings]


def _excerpts(
    split: Split, waveforms: list[np.ndarray], batch: np.ndarray, step: int, seed: int
) -> np.ndarray:
    if not waveforms:
        return split.gather(batch)
    stream = random_stream(seed, "augmentation", step)
    return altered_excerpts(waveforms, batch, stream, split.front_end)


def _update(
    network: SVDNet,
    optimiser: torch.optim.Optimizer,
    mel: np.ndarray,
    label: np.ndarray,
    step: int,
    seed: int,
) -> float:
    torch.manual_seed(int(random_stream(seed, "dropout", step).integers(2**31)))
    device = network.mean.device
    logits = network(torch.from_numpy(mel).to(device))
    loss = smoothed_loss(logits, torch.from_numpy(label).to(device))
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    value = float(loss.detach())
    if not np.isfinite(value):
        raise Diverged(f"the loss is {value} at update {step}; lower --learning-rate")
    return value


def smoothed_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy in nat of logits (B, outputs) for classes (B,) with targets 0.02 and 0.98."""
    if logits.shape[1] == 1:
        target = LOW_TARGET + (1 - 2 * LOW_TARGET) * label.to(logits.dtype)
        return functional.binary_cross_entropy_with_logits(logits[:, 0], target)
    return functional.cross_entropy(logits, label, label_smoothing=2 * LOW_TARGET)


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
