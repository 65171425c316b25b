"""`predict`: segments in closed form, the curve against windows, the files, and what goes wrong."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.commands import Run
from support.recordings import RATE, JamendoFolder, song, write_sound

from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import frame_times, log_mel
from ganexplain.classifiers.base import initialise
from ganexplain.classifiers.checkpoint import Classifier, load_classifier, write_classifier
from ganexplain.classifiers.prediction import predict_recording, probabilities
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.config import PredictConfig, TrainClassifierConfig
from ganexplain.corpora.jamendo import JAMENDO_CLASSES
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.recordings import Segment
from ganexplain.corpora.single import output_names
from ganexplain.corpora.spans import Prediction, decide, lab_text, to_segments
from ganexplain.errors import BadFile, GanexplainError, UsageError
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.detection import smooth
from ganexplain.report.pictures.curve_picture import (
    ROW_SECONDS,
    class_colours,
    curve_picture,
    row_spans,
)
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.predict import predict

FRONT_END = FrontEnd()
HOP = 1 / FRONT_END.frame_rate


def random_classifier(path: Path, classes: tuple[str, ...] = JAMENDO_CLASSES) -> Path:
    """A `classifier.pt` with random weights whose probabilities vary over `song`."""
    network = SVDNet(1 if len(classes) == 2 else len(classes))
    initialise(network, 0)
    mel = log_mel(song(0).astype(np.float32), FRONT_END)
    network.mean.copy_(torch.from_numpy(mel.mean(axis=0)))
    network.deviation.copy_(torch.from_numpy(mel.std(axis=0)))
    with torch.no_grad():
        network.fc9.weight.mul_(10)
    classifier = Classifier(network, FRONT_END, classes, 0.5, {})
    write_classifier(path, classifier, TrainClassifierConfig(corpus=("nowhere",)))
    middling = predict_recording(load_classifier(path, torch.device("cpu")), mel, 4.0).curve
    threshold = float(np.median(middling[:, -1]))  # so that both classes occur
    classifier = Classifier(network, FRONT_END, classes, threshold, {})
    write_classifier(path, classifier, TrainClassifierConfig(corpus=("nowhere",)))
    return path


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    return random_classifier(tmp_path / "classifier.pt")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "in" / "song.wav", song(1))


def rows_of(path: Path) -> tuple[list[str], np.ndarray]:
    head, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    return head, np.array(rows, dtype=float)


def lines_of(path: Path) -> list[tuple[float, float, str]]:
    fields = [line.split(maxsplit=2) for line in path.read_text().splitlines()]
    return [(float(start), float(end), label) for start, end, label in fields]


# --- segments -------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.0, 1.0, 1.5, float("nan")])
def test_a_threshold_that_decides_nothing_is_refused(classifier: Path, threshold: float) -> None:
    content = read_checkpoint(classifier, "classifier")
    del content["kind"], content["schema"]
    write_checkpoint(classifier, "classifier", content | {"threshold": threshold})
    with pytest.raises(GanexplainError, match="threshold"):
        load_classifier(classifier, torch.device("cpu"))


def test_segments_in_closed_form() -> None:
    times = np.array([0.5, 1.5, 2.5, 3.5])
    made = to_segments(np.array([0, 0, 1, 0]), times, 4.25)
    assert made == (Segment(0.0, 2.0, 0), Segment(2.0, 3.0, 1), Segment(3.0, 4.25, 0))
    assert lab_text(made, ("no", "yes")) == "0.000 2.000 no\n2.000 3.000 yes\n3.000 4.250 no\n"


def test_one_frame_is_one_segment() -> None:
    assert to_segments(np.array([1]), np.array([0.02]), 0.05) == (Segment(0.0, 0.05, 1),)


def test_a_label_stays_on_one_line() -> None:
    assert lab_text([Segment(0, 1, 0)], ("a \n b",)) == "0.000 1.000 a b\n"


@given(st.lists(st.integers(0, 3), min_size=1, max_size=200), st.floats(0, HOP))
def test_segments_cover_alternate_and_tell_every_frame(labels: list[int], rest: float) -> None:
    decisions = np.array(labels)
    times = frame_times(len(labels), FRONT_END)
    end = float(times[-1]) + FRONT_END.frame_length / 2 / FRONT_END.sample_rate + rest
    made = to_segments(decisions, times, end)
    assert made[0].start == 0.0 and made[-1].end == end
    for before, after in pairwise(made):
        assert before.end == after.start and before.label != after.label
    assert all(segment.end > segment.start for segment in made)
    told = [next(s.label for s in made if s.start <= t < s.end) for t in times]
    assert told == labels
    prediction = Prediction(times, np.zeros((len(labels), 4)), made, tuple("abcd"), 0.5)
    assert sum(prediction.shares().values()) == pytest.approx(1.0)


def test_two_classes_by_threshold_more_by_the_largest() -> None:
    two = np.array([[0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    assert decide(two, 0.7).tolist() == [1, 0, 0]
    three = np.array([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]])
    assert decide(three, 0.9).tolist() == [1, 0]


def test_labels_written_are_labels_read(jamendo: JamendoFolder) -> None:
    audio = jamendo.audio("one.wav")
    frames = len(log_mel(load_mono(audio, RATE), FRONT_END))
    decisions = (np.random.default_rng(3).random(frames) < 0.5).astype(np.int64)
    made = to_segments(decisions, frame_times(frames, FRONT_END), 4.0)
    jamendo.label_file("one.wav").write_text(lab_text(made, JAMENDO_CLASSES))
    read = read_corpus(jamendo.root).split("train")[0]
    assert [s.label for s in read.segments] == [s.label for s in made]
    assert np.array_equal(read.frame_labels(frames, FRONT_END), decisions)


# --- the curve ------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [("nosing", "sing"), ("a", "b", "c")])
def test_the_curve_is_that_of_one_window_a_frame(
    tmp_path: Path, recording: Path, classes: tuple[str, ...], command: Run
) -> None:
    weights = random_classifier(tmp_path / "c.pt", classes)
    out = tmp_path / "out"
    assert command("predict", recording, "--classifier", weights, "--out", out, "-q").code == 0
    head, table = rows_of(out / "song.csv")

    mel = log_mel(load_mono(recording, RATE), FRONT_END)
    padded = np.pad(mel, ((57, 57), (0, 0)), constant_values=np.log(FRONT_END.floor))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 115, axis=0).copy()
    network = load_classifier(weights, torch.device("cpu")).network
    with torch.inference_mode():
        expected = smooth(probabilities(network(torch.from_numpy(windows))).numpy())
    assert head == ["time_s", *classes]
    assert np.ptp(expected) > 0.1  # a flat curve would prove little
    np.testing.assert_allclose(table[:, 1:], expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(table[:, 0], frame_times(len(mel), FRONT_END), atol=1e-4)


def test_the_lab_says_what_the_curve_says(
    classifier: Path, recording: Path, tmp_path: Path, command: Run
) -> None:
    out = tmp_path / "out"
    done = command("predict", recording, "--classifier", classifier, "--out", out, "-q")
    _, table = rows_of(out / "song.csv")
    said = table[:, 2] > load_classifier(classifier, torch.device("cpu")).threshold
    lines = lines_of(out / "song.lab")
    assert len(lines) > 1 and lines[0][0] == 0.0 and lines[-1][1] == pytest.approx(4.0, abs=1e-3)
    told = [next(name for a, b, name in lines if a <= t < b) for t in table[:, 0]]
    assert [name == "sing" for name in told] == said.tolist()
    share = sum(end - start for start, end, name in lines if name == "sing") / 4.0
    assert done.out == f"{out / 'song.lab'}\tsing {100 * share:.1f} %\n"


def test_a_header_that_lies_about_the_length_is_not_believed(classifier: Path) -> None:
    mel = log_mel(song(1).astype(np.float32), FRONT_END)
    loaded = load_classifier(classifier, torch.device("cpu"))
    for claimed in (0.0, 1e6):
        assert predict_recording(loaded, mel, claimed).seconds == pytest.approx(4.0, abs=HOP)


# --- the picture ----------------------------------------------------------------------------


def made_prediction(frames: int, classes: tuple[str, ...]) -> tuple[np.ndarray, Prediction]:
    random = np.random.default_rng(0)
    mel = random.normal(-3, 2, (frames, FRONT_END.mel_bands)).astype(np.float32)
    curve = smooth(random.dirichlet(np.ones(len(classes)), frames))
    times = frame_times(frames, FRONT_END)
    segments = to_segments(decide(curve, 0.5), times, float(times[-1]) + 0.03)
    return mel, Prediction(times, curve, segments, classes, 0.5)


@pytest.mark.parametrize("seconds, height", [(0.015, 470), (30, 470), (600, 1650)])
def test_the_picture_opens_at_a_sensible_size(seconds: float, height: int) -> None:
    made = made_prediction(max(1, round(seconds / HOP)), ("nosing", "sing"))
    png = curve_picture(*made, FRONT_END, "a $name$ _ with signs.wav")
    picture = Image.open(io.BytesIO(png))
    picture.load()
    assert picture.format == "PNG"
    assert picture.size[0] == 1400 and abs(picture.size[1] - height) < 130
    assert 5_000 < len(png) < 4_000_000


def test_many_classes_with_odd_names_are_drawn() -> None:
    names = ("_background_", "$a$", *(f"a class of a long name, number {k}" for k in range(18)))
    made = made_prediction(300, names)
    assert curve_picture(*made, FRONT_END, "x" * 300).startswith(b"\x89PNG")
    shown = class_colours(made[1])
    shares = list(made[1].shares().values())
    assert min(shares[k] for k in shown) >= max(shares[k] for k in range(20) if k not in shown)


@given(st.floats(0.05, 20_000))
def test_rows_cover_the_recording_and_none_is_empty(seconds: float) -> None:
    rows = row_spans(seconds)
    assert rows[0][0] == 0 and rows[-1][1] >= seconds > rows[-1][0]
    assert all(a[1] == b[0] for a, b in pairwise(rows))
    assert len(rows) == 6 or rows[0][1] <= ROW_SECONDS


# --- files ----------------------------------------------------------------------------------


def test_names_are_distinct_and_known_before_reading() -> None:
    paths = [Path(p) for p in ("a/x.wav", "b/x.flac", "c/X.ogg", "d/x-2.wav", "e/y.tar.wav")]
    assert output_names(paths) == ["x", "x-3", "X-4", "x-2", "y.tar"]


@given(st.lists(st.sampled_from(["a", "A", "a-2", "a-3", "a-2-2", "b"]), max_size=12))
def test_no_two_names_meet(stems: list[str]) -> None:
    names = output_names([Path(f"{k}/{stem}.wav") for k, stem in enumerate(stems)])
    assert len({name.casefold() for name in names}) == len(stems)
    assert all(name.startswith(stem) for name, stem in zip(names, stems, strict=True))


def test_two_recordings_of_one_stem_get_two_names(
    classifier: Path, tmp_path: Path, command: Run
) -> None:
    first = write_sound(tmp_path / "a" / "x.wav", song(1))
    second = write_sound(tmp_path / "b" / "x.flac", song(2, seconds=3.0))
    out = tmp_path / "out"
    done = command("predict", first, second, "--classifier", classifier, "--out", out, "-q")
    assert [line.split("\t")[0] for line in done.out.splitlines()] == [
        str(out / "x.lab"), str(out / "x-2.lab"),
    ]  # fmt: skip
    assert lines_of(out / "x.lab")[-1][1] == pytest.approx(4.0, abs=1e-3)
    assert lines_of(out / "x-2.lab")[-1][1] == pytest.approx(3.0, abs=1e-3)


def test_a_recording_shorter_than_an_excerpt_is_predicted(
    classifier: Path, tmp_path: Path, command: Run
) -> None:
    short = write_sound(tmp_path / "short.wav", song(1, seconds=0.4))
    out = tmp_path / "out"
    assert command("predict", short, "--classifier", classifier, "--out", out, "-q").code == 0
    assert len(rows_of(out / "short.csv")[1]) == 25
    assert lines_of(out / "short.lab")[-1][1] == pytest.approx(0.4, abs=1e-3)


def test_the_json_document(classifier: Path, recording: Path, tmp_path: Path, command: Run) -> None:
    out = tmp_path / "out"
    words = ("predict", recording, "--classifier", classifier, "--out", out, "-q", "--json")
    document = json.loads(command(*words).out)
    assert document["classes"] == ["nosing", "sing"] and document["skipped"] == []
    (entry,) = document["files"]
    assert entry["file"] == str(recording) and entry["seconds"] == 4.0
    assert sum(entry["shares"].values()) == pytest.approx(1.0, abs=1e-3)
    for kind in ("lab", "curve", "picture"):
        assert Path(entry[kind]).is_file()
    run = json.loads((out / "run.json").read_text())
    names = {kind: Path(entry[kind]).name for kind in ("lab", "curve", "picture")}
    assert run["state"] == "done" and run["results"]["files"] == [entry | names]
    assert set(run["inputs"]) == {"classifier", str(recording)}


# --- what goes wrong ------------------------------------------------------------------------


def spoilt(folder: Path, kind: str) -> Path:
    if kind == "missing":
        return folder / "missing.wav"
    if kind == "text":
        (folder / "text.wav").write_text("no sound")
        return folder / "text.wav"
    if kind == "not finite":
        sound = song(1)
        sound[100] = np.nan
        return write_sound(folder / "nan.wav", sound, subtype="FLOAT")
    if kind == "silent":
        return write_sound(folder / "silent.wav", np.zeros(RATE))
    return write_sound(folder / "one-frame-less.wav", song(1, seconds=0.02))


@pytest.mark.parametrize("kind", ["missing", "text", "not finite", "silent", "too short"])
def test_a_bad_file_stops_the_run_or_is_left_out(
    kind: str, classifier: Path, recording: Path, tmp_path: Path, command: Run
) -> None:
    bad, out = spoilt(tmp_path, kind), tmp_path / "out"
    words = ("predict", bad, recording, "--classifier", classifier, "--out", out, "-q")
    done = command(*words)
    assert done.code == 1 and str(bad) in done.error_line() and done.out == ""
    assert not list(out.glob("*.lab"))
    done = command(*words, "--skip-bad-files", "--json", "--overwrite")
    assert done.code == 0
    document = json.loads(done.out)
    assert len(document["files"]) == 1 and str(bad) in document["skipped"][0]
    assert f"skipped: {bad}" in (out / "log.txt").read_text()


def test_a_misspelt_name_shows_before_anything_is_made(
    classifier: Path, recording: Path, tmp_path: Path
) -> None:
    config = PredictConfig(files=(str(recording), "gone.wav"), classifier=str(classifier))
    with pytest.raises(BadFile, match=r"gone\.wav"):
        predict(config, tmp_path / "out", NullProgress())
    assert not (tmp_path / "out").exists()


def test_nothing_but_bad_files_is_a_failure(classifier: Path, tmp_path: Path, command: Run) -> None:
    done = command(
        "predict", tmp_path / "gone.wav", "--classifier", classifier, "--out", tmp_path / "out",
        "-q", "--skip-bad-files",
    )  # fmt: skip
    assert done.code == 1 and "no file could be used" in done.error_line()


def test_the_classifier_must_be_one(recording: Path, tmp_path: Path) -> None:
    config = PredictConfig(files=(str(recording),), classifier=str(tmp_path / "none.pt"))
    with pytest.raises(UsageError, match=r"none\.pt"):
        predict(config, tmp_path / "out", NullProgress())


def test_a_run_directory_that_holds_an_input_is_left_alone(
    classifier: Path, recording: Path, tmp_path: Path, command: Run
) -> None:
    out = tmp_path / "out"
    words = ("--classifier", classifier, "--out", out, "-q", "--overwrite")
    assert command("predict", recording, *words).code == 0
    inside = write_sound(out / "inside.wav", song(1))
    done = command("predict", recording, inside, *words)
    assert done.code == 2 and f"contains {inside}" in done.error_line() and inside.is_file()


def test_settings_of_a_run_are_read_again(
    classifier: Path, recording: Path, tmp_path: Path, command: Run
) -> None:
    words = ("predict", recording, recording, "--classifier", classifier, "--out", tmp_path / "o")
    shown = command(*words, "--dry-run").out
    assert tomllib.loads(shown)["files"] == [str(recording), str(recording)]
    settings = tmp_path / "settings.toml"
    settings.write_text(shown)
    again = command("predict", "--config", settings, "--out", tmp_path / "o", "--dry-run")
    assert again.code == 0 and again.out == shown


def test_without_files_the_usage_is_shown(classifier: Path, tmp_path: Path, command: Run) -> None:
    done = command("predict", "--classifier", classifier, "--out", tmp_path / "out")
    assert done.code == 2 and "files" in done.err.lower()
