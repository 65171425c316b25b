"""Input specifications, front ends of other conventions, and the ways between them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soxr
import tomli_w
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.commands import Run
from support.paths import ROOT
from support.recordings import tone

from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import frame_count, log_compress, log_expand, log_mel, log_mel_blocks
from ganexplain.audio.sonify import sonify
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import (
    check_same_front_end,
    input_from,
    input_values,
    read_input_file,
)
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.bridge import bridge_between
from ganexplain.networks.bridges.spectra import LogMel, Resampled

OURS = FrontEnd()


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """An excerpt (samples,) of real music as long as ours are."""
    name = (ROOT / "sample_data" / "filelists" / "train").read_text().split()[0]
    start = 4 * OURS.sample_rate
    whole = load_mono(ROOT / "sample_data" / "audio" / name, OURS.sample_rate)
    return whole[start : start + OURS.excerpt_samples]


def front_end_from(values: dict[str, Any]) -> FrontEnd:
    found = input_from("x", values)
    assert isinstance(found, FrontEnd)
    return found


def mel_of(sound: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    return log_mel(sound, front_end).T


# --- specifications ---------------------------------------------------------------------------


def test_a_specification_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "input.toml"
    path.write_text(
        'kind = "image"\nchannels = 3\nheight = 32\nwidth = 24\nhigh = 255\nmean = [1, 2, 3]\n'
        '[network]\nlayout = "HWC"\noutput = 1\nclasses = ["cat", "dog"]\narguments = { k = 2 }\n'
    )
    eaten, call = read_input_file(path)
    assert eaten == ImageInput(channels=3, height=32, width=24, high=255.0, mean=(1.0, 2.0, 3.0))
    assert (call.layout, call.output, call.classes) == ("HWC", "1", ("cat", "dog"))
    assert dict(call.arguments) == {"k": 2}
    assert input_from("again", input_values(eaten)) == eaten


@settings(deadline=None)
@given(
    st.sampled_from([
        OURS,
        FrontEnd(mel_bands=40, power=2.0, logarithm="db", scale=0.5),
        WaveformInput(sample_rate=16000, samples=512, standardise=True),
        ImageInput(channels=1, height=8, width=9, mean=(0.5,)),
    ])
)  # fmt: skip
def test_checkpoints_hold_inputs_as_they_are(eaten: FrontEnd) -> None:
    assert input_from("checkpoint", input_values(eaten)) == eaten


def test_the_usual_front_end_is_written_as_it_always_was() -> None:
    assert list(input_values(OURS)) == [
        "sample_rate", "frame_length", "hop_length", "mel_bands", "lowest_hz", "highest_hz",
        "floor", "excerpt_frames",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text, message",
    [
        ('kind = "waveforms"', r"did you mean 'waveform'\?"),
        ('kind = "waveform"\nsamples = 3', "give sample_rate too"),
        ('kind = "waveform"\nsample_rate = 16000\nsamples = 0', "at least 1"),
        ('kind = "waveform"\nsample_rate = "fast"\nsamples = 9', "sample_rate is 'fast'; give int"),
        ('kind = "image"\nchannels = 2\nheight = 8\nwidth = 8', "pictures have 1 or 3"),
        ('kind = "image"\nchannels = 1\nheight = 8\nwidth = 8\ndeviation = 0', "no deviation be 0"),
        ('kind = "image"\nchannels = 1\nheight = 8\nwidth = 8\nmean = [1, 2]', "one a channel"),
        ('kind = "image"\nchannels = 3\nheight = 9999\nwidth = 9999', "too many"),
        ("mel_band = 40", r"did you mean 'mel_bands'\?"),
        ('convention = "libroza"', r"did you mean 'librosa'\?"),
        ("highest_hz = 12000", "half the rate"),
        ("power = 3", "power = 3.0 cannot be used"),
        ("power = 400", "power = 400.0 cannot be used"),
        ('filters = "yaafe"\nmel_scale = "slaney"', "filters = 'yaafe' cannot be used"),
        ('kind = "waveform"\nsample_rate = 0\nsamples = 9', "above zero"),
        ("network = 3", "make it a table"),
        ("[network]\nlayot = 'FT'", r"did you mean 'layout'\?"),
        ("kind = ", "not TOML"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "input.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_input_file(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["kind", "channels", "height", "width", "sample_rate",
                                        "samples", "mel_bands", "frame_length", "mean"]),
                       st.one_of(st.integers(-2, 300), st.text(max_size=3), st.floats(),
                                 st.just("image"), st.just("waveform"), st.booleans(),
                                 st.lists(st.integers(), max_size=2))))  # fmt: skip
def test_any_table_is_an_input_or_refused(values: dict[str, object]) -> None:
    try:
        found = input_from("table", values)
    except GanexplainError as error:
        assert "\n" not in str(error)
        return
    assert min(found.shape) >= 1


# --- front ends of other conventions ----------------------------------------------------------


def test_librosa_s_convention_is_librosa_s(sound: np.ndarray) -> None:
    ours = mel_of(sound, front_end_from({"convention": "librosa"}))
    spectrum = librosa.feature.melspectrogram(y=sound, sr=22050)
    theirs = librosa.power_to_db(spectrum, top_db=None)
    np.testing.assert_allclose(ours, theirs, atol=0.05)  # dB; float32 in quiet bands
    assert np.abs(ours - theirs).mean() < 1e-3


def test_torchaudio_s_convention_is_its_formula(sound: np.ndarray) -> None:
    """MelSpectrogram() and AmplitudeToDB() of torchaudio, which calls torch.stft.

    Both mirror the ends (pad_mode "reflect"); HTK filters of height one on a power spectrogram.
    """
    front_end = front_end_from({"convention": "torchaudio"})
    x = torch.from_numpy(soxr.resample(sound, 22050, 16000))
    spectrum = torch.stft(x, 400, 200, window=torch.hann_window(400),
                          return_complex=True).abs().square()  # fmt: skip
    points = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 130) / 2595) - 1)
    slopes = points[:, None] - np.linspace(0, 8000, 201)[None]
    filters = np.maximum(0, np.minimum(-slopes[:-2] / np.diff(points)[:-1, None],
                                       slopes[2:] / np.diff(points)[1:, None]))  # fmt: skip
    theirs = 10 * np.log10(np.maximum(filters @ spectrum.numpy(), 1e-10))
    ours = mel_of(x.numpy(), front_end)
    np.testing.assert_allclose(ours, theirs, atol=0.05)
    np.testing.assert_allclose(LogMel(front_end)(x[None])[0].numpy(), theirs, atol=0.05)


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 700), min_size=1, max_size=8))
def test_mirrored_ends_of_a_signal_that_arrives_in_pieces(sizes: list[int]) -> None:
    whole = np.random.default_rng(0).standard_normal(sum(sizes)).astype(np.float32)
    front_end = FrontEnd(frame_length=512, hop_length=128, mel_bands=20, centred=True,
                         pad_mode="reflect")  # fmt: skip
    pieces = np.split(whole, np.cumsum(sizes)[:-1])
    found = np.concatenate(list(log_mel_blocks(pieces, front_end)))
    uncentred = replace(front_end, centred=False)
    padded = np.pad(whole, 256, mode="reflect" if whole.size else "constant")
    np.testing.assert_array_equal(found, log_mel(padded, uncentred))
    assert len(found) == frame_count(whole.size, front_end)


@pytest.mark.parametrize(
    "values, unit, decibels",
    [
        ({}, "nat", 8.685890),
        ({"convention": "librosa"}, "dB", 1.0),
        ({"convention": "torchaudio"}, "dB", 1.0),
        ({"logarithm": "ln", "power": 2.0}, "", 4.342945),  # nat of power
        ({"logarithm": "log10"}, "", 20.0),
        ({"convention": "librosa", "scale": 0.0125, "shift": 1.0}, "", 80.0),
        ({"logarithm": "db"}, "", 2.0),  # ten times the logarithm, of magnitudes
    ],
)
def test_a_value_one_higher_is_so_many_decibels_louder(
    sound: np.ndarray, values: dict[str, object], unit: str, decibels: float
) -> None:
    front_end = input_from("x", values)
    assert isinstance(front_end, FrontEnd) and front_end.unit == unit
    assert front_end.decibels_per_unit == pytest.approx(decibels, rel=1e-6)
    louder = mel_of(2 * sound, front_end) - mel_of(sound, front_end)
    assert np.median(louder) * decibels == pytest.approx(20 * np.log10(2), abs=0.01)


def test_levels_without_logarithm_have_no_decibels() -> None:
    assert FrontEnd(logarithm="none").decibels_per_unit == 0 == len(FrontEnd(logarithm="none").unit)


@pytest.mark.parametrize(
    "logarithm, power", list(itertools.product(("ln", "log10", "db", "none"), (1.0, 2.0)))
)
def test_the_module_computes_what_numpy_does(
    sound: np.ndarray, logarithm: str, power: float
) -> None:
    front_end = FrontEnd(logarithm=logarithm, power=power, floor=1e-4, gain=10.0, offset=0.5,
                         scale=0.2, shift=-1.0, centred=power == 2.0, window="periodic",
                         window_length=800)  # fmt: skip
    wanted = mel_of(sound, front_end)
    found = LogMel(front_end)(torch.from_numpy(sound)[None])[0].numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    level = np.abs(np.random.default_rng(0).standard_normal(100)) + 0.1
    np.testing.assert_allclose(log_expand(log_compress(level, front_end), front_end), level,
                               rtol=1e-4)  # fmt: skip


def test_values_relative_to_the_loudest(sound: np.ndarray) -> None:
    front_end = FrontEnd(logarithm="db", power=2.0, relative=True, range_below=80.0,
                         scale=1 / 80, shift=1.0)  # fmt: skip
    bridge = bridge_between(WaveformInput(sample_rate=22050, samples=sound.size), front_end)
    mel = bridge(torch.from_numpy(sound)[None])
    assert float(mel.max()) == pytest.approx(1.0) and float(mel.min()) >= 0.0
    with pytest.raises(UsageError, match="relative, range_below: values depend on the whole"):
        log_mel(sound, front_end)


def test_a_front_end_of_powers_can_be_heard() -> None:
    """A tone goes through librosa's convention and back, and is the same tone."""
    front_end = FrontEnd(filters="slaney", mel_scale="slaney", power=2.0, logarithm="db",
                         floor=1e-10, excerpt_frames=60)  # fmt: skip
    heard = mel_of(tone(660.0, 1.0)[: front_end.excerpt_samples].astype(np.float32), front_end)
    (sound,) = sonify(heard[None], front_end, 30)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size)))
    assert np.argmax(spectrum) * 22050 / sound.size == pytest.approx(660, rel=0.03)
    again = mel_of(sound, front_end)
    loud = heard > heard.max() - 30
    assert np.abs(again - heard)[loud].mean() < 3  # dB


# --- bridges ----------------------------------------------------------------------------------


def test_nothing_is_done_where_nothing_is_to_do(sound: np.ndarray) -> None:
    assert list(bridge_between(OURS, OURS).children()) == []
    mel = torch.from_numpy(mel_of(sound, OURS).copy())[None]
    assert bridge_between(OURS, OURS, "1TF")(mel).shape == (1, 1, 115, 80)
    torch.testing.assert_close(bridge_between(OURS, OURS, "TF")(mel), mel.transpose(1, 2))


def test_log_mel_becomes_the_sound_it_was(sound: np.ndarray) -> None:
    """Its log-mel again, on real music: as near as the reconstruction for listening gets."""
    mel = torch.from_numpy(mel_of(sound, OURS).copy())[None]
    waveform = bridge_between(OURS, WaveformInput(sample_rate=22050, samples=36934))(mel)
    again = LogMel(OURS)(waveform)
    for_listening = mel_of(sonify(mel.numpy(), OURS, 100)[0], OURS)
    inner = np.s_[..., 4:-4]
    error = (again - mel).abs().numpy()[inner].mean()
    assert error < 0.25  # nat
    assert error < 2 * np.abs(for_listening - mel[0].numpy())[inner].mean()


def test_log_mel_becomes_other_log_mel(sound: np.ndarray) -> None:
    mel = torch.from_numpy(mel_of(sound, OURS).copy())[None]
    other = FrontEnd(mel_bands=40, filters="slaney", mel_scale="slaney", power=2.0,
                     logarithm="db", floor=1e-10)  # fmt: skip
    direct = bridge_between(OURS, other)
    assert len(list(direct.children())) == 3  # by magnitudes alone
    assert np.abs(direct(mel)[0].numpy() - mel_of(sound, other)).mean() < 1.5  # dB
    elsewhere = front_end_from(
        {"convention": "librosa", "excerpt_frames": 60, "highest_hz": 8000.0}
    )
    found = bridge_between(OURS, elsewhere)(mel)[0].numpy()
    assert found.shape == (128, 60)
    wanted = mel_of(sound, elsewhere)
    first = (wanted.shape[1] - 60) // 2
    assert np.median(np.abs(found - wanted[:, first : first + 60])) < 2.5  # dB


def test_a_step_along_the_gradient_goes_up(sound: np.ndarray) -> None:
    """Of the energy between 1 and 2 kHz of the waveform, from a real excerpt."""
    bridge = bridge_between(OURS, WaveformInput(sample_rate=16000, samples=16000))

    def energy(mel: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfft(bridge(mel), dim=1).abs().square()
        return spectrum[:, 1000:2000].sum(1).log()

    x = torch.from_numpy(mel_of(sound, OURS).copy())[None].requires_grad_(True)
    (gradient,) = torch.autograd.grad(energy(x).sum(), x)
    assert torch.isfinite(gradient).all()
    step = 0.5 * gradient / gradient.norm()
    with torch.no_grad():
        slope = float(energy(x + step) - energy(x - step)) / 1.0
    assert slope == pytest.approx(float(gradient.norm()), rel=0.2)


@pytest.mark.parametrize("level", [-16.2, 0.0, 50.0, 500.0])
def test_any_drawn_level_gives_a_finite_waveform_and_gradient(level: float) -> None:
    x = torch.full((1, 80, 115), level, requires_grad=True)
    waveform = bridge_between(OURS, WaveformInput(sample_rate=16000, samples=512))(x)
    (gradient,) = torch.autograd.grad(waveform.square().sum(), x)
    assert torch.isfinite(waveform).all() and torch.isfinite(gradient).all()
    if level < -16.1:
        assert float(waveform.detach().abs().max()) < 1e-4


def test_resampling_keeps_a_tone() -> None:
    before = tone(440.0, 2.0).astype(np.float32)
    after = Resampled(len(before), 22050, 16000)(torch.from_numpy(before)[None])[0].numpy()
    middle = slice(2000, -2000)
    np.testing.assert_allclose(after[middle], tone(440.0, 2.0, 16000)[middle], atol=2e-3)


@pytest.mark.parametrize(
    "eaten, message",
    [
        (WaveformInput(sample_rate=16000, samples=48000), "takes 48000 samples.*has 26800"),
        (FrontEnd(excerpt_frames=300), "takes 300 frames"),
        (FrontEnd(frame_length=128, hop_length=64), "mel band 0 is empty"),
        (ImageInput(channels=1, height=80, width=115), "network takes pictures"),
    ],
)
def test_where_there_is_no_way_it_is_said(eaten: FrontEnd, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bridge_between(OURS, eaten)


def test_pictures_get_the_range_their_network_takes() -> None:
    picture = torch.rand(2, 3, 4, 5)
    eaten = ImageInput(channels=3, height=4, width=5, high=255.0, mean=(1.0, 2.0, 3.0),
                       deviation=(2.0,))  # fmt: skip
    drawn = ImageInput(channels=3, height=4, width=5)
    found = bridge_between(drawn, eaten, "HWC")(picture)
    wanted = (picture * 255 - torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)) / 2
    torch.testing.assert_close(found, wanted.permute(0, 2, 3, 1))


@pytest.mark.usefixtures("brief_validation")
def test_a_gan_draws_what_a_specification_says(
    command: Run, some_of_the_sample: Path, tmp_path: Path
) -> None:
    """Excerpts of another shape and convention, trained and searched."""
    spec = tmp_path / "input.toml"
    spec.write_text(
        'convention = "librosa"\nframe_length = 1024\nhop_length = 256\nmel_bands = 32\n'
        "excerpt_frames = 40\nhighest_hz = 8000\n"
    )
    trained = command(
        "train-gan", some_of_the_sample, "--input", spec, "--out", tmp_path / "gan",
        *"--channels 16 --steps 2 --autoencoder-steps 1 --encoder-steps 1 --batch-size 4 "
        "--sample-every 2 --quiet".split(),
    )  # fmt: skip
    assert trained.code == 0, trained.err
    from ganexplain.gans.checkpoint import load_encoder, load_generator

    cpu = torch.device("cpu")
    generator, drawn = load_generator(tmp_path / "gan" / "gan.pt", cpu)
    assert drawn == read_input_file(spec)[0]
    made = generator(torch.zeros(2, 128))
    assert isinstance(drawn, FrontEnd)
    assert made.shape == (2, 32, 40) and float(made.min()) >= drawn.silence - 1e-3
    assert load_encoder(tmp_path / "gan" / "gan.pt", cpu)(made)[0].shape == (2, 128)


def test_front_ends_that_differ_in_what_is_not_usual_are_told_apart() -> None:
    ours, theirs = (Path("a.pt"), FrontEnd()), (Path("b.pt"), FrontEnd(filters="peak"))
    check_same_front_end(ours, ours)
    for pair in ((ours, theirs), (theirs, ours)):
        with pytest.raises(UsageError, match="different front ends: filters is"):
            check_same_front_end(*pair)


def test_thousands_of_classes_may_have_names(tmp_path: Path) -> None:
    names = [f"the bird of number {k}" for k in range(6522)]
    path = tmp_path / "birds.toml"
    text = tomli_w.dumps({"kind": "waveform", "sample_rate": 48000, "samples": 144000})
    path.write_text(text + tomli_w.dumps({"network": {"classes": names}}))
    assert list(read_input_file(path)[1].classes) == names
