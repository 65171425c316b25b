"""Bad input through the command line: one line that names it, exit 1 or 2, nothing half-written.

Where the process itself matters (signals, limits, streams) the command runs in one of its own
(`ganexplain`); elsewhere its entry point is called here (`command`), which spares the imports.
"""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.commands import Finished, Run, start_fork, wait_for
from support.paths import PRETRAINED, ROOT
from support.recordings import RATE, JamendoFolder, noise, song, write_sound

from ganexplain.classifiers.base import initialise
from ganexplain.classifiers.checkpoint import Classifier, load_classifier, write_classifier
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.config import TrainClassifierConfig
from ganexplain.files.atomic import read_json
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint
from ganexplain.gans.dcgan import Generator
from ganexplain.inputs.log_mel import FrontEnd

TINY = ("--epochs", "1", "--updates-per-epoch", "1", "--batch-size", "2")
FINAL_NAMES = {"classifier.pt", "gan.pt", "explanations.npz", "selection.json", "report.html"}


def train(run: Run, corpus: Path, out: Path, *more: str | Path) -> Finished:
    """The smallest training, without progress."""
    return run("train-classifier", corpus, "--out", out, *TINY, "--quiet", *more)


def left_in(out: Path) -> set[str]:
    """Names of everything under a run directory, temporary files too."""
    return {path.name for path in out.rglob("*")} if out.is_dir() else set()


def assert_nothing_made(out: Path) -> None:
    """No artifact, no temporary file; a run that had begun says how it ended."""
    left = left_in(out)
    assert left <= {"run.json", "config.toml", "log.txt", "metrics.jsonl"}, left
    if "run.json" in left:
        assert read_json(out / "run.json")["state"] in ("failed", "interrupted")


def write_small_classifier(
    path: Path,
    outputs: int = 1,
    front_end: FrontEnd = FrontEnd(),  # noqa: B008
) -> Path:
    """A valid `classifier.pt` with random weights."""
    network = SVDNet(outputs)
    initialise(network, 0)
    classes = ("nosing", "sing")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_classifier(
        path,
        Classifier(network, front_end, classes, 0.5, {}),
        TrainClassifierConfig(corpus=("nowhere",)),
    )
    return path


def write_small_gan(path: Path, front_end: FrontEnd = FrontEnd()) -> Path:  # noqa: B008
    """A valid `gan.pt` with random weights."""
    torch.manual_seed(0)
    content = {
        "generator": Generator(front_end.floor).state_dict(),
        "latent_size": 128,
        "front_end": asdict(front_end),
        "config": {},
    }
    write_checkpoint(path, "gan", content)
    return path


def explain_with(run: Run, folder: Path, *more: str | Path) -> Finished:
    """The smallest search in `folder`, from its classifier.pt and gan.pt."""
    paths = {"--classifier": "classifier.pt", "--gan": "gan.pt", "--out": "explain"}
    others = {flag: folder / name for flag, name in paths.items() if flag not in more}
    return run(
        "explain",
        *(word for pair in others.items() for word in pair),
        *("--learning-rate", "0.01", "--prior-weight", "0.01"),
        *("--iterations", "2", "--examples", "2", "--quiet"),
        *more,
    )


@pytest.fixture
def networks(tmp_path: Path) -> Path:
    """A folder with a valid classifier and a valid GAN."""
    write_small_classifier(tmp_path / "classifier.pt")
    write_small_gan(tmp_path / "gan.pt")
    return tmp_path


# --- corpora --------------------------------------------------------------------------------


def no_sound(corpus: JamendoFolder) -> None:
    corpus.audio("one.wav").write_bytes(b"this is no sound at all" * 100)


def no_samples(corpus: JamendoFolder) -> None:
    write_sound(corpus.audio("one.wav"), np.zeros(0))


def no_signal(corpus: JamendoFolder) -> None:
    write_sound(corpus.audio("one.wav"), np.zeros(4 * RATE))


def no_number(corpus: JamendoFolder) -> None:
    sound = song(0)
    sound[round(2.5 * RATE)] = np.nan
    write_sound(corpus.audio("one.wav"), sound, subtype="FLOAT")


def too_short(corpus: JamendoFolder) -> None:
    corpus.add("train", "short.wav", noise(0.04), "0 0.04 sing\n")


def absent(corpus: JamendoFolder) -> None:
    corpus.audio("one.wav").unlink()


def no_labels(corpus: JamendoFolder) -> None:
    corpus.label_file("one.wav").unlink()


def labels_no_line(corpus: JamendoFolder) -> None:
    corpus.label_file("one.wav").write_text("0.0 1.5 sing\n1.5 to 4 nosing\n")


def labels_unknown(corpus: JamendoFolder) -> None:
    corpus.label_file("one.wav").write_text("0.0 1.5 sing\n1.5 4 nosign\n")


def labels_past_the_end(corpus: JamendoFolder) -> None:
    corpus.label_file("one.wav").write_text("0.0 1.5 sing\n1.5 40 nosing\n")


def one_class(corpus: JamendoFolder) -> None:
    corpus.label_file("three.wav").write_text("0 4 sing\n")


def two_splits(corpus: JamendoFolder) -> None:
    corpus.list("test", "one.wav")


def no_lists(corpus: JamendoFolder) -> None:
    for split in ("train", "valid", "test"):
        corpus.listing(split).write_text("")


def no_folders(corpus: JamendoFolder) -> None:
    corpus.root.rename(corpus.root.with_name("moved"))
    corpus.root.mkdir()


def one_empty_list(corpus: JamendoFolder) -> None:
    corpus.listing("valid").write_text("\n")


SPOILED = [
    (no_sound, 1, ["audio/one.wav: cannot be read as sound"]),
    (no_samples, 1, ["one.wav"]),
    (no_signal, 1, ["audio/one.wav: is silent"]),
    (no_number, 1, ["audio/one.wav: a sample at 2.500 s is not a finite number"]),
    (too_short, 1, ["audio/short.wav: shorter than one frame"]),
    (absent, 1, ["audio/one.wav: no such file"]),
    (no_labels, 1, ["labels/one.lab: no such file"]),
    (labels_no_line, 1, ["labels/one.lab, line 2: '1.5 to 4 nosing' is not"]),
    (labels_unknown, 1, ["labels/one.lab, line 2: label 'nosign'", "did you mean 'nosing'?"]),
    (labels_past_the_end, 1, ["labels/one.lab, line 2: the label ends at 40 s", "4.000 s"]),
    (one_class, 1, ["no frame of class 'nosing' in the valid split"]),
    (two_splits, 1, ["one.wav is in two splits, train and test"]),
    (no_lists, 1, ["corpus: the corpus is empty"]),
    (no_folders, 2, ["corpus: no recordings (.wav, .flac,", ".m4a", "in it or its subfolders"]),
    (one_empty_list, 1, ["the valid split is empty"]),
]


@pytest.mark.parametrize(("spoil", "code", "parts"), SPOILED, ids=[s[0].__name__ for s in SPOILED])
def test_bad_corpus_is_named(
    command: Run,
    jamendo: JamendoFolder,
    tmp_path: Path,
    spoil: Callable[[JamendoFolder], None],
    code: int,
    parts: list[str],
) -> None:
    spoil(jamendo)
    done = train(command, jamendo.root, tmp_path / "out")
    message = done.error_line()
    assert done.code == code
    assert all(part in message for part in parts), message
    assert done.out == ""
    assert_nothing_made(tmp_path / "out")


@pytest.mark.parametrize("spoil", [no_sound, no_signal, labels_past_the_end, two_splits])
def test_train_gan_names_a_bad_corpus_too(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, spoil: Callable[[JamendoFolder], None]
) -> None:
    spoil(jamendo)
    done = command("train-gan", jamendo.root, "--out", tmp_path / "out", "--steps", "1", "-q")
    assert done.code == 1
    assert "one." in done.error_line()
    assert_nothing_made(tmp_path / "out")


def test_missing_corpus_in_a_process_of_its_own(ganexplain: Run, tmp_path: Path) -> None:
    done = ganexplain("train-classifier", tmp_path / "absent", "--out", tmp_path / "out")
    assert (done.code, done.out) == (2, "")
    assert f"{tmp_path / 'absent'}: no such corpus" in done.error_line()
    assert not (tmp_path / "out").exists()


def test_sample_that_is_no_number_in_a_process_of_its_own(
    ganexplain: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    no_number(jamendo)
    done = train(ganexplain, jamendo.root, tmp_path / "out")
    assert (done.code, done.out) == (1, "")
    assert "one.wav: a sample at 2.500 s" in done.error_line()
    assert_nothing_made(tmp_path / "out")
    assert list((tmp_path / "cache").rglob("*.npy")) == []


def test_skipped_files_are_listed_and_the_run_goes_on(
    ganexplain: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    no_signal(jamendo)
    jamendo.list("train", "absent.wav")
    jamendo.add("train", "five.wav", song(5), "0 four sing\n")
    jamendo.add("train", "six.wav", song(6))
    out = tmp_path / "out"
    done = ganexplain("train-classifier", jamendo.root, "--out", out, *TINY, "--skip-bad-files")
    assert done.code == 0, done.err
    assert done.out.strip() == str(out / "classifier.pt")
    told = [line for line in done.err.splitlines() if line.startswith("skipped: ")]
    log = (out / "log.txt").read_text()
    for name in ("one.wav", "absent.wav", "five.lab, line 1"):
        assert sum(name in line for line in told) == 1
        assert name in log
    assert len(told) == 3
    assert read_json(out / "run.json")["state"] == "done"
    assert load_classifier(out / "classifier.pt", torch.device("cpu")).classes == ("nosing", "sing")


def test_a_run_that_replaces_another_names_each_skipped_file_once(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    no_signal(jamendo)
    given = ("train-classifier", jamendo.root, "--out", tmp_path / "out", *TINY)
    for more in ((), ("--overwrite",)):
        done = command(*given, "--skip-bad-files", *more)
        assert done.code == 0 and done.err.count("one.wav: is silent") == 1
        assert (tmp_path / "out" / "log.txt").read_text().count("one.wav: is silent") == 1


def test_skipping_all_of_a_split_stops_the_run(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    write_sound(jamendo.audio("three.wav"), np.zeros(4 * RATE))
    done = train(command, jamendo.root, tmp_path / "out", "--skip-bad-files")
    assert done.code == 1
    assert "the valid split is empty" in done.error_line()
    assert_nothing_made(tmp_path / "out")


def test_outputs_that_do_not_fit_the_classes_are_named(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    done = train(command, jamendo.root, tmp_path / "out", "--outputs", "3")
    assert done.code == 2
    assert "--outputs 3: the corpus has 2 classes; use 1 or 2" in done.error_line()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_training_that_diverges_in_its_last_update_is_told(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    done = train(command, jamendo.root, tmp_path / "out", "--learning-rate", "1e18")
    assert done.code == 1
    assert "--learning-rate" in done.error_line()
    assert_nothing_made(tmp_path / "out")


# --- settings and run directories -----------------------------------------------------------


def test_misspelt_setting_is_named_with_the_nearest(ganexplain: Run, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("epochs = 3\nlerning-rate = 0.1\n")
    done = ganexplain("train-classifier", "corpus", "--out", tmp_path / "out", "--config", settings)
    assert (done.code, done.out) == (2, "")
    message = done.error_line()
    assert f"{settings}: lerning-rate is not a setting" in message
    assert "(did you mean 'learning-rate'?)" in message


@pytest.mark.parametrize(
    ("content", "part"), [(b"epochs = \n", "not TOML"), (b"\xff\xfe", "not TOML")]
)
def test_settings_that_are_no_toml_are_named(
    command: Run, tmp_path: Path, content: bytes, part: str
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_bytes(content)
    done = command("explain", "--config", settings)
    assert done.code == 2
    assert f"{settings}: {part}" in done.error_line()
    done = command("explain", "--config", tmp_path / "absent.toml")
    assert done.code == 2
    assert "absent.toml: cannot be read" in done.error_line()


def test_run_directory_in_use_is_kept(command: Run, jamendo: JamendoFolder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "classifier.pt").write_bytes(b"precious")
    (out / "run.json").write_text("{}")
    done = train(command, jamendo.root, out)
    assert done.code == 2
    assert f"--out {out}: not empty; add --overwrite" in done.error_line()
    assert left_in(out) == {"classifier.pt", "run.json"}


@pytest.mark.parametrize(
    ("stage", "more"),
    [
        ("train-classifier", ("--preset", "quick")),
        ("train-gan", ()),
        ("train-explainer", ("--method", "parts", "--classifier", PRETRAINED / "classifier.pt")),
    ],
)
def test_a_silent_recording_is_named_before_an_earlier_run_is_deleted(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, stage: str, more: tuple[str | Path, ...]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "classifier.pt").write_bytes(b"precious")
    (out / "run.json").write_text("{}")
    no_signal(jamendo)
    done = command(stage, jamendo.root, "--out", out, "--overwrite", "--quiet", *more)
    assert done.code == 1 and "audio/one.wav: is silent" in done.error_line()
    assert left_in(out) == {"classifier.pt", "run.json"}


def test_directory_of_something_else_is_left_alone(
    command: Run, jamendo: JamendoFolder, tmp_path: Path
) -> None:
    out = tmp_path / "home"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    done = train(command, jamendo.root, out, "--overwrite")
    assert done.code == 2
    assert f"--out {out}: not a run directory" in done.error_line()
    assert (out / "thesis.tex").read_text() == "years of work"


def test_overwriting_does_not_delete_an_input(command: Run, networks: Path) -> None:
    # Everything in one directory: --out names the run whose checkpoint is to be explained.
    (networks / "run.json").write_text("{}")
    before = (networks / "classifier.pt").read_bytes()
    done = explain_with(command, networks, "--out", networks, "--overwrite")
    assert done.code == 2
    assert str(networks) in done.error_line()
    assert (networks / "classifier.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("train-gan", "CORPUS", "--loss", "wgan"), "--loss: 'wgan' is not known (did you mean"),
        (("train-gan", "CORPUS", "--loss", "x"), "--loss: 'x' is not known; one of "),
        (("train-classifier", "CORPUS", "--device", "tpu9"), "--device tpu9: not usable here"),
    ],
)
def test_unknown_value_is_named(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    given = [str(jamendo.root) if word == "CORPUS" else word for word in arguments]
    done = command(*given, "--out", tmp_path / "out", "--quiet")
    assert done.code == 2
    assert part in done.error_line()
    assert_nothing_made(tmp_path / "out")


def test_what_is_there_or_not_is_refused_before_a_stage_is_imported(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganexplain.cli.app.load_stage", lambda place: pytest.fail(place))
    (tmp_path / "music").mkdir()
    (tmp_path / "out" / "select").mkdir(parents=True)
    (tmp_path / "out" / "select" / "notes").write_text("")
    done = command("run", tmp_path / "music", "--out", tmp_path / "out")
    assert (done.code, "contains an earlier run; --resume" in done.error_line()) == (2, True)
    done = command("train-gan", tmp_path / "music", "--out", tmp_path / "out")
    assert (done.code, "not empty; add --overwrite" in done.error_line()) == (2, True)
    done = command("run", tmp_path / "no", "--out", tmp_path / "new")
    assert (done.code, f"{tmp_path / 'no'}: no such corpus" in done.error_line()) == (2, True)


@pytest.mark.parametrize(
    ("stage", "flag", "own"),
    [
        ("explain", "--class", "--neuron"), ("counterfactual", "--target", "--neuron"),
        ("attribute", "--neuron", "--target"), ("attribute", "--layer", "--target"),
        ("false-alarms", "--class", "--target"), ("run", "--unit=sing", "--neuron"),
    ],
)  # fmt: skip
def test_the_option_that_names_the_unit_is_told(
    tmp_path: Path, command: Run, stage: str, flag: str, own: str
) -> None:
    done = command(stage, *([flag] if "=" in flag else [flag, "sing"]), "--out", tmp_path / "out")
    assert done.code == 2
    assert done.error_line() == (
        f"{flag.split('=')[0]}: here {own} names the unit or class"
        + ("" if flag == "--layer" else f", as {own} sing")
    )


@pytest.mark.parametrize("stage", ["predict", "select", "demo"])
def test_a_command_that_is_about_no_unit_says_so(tmp_path: Path, command: Run, stage: str) -> None:
    done = command(stage, "--layer", "fc9", "--out", tmp_path / "out")
    assert done.code == 2
    assert done.error_line() == (
        f"--layer: {stage} has no such option; `ganexplain {stage} --help`"
    )


# --- networks -------------------------------------------------------------------------------


def test_checkpoints_given_the_wrong_way_round_are_named(ganexplain: Run, networks: Path) -> None:
    classifier, gan = networks / "classifier.pt", networks / "gan.pt"
    done = explain_with(ganexplain, networks, "--classifier", gan, "--gan", classifier)
    assert (done.code, done.out) == (2, "")
    assert f"--classifier {gan}: contains 'gan', but 'classifier' is" in done.error_line()
    assert_nothing_made(networks / "explain")


def test_classifier_in_place_of_the_gan_is_named(command: Run, networks: Path) -> None:
    done = explain_with(command, networks, "--gan", networks / "classifier.pt")
    assert done.code == 2
    assert done.error_line().startswith(f"--gan {networks / 'classifier.pt'}: contains")
    assert "contains 'classifier', but 'gan' is needed here" in done.error_line()


def test_a_recording_in_place_of_the_gan_is_no_damaged_checkpoint(
    command: Run, networks: Path
) -> None:
    write_sound(networks / "song.ogg", song(0))
    done = explain_with(command, networks, "--gan", networks / "song.ogg")
    assert done.code == 2
    assert done.error_line() == (
        f"--gan {networks / 'song.ogg'}: not a ganexplain checkpoint, but 'gan' is needed here; "
        "name a file of that kind"
    )


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (
            ("--layer", "fc10"),
            "--layer: the network has no layer or class 'fc10' (did you mean 'fc",
        ),
        (("--layer", "cov4"), "(did you mean 'conv4'?)"),
        (("--neuron", "5"), "--neuron 5: layer fc9 has units 0 to 0"),
        (("--layer", "fc8", "--neuron", "64"), "--neuron 64: layer fc8 has units 0 to 63"),
        (("--features", "fc88"), "--features: the network has no layer 'fc88' (did you mean 'fc8"),
        (("--direction", "maximum"), "--direction: 'maximum' is not known (did you mean 'max'"),
        (("--iterations", "2"), "--iterations: a value is given twice"),
        (("--learning-rate", "nan"), "--learning-rate nan"),
        (("--learning-rate", "-1"), "--learning-rate -1"),
        (("--iterations", "0"), "--iterations 0"),
    ],
)
def test_unknown_unit_or_bad_grid_is_named(
    command: Run, networks: Path, arguments: tuple[str, ...], part: str
) -> None:
    done = explain_with(command, networks, *arguments)
    assert done.code == 2
    assert part in done.error_line()
    assert_nothing_made(networks / "explain")


@pytest.mark.parametrize(("field", "value"), [("hop_length", 441), ("highest_hz", 7600.0)])
def test_front_ends_that_differ_are_named_with_the_field(
    command: Run, networks: Path, field: str, value: Any
) -> None:
    write_small_gan(networks / "gan.pt", replace(FrontEnd(), **{field: value}))
    done = explain_with(command, networks)
    assert done.code == 2
    message = done.error_line()
    assert "classifier.pt" in message
    assert "gan.pt" in message
    assert f"{field} is {getattr(FrontEnd(), field)} and {value}" in message
    assert_nothing_made(networks / "explain")


@pytest.mark.parametrize("name", ["classifier.pt", "gan.pt"])
def test_cut_or_missing_checkpoint_is_named(command: Run, networks: Path, name: str) -> None:
    content = (networks / name).read_bytes()
    (networks / name).write_bytes(content[: len(content) // 2])
    done = explain_with(command, networks)
    assert done.code == 1
    assert f"{networks / name}: not a complete ganexplain checkpoint" in done.error_line()
    (networks / name).unlink()
    done = explain_with(command, networks)
    assert done.code == 2
    assert f"{networks / name}: no such file" in done.error_line()
    assert_nothing_made(networks / "explain")


# --- explanations ---------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999])
def test_cut_explanations_are_named(
    command: Run, networks: Path, jamendo: JamendoFolder, kept: float
) -> None:
    assert explain_with(command, networks).code == 0
    path = networks / "explain" / "explanations.npz"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    out = networks / "select"
    done = command("select", path, "--corpus", jamendo.root, "--out", out, "-q")
    assert done.code == 1
    assert f"{path}: not a complete explanations file" in done.error_line()
    assert_nothing_made(out)


def test_another_file_in_place_of_explanations_is_named(
    command: Run, networks: Path, jamendo: JamendoFolder
) -> None:
    for path, code in ((networks / "gan.pt", 1), (networks / "absent.npz", 2)):
        done = command("select", path, "--corpus", jamendo.root, "--out", networks / "s", "-q")
        assert done.code == code
        assert str(path) in done.error_line()
        assert_nothing_made(networks / "s")


def test_another_classifier_than_explained_is_named(
    command: Run, networks: Path, jamendo: JamendoFolder
) -> None:
    assert explain_with(command, networks).code == 0
    write_small_classifier(networks / "classifier.pt", outputs=2)
    path = networks / "explain" / "explanations.npz"
    done = command("select", path, "--corpus", jamendo.root, "--out", networks / "s", "-q")
    assert done.code == 2
    assert f"not the classifier of {path}" in done.error_line()
    assert_nothing_made(networks / "s")


def test_real_excerpts_must_be_named_once(command: Run, networks: Path, tmp_path: Path) -> None:
    assert explain_with(command, networks).code == 0
    path = networks / "explain" / "explanations.npz"
    for more in ((), ("--corpus", "a", "--responses", "b")):
        done = command("select", path, *more, "--out", tmp_path / "s", "-q")
        assert done.code == 2
        assert "--corpus" in done.error_line()
        assert "--responses" in done.error_line()


def test_responses_of_another_unit_or_cut_are_named(
    command: Run, networks: Path, jamendo: JamendoFolder
) -> None:
    assert explain_with(command, networks).code == 0
    path, found = networks / "explain" / "explanations.npz", networks / "real" / "responses.npz"
    done = command("select", path, "--corpus", jamendo.root, "--out", found.parent, "-q")
    assert done.code == 0, done.err
    for more, part in (
        (("--layer", "fc8", "--features", "fc8"), "layer is 'fc9'"),
        (("--features", "fc7"), "features_layer is 'fc8'"),
    ):
        assert explain_with(command, networks, "--overwrite", *more).code == 0
        out = networks / part.split()[0]
        done = command("select", path, "--responses", found, "--out", out, "-q")
        assert done.code == 2
        assert f"{found}: {part}" in done.error_line()
        assert_nothing_made(out)
    found.write_bytes(found.read_bytes()[:5000])
    done = command("select", path, "--responses", found, "--out", networks / "t", "-q")
    assert done.code == 1
    assert f"{found}: not a complete responses file" in done.error_line()
    assert_nothing_made(networks / "t")


# --- label-stems ----------------------------------------------------------------------------


def test_bad_stems_are_named(command: Run, tmp_path: Path) -> None:
    done = command("label-stems", tmp_path / "absent", "-q")
    assert (done.code, done.out) == (2, "")
    assert "absent: no such folder" in done.error_line()
    write_sound(tmp_path / "a" / "mixture.wav", noise(1.0))
    (tmp_path / "a" / "vocals.wav").write_text("no sound")
    done = command("label-stems", tmp_path, "-q")
    assert done.code == 1
    assert "a/vocals.wav: cannot be read as sound" in done.error_line()
    assert not (tmp_path / "manifest.csv").exists()


# --- full disk and Ctrl-C -------------------------------------------------------------------


def test_file_system_that_takes_no_more_is_one_line(jamendo: JamendoFolder, tmp_path: Path) -> None:
    # A limit of 1 MB a file: features fit, the state of the training (17 MB) does not.
    out = tmp_path / "out"
    words = ("train-classifier", jamendo.root, "--out", out, *TINY, "--quiet")
    started = start_fork(words, tmp_path / "cache")
    assert started.process.pid is not None
    resource.prlimit(started.process.pid, resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    done = started.finished()
    assert (done.code, done.out) == (1, "")
    assert f"{out / 'training.pt'}: " in done.error_line()
    assert_nothing_made(out)


def test_ctrl_c_leaves_a_run_that_says_so(jamendo: JamendoFolder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("train-classifier", jamendo.root, "--out", out, "--updates-per-epoch", "100000",
                 "--checkpoint-every", "1")  # fmt: skip
    process = start_fork(arguments, tmp_path / "cache")
    wait_for(out / "training.pt", process)
    process.signal(signal.SIGINT)
    done = process.finished()
    assert (done.code, done.out) == (130, "")
    last = done.err.splitlines()[-1]
    assert last.startswith("interrupted: ") and "the same command with --resume goes on" in last
    assert "Traceback" not in done.err
    run = json.loads((out / "run.json").read_text())
    assert run["state"] == "interrupted"
    assert not (out / "classifier.pt").exists()
    assert read_checkpoint(out / "training.pt", "training")["step"] > 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("train-gan {corpus} --classifier {gan}", "contains 'gan', but 'classifier' is needed"),
        ("train-gan {corpus} --features-of absent.pt", "absent.pt: no such file"),
        ("train-gan {corpus} --loss hing", "did you mean 'hinge'"),
        ("train-gan {corpus} --precision half", "--precision"),
        ("train-classifier {corpus} --schedule linear", "--schedule"),
        ("train-classifier {corpus} --optimiser sgdd", "did you mean 'sgd'"),
        ("train-classifier {corpus} --architecture svd", "did you mean 'svdnet'"),
        ("train-explainer {corpus} --classifier {classifier} --target singing", "--target singing"),
        ("train-explainer {corpus} --classifier {classifier} --generator gft", "--generator"),
        ("train-explainer {corpus} --classifier {classifier} --teacher cam", "--teacher"),
        ("train-explainer {corpus} --classifier {classifier} --teacher grad-cam --layer conv",
         "--layer"),
    ],
)  # fmt: skip
def test_a_wrong_setting_of_a_training_is_found_before_any_recording_is_read(
    command: Run, jamendo: JamendoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: str, line: str,
) -> None:  # fmt: skip
    def read(*_: object) -> None:
        raise AssertionError("a recording was read")

    for module in ("corpora.training_splits", "stages.train_classifier"):
        monkeypatch.setattr(f"ganexplain.{module}.load_split", read)
    pretrained = ROOT / "sample_data" / "pretrained"
    paths = {"gan": pretrained / "gan.pt", "classifier": pretrained / "classifier.pt"}
    monkeypatch.chdir(tmp_path)
    done = command(*words.format(corpus=jamendo.root, **paths).split(), "--out", "out", "-q")
    assert done.code == 2
    assert line in done.error_line()
    assert not Path("out").exists()


@pytest.mark.parametrize("name", ["absent.wav", "text.wav"])
@pytest.mark.parametrize(
    "words, skips",
    [
        (("predict", "{file}"), True),
        (("attribute", "{file}"), False),
        (("attribute", "{song}", "--truth", "{file}"), False),
        (("counterfactual", "--start-from", "{file}@1", "--gan", PRETRAINED / "gan.pt"), False),
    ],
)
def test_an_option_to_leave_a_file_out_is_named_where_there_is_one(
    command: Run, tmp_path: Path, words: tuple[str, ...], skips: bool, name: str
) -> None:
    (tmp_path / "text.wav").write_text("no sound\n")
    places = {"file": tmp_path / name, "song": ROOT / "sample_data/audio/band_apex.ogg"}
    given = [str(word).format(**places) for word in words]
    done = command(*given, "--classifier", PRETRAINED / "classifier.pt", "--out", tmp_path / "out")
    assert done.code in (1, 2)
    last = done.err.splitlines()[-1]
    assert str(tmp_path / name) in last
    assert ("--skip-bad-files" in last) == skips
    assert ("--skip-bad-files" in command(given[0], "--help").out) == skips
