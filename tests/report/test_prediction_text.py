"""What a prediction test found, in words."""

from __future__ import annotations

from ganexplain.artifacts.prediction import PairShare, Prediction, Shares, UnitPrediction
from ganexplain.report.prediction import prediction_sentence, prediction_text


def shares(**random: float) -> Shares:
    """The shares of a judge: of random pairs, by set, and 0.64 beyond the outputs."""
    sets = {name: {"random": PairShare(share, (0.4, 1.0))} for name, share in random.items()}
    sets["generated"]["beyond_random"] = PairShare(0.64, (0.6, 0.7))
    return {"judge": sets}


def prediction(*units: Shares, layers: dict[str, Shares] | None = None) -> Prediction:
    entries = [UnitPrediction("fc8", k, "", {}, 0.5 + k / 4, each) for k, each in enumerate(units)]
    return Prediction(
        ("songs",), "test", 90, 8, {"judge": "judge.pt"}, (), tuple(entries), layers or {}
    )


def test_a_sentence_compares_the_examples_with_real_ones_and_another_unit() -> None:
    found = shares(generated=0.87, real=0.91, other_unit=0.8)["judge"]
    assert prediction_sentence("judge", "judge.pt", found) == (
        "With these sounds alone, another network (judge) tells in 87 % of pairs which of two new "
        "excerpts excites the unit more; real excerpts: 91 %; another unit’s sounds: 80 %; beyond "
        "the decision: 64 %."
    )


def test_units_of_a_layer_have_a_row_each() -> None:
    one, other = shares(generated=0.8, real=0.9), shares(generated=0.7, real=0.95)
    mean = shares(generated=0.75, real=0.925)
    lines = prediction_text(prediction(one, other, layers={"fc8": mean})).splitlines()
    assert lines[0].startswith("90 excerpts of 8 recordings, split test")
    rows = [line.split() for line in lines]
    assert "fc8:0 80 % 90 % 64 % 50 %".split() in rows
    assert "fc8:1 70 % 95 % 64 % 75 %".split() in rows
    assert "two random excerpts 75 % 40-100 92 %".split() in rows
    assert lines[-1] == (
        "the outputs of the network explain 50 to 75 % of the variance of the responses"
    )


def test_a_unit_that_never_changes_predicts_nothing() -> None:
    assert "nothing to predict" in prediction_sentence("judge", "judge.pt", {"generated": {}})
