"""Judges: other networks of the same concept that classify generated examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.artifacts.figures import JudgeAgreement
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.prediction import probabilities
from ganexplain.corpora.spans import decide
from ganexplain.errors import UsageError, did_you_mean
from ganexplain.inputs.base import Input
from ganexplain.inputs.specification import check_same_front_end, read_input_file
from ganexplain.metrics.detection import auroc
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.loaders.names import is_factory
from ganexplain.networks.loaders.pretrained import completed_specification
from ganexplain.networks.source import named_source
from ganexplain.networks.target import adapt_network

BATCH = 50


class Judge:
    """A network that classifies examples.

    `text` is a `classifier.pt`, or MODEL@INPUT.toml: any network and its input specification.
    `explained` is the path of the explanations and the type of their examples. Raises UsageError
    where the network takes another type of input, or has no names for its classes.
    """

    def __init__(
        self, text: str, name: str, explained: tuple[Path, Input], device: torch.device
    ) -> None:
        self.text, self.name, self.device, self.generator_output = text, name, device, explained[1]
        self.source = named_source(text)
        self.network: nn.Module
        self.decide: Callable[[Tensor], np.ndarray]
        self.corpora: tuple[str, ...] = ()  # that it was trained on, where its file contains them
        if self.source.classifier:
            self._load_ours(explained)
            return
        try:
            self._load_foreign()
        except UsageError as error:  # it names the options of the explained network
            raise UsageError(f"--judge {text}: {error}") from error

    def _load_ours(self, explained: tuple[Path, Input]) -> None:
        classifier = load_classifier(Path(self.text), self.device)
        check_same_front_end((Path(self.text), classifier.front_end), explained)
        self.network, self.classes = classifier.network, classifier.classes
        self.corpora = classifier.corpora

        self.decide = lambda logits: decide(
            probabilities(logits).cpu().numpy(), classifier.threshold
        )

    def _load_foreign(self) -> None:
        network_input, call = read_input_file(Path(self.source.input))
        _, call = completed_specification(self.source.model, (network_input, call), 0.0)
        if network_input.features:
            raise UsageError(f"{self.source.input}: features runs code; a judge must not have it")
        if len(call.classes) < 2:
            raise UsageError(f"{self.source.input} must name its classes: [network], classes")
        whole = adapt_network(
            load_network(self.source.model), self.generator_output, network_input, call, self.device
        )
        self.network, self.classes = whole.network, call.classes

        def most(output: Tensor) -> np.ndarray:
            output = output.flatten(2).mean(dim=2) if output.ndim > 2 else output
            several = output.ndim > 1 and output.shape[1] > 1
            number = output.argmax(dim=1) if several else output.flatten() > call.threshold
            return number.cpu().numpy()

        self.decide = most

    @torch.no_grad()
    def classes_of(self, mel: np.ndarray) -> np.ndarray:
        """Return the number of the class (N,) of each of N excerpts (N, F, T)."""
        found = []
        for start in range(0, len(mel), BATCH):
            part = torch.from_numpy(np.ascontiguousarray(mel[start : start + BATCH]))
            found.append(self.decide(self.network(part.to(self.device))))
        return np.concatenate(found).astype(np.int64)

    def require_class(self, unit: str) -> None:
        """Raise UsageError where the judge has no class with the name of an output unit."""
        known = self.classes
        if unit and unit not in known:
            raise UsageError(
                f"--judge {self.text}: has no class {unit!r}{did_you_mean(unit, known)}; "
                f"its classes: {', '.join(known)}"
            )

    def verdict(self, unit: str, direction: str, real: np.ndarray) -> Verdict:
        """Return the question to ask of examples of a unit, given its real excerpts (R, F, T).

        For an output unit it is whether they have its class, or for `min` any other class. For a
        hidden unit (`unit` empty) it is whether they have the class that the judge finds in most of
        the real excerpts. Raises as `require_class`.
        """
        self.require_class(unit)
        if not unit:
            most = int(np.bincount(self.classes_of(real)).argmax())
            return Verdict(self, most, True)
        return Verdict(self, self.classes.index(unit), direction == "max")


class Verdict:
    """A question to a judge: do examples have a class (`wanted`), or another one?"""

    def __init__(self, judge: Judge, number: int, wanted: bool) -> None:
        self.judge, self.number, self.wanted = judge, number, wanted

    @property
    def text(self) -> str:
        """The wanted answer in words."""
        name = self.judge.classes[self.number]
        return name if self.wanted else f"not {name}"

    def agreement(self, mel: np.ndarray) -> np.ndarray:
        """Return the share (...), 0 to 1, of examples (..., N, F, T) with the wanted answer.

        Pictures are (..., N, K, H, W).
        """
        return np.asarray(self.votes(mel).mean(axis=-1))

    def votes(self, mel: np.ndarray) -> np.ndarray:
        """Return whether the judge gives the wanted answer (..., N) for examples (..., N, F, T)."""
        shape = self.judge.generator_output.shape
        is_of_it = self.judge.classes_of(mel.reshape(-1, *shape)) == self.number
        return np.asarray((is_of_it == self.wanted).reshape(mel.shape[: -len(shape)]))

    def sample_agreement(self, mel: np.ndarray, response: np.ndarray) -> float | None:
        """Return the AUROC of responses (N,) for the judge's votes on samples (N, F, T).

        None where the judge votes the same for all. `response` must increase with the wanted
        answer.
        """
        votes = self.votes(mel)
        return auroc(response, votes) if 0 < votes.mean() < 1 else None


def load_judges(
    texts: Sequence[str], explained: tuple[Path, Input], device: torch.device
) -> list[Judge]:
    """Load the judges of `--judge` in their order, each with a unique name; raises as `Judge`.

    A judge has the name of its file, of the folder of a `classifier.pt`, or of the module of its
    factory.
    """
    names = network_names(texts)
    return [Judge(text, name, explained, device) for text, name in zip(texts, names, strict=True)]


def network_names(texts: Sequence[str]) -> list[str]:
    """A unique name for each of several networks, which values of `--judge` name."""
    names: list[str] = []
    for text in texts:
        name = _short_name(named_source(text).name)
        numbered = (f"{name}-{k}" for k in range(2, len(texts) + 2))
        names.append(next(n for n in (name, *numbered) if n not in names))
    return names


def _short_name(source: str) -> str:
    if is_factory(source):
        code = source.rpartition(":")[0]
        return Path(code).stem if code.endswith(".py") else code.rpartition(".")[2]
    path = Path(source)
    return path.stem if path.stem != "classifier" else path.resolve().parent.name


def judge_agreement(
    verdict: Verdict,
    chosen: float,
    strong: np.ndarray,
    weak: np.ndarray,
    samples: tuple[np.ndarray, np.ndarray],
    same_corpora: Sequence[str],
) -> JudgeAgreement:
    """Return the entry of a judge in `selection.json`.

    Args:
        verdict: the question to the judge.
        chosen: its agreement with the examples of the chosen setting.
        strong: real excerpts (R, F, T) with the strongest responses.
        weak: real excerpts (R, F, T) with the weakest responses.
        samples: samples of the GAN (N, F, T) and their responses (N,), signed so that they increase
            with the wanted answer.
        same_corpora: the corpora that both the judge and the explained network were trained on.
    """
    return JudgeAgreement(
        path=verdict.judge.text,
        sha256=verdict.judge.source.digest(),
        class_name=verdict.text,
        agreement=chosen,
        real_agreement=float(verdict.agreement(strong)),
        weak_agreement=float(verdict.agreement(weak)),
        sample_agreement=verdict.sample_agreement(*samples),
        same_corpora=tuple(same_corpora),
    )
