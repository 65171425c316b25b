"""`attribute` of networks of one's own: pictures, waveforms, log-mel of another convention."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from PIL import Image
from support.attributed import Tags, attribution
from support.commands import Run
from support.recordings import noise, tone, write_sound
from torch import nn

from ganexplain.networks.decisions import guess_output_kind

SIDE = 16


class RedCorner(nn.Module):
    """Logits (B, 3): `red` grows with the red of the upper left quarter, and with nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.corner = nn.Conv2d(3, 1, 1, bias=False)
        with torch.no_grad():
            self.corner.weight.copy_(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        red = self.corner(x)[:, 0, : SIDE // 2, : SIDE // 2].mean((1, 2))
        return torch.stack([0 * red, 2 * red, 0 * red - 1], dim=1)


@pytest.fixture
def red(tmp_path: Path) -> list[str | Path]:
    """A traced network and pictures, as the words of the command."""
    torch.jit.save(torch.jit.trace(RedCorner(), torch.zeros(2, 3, SIDE, SIDE)), tmp_path / "n.pt")
    (tmp_path / "n.toml").write_text(
        f'kind = "image"\nchannels = 3\nheight = {SIDE}\nwidth = {SIDE}\n'
        "mean = [0.5, 0.25, 0.5]\ndeviation = [0.5, 0.5, 0.25]\n"
        '[network]\nclasses = ["none", "red", "other"]\n'
    )
    random = np.random.default_rng(0)
    for name in ("a/one.png", "b/one.png", "two.jpg"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (2 * SIDE, 2 * SIDE, 3), dtype=np.uint8)
        pixels[:SIDE, :SIDE, 0] |= 0xC0
        Image.fromarray(pixels).save(path)
    return [tmp_path / "pictures", "--model", tmp_path / "n.pt", "--input", tmp_path / "n.toml"]


def test_what_a_network_of_pictures_looks_at_is_found(
    command: Run, red: list[str | Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    methods = ("occlusion", "lime", "elime", "grad-cam")
    done = command(
        "attribute", *red, *(word for name in methods for word in ("--method", name)),
        "--fill", "zero", "--score", "logit", "--samples", "200", "--json", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert [entry["explained"] for entry in document["inputs"]] == ["red"] * 3
    assert {entry["at_s"] for entry in document["inputs"]} == {None}
    assert len({result["folder"] for e in document["inputs"] for result in e["results"]}) == 12
    corner = np.zeros((SIDE, SIDE), dtype=bool)
    corner[: SIDE // 2, : SIDE // 2] = True
    for entry in document["inputs"]:
        for method, result in zip(methods, entry["results"], strict=True):
            arrays, _ = attribution(out / result["folder"])
            assert arrays["map"].shape == arrays["segments"].shape == (SIDE, SIDE)
            if method in ("occlusion", "lime"):
                relevant = np.abs(arrays["map"]) > 0.05 * np.abs(arrays["map"]).max()
                np.testing.assert_array_equal(relevant, corner, err_msg=method)
            assert result["measures"]["faithfulness"] > entry["floor"]["faithfulness"], method


def test_kept_and_removed_are_pictures_with_the_fill_between(
    command: Run, red: list[str | Path], tmp_path: Path
) -> None:
    out, labels = tmp_path / "run", np.zeros((SIDE, SIDE), dtype=np.int64)
    labels[: SIDE // 2, : SIDE // 2] = 1
    np.save(tmp_path / "labels.npy", labels)
    mask = Image.fromarray((labels * 255).astype(np.uint8))
    (tmp_path / "masks").mkdir()
    mask.save(tmp_path / "masks" / "two.png")
    done = command(
        "attribute", tmp_path / "pictures" / "two.jpg", *red[1:], "--method", "occlusion", "--fill",
        "zero", "--segments", f"file:{tmp_path / 'labels.npy'}", "--target", "red", "--truth",
        tmp_path / "masks", "--json", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    (result,) = json.loads(done.out)["inputs"][0]["results"]
    assert result["kept"] == [1] and result["measures"]["truth_mass"] == 1
    whole, kept, removed = (
        np.asarray(Image.open(out / f"{name}.png")) for name in ("whole", "kept", "removed")
    )
    inside = labels.astype(bool)
    np.testing.assert_array_equal(kept[inside], whole[inside])
    np.testing.assert_array_equal(removed[~inside], whole[~inside])
    mean = np.array([0.5, 0.25, 0.5]) * 255  # what stands for zero to the network
    np.testing.assert_allclose(kept[~inside], np.broadcast_to(mean, kept[~inside].shape), atol=1)
    tags = Tags((out / "report.html").read_text())
    assert "audio" not in tags.seen and tags.seen["image"] == 4
    assert all(address.startswith("data:") for address in tags.addresses)


class SecondHalf(nn.Module):
    """Waveforms (B, 4000) -> the probability (B, 1) that their second half is louder."""

    def __init__(self) -> None:
        super().__init__()
        self.loud = nn.Conv1d(1, 1, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        level = (self.loud(x[:, None]) / self.loud.weight).square()
        first, second = level.view(len(x), 2, 2000).mean(2).unbind(1)
        return torch.sigmoid(4 * (second / (first + second + 1e-9) - 0.5))[:, None]


class Bands(nn.Module):
    """Log-mel (B, 1, T, F) -> logits (B, 2): of the upper half of the bands over the lower."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        low, high = x.mean((1, 2)).view(len(x), 2, -1).mean(2).unbind(1)
        return torch.stack([low, high], dim=1) / 10


def test_a_network_of_waveforms_is_asked_in_time(command: Run, tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(SecondHalf()), tmp_path / "n.pt")
    (tmp_path / "n.toml").write_text(
        'kind = "waveform"\nsample_rate = 8000\nsamples = 4000\ngain = 2.0\nstandardise = true\n'
    )
    sound = np.concatenate([np.zeros(8000), tone(500, 0.25, 8000) + noise(0.25, 8000)])
    path = write_sound(tmp_path / "sound.wav", sound, 8000)
    done = command(
        "attribute", f"{path}@1.0", "--model", tmp_path / "n.pt", "--input", tmp_path / "n.toml",
        "--method", "occlusion", "--method", "lime", "--method", "grad-cam", "--fill", "silence",
        "--json", "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "taken for probabilities" in done.err
    document = json.loads(done.out)
    (entry,) = document["inputs"]
    assert entry["explained"] == "positive" and entry["full_score"] > 0.85
    for result in entry["results"]:
        folder = tmp_path / "run" / result["folder"]
        arrays, _ = attribution(folder)
        assert arrays["map"].shape == (1, 4000) and arrays["segments"].max() == 9
        largest = arrays["weights"].max()
        assert set(np.flatnonzero(arrays["weights"] > 0.1 * largest)) <= {5, 6, 7, 8, 9}
        whole = sf.read(tmp_path / "run" / "whole.flac")[0]
        kept, removed = (sf.read(folder / f"{name}.flac")[0] for name in ("kept", "removed"))
        np.testing.assert_allclose(kept + removed, whole, atol=1e-4)
    assert Tags((tmp_path / "run" / "report.html").read_text()).seen["audio"] == 10


def test_log_mel_of_another_convention_is_what_the_network_gets(
    command: Run, tmp_path: Path
) -> None:
    torch.jit.save(torch.jit.script(Bands()), tmp_path / "n.pt")
    (tmp_path / "n.toml").write_text(
        'convention = "librosa"\nmel_bands = 40\nexcerpt_frames = 32\n'
        '[network]\nlayout = "1TF"\nclasses = ["low", "high"]\n'
    )
    path = write_sound(tmp_path / "high.wav", tone(6000, 2.0) + 0.01 * noise(2.0))
    done = command(
        "attribute", f"{path}@1.0", "--model", tmp_path / "n.pt", "--input", tmp_path / "n.toml",
        "--method", "occlusion", "--segments", "spectral:4", "--fill", "silence",
        "--target", "high", "--score", "logit", "--json", "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    arrays, _ = attribution(tmp_path / "run")
    lowest, _, _, highest = arrays["weights"]
    assert highest > 0 > lowest
    import librosa

    rate = 22050
    waveform = sf.read(path)[0].astype(np.float32)
    theirs = librosa.power_to_db(
        librosa.feature.melspectrogram(y=waveform, sr=rate, n_mels=40), top_db=None
    )
    middle = round(rate / 512)
    mel = np.load(tmp_path / "run" / "attribution.npz")["mel"]
    np.testing.assert_allclose(mel, theirs[:, middle - 16 : middle + 16], atol=0.1)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([[2.0, -1.0]], "logits"),
        ([[0.25, 0.75], [0.5, 0.5]], "probabilities"),
        ([[0.2], [0.9]], "probabilities"),
        ([[0.9, 0.9, 0.1]], "activations"),
    ],
)
def test_outputs_are_known_by_their_looks(values: list[list[float]], kind: str) -> None:
    assert guess_output_kind(torch.tensor(values)) == kind


def test_what_does_not_go_together_is_said(
    command: Run, red: list[str | Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    sound = write_sound(tmp_path / "sound.wav", noise(1.0))
    cases = (
        ((tmp_path / "empty", *red[1:]), "contains no picture"),
        ((sound, *red[1:]), "cannot be read as a picture"),
        ((tmp_path / "gone.png", *red[1:]), "no such file"),
        ((*red, "--segments", "sources:stems"), "pictures have no separated sources"),
        ((*red, "--fill", "silence"), "--fill silence"),
        ((*red, "--target", "rde"), "did you mean 'red'"),
        ((*red, "--outputs", "odds"), "one of auto, logits"),
        ((*red[:1],), "--classifier, or --model"),
    )
    for number, (words, said) in enumerate(cases):
        done = command("attribute", *words, "--quiet", "--out", tmp_path / f"run-{number}")
        assert done.code in (1, 2), words
        assert said in done.error_line()


@pytest.mark.parametrize(
    ("code", "message"),
    [  # for the input itself, and where parts of it are replaced alone
        ("(x - 1e3).sqrt()", "--model nan_networks:make: puts out NaN for {path}"),
        (
            "x / x.std((1, 2), keepdim=True)",
            "the network puts out NaN or infinity for",
        ),
    ],
)
def test_a_network_that_puts_out_nan_is_refused_in_one_line(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nan_networks.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Network(nn.Module):\n"
        "    def forward(self, x):\n"
        f"        return ({code}).mean(2)[:, :2]\n"
        "make = Network\n"
    )
    monkeypatch.delitem(sys.modules, "nan_networks", raising=False)
    path = write_sound(tmp_path / "one.wav", 0.5 * noise(3.0))
    done = command(
        "attribute", f"{path}@1.5", "--model", "nan_networks:make", "--method", "occlusion",
        "--segments", "2x2", "--fill", "silence", "--out", tmp_path / "run", "--quiet",
    )  # fmt: skip
    assert done.code == 1, done.out
    assert message.format(path=path) in done.error_line()
