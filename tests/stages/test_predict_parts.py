"""The parts of `predict`: done by any workers, kept for a resumed run, the same files."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.colours import write_colours
from support.parted import Stopped, check_parts, record
from support.paths import PRETRAINED
from support.recordings import noise, song, write_sound

from ganexplain.config import PredictConfig
from ganexplain.errors import GanexplainError
from ganexplain.runs.progress import NullProgress
from ganexplain.stages import predict as stage
from ganexplain.stages.predict import predict

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def recordings(tmp_path: Path) -> PredictConfig:
    """Three recordings, the last of them unusually quiet, and one that is none."""
    paths = [write_sound(tmp_path / f"{seed}.wav", song(seed)) for seed in range(2)]
    paths.append(write_sound(tmp_path / "quiet.wav", noise(4.0, level=1e-5)))
    paths.append(tmp_path / "broken.wav")
    paths[-1].write_bytes(b"RIFF")
    return PredictConfig(
        files=tuple(map(str, paths)), classifier=str(PRETRAINED / "classifier.pt"),
        cache=str(tmp_path / "cache"), skip_bad_files=True,
    )  # fmt: skip


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PredictConfig:
    """Five pictures and a network of the mean of each channel, two a part."""
    monkeypatch.setattr(stage, "CHUNK_PICTURES", 2)
    generator = np.random.default_rng(0)
    for number in range(5):
        values = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    return PredictConfig(
        files=tuple(str(tmp_path / f"{number}.png") for number in range(5)),
        **write_colours(tmp_path),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["recordings", "pictures"])
def test_the_files_are_the_same_whoever_did_the_parts(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    config = request.getfixturevalue(kind)
    notes = check_parts(predict, config, tmp_path, parts=4 if kind == "recordings" else 3)
    assert sum("broken.wav" in note for note in notes) == (kind == "recordings")
    tables = {path.name for path in (tmp_path / "one").glob("*.csv")}
    assert tables == (
        {"0.csv", "1.csv", "quiet.csv"} if kind == "recordings" else {"predictions.csv"}
    )


@pytest.mark.parametrize("kind", ["recordings", "pictures"])
def test_a_finished_run_that_is_resumed_has_its_results_and_its_record(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    config, run = request.getfixturevalue(kind), tmp_path / "run"
    found, written = predict(config, run, NullProgress()), (run / "run.json").read_bytes()
    progress = NullProgress()
    with monkeypatch.context() as no_work:
        no_work.setattr(stage, "PartPrediction", None)
        assert predict(config, run, progress, resume=True) == found
    assert progress.notes[-1].endswith("run: was done before; --overwrite computes it again")
    warnings = json.loads(written)["warnings"]
    assert len(warnings) == (2 if kind == "recordings" else 0)
    assert [note for note in progress.notes if note in warnings] == warnings
    assert (run / "run.json").read_bytes() == written
    lost = next(run.glob("*.png" if kind == "recordings" else "*.csv"))
    lost.unlink()
    assert predict(config, run, NullProgress(), resume=True) == found and lost.is_file()


@pytest.mark.parametrize("written_by", ["this version", "an earlier one"])
def test_a_run_that_was_moved_has_its_files(
    written_by: str, recordings: PredictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = predict(recordings, Path("run"), NullProgress())
    assert [Path(each.lab).is_file() for each in found.recordings] == [True] * 3
    if written_by == "an earlier one":  # paths from the folder of the command
        record_file = Path("run/run.json")
        text = record_file.read_text()
        for kind in ("lab", "csv", "png"):
            text = re.sub(rf'"(\w+\.{kind})"', r'"run/\1"', text)
        assert text.count('"run/') == 9
        record_file.write_text(text)
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = predict(recordings, moved, progress := NullProgress(), resume=True)
    assert progress.notes[-1] == f"{moved}: was done before; --overwrite computes it again"
    names = [str(moved / Path(each.lab).name) for each in found.recordings]
    assert [each.lab for each in again.recordings] == names


@pytest.mark.parametrize("keep", [0, 40, -9, -60])
def test_predictions_are_made_again_where_their_table_is_cut(
    keep: int, pictures: PredictConfig, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    found, table = predict(pictures, run, NullProgress()), run / "predictions.csv"
    whole = table.read_bytes()
    table.write_bytes(whole[:keep])
    assert predict(pictures, run, NullProgress(), resume=True) == found
    assert table.read_bytes() == whole


def test_what_other_processes_warn_of_is_noted(recordings: PredictConfig, tmp_path: Path) -> None:
    predict(recordings, tmp_path / "one", NullProgress())
    warnings = record(tmp_path / "one")["warnings"]
    assert sum("quiet.wav" in warning for warning in warnings) == 1
    assert sum("broken.wav" in warning for warning in warnings) == 1


def test_a_recording_that_changes_meanwhile_is_named(
    recordings: PredictConfig, tmp_path: Path
) -> None:
    config = replace(recordings, files=recordings.files[:2], skip_bad_files=False)
    with pytest.raises(KeyboardInterrupt):
        predict(config, tmp_path / "run", Stopped(tmp_path / "run" / "parts"))
    write_sound(Path(config.files[0]), song(5))
    with pytest.raises(GanexplainError, match=r"0\.wav.* has changed since"):
        predict(config, tmp_path / "run", NullProgress(), resume=True)


def test_a_folder_with_another_picture_is_not_resumed(
    pictures: PredictConfig, tmp_path: Path
) -> None:
    folder = Path(pictures.files[0]).parent
    config = replace(pictures, files=(str(folder),))
    run = tmp_path.with_name(f"{tmp_path.name}-run")
    with pytest.raises(KeyboardInterrupt):
        predict(config, run, Stopped(run / "parts"))
    (folder / "00.png").write_bytes((folder / "4.png").read_bytes())
    with pytest.raises(GanexplainError, match=r"pictures .*are not those of the run.*00\.png"):
        predict(config, run, NullProgress(), resume=True)


def test_a_picture_that_comes_meanwhile_shifts_no_other(
    pictures: PredictConfig, tmp_path: Path
) -> None:
    folder = Path(pictures.files[0]).parent
    config = replace(pictures, files=(str(folder),))
    run = tmp_path.with_name(f"{tmp_path.name}-run")

    class Comes(NullProgress):
        """A picture that sorts before the others comes when the work begins."""

        def start(self, description: str, total: int, done: int = 0, at_most: bool = False) -> None:
            (folder / "00.png").write_bytes((folder / "4.png").read_bytes())

    with ThreadPoolExecutor(1) as threads:  # loads the work by itself, after `start`
        found = predict(config, run, Comes(), executor=threads)
    assert [Path(each.file).name for each in found.pictures] == [f"{n}.png" for n in range(5)]
    for each in found.pictures:
        mean = np.asarray(Image.open(each.file), dtype=np.float32).mean(axis=(0, 1))
        assert each.class_name == "rgb"[int(mean.argmax())]
