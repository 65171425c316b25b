"""Networks in folders of transformers, with random weights."""

from __future__ import annotations

import json
import pickle
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.commands import Run
from support.paths import PRETRAINED
from support.recordings import JamendoFolder

from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.arrays import read_arrays
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.descriptions.references import extractor_reference
from ganexplain.networks.hooks import layer_output, unit_response
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.loaders.pretrained import completed_specification
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import adapt_network, load_target
from ganexplain.networks.units import Unit

transformers = pytest.importorskip("transformers")
CPU = torch.device("cpu")
SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
CONVOLUTIONS = {"conv_dim": (16, 16), "conv_kernel": (10, 3), "conv_stride": (5, 2),
                "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 16,
                "num_conv_pos_embedding_groups": 2}  # fmt: skip
CLASSES = ("speech", "music", "rain", "dog", "silence")


def ast() -> Any:
    labels = dict(enumerate(CLASSES))
    config = transformers.ASTConfig(
        hidden_size=24, max_length=64, num_mel_bins=80, id2label=labels, **SMALL
    )
    return transformers.ASTForAudioClassification(config)


def wav2vec() -> Any:
    config = transformers.Wav2Vec2Config(hidden_size=24, vocab_size=7, **SMALL, **CONVOLUTIONS)
    return transformers.Wav2Vec2Model(config)


def whisper() -> Any:
    config = transformers.WhisperConfig(
        d_model=24, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=80,
        max_source_positions=50, max_target_positions=20, vocab_size=60, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    return transformers.WhisperForConditionalGeneration(config)


def clap() -> Any:
    sound = {"spec_size": 64, "hidden_size": 16, "patch_embeds_hidden_size": 8, "depths": [1, 1],
             "num_attention_heads": [1, 2], "num_hidden_layers": 2, "num_mel_bins": 16,
             "window_size": 2, "projection_dim": 16}  # fmt: skip
    text = {"vocab_size": 30, "hidden_size": 16, "max_position_embeddings": 20} | SMALL
    config = transformers.ClapConfig(audio_config=sound, text_config=text, projection_dim=16)
    return transformers.ClapModel(config)


EXTRACTORS: dict[str, Callable[[], Any]] = {
    "ast": lambda: transformers.ASTFeatureExtractor(max_length=64, num_mel_bins=80),
    "wav2vec": transformers.Wav2Vec2FeatureExtractor,
    "whisper": lambda: transformers.WhisperFeatureExtractor(chunk_length=1),
    "clap": lambda: transformers.ClapFeatureExtractor(
        feature_size=16, sampling_rate=16000, hop_length=160, max_length_s=1, fft_window_size=512,
        frequency_min=50, frequency_max=7000, truncation="rand_trunc",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    """Folders, and the networks that were saved to them."""
    found = {}
    for make in (ast, wav2vec, whisper, clap):
        torch.manual_seed(0)
        network = make().eval()
        folder = tmp_path_factory.mktemp(make.__name__)
        network.save_pretrained(folder)
        EXTRACTORS[make.__name__]().save_pretrained(folder)
        found[make.__name__] = folder, network
    return found


@pytest.fixture(autouse=True)
def no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


PLAIN: dict[str, tuple[tuple[int, ...], Callable[[Any, torch.Tensor], torch.Tensor]]] = {
    "ast": ((64, 80), lambda network, x: network(x).logits),
    "wav2vec": ((400,), lambda network, x: network(x).last_hidden_state),
    "whisper": ((80, 100), lambda network, x: network.get_encoder()(x).last_hidden_state),
    "clap": ((1, 60, 16), lambda network, x: network.get_audio_features(x).pooler_output),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_folder_computes_what_transformers_computes(
    saved: dict[str, tuple[Path, Any]], name: str
) -> None:
    folder, plain = saved[name]
    shape, compute = PLAIN[name]
    _, call = completed_specification(str(folder), (FrontEnd(), Call()), 1.0)
    network = load_network(str(folder)).eval()
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = getattr(network, call.method or "forward")(x)
        found = found[call.output] if call.output else next(iter(found.values()))
        torch.testing.assert_close(found, compute(plain, x), atol=1e-6, rtol=1e-5)


def test_classes_are_those_of_the_folder(saved: dict[str, tuple[Path, Any]]) -> None:
    folder = str(saved["ast"][0])
    front_end = FrontEnd(excerpt_frames=64)
    given = FrontEnd(), Call(layout="TF")
    _, call = completed_specification(folder, given, 1.0)
    explained = adapt_network(load_network(folder), front_end, None, call, CPU)
    assert explained.names.classes == CLASSES
    assert explained.outputs == len(CLASSES)
    assert "audio_spectrogram_transformer.layers.1.mlp.fc1" in named_layers(explained.network)
    own = Call(classes=("a", "b", "c", "d", "e"))
    assert completed_specification(folder, (front_end, own), 1.0)[1].classes == own.classes
    other = completed_specification(str(saved["wav2vec"][0]), (front_end, Call()), 1.0)
    assert other[1].classes == ()


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_input_is_that_of_the_folder_where_none_is_given(
    saved: dict[str, tuple[Path, Any]], tmp_path: Path, name: str, share: float
) -> None:
    """Of a whole input, and of a generator whose excerpts are shorter."""
    folder, plain = saved[name]
    extractor = EXTRACTORS[name]()
    samples = {"ast": 63 * 160 + 400}.get(name, 16000)
    given = WaveformInput(sample_rate=16000, samples=int(share * samples))
    explained = load_target(NetworkSource(model=str(folder)), given, CPU)
    sound = 0.2 * np.random.default_rng(0).standard_normal(given.samples).astype(np.float32)
    features = extractor(sound, sampling_rate=16000, return_tensors="pt")
    values = features["input_values" if name in ("ast", "wav2vec") else "input_features"]
    with torch.no_grad():
        found = explained.network(torch.from_numpy(sound)[None])
        wanted = PLAIN[name][1](plain, values)
    if found.ndim == 3:  # its units come first
        wanted = wanted.transpose(1, 2)
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=0)


def test_an_extractor_that_is_not_known_is_refused(
    saved: dict[str, tuple[Path, Any]], tmp_path: Path
) -> None:
    shutil.copytree(saved["ast"][0], tmp_path / "network")
    path = tmp_path / "network" / "preprocessor_config.json"
    path.write_text(json.dumps({"feature_extractor_type": "TheirExtractor"}))
    with pytest.raises(UsageError, match=r"TheirExtractor, is not known here; describe the netw"):
        load_target(NetworkSource(model=str(tmp_path / "network")), FrontEnd(), CPU)


def test_weights_may_be_in_several_files_or_in_a_pickle(
    saved: dict[str, tuple[Path, Any]], tmp_path: Path
) -> None:
    folder, plain = saved["ast"]
    plain.save_pretrained(tmp_path / "several", max_shard_size="20KB")
    assert len(list((tmp_path / "several").glob("*.safetensors"))) > 1
    (tmp_path / "pickle").mkdir()
    shutil.copy(folder / "config.json", tmp_path / "pickle")
    torch.save(plain.state_dict(), tmp_path / "pickle" / "pytorch_model.bin")
    for name in ("several", "pickle"):
        network = load_network(str(tmp_path / name))
        torch.testing.assert_close(network.state_dict(), plain.state_dict())


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (Path("here"),)


def test_a_pickle_in_a_folder_runs_nothing(
    saved: dict[str, tuple[Path, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(saved["ast"][0] / "config.json", tmp_path)
    for protocol in (2, 4):
        torch.save({"w": Bomb()}, "pytorch_model.bin", pickle_protocol=protocol)
        with pytest.raises(GanexplainError, match="cannot be loaded"):
            load_network(str(tmp_path))
    assert not Path("here").exists()
    pickle.loads(pickle.dumps(Bomb()))
    assert Path("here").exists()


def changed(**keys: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text()) | keys
        (folder / "config.json").write_text(json.dumps(config))

    return change


def without_head(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    kept = {name: w for name, w in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


SPOILT: list[tuple[Callable[[Path], object], str]] = [
    (
        changed(auto_map={"AutoModelForAudioClassification": "modeling_theirs.Net"}),
        r"has code of its own.*file\.py:function$",
    ),
    (changed(quantization_config={"quant_method": "bitsandbytes"}), "quantised weights"),
    (changed(architectures=["ASTForEverything"]), "'ASTForEverything' is no network of transf"),
    (changed(architectures=["pipeline"]), "'pipeline' is no network"),
    (changed(architectures=[["a"]]), "not names of classes"),
    (changed(architectures=["utils.hub"]), "'utils.hub' is no network"),
    (changed(model_type=None), "has no model_type, so it is not of transformers"),
    (changed(hidden_size=32), "cannot be loaded|has no weights that fit"),
    (without_head, r"has no weights that fit classifier\.dense\.bias, .*which would be random"),
    (lambda folder: (folder / "config.json").write_text("{"), r"config\.json: cannot be read"),
    (lambda folder: (folder / "model.safetensors").unlink(), "cannot be loaded"),
    (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "cannot be loaded"),
]


@pytest.mark.parametrize(("spoil", "message"), SPOILT)
def test_a_folder_that_cannot_be_used_is_refused_in_one_line(
    saved: dict[str, tuple[Path, Any]],
    tmp_path: Path,
    spoil: Callable[[Path], object],
    message: str,
) -> None:
    folder = tmp_path / "network"
    shutil.copytree(saved["ast"][0], folder)
    (folder / "modeling_theirs.py").write_text(f"open({str(tmp_path / 'here')!r}, 'w')")
    spoil(folder)
    with pytest.raises(GanexplainError, match=message) as caught:
        load_network(str(folder))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "here").exists()


def test_a_folder_that_names_no_class_has_that_of_its_kind(
    saved: dict[str, tuple[Path, Any]], tmp_path: Path
) -> None:
    folder = tmp_path / "network"
    shutil.copytree(saved["wav2vec"][0], folder)
    changed(architectures=None)(folder)
    network = load_network(str(folder))
    for name, value in saved["wav2vec"][1].base_model.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name


def test_the_code_of_an_extractor_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs.py").write_text(f"open({str(tmp_path / 'here')!r}, 'w')")
    own = {"feature_extractor_type": "Own", "auto_map": {"AutoFeatureExtractor": "theirs.Own"}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(own))
    monkeypatch.setattr("builtins.input", lambda question="": "y")
    with pytest.raises(UsageError, match=r"has code of its own.*file\.py:function$"):
        extractor_reference(tmp_path)
    assert not (tmp_path / "here").exists()


def test_what_is_explained_is_known_by_its_files(
    saved: dict[str, tuple[Path, Any]], tmp_path: Path
) -> None:
    folder = saved["ast"][0]
    source = NetworkSource(model=str(folder))
    assert sorted(source.files()) == [
        "model/config.json", "model/model.safetensors", "model/preprocessor_config.json"
    ]  # fmt: skip
    shutil.copytree(folder, tmp_path / "moved")
    moved = NetworkSource(model=str(tmp_path / "moved"))
    assert moved.digest() == source.digest()
    assert NetworkSource.from_meta({"classifier": "", "model": moved.model}) == moved
    changed(id2label={"0": "a"})(tmp_path / "moved")
    assert moved.digest() != source.digest()


def test_without_transformers_the_package_is_named(
    saved: dict[str, tuple[Path, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r"needs the package transformers \(pip install transf"):
        load_network(str(saved["ast"][0]))


def test_attention_weights_can_be_read(saved: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    """Only the plain form of attention returns them."""
    (tmp_path / "input.toml").write_text('excerpt_frames = 64\n[network]\nlayout = "TF"\n')
    source = NetworkSource(model=str(saved["ast"][0]), input=str(tmp_path / "input.toml"))
    explained = load_target(source, None, CPU)
    layer = "audio_spectrogram_transformer.layers.0.attention"
    with torch.no_grad(), layer_output(explained.network, f"{layer}.1") as run:
        weights = run(torch.zeros(1, 80, 64))  # the attended token before the other axes
    torch.testing.assert_close(weights.sum(1), torch.ones_like(weights[:, 0]))


HIDDEN = {
    "ast": "audio_spectrogram_transformer.layers.0",
    "wav2vec": "encoder.layers.0",
    "whisper": "layers.0",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_feature_of_a_hidden_layer_is_that_of_transformers(
    saved: dict[str, tuple[Path, Any]], name: str
) -> None:
    """As transformers returns hidden states itself, without hooks: the mean over tokens."""
    folder, plain = saved[name]
    given = WaveformInput(sample_rate=16000, samples=8000)
    explained = load_target(NetworkSource(model=str(folder)), given, CPU)
    sound = 0.2 * torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        network = plain.get_encoder() if name == "whisper" else plain
        states = network(
            explained.network.get_submodule("bridge")(sound), output_hidden_states=True
        ).hidden_states
        with unit_response(explained.network, Unit.parse(f"{HIDDEN[name]}:17")) as respond:
            found = respond(sound)
    torch.testing.assert_close(found, states[1][:, :, 17].mean(1), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_a_feature_is_explained_selected_and_attributed_from_the_shell(
    saved: dict[str, tuple[Path, Any]], command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    folder, gan = saved["ast"][0], PRETRAINED / "gan.pt"
    unit = "audio_spectrogram_transformer.layers.1.mlp.fc1:17"
    listed = json.loads(command("layers", folder, "--gan", gan, "--json").out)
    rows = {row["layer"]: row for row in listed["layers"]}
    assert rows[unit.partition(":")[0]]["units"] == 32
    assert listed["classes"] == list(CLASSES)
    done = command(
        "explain", "--model", folder, "--gan", gan, "--layer", unit, "--learning-rate", "0.1",
        "--prior-weight", "0.01", "--iterations", "2", "--iterations", "4", "--examples", "3",
        "--jobs", "1", "-q", "--out", tmp_path / "explain",
    )  # fmt: skip
    assert done.code == 0, done.err
    arrays, _ = read_arrays(tmp_path / "explain" / "explanations.npz", "explanations", ())
    assert arrays["response"].mean(axis=1)[-1] > arrays["start_response"].mean()
    done = command(
        "select", tmp_path / "explain", "--corpus", jamendo.root, "--hop-frames", "40", "--top",
        "3", "--no-controls", "-q", "--json", "--out", tmp_path / "select",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["configurations"]) == 2
    for target in (unit, "dog"):
        done = command(
            "attribute", f"{jamendo.audio('one.wav')}@2", "--model", folder, "--target", target,
            "--method", "occlusion", "--segments", "2x2", "-q", "--json", "--overwrite", "--out",
            tmp_path / "attribute",
        )  # fmt: skip
        assert done.code == 0, done.err
        assert len(json.loads(done.out)["inputs"]) == 1


@pytest.mark.slow
def test_of_a_network_of_text_and_sound_the_features_of_the_sound_are_explained(
    tmp_path: Path,
) -> None:
    """Granite Speech, whose first argument is text; two frames of its log-mel are one."""
    sound = {"hidden_dim": 16, "num_layers": 1, "num_heads": 2, "dim_head": 8, "output_dim": 6}
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 16}  # fmt: skip
    config = transformers.GraniteSpeechConfig(
        encoder_config=sound,
        projector_config={"model_type": "blip_2_qformer", "encoder_hidden_size": 16, **small},
        text_config={"model_type": "granite", "vocab_size": 20, "num_key_value_heads": 2, **small},
    )
    torch.manual_seed(0)
    plain = transformers.GraniteSpeechForConditionalGeneration(config).eval()
    plain.save_pretrained(tmp_path)
    settings = {"feature_extractor_type": "GraniteSpeechFeatureExtractor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    target = load_target(NetworkSource(model=str(tmp_path)), FrontEnd(), CPU)
    mel = torch.rand(2, 80, 115) * 6 - 7
    with torch.no_grad():
        found, given = target.network(mel), target.network.get_submodule("bridge")(mel)
        wanted = plain.get_audio_features(given).pooler_output
    assert given.shape[1:] == (57, 160)
    torch.testing.assert_close(found.mT, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "name, message",
    [
        ("MusicgenForCausalLM", r"takes text \(input_ids\) first; name the argument"),
        ("AudioFlamingo3ForConditionalGeneration", "needs input_features_mask; write a function"),
    ],
)
def test_a_network_of_text_without_features_of_sound_is_refused_by_its_class(
    tmp_path: Path, name: str, message: str
) -> None:
    config = getattr(transformers, name).config_class()
    document = {"model_type": config.model_type, "architectures": [name]}
    (tmp_path / "config.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=f"{name}.*{message}"):
        completed_specification(str(tmp_path), (WaveformInput(sample_rate=1, samples=1), Call()), 1)
