"""Measures of explanations: closed forms, and a network whose reasons are known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.planted import classifier, planted_excerpts
from torch import nn

from ganexplain.attribution.fills import fill
from ganexplain.attribution.masking import MaskedInput, subset_score
from ganexplain.attribution.measures import (
    MEASURES,
    agreement,
    check,
    complexity,
    curves,
    drop,
    gain,
    measure,
    soft_share,
    top_parts,
)
from ganexplain.attribution.methods.base import Attribution, Question
from ganexplain.attribution.methods.lime import mean_correlation, rank_correlation
from ganexplain.attribution.methods.occlusion import occlusion
from ganexplain.attribution.methods.registry import attribute, method_for
from ganexplain.attribution.scorer import Scorer, from_numpy, unit_model
from ganexplain.attribution.segments import grid
from ganexplain.config import AttributeConfig
from ganexplain.errors import UsageError
from ganexplain.networks.units import Unit
from ganexplain.networks.weight_shuffling import weights_shuffled

SETTINGS = AttributeConfig(
    inputs=(), samples=400, founders=76, generations=4, patience=10, parsimony=0.0
)
SHIPPED, FAST, REFERENCE = classifier()


def known(measures: Mapping[str, float | None]) -> dict[str, float]:
    """Measures that were all taken."""
    return {name: value for name, value in measures.items() if value is not None}


def test_curves_of_an_additive_score_are_sums() -> None:
    values = np.array([0.5, 0.1, 0.3, 0.1])
    sizes = np.array([1, 2, 3, 4])
    found = curves(lambda kept: kept @ values, values, sizes)
    np.testing.assert_allclose(found.share, [0, 0.1, 0.4, 0.6, 1.0])  # 0, 2, then 1 before 3
    np.testing.assert_allclose(found.insertion, [0, 0.5, 0.8, 0.9, 1.0])
    np.testing.assert_allclose(found.deletion, [1.0, 0.5, 0.2, 0.1, 0.0])
    assert found.deletion_area == pytest.approx(0.075 + 0.105 + 0.03 + 0.02)


def test_faithfulness_is_the_area_between_removal_of_the_least_and_of_the_most_relevant() -> None:
    """The symmetric relevance gain, by removing parts one after the other in both orders."""
    random = np.random.default_rng(0)
    weights, sizes = random.standard_normal(6), random.integers(1, 9, 6)
    table = random.random(64)

    def score(kept: np.ndarray) -> np.ndarray:
        return table[kept @ (1 << np.arange(6))]

    def area(order: np.ndarray) -> float:
        kept, before, total = np.ones((1, 6), dtype=bool), score(np.ones((1, 6), dtype=bool)), 0.0
        for part in order:
            kept[0, part] = False
            after = score(kept)
            total += float(before[0] + after[0]) / 2 * sizes[part] / sizes.sum()
            before = after
        return total

    least, most = np.argsort(weights), np.argsort(-weights)
    found = curves(score, weights, sizes)
    gained = found.insertion_area - found.deletion_area
    assert gained == pytest.approx(area(least) - area(most))


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=9), st.randoms())
def test_no_order_is_more_faithful_than_the_true_one(values: list[float], random: object) -> None:
    weights = np.array(values)
    score, sizes = (lambda kept: kept @ weights), np.ones(len(weights))
    true = curves(score, weights, sizes)
    other = curves(score, np.array(random.sample(values, len(values))), sizes)  # type: ignore[attr-defined]
    assert true.deletion_area <= other.deletion_area + 1e-9
    assert true.insertion_area >= other.insertion_area - 1e-9


def test_top_parts_shares_drop_gain_and_complexity_have_their_values() -> None:
    assert top_parts(np.array([0.3, -1, 0.5, 0.0]), 3).tolist() == [True, False, True, False]
    assert soft_share(np.array([-1.0, 1.0, 2.0])).tolist() == [0, 0.5, 1]
    assert soft_share(np.zeros(3)).tolist() == [0, 0, 0]
    assert drop(0.8, 0.6) == pytest.approx(0.25)
    assert drop(0.8, 0.9) == 0
    assert gain(0.8, 0.9) == pytest.approx(0.5)
    assert gain(0.8, 0.6) == 0 and gain(1.0, 1.0) == 0
    assert gain(1 - 2.0**-24, 1.0) == 0 and gain(1 - 1e-5, 1.0) == pytest.approx(1)
    assert complexity(np.array([0, 0, 5.0])) == 0
    assert complexity(np.ones(7)) == pytest.approx(1)
    assert complexity(np.array([5.0])) == 0 and complexity(np.zeros(1)) == 1
    assert math.isnan(complexity(np.array([np.nan, 1.0])))
    assert math.isnan(complexity(np.array([np.inf, 1.0])))
    assert rank_correlation(np.array([1, 2, 3.0]), np.array([10, 20, 21.0])) == pytest.approx(1)
    assert rank_correlation(np.array([1, 2, 3.0]), np.array([3, 2, 1.0])) == pytest.approx(-1)
    assert mean_correlation(np.array([[1, 2, 3.0], [1, 2, 3.0], [3, 2, 1.0]])) == pytest.approx(
        -1 / 3
    )


def test_agreement_with_what_is_known() -> None:
    truth = np.zeros((4, 10), dtype=bool)
    truth[:, 5:] = True
    after = truth * 1.0 + np.linspace(0, 0.1, 10)
    found = known(agreement(after, truth))
    assert found["truth_area"] == 1
    assert found["truth_mass"] > 0.9
    assert agreement(-after, truth)["truth_area"] == 0
    assert agreement(np.ones((4, 10)), truth) == {"truth_area": 0.5, "truth_mass": 0.5}
    assert agreement(after, np.ones_like(truth)) == {"truth_area": None, "truth_mass": None}


# --- scores ---------------------------------------------------------------------------------


def test_scores_of_one_logit_and_of_two_are_the_same() -> None:
    z = torch.linspace(-3, 3, 7)
    one = Scorer(lambda x: x[:, None], 1)
    for score in ("probability", "logit", "margin"):
        single = Scorer(lambda x: x[:, None], 1, score)(z)
        double = Scorer(lambda x: torch.stack([x * 0, x], dim=1), 1, score)(z)
        np.testing.assert_allclose(single, double, atol=1e-6)
    np.testing.assert_allclose(one(z), torch.sigmoid(z.double()), atol=1e-7)
    np.testing.assert_allclose(
        Scorer(lambda x: x[:, None], 0)(z), torch.sigmoid(-z.double()), atol=1e-7
    )


def test_scores_of_probabilities_are_those_of_their_logits() -> None:
    z = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    for score in ("probability", "logit", "margin"):
        given = Scorer(from_numpy(lambda b: b), 2, score, "probabilities")(z.softmax(dim=1))
        np.testing.assert_allclose(given, Scorer(lambda x: x, 2, score)(z), atol=1e-9)


def test_a_score_does_not_depend_on_the_batch_size() -> None:
    x = torch.randn(7, 80, 115, generator=torch.Generator().manual_seed(0))
    small, large = (Scorer(SHIPPED.network, 1, batch_size=size) for size in (2, 7))
    np.testing.assert_allclose(small(x), large(x), atol=1e-6)
    assert small.passes == large.passes == 7


# --- the shipped detector -------------------------------------------------------------------


def question(mel: np.ndarray, labels: np.ndarray, fill_name: str = "mean") -> Question:
    x = torch.as_tensor(mel)
    filled = fill(fill_name, x, labels, REFERENCE)
    scorer = Scorer(SHIPPED.network, 1, fast=FAST)
    return Question(x, filled, labels, MaskedInput(x, labels, filled), scorer, SHIPPED.network)


def ask(question: Question, method: str, seed: int = 0) -> Attribution:
    return attribute(question, method_for(method, SETTINGS), seed)


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


@pytest.mark.parametrize("bias, flips", [(-1.0, 1.0), (3.0, 0.0)])
def test_measures_of_a_linear_network_are_those_by_hand(bias: float, flips: float) -> None:
    """Logit 3 a - b + c / 2 + bias of four cells of one, 0 where they are taken away."""
    linear = nn.Linear(4, 1)
    network = nn.Sequential(nn.Flatten(1), linear)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[3.0, -1.0, 0.5, 0.0]]))
        linear.bias.fill_(bias)
    x, fill_, labels = torch.ones(1, 4), torch.zeros(1, 4), np.arange(4)[None]
    parts = MaskedInput(x, labels, fill_)
    asked = Question(x, fill_, labels, parts, Scorer(network, 1), network)
    found = ask(asked, "occlusion")
    full = sigmoid(2.5 + bias)
    without = [sigmoid(2.5 + bias - w) for w in (3.0, -1.0, 0.5, 0.0)]
    np.testing.assert_allclose(found.weights, full - np.array(without), atol=1e-6)
    held = measure(asked, found)
    assert held.kept.tolist() == [True, False, True, False]  # the upper half, and above zero
    scores = [full, sigmoid(3.5 + bias), sigmoid(-1 + bias)]
    assert [held.full_score, held.kept_score, held.removed_score] == pytest.approx(scores)
    fall = [sigmoid(z + bias) for z in (2.5, -0.5, -1.0, -1.0, 0.0)]  # without a, c, d, b
    rise = [sigmoid(z + bias) for z in (0.0, 3.0, 3.5, 3.5, 2.5)]
    areas = [sum((a + b) / 8 for a, b in itertools.pairwise(way)) for way in (fall, rise)]
    share = (full - without[2]) / (full - without[0])  # of c where a is kept whole
    soft = sigmoid(3 + 0.5 * share + bias)
    without_soft = sigmoid(-1 + 0.5 * (1 - share) + bias)
    expected = {
        "deletion": areas[0], "insertion": areas[1], "faithfulness": areas[1] - areas[0],
        "drop": max(full - soft, 0) / full, "increase": 1.0, "flip": flips, "passes": 5.0,
        "gain": max(soft - full, 0) / (1 - full), "removal": full - without_soft,
    }  # fmt: skip
    for name, value in expected.items():
        assert held.measures[name] == pytest.approx(value, abs=1e-6), name


def test_planted_voices_are_found_by_every_fill() -> None:
    """Three of ten spans replaced by a voice (IJCNN 2020, Exp. 4); chance finds 0.9 of the three.

    The bound is that of a mean of 12 such draws at a level of 1e-4 (hypergeometric, 0.7 apart).
    """
    excerpts = list(planted_excerpts(SHIPPED, 12))
    bound = 0.9 + 3.7 * 0.7 / 12**0.5
    found = {}
    for name in ("mean", "training-mean", "noise", "min"):
        hits = []
        for each in excerpts:
            score = question(each.mel, each.labels, name).score
            hits.append(each.voiced[top_parts(occlusion(score, 10), 3)].sum())
        found[name] = np.mean(hits)
        assert found[name] > bound, (name, found[name])
    assert found["mean"] > found["min"]  # as in the paper


@pytest.fixture(scope="module")
def beside_random() -> list[tuple[Question, np.ndarray, list[dict[str, float]]]]:
    """Questions, which segments have a voice, and the measures of five random maps for each."""
    found = []
    for k, each in enumerate(planted_excerpts(SHIPPED, 2)):
        asked = question(each.mel, grid(80, 115, 4, 6))
        truth = each.voiced[each.labels]
        seeds = range(10 * k, 10 * k + 5)
        floor = [known(measure(asked, ask(asked, "random", s), truth).measures) for s in seeds]
        found.append((asked, truth, floor))
    return found


@pytest.mark.parametrize(
    "method",
    ["occlusion", "lime", pytest.param("lime-forest", marks=pytest.mark.slow), "elime", "grad-cam"],
)
def test_explanations_of_the_detector_beat_random_maps(
    beside_random: list[tuple[Question, np.ndarray, list[dict[str, float]]]], method: str
) -> None:
    better = []
    for asked, truth, floor in beside_random:
        held = known(measure(asked, ask(asked, method), truth).measures)
        for name in ("deletion", "insertion", "truth_area"):
            gain = held[name] - np.mean([row[name] for row in floor])
            better.append(gain if MEASURES[name].better == "high" else -gain)
        assert set(held) <= set(MEASURES)
    assert np.mean(better) > 0.05


def test_the_checks_tell_an_explanation_of_the_network_from_one_of_the_input() -> None:
    """The input's own energy is stable, and survives the loss of what the network has learnt."""
    (each,) = planted_excerpts(SHIPPED, 1)
    asked = question(each.mel, grid(80, 115, 4, 6))
    honest = known(check(asked, method_for("occlusion", SETTINGS), ask(asked, "occlusion"), 0))
    assert honest["seed_stability"] == 1
    assert honest["input_stability"] > 0.5
    assert honest["randomised"] < 0.6
    linear = nn.Linear(80 * 115, 1)
    network = nn.Sequential(nn.Flatten(1), linear)
    nn.init.ones_(linear.weight)  # a network that says how loud it is, shuffled or not
    scorer = Scorer(network, 1, "logit")
    loud = Question(asked.x, asked.fill, asked.labels, asked.parts, scorer, network)
    found = ask(loud, "occlusion")
    assert known(check(loud, method_for("occlusion", SETTINGS), found, 0))["randomised"] > 0.99


def test_the_check_of_shuffled_weights_is_a_size_of_correlation() -> None:
    """Of two cells the order is kept or turned: the rank correlation is 1 or -1, its size 1."""
    linear = nn.Linear(2, 1, bias=False)
    network = nn.Sequential(nn.Flatten(1), linear)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0, 2.0]]))
    x, fill, labels = torch.ones(1, 2), torch.zeros(1, 2), np.array([[0, 1]])
    asked = Question(x, fill, labels, MaskedInput(x, labels, fill), Scorer(network, 1, "logit"),
                     network)  # fmt: skip
    found = ask(asked, "occlusion")
    method, turned = method_for("occlusion", SETTINGS), []
    for seed in range(8):
        assert check(asked, method, found, seed)["randomised"] == pytest.approx(1)
        with weights_shuffled(network, seed):
            turned.append(bool(linear.weight[0, 0] > linear.weight[0, 1]))
    assert any(turned) and not all(turned)


def test_a_random_map_is_unstable_and_lime_is_not() -> None:
    (each,) = planted_excerpts(SHIPPED, 1, seed=1)
    asked = question(each.mel, grid(80, 115, 2, 3))
    lime = known(check(asked, method_for("lime", SETTINGS), ask(asked, "lime"), 0))
    random = known(check(asked, method_for("random", SETTINGS), ask(asked, "random"), 0))
    assert lime["seed_stability"] == 1  # 2^6 subsets: exhaustive
    assert random["seed_stability"] < 0.6


def test_any_unit_can_be_asked_about() -> None:
    """The activation of a unit less that without a segment, by the network itself."""
    (each,) = planted_excerpts(SHIPPED, 1)
    network, labels = SHIPPED.network, grid(80, 115, 4, 6)
    asked = question(each.mel, labels)
    unit = Scorer(unit_model(network, Unit.parse("fc8:12")), 0, outputs="activations")
    hidden = Question(asked.x, asked.fill, labels, asked.parts, unit, network)
    weights = ask(hidden, "occlusion").weights
    without = torch.where(torch.as_tensor(labels == 5), asked.fill, asked.x)
    seen: list[torch.Tensor] = []
    handle = network.get_submodule("fc8").register_forward_hook(
        lambda m, i, o: seen.append(o[:, 12])
    )
    with torch.no_grad():
        network(torch.stack([asked.x, without]))
    handle.remove()
    assert weights[5] == pytest.approx(float(seen[0][0] - seen[0][1]), abs=1e-4)
    assert measure(hidden, ask(hidden, "occlusion")).measures["flip"] is None


def test_a_callable_has_no_gradients() -> None:
    x = torch.zeros(4, 4)
    labels = grid(4, 4, 2, 2)
    asked = Question(x, x, labels, MaskedInput(x, labels, x), Scorer(lambda b: b[:, 0, :2], 0))
    with pytest.raises(UsageError, match="grad-cam needs a torch network"):
        ask(asked, "grad-cam")
    with pytest.raises(UsageError, match="did you mean 'occlusion'"):
        ask(asked, "oclusion")


def test_control_passes_are_not_the_searchs_own() -> None:
    (each,) = planted_excerpts(SHIPPED, 1)
    asked = question(each.mel, grid(80, 115, 4, 6))
    score = subset_score(asked.parts, Scorer(SHIPPED.network, 1, fast=FAST))
    found = ask(asked, "elime")
    details: Mapping[str, Any] = found.details
    assert found.passes == details["evaluations"] == asked.scorer.passes / 2
    assert details["fitness"] >= details["control"] - 0.2
    assert details["full_fitness"] == pytest.approx(
        float(score(np.ones((1, 24), dtype=bool))[0]), abs=1e-6
    )
