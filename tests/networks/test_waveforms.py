"""A GAN of waveforms, and networks that take sound as it is: shapes, bridges, all stages."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.commands import Run
from support.elements import Elements
from support.paths import ROOT
from support.recordings import JamendoFolder, song, tone
from torch import nn

from ganexplain.artifacts.prediction import read_prediction
from ganexplain.audio.display import display_front_end, display_inputs
from ganexplain.audio.log_mel import log_mel
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.waveform_split import load_waveform_split
from ganexplain.errors import UsageError
from ganexplain.files.arrays import read_arrays
from ganexplain.files.checkpoints import read_checkpoint
from ganexplain.gans.networks import discriminator_for, encoder_for, generator_for
from ganexplain.gans.wavegan import WaveDiscriminator, WaveGenerator, phase_shifts, shift_in_time
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import Call
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.bridge import bridge_between
from ganexplain.networks.target import adapt_network
from ganexplain.runs.progress import NullProgress

RATE = 8000
SECOND = WaveformInput(sample_rate=RATE, samples=4000)


# --- networks ---------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(64, 20000), st.booleans())
def test_networks_fit_any_length(samples: int, normalise: bool) -> None:
    drawn = WaveformInput(sample_rate=16000, samples=samples)
    generator = generator_for(drawn, normalise, channels=16)
    waveforms = generator(torch.randn(3, 128))
    assert waveforms.shape == (3, samples) and waveforms.abs().max() <= 1
    folded = generator.eval().fold_norms()
    z = torch.randn(2, 128)
    torch.testing.assert_close(folded(z), generator(z), atol=1e-5, rtol=1e-4)
    assert discriminator_for(drawn)(waveforms).shape == (3,)
    assert encoder_for(drawn)(waveforms)[0].shape == (3, 128)
    loss = generator.distance(waveforms, torch.zeros_like(waveforms))
    assert torch.isfinite(loss)


def test_the_published_length_has_the_published_ladder() -> None:
    """Donahue et al. 2019, table 3: 16 places, five blocks of stride 4 and width 25."""
    generator = WaveGenerator(16384)
    assert len(generator.ups) == 5 and generator.crop_start == 0
    assert {(up.kernel_size, up.stride) for up in generator.ups} == {((25,), (4,))}
    assert len(WaveDiscriminator(16384).downs) == 5
    with pytest.raises(UsageError, match="at least 64"):
        generator_for(WaveformInput(sample_rate=8000, samples=63))


def test_phase_shuffle_moves_layers_and_mirrors_the_ends() -> None:
    x = torch.arange(6.0)[None, None]
    assert shift_in_time(x, 2)[0, 0].tolist() == [2, 1, 0, 1, 2, 3]
    assert shift_in_time(x, -1)[0, 0].tolist() == [1, 2, 3, 4, 5, 4]
    assert shift_in_time(x, 0) is x
    found = phase_shifts(np.random.default_rng(0), 1000)
    assert set(found) == {-2, -1, 0, 1, 2}
    torch.manual_seed(0)
    judge = WaveDiscriminator(1024)
    waveforms = torch.randn(4, 1024)
    before = judge(waveforms)
    judge.shifts = [2] * len(judge.shifts)
    assert not torch.allclose(judge(waveforms), before)
    judge.shifts = [0] * len(judge.shifts)
    torch.testing.assert_close(judge(waveforms), before)


def test_the_distance_hears_pitch_not_phase() -> None:
    generator = WaveGenerator(SECOND.samples)
    generator.deviation.fill_(0.2)

    def wave(hertz: float, phase: float = 0.0) -> torch.Tensor:
        return torch.from_numpy(tone(hertz, 0.5, RATE, phase=phase)[None].astype(np.float32))

    same = generator.distance(wave(440), wave(440))
    other_phase = generator.distance(wave(440), wave(440, np.pi / 2))
    other_pitch = generator.distance(wave(440), wave(660))
    assert same == 0 and other_phase < 0.1 * other_pitch


# --- what waveforms are seen through ----------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(st.integers(200, 48000), st.integers(16, 60000))
def test_waveforms_of_any_rate_and_length_are_seen(rate: int, samples: int) -> None:
    drawn = WaveformInput(sample_rate=rate, samples=samples)
    mel = display_inputs(
        drawn, np.random.default_rng(0).normal(size=(2, samples)).astype(np.float32)
    )
    assert mel.shape == (2, *display_front_end(drawn).shape) and np.isfinite(mel).all()
    assert mel.std() > 0


def test_the_usual_excerpt_is_seen_as_usual() -> None:
    usual = FrontEnd()
    drawn = WaveformInput(sample_rate=22050, samples=usual.excerpt_samples)
    assert display_front_end(drawn) == usual
    waveform = song(0)[: usual.excerpt_samples].astype(np.float32)
    np.testing.assert_array_equal(display_inputs(drawn, waveform), log_mel(waveform, usual).T)


# --- bridges and corpora ----------------------------------------------------------------------


def test_from_waveforms_to_what_networks_take() -> None:
    usual = FrontEnd()
    drawn = WaveformInput(sample_rate=22050, samples=usual.excerpt_samples + 100)
    waveform = torch.from_numpy(song(1)[: drawn.samples].astype(np.float32))[None]
    mel = bridge_between(drawn, usual)(waveform)[0].numpy()
    np.testing.assert_allclose(mel, log_mel(waveform[0].numpy(), usual).T[:, :115], atol=1e-3)
    louder = WaveformInput(sample_rate=22050, samples=1000, gain=2.0)
    found = bridge_between(drawn, louder)(waveform)
    start = (drawn.samples - 1000) // 2
    torch.testing.assert_close(found, 2 * waveform[:, start : start + 1000])
    halved = bridge_between(drawn, WaveformInput(sample_rate=11025, samples=5000))(waveform)
    assert halved.shape == (1, 5000)
    standard = WaveformInput(sample_rate=22050, samples=drawn.samples, standardise=True)
    found = bridge_between(drawn, standard)(waveform)
    torch.testing.assert_close(found.std(), torch.tensor(1.0))
    for eaten in (WaveformInput(sample_rate=22050, samples=50000), FrontEnd(excerpt_frames=200)):
        with pytest.raises(UsageError, match="an excerpt of the GAN has"):
            bridge_between(drawn, eaten)
    with pytest.raises(UsageError, match="the network takes waveforms"):
        bridge_between(ImageInput(channels=1, height=8, width=8), drawn)


def test_a_split_gives_the_sound_of_the_files(jamendo: JamendoFolder, tmp_path: Path) -> None:
    jamendo.add("train", "short.wav", song(5, seconds=0.1), "0.0 0.1 sing\n")
    drawn = WaveformInput(sample_rate=22050, samples=4000)
    split = load_waveform_split(
        read_corpus(jamendo.root), "train", drawn, tmp_path / "cache", NullProgress()
    )
    centres = split.whole_excerpts()
    of_one = centres[centres[:, 0] == 0, 1]
    assert set(np.diff(of_one)) == {315} and len(song(0)) - 4000 - of_one[-1] < 315
    found = split.gather(centres)
    whole, _ = sf.read(jamendo.audio("one.wav"), dtype="float32")
    for row in (0, 7):
        first = centres[row, 1]
        np.testing.assert_array_equal(found[row], whole[first : first + 4000])
    short = found[centres[:, 0] == 2]
    assert len(short) == 1 and not short[0, 2205:].any() and short[0, :2205].any()
    level = split.band_statistics()[1]
    sounds = [sf.read(jamendo.audio(name))[0] for name in ("one.wav", "two.flac", "short.wav")]
    np.testing.assert_allclose(level, np.sqrt(np.mean(np.concatenate(sounds) ** 2)), rtol=1e-4)


# --- all stages -------------------------------------------------------------------------------

DETECTOR = """
import torch
from torch import nn

class Energies(nn.Module):
    def forward(self, x):
        return torch.log(x.square().mean(2) + 1e-4)

def detector():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(1, 6, 64, 16), Energies(), nn.Linear(6, 2))
"""
INPUT = f"""
kind = "waveform"
sample_rate = {RATE}
samples = 4000
gain = 2.0

[network]
layout = "1W"
classes = ["quiet", "loud"]
"""
TINY = ("--channels", "16", "--batch-size", "8", "--autoencoder-steps", "2", "--encoder-steps", "2",
        "--sample-every", "2", "--precision", "float32", "--quiet")  # fmt: skip


@pytest.fixture
def beside(tmp_path: Path, jamendo: JamendoFolder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of the user's, what its network takes, and a corpus."""
    (tmp_path / "their_detector.py").write_text(DETECTOR)
    (tmp_path / "input.toml").write_text(INPUT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("loss", ["relativistic", pytest.param("wgan-gp", marks=pytest.mark.slow)])
@pytest.mark.usefixtures("few_validated")
def test_training_resumes_exactly(command: Run, beside: Path, loss: str) -> None:
    Path("short.toml").write_text(f'kind = "waveform"\nsample_rate = {RATE}\nsamples = 800\n')
    words = ("train-gan", "corpus", "--input", "short.toml", "--loss", loss, *TINY)
    assert command(*words, "--steps", "4", "--out", "whole").code == 0
    assert command(*words, "--steps", "2", "--out", "parts").code == 0
    assert command(*words, "--steps", "4", "--out", "parts", "--resume").code == 0
    whole, parts = (read_checkpoint(Path(name, "gan.pt"), "gan", ()) for name in ("whole", "parts"))
    assert whole["front_end"]["kind"] == "waveform" and whole["front_end"]["gain"] == 1.0
    assert (whole["step"], whole["figures"]) == (parts["step"], parts["figures"])
    for part in ("generator", "encoder"):
        torch.testing.assert_close(whole[part], parts[part], rtol=0, atol=0)
    played, rate = sf.read("whole/samples-000004.flac")
    assert rate == RATE and len(played) > 5 * 800 and Path("whole/samples-000004.png").is_file()


@pytest.mark.usefixtures("few_validated")
def test_a_network_of_sound_is_explained_through_waveforms(command: Run, beside: Path) -> None:
    network = ("--model", "their_detector:detector", "--input", "input.toml")
    words = ("train-gan", "corpus", "--input", "input.toml", *TINY, "--steps", "2")
    assert command(*words, "--loss", "hinge", "--out", "gan").code == 0
    done = command("explain", *network, "--gan", "gan/gan.pt", "--neuron", "loud",
                   "--learning-rate", "0.1", "--prior-weight", "0.01", "--iterations", "2",
                   "--iterations", "8", "--examples", "4", "--jobs", "1", "-q",
                   "--out", "explain")  # fmt: skip
    assert done.code == 0, done.err
    made, meta = read_arrays(Path("explain/explanations.npz"), "explanations", ())
    assert made["mel"].shape == (2, 4, 4000) and meta["unit"] == "loud"
    risen = made["response"][1] - made["start_response"]
    assert (risen >= 0).all() and (risen > 0).any()  # the best iterate is kept, the start is one
    done = command("select", "explain", "--corpus", "corpus", "--classifier",
                   "their_detector:detector", "--out", "select", "--json", "-q")  # fmt: skip
    assert done.code == 0, done.err
    controls = {"fresh", "start", "input_ascent", "reinitialised", "held_out"}
    assert set(json.loads(done.out)["controls"]) == controls
    real, _ = read_arrays(Path("select/responses.npz"), "responses", ())
    assert real["mel"].shape == (4, 4000) and "audio" not in real
    whole, rate = sf.read(f"corpus/audio/{real['file'][0]}", dtype="float32")
    assert real["start_s"].max() <= 3.5 and rate == 22050 and np.abs(whole).max() > 0.1
    done = command("validate", "explain", "--selection", "select", "--corpus", "corpus",
                   "--classifier", "their_detector:detector", "--hop-frames", "2",
                   "--out", "validate", "-q")  # fmt: skip
    assert done.code == 0, done.err
    tested = read_prediction(Path("validate"))
    assert tested.input == "waveform" and tested.excerpts >= 20 and not tested.held_out
    assert tested.units[0].explained_share == pytest.approx(1, abs=1e-3)  # an output
    assert {"generated", "real"} <= set(tested.units[0].shares["descriptors"])
    done = command("report", "explain", "--selection", "select", "--validation", "validate",
                   "--examples", "2", "--heard", "1", "--out", "report", "-q")  # fmt: skip
    assert done.code == 0, done.err
    page = Elements(Path("report/report.html").read_text())
    players = page.of("audio")
    assert len(players) == 2 * len(page.of("section", "row"))  # each example is its own sound
    played = [
        sf.read(io.BytesIO(base64.b64decode(p.attributes["src"].split(",", 1)[1])))
        for p in players[:2]
    ]
    order = np.argsort(-real["response"], kind="stable")
    for (sound, rate), row in zip(played, order, strict=False):
        assert rate == RATE
        np.testing.assert_allclose(sound, real["mel"][row].clip(-1, 1), atol=1e-4)
    assert all("Spectrogram" in e.attributes["aria-label"] for e in page.of("svg", "picture"))


@pytest.mark.usefixtures("few_validated")
def test_what_waveforms_cannot_do_is_said(command: Run, beside: Path) -> None:
    words = ("train-gan", "corpus", "--input", "input.toml", *TINY, "--steps", "2", "--out", "g")
    assert "--augment: applies to log-mel" in command(*words, "--augment").error_line()
    Path("short.toml").write_text('kind = "waveform"\nsample_rate = 8000\nsamples = 40\n')
    done = command("train-gan", "corpus", "--input", "short.toml", "--out", "s", "-q")
    assert "waveforms of at least 64" in done.error_line()
    assert command(*words, "--overwrite").code == 0
    ours = ROOT / "sample_data" / "pretrained" / "classifier.pt"
    done = command("explain", "--classifier", ours, "--gan", "g/gan.pt", "--out", "e", "-q")
    assert "different front ends: kind is log-mel and waveform" in done.error_line()
    done = command("train-classifier", "corpus", "--input", "input.toml", "--out", "c", "-q")
    assert "classifiers of sound have front ends of their own" in done.error_line()


class Stereo(nn.Module):
    """Middle and side (B, 2, W) of two channels (B, 2, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(2, 2, 1, bias=False)
        self.layer.weight.data = torch.tensor([[0.5, 0.5], [0.5, -0.5]])[..., None]

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layer(sound)
        return found


def test_a_network_of_two_channels_gets_the_same_sound_twice() -> None:
    """Its layout is named where it is not given."""
    cpu = torch.device("cpu")
    with pytest.raises(UsageError, match=r'it runs with layout = "2W" under'):
        adapt_network(Stereo(), SECOND, None, Call(), cpu)
    target = adapt_network(Stereo(), SECOND, None, Call(layout="2W"), cpu)
    sound = torch.randn(3, 4000)
    middle, side = target.network(sound).unbind(1)
    torch.testing.assert_close(middle, sound)
    assert not side.any()
