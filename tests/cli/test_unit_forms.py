"""Every command that takes a unit takes every form of its text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.commands import Run
from support.paths import PRETRAINED, SAMPLE
from support.recordings import JamendoFolder

from ganexplain.attribution.subject import load_subject
from ganexplain.config import AttributeConfig, CounterfactualConfig
from ganexplain.counterfactuals.boundary import Trials, decision_boundary
from ganexplain.files.arrays import read_meta
from ganexplain.gans.checkpoint import load_generator
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target
from ganexplain.runs.progress import NullProgress

CPU = torch.device("cpu")
CLASSIFIER, GAN = PRETRAINED / "classifier.pt", PRETRAINED / "gan.pt"
SONG = f"{SAMPLE}/audio/alone_ria_major_dry.ogg@5"
FORMS: dict[str, tuple[str, int | str]] = {
    "conv5:17": ("conv5", 17),
    "conv5:17@max": ("conv5", "17@max"),
    "conv5:17@12,30": ("conv5", "17@12,30"),
    "conv5:mean": ("conv5", "mean"),
    "conv5:max": ("conv5", "max"),
    "conv5:5-minus-7": ("conv5", "5-minus-7"),
    "output:sing": ("fc9", 0),
    "fc9:sing": ("fc9", 0),
}


@pytest.fixture
def forms(tmp_path: Path) -> dict[str, tuple[str, int | str]]:
    """What metas keep of each text, a direction's among them."""
    path = tmp_path / "direction.npy"
    np.save(path, np.random.default_rng(0).standard_normal(64).astype(np.float32))
    return FORMS | {f"conv5:{path}": ("conv5", f"{path}#")}


def matches(layer: str, neuron: int | str, kept: tuple[str, int | str]) -> bool:
    """Whether a meta names the unit, of a direction whatever its hash."""
    if isinstance(neuron, str) and "#" in neuron:
        neuron = neuron[: neuron.index("#") + 1]
    return (layer, neuron) == kept


@pytest.mark.parametrize("name", ["explain", "responses"])
def test_commands_of_several_units(
    command: Run, jamendo: JamendoFolder, tmp_path: Path,
    forms: dict[str, tuple[str, int | str]], name: str,
) -> None:  # fmt: skip
    layers = [word for text in forms for word in ("--layer", text)]
    search = "--learning-rate 0.1 --prior-weight 0.01 --iterations 1 --examples 2".split()
    given = {
        "explain": ("--gan", GAN, *search),
        "responses": (jamendo.root, "--top", "2", "--hop-frames", "40"),
    }[name]
    out = tmp_path / "out"
    done = command(name, *given, "--classifier", CLASSIFIER, *layers, "-q", "--out", out)
    assert done.code == 0, done.err
    kind = "explanations" if name == "explain" else name
    metas = [read_meta(path, kind) for path in sorted(out.rglob(f"{kind}.npz"))]
    wanted = set(forms.values())
    assert len(metas) == len(wanted)
    for kept in wanted:
        assert any(matches(meta["layer"], meta["neuron"], kept) for meta in metas), kept


def test_attribute_takes_every_form(forms: dict[str, tuple[str, int | str]]) -> None:
    config = AttributeConfig(inputs=(SONG,), classifier=str(CLASSIFIER))
    subject, _ = load_subject(config, CPU, NullProgress())
    for text, kept in forms.items():
        target = subject.target(text)
        assert target and target.unit
        assert matches(target.unit.layer, target.unit.neuron, kept)


def test_counterfactual_takes_every_form(forms: dict[str, tuple[str, int | str]]) -> None:
    explained = load_target(NetworkSource(classifier=str(CLASSIFIER)), None, CPU)
    generator, _ = load_generator(GAN, CPU)
    for text, kept in forms.items():
        config = CounterfactualConfig(
            start_from=(SONG,), classifier=str(CLASSIFIER), gan=str(GAN), layer=text, level="1"
        )
        trials = Trials.of_generator(generator, 0)
        with decision_boundary(config, explained, trials) as divided:
            assert matches(divided.unit.layer, divided.unit.neuron, kept)
