"""The two networks: sizes from the paper, and rewritten forms equal to the plain ones."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from ganexplain.classifiers.base import initialise
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.errors import UsageError
from ganexplain.gans.dcgan import Discriminator, Encoder, Generator
from ganexplain.gans.losses import (
    LOSSES,
    ZERO_CENTRED_PENALTY,
    add_spectral_norm,
    autoencoder_loss,
)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_parameter_counts_are_those_of_the_paper() -> None:
    assert parameters(SVDNet(1)) == 1_408_225
    assert parameters(SVDNet(2)) == 1_408_290
    assert parameters(Generator()) == 932_801


def test_layer_shapes_are_those_of_the_paper() -> None:
    network = SVDNet().eval()
    shapes: dict[str, tuple[int, ...]] = {}
    for name, module in network.named_modules():
        module.register_forward_hook(
            lambda m, i, o, name=name: shapes.__setitem__(name, tuple(o.shape[1:]))
        )
    network(torch.zeros(1, 80, 115))
    assert shapes["conv1"] == (64, 78, 113)
    assert shapes["conv2"] == (32, 76, 111)
    assert shapes["pool3"] == (32, 25, 37)
    assert shapes["conv4"] == (128, 23, 35)
    assert shapes["conv5"] == (64, 21, 33)
    assert shapes["pool6"] == (64, 7, 11)
    assert shapes["fc7"] == (256,) and shapes["fc8"] == (64,) and shapes["fc9"] == (1,)


def test_pooling_before_the_rectifier_is_the_plain_network() -> None:
    network = SVDNet().eval()
    initialise(network, 3)
    mel = torch.randn(3, 80, 115, generator=torch.Generator().manual_seed(0)) * 3
    layers = dict(network.named_children())

    def rectify(x: torch.Tensor) -> torch.Tensor:
        return functional.leaky_relu(x, 0.01)

    x = rectify(layers["conv2"](rectify(layers["conv1"](mel[:, None]))))
    x = functional.max_pool2d(x, 3)
    x = rectify(layers["conv5"](rectify(layers["conv4"](x))))
    x = functional.max_pool2d(x, 3).flatten(1)
    x = layers["fc9"](rectify(layers["fc8"](rectify(layers["fc7"](x)))))
    torch.testing.assert_close(network(mel), x, rtol=0, atol=1e-5)


def test_standardisation_is_per_band() -> None:
    network = SVDNet()
    network.mean.copy_(torch.arange(80.0))
    network.deviation.fill_(2.0)
    mel = torch.arange(80.0)[:, None].expand(80, 115) + 2.0
    assert torch.equal(network.standardise(mel[None]), torch.ones(1, 1, 80, 115))


def test_dense_prediction_equals_one_window_a_frame() -> None:
    network = SVDNet(2).eval()
    initialise(network, 1)
    mel = torch.randn(1, 80, 160, generator=torch.Generator().manual_seed(1))
    windows = mel[0].unfold(1, 115, 1).transpose(0, 1)
    with torch.no_grad():
        dense = network.forward_dense(mel)[0]
        torch.testing.assert_close(dense, network(windows), rtol=0, atol=1e-5)


def test_initial_weights_are_orthogonal_and_follow_the_seed() -> None:
    first, again, other = SVDNet(), SVDNet(), SVDNet()
    for network, seed in ((first, 7), (again, 7), (other, 8)):
        initialise(network, seed)
    weight = first.fc8.weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(64), rtol=0, atol=1e-5)
    assert torch.equal(weight, again.fc8.weight) and not torch.equal(weight, other.fc8.weight)
    assert first.conv1.bias is not None and not first.conv1.bias.any()


def test_generated_values_never_fall_below_the_floor() -> None:
    torch.manual_seed(0)
    generator = Generator()
    generator.deviation.fill_(1e5)
    assert generator.out.bias is not None
    nn.init.zeros_(generator.out.bias)
    mel = generator(torch.randn(4, 128))
    assert mel.shape == (4, 80, 115)
    assert mel.min().item() == pytest.approx(math.log(1e-7))


def test_folding_keeps_the_function_and_the_paper_s_size() -> None:
    torch.manual_seed(0)
    generator = Generator(normalise=True)
    for norm in generator.norms:
        norm.get_buffer("running_mean").normal_()
        norm.get_buffer("running_var").uniform_(0.3, 3.0)
        nn.init.normal_(norm.get_parameter("weight"))
        nn.init.normal_(norm.get_parameter("bias"))
    generator.eval()
    folded = generator.fold_norms()
    assert parameters(folded) == 932_801
    latent = torch.randn(8, 128)
    torch.testing.assert_close(folded(latent), generator(latent), rtol=0, atol=1e-4)


def test_spectral_norm_bounds_every_layer_of_the_discriminator() -> None:
    torch.manual_seed(0)
    network = Discriminator()
    with torch.no_grad():
        network.out.weight.mul_(50)
    add_spectral_norm(network).train()
    for _ in range(50):  # power iterations run in training mode, one a pass
        network(torch.zeros(1, 80, 115))
    assert torch.linalg.matrix_norm(network.out.weight, 2).item() == pytest.approx(1, abs=0.02)


def test_losses_of_a_known_score() -> None:
    real, fake = torch.full((2,), 1.0), torch.full((2,), -2.0)

    softplus = functional.softplus
    expected = softplus(torch.tensor(-1.0)) + softplus(torch.tensor(-2.0))
    torch.testing.assert_close(LOSSES["non-saturating"].discriminator(real, fake), expected)
    assert LOSSES["hinge"].discriminator(real, fake).item() == 0.0
    assert LOSSES["wgan-gp"].discriminator(real, fake).item() == -3.0
    torch.testing.assert_close(
        LOSSES["relativistic"].discriminator(real, fake), softplus(torch.tensor(-3.0))
    )
    assert LOSSES["wgan-gp"].generator(fake, real).item() == 2.0
    assert LOSSES["hinge"].generator(fake, real).item() == 2.0
    torch.testing.assert_close(
        LOSSES["non-saturating"].generator(fake, real), softplus(torch.tensor(2.0))
    )
    torch.testing.assert_close(
        LOSSES["relativistic"].generator(fake, real), softplus(torch.tensor(3.0))
    )


@pytest.mark.parametrize("slope, wasserstein", [(3.0, 10 * (3 - 1) ** 2), (0.5, 0.0)])
def test_penalties_of_a_linear_score(slope: float, wasserstein: float) -> None:
    direction = torch.zeros(80, 115)
    direction[4, 5] = slope
    real, fake, mix = torch.randn(6, 80, 115), torch.randn(6, 80, 115), torch.rand(6)

    def score(x: torch.Tensor) -> torch.Tensor:
        return (x * direction).sum(dim=(1, 2))

    assert LOSSES["wgan-gp"].penalty(score, real, fake, mix).item() == pytest.approx(wasserstein)
    assert LOSSES["non-saturating"].penalty(score, real, fake, mix).item() == pytest.approx(
        4 * ZERO_CENTRED_PENALTY * slope**2 / 2
    )
    assert LOSSES["relativistic"].penalty(score, real, fake, mix).item() == pytest.approx(
        2 * 4 * ZERO_CENTRED_PENALTY * slope**2 / 2
    )
    assert LOSSES["hinge"].penalty(score, real, fake, mix).item() == 0.0


def test_autoencoder_loss_is_error_plus_weighted_divergence() -> None:
    generator, encoder = Generator(), Encoder()
    with torch.no_grad():
        encoder.out.weight.zero_()
        encoder.out.bias.zero_()
        encoder.out.bias[:128] = 2.0  # means of 2, log-variances of 0
    noise = torch.randn(3, 128, generator=torch.Generator().manual_seed(0))
    mel = torch.zeros(3, 80, 115)
    error = (generator(2 + noise) - mel).square().mean()
    torch.testing.assert_close(
        autoencoder_loss(encoder, generator, mel, noise), error + 1e-3 * 128 * 2.0**2 / 2
    )


def test_an_unknown_loss_names_the_nearest() -> None:
    from ganexplain.errors import check_known

    with pytest.raises(UsageError, match="did you mean 'wgan-gp'"):
        check_known("--loss", "wgangp", LOSSES)
