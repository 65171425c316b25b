from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.planted_causes import CAUSES, RATE, SAMPLES
from benchmarks.planted_names import Signatures, heard, measured, signatures
from benchmarks.planted_networks import Sounds, plant

CORRELATION = 0.6
TWO = Signatures(("a", "b"), np.eye(2), np.array([[1, CORRELATION], [CORRELATION, 1]]))


@pytest.fixture
def three() -> Signatures:
    random = np.random.default_rng(3)
    root = random.standard_normal((3, 3))
    return Signatures(("a", "b", "c"), random.standard_normal((3, 3)), root @ root.T + np.eye(3))


def test_what_a_cause_changes_names_it_at_any_size_and_its_opposite_is_least_like_it(
    three: Signatures,
) -> None:
    for number, name in enumerate(three.causes):
        assert three.name(0.01 * three.effects[number]) == name
        assert three.likeness(50 * three.effects[number])[number] == pytest.approx(1)
        assert three.likeness(-three.effects[number])[number] == pytest.approx(-1)


def test_what_a_measure_takes_along_does_not_name_the_other_cause() -> None:
    taken_along = np.array([1, CORRELATION])
    expected = [np.sqrt(1 - CORRELATION**2), 0]
    np.testing.assert_allclose(TWO.likeness(taken_along), expected, atol=1e-12)


def test_of_two_correlated_measures_one_alone_is_unlike_the_other() -> None:
    np.testing.assert_allclose(TWO.likeness(np.array([1.0, 0.0])), [1, -CORRELATION], atol=1e-12)


def test_the_units_of_the_measures_do_not_matter(three: Signatures) -> None:
    change, units = np.array([1.0, -2.0, 0.5]), np.array([1e-3, 1.0, 40.0])
    other = replace(
        three, effects=three.effects * units, covariance=three.covariance * np.outer(units, units)
    )
    np.testing.assert_allclose(other.likeness(change * units), three.likeness(change))


def test_what_a_twin_hears_is_one_for_singing_itself_and_none_where_its_outputs_stay() -> None:
    singing = np.array([True, False, True, False])
    clean = np.where(singing, 5.0, 1.0)
    assert heard(clean + 4, clean, clean, singing) == pytest.approx(1)
    assert heard(clean, clean, clean, singing) == 0
    assert heard(clean - 2, clean, clean, singing) == pytest.approx(-0.5)


def test_each_cause_is_named_in_other_sounds_than_those_of_the_signatures() -> None:
    known = signatures(_sounds(16, seed=0), seed=0)
    for cause in CAUSES.values():
        planted = plant(cause, _sounds(4, seed=1), seed=1)
        change = known.change(measured(planted.present), measured(planted.absent))
        assert known.name(change) == cause.name


def _sounds(count: int, seed: int) -> Sounds:
    """Chords that decay, with noise."""
    random = np.random.default_rng(seed)
    time = np.arange(SAMPLES) / RATE
    sounds = []
    for _ in range(count):
        hz, decay = random.uniform(100, 2000, 4), random.uniform(0, 2)
        chord = sum(np.sin(2 * np.pi * each * time) for each in hz) * np.exp(-decay * time)
        noise = random.standard_normal(SAMPLES) * random.uniform(0.1, 0.5)
        sound = np.asarray(chord + noise)
        sounds.append(0.05 * sound / np.sqrt(np.mean(sound**2)))
    return Sounds(np.stack(sounds), np.zeros(count, dtype=bool))
