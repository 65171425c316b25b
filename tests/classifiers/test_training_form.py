"""What is trained and what is kept are one function; the second architecture is a detector too."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganexplain.classifiers.base import ARCHITECTURES, ExcerptNet, initialise
from ganexplain.classifiers.checkpoint import (
    LOG_MEL_ARCHITECTURES,
    architecture_name,
    build_classifier,
)
from ganexplain.classifiers.compactnet import CompactNet
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.classifiers.temporalnet import TemporalNet
from ganexplain.classifiers.training_form import (
    add_batch_norm,
    to_plain_form,
    use_zero_mean_filters,
)
from ganexplain.inputs.base import Input
from ganexplain.inputs.picture import ImageInput

TAKEN: dict[str, Input] = {
    **{name: ARCHITECTURES[name].front_end for name in LOG_MEL_ARCHITECTURES},
    "picturenet": ImageInput(channels=3, height=24, width=20),
}


def inputs(architecture: str) -> torch.Tensor:
    shape = TAKEN[architecture].shape
    return torch.randn(6, *shape, generator=torch.Generator().manual_seed(0)) * 3 - 2


def trained_a_little(architecture: str, zero_mean: bool, batch_norm: bool) -> ExcerptNet:
    """A network after a few updates, so that running statistics and affine parts are its own."""
    torch.manual_seed(0)
    network = build_classifier(architecture, 2, TAKEN[architecture])
    initialise(network, 0)
    network.mean.fill_(-2.0)
    network.deviation.copy_(torch.linspace(1, 4, len(network.deviation)))
    if zero_mean:
        use_zero_mean_filters(network)
    if batch_norm:
        add_batch_norm(network)
    optimiser = torch.optim.SGD(network.parameters(), 1e-3)
    for _ in range(4):
        optimiser.zero_grad()
        network.train()(inputs(architecture)).square().mean().backward()
        optimiser.step()
    return network.eval()


FORMS = [
    (name, *form)
    for name in LOG_MEL_ARCHITECTURES
    for form in ((True, False), (False, True), (True, True))
]


# Pictures have no level that a filter of zero mean would not hear.
@pytest.mark.parametrize(
    "architecture, zero_mean, batch_norm", [*FORMS, ("picturenet", False, True)]
)
def test_the_plain_network_is_the_trained_one(
    architecture: str, zero_mean: bool, batch_norm: bool
) -> None:
    network = trained_a_little(architecture, zero_mean, batch_norm)
    kept = to_plain_form(network)
    fresh = build_classifier(architecture, 2, TAKEN[architecture])
    assert kept.state_dict().keys() == fresh.state_dict().keys()
    assert architecture_name(kept) == architecture
    x = inputs(architecture)
    with torch.no_grad():
        torch.testing.assert_close(kept(x), network(x), rtol=1e-4, atol=1e-5)
        again = to_plain_form(network)(x)  # making a plain copy leaves the trained one as it was
        torch.testing.assert_close(again, kept(x), rtol=0, atol=0)


@pytest.mark.parametrize("architecture", LOG_MEL_ARCHITECTURES)
def test_filters_of_zero_mean_do_not_hear_a_gain(architecture: str) -> None:
    kept = to_plain_form(trained_a_little(architecture, zero_mean=True, batch_norm=True))
    hears = to_plain_form(trained_a_little(architecture, zero_mean=False, batch_norm=True))
    mel = inputs(architecture)
    with torch.no_grad():
        torch.testing.assert_close(kept(mel + 2.3), kept(mel), rtol=0, atol=1e-4)
        assert (hears(mel + 2.3) - hears(mel)).abs().max() > 1e-2


def test_every_convolution_is_normalised_and_nothing_else() -> None:
    network = add_batch_norm(CompactNet())
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == len([m for m in network.modules() if isinstance(m, nn.Conv2d)])
    assert isinstance(network.fc8, nn.Linear)


@pytest.mark.parametrize(
    "kind, parameters", [(SVDNet, 1_408_225), (CompactNet, 296_225), (TemporalNet, 349_345)]
)
def test_a_network_sees_one_excerpt_and_no_more(kind: type[ExcerptNet], parameters: int) -> None:
    network = kind.for_inputs(1, kind.front_end).eval()
    initialise(network, 0)
    assert sum(p.numel() for p in network.parameters()) == parameters
    length, stream = kind.front_end.excerpt_frames, torch.Generator().manual_seed(1)
    long = torch.randn(1, 80, length + 21, generator=stream, requires_grad=True)
    out = network.forward_dense(long)
    assert out.shape == (1, 22, 1)
    (gradient,) = torch.autograd.grad(out[0, 10, 0], long)
    seen = gradient[0].abs().sum(0).nonzero().flatten()
    assert 10 <= seen.min() < 13 and length + 6 < seen.max() <= length + 9
    windows = long.detach()[0].unfold(1, length, 1).transpose(0, 1)
    with torch.no_grad():
        torch.testing.assert_close(network.forward_dense(long)[0], network(windows), atol=1e-6,
                                   rtol=0)  # fmt: skip


def test_targets_of_a_training_excerpt_are_the_answers_for_the_excerpts_around_them() -> None:
    network, kind = TemporalNet().eval(), TemporalNet
    initialise(network, 0)
    length, (first, *_, last) = kind.front_end.excerpt_frames, kind.target_frames
    mel = torch.randn(2, 80, length + last - first, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        found = network.forward_targets(mel)
        alone = [network(mel[..., t - first : t - first + length]) for t in kind.target_frames]
    torch.testing.assert_close(found, torch.stack(alone, dim=1), atol=1e-6, rtol=0)
