"""Segments partition an input, and what fills their place is what its name says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganexplain.attribution.fills import FILLS, Reference, fill
from ganexplain.attribution.masking import MaskedInput, SourceMix, source_components
from ganexplain.attribution.partition import parse_labels
from ganexplain.attribution.segments import (
    follow_sound,
    grid,
    numbered,
    segment_means,
    spectral,
    superpixels,
    temporal,
)
from ganexplain.errors import GanexplainError, UsageError

SIZES = st.integers(1, 40)


def test_the_grid_of_slime_is_six_times_by_four_bands_of_an_excerpt() -> None:
    labels = grid(80, 115, rows=4, columns=6)
    for column in range(6):
        for row in range(4):
            frames = slice(19 * column, 19 * (column + 1) if column < 5 else 115)
            assert (labels[20 * row : 20 * (row + 1), frames] == 4 * column + row).all()
    assert np.bincount(labels.ravel()).tolist() == [380] * 20 + [400] * 4


def test_ten_spans_are_nine_of_eleven_frames_and_one_of_sixteen() -> None:
    labels = temporal(80, 115, 10)
    assert (labels == labels[0]).all()
    assert np.bincount(labels[0]).tolist() == [11] * 9 + [16]


def test_ten_bands_have_eight_rows_each() -> None:
    labels = spectral(80, 115, 10)
    assert (labels == labels[:, :1]).all()
    assert np.bincount(labels[:, 0]).tolist() == [8] * 10


@given(SIZES, SIZES, st.data())
def test_a_grid_numbers_every_rectangle(height: int, width: int, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    labels = grid(height, width, rows, columns)
    assert labels.shape == (height, width)
    assert np.unique(labels).tolist() == list(range(rows * columns))


def test_more_rectangles_than_cells_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 115x80"):
        grid(80, 115, rows=81, columns=1)


@given(SIZES, SIZES, st.data())
def test_segments_of_the_sound_are_as_many_rectangles(
    height: int, width: int, data: st.DataObject
) -> None:
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    values = np.random.default_rng(height * 41 + width).random((height, width)) ** 4
    labels = follow_sound(values, rows, columns)
    assert np.unique(labels).tolist() == list(range(rows * columns))
    for number in range(rows * columns):
        found = np.argwhere(labels == number)
        low, high = found.min(axis=0), found.max(axis=0)
        assert len(found) == np.prod(high - low + 1)


def test_segments_follow_notes_and_where_the_level_is() -> None:
    """Three notes in silence begin at known frames; bands 20 to 29 have all of the level."""
    mel = np.full((80, 115), -16.0)
    for start, level in ((31, 6.0), (58, 3.0), (90, 4.0)):
        mel[20:30, start : start + 8] = level
    labels = follow_sound(mel, 2, 4)
    assert np.flatnonzero(np.diff(labels[0])).tolist() == [30, 57, 89]
    assert np.flatnonzero(np.diff(labels[:, 0])).tolist() == [24]
    assert np.array_equal(follow_sound(np.zeros((80, 115)), 4, 6), grid(80, 115, 4, 6))


def test_segments_of_the_sound_need_a_spectrogram() -> None:
    mel = np.random.default_rng(0).random((80, 115))
    assert np.array_equal(parse_labels("sound", "sound", "", mel), follow_sound(mel, 4, 6))
    for text, values, message in (
        ("sound:6x4", np.zeros((3, 8, 8)), "goes with log-mel"),
        ("sound:6", mel, "as in sound:6x4"),
    ):
        with pytest.raises(UsageError, match=message):
            parse_labels(text, "sound", text.partition(":")[2], values)


@pytest.mark.parametrize("method", ["slic", "felzenszwalb", "quickshift"])
@pytest.mark.parametrize("channels", [1, 3])
def test_superpixels_follow_an_edge(method: str, channels: int) -> None:
    pytest.importorskip("skimage")
    image = np.zeros((channels, 40, 60), dtype=np.float32)
    image[:, :, 30:] = 5.0
    image += 0.01 * np.random.default_rng(0).standard_normal(image.shape)
    labels = superpixels(image if channels == 3 else image[0], method)
    assert np.unique(labels).tolist() == list(range(labels.max() + 1))
    across = set(np.unique(labels[:, :28])) & set(np.unique(labels[:, 32:]))
    assert not across


@pytest.mark.parametrize("channels", [1, 3])
def test_slic_sees_pictures_in_their_colours_and_spectrograms_in_one(channels: int) -> None:
    """scikit-image's own call: three channels are taken to Lab, one is not."""
    segmentation = pytest.importorskip("skimage.segmentation")
    image = np.random.default_rng(0).random((channels, 24, 30)).astype(np.float32)
    image[:, :, 15:] += 0.5
    low, high = image.min(), image.max()
    scaled = np.moveaxis((image.astype(np.float64) - low) / (high - low), 0, -1)
    theirs = segmentation.slic(
        scaled, n_segments=50, compactness=10.0, start_label=0, channel_axis=-1,
        convert2lab=channels == 3,
    )  # fmt: skip
    for picture in (image,) if channels == 3 else (image, image[0]):
        np.testing.assert_array_equal(superpixels(picture, "slic"), numbered(theirs))


def test_labels_are_renumbered_in_order() -> None:
    assert numbered(np.array([[7, 7], [-2, 40]])).tolist() == [[1, 1], [0, 2]]


# --- fills ----------------------------------------------------------------------------------

CENTRE = torch.linspace(-6, -3, 8)[:, None]
SCALE = torch.linspace(1, 2, 8)[:, None]
REFERENCE = Reference(CENTRE, SCALE, silence=-16.0, lowest=-4.0)
X = torch.randn(8, 12, generator=torch.Generator().manual_seed(0)) * 2 - 5
LABELS = grid(8, 12, 2, 3)


def test_fills_are_what_they_are_called() -> None:
    z = (X - CENTRE) / SCALE
    expected = {
        "zero": torch.zeros_like(X),
        "training-mean": CENTRE.expand_as(X),
        "silence": torch.full_like(X, -16.0),
        "mean": CENTRE + SCALE * z.mean(),
        "min": CENTRE + SCALE * z.min(),
        "data-min": CENTRE - 4.0 * SCALE,
    }
    for name, value in expected.items():
        filled = fill(name, X, LABELS, REFERENCE)
        torch.testing.assert_close(filled, value.expand_as(X), msg=name)


def test_zero_is_what_a_normalising_network_gets_as_zero() -> None:
    """Pictures of 0..1 whose network takes (x - 0.25) / 0.5: grey, for it, is zero."""
    filled = fill("zero", X, LABELS, Reference(CENTRE, SCALE, zero=torch.tensor(0.25)))
    assert ((filled - 0.25) / 0.5 == 0).all()


def test_the_mean_of_a_segment_is_taken_in_each_channel() -> None:
    image = torch.randn(3, 8, 12, generator=torch.Generator().manual_seed(1))
    filled = fill("segment-mean", image, LABELS, Reference())
    for channel in range(3):
        means = segment_means(LABELS, image[channel].numpy())
        np.testing.assert_allclose(filled[channel].numpy(), means[LABELS], atol=1e-6)


def test_the_mean_of_an_image_is_taken_in_each_channel() -> None:
    image = torch.randn(3, 8, 12, generator=torch.Generator().manual_seed(1))
    filled = fill("mean", image, LABELS, Reference())
    torch.testing.assert_close(filled, image.mean(dim=(1, 2), keepdim=True).expand_as(image))


def test_noise_is_that_of_its_seed() -> None:
    first, again, other = (fill("noise", X, LABELS, REFERENCE, seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert abs(float(first.mean())) < 0.5 and 0.7 < float(first.std()) < 1.3


def test_blur_keeps_the_level_and_loses_the_detail() -> None:
    x = torch.randn(64, 64, generator=torch.Generator().manual_seed(2)) + 7
    blurred = fill("blur", x, np.zeros((64, 64), dtype=int), Reference())
    assert float(blurred.std()) < 0.1 < float(x.std())
    assert float(blurred.mean()) == pytest.approx(7, abs=0.1)


def test_what_is_not_known_is_said() -> None:
    for name in ("silence", "data-min", "training-mean"):
        with pytest.raises(UsageError, match="--fill"):
            fill(name, X, LABELS, Reference())
    with pytest.raises(UsageError, match="did you mean 'silence'"):
        fill("silense", X, LABELS, REFERENCE)


# --- masking --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILLS)
def test_all_segments_kept_is_the_input_to_the_bit(name: str) -> None:
    parts = MaskedInput(X, LABELS, fill(name, X, LABELS, REFERENCE))
    whole, none = parts.compose(np.array([[True] * 6, [False] * 6]))
    assert torch.equal(whole, X)
    assert torch.equal(none, parts.fill)


@given(st.lists(st.booleans(), min_size=6, max_size=6))
def test_each_cell_is_that_of_the_input_or_of_the_fill(kept: list[bool]) -> None:
    image = torch.arange(3 * 8 * 12, dtype=torch.float32).reshape(3, 8, 12)
    parts = MaskedInput(image, LABELS, -image - 1)
    (shown,) = parts.compose(np.array([kept]))
    inside = torch.as_tensor(np.array(kept)[LABELS])
    assert torch.equal(shown[:, inside], image[:, inside])
    assert torch.equal(shown[:, ~inside], (-image - 1)[:, ~inside])


def test_spreading_and_gathering_weights_are_inverse() -> None:
    parts = MaskedInput(X, LABELS, X)
    weights = np.arange(6.0) - 2
    np.testing.assert_allclose(parts.gather(parts.spread(weights)), weights)


def test_components_of_sources_sum_to_the_mix() -> None:
    random = np.random.default_rng(0)
    stems = random.standard_normal((3, 1000)).astype(np.float32) * 0.1
    components = source_components(stems, stems.sum(axis=0), spans=4)
    assert components.shape == (12, 1000)
    mix = SourceMix(components, lambda w: torch.as_tensor(w), np.full((12, 2, 2), 1 / 12))
    np.testing.assert_allclose(
        mix.compose(np.ones((1, 12), dtype=bool))[0].numpy(), stems.sum(axis=0), atol=1e-6
    )
    only = mix.waveforms(np.arange(12)[None] == 4)[0]  # the second source in the first quarter
    np.testing.assert_allclose(only[:250], stems[1, :250])
    assert not only[250:].any()


def test_stems_that_are_not_those_of_the_mix_are_refused() -> None:
    stems = np.zeros((2, 100), dtype=np.float32)
    with pytest.raises(GanexplainError, match="do not sum to the mix"):
        source_components(stems, np.full(100, 0.01, dtype=np.float32), 1)
