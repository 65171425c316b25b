"""Units that hardly respond to real sound are named before any score."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from support.commands import Run
from support.paths import SAMPLE
from support.recordings import JamendoFolder
from torch import nn

from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.corpora.load import read_corpus
from ganexplain.errors import GanexplainError
from ganexplain.files.arrays import read_meta
from ganexplain.files.fields import Fields
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.variation import Variation
from ganexplain.networks.hooks import layer_response
from ganexplain.networks.unit_variation import LayerSpread
from ganexplain.networks.units import Unit
from ganexplain.networks.weight_shuffling import weights_shuffled


@pytest.mark.parametrize(
    ("mean", "std", "layer_std", "size", "words"),
    [
        (0.0, 1.0, 1.0, 1.0, ""),
        (3.0, 0.2, 0.5, 3.0, ""),
        (3.0, 0.1, 0.1, 3.0, "3.33% of its size: the unit hardly responds"),
        (0.0, 0.02, None, 0.02, ""),  # small, but nothing to hold it against
        (0.0, 0.02, 1.1, 0.02, "1.82% of what is usual in its layer: the unit hardly responds"),
        (1.0, 0.0, 1.0, 1.0, "rounding alone: the unit does not respond"),
        (1e-9, 1e-8, None, 1.0, "rounding alone"),  # the mean of values of both signs
    ],
)
def test_a_response_that_hardly_varies_is_put_in_words(
    mean: float, std: float, layer_std: float | None, size: float, words: str
) -> None:
    found = Variation(40, mean, std, layer_std, size)
    assert words in found.weakness and bool(words) == bool(found.weakness)
    assert of_json(json.loads(json.dumps(found.to_json()))) == found


def of_json(value: object) -> Variation | None:
    return Variation.from_json(Fields("meta.", {"response_variation": value}), "response_variation")


def test_a_variation_is_of_the_unit_and_of_the_others() -> None:
    activation = torch.tensor([[3.0, -4.0, 0.0], [5.0, 1.0, 0.0]])
    found = LayerSpread("fc", np.array([1.0, 2.0, 9.0]), activation).variation(
        Unit.parse("fc:0"), 3, 0.5, 1.5
    )
    assert found == Variation(3, 0.5, 1.5, 5.5, 4.0)
    alone = LayerSpread("fc", np.empty(0), activation).variation(Unit.parse("fc:0@max"), 3, 0, 1)
    assert alone.layer_std is None


@pytest.mark.parametrize(
    "spoilt",
    [{"std": float("nan")}, {"mean": "1"}, {"size": None}, {"excerpts": True}],
)
def test_what_is_no_variation_is_refused(spoilt: dict[str, object]) -> None:
    with pytest.raises(GanexplainError, match=r"meta\.response_variation\.\w+ is"):
        of_json(Variation(3, 0.0, 1.0, None, 1.0).to_json() | spoilt)


# --- networks -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def music() -> torch.Tensor:
    """Excerpts (M, 80, 115) of every fourth recording of the sample corpus."""

    def excerpts() -> Iterator[np.ndarray]:
        for recording in read_corpus(SAMPLE).recordings[::4]:
            mel = log_mel(load_mono(recording.path, 22050)[: 22050 * 12], FrontEnd()).T
            yield from (mel[:, start : start + 115] for start in range(0, mel.shape[1] - 115, 200))

    return torch.from_numpy(np.stack(list(excerpts())))


def variations(network: nn.Module, layer: str, music: torch.Tensor) -> list[Variation]:
    with torch.no_grad(), layer_response(network, layer) as respond:
        found = torch.cat([respond(part) for part in music.split(32)]).numpy()
    std = found.std(axis=0, ddof=1)
    spread = LayerSpread(layer, std, torch.from_numpy(found))
    return [
        spread.variation(Unit.parse(f"{layer}:{k}"), len(found), float(mean), float(std[k]))
        for k, mean in enumerate(found.mean(axis=0, dtype=np.float64))
    ]


def test_every_unit_of_the_shipped_classifier_responds(music: torch.Tensor) -> None:
    network = load_classifier(SAMPLE / "pretrained" / "classifier.pt", torch.device("cpu")).network
    for layer in ("fc9", "fc8", "fc7"):
        assert not any(found.weakness for found in variations(network, layer, music))


@pytest.mark.parametrize("seed", range(3))
def test_a_network_of_shuffled_weights_hardly_responds(seed: int, music: torch.Tensor) -> None:
    network = load_classifier(SAMPLE / "pretrained" / "classifier.pt", torch.device("cpu")).network
    with weights_shuffled(network, seed):
        (found,) = variations(network, "fc9", music)
    assert "of its size: the unit hardly responds" in found.weakness


NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.norm = nn.LayerNorm(115, elementwise_affine=False)
        self.fc = nn.Linear(80, 4)
        self.fc.weight.data[1] = 0  # constant
        self.fc.weight.data[2] *= 1e-5  # next to nothing beside the others
        self.fc.bias.data[2] = 0
        self.fc.weight.data[2] -= self.fc.weight.data[2].mean()
    def forward(self, mel):
        self.norm(mel)
        return self.fc(mel.mean(2) - mel.mean((1, 2))[:, None])
"""


def test_responses_names_the_units_of_a_network_that_hardly_respond(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"weak_{abs(hash(str(tmp_path)))}"
    Path(f"{name}.py").write_text(NETWORK)
    done = command(
        "responses", jamendo.root, "--model", f"{name}:Net", "--layer", "fc", "--neuron", "0-3",
        "--layer", "norm@first:5", "--top", "2", "--out", "out",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "fc:1: " in done.err and "rounding alone: the unit does not respond" in done.err
    weak = json.loads(Path("out", "run.json").read_text())["results"]["hardly_responding"]
    assert {"fc:1", "fc:2", "norm@first:5"} <= set(weak)  # the mean of what LayerNorm made zero
    assert "of what is usual in its layer" in weak["fc:2"]
    meta = read_meta(Path("out", "fc-1", "responses.npz"), "responses")
    assert meta["response_variation"]["std"] == 0
    assert meta["response_variation"]["layer_std"] > 0
