"""`report --export`: the files are what the page shows, all of them or none."""

from __future__ import annotations

import base64
import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from PIL import Image
from support.elements import Elements
from support.report_artifacts import HOSTILE, SHOWN, Artifacts

from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs.picture import ImageInput
from ganexplain.report.html.medium import Spectrograms, medium_for
from ganexplain.report.unit.export import check_export, export_files
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.report import write_report


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path).complete()


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifacts, Path, Elements]:
    """Artifacts, the folder of the files of their page, and the page."""
    root = tmp_path_factory.mktemp("exported")
    artifacts, folder = Artifacts(root).complete(), root / "files"
    config = replace(artifacts.write(), export=str(folder), heard=0)
    page = write_report(config, root / "out", NullProgress())
    return artifacts, folder, Elements(page.read_text())


def test_the_files_are_what_the_page_shows(exported: tuple[Artifacts, Path, Elements]) -> None:
    artifacts, folder, page = exported
    lines = lines_of(folder / "examples.csv")
    listed = [line[key] for line in lines for key in ("picture", "sound", "resynth") if line[key]]
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert there == {"README.md", "examples.csv", "scores.csv", *listed}

    sounds = [line[key] for line in lines for key in ("sound", "resynth") if line[key]]
    players = [base64.b64decode(e.attributes["src"].split(",")[1]) for e in page.of("audio")]
    assert len(sounds) == len(players) > 9 * SHOWN
    for name, flac in zip(sounds, players, strict=True):
        samples, rate = sf.read(folder / name, dtype="int16")
        heard, heard_rate = sf.read(io.BytesIO(flac), dtype="int16")
        assert sf.info(folder / name).format == "WAV" and rate == heard_rate
        np.testing.assert_array_equal(samples, heard)

    real, chosen = lines[:SHOWN], lines[SHOWN : 2 * SHOWN]
    assert [line["folder"] for line in (*real, *chosen)] == ["real"] * SHOWN + ["chosen"] * SHOWN
    assert [float(line["response"]) for line in real] == [9.0, 8.0]
    assert [float(line["start_s"]) for line in real] == [0.0, 61.5]
    assert real[0]["origin"] == HOSTILE.rpartition("/")[2]
    made = artifacts.made["response"][artifacts.selection["chosen"]][:SHOWN]
    np.testing.assert_array_equal([float(line["response"]) for line in chosen], made)
    for line in lines:
        assert Image.open(folder / line["picture"]).size == (720, 450)


def test_the_scores_of_settings_and_controls_are_in_one_table(
    exported: tuple[Artifacts, Path, Elements],
) -> None:
    artifacts, folder, _ = exported
    lines = lines_of(folder / "scores.csv")
    settings, controls = artifacts.selection["configurations"], artifacts.selection["controls"]
    names = [line["examples"] for line in lines]
    assert names.count("chosen") == 1 and names[1] == "chosen"
    assert names[len(settings) :] == list(controls)
    for line, entry in zip(lines, [*settings, *controls.values()], strict=True):
        assert float(line["fid_response"]) == entry["fid_response"]
        low, high = entry["fid_response_interval"]
        assert (float(line["fid_response_low"]), float(line["fid_response_high"])) == (low, high)
        assert float(line["judge judge"]) == entry["judges"]["judge"]
    rates = [float(line["learning_rate"]) for line in lines[: len(settings)]]
    assert rates == [entry["learning_rate"] for entry in settings]


def test_a_failed_export_leaves_nothing(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0

    def fails(self: Spectrograms, one: np.ndarray) -> bytes:
        nonlocal count
        count += 1
        if count == 3:
            raise GanexplainError("no more")
        return b"PNG"

    monkeypatch.setattr(Spectrograms, "png", fails)
    config = replace(artifacts.write(), export=str(tmp_path / "to" / "files"))
    with pytest.raises(GanexplainError, match="no more"):
        write_report(config, tmp_path / "out", NullProgress())
    assert list((tmp_path / "to").iterdir()) == []
    write_report(config, tmp_path / "out", NullProgress(), resume=True)
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["files"]


def test_a_finished_report_is_exported_by_resume(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spectrograms, "png", lambda self, one: b"PNG")
    config, out = artifacts.write(), tmp_path / "out"
    page = write_report(config, out, NullProgress()).read_bytes()
    config = replace(config, export=str(tmp_path / "files"))
    assert write_report(config, out, NullProgress(), resume=True).read_bytes() == page
    assert (tmp_path / "files" / "README.md").is_file()
    write_report(config, out, progress := NullProgress(), resume=True)
    assert progress.notes == [f"{out}: was done before; --overwrite computes it again"]


def test_the_export_of_another_report_or_half_of_one_is_not_done_before(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spectrograms, "png", lambda self, one: b"PNG")
    own, folder = tmp_path / "own", tmp_path / "files"
    config = replace(artifacts.write(), heard=0, examples=1, export=str(folder))
    page = write_report(config, own, NullProgress())
    write_report(replace(config, examples=2), tmp_path / "other", NullProgress(), resume=True)
    count = len(lines_of(folder / "examples.csv"))
    write_report(config, own, NullProgress(), resume=True)
    assert len(lines_of(folder / "examples.csv")) < count
    assert all(file.is_file() for file in export_files(folder, page))
    (folder / "real" / "1.png").unlink()
    assert not all(file.is_file() for file in export_files(folder, page))


def test_files_of_the_user_in_an_export_are_not_deleted(
    exported: tuple[Artifacts, Path, Elements], tmp_path: Path
) -> None:
    own = exported[1] / "real" / "figure.svg"
    check_export(exported[1], tmp_path, [""], True)
    own.write_text("mine")
    with pytest.raises(UsageError, match=r"figure.svg: is of no export; move it, or name another"):
        check_export(exported[1], tmp_path, [""], True)
    own.unlink()


def test_a_folder_of_other_files_is_left_alone(artifacts: Artifacts, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "songs"
    other.mkdir()
    (other / "README.md").write_text("my songs")
    config = artifacts.write()
    for folder, said in (
        (other, "songs: not empty; name another"),
        (other / "README.md", "README.md: is a file"),
        (out / "files", "neither in --out nor around it"),
        (tmp_path, "neither in --out nor around it"),
    ):
        wrong = replace(config, export=str(folder))
        with pytest.raises(UsageError, match=f"--export .*{said}"):
            write_report(wrong, out, NullProgress(), overwrite=True)
    assert (other / "README.md").read_text() == "my songs" and not out.exists()


def test_an_earlier_export_is_replaced_by_overwrite_alone(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spectrograms, "png", lambda self, one: b"PNG")
    config = replace(artifacts.write(), export=str(tmp_path / "files"))
    write_report(config, tmp_path / "out", NullProgress())
    fewer = replace(config, examples=1)
    with pytest.raises(UsageError, match="files: not empty; add --overwrite"):
        write_report(fewer, tmp_path / "again", NullProgress())
    write_report(fewer, tmp_path / "out", NullProgress(), overwrite=True)
    assert [path.name for path in sorted((tmp_path / "files" / "chosen").iterdir())] == [
        "1.png", "1.wav",
    ]  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
def test_the_file_of_a_picture_is_the_picture(channels: int) -> None:
    values = np.random.default_rng(0).random((1, channels, 6, 9)).astype(np.float32)
    medium = medium_for(ImageInput(channels=channels, height=6, width=9), values)
    pixels = np.asarray(Image.open(io.BytesIO(medium.png(values[0]))).convert("RGB"))
    wanted = np.broadcast_to(values[0], (3, 6, 9)).transpose(1, 2, 0) * 255
    assert np.abs(pixels - wanted).max() <= 0.5
