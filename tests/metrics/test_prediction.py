"""The prediction test: closed forms, a loop over all pairs, and intervals over recordings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from ganexplain.metrics import prediction
from ganexplain.metrics.bootstrap import share_difference_interval, share_interval
from ganexplain.metrics.prediction import (
    DIFFICULTIES,
    Counts,
    HeldOut,
    Kernel,
    Pairs,
    Probe,
    choose_pairs,
    recording_weights,
)

Excerpts = tuple[np.ndarray, np.ndarray, np.ndarray]  # responses, outputs, recordings


@pytest.fixture
def excerpts() -> Excerpts:
    stream = np.random.default_rng(0)
    outputs = stream.normal(size=(120, 2))
    response = outputs @ [1.0, -0.5] + 0.5 * stream.normal(size=120)
    return response, outputs, np.arange(120) // 12


def shares(contrast: np.ndarray, excerpts: Excerpts) -> dict[str, float]:
    response, outputs, recording = excerpts
    pairs = choose_pairs(response, outputs, 0)
    return {name: float(Counts.of(contrast, each, recording).share) for name, each in pairs.items()}


def test_an_encoder_that_is_the_unit_predicts_every_pair(excerpts: Excerpts) -> None:
    response = excerpts[0]
    beyond = np.abs(response).max() + np.array([[0.1], [0.4]])  # examples behind all excerpts
    contrast = Kernel.around(response[:, None]).contrast(beyond, -beyond)
    found = shares(contrast, excerpts)
    assert [found[name] for name in ("extreme", "top", "random")] == [1.0, 1.0, 1.0]
    assert found["matched"] > 0.9  # inside of a block the outputs differ a little


def test_a_constant_encoder_predicts_half(excerpts: Excerpts) -> None:
    same = np.ones((120, 3))
    contrast = Kernel.around(same).contrast(same[:5], same[:7])
    assert set(shares(contrast, excerpts).values()) == {0.5}


def test_identical_sets_predict_half(excerpts: Excerpts) -> None:
    stream = np.random.default_rng(1)
    encoded, examples = stream.normal(size=(120, 3)), stream.normal(size=(9, 3))
    contrast = Kernel.around(encoded).contrast(examples, examples)
    assert set(shares(contrast, excerpts).values()) == {0.5}


@pytest.mark.parametrize("rows", [4096, 4, 1])
def test_the_contrast_is_that_of_a_loop(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "ROWS", rows)
    stream = np.random.default_rng(2)
    encoded, strong, weak = (stream.normal(size=(n, 4)) * [1, 50, 0.2, 3] for n in (11, 3, 5))
    contrast = Kernel.around(encoded).contrast(strong, weak)
    encoded, strong, weak = (each / encoded.std(axis=0) for each in (encoded, strong, weak))
    every = [np.linalg.norm(a - b) for i, a in enumerate(encoded) for b in encoded[:i]]
    width = np.median(every)

    def near(x: np.ndarray, examples: np.ndarray) -> float:
        return float(np.mean([np.exp(-np.sum((x - y) ** 2) / 2 / width**2) for y in examples]))

    wanted = [near(x, strong) - near(x, weak) for x in encoded]
    np.testing.assert_allclose(contrast, wanted, atol=1e-13)


def test_the_unit_of_a_dimension_and_one_that_never_changes_do_not_matter() -> None:
    stream = np.random.default_rng(5)
    encoded, strong, weak = (stream.normal(size=(n, 3)) for n in (12, 3, 4))
    other = [np.column_stack([each * [1e3, 1, 1e-3], np.full(len(each), 0.1)])
             for each in (encoded, strong, weak)]  # fmt: skip
    np.testing.assert_allclose(
        Kernel.around(other[0]).contrast(*other[1:]), Kernel.around(encoded).contrast(strong, weak)
    )


@pytest.mark.parametrize("direction, sign", [("max", 1), ("min", -1)])
def test_the_errors_of_a_probe_are_those_of_a_loop_over_its_pairs(
    direction: str, sign: int, excerpts: Excerpts
) -> None:
    response, outputs, recording = excerpts
    stream = np.random.default_rng(6)
    encoded, examples, samples = (stream.normal(size=(n, 3)) for n in (120, 4, 9))
    held_out = HeldOut(response, outputs, recording)
    probe = Probe.of(encoded, held_out, direction, samples, 7)
    counts = np.array([[1, 1, 1, 1], [2, 0, 1, 1]])
    every = [np.repeat(examples, count, axis=0) for count in counts]
    contrasts = [Kernel.around(encoded).contrast(each, samples) for each in every]
    pairs = choose_pairs(sign * response, outputs, 7)["top"]
    wanted = [np.mean(c[pairs.weak] > c[pairs.strong]) for c in contrasts]
    np.testing.assert_allclose(probe.errors(examples, counts), wanted)
    assert probe.count == 120 and len(probe.baseline) <= 120


def test_the_shares_are_those_of_a_loop_over_all_pairs(excerpts: Excerpts) -> None:
    response = excerpts[0]
    contrast = np.round(np.random.default_rng(3).normal(size=120), 1)  # with ties
    order = np.argsort(response)
    every = [(a, b) for a in range(120) for b in range(120) if response[a] > response[b]]
    sets = {
        "extreme": [(order[-1], order[0])],
        "top": [(a, b) for a in order[-12:] for b in order[:-12]],
        "random": every,
    }
    found = shares(contrast, excerpts)
    for name, pairs in sets.items():
        right = [(np.sign(contrast[a] - contrast[b]) + 1) / 2 for a, b in pairs]
        assert found[name] == pytest.approx(np.mean(right))


def test_pairs_beyond_the_outputs_follow_what_least_squares_leaves(excerpts: Excerpts) -> None:
    response, outputs, _ = excerpts
    design = np.column_stack([np.ones(120), outputs])
    left = response - design @ np.linalg.lstsq(design, response, rcond=None)[0]
    found = shares(left, excerpts)
    assert {name for name in DIFFICULTIES if found[name] == 1.0} >= {
        "beyond_extreme",
        "beyond_top",
        "beyond_random",
    }


def test_nothing_is_left_beyond_outputs_that_are_the_response(excerpts: Excerpts) -> None:
    response, _, recording = excerpts
    rounded = response + 1e-5 * np.random.default_rng(6).normal(size=120)  # as float32 logits are
    pairs = choose_pairs(response, rounded[:, None], 0)
    assert len(pairs["beyond_random"].strong) == 0
    assert np.isnan(Counts.of(response, pairs["beyond_random"], recording).share)


def test_nothing_can_be_predicted_of_a_unit_that_never_changes(excerpts: Excerpts) -> None:
    _, outputs, recording = excerpts
    examples = outputs[:4]
    probe = Probe.of(outputs, HeldOut(np.ones(120), outputs, recording), "max", examples, 0)
    assert probe.errors(examples, np.ones((3, 4))).tolist() == [0.5, 0.5, 0.5]


def test_a_pair_counts_as_often_as_its_recordings_occur() -> None:
    pairs = Pairs(np.array([0, 1]), np.array([2, 3]))
    counts = Counts.of(np.array([1.0, 0.0, 0.0, 1.0]), pairs, np.array([0, 1, 2, 2]))
    weights = np.array([[1, 1, 1], [3, 1, 2], [0, 2, 1], [1, 1, 0]], float)
    np.testing.assert_array_equal(counts.resampled(weights), [0.5, 0.75, 0.0, np.nan])


def test_as_many_recordings_as_pictures_can_be_resampled() -> None:
    count = 20_000  # a table of all pairs of them would have 3 GB
    strong, weak = np.arange(0, count, 2), np.arange(1, count, 2)
    contrast = np.random.default_rng(2).normal(size=count)
    counts = Counts.of(contrast, Pairs(strong, weak), np.arange(count))
    weights = np.random.default_rng(3).integers(3, size=(4, count)).astype(float)
    often = weights[:, strong] * weights[:, weak]
    right = np.average(np.tile(contrast[strong] > contrast[weak], (4, 1)), axis=1, weights=often)
    np.testing.assert_allclose(counts.resampled(weights), right)


def test_shares_that_do_not_vary_have_no_interval() -> None:
    pairs = Pairs(np.array([0, 1, 2, 3]), np.array([4, 5, 6, 6]))
    counts = Counts.of(-np.arange(7.0), pairs, np.array([0, 0, 1, 2, 3, 4, 5]))
    assert counts.share == 1 and counts.recordings == 3
    assert share_interval(1.0, counts.resampled(recording_weights(6, 0)), 6) is None
    rounded = 0.5 + np.array([0, 1e-16, 2e-16])  # as a mean of units is
    assert share_interval(0.5, rounded, 3) is None
    assert share_interval(0.5, np.array([0.4, 0.6]), 2) is None
    for share in (0.0, 1.0):  # whose log odds are infinite
        assert share_interval(share, np.array([0.4, 0.6]), 5) is None


def test_the_interval_of_a_share_is_students_of_its_log_odds() -> None:
    """Resamples that deviate by 0.02; t of 4 degrees is 2.776; the log odds' slope is 1 / 0.09."""
    low, high = share_interval(0.1, np.array([0.08, 0.12, np.nan]), 5) or (0, 0)
    reach = t.ppf(0.975, 4) * 0.02 * np.sqrt(5 / 4) / 0.09
    assert np.log(low / (1 - low)) == pytest.approx(np.log(1 / 9) - reach)
    assert np.log(high / (1 - high)) == pytest.approx(np.log(1 / 9) + reach)


@pytest.mark.parametrize("recordings", [3, 5, 10])
def test_intervals_of_few_recordings_contain_the_share_of_alarms(recordings: int) -> None:
    """One excerpt in ten is an alarm, in some recordings more; 0.95 is what they promise.

    Percentiles, scaled as Student's t, contain it in 0.79 to 0.91.
    """
    stream, inside, weights = np.random.default_rng(6), [], recording_weights(recordings, 0)
    for _ in range(400):
        excerpts = stream.integers(5, 40, recordings)
        alarms = stream.binomial(excerpts, stream.beta(0.2, 1.8, recordings))
        resampled = weights @ alarms / (weights @ excerpts)
        found = share_interval(alarms.sum() / excerpts.sum(), resampled, recordings)
        if found:
            inside.append(found[0] <= 0.1 <= found[1])
    assert np.mean(inside) > 0.88


def test_the_interval_of_a_difference_ends_before_1_and_is_turned_with_it() -> None:
    resampled = np.array([0.7, 0.9, np.nan])
    low, high = share_difference_interval(0.8, resampled, 3) or (0, 0)
    assert -1 < low < 0.8 < high < 1
    assert share_difference_interval(-0.8, -resampled, 3) == pytest.approx((-high, -low))
    assert share_difference_interval(0.0, np.zeros(2), 9) is None  # the same examples, say
    assert share_difference_interval(0.1, np.array([0.0, 0.2]), 2) is None
    assert share_difference_interval(1.0, resampled, 3) is None


def test_the_interval_of_a_small_difference_is_students() -> None:
    """Resamples that deviate by 0.01; t of 8 degrees is 2.306."""
    found = share_difference_interval(0.02, np.array([0.01, 0.03]), 9)
    reach = t.ppf(0.975, 8) * 0.01 * np.sqrt(9 / 8)
    assert found == pytest.approx((0.02 - reach, 0.02 + reach), rel=1e-2)


@pytest.mark.parametrize("recordings", [3, 5, 10])
def test_intervals_of_few_recordings_contain_the_difference_of_shares(recordings: int) -> None:
    """Two contrasts that tell as much of the response: their shares differ by chance alone."""
    stream, inside = np.random.default_rng(7), []
    recording = np.repeat(np.arange(recordings), 12)
    weights = recording_weights(recordings, 0)
    for _ in range(200):
        response, *noise = (
            stream.normal(size=recordings)[recording] + stream.normal(size=len(recording))
            for _ in range(3)
        )
        order = np.argsort(-response)
        pairs = Pairs.between(order[: recordings * 2], order[recordings * 2 :], stream)
        counts = Counts.of(response + np.array(noise), pairs, recording)
        apart, spread = (np.subtract(*each) for each in (counts.share, counts.resampled(weights)))
        found = share_difference_interval(float(apart), spread, recordings)
        if found:  # some resamples show none
            inside.append(found[0] <= 0 <= found[1])
    assert len(inside) > 150 and np.mean(inside) > 0.9


def test_intervals_over_recordings_contain_the_true_share() -> None:
    stream, groups, each, trials = np.random.default_rng(4), 24, 6, 120
    recording, weights = np.repeat(np.arange(groups), each), recording_weights(groups, 0)
    truth = 0.5 + np.arcsin(1 / np.sqrt(2)) / np.pi  # of normal values that correlate so
    inside = 0
    for _ in range(trials):
        response, noise = (  # half of the variance of each is that of recordings
            stream.normal(size=groups)[recording] + stream.normal(size=len(recording))
            for _ in range(2)
        )
        pairs = choose_pairs(response, stream.normal(size=len(recording)), 0)["random"]
        counts = Counts.of(response + noise, pairs, recording)
        found = share_interval(float(counts.share), counts.resampled(weights), groups)
        inside += found is not None and found[0] <= truth <= found[1]
    assert 0.88 <= inside / trials <= 1
