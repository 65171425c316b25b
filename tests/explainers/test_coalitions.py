"""The conditional GAN's training by coalitions: what it draws, is shown, minimises and writes."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from math import comb
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.commands import Run, with_options
from torch import Tensor, nn

from ganexplain.attribution.fills import Reference
from ganexplain.attribution.scorer import Scorer, target_odds
from ganexplain.classifiers.base import initialise
from ganexplain.classifiers.checkpoint import Classifier, write_classifier
from ganexplain.classifiers.picturenet import PictureNet
from ganexplain.config import TrainClassifierConfig, TrainExplainerConfig
from ganexplain.errors import UsageError
from ganexplain.explainers.cgan.coalition_training import Lesson, Teacher
from ganexplain.explainers.cgan.coalitions import Squares, draw_coalitions, kernel_sizes
from ganexplain.explainers.cgan.signals import LEVELS, Signals, network_signals
from ganexplain.explainers.cgan.unet import CONTRIBUTIONS, MixFit, SignalGenerator
from ganexplain.explainers.loading import load_explainer
from ganexplain.files.checkpoints import read_checkpoint
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import Call
from ganexplain.networks.target import adapt_network
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.train_explainer import train_explainer

SCALE = Reference(torch.zeros(1, 1, 1), torch.ones(1, 1, 1))


def test_sizes_have_the_shapley_kernel() -> None:
    kernel = [(5 - 1) / (comb(5, k) * k * (5 - k)) * comb(5, k) for k in range(1, 5)]
    np.testing.assert_allclose(kernel_sizes(5), np.array(kernel) / sum(kernel))


def test_each_coalition_is_followed_by_its_complement() -> None:
    kept = draw_coalitions(7, 40, np.random.default_rng(0))
    assert kept.shape == (40, 7) and (kept[0::2] == ~kept[1::2]).all()
    assert kept.sum(axis=1).min() > 0 and kept.sum(axis=1).max() < 7


def game(kept: np.ndarray) -> np.ndarray:
    """Responses (B,) to coalitions (B, 4): parts that count alone, together and against."""
    a, b, c, d = kept.T.astype(float)
    return 1.5 * a + 2.0 * b * c - 0.7 * d * a + 0.2


def shapley_values() -> np.ndarray:
    """By their definition, over all orders."""
    found = np.zeros(4)
    for order in permutations(range(4)):
        kept = np.zeros((1, 4), dtype=bool)
        for player in order:
            before = game(kept)[0]
            kept[0, player] = True
            found[player] += (game(kept)[0] - before) / 24
    return found


def lesson(kept: np.ndarray) -> Lesson:
    """Of the game: `kept` (K, 4)."""
    whole, nothing = (torch.tensor(game(np.full((1, 4), on))).float() for on in (True, False))
    lost = whole - torch.from_numpy(game(kept)).float()
    none = torch.empty(0)
    removed = torch.from_numpy(~kept).float()[None]
    return Lesson(none, none, Signals(none, none, whole, nothing), removed, lost[None])


def test_the_shapley_values_have_the_least_error_of_maps_with_their_sum() -> None:
    told = lesson(draw_coalitions(4, 6000, np.random.default_rng(0)))
    exact = torch.from_numpy(shapley_values()).float()[None]
    torch.testing.assert_close(exact.sum(dim=1), told.signals.difference)
    weights = exact.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(told.errors(weights).sum(), weights)
    slope = slope - slope.mean()  # along maps of the same sum
    (far,) = torch.autograd.grad(told.errors(weights + torch.eye(4)[:1]).sum(), weights)
    assert slope.abs().max() < 0.05 * (far - far.mean()).abs().max()
    even = told.signals.difference[:, None].expand(1, 4) / 4
    torch.testing.assert_close(told.errors(even), torch.ones(1))


def test_log_odds_of_classes() -> None:
    outputs, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    p = outputs.softmax(dim=1).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(target_odds(outputs, targets, "logits"), (p / (1 - p)).log())
    one, both = torch.randn(4, 1), torch.tensor([0, 1, 1, 0])
    torch.testing.assert_close(target_odds(one, both, "logits"), one[:, 0] * (2 * both - 1))
    assert torch.equal(target_odds(outputs, targets, "activations"), outputs.gather(
        1, targets[:, None])[:, 0])  # fmt: skip


def small_network() -> tuple[nn.Sequential, nn.Conv2d]:
    torch.manual_seed(0)
    first = nn.Conv2d(1, 3, 3)
    return nn.Sequential(
        first, nn.Tanh(), nn.Conv2d(3, 2, 3), nn.Flatten(), nn.LazyLinear(1)
    ), first


def test_contributions_by_hand() -> None:
    network, first = small_network()
    x, filled = torch.rand(2, 1, 8, 9), torch.rand(2, 1, 8, 9)
    found = network_signals(network, lambda b: network(b)[:, 0], x, filled)
    assert found.contributions.shape == (2, CONTRIBUTIONS, 8, 9)
    assert found.cams.shape == (2, LEVELS, 8, 9)
    with torch.no_grad():
        torch.testing.assert_close(found.difference, (network(x) - network(filled))[:, 0])
    # The last convolution: all behind it is linear, so its contributions add up to the difference.
    for side in (0, 1):
        whole = found.contributions[:, side].sum(dim=(1, 2))
        torch.testing.assert_close(whole, found.difference, rtol=0.05, atol=0.02)
    for side, at in enumerate((x, (x + filled) / 2)):
        inner = first(at).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(network[1:](inner).sum(), inner)
        product = ((first(x) - first(filled)) * gradient).sum(dim=1, keepdim=True)
        area = nn.functional.interpolate(product, size=(8, 9), mode="bilinear") * (6 * 7 / 72)
        torch.testing.assert_close(
            found.contributions[:, 2 * (LEVELS - 1) + side], area[:, 0].detach()
        )
        leaf = at.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(network(leaf).sum(), leaf)
        torch.testing.assert_close(
            found.contributions[:, 2 * LEVELS + side], ((x - filled) * gradient)[:, 0]
        )


def test_weights_of_contributions_are_those_of_a_ridge_regression() -> None:
    random = np.random.default_rng(0)
    design, wanted = random.normal(size=(40, CONTRIBUTIONS)), random.normal(size=40)
    fit = MixFit()
    for rows in (slice(0, 25), slice(25, None)):
        found = fit.update(*(torch.from_numpy(each[rows]).float() for each in (design, wanted)))
    padded = np.concatenate([design, np.eye(CONTRIBUTIONS)])  # a ridge of 1
    exact = np.linalg.lstsq(padded, np.concatenate([wanted, np.zeros(CONTRIBUTIONS)]), rcond=None)
    np.testing.assert_allclose(found.numpy(), exact[0], atol=1e-5)


@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 33), (7, 9)])
def test_a_map_sums_to_the_difference(shape: tuple[int, ...], gradient: bool) -> None:
    torch.manual_seed(0)
    size = shape[-2:]
    generator = SignalGenerator(shape, 8, gradient)
    nn.init.normal_(generator.unet.tail.weight)
    signals = Signals(
        torch.randn(2, CONTRIBUTIONS, *size), torch.rand(2, LEVELS, *size), torch.randn(2),
        torch.randn(2),
    )  # fmt: skip
    areas = generator(torch.rand(2, *shape), torch.rand(2, *shape), signals)
    assert areas.shape == (2, *size) and areas.std() > 1e-4
    torch.testing.assert_close(areas.sum(dim=(1, 2)), signals.difference, rtol=1e-3, atol=1e-3)


def test_silence_has_an_empty_map() -> None:
    generator = SignalGenerator((1, 8, 8), 8, gradient=True)
    x, none = torch.zeros(1, 1, 8, 8), torch.ones(1)
    signals = Signals(torch.zeros(1, CONTRIBUTIONS, 8, 8), torch.zeros(1, LEVELS, 8, 8), none, none)
    assert torch.equal(generator(x, x, signals), torch.zeros(1, 8, 8))


def test_a_teacher_tells_what_the_network_responds() -> None:
    network, _ = small_network()
    spec = ImageInput(channels=1, height=8, width=8)
    network(torch.zeros(2, 1, 8, 8))
    nn.init.constant_(
        network[-1].get_parameter("bias"), 3.0
    )  # so that outputs are no probabilities
    target = adapt_network(network.eval(), spec, None, Call(), torch.device("cpu"))
    squares = Squares.over((1, 8, 8), 2, SCALE)
    teacher, x = Teacher(target, squares, "1"), torch.rand(2, 1, 8, 8)
    told = teacher.teach(x, 4, np.random.default_rng(0))
    cells = nn.functional.interpolate(told.removed.reshape(8, 1, 2, 2).mT, scale_factor=4).reshape(
        2, 4, 8, 8
    )  # squares are numbered down each column
    mean = x.mean(dim=(2, 3), keepdim=True)
    for number in range(4):
        masked = torch.where(cells[:, number : number + 1] > 0, mean, x)
        with torch.no_grad():
            lost = (network(x) - network(masked))[:, 0]
        torch.testing.assert_close(told.lost[:, number], lost, rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of 24 pictures of noise, and a classifier of them with drawn weights."""
    root, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(24):
        path = root / "corpus" / str(number % 2) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    spec = ImageInput(channels=1, height=8, width=8)
    network = PictureNet(2, spec.shape).eval()
    initialise(network, 0)
    found = Classifier(network, spec, ("0", "1"), 0.5, {})
    write_classifier(root / "one.pt", found, TrainClassifierConfig(corpus=("corpus",)))
    return root / "corpus", root / "one.pt"


def tiny(pictures: tuple[Path, Path], passes: int) -> TrainExplainerConfig:
    """Settings for an update of 28 passes."""
    return TrainExplainerConfig(
        corpus=(str(pictures[0]),), classifier=(str(pictures[1]),), teacher="shapley",
        passes=passes, coalitions=4, batch_size=4, held_out=4, occlusion_grid=2, width=8,
    )  # fmt: skip


def weights(run: Path) -> dict[str, Tensor]:
    return read_checkpoint(run / "explainer.pt", "explainer")["content"]["weights"]


def test_more_passes_continue_a_run_as_if_undisturbed(
    pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    """Five updates, of which the fourth is on shuffled weights; the file explains any network."""
    classifier = pictures[1].read_bytes()
    config = tiny(pictures, 5 * 28)
    train_explainer(config, tmp_path / "one", NullProgress())
    train_explainer(replace(config, passes=2 * 28 + 27), tmp_path / "two", NullProgress())
    assert read_checkpoint(tmp_path / "two" / "training.pt", "training")["step"] == 2
    train_explainer(config, tmp_path / "two", NullProgress(), resume=True)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert all(torch.equal(one[name], two[name]) for name in one)
    start = SignalGenerator((1, 8, 8), 8, gradient=True).state_dict()
    assert any(not torch.equal(one[name], start[name]) for name in one if "mix" in name)
    assert pictures[1].read_bytes() == classifier
    answer = load_explainer(tmp_path / "one" / "explainer.pt", torch.device("cpu")).answer
    network = PictureNet(2, (1, 8, 8)).eval()
    x, scorer = torch.rand(1, 8, 8), Scorer(network, 1)
    area = answer(network, scorer, x).area
    odds = network(torch.stack([x, torch.full_like(x, float(x.mean()))])).diff(dim=1)[:, 0]
    torch.testing.assert_close(area.sum(), (odds[0] - odds[1]).detach(), rtol=1e-3, atol=1e-5)
    assert area.shape == (8, 8) and scorer.passes == 3
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    with pytest.raises(UsageError, match="runs no convolution"):
        answer(flat, Scorer(flat, 0), x)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--passes", "151"), "--passes 151: one update takes 152; give at least that"),
        (("--coalitions", "3"), "give an even number"),
        (("--layer", "blocks.0"), "goes with --teacher grad-cam"),
        (("--size", "8"), "--size: goes with --teacher grad-cam, occlusion; leave one out"),
        (("--teacher", "shaply"), "did you mean 'shapley'"),
    ],
)
def test_settings_that_do_not_go_together(
    command: Run, pictures: tuple[Path, Path], tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    done = command(
        "train-explainer", pictures[0], "--classifier", pictures[1],
        *with_options(("--teacher", "shapley"), *words), "--quiet", "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 2 and message in done.error_line()
