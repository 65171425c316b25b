"""What is shipped is what its card says: detectors, and a GAN whose samples drive them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from support.commands import Run
from support.paths import PRETRAINED, SAMPLE

from ganexplain.ascent.engine import start_latents
from ganexplain.classifiers.checkpoint import Classifier, architecture_name, load_classifier
from ganexplain.classifiers.evaluation import evaluate
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.splits import Split, load_log_mel_split
from ganexplain.gans.checkpoint import load_encoder, load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.runs.progress import NullProgress

CARD = (PRETRAINED / "README.md").read_text()
CPU = torch.device("cpu")
DETECTORS = ("classifier", "judge", "referee")


@pytest.fixture(scope="module")
def detectors() -> dict[str, Classifier]:
    return {n: load_classifier(PRETRAINED / f"{n}.pt", CPU) for n in DETECTORS}


@pytest.fixture(scope="module")
def test_split() -> Split:
    corpus = read_corpus(SAMPLE)
    return load_log_mel_split(corpus, "test", FrontEnd(), cache_directory(""), NullProgress())


def test_all_networks_are_less_than_25_megabytes() -> None:
    assert sum(path.stat().st_size for path in PRETRAINED.glob("*.pt")) < 25e6


def test_the_judges_are_other_networks_for_the_same_question(
    detectors: dict[str, Classifier],
) -> None:
    names = {name: architecture_name(one.network) for name, one in detectors.items()}
    assert names == {"classifier": "svdnet", "judge": "compactnet", "referee": "compactnet"}
    assert {one.classes for one in detectors.values()} == {("nosing", "sing")}
    assert {one.front_end for one in detectors.values()} == {FrontEnd()}


@pytest.mark.parametrize("name", DETECTORS)
def test_the_card_has_the_error_on_the_sample_corpus(
    detectors: dict[str, Classifier], test_split: Split, name: str
) -> None:
    found = evaluate(detectors[name].network, test_split, detectors[name].threshold).figures
    row = re.search(rf"\| {name} \| sample_data \| ([\d.]+) % .*\| ([\d.]+) \|", CARD)
    assert row is not None
    assert 100 * found["frame_error"] == pytest.approx(float(row[1]), abs=0.1)
    assert found["auroc"] == pytest.approx(float(row[2]), abs=0.002)


@torch.no_grad()
def test_samples_of_the_gan_drive_all_detectors_alike(
    detectors: dict[str, Classifier],
) -> None:
    generator, front_end = load_generator(PRETRAINED / "gan.pt", CPU)
    assert front_end == FrontEnd()
    drawn = generator(torch.from_numpy(start_latents(0, 64, LATENT_SIZE)))
    answers = [one.network(drawn)[:, 0].numpy() for one in detectors.values()]
    assert np.corrcoef(answers).min() > 0.5
    for answer in answers:
        assert (answer > 0).any() and (answer < 0).any()


@torch.no_grad()
def test_the_encoder_finds_latents_that_redraw_an_excerpt(test_split: Split) -> None:
    generator, _ = load_generator(PRETRAINED / "gan.pt", CPU)
    encoder = load_encoder(PRETRAINED / "gan.pt", CPU)
    rows = np.random.default_rng(0).choice(len(test_split.whole_excerpts()), 40, replace=False)
    real = torch.from_numpy(test_split.gather(test_split.whole_excerpts()[rows]))

    def error(drawn: torch.Tensor) -> float:
        return float(((drawn - real) / generator.deviation[:, None]).square().mean())

    redrawn = error(generator(encoder(real)[0]))
    other = error(generator(encoder(real.flip(0))[0]))
    assert redrawn < 0.6 * other


def test_the_shipped_files_explain_out_of_the_box(ganexplain: Run, tmp_path: Path) -> None:
    checkpoints = ("--classifier", PRETRAINED / "classifier.pt", "--gan", PRETRAINED / "gan.pt")
    words = "--learning-rate 0.1 --prior-weight 0.01 --iterations 20 --examples 4 -q".split()
    done = ganexplain("explain", *checkpoints, *words, "--out", tmp_path / "e")
    assert done.code == 0, done.err
