"""How networks are called: in batches of fixed length, and what is not the same in each pass."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.untrained import noise_log_mel as mel
from torch import Tensor, nn
from torch.nn.utils import rnn

from ganexplain.attribution.methods.grad_cam import grad_cam
from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import UsageError
from ganexplain.explainers.cgan.maps import maps_and_gradient
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call
from ganexplain.networks.adapter import NetworkAdapter, named_layers
from ganexplain.networks.hooks import (
    layer_output,
    record_outputs,
    responses_and_features,
    tap_outputs,
)
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.target import TargetNetwork, adapt_network
from ganexplain.networks.units import Unit

CPU = torch.device("cpu")


class Plain(nn.Module):
    """Logits (B, 2) of log-mel (B, F, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.deep = nn.Conv1d(80, 6, 5, stride=4), nn.Conv1d(6, 4, 3)
        self.fc = nn.Linear(4, 2)

    def features(self, x: Tensor) -> Tensor:
        return self.deep(torch.tanh(self.conv(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.features(x)).mean(2))


def plain(kind: type[nn.Module] = Plain) -> Any:
    torch.manual_seed(2)
    return kind().eval().requires_grad_(False)


def adapted(network: nn.Module, **call: Any) -> TargetNetwork:
    return adapt_network(network, FrontEnd(), None, Call(**call), CPU)


# --- batches of fixed length ------------------------------------------------------------------


class Folding(Plain):
    """Folds its batch, of as many inputs as its code says, so that no other length fits."""

    length = 1

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.view(self.length, 80, 115))


class FoldingFour(Folding):
    length = 4


def exported(form: str, folder: Path) -> nn.Module:
    """A file of `plain` with a batch of fixed length, as others export it."""
    kind, length = form.split()
    example, network = torch.zeros(int(length), 80, 115), plain()
    path = folder / f"network.{kind}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "pt2":
            torch.export.save(torch.export.export(network, (example,)), path)
        elif kind == "onnx":
            pytest.importorskip("onnx")
            torch.onnx.export(network, (example,), str(path), dynamo=False)
        else:
            folding = plain({1: Folding, 4: FoldingFour}[int(length)])
            torch.jit.save(torch.jit.trace(folding, example), str(path))
    return load_network(str(path))


@pytest.mark.parametrize("form", ["pt 1", "pt 4", "pt2 1", "pt2 2", "onnx 1", "onnx 4"])
def test_a_file_with_a_batch_of_fixed_length_is_run_one_by_one(form: str, tmp_path: Path) -> None:
    found, wanted = adapted(exported(form, tmp_path)), plain()
    assert isinstance(found.network, NetworkAdapter)
    assert found.network.calling.copies == int(form.split()[1])
    x, y = (mel().requires_grad_(True) for _ in range(2))
    torch.testing.assert_close(found.network(x), wanted(y))
    weights = torch.linspace(-1, 1, 10).view(5, 2)
    (gradient,) = torch.autograd.grad((found.network(x) * weights).sum(), x)
    (expected,) = torch.autograd.grad((wanted(y) * weights).sum(), y)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("kind", [Folding, FoldingFour])
def test_hidden_layers_of_a_batch_are_recorded_whole(kind: type[nn.Module]) -> None:
    network, wanted = adapted(plain(kind)).network, plain()
    assert list(named_layers(network)) == ["conv", "deep", "fc", "output"]
    with record_outputs(network, named_layers(network)) as outputs:
        for rows in (5, 1, 3):
            network(mel(rows))
            features = wanted.features(mel(rows))
            torch.testing.assert_close(outputs["conv"], wanted.conv(mel(rows)))
            torch.testing.assert_close(outputs["deep"], features)
            torch.testing.assert_close(outputs["output"], wanted(mel(rows)))
    for layer, compute in {"deep": wanted.features, "output": wanted}.items():
        x, y = (mel().requires_grad_(True) for _ in range(2))
        with layer_output(network, layer) as run:
            found, expected = run(x), compute(y)
        torch.testing.assert_close(found, expected)
        gradients = [
            torch.autograd.grad(z.square().sum(), at) for z, at in ((found, x), (expected, y))
        ]
        torch.testing.assert_close(*gradients)


class Twice(nn.Module):
    """Runs one convolution twice, with another number of frames each time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv1d(80, 80, 5, stride=4), nn.Linear(80, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(torch.relu(self.conv(x))).mean(2))


class Cut(nn.Module):
    """Hears a part of its input, which is longer for loud ones."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv1d(80, 4, 5), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        frames = 40 if float(x.detach().mean()) > 0 else 30
        return self.fc(self.conv(x[..., :frames]).mean(2))


def test_a_layer_whose_output_differs_in_length_is_named() -> None:
    network = plain(Cut)
    found = adapted(network, batch=1, layout="FT").network
    x = mel(2) - mel(2).mean() + torch.tensor([1.0, -1.0])[:, None, None]
    line = r"--layer conv: its output has the shape \(4, 26\) for one input and \(4, 36\)"
    with pytest.raises(UsageError, match=line), layer_output(found, "conv") as run:
        run(x)
    layers = named_layers(found)
    for read in (record_outputs, tap_outputs):
        with pytest.raises(UsageError, match=line), read(found, layers):
            found(x)
    with record_outputs(found, layers) as outputs:
        found(x[:1])
    torch.testing.assert_close(outputs["conv"], network.conv(x[:1, :, :40]))


def test_the_last_call_of_a_layer_counts_in_each_input_of_a_batch() -> None:
    network = plain(Twice)
    found = adapted(network, batch=1, layout="FT").network
    last = network.conv(torch.relu(network.conv(mel(2))))
    layers = named_layers(found)
    with record_outputs(found, layers) as outputs, tap_outputs(found, layers) as taps:
        found(mel(2))
    torch.testing.assert_close(outputs["conv"], last)
    torch.testing.assert_close(taps["conv"].value, last)


@pytest.mark.parametrize("kind", [Folding, FoldingFour])
def test_maps_of_convolutions_are_those_of_the_whole_batch(kind: type[nn.Module]) -> None:
    network, wanted = adapted(plain(kind)).network, adapted(plain()).network
    found, expected = (
        maps_and_gradient(each, Scorer(each, 1).differentiable, mel()) for each in (network, wanted)
    )
    torch.testing.assert_close(found, expected)
    for layer in ("conv", "deep"):
        maps = [grad_cam(each, Scorer(each, 1), mel(1)[0], layer) for each in (network, wanted)]
        torch.testing.assert_close(*maps)


class Averaging(Plain):
    """Returns one number for a whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, 1].mean()


def test_one_output_for_a_whole_batch_is_read_one_by_one_where_that_is_asked_for() -> None:
    with pytest.raises(UsageError, match=r"has shape \(\).*batch = 1 under \[network\]"):
        adapted(plain(Averaging))
    found = adapted(plain(Averaging), batch=1).network(mel())
    torch.testing.assert_close(found, plain()(mel())[:, 1])


class FramesFirst(Plain):
    """Returns log-probabilities (T, B, 2), as for CTC."""

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).permute(2, 0, 1)).log_softmax(-1)


@pytest.mark.parametrize("batch", [1, 3])
def test_an_output_with_the_batch_on_its_second_axis_can_be_read_one_by_one(batch: int) -> None:
    found = adapted(plain(FramesFirst), batch=batch)
    assert found.outputs == 2
    expected = plain(FramesFirst)(mel()).permute(1, 2, 0)
    torch.testing.assert_close(found.network(mel()), expected)


class WithoutBatch(nn.Module):
    """Reads log-mel (1, F, T) as one example of one channel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 5), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).mean((-2, -1)))


def test_a_batch_axis_read_as_channels_is_not_taken_for_a_fixed_length() -> None:
    with pytest.raises(UsageError, match=r'runs with layout = "1FT" or "1TF".*one at a time, "FT"'):
        adapted(plain(WithoutBatch))
    alone = adapted(plain(WithoutBatch), layout="FT").network(mel())
    torch.testing.assert_close(
        alone, adapted(plain(WithoutBatch), layout="1FT").network(mel())[:, 0]
    )


class PackedFrames(nn.Module):
    """Packs log-mel (B, F, T) as frames, or, if `turned` is false, (B, T, F)."""

    def __init__(self, turned: bool = True) -> None:
        super().__init__()
        self.turned = turned
        self.lstm, self.fc = nn.LSTM(80, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        frames = x.mT if self.turned else x
        lengths = torch.full((len(frames),), frames.shape[1])
        packed = rnn.pack_padded_sequence(frames, lengths, batch_first=True)
        unpacked, _ = rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.fc(unpacked.mean(1))


def test_a_given_batch_tries_no_other_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    layouts = []

    class Noted(NetworkAdapter):
        def __init__(self, *arguments: Any) -> None:
            layouts.append(arguments[2].layout)
            super().__init__(*arguments)

    monkeypatch.setattr("ganexplain.networks.target.NetworkAdapter", Noted)
    network = plain(PackedFrames)
    found = adapted(network, batch=1).network(mel())
    assert layouts == ["FT"]
    torch.testing.assert_close(found, network(mel()))


@pytest.mark.parametrize("batch", [0, 1])
def test_a_packed_sequence_of_the_wrong_size_is_refused_before_it_is_read(batch: int) -> None:
    torch.manual_seed(2)
    network = PackedFrames(turned=False).eval()
    with pytest.raises(UsageError, match=r'LSTM got 115 features.*not 80.*runs with layout = "TF"'):
        adapted(network, batch=batch)


# --- what is not the same in each pass --------------------------------------------------------


class Noisy(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.randn(2)


class Counting(Plain):
    passes = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return super().forward(x) * self.passes


class Centred(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(0))


class Loudest(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x / x.abs().max())


class Training(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(80, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.norm(x))


class TrainingFeatures(Plain):
    """A normalisation over the batch alone, which refuses a batch of one."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(super().forward(x))


class TimeFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.GRU(80, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.recurrent(x.transpose(1, 2))[0][:, -1]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Noisy, "same input: it draws random numbers"),
        (Counting, "same input: it keeps a state between passes"),
        (Centred, "mixes the inputs of a batch.*batch = 1"),
        (Loudest, "mixes the inputs of a batch: .*a maximum over the batch"),
        (Training, "mixes the inputs of a batch: .*BatchNorm in training mode"),
        (TrainingFeatures, "mixes the inputs of a batch: .*BatchNorm in training mode"),
        (TimeFirst, "mixes the inputs of a batch: .*without batch_first"),
    ],
)
def test_what_changes_the_output_for_an_input_is_named(kind: type[nn.Module], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        adapted(plain(kind))
    assert "\n" not in str(caught.value)


def test_inputs_that_a_network_would_mix_can_be_passed_alone() -> None:
    found = adapted(plain(Training), batch=1).network(mel())
    wanted = torch.cat([plain(Training)(one) for one in mel().split(1)])
    torch.testing.assert_close(found, wanted)


# --- what is passed beside the input, and by what name ----------------------------------------


class Around(nn.Module):
    """Passes what it gets to `Plain`."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Plain()


class Named(Around):
    def forward(self, *, input_values: Tensor) -> Any:
        return self.inner(input_values)


class OfMapping(Around):
    def forward(self, batch: dict[str, Any]) -> Any:
        return self.inner(batch["mel"]) * batch["gain"]


class OfLengths(Around):
    """Divides by the number of frames, and needs a tensor of them."""

    def forward(self, x: Tensor, audio: dict[str, Tensor]) -> Any:
        assert audio["lengths"].dtype == torch.int64
        return self.inner(x.transpose(1, 2)) / audio["lengths"][:, None]


class OfTensors(Around):
    def forward(self, x: Tensor, weights: Tensor, gain: Tensor, stride: int) -> Any:
        return self.inner(x) * weights.to(x.dtype).abs() / gain.sqrt() * stride


class Scaled(Around):
    def forward(self, mel: Tensor, gain: Tensor) -> Any:
        return self.inner(mel) * gain


@pytest.mark.parametrize(
    ("kind", "call", "factor"),
    [
        (Named, {"argument": "input_values"}, (1, 1)),
        (OfMapping, {"argument": "batch.mel", "arguments": {"batch": {"gain": 2}}}, (2, 2)),
        (OfLengths, {"length": "audio.lengths", "layout": "TF"}, (1 / 115, 1 / 115)),
        (OfTensors, {"arguments": {"weights": [2, -1.5], "gain": 4.0, "stride": 3}}, (3, 2.25)),
    ],
)
def test_arguments_are_passed_by_name_in_mappings_and_as_tensors(
    kind: type[nn.Module], call: dict[str, Any], factor: tuple[float, float]
) -> None:
    wanted = plain()(mel()) * torch.tensor(factor)
    for network in (plain(kind), plain(kind).double()):
        torch.testing.assert_close(adapted(network, **call).network(mel()), wanted)


def test_files_get_arguments_by_name_too(tmp_path: Path) -> None:
    example = {"mel": torch.zeros(2, 80, 115), "gain": torch.ones(2)}
    call: dict[str, Any] = {"argument": "mel", "arguments": {"gain": [2.0, 3.0]}}
    wanted = plain()(mel()) * torch.tensor((2.0, 3.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(
            torch.jit.trace(plain(Scaled), example_kwarg_inputs=example), tmp_path / "n.pt"
        )
        free = {"mel": {0: torch.export.Dim("batch")}, "gain": None}
        program = torch.export.export(plain(Scaled), (), example, dynamic_shapes=free)
        torch.export.save(program, tmp_path / "n.pt2")
    for name in ("n.pt", "n.pt2"):
        network = load_network(str(tmp_path / name))
        torch.testing.assert_close(adapted(network, **call).network(mel()), wanted)


def test_a_plane_is_copied_into_the_colours_of_a_picture() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 5, stride=3), nn.Flatten(1)).requires_grad_(False)
    with pytest.raises(UsageError, match='runs with layout = "3FT"'):
        adapted(network)
    x, y = (mel(2).requires_grad_(True) for _ in range(2))
    found = adapted(network, layout="3FT").network(x)
    wanted = network(torch.stack([y, y, y], dim=1))
    torch.testing.assert_close(found, wanted)
    gradients = [
        torch.autograd.grad(z.square().sum(), at)[0] for z, at in ((found, x), (wanted, y))
    ]
    torch.testing.assert_close(*gradients)


# --- precisions -------------------------------------------------------------------------------


class Only(Plain):
    """Runs in one precision alone, in which its code makes a number of its own."""

    precision = torch.float64

    def __init__(self) -> None:
        super().__init__()
        self.to(self.precision)

    def forward(self, x: Tensor) -> Tensor:
        assert x.dtype == self.precision
        return super().forward(x) * torch.ones(1, dtype=self.precision)


class OnlyHalf(Only):
    precision = torch.float16


class OnlyBrain(Only):
    precision = torch.bfloat16


@pytest.mark.parametrize(("kind", "error"), [(Only, 1e-5), (OnlyHalf, 5e-3), (OnlyBrain, 5e-2)])
def test_what_is_read_from_any_precision_is_what_float32_gives(
    kind: type[nn.Module], error: float
) -> None:
    found, wanted = adapted(plain(kind)).network, adapted(plain()).network
    read = []
    for network in (found, wanted):
        response, features = responses_and_features(network, Unit.parse("deep:1"), "conv", mel())
        area = grad_cam(network, Scorer(network, 1), mel()[0], "deep")
        maps, _ = maps_and_gradient(network, Scorer(network, 1).differentiable, mel())
        read.append(
            [each.numpy().astype(np.float64) for each in (response, features, area, maps["conv"])]
        )
    for ours, theirs in zip(*read, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=error * max(1.0, np.abs(theirs).max()))
