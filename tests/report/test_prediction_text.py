"""What a prediction test found, in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support.report_artifacts import Artifacts

from ganexplain.artifacts.prediction import SETS, PairShare, Prediction, Shares, UnitPrediction
from ganexplain.files.atomic import file_hash, write_json
from ganexplain.metrics.prediction import DIFFICULTIES
from ganexplain.report.prediction import prediction_sentence, prediction_text
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.report import write_report


def shares(**random: float) -> Shares:
    """The shares of a judge: of random pairs, by set, and 0.64 beyond the outputs."""
    sets = {name: {"random": PairShare(share, (0.4, 1.0))} for name, share in random.items()}
    sets["generated"]["beyond_random"] = PairShare(0.64, (0.6, 0.7))
    return {"judge": sets}


def prediction(*units: Shares, layers: dict[str, Shares] | None = None) -> Prediction:
    entries = [UnitPrediction("fc8", k, "", {}, 0.5 + k / 4, each) for k, each in enumerate(units)]
    return Prediction(
        ("songs",),
        "test",
        90,
        8,
        {"judge": "judge.pt"},
        (),
        tuple(entries),
        layers or {},
        held_out=True,
    )


def test_a_sentence_compares_the_examples_with_real_ones_and_another_unit() -> None:
    found = shares(generated=0.87, real=0.91, other_unit=0.8)["judge"]
    assert prediction_sentence(prediction(), "judge", found) == (
        "With these sounds alone, another network (judge) tells in 87 % of pairs (40 to 100 %) "
        "which of two new excerpts excites the unit more; real excerpts: 91 %; another unit’s "
        "sounds: 80 %; beyond the decision: 64 %. This may be chance: the interval contains 50 %."
    )


def test_a_search_that_is_not_shown_to_help_is_called_so() -> None:
    """Of 80 %: 70 % before the search, whose difference is known to 0.05, and four others."""
    for before, ends, shown in (
        (0.7, (-0.15, -0.05), True),
        (0.7, (-0.3, 0.1), False),
        (0.82, (-0.1, 0.14), False),
        (0.82, None, False),
        (0.7, None, False),
    ):
        pairs = {"generated": PairShare(0.8, (0.75, 0.85)), "start": PairShare(before, None, ends)}
        sets = {name: {"random": pair} for name, pair in pairs.items()}
        said = prediction_sentence(prediction(), "judge", sets)
        assert f"samples before the search: {100 * before:.0f} %" in said
        assert ("That the search adds to it is not shown" in said) == (not shown)
        assert "chance" not in said


def test_units_of_a_layer_have_a_row_each() -> None:
    one, other = shares(generated=0.8, real=0.9), shares(generated=0.7, real=0.95)
    mean = shares(generated=0.75, real=0.925)
    lines = prediction_text(prediction(one, other, layers={"fc8": mean})).splitlines()
    assert lines[0].startswith("90 excerpts of 8 recordings, split test")
    rows = [line.split() for line in lines]
    assert "fc8:0 80 % 90 % 64 % 50 %".split() in rows
    assert "fc8:1 70 % 95 % 64 % 75 %".split() in rows
    assert "generated 75 % 64 %".split() in rows and "95 % 40-100 60-70".split() in rows
    assert "real 92 %".split() in rows and "random beyond random".split() in rows
    assert lines[-1] == (
        "the outputs of the network explain 50 to 75 % of the variance of the responses"
    )


def test_a_table_of_all_pairs_and_examples_is_readable_in_a_hundred_columns() -> None:
    pairs = {name: PairShare(1.0, (1.0, 1.0)) for name in DIFFICULTIES}
    unit: Shares = {"descriptors": dict.fromkeys(SETS, pairs)}
    notes = ("a reason why the result says less than it seems to: " + "words " * 40,)
    text = prediction_text(replace(prediction(unit), notes=notes))
    assert max(map(len, text.splitlines())) <= 100
    assert not [line for line in text.splitlines() if line.startswith("%")]
    assert sum("100 %" in line for line in text.splitlines()) >= len(SETS)


def test_a_unit_that_never_changes_predicts_nothing() -> None:
    assert "nothing to predict" in prediction_sentence(prediction(), "judge", {"generated": {}})


def test_the_words_follow_the_split_the_encoder_and_the_kind_of_excerpts() -> None:
    found = replace(prediction(), split="train+test", held_out=False, explained_encoders=("judge",))
    sentence = prediction_sentence(found, "judge", shares(generated=0.87)["judge"])
    assert "the explained network itself (judge)" in sentence and "another network" not in sentence
    assert "which of two excerpts of the split train+test excites" in sentence
    one = {"descriptors": shares(generated=0.8, real=0.9)["judge"]}
    seen = prediction_text(replace(prediction(one), input="image", encoders={"descriptors": ""}))
    assert seen.startswith("90 pictures, split test")
    seen = " ".join(seen.split())
    assert "With these pictures alone, a description of rows of pixels" in seen
    assert "two new pictures" in seen and "two random pictures" in seen and "real pictures" in seen
    assert not [word for word in ("sound", "excerpt", "recording", "spectrum") if word in seen]


def test_a_page_has_the_notes_of_a_test_and_claims_no_more_than_they_allow(tmp_path: Path) -> None:
    config = Artifacts(tmp_path).write()
    unit = UnitPrediction(
        "fc9", 0, "sing", {"max": file_hash(tmp_path / "explanations.npz")}, 1.0,
        shares(generated=0.8),
    )  # fmt: skip
    held_out = replace(prediction(), units=(unit,))
    seen = replace(
        held_out, split="valid", held_out=False, notes=("the split <valid> is not held out",)
    )
    copied = replace(seen, split="test", notes=("1 file was in training: they are not held out",))
    texts: list[str] = []
    for tested in (held_out, seen, copied):
        write_json(tmp_path / "prediction.json", tested.to_json())
        given = replace(config, validation=str(tmp_path))
        texts.append(
            write_report(given, tmp_path / f"page{len(texts)}", NullProgress()).read_text()
        )
    claim = "that neither network, GAN nor search has met"
    assert claim in texts[0] and "two new excerpts" in texts[0]
    assert claim not in texts[1] and "two new excerpts" not in texts[1]
    assert "two excerpts of the split valid" in texts[1]
    assert texts[1].count("the split &lt;valid&gt; is not held out") == 1
    warning = texts[2].index("1 file was in training: they are not held out")
    assert warning < texts[2].index("<section") < texts[2].rindex("they are not held out")
    assert not any("Held-out" in text or "kept from training" in text for text in texts)


def test_a_path_in_a_note_is_not_broken() -> None:
    path = "/home/music-voice/" + "experiments-of-november/" * 5 + "gan.pt"
    text = prediction_text(replace(prediction(shares(generated=0.8)), notes=(f"no file {path}",)))
    assert path in text.splitlines()
