"""The pieces of the part explainer, against closed forms and sums written out."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ganexplain.classifiers.base import initialise
from ganexplain.classifiers.compactnet import CompactNet
from ganexplain.classifiers.picturenet import PictureNet
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.errors import UsageError
from ganexplain.explainers.parts.filter_loss import filter_loss, sharpen_maps
from ganexplain.explainers.parts.network import (
    MassNorm,
    PartMask,
    PartsExplainer,
    explainer_for,
    template_height,
    templates,
)
from ganexplain.explainers.parts.places import (
    Axis,
    Geometry,
    estimate_geometry,
    location_instability,
)
from ganexplain.networks.tracing import subnetwork_after


def random_maps(*shape: int, seed: int = 0, size: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return size * torch.rand(shape, generator=generator, dtype=torch.float64)


def untrained(network: nn.Module) -> nn.Module:
    initialise(network, 0)
    return network.eval()


# --- templates ------------------------------------------------------------------------------


@pytest.mark.parametrize("height,width", [(4, 5), (8, 8), (21, 33)])
def test_templates_are_those_of_the_paper(height: int, width: int) -> None:
    found = templates(height, width, torch.float64)
    tau = 0.5 / (height * width)
    assert found.shape == (height * width + 1, height, width)
    assert template_height(height, width) == tau
    rows, columns = np.arange(height), np.arange(width)
    down = np.abs(rows[:, None] - rows)[:, None, :, None] / height
    along = np.abs(columns[:, None] - columns)[None, :, None, :] / width
    away = (down + along).reshape(height * width, height, width)  # from each place to each other
    wanted = tau * np.maximum(1 - 4 * away, -1)
    np.testing.assert_allclose(found[:-1], wanted, rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(found[:-1][away >= 0.5], -tau, rtol=1e-6, atol=1e-15)
    places = torch.arange(height * width)
    assert (found[:-1].flatten(1)[places, places] == tau).all()
    assert (found[-1] == -tau).all()


def test_a_template_crosses_zero_at_a_quarter_of_the_map() -> None:
    middle = templates(16, 16, torch.float64)[8 * 16 + 8]
    assert middle[8, 12] == 0 and middle[12, 8] == 0
    assert middle[8, 11] > 0 > middle[8, 13]


# --- the filter loss ------------------------------------------------------------------------


def by_the_formula(maps: np.ndarray) -> list[float]:
    """The loss of maps (N, D, H, W), every sum written out."""
    count, filters, height, width = maps.shape
    shapes = templates(height, width, torch.float64).numpy()
    losses = []
    for f in range(filters):
        given = np.empty((len(shapes), count))
        for t, shape in enumerate(shapes):
            fits = [math.exp(float((maps[n, f] * shape).sum())) for n in range(count)]
            given[t] = np.array(fits) / sum(fits)
        prior = 1 / len(shapes)
        alone = [sum(prior * given[t, n] for t in range(len(shapes))) for n in range(count)]
        losses.append(-sum(
            prior * given[t, n] * math.log(given[t, n] / alone[n])
            for t in range(len(shapes)) for n in range(count)
        ))  # fmt: skip
    return losses


def test_the_loss_is_the_formula() -> None:
    maps = random_maps(5, 3, 4, 6, size=200.0)
    assert filter_loss(maps).numpy() == pytest.approx(by_the_formula(maps.numpy()), abs=1e-6)
    assert min(filter_loss(maps)) < -0.01  # and says something


def test_the_gradient_is_exact() -> None:
    maps = random_maps(4, 2, 3, 4, size=60.0).requires_grad_(True)
    assert torch.autograd.gradcheck(filter_loss, (maps,), eps=1e-4, atol=1e-7)
    assert torch.autograd.gradcheck(lambda x: filter_loss(sharpen_maps(x)), (maps,), eps=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 9), st.integers(1, 7), st.integers(1, 7), st.floats(0.0, 6.0), st.integers(0, 99)
)
def test_the_loss_stays_in_its_bounds(
    count: int, height: int, width: int, decades: float, seed: int
) -> None:
    maps = random_maps(count, 2, height, width, seed=seed, size=10**decades).requires_grad_(True)
    loss = filter_loss(maps)
    least = -min(math.log(height * width + 1), math.log(count))
    assert (loss >= least - 1e-9).all() and (loss <= 1e-9).all()
    (gradient,) = torch.autograd.grad(loss.sum(), maps)
    assert gradient.isfinite().all()


def test_the_loss_of_equal_maps_is_zero_and_of_single_peaks_clearly_not() -> None:
    same = random_maps(1, 3, 4, 5, size=1e6).repeat(7, 1, 1, 1)
    assert filter_loss(same).numpy() == pytest.approx(0.0, abs=1e-9)
    peaked = torch.zeros(7, 1, 4, 5, dtype=torch.float64)
    for n in range(7):
        peaked[n, 0, n % 4, (2 * n) % 5] = 1.0
    spread = torch.full_like(peaked, 1 / 20)
    assert filter_loss(sharpen_maps(peaked)) < -1.0
    assert filter_loss(sharpen_maps(spread + 1e-3 * random_maps(*peaked.shape))) > -0.01


def test_the_loss_in_pieces_is_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = random_maps(4, 5, 6, 6, size=100.0)
    whole = filter_loss(maps)
    monkeypatch.setattr("ganexplain.explainers.parts.filter_loss.VALUES", 2 * 4 * 37)
    assert filter_loss(maps).numpy() == pytest.approx(whole.numpy(), abs=1e-12)
    with pytest.raises(UsageError, match="70 x 70 places"):
        filter_loss(torch.zeros(2, 1, 70, 70))


# --- masks, normalisation, mixing -----------------------------------------------------------


def test_a_mask_keeps_what_is_around_the_peak() -> None:
    maps = random_maps(3, 4, 12, 16).requires_grad_(True)
    masked = PartMask()(maps)
    place = maps.flatten(2).argmax(2)
    row, column = place // 16, place % 16
    near = (torch.arange(12) - row[..., None]).abs()[..., None] / 12
    near = near + (torch.arange(16) - column[..., None]).abs()[..., None, :] / 16 < 0.25
    assert (masked[~near] == 0).all()
    assert (masked[near] > 0).all()
    assert torch.equal(masked.flatten(2).amax(2), maps.flatten(2).amax(2))  # the peak itself
    (gradient,) = torch.autograd.grad(masked.sum(), maps)
    assert (gradient[~near] == 0).all() and (gradient[near] > 0).all()


def test_normalised_maps_have_mass_one() -> None:
    norm = MassNorm(4).double().train()
    maps = random_maps(6, 4, 5, 7, size=3.0) - 1.0
    for _ in range(3):
        out = norm(maps)
        assert out.clamp_min(0).sum(dim=(2, 3)).mean(0).numpy() == pytest.approx(1.0)
    again = MassNorm(4).double()
    again.load_state_dict(norm.state_dict())
    frozen = again.eval()
    assert torch.equal(frozen(maps[:2]), norm.eval()(maps[:2]))
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    frozen(10 * maps)
    assert all(torch.equal(before[k], v) for k, v in frozen.state_dict().items())
    assert frozen(maps)[0].numpy() == pytest.approx(out[0].detach().numpy())


def test_a_silent_channel_stays_silent() -> None:
    maps = random_maps(3, 2, 4, 4)
    maps[:, 1] = 0
    out = MassNorm(2).double().train()(maps.requires_grad_(True))
    assert out.isfinite().all() and (out[:, 1] == 0).all()


def test_what_is_all_but_silent_is_not_blown_up() -> None:
    norm, maps = MassNorm(2).double().train(), random_maps(8, 2, 4, 4)
    maps[:, 1] *= 1e-9
    for _ in range(20):
        norm(maps)
    out = norm.eval()(maps.new_full((1, 2, 4, 4), 0.5))
    assert out[0, 0].sum() == pytest.approx(1.0, rel=0.2)
    assert out[0, 1].sum() < 2100  # a thousandth of the mean mass is the least


@pytest.fixture(scope="module")
def explainer() -> PartsExplainer:
    network = untrained(SVDNet())
    return explainer_for(network, "conv5", ("fc7", "fc8"), 64)


def test_what_is_decoded_is_the_convex_combination(explainer: PartsExplainer) -> None:
    features = random_maps(2, 64, 21, 33).float()
    with torch.no_grad():
        for weight in (-3.0, 0.0, 2.0):
            explainer.mixing.fill_(weight)
            p = 1 / (1 + math.exp(-weight))
            assert float(explainer.share) == pytest.approx(p, abs=1e-7)
            found = explainer.eval().encode(features)
            mixed = p * found.parts + (1 - p) * found.ordinary
            torch.testing.assert_close(found.features, mixed * explainer.scale[:, None, None])


def test_the_decoder_begins_as_the_classifier_and_is_a_copy() -> None:
    network = SVDNet()
    untrained(network)
    found = explainer_for(network, "conv5", ("fc7", "fc8"), 64)
    features = random_maps(2, 64, 21, 33).float()
    first, second = found.train().decode(features)
    with torch.no_grad():
        expected = network.fc7(network.act6(network.pool6(features)).flatten(1))
        torch.testing.assert_close(first, expected)
        torch.testing.assert_close(second, network.fc8(network.act7(expected)))
        next(iter(found.decoder.parameters())).fill_(1.0)
        torch.testing.assert_close(
            network.fc7(network.act6(network.pool6(features)).flatten(1)), expected
        )


# --- what stands behind a layer ---------------------------------------------------------------


@pytest.mark.parametrize(
    "network,layer,shape",
    [
        (SVDNet(2), "act4", (2, 80, 115)),
        (CompactNet(), "conv2", (2, 80, 115)),
        (PictureNet(10, (1, 8, 8)), "blocks.2", (2, 1, 8, 8)),
    ],
)
def test_a_tail_computes_what_the_network_does(
    network: nn.Module, layer: str, shape: tuple[int, ...]
) -> None:
    untrained(network)
    kept: dict[str, torch.Tensor] = {}
    for name in (layer, "fc8"):
        network.get_submodule(name).register_forward_hook(
            lambda module, x, y, name=name: kept.update({name: y.detach()})
        )
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = network(x)
        middle, end = subnetwork_after(network, layer, ("fc8", "output"))(kept[layer])
    torch.testing.assert_close(middle, kept["fc8"])
    torch.testing.assert_close(end, whole)


class Bypass(nn.Module):
    """The last layer also sees the input; one is used twice; `lost` not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.shared, self.lost = nn.ReLU(), nn.ReLU()
        self.last = nn.Linear(64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.shared(self.second(self.shared(self.first(x))))
        return self.last((y + x).mean(1).flatten(1))


class Branching(Bypass):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x) if x.sum() > 0 else x)


@pytest.mark.parametrize(
    "network,layer,end,said",
    [
        (Bypass(), "second", "last", "layer last bypasses, in part, layer second"),
        (Bypass(), "second", "first", "layer first is not behind layer second"),
        (Bypass(), "shared", "last", "layer shared runs 2 times in a pass"),
        (Bypass(), "lost", "last", "layer lost is not reached by a pass"),
        (Bypass(), "second", "second", "layer second is layer second itself"),
        (Bypass(), "secnd", "last", "did you mean 'second'"),
        (Branching(), "first", "last", "cannot be traced"),
    ],
)
def test_a_tail_that_cannot_be_is_refused(
    network: nn.Module, layer: str, end: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        subnetwork_after(network, layer, (end,))


# --- places -----------------------------------------------------------------------------------


def front_of(network: nn.Module, layer: str) -> Callable[[torch.Tensor], torch.Tensor]:
    kept: list[torch.Tensor] = []
    network.get_submodule(layer).register_forward_hook(lambda module, x, y: kept.append(y))

    def run(x: torch.Tensor) -> torch.Tensor:
        network(x)
        return kept.pop()

    return run


def test_places_lie_where_the_kernels_look() -> None:
    network = untrained(SVDNet())
    x = torch.randn(8, 80, 115, generator=torch.Generator().manual_seed(0))
    # Two convolutions (1 + 1), pooling of three (1), two convolutions behind it (3 + 3).
    found = estimate_geometry(front_of(network, "conv5"), x)
    assert found == Geometry(Axis(21, 80, 9.0, 3.0), Axis(33, 115, 9.0, 3.0))
    windows = found.windows(np.array([[4, 10]]))
    assert windows.shape == (1, 80, 115)
    assert np.unravel_index(windows[0].argmax(), (80, 115)) == (9 + 3 * 4, 9 + 3 * 10)
    assert found.cells(np.array([4, 10])).tolist() == [21, 39]


def test_places_of_padded_layers_cover_the_picture() -> None:
    x = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    network = untrained(PictureNet(10, (1, 8, 8)))
    assert estimate_geometry(front_of(network, "blocks.0"), x).down == Axis(8, 8, 0.0, 1.0)
    assert estimate_geometry(front_of(network, "blocks.7"), x).down == Axis(4, 8, 0.5, 2.0)


def test_spreading_a_map_keeps_its_values_at_the_places() -> None:
    found = Geometry(Axis(4, 20, 3.0, 4.0), Axis(5, 15, 2.0, 3.0))
    area = random_maps(4, 5)
    spread = found.spread(area)
    torch.testing.assert_close(spread[3:16:4, 2:15:3], area)
    torch.testing.assert_close(spread[5, 2], (area[0, 0] + area[1, 0]) / 2)
    torch.testing.assert_close(spread[0, 0], area[0, 0])  # beyond the outermost place


# --- location instability ---------------------------------------------------------------------


def test_instability_by_hand() -> None:
    landmarks = np.array([[[10.0, 10.0]], [[20.0, 30.0]], [[40.0, 5.0]], [[np.nan, np.nan]]])
    shifted = landmarks[:, 0] + np.array([3.0, 4.0])  # always 5 away
    shifted[3] = 0.0
    away = landmarks[:, 0].copy()
    away[:3, 0] += [1.0, 2.0, 6.0]  # distances 1, 2, 6: their deviation is sqrt(7)
    away[3] = 99.0
    positions = np.stack([shifted, away], axis=1)
    strength = np.ones((4, 2))
    found = location_instability(strength, positions, landmarks, diagonal=50.0)
    assert found == pytest.approx([0.0, math.sqrt(7) / 50])


def test_instability_is_of_the_strongest_and_the_mean_over_landmarks() -> None:
    random = np.random.default_rng(0)
    strength = np.concatenate([np.full(100, 2.0), np.full(400, 1.0)])[:, None]
    positions = random.uniform(0, 1, (500, 1, 2))
    positions[:100] = 0.5
    landmarks = np.broadcast_to([[[0.5, 0.5], [0.0, 0.5]]], (500, 2, 2))
    assert location_instability(strength, positions, landmarks, 1.0) == pytest.approx([0.0])
    even = np.ones((100, 1))
    lower = location_instability(even, positions[100:200], landmarks[:100], 1.0)
    # Uniform places in a unit square, from its middle: E d = 0.3826, E d^2 = 1/6.
    middle = math.sqrt(1 / 6 - 0.38260**2)
    one = location_instability(even, positions[100:200], landmarks[:100, :1], 1.0)
    assert one == pytest.approx([middle], abs=0.02)
    assert lower[0] > one[0]  # farther from the edge's middle than from the square's


def test_a_filter_that_never_fires_has_no_instability() -> None:
    found = location_instability(np.zeros((5, 1)), np.zeros((5, 1, 2)), np.zeros((5, 1, 2)), 1.0)
    assert np.isnan(found).all()
