"""The methods by name: a question in, an attribution out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, nn

from ganexplain.attribution.masking import Parts, SubsetScore, subset_score
from ganexplain.attribution.methods.captum import captum_map
from ganexplain.attribution.methods.elime import evolve, random_search
from ganexplain.attribution.methods.grad_cam import enlarged, grad_cam
from ganexplain.attribution.methods.learned import Explainer, explainer_for
from ganexplain.attribution.methods.lime import lime, occlusion
from ganexplain.attribution.scorer import Model, Scorer
from ganexplain.errors import UsageError, check_known
from ganexplain.runs.machine import random_stream

CAPTUM = "captum:"


def _itself(network: nn.Module) -> Model:
    return network


@dataclass(frozen=True)
class Question:
    """Why does the model give this score to this input?

    `x` (*S) is the input, `fill` (*S) what stands where it is taken away, `labels` (H, W) its
    segments and `parts` what can be left out of it (a MaskedInput of these, say). `network` is
    what gradients and layers are taken of, None for a plain callable; `model_of` makes of it
    the model that `scorer` scores, so that a network with random weights can be asked too.
    """

    x: Tensor
    fill: Tensor
    labels: np.ndarray
    parts: Parts
    scorer: Scorer
    network: nn.Module | None = None
    model_of: Callable[[nn.Module], Model] = _itself

    @property
    def score(self) -> SubsetScore:
        """Scores of subsets of the parts."""
        return subset_score(self.parts, self.scorer)


@dataclass(frozen=True)
class Tuning:
    """Settings of all methods; each takes its own. `config.AttributeConfig` has the defaults.

    `explainers` are the trained ones, by the method they were trained with.
    """

    samples: int
    distance: str
    width: float
    ridge: float
    founders: int
    population: int
    generations: int
    patience: int
    parsimony: float
    cam_layer: str
    explainers: Mapping[str, Explainer] = field(default_factory=dict)


@dataclass(frozen=True)
class Attribution:
    """What a method says: `map` (H, W), and `weights` (n,) of the parts.

    `chosen` (n,) of booleans where the method itself chooses parts, else None. `passes` counts
    inputs the model was run on, `seconds` the wall clock, both 0 until `attribute` counts them;
    `details` are the method's own figures, `warnings` plain words.
    """

    map: np.ndarray
    weights: np.ndarray
    passes: int
    seconds: float
    chosen: np.ndarray | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def attribute(question: Question, method: str, tuning: Tuning, seed: int = 0) -> Attribution:
    """Ask `method`: occlusion, lime, elime, grad-cam, cgan, parts, random or captum:NAME.

    The passes and seconds of E-LIME's random control are not counted as its own.
    Raises UsageError for an unknown method, or one that needs a network for a callable.
    """
    started, before = time.perf_counter(), question.scorer.passes
    if method.startswith(CAPTUM):
        found = _captum(question, method.removeprefix(CAPTUM), tuning, seed)
    else:
        found = METHODS[check_known("--method", method, METHODS)].ask(question, tuning, seed)
    passes = question.scorer.passes - before
    found = replace(found, passes=passes, seconds=time.perf_counter() - started)
    if method == "elime" and not found.details["exhaustive"]:
        return _with_control(question, found, tuning, seed)
    return found


def _of_weights(question: Question, weights: np.ndarray, **more: Any) -> Attribution:
    return Attribution(question.parts.spread(weights), weights, 0, 0.0, **more)


def _of_map(question: Question, area: Tensor) -> Attribution:
    values = area.double().cpu().numpy()
    return Attribution(values, question.parts.gather(values), 0, 0.0)


def _occlusion(question: Question, tuning: Tuning, seed: int) -> Attribution:
    return _of_weights(question, occlusion(question.score, question.parts.count))


def _lime(question: Question, tuning: Tuning, seed: int) -> Attribution:
    found = lime(
        question.score, question.parts.count, tuning.samples, tuning.distance, tuning.width,
        tuning.ridge, seed,
    )  # fmt: skip
    details = {
        "r_squared": found.r_squared,
        "intercept": found.intercept,
        "local_error": found.local_error,
        "effective_samples": found.effective_samples,
        "samples": found.samples,
        "exhaustive": found.exhaustive,
        "agreement": found.agreement,
        "named": found.named,
    }
    return _of_weights(question, found.weights, details=details, warnings=found.warnings)


def _elime(question: Question, tuning: Tuning, seed: int) -> Attribution:
    found = evolve(
        question.score, question.parts.count, tuning.founders, tuning.population,
        tuning.generations, tuning.patience, tuning.parsimony, seed,
    )  # fmt: skip
    details = {
        "fitness": found.fitness,
        "full_fitness": found.full_fitness,
        "best": found.best.tolist(),
        "evaluations": found.evaluations,
        "exhaustive": found.exhaustive,
    }
    return _of_weights(question, found.weights, chosen=found.kept, details=details)


def _with_control(question: Question, found: Attribution, tuning: Tuning, seed: int) -> Attribution:
    """An E-LIME attribution beside what a random search of the same number of passes finds."""
    subset, fitness = random_search(
        question.score, question.parts.count, found.details["evaluations"], tuning.parsimony, seed
    )
    details = {**found.details, "control": fitness, "control_kept": int(subset.sum())}
    warnings = ("as many random subsets held one as good: the search has added nothing",)
    none_better = fitness >= found.details["fitness"]
    return replace(found, details=details, warnings=warnings if none_better else ())


def _random(question: Question, tuning: Tuning, seed: int) -> Attribution:
    weights = random_stream(seed, "random map").random(question.parts.count)
    return _of_weights(question, weights)


def _grad_cam(question: Question, tuning: Tuning, seed: int) -> Attribution:
    network = _needs_network(question, "grad-cam")
    area = grad_cam(network, question.scorer, question.x, tuning.cam_layer)
    return _of_map(question, enlarged(area, *question.labels.shape))


def learned_method(name: str) -> Method:
    """The method of trained explainers that `train-explainer --method NAME` makes."""
    return Method(partial(_learned, name), draws=False)


def _learned(method: str, question: Question, tuning: Tuning, seed: int) -> Attribution:
    explainer, network = explainer_for(tuning.explainers, method), _needs_network(question, method)
    area, details = explainer.answer(network, question.scorer, question.x)
    return replace(_of_map(question, area), details=details)


def _captum(question: Question, name: str, tuning: Tuning, seed: int) -> Attribution:
    network = _needs_network(question, CAPTUM + name)
    area = captum_map(
        name, network, question.scorer, question.x, question.fill, question.labels,
        tuning.cam_layer, tuning.samples, seed,
    )  # fmt: skip
    return _of_map(question, area)


def _needs_network(question: Question, method: str) -> nn.Module:
    if question.network is None:
        raise UsageError(f"--method {method} needs a torch network; take occlusion, lime or elime")
    return question.network


@dataclass(frozen=True)
class Method:
    """How a method is asked, and whether it draws random numbers."""

    ask: Callable[[Question, Tuning, int], Attribution]
    draws: bool = True


# Those of trained explainers are added where their files are loaded.
METHODS = {
    "occlusion": Method(_occlusion, draws=False),
    "lime": Method(_lime),
    "elime": Method(_elime),
    "grad-cam": Method(_grad_cam, draws=False),
    "random": Method(_random),
}


def draws(method: str) -> bool:
    """Whether another seed may give another map."""
    return method.startswith(CAPTUM) or METHODS[method].draws
