"""Every reader of files from elsewhere, with files to begin from and how to spoil them."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .spoiling import Draw, json_text, npy, spoiled, spoiled_array, spoiled_npz, toml_text

ROOT = Path(__file__).parent.parent.parent
PRETRAINED = ROOT / "sample_data" / "pretrained"


@dataclass(frozen=True)
class Reader:
    """What reads a file: `seeds` to begin from, `name` of the file, `make` from bytes to content.

    `share` of the inputs: less for what is slow.
    """

    name: str
    read: Callable[[Path], object]
    seeds: Sequence[bytes] = (b"", b"\x01\x02\x03", bytes(range(64)))
    make: Callable[[bytes], bytes] = bytes
    share: float = 1.0


def readers(folder: Path) -> dict[str, Callable[[], list[Reader]]]:
    """Groups of readers by name, made when called; `folder` is theirs to write into."""
    return {
        "artifacts": lambda: _artifacts(folder),
        "checkpoints": lambda: _checkpoints(folder),
        "documents": lambda: _documents(folder),
        "settings": lambda: _settings(),
        "corpora": lambda: _corpora(folder),
        "sound": lambda: _sound(),
        "pictures": lambda: _pictures(),
        "vectors": lambda: _vectors(),
        "names": lambda: _names(folder),
        "networks": lambda: _networks(),
    }


# --- artifacts ----------------------------------------------------------------------------------


def _small_artifacts(folder: Path) -> Any:
    import sys

    sys.path.insert(0, str(ROOT / "tests"))
    from support.report_artifacts import Artifacts

    folder.mkdir(parents=True, exist_ok=True)
    made = Artifacts(folder, grid=[(0.1, 0.1, 2), (0.1, 0.01, 2)]).complete()
    made.write()
    return made


def _artifacts(folder: Path) -> list[Reader]:
    from ganexplain.artifacts.controls import read_controls
    from ganexplain.artifacts.explanations import read_explanations
    from ganexplain.artifacts.responses import read_responses
    from ganexplain.files.arrays import read_arrays, read_meta

    made = _small_artifacts(folder / "artifacts")
    good = read_explanations(made.folder / "explanations.npz")

    def both(path: Path) -> None:
        read_meta(path, "thing")
        read_arrays(path, "thing", ["x"])

    x = {"x": np.arange(6.0).reshape(2, 3), "name": np.array(["a", "ü"])}
    meta = {"kind": "thing", "schema": 1}
    tell = {"kind": "explanations", "schema": 1, **made.meta}
    real = {"kind": "responses", "schema": 1, **made.real_meta}
    return [
        Reader("a.npz", both, [spoiled_npz(x, meta)(b"")]),
        Reader("spoiled a.npz", both, make=spoiled_npz(x, meta)),
        Reader("spoiled explanations.npz", read_explanations, make=spoiled_npz(made.made, tell)),
        Reader(
            "spoiled responses.npz",
            lambda path: read_responses(path, good.path, good.meta.measured, good.sizes),
            make=spoiled_npz(made.real, real),
        ),
        Reader(
            "spoiled controls.npz",
            lambda path: read_controls(path, good),
            make=spoiled_npz(made.controls, {"kind": "controls", "schema": 1}),
        ),
    ]


# --- checkpoints --------------------------------------------------------------------------------


def _repacked(content: bytes) -> Callable[[bytes], bytes]:
    """From the fuzzer's bytes to a `.pt` with other pickled instructions, its sums all right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in members if name.endswith("data.pkl"))

    def make(data: bytes) -> bytes:
        from .spoiling import npz

        return npz({**members, pickled: data})

    return make


def _torch_bytes(content: Any, legacy: bool = False) -> bytes:
    import torch

    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


def _pickle_of(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(next(name for name in archive.namelist() if "data.pkl" in name))


def _spoiled_checkpoint(path: Path) -> Callable[[bytes], bytes]:
    import torch

    good = torch.load(path, weights_only=True)

    def make(data: bytes) -> bytes:
        draw = Draw(data)
        tensors, plain = _apart(good)
        plain = spoiled(plain, draw)
        for _ in range(draw.number(3)):
            name = sorted(tensors)[draw.number(len(tensors))]
            tensors[name] = _spoiled_tensor(tensors[name], draw)
        return _torch_bytes(_together(plain, tensors))

    return make


def _apart(content: Any) -> tuple[dict[str, Any], Any]:
    """Tensors by a name, and the content with these names in their place."""
    import torch

    tensors: dict[str, Any] = {}

    def without(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            name = f"tensor {len(tensors)}"
            tensors[name] = value
            return name
        if isinstance(value, dict):
            return {key: without(each) for key, each in value.items()}
        return [without(each) for each in value] if isinstance(value, list | tuple) else value

    plain = without(content)
    return tensors, plain


def _together(plain: Any, tensors: dict[str, Any]) -> Any:
    if isinstance(plain, dict):
        return {key: _together(each, tensors) for key, each in plain.items()}
    if isinstance(plain, list):
        return [_together(each, tensors) for each in plain]
    return tensors.get(plain, plain) if isinstance(plain, str) else plain


def _spoiled_tensor(tensor: Any, draw: Draw) -> Any:
    import torch

    ways = (
        lambda: tensor.double(),
        lambda: tensor[:0],
        lambda: torch.full_like(tensor, float("nan")),
        lambda: torch.zeros(()).expand(tensor.shape),
        lambda: torch.zeros(1).expand(10**6, 10**6),
        lambda: tensor.to(torch.complex64),
        lambda: tensor.to(torch.int64),
        lambda: torch.zeros(3, 3).to_sparse(),
        lambda: tensor.flatten(),
        lambda: torch.nn.Parameter(tensor),
    )
    return ways[draw.number(len(ways))]()


def _explainer(path: Path) -> Path:
    """An untrained `explainer.pt`."""
    from ganexplain.artifacts.explainer import ExplainerFile, write_explainer
    from ganexplain.config import TrainExplainerConfig
    from ganexplain.explainers.cgan.inference import GeneratorSettings, build_generator
    from ganexplain.inputs.log_mel import FrontEnd

    settings = GeneratorSettings("gsft", 1, 8, 24, "grad-cam", "conv5", gradient=True)
    weights = build_generator(settings, FrontEnd()).state_dict()
    found = ExplainerFile(
        "cgan", {**asdict(settings), "weights": weights}, {}, FrontEnd(), {"a": "b"}
    )
    write_explainer(path, found, TrainExplainerConfig(corpus=("a",), method="cgan"))
    return path


def _checkpoints(folder: Path) -> list[Reader]:
    import torch

    from ganexplain.classifiers.checkpoint import load_classifier
    from ganexplain.explainers.loading import load_explainer
    from ganexplain.files.checkpoints import is_checkpoint, read_checkpoint
    from ganexplain.files.tensor_files import safetensors_bytes
    from ganexplain.gans.checkpoint import load_encoder, load_generator
    from ganexplain.networks.loaders.weights import read_weights

    cpu = torch.device("cpu")
    content = {"kind": "thing", "schema": 1, "state": {"w": torch.arange(6.0).view(2, 3)}, "n": [1]}
    small, old = _torch_bytes(content), _torch_bytes(content, legacy=True)
    plain_values = safetensors_bytes(content)

    def plain(path: Path) -> None:
        is_checkpoint(path, "thing")
        read_checkpoint(path, "thing", ("state",))

    def gan(path: Path) -> None:
        load_generator(path, cpu)
        load_encoder(path, cpu)

    weights = _torch_bytes({"state_dict": {"w": torch.arange(6.0)}})
    objects = _torch_bytes({"network": torch.nn.Linear(2, 3), "folder": folder})
    return [
        Reader("checkpoint.pt", plain, [small, old]),
        Reader("checkpoint.safetensors", plain, [plain_values]),
        Reader("instructions of checkpoint.pt", plain, [_pickle_of(small)], _repacked(small)),
        Reader("weights.pt", read_weights, [weights, old, objects, pickle.dumps(print)]),
        Reader("objects of weights.pt", read_weights, [_pickle_of(objects)], _repacked(objects)),
        Reader(
            "spoiled classifier.pt",
            lambda path: load_classifier(path, cpu),
            make=_spoiled_checkpoint(PRETRAINED / "referee.pt"),
            share=0.15,
        ),
        Reader(
            "spoiled explainer.pt",
            lambda path: load_explainer(path, cpu),
            make=_spoiled_checkpoint(_explainer(folder / "explainer.pt")),
            share=0.15,
        ),
        Reader(
            "spoiled gan.pt",
            gan,
            make=_spoiled_checkpoint(PRETRAINED / "gan.pt"),
            share=0.08,
        ),
    ]


# --- documents ----------------------------------------------------------------------------------


_MEASURES = {"deletion": 0.5, "faithfulness": 0.25, "flip": None, "seconds": 1.5}
_RESULTS = [{"folder": f"a-{k}", "measures": _MEASURES} for k in range(2)]
ATTRIBUTIONS = {
    "inputs": [{"file": f"{n}.wav", "at_s": 1.5, "results": _RESULTS} for n in "ab"],
    "configurations": [
        {"method": method, "segments": "6x4", "fill": "mean"} for method in ("lime", "random")
    ],
}
PLAN = {"units": [{"layer": "fc9", "neuron": 0, "direction": "max"}], "bounds": [0, 48, 96]}
_SHARE = {"share": 0.5, "interval": [0.25, 0.75], "difference": [-0.5, 0.5]}
_SHARES = {"descriptors": {"generated": {"top": _SHARE}, "real": {"top": _SHARE}}}
PREDICTION = {
    "corpus": ["songs"], "split": "test", "excerpts": 20, "recordings": 2, "notes": [],
    "encoders": {"descriptors": ""}, "layers": {"fc9": _SHARES},
    "units": [{"layer": "fc9", "neuron": 0, "unit": "sing", "explained_share": 1.0,
               "shares": _SHARES, "directions": {"max": "a" * 64}}],
}  # fmt: skip


def _documents(folder: Path) -> list[Reader]:
    from ganexplain.artifacts.explanations import read_explanations
    from ganexplain.artifacts.prediction import read_prediction
    from ganexplain.artifacts.selection import read_selection
    from ganexplain.files.atomic import read_json
    from ganexplain.report.prediction import prediction_text

    made = _small_artifacts(folder / "documents")
    explanations = read_explanations(made.folder / "explanations.npz")
    selection = read_json(made.folder / "selection.json")

    def kinds(name: str, document: Any, read: Callable[[Path], object]) -> list[Reader]:
        return [
            Reader(name, read, [json.dumps(document).encode()]),
            Reader(
                f"spoiled {name}", read, make=lambda data: json_text(spoiled(document, Draw(data)))
            ),
        ]

    return [
        *kinds("selection.json", selection, lambda path: read_selection(path, explanations)),
        *kinds("attributions.json", ATTRIBUTIONS, _ranked),
        *kinds("plan.json", PLAN, _planned),
        *kinds("prediction.json", PREDICTION, lambda path: prediction_text(read_prediction(path))),
    ]


def _ranked(path: Path) -> None:
    """Rank the configurations of `attributions.json`."""
    from ganexplain.config import SelectConfig
    from ganexplain.runs.progress import NullProgress
    from ganexplain.selection.attributions import rank_attributions

    out = path.parent / "ranked"
    shutil.rmtree(out, ignore_errors=True)
    rank_attributions(SelectConfig(explanations=str(path)), path, out, NullProgress())


def _planned(path: Path) -> None:
    """Read a plan, whose parts must be inside the run directory."""
    from ganexplain.artifacts.plan import read_plan

    (path.parent / "plan.json").write_bytes(path.read_bytes())
    found = read_plan(path.parent)
    for target in found.targets:
        inside = found.path(path.parent / "run", target).resolve()
        assert inside.is_relative_to((path.parent / "run").resolve()), inside
        for part in found.parts(target)[:3]:
            assert "/" not in part.name, part.name


# --- settings -----------------------------------------------------------------------------------


def _settings() -> list[Reader]:
    from ganexplain.audio.filterbank import check_filters
    from ganexplain.files.bounded import read_toml
    from ganexplain.inputs.log_mel import FrontEnd
    from ganexplain.inputs.picture import ImageInput
    from ganexplain.inputs.specification import input_values, read_input_file
    from ganexplain.inputs.waveform import WaveformInput
    from ganexplain.networks.bridges.bridge import bridge_between

    def taken(path: Path) -> None:
        found, call = read_input_file(path)
        if isinstance(found, FrontEnd):
            check_filters(found)
        bridge_between(found, found, call.layout, call.fit)

    mel: dict[str, Any] = {"kind": "log-mel", "convention": "librosa", **asdict(FrontEnd())}
    mel["network"] = {"layout": "1FT", "method": "score", "classes": ["a", "b"], "output": "0",
                      "arguments": {"sr": 16000}}  # fmt: skip
    image = {"kind": "image", **input_values(ImageInput(channels=3, height=8, width=8))}
    wave = {"kind": "waveform", **input_values(WaveformInput(sample_rate=16000, samples=100))}
    sets = (mel, image, wave)

    def make(data: bytes) -> bytes:
        draw = Draw(data)
        return toml_text(spoiled(sets[draw.number(3)], draw))

    texts = [toml_text(values) for values in sets]
    return [
        Reader("settings.toml", lambda path: read_toml("--config", path), texts),
        Reader("input.toml", taken, texts),
        Reader("spoiled input.toml", taken, make=make),
    ]


# --- corpora ------------------------------------------------------------------------------------

MANIFEST = b"path,start,end,label,split\none.wav,0,0.5,sing,train\none.wav,0.5,,nosing,train\n"
LABELS = b"0.0 0.5 sing\n0.5 1.0 nosing\n"


def _corpora(folder: Path) -> list[Reader]:
    import soundfile as sf

    from ganexplain.attribution.inputs.excerpts import read_truth_spans
    from ganexplain.corpora.load import read_corpus

    root = folder / "corpus"
    for name in ("audio", "labels", "filelists"):
        (root / name).mkdir(parents=True, exist_ok=True)
    noise = 0.1 * np.random.default_rng(0).standard_normal(8000)
    for path in (root / "one.wav", root / "audio" / "one.wav", root / "audio" / "two.wav"):
        sf.write(str(path), noise, 8000)

    def listed(train: bytes, labels: bytes) -> None:
        (root / "filelists" / "train").write_bytes(train)
        (root / "filelists" / "valid").write_bytes(b"two.wav\n")
        (root / "labels" / "one.lab").write_bytes(labels)
        (root / "labels" / "two.lab").write_bytes(LABELS)
        for recording in read_corpus(root).recordings:
            assert recording.path.is_relative_to(root / "audio"), recording.path

    def manifest(path: Path) -> None:
        inside = root / "manifest.csv"
        inside.write_bytes(path.read_bytes())
        for recording in read_corpus(inside, skip_bad_files=False).recordings:
            assert recording.path.is_relative_to(root), recording.path

    def spoiled_manifest(data: bytes) -> bytes:
        draw = Draw(data)
        rows = [line.split(",") for line in MANIFEST.decode().splitlines()]
        rows = spoiled(rows, draw)
        rows = rows if isinstance(rows, list) else [rows]
        lines = [",".join(map(str, row if isinstance(row, list) else [row])) for row in rows]
        return "\n".join(lines).encode(errors="surrogatepass")

    return [
        Reader("manifest.csv", manifest, [MANIFEST]),
        Reader("spoiled manifest.csv", manifest, make=spoiled_manifest),
        Reader("filelists/train", lambda p: listed(p.read_bytes(), LABELS), [b"one.wav\n"]),
        Reader("labels.lab", lambda p: listed(b"one.wav\n", p.read_bytes()), [LABELS]),
        Reader("truth.lab", lambda p: read_truth_spans(str(p), Path("one.wav")), [LABELS]),
    ]


# --- sound and pictures ---------------------------------------------------------------------------


def _sound() -> list[Reader]:
    import soundfile as sf

    from ganexplain.audio.io import load_excerpt, mono_blocks, read_duration

    noise = 0.1 * np.random.default_rng(0).standard_normal((400, 2))

    def read(path: Path) -> None:
        read_duration(path)
        for held, block in enumerate(mono_blocks(path, 22050)):
            assert np.isfinite(block).all()
            if held > 20:  # long files of few bytes are read as they come, and end
                break
        load_excerpt(path, 0.01, 500, 22050)

    found = []
    for name, kind, subtype in (
        ("wav", "WAV", "PCM_24"), ("flac", "FLAC", "PCM_16"), ("ogg", "OGG", "VORBIS"),
        ("mp3", "MP3", "MPEG_LAYER_III"), ("aiff", "AIFF", "FLOAT"), ("caf", "CAF", "ALAC_16"),
        ("w64", "W64", "MS_ADPCM"), ("au", "AU", "ULAW"),
    ):  # fmt: skip
        stream = io.BytesIO()
        sf.write(stream, noise, 16000, format=kind, subtype=subtype)
        found.append(Reader(f"sound.{name}", read, [stream.getvalue()], share=0.5))
    return found


def _pictures() -> list[Reader]:
    from PIL import Image

    from ganexplain.corpora.picture_files import load_picture, picture_spec
    from ganexplain.inputs.picture import ImageInput

    sizes = [ImageInput(channels=channels, height=8, width=8) for channels in (1, 3)]

    def read(path: Path) -> None:
        picture_spec(path)
        for size in sizes:
            assert np.isfinite(load_picture(path, size)).all()

    values = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    found = []
    for name in ("png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm"):
        seeds = []
        for image in (Image.fromarray(values), Image.fromarray(values[..., 0])):
            stream = io.BytesIO()
            image.save(stream, format=name)
            seeds.append(stream.getvalue())
        found.append(Reader(f"picture.{name}", read, seeds, share=0.5))
    return found


# --- vectors, names, networks ---------------------------------------------------------------------


def _vectors() -> list[Reader]:
    from ganexplain.attribution.partition import read_labels
    from ganexplain.files.arrays import read_vector, try_open_array

    vector, labels = np.arange(5.0), np.arange(6).reshape(2, 3)

    def make(array: np.ndarray) -> Callable[[bytes], bytes]:
        return lambda data: spoiled_array(array, Draw(data))

    return [
        Reader("direction.npy", read_vector, [npy(vector)]),
        Reader("spoiled direction.npy", read_vector, make=make(vector)),
        Reader("cached.npy", try_open_array, [npy(labels)]),
        Reader("spoiled labels.npy", lambda p: read_labels(p, labels), make=make(labels)),
    ]


UNITS = (
    b"0", b"0,3,8-11", b"all", b"17@max", b"17@12,30", b"mean", b"sing", b"sing-nosing",
    b"3-minus-1", b"direction.npy", b"9" * 400,
)  # fmt: skip


def _names(folder: Path) -> list[Reader]:
    import soundfile as sf

    from ganexplain.attribution.inputs.excerpts import read_log_mels
    from ganexplain.attribution.partition import parse_labels
    from ganexplain.audio.log_mel import FrontEnd
    from ganexplain.corpora.single import split_seconds
    from ganexplain.networks.adapter import OutputNames
    from ganexplain.networks.layer_units import LayerUnits
    from ganexplain.networks.unit_syntax import parse_readings

    names = OutputNames("fc9", ("nosing", "sing"))
    song = folder / "song.wav"
    sf.write(str(song), 0.1 * np.random.default_rng(0).standard_normal(44100), 22050)

    def unit(path: Path) -> None:
        text = path.read_bytes().decode(errors="surrogateescape")
        for count in (1, 2, 64):
            of = LayerUnits("conv5", count, (21, 33))
            for reading in parse_readings(text, of, names.classes)[:3]:
                assert "/" not in reading.file_name

    def moment(path: Path) -> None:
        text = path.read_bytes().decode(errors="surrogateescape")
        _, at = split_seconds(text)
        read_log_mels(text, song, at, FrontEnd())

    def segments(path: Path) -> None:
        text = path.read_bytes().decode(errors="surrogateescape")
        kind, _, rest = text.partition(":")
        if kind not in ("slic", "felzenszwalb", "quickshift"):  # which have no text to read
            parse_labels(text, kind, rest, np.zeros((80, 115), np.float32))

    return [
        Reader("unit", unit, UNITS),
        Reader("moment", moment, [b"song.wav@1.5", b"song@home.wav", b"song.wav"], share=0.3),
        Reader("segments", segments, [b"6x4", b"temporal:10", b"spectral:8", b"file:a.npy"]),
    ]


def _networks() -> list[Reader]:
    import torch
    from safetensors.torch import save

    from ganexplain.networks.loaders.formats import load_network
    from ganexplain.networks.loaders.weights import read_weights

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
    scripted = io.BytesIO()
    torch.jit.save(torch.jit.trace(network, torch.zeros(2, 4)), scripted)
    pickled = _torch_bytes(network)
    found = [
        Reader("network.safetensors", read_weights, [save(network.state_dict())]),
        Reader(
            "network.pt",
            lambda path: load_network(str(path)),
            [scripted.getvalue(), pickled, _torch_bytes(network.state_dict())],
            share=0.3,
        ),
    ]
    with suppress(ImportError):
        found.append(Reader("network.onnx", _onnx, [_onnx_bytes()], share=0.1))
    return found


def _onnx(path: Path) -> object:
    from ganexplain.networks.loaders.formats import load_network

    return load_network(str(path))


def _onnx_bytes() -> bytes:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.ones((3, 4), np.float32), "w")
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "g", [value("x", TensorProto.FLOAT, ["n", 4])],
        [value("y", TensorProto.FLOAT, ["n", 3])], [weight],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 13)]
    return bytes(onnx.helper.make_model(graph, opset_imports=opset).SerializeToString())
