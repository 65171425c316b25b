"""What is said of controls and judges: the rules, on numbers whose reading is plain."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganexplain.artifacts.figures import Control, Figures, JudgeAgreement
from ganexplain.metrics.shares import share_difference, wilson_interval
from ganexplain.report.unit.findings import (
    CONCLUSIONS,
    Measure,
    compare,
    conclude,
    in_words,
    standing,
)
from ganexplain.report.unit.judge_findings import judge_finding

EXAMPLES = 50
CHOSEN = Figures(
    {"fid_response": 0.4, "kid": 0.05, "precision": 0.9},
    {"fid_response": (0.2, 0.9), "kid": (0.02, 0.08)},
    {"first": 0.96, "second": 0.88},
)


WIDTH = {"fid_response": 0.35, "kid": 0.03}


def control(fid: float, kid: float, share: float) -> Control:
    """A control whose differences to the chosen setting are known to `WIDTH` on either side."""
    values = {"fid_response": fid, "kid": kid}
    apart = {key: value - CHOSEN.values[key] for key, value in values.items()}
    differences = {key: (apart[key] - WIDTH[key], apart[key] + WIDTH[key]) for key in apart}
    judges = {"first": share, "second": share}
    return Control("", EXAMPLES, Figures(values, judges=judges, differences=differences))


def standings(found: list[Measure]) -> list[str]:
    return [measure.standing for measure in found]


@pytest.mark.parametrize(
    ("name", "figures", "said"),
    [
        ("start", (70.0, 2.0, 0.4), "the search matters"),
        ("start", (0.5, 0.05, 0.9), "the search added nothing"),
        ("start", (0.01, 0.05, 0.9), "the search led away"),
        ("held_out", (0.5, 0.05, 0.9), "nearer is not to be expected"),
        ("held_out", (0.01, 0.001, 0.9), "a gap to real sound remains"),
        ("held_out", (9.0, 0.5, 0.1), "does not show that they are more real"),
        ("input_ascent", (5.0, 1.0, 0.1), "the generator keeps the examples like music"),
        ("input_ascent", (0.4, 2.0, 0.1), "the neuron is easy to drive"),
        ("input_ascent", (9.0, 0.05, 0.9), "is worse than the examples by FID response, not by"),
        ("fresh", (9.0, 0.05, 0.9), "expect the scores of this row"),
    ],
)  # fmt: skip
def test_the_numbers_decide_the_sentence(name: str, figures: tuple, said: str) -> None:
    found = compare(control(*figures), CHOSEN, EXAMPLES, "fid_response")
    assert [measure.title for measure in found] == ["FID response", "KID", "judges’ votes"]
    assert said in conclude(name, found)


@pytest.mark.parametrize("name", ["start", "held_out", "fresh", "input_ascent"])
def test_few_examples_that_are_not_apart_decide_nothing(name: str) -> None:
    alike = [Measure("KID", 0.1, 0.1, "alike")]
    assert conclude(name, alike, examples=23).startswith("23 examples are too few to tell them")
    assert "too few" not in conclude(name, alike, examples=24)
    apart = [Measure("KID", 0.9, 0.1, "worse")]
    assert conclude(name, apart, examples=23) == conclude(name, apart)


def test_votes_are_told_with_their_numbers() -> None:
    space = "\N{NO-BREAK SPACE}"
    found = compare(control(50.0, 0.05, 0.31), CHOSEN, EXAMPLES, "fid_response")
    assert in_words(found) == (
        f"31{space}% of judges’ votes against 92{space}%; "
        "worse by FID response and judges’ votes; as good by KID"
    )


def test_a_control_is_compared_by_what_both_have() -> None:
    bare = Control("", None, Figures({"fid_response": 1.0, "precision": 0.1}))
    assert compare(bare, CHOSEN, EXAMPLES, "fid_response") == []
    assert conclude("start", []) == ""
    assert conclude("something new", [Measure("KID", 1.0, 0.0, "worse")]) == ""
    only = Control("", None, Figures({"kid": 0.9}, differences={"kid": (0.8, 0.9)}))
    assert standings(compare(only, CHOSEN, EXAMPLES, "fid_response")) == ["worse"]


def test_the_score_that_ranks_stands_for_its_kind() -> None:
    keys = ("fid_response", "wasserstein", "kid", "fid_features", "density")
    chosen = Figures(dict.fromkeys(keys, 0.5))
    values = dict.fromkeys(chosen.values, 100.0)
    differences = dict.fromkeys(chosen.values, (90.0, 100.0))
    other = Control("", EXAMPLES, Figures(values, differences=differences))
    for by, titles in {
        "fid_response": ["FID response", "FID features", "density"],
        "wasserstein": ["Wasserstein", "FID features", "density"],
        "kid": ["FID response", "KID", "density"],
        "composite": ["FID response", "FID features", "density"],
    }.items():
        assert [m.title for m in compare(other, chosen, EXAMPLES, by)] == titles


def test_a_control_differs_where_the_interval_of_the_difference_excludes_zero() -> None:
    assert standing((1.0, 3.0), "low") == "worse"
    assert standing((1.0, 3.0), "high") == "better"
    assert standing((-3.0, -1.0), "low") == "better"
    assert standing((-3.0, -1.0), "high") == "worse"
    assert standing((-0.1, 3.0), "low") == "alike"


@given(st.tuples(*[st.floats(-1e6, 1e6)] * 2), st.sampled_from(["low", "high"]))
def test_standing_turns_round_with_its_sides(ends: tuple, better: str) -> None:
    low, high = sorted(ends)
    turned = {"worse": "better", "better": "worse", "alike": "alike"}
    assert standing((-high, -low), better) == turned[standing((low, high), better)]


def test_the_difference_of_shares_is_newcombes() -> None:
    """Examples of his table II (1998): 56 of 70 and 48 of 80, 10 of 10 and none, 9 and 3 of 10."""
    found = share_difference(56 / 70, 70, 48 / 80, 80)
    assert found == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert share_difference(1.0, 10, 0.0, 10) == pytest.approx((0.6075, 1.0), abs=1e-4)
    assert share_difference(0.9, 10, 0.3, 10) == pytest.approx((0.1705, 0.8090), abs=1e-4)


def test_the_interval_of_a_share_is_wilsons() -> None:
    z, n, p = 1.959963984540054, 50, 0.3
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert wilson_interval(p, n) == pytest.approx((middle - reach, middle + reach))


@pytest.mark.parametrize(
    ("agreement", "real", "said"),
    [
        (0.96, 1.0, "convince a network that had no part"),
        (0.3, 1.0, "particular to the network explained"),
        (0.1, 0.1, "votes say little"),
        (None, 1.0, "not asked"),
        (0.5, None, "nothing to compare this with"),
    ],
)
def test_what_a_judge_says(agreement: float | None, real: float | None, said: str) -> None:
    judge = JudgeAgreement(agreement, real, "sing", "judge.pt", "")
    assert said in judge_finding(judge, EXAMPLES, EXAMPLES)


@pytest.mark.parametrize(("examples", "few"), [(4, True), (50, False)])
def test_votes_of_few_examples_do_not_show_that_they_are_as_many(examples: int, few: bool) -> None:
    said = judge_finding(JudgeAgreement(1.0, 1.0, "sing", "judge.pt", ""), examples, examples)
    z = 1.959963984540054  # Wilson's lower end of N of N is N / (N + z^2)
    lower = 1 - examples / (examples + z**2)
    expected = f"(by up to {100 * lower:.0f} percentage points)"
    assert (expected in said) == few
    assert ("convince a network" in said) != few


def test_a_lower_share_of_votes_is_not_called_no_less() -> None:
    """21 of 24 against 24 of 24: the shares are given, and nothing that they contradict."""
    said = judge_finding(JudgeAgreement(0.875, 1.0, "sing", "judge.pt", ""), 24, 24)
    assert "no less" not in said
    assert "88\u00a0% of the examples and 100\u00a0% of the real excerpts" in said


def test_every_control_has_every_conclusion() -> None:
    for conclusions in CONCLUSIONS.values():
        assert set(conclusions) == {"worse", "alike", "better", "mixed"}


def test_noise_that_only_its_features_tell_is_named_so() -> None:
    """The search without the GAN reaches the responses: what tells it from music is named."""
    chosen = Figures({"fid_response": 0.4, "fid_features": 261.0, "density": 0.83})
    noise = Figures(
        {"fid_response": 0.5, "fid_features": 1988.0, "density": 0.15},
        differences={
            "fid_response": (-0.2, 0.4),
            "fid_features": (900.0, 2600.0),
            "density": (-0.9, -0.4),
        },
    )
    found = compare(Control("", EXAMPLES, noise), chosen, EXAMPLES, "fid_response")
    assert standings(found) == ["alike", "worse", "worse"]
    assert "differs from the examples only by FID features and density" in conclude(
        "input_ascent", found
    )
