"""Other networks of the same concept as judges of what was generated."""

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
from ganexplain.inputs.kinds import Input
from ganexplain.inputs.specification import check_same_front_end, read_input_file
from ganexplain.metrics.detection import auroc
from ganexplain.networks.loaders.formats import is_factory, load_network
from ganexplain.networks.target import NetworkSource, adapt_network

BATCH = 50


class Judge:
    """A network that says of examples which class they are of.

    `text` is a `classifier.pt`, or a network of any origin and what it takes, MODEL@INPUT.toml.
    `explained` are the path of the explanations judged and what is drawn there; UsageError where
    the network does not take that, or has no names for its classes.
    """

    def __init__(
        self, text: str, name: str, explained: tuple[Path, Input], device: torch.device
    ) -> None:
        self.text, self.name, self.device, self.generator_output = text, name, device, explained[1]
        self.source = source_of(text)
        self.network: nn.Module
        self.decide: Callable[[Tensor], np.ndarray]
        self.corpora: tuple[str, ...] = ()  # that it was trained on, where its file says so
        if self.source.classifier:
            self._load_ours(explained)
            return
        try:
            self._load_foreign()
        except UsageError as error:  # which names the options for a network explained
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
        """Number of the class (N,) that each of N excerpts (N, F, T) is taken for."""
        found = []
        for start in range(0, len(mel), BATCH):
            part = torch.from_numpy(np.ascontiguousarray(mel[start : start + BATCH]))
            found.append(self.decide(self.network(part.to(self.device))))
        return np.concatenate(found).astype(np.int64)

    def must_know(self, unit: str) -> None:
        """UsageError where the judge has no class of the name of an output unit."""
        known = self.classes
        if unit and unit not in known:
            raise UsageError(
                f"--judge {self.text}: has no class {unit!r}{did_you_mean(unit, known)}; "
                f"its classes: {', '.join(known)}"
            )

    def verdict(self, unit: str, direction: str, real: np.ndarray) -> Verdict:
        """What the judge is to say of examples of a unit, on real excerpts (R, F, T) of it.

        Of an output unit its class, or for `min` any other; of a hidden unit the class that it
        takes most of the real excerpts for. Errors as `must_know`.
        """
        self.must_know(unit)
        if not unit:
            most = int(np.bincount(self.classes_of(real)).argmax())
            return Verdict(self, most, True)
        return Verdict(self, self.classes.index(unit), direction == "max")


class Verdict:
    """What a judge is asked: are these of a class, or are they not?"""

    def __init__(self, judge: Judge, number: int, wanted: bool) -> None:
        self.judge, self.number, self.wanted = judge, number, wanted

    @property
    def text(self) -> str:
        """The answer hoped for, in words."""
        name = self.judge.classes[self.number]
        return name if self.wanted else f"not {name}"

    def agreement(self, mel: np.ndarray) -> np.ndarray:
        """Share of examples (..., N, F, T) of which the judge says so: (...), 0 to 1.

        Of pictures (..., N, K, H, W).
        """
        return np.asarray(self.votes(mel).mean(axis=-1))

    def votes(self, mel: np.ndarray) -> np.ndarray:
        """Of which examples (..., N, F, T) the judge says so: (..., N), bool."""
        shape = self.judge.generator_output.shape
        is_of_it = self.judge.classes_of(mel.reshape(-1, *shape)) == self.number
        return np.asarray((is_of_it == self.wanted).reshape(mel.shape[: -len(shape)]))

    def sample_agreement(self, mel: np.ndarray, response: np.ndarray) -> float | None:
        """How well responses (N,) order samples (N, F, T) by the judge's votes: the AUROC.

        None where the judge votes the same of all. `response` rises with what the votes ask for.
        """
        votes = self.votes(mel)
        return auroc(response, votes) if 0 < votes.mean() < 1 else None


def source_of(text: str) -> NetworkSource:
    """The network that a value of `--judge` names."""
    model, _, described = text.rpartition("@")
    if model and described.endswith(".toml"):
        return NetworkSource(model=model, input=described)
    return NetworkSource(text)


def load_judges(
    texts: Sequence[str], explained: tuple[Path, Input], device: torch.device
) -> list[Judge]:
    """The judges of `--judge` in the order given, each under a name of its own.

    Named by their file, or where that says nothing by its folder, or by the module that makes
    them; errors as `Judge`.
    """
    judges: list[Judge] = []
    for text in texts:
        name = _name_of(source_of(text).name)
        names = {judge.name for judge in judges}
        numbered = (f"{name}-{k}" for k in range(2, len(texts) + 2))
        name = next(n for n in (name, *numbered) if n not in names)
        judges.append(Judge(text, name, explained, device))
    return judges


def _name_of(source: str) -> str:
    if is_factory(source):
        return source.partition(":")[0].rpartition(".")[2]
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
    """What `selection.json` says of a judge; `chosen` is its agreement with what was chosen.

    `strong` and `weak` are the real excerpts (R, F, T) that drive the unit most and least,
    `samples` those of the GAN with their responses, signed so that up is what is sought, and
    `same_corpora` what both the judge and the network explained were trained on.
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
