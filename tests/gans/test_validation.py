"""What is kept of a training, what is said of it, and that it is not a copy of the recordings."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from support.commands import Run, with_options
from support.recordings import JamendoFolder
from torch import nn

from ganexplain.classifiers.checkpoint import Classifier, write_classifier
from ganexplain.classifiers.compactnet import CompactNet
from ganexplain.config import TrainClassifierConfig, TrainGanConfig
from ganexplain.corpora.splits import Split
from ganexplain.errors import Diverged
from ganexplain.files.checkpoints import read_checkpoint
from ganexplain.gans.best import GeneratorChoice, collapse_advice
from ganexplain.gans.checkpoint import GanFile, load_encoder, load_gan, load_generator, write_gan
from ganexplain.gans.dcgan import Encoder, Generator
from ganexplain.gans.encoder import reconstruction_error, train_encoder
from ganexplain.gans.networks import AnyGenerator
from ganexplain.gans.training import GanTraining
from ganexplain.gans.validation import Validation
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.texture import onset_strengths
from ganexplain.runs.progress import NullProgress

CPU = torch.device("cpu")


def noise_split(seed: int, front_end: FrontEnd | None = None, frames: int = 300) -> Split:
    """Two recordings whose level wanders, in every band alike, over white noise."""
    front_end = front_end or FrontEnd()
    rng = np.random.default_rng(seed)
    mels = []
    for _ in range(2):
        level = np.repeat(rng.normal(0, 2, frames // 20), 20)[:, None]
        mels.append((level + rng.normal(0, 0.5, (frames, front_end.mel_bands))).astype(np.float32))
    return Split((), tuple(mels), (), front_end)


@pytest.fixture(scope="module")
def train() -> Split:
    return noise_split(0)


@pytest.fixture(scope="module")
def valid() -> Split:
    return noise_split(1)


@pytest.fixture(scope="module")
def validation(train: Split, valid: Split) -> Validation:
    return Validation(0, train, valid, CPU)


class Playback(nn.Module):
    """Stands for a generator: plays given excerpts, whatever the latents."""

    def __init__(self, excerpts: np.ndarray) -> None:
        super().__init__()
        self.excerpts, self.place = torch.from_numpy(excerpts), 0

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        rows = (self.place + torch.arange(len(latent))) % len(self.excerpts)
        self.place += len(latent)
        return self.excerpts[rows]


def playback(excerpts: np.ndarray) -> AnyGenerator:
    return cast(AnyGenerator, Playback(excerpts))


def test_real_excerpts_score_near_the_floor_and_noise_far_above(
    validation: Validation, train: Split, valid: Split
) -> None:
    held_out = validation.measure(playback(validation.excerpts(valid, 500)))
    assert held_out["held_out"] == pytest.approx(0, abs=0.2)
    assert held_out["held_out"] < validation.floor
    assert held_out["diversity"] == pytest.approx(1, abs=0.05)
    assert held_out["score"] > 0.1 * validation.floor  # half of it is the training split
    loud = validation.measure(playback(validation.excerpts(train, 500) + 3))
    assert loud["held_out"] > 10 * validation.floor


def test_features_and_responses_come_from_the_classifier(
    train: Split, valid: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganexplain.gans.validation.EXCERPTS", 80)
    torch.manual_seed(0)
    network = CompactNet().eval()
    validation = Validation(0, train, valid, CPU, network)
    excerpts = validation.excerpts(valid, 80)
    assert validation.real.features.shape == (len(excerpts), 64)
    with torch.no_grad():
        response = network(torch.from_numpy(excerpts[:60]))[:, 0].numpy()
    np.testing.assert_allclose(validation.real.response[:60], response, atol=1e-4)
    figures = validation.measure(playback(excerpts)) | validation.reference()
    assert figures["response_std"] == pytest.approx(figures["real_response_std"], rel=0.1)


@pytest.mark.usefixtures("brief_validation")
def test_a_collapsed_generator_is_reported_after_two_looks_too(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the example of `train-gan --help`: the run ends at its second validation."""
    measured = Validation.measure
    monkeypatch.setattr(
        Validation, "measure", lambda self, drawn: measured(self, drawn) | {"diversity": 0.04}
    )
    done = command("train-gan", jamendo.root, "--out", tmp_path / "gan",
                   *with_options(GAN[:-1], "--steps", "2", "--sample-every", "1"))  # fmt: skip
    assert done.code == 0, done.err
    (line,) = [line for line in done.err.splitlines() if "collapsed" in line]
    assert "the generator kept is collapsed: samples differ 0.04 times as much" in line
    assert "samples differ 0.04 times" in (tmp_path / "gan" / "log.txt").read_text()


def test_a_diverse_generator_is_not_called_collapsed() -> None:
    assert not collapse_advice({"diversity": 0.3}) and "0.29 times" in collapse_advice(
        {"diversity": 0.29}
    )


def test_real_excerpts_have_the_precision_and_the_texture_of_real_ones(
    validation: Validation, valid: Split
) -> None:
    real = validation.excerpts(valid, 500)
    figures = validation.measure(playback(real)) | validation.texture(real)
    assert figures["precision"] == figures["recall"] == 1.0
    assert figures["kernel"] == pytest.approx(0, abs=0.01)
    assert figures["onsets"] == pytest.approx(0) and figures["notes"] == pytest.approx(0)
    silent = validation.texture(np.zeros_like(real))
    assert silent["onsets"] == pytest.approx(onset_strengths(real).mean())
    smeared = validation.texture((real[..., 1:] + real[..., :-1]) / 2)
    assert smeared["onsets"] > 0.1 and smeared["lattice_frames"] == pytest.approx(1, abs=0.3)


def test_learning_by_heart_shows(validation: Validation, train: Split, valid: Split) -> None:
    copied = validation.nearest(validation.excerpts(train, 200))
    assert copied["nearest_training"] < 0.01 < copied["nearest_held_out"]
    new = validation.nearest(validation.excerpts(noise_split(2), 200))
    for reference in ("nearest_held_out", "held_out_to_training"):
        assert new["nearest_training"] > 0.6 * new[reference]


def training(split: Split, **settings: Any) -> GanTraining:
    return GanTraining(TrainGanConfig(corpus=(), batch_size=4, **settings), split, CPU)


@pytest.fixture
def choice(train: Split, validation: Validation) -> GeneratorChoice:
    return GeneratorChoice(training(train), validation)


def validate(
    choice: GeneratorChoice,
    monkeypatch: pytest.MonkeyPatch,
    scores: list[float],
    diversity: float = 1.0,
) -> list[str]:
    progress = NullProgress()
    for step, score in enumerate(scores, 1):
        with torch.no_grad():
            choice.training.average.get_parameter("out.bias").fill_(step)
        figures = {"score": score, "held_out": score, "diversity": diversity}
        monkeypatch.setattr(choice.validation, "measure", lambda generator, now=figures: now)
        choice.add({"discriminator": 1.0, "generator": 2.0})
        choice.validate(step, progress)
    return progress.notes


def test_the_best_generator_is_kept(
    choice: GeneratorChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert validate(choice, monkeypatch, [9.0, 5.0, 7.0]) == []
    assert choice.best is not None and choice.best.step == 2
    assert choice.generator().get_parameter("out.bias").item() == 2.0


def test_divergence_is_said_once(choice: GeneratorChoice, monkeypatch: pytest.MonkeyPatch) -> None:
    (note,) = validate(choice, monkeypatch, [9.0, 5.0, 16.0, 17.0])
    assert note.startswith("diverging at step 3: score 16, best 5 of step 2, which is kept")


def test_collapse_is_said_once(choice: GeneratorChoice, monkeypatch: pytest.MonkeyPatch) -> None:
    (note,) = validate(choice, monkeypatch, [9.0, 8.0, 7.0, 6.0], diversity=0.1)
    assert note.startswith("collapsed at step 3: samples differ 0.10 times")
    assert "--augment" in note


def test_a_choice_restored_goes_on_as_it_was(
    choice: GeneratorChoice, train: Split, validation: Validation, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate(choice, monkeypatch, [9.0, 5.0, 16.0])
    choice.add({"discriminator": 3.0})
    again = GeneratorChoice(training(train, seed=1), validation)
    again.restore(choice.state())
    assert validate(again, monkeypatch, [30.0]) == []
    assert again.best is not None and again.best.step == 2
    assert again.noted == {"diverging": 3}
    assert again.generator().get_parameter("out.bias").item() == 2.0


def test_the_encoder_learns_to_redraw_what_its_generator_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ganexplain.gans.encoder.BATCH_SIZE", 16)
    train = noise_split(0, FrontEnd(mel_bands=8, excerpt_frames=16))
    state = training(train, channels=64)
    for step in range(20):
        state.autoencoder_step(step)
    generator = state.average.fold_norms()
    with torch.no_grad():
        drawn = generator(torch.randn(50, 128)).numpy()
    other = training(train, seed=1, channels=64).encoder  # knows nothing of this generator
    before = {name: value.clone() for name, value in other.state_dict().items()}
    trained = train_encoder(other, generator, train, 30, 0, NullProgress())
    errors = [reconstruction_error(net, generator, drawn) for net in (other, trained)]
    assert errors[1] < 0.9 * errors[0]  # 0.65 to 0.82 for four seeds
    for name, value in other.state_dict().items():
        assert torch.equal(value, before[name])


GAN = ("--channels", "32", "--batch-size", "4", "--sample-every", "2", "--autoencoder-steps", "1",
       "--encoder-steps", "1", "--steps", "4", "--quiet")  # fmt: skip


@pytest.fixture
def classifiers(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "judge.pt", tmp_path / "teacher.pt"
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        write_classifier(
            path,
            Classifier(CompactNet(), FrontEnd(), ("nosing", "sing"), 0.5, {}),
            TrainClassifierConfig(corpus=()),
        )
    return paths


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A small gan.pt to train on."""
    torch.manual_seed(0)
    generator = Generator(channels=32).eval()
    gan = GanFile(generator.state_dict(), 32, 1, {}, FrontEnd(), Encoder().state_dict())
    write_gan(tmp_path / "earlier.pt", gan, TrainGanConfig(corpus=()))
    return tmp_path / "earlier.pt"


@pytest.mark.usefixtures("brief_validation")
@pytest.mark.parametrize(
    ("loss", "start"), [("non-saturating", False), ("relativistic", True), ("hinge", False)]
)
def test_everything_at_once_in_two_parts_is_that_in_one(
    command: Run,
    jamendo: JamendoFolder,
    tmp_path: Path,
    classifiers: tuple[Path, Path],
    earlier: Path,
    loss: str,
    start: bool,
) -> None:
    judge, teacher = classifiers
    own = with_options(GAN, "--autoencoder-steps", "0", "--start", earlier) if start else GAN
    words = ("train-gan", jamendo.root, *own, "--loss", loss, "--classifier", judge,
             "--features-of", teacher, "--augment", "--precision", "bfloat16")  # fmt: skip
    assert command(*words, "--out", tmp_path / "one").code == 0
    assert command(*with_options(words, "--steps", "3"), "--out", tmp_path / "two").code == 0
    assert command(*words, "--out", tmp_path / "two", "--resume").code == 0
    one, two = (read_checkpoint(tmp_path / name / "gan.pt", "gan") for name in ("one", "two"))
    assert one["figures"] == two["figures"] and one["step"] == two["step"]
    for part in ("generator", "encoder"):
        for name, value in one[part].items():
            assert torch.equal(value, two[part][name])
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("one", "two")]
    assert lines[0] == lines[1] and "response_std" in lines[0] and "features" in lines[0]


@pytest.mark.usefixtures("brief_validation")
def test_the_file_holds_a_large_generator_its_encoder_and_its_figures(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    out = tmp_path / "gan"
    words = with_options(GAN, "--channels", "64")
    assert command("train-gan", jamendo.root, *words, "--out", out).code == 0
    generator, front_end = load_generator(out / "gan.pt", CPU)
    assert generator.channels == 64 and front_end == FrontEnd()
    mean, log_variance = load_encoder(out / "gan.pt", CPU)(generator(torch.zeros(2, 128)))
    assert mean.shape == log_variance.shape == (2, 128)
    content = read_checkpoint(out / "gan.pt", "gan")
    assert content["step"] in (2, 4)
    assert {"score", "held_out", "floor", "diversity", "reconstruction", "nearest_training",
            "nearest_held_out", "held_out_to_training", "kernel", "precision", "recall", "density",
            "coverage", "onsets", "notes", "lattice_bands", "lattice_frames"
            } == set(content["figures"])  # fmt: skip


def test_a_file_without_the_size_holds_the_small_generator(tmp_path: Path) -> None:
    from dataclasses import asdict

    from ganexplain.files.checkpoints import write_checkpoint

    content = {"generator": Generator().state_dict(), "front_end": asdict(FrontEnd())}
    write_checkpoint(tmp_path / "gan.pt", "gan", content)
    assert load_generator(tmp_path / "gan.pt", CPU)[0].channels == 128


def test_a_gan_of_another_size_is_not_trained_on(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, earlier: Path
) -> None:
    done = command("train-gan", jamendo.root, "--start", earlier, "--out", tmp_path / "gan")
    assert done.code == 2
    assert "its generator has 32 channels; give --channels 32" in done.error_line()
    words = ("train-gan", jamendo.root, "--start", earlier, "--autoencoder-steps", "300")
    done = command(*words, "--out", tmp_path / "gan")
    assert done.code == 2 and "--autoencoder-steps 300: prepares random" in done.error_line()


@pytest.mark.usefixtures("brief_validation")
def test_the_gan_that_a_training_starts_from_is_kept_unless_there_is_a_better_one(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, earlier: Path
) -> None:
    words = with_options(GAN, "--autoencoder-steps", "0", "--start", earlier)
    assert command("train-gan", jamendo.root, *words, "--out", tmp_path / "gan").code == 0
    lines = (tmp_path / "gan" / "metrics.jsonl").read_text().splitlines()
    scores = {int(each["step"]): each["score"] for each in map(json.loads, lines)}
    content = read_checkpoint(tmp_path / "gan" / "gan.pt", "gan")
    assert min(scores) == 0 and len(scores) > 1
    assert content["figures"]["score"] == min(scores.values()) == scores[content["step"]]


def test_a_training_starts_from_the_function_of_an_earlier_generator(
    train: Split, earlier: Path
) -> None:
    generator, encoder, _ = load_gan(earlier, CPU)
    config = TrainGanConfig(corpus=(), batch_size=4, channels=32)
    started = GanTraining(config, train, CPU, start=(generator, encoder))
    latents = torch.randn(4, 128)
    with torch.no_grad():
        expected = generator(latents)
        torch.testing.assert_close(started.average.fold_norms()(latents), expected)
        batch = started.generator(torch.randn(256, 128))  # normalised by the batch, as in training
    torch.testing.assert_close(batch.mean((0, 2)), expected.mean((0, 2)), atol=0.1, rtol=0)
    assert started.step(0)["generator"] > 0


def test_one_classifier_does_not_teach_and_judge(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, classifiers: tuple[Path, Path]
) -> None:
    judge = classifiers[0]
    done = command("train-gan", jamendo.root, "--classifier", judge, "--features-of", judge,
                   "--out", tmp_path / "gan")  # fmt: skip
    assert done.code == 2
    assert "--classifier and --features-of are one file" in done.error_line()


@pytest.mark.usefixtures("brief_validation")
def test_after_divergence_the_best_generator_is_there(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = GanTraining.step

    def breaks(self: GanTraining, number: int) -> dict[str, float]:
        if number == 3:
            raise Diverged("a loss is nan at step 3; lower --learning-rate")
        return step(self, number)

    monkeypatch.setattr(GanTraining, "step", breaks)
    out = tmp_path / "gan"
    done = command("train-gan", jamendo.root, *GAN, "--out", out)
    assert done.code == 1
    assert "a loss is nan at step 3" in done.error_line()
    assert "best.pt is from step 2" in done.error_line()
    assert load_generator(out / "best.pt", CPU)[0].channels == 32
    assert not (out / "gan.pt").exists()


@pytest.mark.usefixtures("few_validated")
def test_samples_are_shown_and_sounded_at_every_look(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    import soundfile as sf

    out = tmp_path / "gan"
    words = with_options(GAN, "--steps", "3")
    assert command("train-gan", jamendo.root, *words, "--out", out).code == 0
    for step in (2, 3):
        sound, rate = sf.read(out / f"samples-{step:06d}.flac")
        assert rate == 22050 and sound.size == 5 * 36934 + 4 * 8820
        assert 0 < np.abs(sound).max() < 1
        assert (out / f"samples-{step:06d}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "change", [{"score": float("nan")}, {"held_out": None}, {"diversity": "abc"}, {"other": 1e999}]
)
def test_figures_of_a_state_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    choice = GeneratorChoice(SimpleNamespace(restore=lambda state: None), None)  # type: ignore[arg-type]
    figures = {"score": 1.0, "held_out": 2.0, "diversity": 0.9} | change
    best = {"step": 3, "figures": figures, "weights": {}}
    own = {"best": best, "said": {}, "sums": {}, "scores": 1, "count": 0}
    with pytest.raises((TypeError, ValueError)):
        choice.restore({"choice": own})
