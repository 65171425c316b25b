"""`false-alarms`: a detector that also fires on a tone, and what is said of it."""

from __future__ import annotations

import csv
import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch
from PIL import Image
from support.browser import CHROMIUM, browser
from support.commands import Run
from support.parted import check_parts
from support.recordings import noise, tone, write_sound

import ganexplain
from ganexplain.artifacts.false_alarms import FoundAlarms
from ganexplain.attribution.alarm_groups import Counts, count_alarms
from ganexplain.attribution.alarms import AlarmTask, without_label
from ganexplain.config import FalseAlarmsConfig
from ganexplain.corpora.recordings import Recording, Segment
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.report.false_alarms import how_often
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.false_alarms import false_alarms

RATE = 8000
CODE = """
import numpy as np

def level(waves, hertz):
    pieces = waves.reshape(len(waves), 8, -1) * np.hanning(1000)
    power = np.abs(np.fft.rfft(pieces)) ** 2
    near = np.abs(np.fft.rfftfreq(1000, 1 / 8000) - hertz) < 60
    return np.log(power[:, :, near].sum(2).max(1) + 1e-9) - np.log(2000)

def bunting(waves):
    return np.maximum.reduce([level(waves, hertz) for hertz in (3000, 1000, 400)])[:, None]
"""
INPUT = 'kind = "waveform"\nsample_rate = 8000\nsamples = 8000\n'
NAMED = INPUT + '[network]\nclasses = ["none", "bunting"]\n'
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of 3 kHz that also fires at 1 kHz and 400 Hz, and three recordings without 3 kHz.

    Two have bursts of 1 kHz in three excerpts, one of them also a hum of 400 Hz in one.
    """
    root = tmp_path_factory.mktemp("alarms")
    (root / "their.py").write_text(CODE)
    (root / "their.toml").write_text(NAMED)
    sounds = [noise(4, RATE, seed=k) for k in range(3)]
    sounds[0][2400:4400] += tone(1000, 0.25, RATE)
    sounds[0][18000:20000] += tone(1000, 0.25, RATE)
    sounds[1][2400:4400] += tone(1000, 0.25, RATE)
    sounds[1][24000:] += tone(400, 1, RATE)
    for k, sound in enumerate(sounds):
        write_sound(root / "field" / f"{k}.wav", sound, RATE)
    return root


def settings(folder: Path, **more: Any) -> FalseAlarmsConfig:
    return FalseAlarmsConfig(
        corpus=(str(folder / "field"),), model=f"{folder / 'their.py'}:bunting",
        input=str(folder / "their.toml"), outputs="logits", **more,
    )  # fmt: skip


def their_logits(folder: Path, sound: Path) -> float:
    """What the detector says of a file, called by itself."""
    spec = importlib.util.spec_from_file_location("their", folder / "their.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    wave, rate = sf.read(sound, dtype="float32")
    assert rate == RATE
    return float(module.bunting(wave[None])[0, 0])


@pytest.fixture(scope="module")
def found(folder: Path) -> FoundAlarms:
    return false_alarms(settings(folder, generated=1), folder / "run", NullProgress())


def test_a_run_that_was_moved_has_its_files(
    found: FoundAlarms, folder: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(folder / "run", tmp_path / "moved"))
    assert str(folder / "run") not in (moved / "false-alarms.json").read_text()
    again = FoundAlarms.recorded(moved)
    assert again is not None
    assert {path.relative_to(moved) for path in again.files} == {
        path.relative_to(folder / "run") for path in found.files
    }


def test_each_alarm_has_the_band_and_the_time_of_its_tone(found: FoundAlarms) -> None:
    (bunting,) = found.classes
    assert (bunting.name, bunting.alarms, bunting.excerpts) == ("bunting", 4, 12)
    assert (bunting.alarm_recordings, bunting.recordings, bunting.explained) == (2, 3, 4)
    bursts, hum = bunting.groups
    assert len(bursts.alarms) == 3 and bursts.recordings == 2 and len(hum.alarms) == 1
    for group, hertz in ((bursts, 1000), (hum, 400)):
        for bands in (group.bands_hz, *(alarm.bands_hz for alarm in group.alarms)):
            ((low, high),) = bands
            assert low < hertz < high < 2 * low
    starts = {Path(a.excerpt).name: a.spans_s for a in bursts.alarms}
    assert set(starts) == {"0.wav@0", "0.wav@2", "1.wav@0"}
    for name, ((start, end),) in starts.items():  # the tone is there from 0.25 or 0.3 s on
        assert 0.15 < start < end < 0.65, name


def test_the_score_without_the_cause_is_that_of_the_file(folder: Path, found: FoundAlarms) -> None:
    for group in found.classes[0].groups:
        assert group.silenced == 1 and group.edit is None
        assert all((alarm.elsewhere or 0) <= 2 / 16 for alarm in group.alarms)
        first, (whole, without, alone, softer) = group.alarms[0], map(Path, group.sounds)
        logits = [their_logits(folder, path) for path in (whole, without, alone, softer)]
        assert logits[0] > 0 > logits[1] and logits[2] > 0 > logits[3] > -0.3
        scores = 1 / (1 + np.exp(-np.array(logits[:3])))
        written = [first.score, first.removed_score, first.alone_score]
        np.testing.assert_allclose(written, scores, atol=2e-3)


def test_the_page_and_the_text_name_the_cause(
    command: Run, folder: Path, found: FoundAlarms, tmp_path: Path
) -> None:
    (bunting,) = found.classes
    page = Path(bunting.page).read_text()
    ((low, high),) = bunting.groups[0].bands_hz
    assert f"3 alarms: {low:,.0f}-{high:,.0f} Hz" in page and page.count("<audio") == 8 + 1
    assert "4 of 12" in page and "4 of 4 alarms end without their cause" in page
    assert "score: a probability, an alarm above 0.5." in page
    assert "has no labels of bunting, so every excerpt counts as one without" in page
    words = ("--corpus", folder / "field", "--model", f"{folder / 'their.py'}:bunting")
    few = ("--segments", "4x8", "--most", "1", "--generated", "0", "-q")
    more = ("--input", folder / "their.toml", *few)
    done = command("false-alarms", *words, *more, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert done.out.startswith("bunting: 4 of 12 excerpts (33.3 %,") and "1 alarm:" in done.out
    assert f"{tmp_path / 'run' / 'bunting.html'}" in done.out
    again = command("rerun", tmp_path / "run", "--out", tmp_path / "again", "-q")
    assert again.code == 0 and "false-alarms.json\tequal" in again.out, again.out


class Hum(torch.nn.Module):
    """Logits (N, 1) of 400 to 600 Hz in waveforms (N, W) of 22,050 Hz."""

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        power = torch.fft.rfft(waves).abs().square()
        hertz = torch.fft.rfftfreq(waves.shape[1], 1 / 22_050)
        inside = (hertz > 400) & (hertz < 600)
        return (power[:, inside].sum(1, keepdim=True) + 1e-9).log() - 5


def test_the_excerpt_that_is_edited_and_played_is_the_one_explained(tmp_path: Path) -> None:
    rate, samples = 22_050, 3693  # whose multiples are no round times
    sound = 0.1 * noise(1.2, rate)
    sound[3 * samples :] += 0.3 * tone(500, 1.2, rate)[3 * samples :]
    path = write_sound(tmp_path / "field" / "a.wav", sound, rate, subtype="FLOAT")
    run = ganexplain.false_alarms(
        path.parent, Hum(), outputs="logits", segments="2x4", generated=0, out=tmp_path / "run",
        input={"kind": "waveform", "sample_rate": rate, "samples": samples},
    )  # fmt: skip
    (found,) = run.result.classes
    alarms = [alarm for group in found.groups for alarm in group.alarms]
    starts = sorted(round(alarm.span_s[0] * rate) for alarm in alarms)
    assert starts == [k * samples for k in range(3, 7)]
    for group in found.groups:
        first = group.alarms[0]
        start = round(first.span_s[0] * rate)
        played, _ = sf.read(group.sounds[0], dtype="float32")
        off = [
            np.abs(played[9:-9] - sound[start + k :][9 : samples - 9]).mean() for k in (-1, 0, 1)
        ]
        assert np.argmin(off) == 1
        assert group.edit and group.edit.excerpt == first.excerpt
        edited, _ = sf.read(Path(group.edit.changed_sound), dtype="float32")
        with torch.no_grad():
            before, after = (Hum()(torch.from_numpy(each)[None]) for each in (played, edited))
        assert before > 0 >= after and group.edit.cells > 0


def test_what_is_generated_has_no_bunting_and_is_taken_for_one(
    folder: Path, found: FoundAlarms
) -> None:
    (bunting,) = found.classes
    (sound,) = bunting.generated
    logit = their_logits(folder, Path(sound.sound))
    assert sound.fires and logit > 0
    assert sound.score == pytest.approx(1 / (1 + np.exp(-logit)), abs=2e-3)
    assert any(low < hertz < high for low, high in sound.bands_hz for hertz in (1000, 400))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_fits_a_phone(found: FoundAlarms, tmp_path: Path) -> None:
    """But for the table, which scrolls. Paths are long, and probabilities have no sign."""
    (bunting,) = found.classes
    with browser(tmp_path) as page:
        page.look(400)
        page.open(Path(bunting.page))
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        outside = (
            "[...document.querySelectorAll('main *:not(.scroll *)')]"
            ".filter(e => e.getBoundingClientRect().right > 400.5).map(e => e.textContent)"
        )
        assert page.evaluate(outside) == []
        scores = page.evaluate(
            "[...document.querySelectorAll('.response')].map(e => e.textContent)"
        )
    assert scores and all(0 <= float(score) <= 1 and score[0] != "+" for score in scores)


def test_the_shares_have_intervals_over_recordings(found: FoundAlarms) -> None:
    (bunting,) = found.classes
    assert bunting.share == pytest.approx(1 / 3)
    assert bunting.share_interval
    low, high = bunting.share_interval
    assert 0 <= low < 1 / 3 < high <= 1
    assert bunting.recordings_interval == pytest.approx((0.0943, 0.9916), abs=1e-3)


@pytest.mark.parametrize(
    ("excerpts", "alarms"),
    [
        ((1000,), (1,)),
        ((100, 100), (0, 50)),
        ((1,) * 5, (1,) * 5),
        ((6, 2), (3, 1)),
        ((4, 4), (0, 0)),
    ],
)
def test_no_interval_is_made_up(
    folder: Path, excerpts: tuple[int, ...], alarms: tuple[int, ...]
) -> None:
    task = AlarmTask.open(settings(folder))
    counts = Counts(*(np.array([each, each]).T for each in (excerpts, alarms)))
    found = count_alarms(task, 1, counts)
    assert found.share == sum(alarms) / sum(excerpts) and found.share_interval is None
    assert "interval unknown" in how_often(found)


def test_classes_whose_names_are_one_file_name_have_files_of_their_own(
    folder: Path, tmp_path: Path
) -> None:
    def louder(waves: np.ndarray) -> np.ndarray:
        power = np.square(waves).reshape(len(waves), 2, -1).mean(2)
        early, late = (4 * power / power.sum(axis=1, keepdims=True)).T
        return np.stack([np.ones(len(waves)), early, late, early - 1], axis=1)

    for name, level in (("a", [0.1, 1.0]), ("b", [1.0, 0.1])):
        sound = np.repeat(level, RATE // 2) * noise(1, RATE)
        write_sound(tmp_path / "field" / f"{name}.wav", sound, RATE)
    run = ganexplain.false_alarms(
        tmp_path / "field", louder, outputs="logits", target=["A b", "a/b"], segments="1x2",
        input={"kind": "waveform", "sample_rate": RATE, "samples": RATE,
               "network": {"classes": ["none", "A b", "a/b", "a/b"]}},
        out=tmp_path / "run", generated=0,
    )  # fmt: skip
    first, second, third = run.result.classes
    assert [each.name for each in run.result.classes] == ["A b", "a/b", "a/b"]
    assert first.alarms and second.alarms and not third.alarms
    files = [str(path).casefold() for path in run.result.files]
    assert len(set(files)) == len(files) == 2 + 4 * len(first.groups) + 4 * len(second.groups)
    assert [name in Path(each.page).read_text() for each in (first, second) for name in
            (f"What is taken for {each.name}?",)] == [True, True]  # fmt: skip


def test_recordings_are_done_the_same_by_any_workers(folder: Path, tmp_path: Path) -> None:
    config = settings(folder, segments="2x4", most=2, generated=0, workers="1")
    notes = check_parts(false_alarms, config, tmp_path, parts=3)
    labels, score = notes
    assert labels.endswith("has no labels of bunting, so every excerpt counts as one without")
    assert score == "a score is a probability, an alarm above 0.5"


def manifest(folder: Path, rows: list[tuple[str, float, float, str]]) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "split", "start", "end", "label"])
        writer.writerows([f"field/{name}", "test", start, end, label]
                         for name, start, end, label in rows)  # fmt: skip
    return path


def test_only_what_labels_say_is_without_the_class_counts(folder: Path, tmp_path: Path) -> None:
    rows = [("0.wav", 0, 2.5, "none"), ("0.wav", 2.5, 4, "bunting"), ("1.wav", 0, 1, "none"),
            ("2.wav", 0, 4, "none")]  # fmt: skip
    config = replace(
        settings(folder, most=1, segments="2x2", generated=0), corpus=(str(manifest(folder, rows)),)
    )
    (bunting,) = false_alarms(config, tmp_path / "run", NullProgress()).classes
    assert (bunting.excerpts, bunting.alarms, bunting.alarm_recordings) == (2 + 1 + 4, 2, 2)
    rows = [(f"{k}.wav", 0, 4, "bunting") for k in range(2)] + [("2.wav", 3.5, 4, "none")]
    config = replace(config, corpus=(str(manifest(folder, rows)),))
    with pytest.raises(UsageError, match="no 1 s of it are labelled as without bunting"):
        false_alarms(config, tmp_path / "other", NullProgress())


@pytest.mark.parametrize("place", [0, 17])
def test_a_bad_recording_is_skipped_throughout(folder: Path, tmp_path: Path, place: int) -> None:
    sounds = [tone(1000, 1, RATE) for _ in range(18 if place else 2)]
    sounds[place] = np.concatenate([sounds[place], np.full(RATE, np.nan)])
    for k, sound in enumerate(sounds):
        write_sound(tmp_path / "field" / f"{k:02d}.wav", sound, RATE, subtype="FLOAT")
    config = replace(
        settings(folder, most=1, segments="1x1", generated=1, skip_bad_files=True),
        corpus=(str(tmp_path / "field"),),
    )
    found = false_alarms(config, tmp_path / "run", NullProgress())
    (reason,) = found.skipped
    assert f"{place:02d}.wav" in reason and "not a finite number" in reason
    assert found.classes[0].recordings == len(sounds) - 1
    with pytest.raises(GanexplainError, match=f"{place:02d}.wav: .*not a finite number"):
        false_alarms(replace(config, skip_bad_files=False), tmp_path / "no", NullProgress())


def test_a_corpus_of_bad_recordings_is_one_line(folder: Path, tmp_path: Path) -> None:
    bad = np.concatenate([noise(1, RATE), np.full(RATE, np.nan)])
    write_sound(tmp_path / "field" / "a.wav", bad, RATE, subtype="FLOAT")
    config = replace(settings(folder, skip_bad_files=True), corpus=(str(tmp_path / "field"),))
    with pytest.raises(GanexplainError, match="none of its recordings can be used, the first: "):
        false_alarms(config, tmp_path / "run", NullProgress())


def test_labels_that_overlap_count_once(tmp_path: Path) -> None:
    spans = ((0, 0.5), (0.1, 0.5), (1.5, 2.5), (0, 0.2), (1, 1.75))
    recording = Recording(
        Path("a.wav"), "test", [Segment(start, end, 0) for start, end in spans], tmp_path
    )
    begin = np.array([0.0, 0.0, 0.5, 1.0, 1.5])
    end = np.array([0.5, 1.0, 1.0, 2.0, 2.6])
    found = without_label(recording, 1, begin, end)
    assert found.tolist() == [True, False, False, True, False]


def test_a_recording_shorter_than_an_excerpt_counts_by_its_labels(tmp_path: Path) -> None:
    for k in range(3):
        write_sound(tmp_path / "field" / f"{k}.wav", noise(0.5, RATE), RATE)
    labels = [(0.5, "none"), (0.4, "none"), (0.1, "bunting")]
    path = manifest(tmp_path, [(f"{k}.wav", 0, *each) for k, each in enumerate(labels)])
    (tmp_path / "their.py").write_text(CODE)
    (tmp_path / "their.toml").write_text(NAMED)
    task = AlarmTask.open(replace(settings(tmp_path), corpus=(str(path),)))
    found = {each.path.name: task.listen(each).excerpts[1] for each in task.corpus.recordings}
    assert found == {"0.wav": 1, "1.wav": 0, "2.wav": 0}


def test_labels_of_other_names_are_noted(folder: Path, tmp_path: Path) -> None:
    path = manifest(folder, [("0.wav", 0, 4, "none"), ("1.wav", 0, 4, "Bunting")])
    config = replace(settings(folder, most=1, segments="1x1", generated=0), corpus=(str(path),))
    progress = NullProgress()
    (bunting,) = false_alarms(config, tmp_path / "run", progress).classes
    assert bunting.excerpts == 8
    assert any("has no labels of bunting (but of " in note for note in progress.notes)


def test_a_network_that_always_finds_a_class_needs_a_target(tmp_path: Path) -> None:
    write_sound(tmp_path / "field" / "a.wav", noise(1, RATE), RATE)

    def three(waves: np.ndarray) -> np.ndarray:
        return waves[:, :3]

    with pytest.raises(UsageError, match="target: the network always finds one of its 3"):
        ganexplain.false_alarms(
            tmp_path / "field", three, outputs="logits", out=tmp_path / "run",
            input={"kind": "waveform", "sample_rate": RATE, "samples": RATE},
        )  # fmt: skip


def test_what_ends_no_alarm_is_said(tmp_path: Path) -> None:
    write_sound(tmp_path / "field" / "a.wav", noise(2, RATE), RATE)

    def always(waves: np.ndarray) -> np.ndarray:
        return np.ones((len(waves), 1), dtype=np.float32)

    run = ganexplain.false_alarms(
        tmp_path / "field", always, outputs="logits",
        input={"kind": "waveform", "sample_rate": RATE, "samples": RATE},
        out=tmp_path / "run", segments="2x2",
        generated=1,
    )  # fmt: skip
    ((group,),) = (each.groups for each in run.result.classes)
    assert group.bands_hz == () and group.silenced == 0
    assert group.alarms[0].attenuation_db is None and not group.alarms[0].silenced
    assert "nothing whose removal ends it" in repr(run)
    assert [sound.bands_hz for sound in run.result.classes[0].generated] == [()]
    page = Path(run.result.classes[0].page).read_text()
    assert "nothing whose removal ends it" in page and "interval unknown" in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": ("bird",)}, "--target: 'bird' is not known"),
        ({"segments": "8"}, "--segments 8: give columns x rows"),
        ({"outputs": "tones"}, "--outputs: 'tones' is not known"),
    ],
)
def test_what_cannot_be_is_one_line(
    folder: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(GanexplainError) as refused:
        false_alarms(replace(settings(folder), **change), tmp_path / "run", NullProgress())
    assert str(refused.value).startswith(message) and not (tmp_path / "run").exists()


def test_classes_that_are_everywhere_are_left_out(folder: Path, tmp_path: Path) -> None:
    path = manifest(folder, [("0.wav", 0, 4, "bunting"), ("1.wav", 0.5, 1, "none")])
    config = settings(folder, most=1, segments="1x1", generated=0, target=("all",))
    config, progress = replace(config, corpus=(str(path),)), NullProgress()
    (none,) = false_alarms(config, tmp_path / "run", progress).classes
    assert none.name == "none" and none.excerpts == 4
    assert any("bunting: left out, as no excerpt of 1 s is" in note for note in progress.notes)


def test_a_hop_beyond_a_day_is_refused(folder: Path, command: Run, tmp_path: Path) -> None:
    words = ("--corpus", folder / "field", "--model", f"{folder / 'their.py'}:bunting")
    far = ("--hop-seconds", "1e18", "--out", tmp_path / "run")
    done = command("false-alarms", *words, *far)
    assert done.code == 2 and "--hop-seconds" in done.err and "86400" in done.err, done.err


def test_pictures_are_refused(folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "image.toml"
    image.write_text('kind = "image"\nchannels = 1\nheight = 8\nwidth = 8\n')
    with pytest.raises(UsageError, match="takes pictures, not recordings"):
        false_alarms(replace(settings(folder), input=str(image)), tmp_path / "a", NullProgress())
    for name in ("cats", "dogs"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "pictures" / name / "one.png")
    pictures = replace(settings(folder), corpus=(str(tmp_path / "pictures"),))
    with pytest.raises(UsageError, match="contains pictures; name recordings"):
        false_alarms(pictures, tmp_path / "b", NullProgress())
