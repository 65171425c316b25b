"""Numbers that go wrong, by the command line: the sensible thing, or one line that says why."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from PIL import Image
from support.commands import Finished, Run
from support.paths import PRETRAINED
from support.recordings import RATE, JamendoFolder, noise, song, write_sound

from ganexplain.attribution.methods.registry import method_for
from ganexplain.audio import io
from ganexplain.audio.io import load_mono, read_duration
from ganexplain.config import AttributeConfig
from ganexplain.corpora.cache import cached_log_mel
from ganexplain.errors import BadFile
from ganexplain.files.arrays import read_arrays
from ganexplain.files.atomic import read_json
from ganexplain.files.checkpoints import load_data
from ganexplain.inputs.log_mel import FrontEnd

GAN, REFEREE = PRETRAINED / "gan.pt", PRETRAINED / "referee.pt"
NETWORKS = """
import torch
from torch import nn

class Base(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(80, 2)
    def forward(self, mel):
        return self.end(self.fc(mel.mean(2)))

class NotANumber(Base):
    end = staticmethod(lambda y: y / 0 * 0)
class SteepRoot(Base):
    end = staticmethod(lambda y: torch.sqrt(torch.relu(y) * 0))
class Detached(Base):
    end = staticmethod(lambda y: y.detach())
class Steps(Base):
    end = staticmethod(lambda y: (y > 0).float())
class Dead(Base):
    end = staticmethod(lambda y: y * torch.tensor([1.0, 0.0]) + 1)
"""


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a module of networks that misbehave."""
    monkeypatch.chdir(tmp_path)
    name = f"bad_{abs(hash(str(tmp_path)))}"  # Python keeps modules by name
    Path(f"{name}.py").write_text(NETWORKS)
    return Path(name)


def searched(command: Run, model: str, out: str = "out", *more: str | Path) -> Finished:
    return command(
        "explain", "--model", model, "--gan", GAN, "--learning-rate", "0.1", "--prior-weight",
        "0.01", "--iterations", "3", "--examples", "3", "--jobs", "1", "--out", out, "-q", *more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("network", "code", "line"),
    [
        ("NotANumber", 1, "response to samples of the GAN is not finite already"),
        ("SteepRoot", 1, "a response is not finite at iteration 1"),
        ("Detached", 2, "the unit's response has no gradient"),
        ("Steps", 2, "the unit's response has no gradient"),
    ],
)
def test_responses_and_gradients_that_are_none(
    command: Run, networks: Path, network: str, code: int, line: str
) -> None:
    done = searched(command, f"{networks}:{network}")
    assert done.code == code
    assert line in done.error_line()
    assert not Path("out", "explanations.npz").exists()


def test_a_unit_that_nothing_drives_is_said(
    command: Run, networks: Path, jamendo: JamendoFolder
) -> None:
    assert searched(command, f"{networks}:Dead", "out", "--neuron", "0,1").code == 0
    done = command(
        "select", "out/output-1-max/explanations.npz", "--corpus", jamendo.root, "--classifier",
        f"{networks}:Dead", "--no-controls", "--out", "s", "-q",
    )  # fmt: skip
    assert done.code == 0, done.err
    document = read_json(Path("s", "selection.json"))
    assert "± 0, rounding alone: the unit does not respond" in document["warnings"][0]
    assert any("nothing drives this unit" in warning for warning in document["warnings"])
    assert document["response_variation"]["std"] == 0
    assert done.out.index("does not respond") < done.out.index("FID response")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(command: Run, tmp_path: Path, value: float) -> None:
    for source, table, key, option in (
        (REFEREE, "weights", "fc8.bias", "--classifier"),
        (GAN, "generator", "fc.bias", "--gan"),
    ):
        content = load_data(source)
        content[table][key][3] = value
        torch.save(content, tmp_path / source.name)
        paths = {"--classifier": REFEREE, "--gan": GAN, option: tmp_path / source.name}
        words = [word for pair in paths.items() for word in pair]
        done = command("explain", *words, "--out", tmp_path / "out", "-q")
        assert done.code == 1
        assert (
            f"{source.name}: weight {key} contains values that are not finite" in done.error_line()
        )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_gan_that_diverges(command: Run, jamendo: JamendoFolder, tmp_path: Path) -> None:
    done = command(
        "train-gan", jamendo.root, "--learning-rate", "1e18", "--steps", "5", "--batch-size", "4",
        "--autoencoder-steps", "0", "--channels", "16", "--out", tmp_path / "gan", "-q",
    )  # fmt: skip
    assert done.code == 1
    assert "lower --learning-rate" in done.error_line()
    assert not (tmp_path / "gan" / "gan.pt").exists()


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("attribute song.wav --classifier c.pt", "--samples"),
        ("attribute song.wav --classifier c.pt", "--founders"),
        ("attribute song.wav --classifier c.pt", "--generations"),
        ("explain --classifier c.pt --gan g.pt", "--examples"),
        ("explain --classifier c.pt --gan g.pt", "--iterations"),
        ("counterfactual --start-from song.wav@1 --classifier c.pt --gan g.pt", "--iterations"),
        ("train-gan corpus", "--steps"),
        ("train-classifier corpus", "--epochs"),
        ("train-explainer corpus --classifier c.pt", "--seed"),
        ("report e.npz --selection s", "--griffin-lim-iterations"),
    ],
)
def test_counts_that_nobody_means_are_refused(
    command: Run, tmp_path: Path, words: str, option: str
) -> None:
    done = command(*words.split(), option, "99999999999", "--out", tmp_path / "out", "-q")
    assert done.code == 2 and option in done.err
    assert "must be at most 1000000000" in done.err or "less than or equal to" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("spans", ["0", "99999999999"])
def test_spans_of_stems_that_cannot_be_are_refused(
    command: Run, tmp_path: Path, spans: str
) -> None:
    for name in ("a", "b"):
        write_sound(tmp_path / "stems" / f"{name}.wav", noise(4.0, seed=ord(name)))
    mix = noise(4.0, seed=ord("a")) + noise(4.0, seed=ord("b"))
    done = command(
        "attribute", f"{write_sound(tmp_path / 'mix.wav', mix)}@2", "--classifier", REFEREE,
        "--segments", f"sources:{tmp_path / 'stems'}:{spans}", "--out", tmp_path / "out", "-q",
    )  # fmt: skip
    assert done.code == 2
    assert f":{spans}: give 1 to 115 spans of each stem" in done.error_line()


def test_what_lime_takes_is_announced_whole() -> None:
    """All subsets of 21 segments, where no more samples are wanted than there are."""
    config = AttributeConfig(inputs=("song.wav",))
    assert method_for("lime", replace(config, samples=3_000_000)).passes(21) == 2**21
    assert method_for("lime", replace(config, samples=10**7)).passes(24) == 10**7
    assert method_for("lime", config).passes(9200) == 2000


def test_recordings_that_never_vary(command: Run, jamendo: JamendoFolder, tmp_path: Path) -> None:
    for name in ("one.wav", "two.flac"):
        write_sound(jamendo.audio(name), np.full(4 * RATE, 0.5))
    done = command("train-classifier", jamendo.root, "--out", tmp_path / "out", "-q")
    assert done.code == 1
    assert "never varies over the training recordings" in done.error_line()


def test_one_sample_of_a_class_is_enough_and_none_is_refused(command: Run, tmp_path: Path) -> None:
    """Three pictures of each class, one to a split: enough to train on, if not to learn from."""
    chance = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        for label in ("a", "b"):
            folder = tmp_path / "pictures" / split / label
            folder.mkdir(parents=True)
            values = chance.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(values).save(folder / "one.png")
    words = ("train-classifier", tmp_path / "pictures", "--epochs", "1", "--updates-per-epoch", "1",
             "--batch-size", "2", "-q", "--out", tmp_path / "out")  # fmt: skip
    assert command(*words).code == 0
    (tmp_path / "pictures" / "train" / "b" / "one.png").unlink()
    done = command(*words, "--overwrite")
    assert done.code == 1
    assert "no frame of class 'b' in the train split" in done.error_line()


# --- sound of every kind --------------------------------------------------------------------------


def sounds(folder: Path) -> dict[str, Path]:
    """What microphones, studios and broken converters give."""
    six = np.stack([song(0, 192_000, 2.0)] * 6, axis=1)
    return {
        "clipped": write_sound(folder / "clipped.wav", np.clip(50 * song(0), -1, 1)),
        "offset": write_sound(folder / "offset.wav", np.full(2 * RATE, 0.5)),
        "square": write_sound(folder / "square.wav", np.sign(song(0))),
        "quiet": write_sound(folder / "quiet.wav", 1e-3 * song(0), subtype="FLOAT"),
        "loud": write_sound(folder / "loud.wav", 5 * song(0), subtype="FLOAT"),
        "8 kHz": write_sound(folder / "slow.wav", song(0, 8000), 8000, "PCM_U8"),
        "5.1": write_sound(folder / "fast.flac", six, 192_000, "PCM_24"),
    }


def test_sound_of_every_kind_is_heard(command: Run, tmp_path: Path) -> None:
    found = sounds(tmp_path)
    done = command("predict", *found.values(), "--classifier", REFEREE, "--out", tmp_path / "p",
                   "-q", "--json")  # fmt: skip
    assert done.code == 0, done.err
    for path in found.values():
        lines = (tmp_path / "p" / f"{path.stem}.csv").read_text().splitlines()[1:]
        values = np.array([line.split(",") for line in lines], dtype=float)
        assert len(values) == pytest.approx(70 * read_duration(path), abs=4)
        assert ((values[:, 1:] >= 0) & (values[:, 1:] <= 1)).all()
    # Loudness apart from 5.1 to mono, the sound is one: so is what is heard in it.
    same = [load_mono(found[name], RATE)[:RATE] for name in ("5.1", "quiet")]
    assert np.corrcoef(same)[0, 1] > 0.7


def test_ten_milliseconds_are_too_few(command: Run, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "click.wav", noise(0.01))
    for words in (("predict", path), ("attribute", path)):
        done = command(*words, "--classifier", REFEREE, "--out", tmp_path / "out", "-q")
        assert done.code == 1
        assert "click.wav: shorter than one frame" in done.error_line()


def long_recording(path: Path, hours: float) -> Path:
    """A second of noise, then holes: next to nothing on the disk, all there to who reads."""
    write_sound(path, noise(1.0))
    head = bytearray(path.read_bytes())
    data = head.index(b"data")
    size = round(hours * 3600) * RATE * 2
    head[4:8] = (size + data).to_bytes(4, "little")
    head[data + 4 : data + 8] = size.to_bytes(4, "little")
    with path.open("wb") as stream:
        stream.write(head)
        stream.truncate(data + 8 + size)
    assert sf.info(str(path)).duration == pytest.approx(hours * 3600, abs=0.1)
    return path


def test_features_of_long_recordings_take_no_memory(tmp_path: Path) -> None:
    path = long_recording(tmp_path / "long.wav", 0.5)
    tracemalloc.start()
    try:
        mel = cached_log_mel(path, FrontEnd(), tmp_path / "cache")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert mel.nbytes > 40e6 and peak < mel.nbytes / 2


def test_what_must_be_held_as_a_whole_has_a_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = long_recording(tmp_path / "long.wav", 0.02)
    assert len(load_mono(path, RATE)) == 72 * RATE
    monkeypatch.setattr(io, "LONGEST_IN_MEMORY", 2**20)
    with pytest.raises(BadFile, match=r"long\.wav: longer than 0\.0 hours"):
        load_mono(path, RATE)


@pytest.mark.slow
def test_an_excerpt_of_ten_hours_is_found(command: Run, tmp_path: Path) -> None:
    path = long_recording(tmp_path / "long.wav", 10)
    done = command(
        "counterfactual", "--start-from", f"{path}@0.2", "--classifier",
        PRETRAINED / "classifier.pt", "--on", "gan", "--gan", GAN, "--refine-steps", "1",
        "--iterations", "1",
        "--griffin-lim-iterations", "1", "--out", tmp_path / "out", "-q",
    )  # fmt: skip
    assert done.code == 0, done.err
    arrays, _ = read_arrays(tmp_path / "out" / "counterfactual.npz", "counterfactual", ())
    assert np.isfinite(arrays["counterfactual_mel"]).all()
