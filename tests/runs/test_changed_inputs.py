"""A run that is taken up reads what it began with: other labels, sound or networks are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.commands import Run
from support.paths import PRETRAINED, ROOT
from support.recordings import JamendoFolder, noise, write_sound

from ganexplain.files.checkpoints import load_data, read_checkpoint

pytestmark = pytest.mark.usefixtures("brief_validation")
CLASSIFIER = ("--preset", "paper", "--updates-per-epoch", "2", "--batch-size", "4", "--quiet",
              "--checkpoint-every", "1")  # fmt: skip
GAN = ("--channels", "16", "--batch-size", "4", "--sample-every", "4", "--autoencoder-steps", "1",
       "--encoder-steps", "1", "--checkpoint-every", "1", "--quiet")  # fmt: skip


def other_weights(path: Path, key: str = "weights") -> None:
    """The same checkpoint with one weight changed."""
    content = load_data(path)
    next(iter(content[key].values())).view(-1)[0] += 1e-3
    torch.save(content, path)


def exchanged(path: Path) -> None:
    """Labels with the classes exchanged."""
    text = path.read_text().replace("nosing", "X").replace("sing", "nosing").replace("X", "sing")
    assert text != path.read_text()
    path.write_text(text)


def other_sound(path: Path) -> None:
    write_sound(path, 0.5 * noise(4.0, seed=9))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def assert_refused(
    command: Run, words: tuple[str | Path, ...], out: Path, path: Path, change: Callable
) -> None:
    """A changed file is named, nothing else is done, and with the file put back it is as before."""
    before, kept = contents(out), path.read_bytes()
    change(path)
    done = command(*words, "--resume")
    assert done.code == 1
    assert str(path) in done.error_line() and "began" in done.error_line()
    assert contents(out) == before
    path.write_bytes(kept)


def test_a_classifier_goes_on_with_its_own_inputs_alone(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    words = ("train-classifier", jamendo.root, *CLASSIFIER)
    one, two = tmp_path / "one", tmp_path / "two"
    assert command(*words, "--epochs", "2", "--out", one).code == 0
    assert command(*words, "--epochs", "1", "--out", two).code == 0
    more = (*words, "--epochs", "2", "--out", two)
    for name in ("one.wav", "three.wav", "four.wav"):  # to train, validate and test with
        assert_refused(command, more, two, jamendo.label_file(name), exchanged)
        assert_refused(command, more, two, jamendo.audio(name), other_sound)
    kept = jamendo.listing("valid").read_bytes()
    jamendo.add("valid", "five.wav", noise(4.0, seed=5))
    done = command(*more, "--resume")
    assert done.code == 1 and "valid recordings" in done.error_line()
    assert str(jamendo.audio("five.wav")) in done.error_line()
    jamendo.listing("valid").write_bytes(kept)
    jamendo.audio("five.wav").unlink()
    assert command(*more, "--resume").code == 0
    first, second = (
        read_checkpoint(out / "classifier.pt", "classifier")["weights"] for out in (one, two)
    )
    for name in first:
        assert torch.equal(first[name], second[name]), name


def test_the_networks_of_a_gan_s_training_stay_the_same(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    judge, teacher, out = tmp_path / "judge.pt", tmp_path / "teacher.pt", tmp_path / "run"
    for path in (judge, teacher):
        shutil.copy(PRETRAINED / "referee.pt", path)
    words = ("train-gan", jamendo.root, *GAN, "--classifier", judge, "--features-of", teacher,
             "--out", out)  # fmt: skip
    assert command(*words, "--steps", "1").code == 0
    for path in (judge, teacher):
        assert_refused(command, (*words, "--steps", "2"), out, path, other_weights)


def test_the_networks_of_an_explainer_stay_the_same(command: Run, tmp_path: Path) -> None:
    explained, out = tmp_path / "classifier.pt", tmp_path / "run"
    shutil.copy(PRETRAINED / "referee.pt", explained)
    corpus = tmp_path / "corpus"
    for folder in ("audio", "labels", "filelists"):
        (corpus / folder).mkdir(parents=True)
    for split, name in (("train", "gig_lea_soul"), ("valid", "gig_cor_rock")):
        for folder, ending in (("audio", "ogg"), ("labels", "lab")):
            source = ROOT / "sample_data" / folder / f"{name}.{ending}"
            shutil.copy(source, corpus / folder / source.name)
        (corpus / "filelists" / split).write_text(f"{name}.ogg\n")
    words = ("train-explainer", corpus, "--classifier", explained, "--width", "8", "--batch-size",
             "4", "--held-out", "4", "--examples", "8", "--teacher", "grad-cam", "--quiet",
             "--checkpoint-every", "1", "--out", out)  # fmt: skip
    done = command(*words, "--steps", "1")
    assert done.code == 0, done.err
    assert_refused(command, (*words, "--steps", "2"), out, explained, other_weights)


def test_explain_goes_on_with_its_own_networks(command: Run, tmp_path: Path) -> None:
    classifier, gan, out = tmp_path / "classifier.pt", tmp_path / "gan.pt", tmp_path / "run"
    shutil.copy(PRETRAINED / "referee.pt", classifier)
    shutil.copy(PRETRAINED / "gan.pt", gan)
    words = ("explain", "--classifier", classifier, "--gan", gan, "--learning-rate", "0.1",
             "--prior-weight", "0.1", "--iterations", "2", "--examples", "2", "--jobs", "1",
             "--quiet", "--out", out)  # fmt: skip
    assert command(*words).code == 0
    assert_refused(command, words, out, classifier, other_weights)
    assert_refused(command, words, out, gan, lambda path: other_weights(path, "generator"))
    assert command(*words, "--resume").code == 0


def test_a_run_without_a_record_says_what_cannot_be_checked(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    """As left by a version that wrote its inputs at the end alone, and killed."""
    out = tmp_path / "run"
    words = ("train-gan", jamendo.root, *GAN[:-1], "--out", out)
    assert command(*words, "--steps", "1").code == 0
    record = json.loads((out / "run.json").read_text())
    assert {"train recordings", "valid recordings"} <= record["inputs"].keys()
    (out / "run.json").write_text(json.dumps(record | {"inputs": {}, "files": {}}))
    done = command(*words, "--steps", "2", "--resume")
    assert done.code == 0
    assert "no record of its train recordings, valid recordings" in done.err
    assert json.loads((out / "run.json").read_text())["inputs"] == record["inputs"]
    done = command(*words, "--steps", "3", "--resume")
    assert "no record" not in done.err


def test_the_code_of_a_factory_is_an_input(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out = tmp_path / "factory_of_a_test.py", tmp_path / "explain"
    code.write_text("import torch\ndef made():\n    return torch.nn.Flatten()\n")
    words = ("explain", "--model", "factory_of_a_test:made", "--gan", PRETRAINED / "gan.pt",
             "--layer", "output:5", "--iterations", "1", "--examples", "2", "--learning-rate",
             "0.1", "--prior-weight", "0.1", "--quiet", "--out", out)  # fmt: skip
    done = command(*words)
    assert done.code == 0, done.err
    assert str(code) in json.loads((out / "run.json").read_text())["files"]
    assert_refused(command, words, out, code, lambda path: path.write_text(path.read_text() + "#"))
    done = command(*words, "--resume")
    assert done.code == 0, done.err


@pytest.mark.parametrize("line", ["import absent_of_a_test", "def", "1 / 0", "raise SystemExit(0)"])
def test_code_that_cannot_be_imported_is_one_line(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"broken_of_a_test_{len(line)}"
    (tmp_path / f"{name}.py").write_text(f"{line}\n")
    done = command("layers", f"{name}:made", "--gan", PRETRAINED / "gan.pt")
    assert done.code == 2
    assert f"--model {name}:made: {name} cannot be imported" in done.error_line()
