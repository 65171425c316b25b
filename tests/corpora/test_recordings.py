"""Corpora on disk: both layouts, and every message names the file and the line or field."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from support.paths import SHARED_CORPUS
from support.recordings import RATE, JamendoFolder, jamendo_folder, noise, song, write_sound

from ganexplain.corpora.load import read_corpora, read_corpus
from ganexplain.corpora.recordings import Recording, Segment, check_kinds
from ganexplain.errors import BadFile, GanexplainError, UsageError
from ganexplain.inputs.log_mel import FrontEnd

FRONT_END = FrontEnd()
HEADER = "path,start,end,label,split"


def message_of(path: Path, kind: type[GanexplainError] = GanexplainError) -> str:
    """The one-line message with which a corpus is refused."""
    with pytest.raises(kind) as caught:
        read_corpus(path)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def manifest_with(folder: Path, lines: list[str], name: str = "manifest.csv") -> Path:
    """A manifest of these rows beside three recordings of two seconds."""
    for seed, file in enumerate(("a.wav", "b.wav", "c.wav")):
        if not (folder / file).exists():
            write_sound(folder / file, noise(2.0, seed=seed))
    path = folder / name
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


GOOD_ROWS = [
    "a.wav,0,1,piano,train",
    "a.wav,1,2,voice,train",
    "b.wav,0,2,flute,valid",
    "c.wav,0.5,1.5,voice,test",
]


# --- Jamendo layout -------------------------------------------------------------------------


def test_jamendo_folder_is_read(jamendo: JamendoFolder) -> None:
    corpus = read_corpus(jamendo.root)
    assert corpus.classes == ("nosing", "sing")
    assert corpus.skipped == ()
    listed = [(r.path.name, r.split) for r in corpus.recordings]
    assert listed == [
        ("one.wav", "train"),
        ("two.flac", "train"),
        ("three.wav", "valid"),
        ("four.wav", "test"),
    ]
    assert corpus.recordings[0].segments == (
        Segment(0.0, 1.5, 1),
        Segment(1.5, 2.5, 0),
        Segment(2.5, 4.0, 1),
    )
    assert [r.path.name for r in corpus.split("train")] == ["one.wav", "two.flac"]


def test_frames_are_labelled_by_their_centres() -> None:
    recording = Recording(
        Path("a.wav"), "train", (Segment(0.5, 1.0, 1), Segment(1.0, 1.2, 0)), Path()
    )
    labels = recording.frame_labels(140, FRONT_END)
    for frame in range(140):
        centre = (315 * frame + 512) / 22050
        wanted = 1 if 0.5 <= centre < 1.0 else 0 if 1.0 <= centre < 1.2 else -1
        assert labels[frame] == wanted
    assert np.bincount(labels + 1).tolist() == [140 - 49, 14, 35]  # 70 frames a second


def test_lists_may_have_a_mark_windows_lines_spaces_and_blank_lines(tmp_path: Path) -> None:
    folder = JamendoFolder(tmp_path)
    for split, name in (("train", "my song (live).wav"), ("valid", "çà där 歌.wav")):
        folder.add(split, name, song(0))
        listing = folder.listing(split)
        listing.write_bytes(b"\xef\xbb\xbf" + f"\r\n{name}  \r\n\r\n".encode())
        folder.label_file(name).write_bytes(b"\xef\xbb\xbf0 2 sing\r\n\r\n2\t4 nosing\r\n")
    corpus = read_corpus(tmp_path)
    assert [r.path.name for r in corpus.recordings] == ["my song (live).wav", "çà där 歌.wav"]
    assert corpus.recordings[0].segments == (Segment(0, 2, 1), Segment(2, 4, 0))


def test_names_with_dots_and_folders_find_their_labels(tmp_path: Path) -> None:
    folder = JamendoFolder(tmp_path)
    folder.add("train", "01 v1.2 final.mix.wav", song(0))
    folder.add("train", "disc 2/03.flac", song(1))
    folder.add("valid", "c.wav", song(2))
    assert [len(r.segments) for r in read_corpus(tmp_path).recordings] == [3, 3, 3]


def test_a_test_list_is_optional_and_the_others_are_not(jamendo: JamendoFolder) -> None:
    jamendo.listing("test").unlink()
    assert {r.split for r in read_corpus(jamendo.root).recordings} == {"train", "valid"}
    jamendo.listing("valid").unlink()
    assert "filelists/valid: no such list" in message_of(jamendo.root, UsageError)


@pytest.mark.parametrize("missing", ["audio", "labels", "filelists"])
def test_missing_folder_is_named(jamendo: JamendoFolder, missing: str) -> None:
    (jamendo.root / missing).rename(jamendo.root / "elsewhere")
    assert f"no folder {missing}/" in message_of(jamendo.root, UsageError)


def test_missing_corpus_is_named(tmp_path: Path) -> None:
    assert "absent: no such corpus" in message_of(tmp_path / "absent", UsageError)


def test_lists_without_names_make_an_empty_corpus(jamendo: JamendoFolder) -> None:
    for split in ("train", "valid", "test"):
        jamendo.listing(split).write_text("\n\n")
    message = message_of(jamendo.root)
    assert str(jamendo.root) in message
    assert "empty" in message


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("0.0 1.5", "is not `start end sing|nosing`"),
        ("0.0 1.5 sing loudly", "is not `start end sing|nosing`"),
        ("zero 1.5 sing", "'zero', '1.5' are not two times"),
        ("0,0 1,5 sing", "'0,0', '1,5' are not two times"),
        ("0.0 1.5 sign", "label 'sign' is neither sing nor nosing (did you mean 'sing'?)"),
        ("1.5 0.5 sing", "1.5 to 0.5 s is not a span"),
        ("1.5 1.5 sing", "1.5 to 1.5 s is not a span"),
        ("-1 1.5 sing", "-1 to 1.5 s is not a span"),
        ("nan 1.5 sing", "nan to 1.5 s is not a span"),
        ("0 inf sing", "ends at inf s"),
        ("0.0 17.25 sing", "ends at 17.25 s, the recording at 4.000 s"),
    ],
)
def test_bad_label_line_is_named(jamendo: JamendoFolder, line: str, part: str) -> None:
    jamendo.label_file("three.wav").write_text(f"0 1 nosing\n\n{line}\n")
    message = message_of(jamendo.root, BadFile)
    assert "labels/three.lab, line 3: " in message
    assert part in message


def test_labels_may_end_half_a_second_late(jamendo: JamendoFolder) -> None:
    jamendo.label_file("three.wav").write_text("0 4.45 sing\n")  # decoders disagree on an MP3
    assert read_corpus(jamendo.root).split("valid")[0].segments == (Segment(0, 4.45, 1),)


def test_missing_and_empty_label_files_are_named(jamendo: JamendoFolder) -> None:
    jamendo.label_file("two.flac").write_text("\n")
    assert "labels/two.lab: contains no labels" in message_of(jamendo.root, BadFile)
    jamendo.label_file("two.flac").unlink()
    assert "labels/two.lab: no such file" in message_of(jamendo.root, BadFile)


def test_label_file_that_is_no_text_is_named(jamendo: JamendoFolder) -> None:
    jamendo.label_file("two.flac").write_bytes(b"0 1 sing\xff\xfe\n")
    assert "labels/two.lab: cannot be read as text" in message_of(jamendo.root, BadFile)


def test_missing_recording_is_named(jamendo: JamendoFolder) -> None:
    jamendo.list("train", "absent.wav")
    assert "audio/absent.wav: no such file" in message_of(jamendo.root, BadFile)


def test_recording_without_samples_is_named(jamendo: JamendoFolder) -> None:
    write_sound(jamendo.audio("two.flac").with_suffix(".wav"), np.zeros(0))
    jamendo.listing("train").write_text("two.wav\n")
    assert "audio/two.wav" in message_of(jamendo.root, BadFile)


def test_recording_in_two_splits_is_named(jamendo: JamendoFolder) -> None:
    jamendo.list("test", "one.wav")
    message = message_of(jamendo.root)
    assert "one.wav is in two splits, train and test" in message


def test_link_to_a_recording_of_another_split_is_found(jamendo: JamendoFolder) -> None:
    jamendo.audio("alias.wav").symlink_to(jamendo.audio("one.wav"))
    jamendo.label_file("alias.wav").write_text("0 4 sing\n")
    jamendo.list("valid", "alias.wav")
    assert "in two splits" in message_of(jamendo.root)


@pytest.mark.parametrize("name", ["../outside.wav", "sub/../../outside.wav", "/etc/passwd"])
def test_name_that_leads_out_of_the_folder_is_refused(jamendo: JamendoFolder, name: str) -> None:
    write_sound(jamendo.root / "outside.wav", song(9))
    jamendo.list("train", name)
    message = message_of(jamendo.root)
    assert f"filelists/train, line 3: {name!r} leads out of" in message


def test_link_to_audio_elsewhere_may_be_used(jamendo: JamendoFolder, tmp_path: Path) -> None:
    elsewhere = write_sound(tmp_path / "disk" / "song.wav", song(9))
    jamendo.audio("linked.wav").symlink_to(elsewhere)
    jamendo.label_file("linked.wav").write_text("0 4 sing\n")
    jamendo.list("train", "linked.wav")
    assert len(read_corpus(jamendo.root).split("train")) == 3


def test_bad_files_are_skipped_and_listed(jamendo: JamendoFolder) -> None:
    jamendo.label_file("two.flac").write_text("0 1 humming\n")
    jamendo.list("train", "absent.wav")
    corpus = read_corpus(jamendo.root, skip_bad_files=True)
    assert [r.path.name for r in corpus.recordings] == ["one.wav", "three.wav", "four.wav"]
    assert len(corpus.skipped) == 2
    assert "two.lab, line 1" in corpus.skipped[0]
    assert "absent.wav" in corpus.skipped[1]


def test_skipping_does_not_hide_a_recording_in_two_splits(jamendo: JamendoFolder) -> None:
    jamendo.list("test", "one.wav")
    with pytest.raises(GanexplainError, match="two splits"):
        read_corpus(jamendo.root, skip_bad_files=True)


# --- CSV manifest ---------------------------------------------------------------------------


def test_manifest_is_read(tmp_path: Path) -> None:
    corpus = read_corpus(manifest_with(tmp_path, GOOD_ROWS))
    assert corpus.classes == ("flute", "piano", "voice")  # in alphabetical order
    assert [(r.path.name, r.split) for r in corpus.recordings] == [
        ("a.wav", "train"),
        ("b.wav", "valid"),
        ("c.wav", "test"),
    ]
    assert corpus.recordings[0].segments == (Segment(0, 1, 1), Segment(1, 2, 2))


def test_empty_times_mean_the_whole_recording(tmp_path: Path) -> None:
    path = manifest_with(tmp_path, [*GOOD_ROWS[:2], "b.wav,,,flute,valid", "c.wav,1,,voice,test"])
    segments = [r.segments[0] for r in read_corpus(path).recordings]
    assert segments[1] == Segment(0.0, 2.0, 0)
    assert segments[2] == Segment(1.0, 2.0, 2)


def test_manifest_may_have_a_mark_windows_lines_quotes_and_more_columns(tmp_path: Path) -> None:
    write_sound(tmp_path / "sub dir" / "a, b.wav", noise(2.0))
    write_sound(tmp_path / "ü.wav", noise(2.0))
    text = (
        "split,artist,path,label,start,end\r\n"
        'train,"X, Y","sub dir/a, b.wav",x,0,1\r\n'
        "valid,Z,ü.wav,y, 0 , 2 \r\n"
    )
    (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    corpus = read_corpus(tmp_path / "m.csv")
    assert [r.path.name for r in corpus.recordings] == ["a, b.wav", "ü.wav"]
    assert corpus.recordings[1].segments == (Segment(0, 2, 1),)


@pytest.mark.parametrize("missing", ["path", "start", "end", "label", "split"])
def test_missing_column_is_named(tmp_path: Path, missing: str) -> None:
    path = manifest_with(tmp_path, GOOD_ROWS)
    path.write_text(path.read_text().replace(missing, "other", 1))
    assert f"line 1: no column '{missing}'" in message_of(path)


@pytest.mark.parametrize("text", ["", HEADER + "\n"])
def test_manifest_without_rows_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(text)
    assert "m.csv" in message_of(path)


@pytest.mark.parametrize(
    ("row", "part"),
    [
        ("b.wav,0,2,flute,vaild", "split 'vaild' is not train, valid or test (did you mean"),
        ("b.wav,0,2,,valid", "label is empty"),
        ("b.wav,0,2,flute,", "split is empty"),
        ("b.wav,0,2,flute", "split is empty"),
        (",0,2,flute,valid", "path is empty"),
        ("b.wav,x,2,flute,valid", "'x', '2' are not two times"),
        ("b.wav,2,1,flute,valid", "2 to 1 s is not a span"),
        ("b.wav,0,9.5,flute,valid", "ends at 9.5 s, the recording at 2.000 s"),
        ("../b.wav,0,2,flute,valid", "'../b.wav' leads out of"),
    ],
)
def test_bad_row_is_named(tmp_path: Path, row: str, part: str) -> None:
    message = message_of(manifest_with(tmp_path, [*GOOD_ROWS[:2], row, GOOD_ROWS[3]]))
    assert "manifest.csv, line 4: " in message
    assert part in message


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    rows = [GOOD_ROWS[0], "", "", GOOD_ROWS[1], "b.wav,0,nine,flute,valid"]
    assert "manifest.csv, line 6: " in message_of(manifest_with(tmp_path, rows))


def test_a_manifest_may_say_of_what_kind_recordings_are(tmp_path: Path) -> None:
    assert {r.kind for r in read_corpus(manifest_with(tmp_path, GOOD_ROWS)).recordings} == {""}
    kinds = ["folk", "folk", "rock", ""]
    rows = [f"{row},{kind}" for row, kind in zip(GOOD_ROWS, kinds, strict=True)]
    path = manifest_with(tmp_path, rows)
    path.write_text(path.read_text().replace("split", "split,Kind", 1))
    assert [r.kind for r in read_corpus(path).recordings] == ["folk", "rock", ""]
    path.write_text(path.read_text().replace("train,folk", "train,rock", 1))
    recordings = read_corpus(path).recordings  # a command that uses no kinds ignores them
    check_kinds(recordings[1:])
    with pytest.raises(BadFile, match="line 3: kind 'folk', but 'rock' in an earlier row of a"):
        check_kinds(recordings)


def test_one_label_only_is_refused(tmp_path: Path) -> None:
    rows = ["a.wav,0,2,voice,train", "b.wav,0,2,voice,valid"]
    message = message_of(manifest_with(tmp_path, rows))
    assert "manifest.csv" in message
    assert "voice" in message


def test_manifest_row_in_two_splits_is_named(tmp_path: Path) -> None:
    rows = [*GOOD_ROWS, "./a.wav,0,1,voice,test"]  # the same file under another name
    assert "a.wav is in two splits, train and test" in message_of(manifest_with(tmp_path, rows))


def test_manifest_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.wav", noise(0.5)).rename(tmp_path / "songs.csv")
    assert re.search(r"songs\.csv: cannot be read as text", message_of(path))


def test_manifest_skips_bad_files_and_lists_them(tmp_path: Path) -> None:
    rows = [*GOOD_ROWS, "absent.wav,0,1,voice,train"]
    (tmp_path / "c.wav").write_text("no sound")
    corpus = read_corpus(manifest_with(tmp_path, rows), skip_bad_files=True)
    assert [r.path.name for r in corpus.recordings] == ["a.wav", "b.wav"]
    assert ["c.wav" in corpus.skipped[0], "absent.wav" in corpus.skipped[1]] == [True, True]


def as_excel(text: str) -> bytes:
    return text.replace(",", "\t").encode("utf-16")  # "Unicode text", with its mark


SPREADSHEETS = {
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "decimal commas": lambda text: text.replace(",", ";").replace(".0;", ",0;").encode(),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "unicode text": as_excel,
    "mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "sep line": lambda text: b"sep=;\r\n" + text.replace(",", ";").encode(),
    "spaces": lambda text: text.replace(",", ", ").encode(),
    "capitals": lambda text: text.replace("path,start", "Path,START").encode(),
    "quotes": lambda text: "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()
    ).encode(),
    "old Mac": lambda text: text.replace("\n", "\r").encode(),
    "Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "empty rows": lambda text: text.encode() + b",,,,\n\n,,,,,,\n",
    "comments": lambda text: text.replace("\n", ",a remark; with more\n").encode(),
}


@pytest.mark.parametrize("form", SPREADSHEETS)
def test_manifest_of_a_spreadsheet_is_read(tmp_path: Path, form: str) -> None:
    rows = [row.replace(",0,", ",0.0,").replace(",1,", ",1.0,") for row in GOOD_ROWS]
    path = manifest_with(tmp_path, rows)
    as_written = read_corpus(path)
    path.write_bytes(SPREADSHEETS[form](path.read_text()))
    assert read_corpus(path) == as_written


def test_manifest_of_the_first_line_alone_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(HEADER + "\n")
    assert "m.csv: no rows after the first line" in message_of(path)


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = manifest_with(tmp_path, GOOD_ROWS)
    path.write_text(path.read_text().replace(HEADER, HEADER + ",label"))
    assert "line 1: more than one column 'label'" in message_of(path)


def test_a_row_with_more_cells_than_the_first_line_is_refused(tmp_path: Path) -> None:
    path = manifest_with(tmp_path, [*GOOD_ROWS, "b.wav,0,5,0,9,flute,valid"])  # decimal commas
    path.write_text(path.read_text().replace(HEADER, HEADER + ",notes"))
    line = len(GOOD_ROWS) + 2
    assert f"line {line}: 7 cells, but the first line has 6" in message_of(path)


def test_line_of_a_separator_is_counted(tmp_path: Path) -> None:
    path = manifest_with(tmp_path, [*GOOD_ROWS[:2], "b.wav,0,nine,flute,valid"])
    path.write_text("sep=,\n" + path.read_text())
    assert "manifest.csv, line 5: " in message_of(path)


# --- names and labels -----------------------------------------------------------------------


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("kind", ["list", "manifest"])
def test_name_in_another_unicode_form_is_found(
    tmp_path: Path, on_disk: Literal["NFC", "NFD"], kind: str
) -> None:
    there = unicodedata.normalize(on_disk, "Élévation.wav")
    listed = unicodedata.normalize("NFD" if on_disk == "NFC" else "NFC", there)
    if kind == "manifest":
        write_sound(tmp_path / "sub" / there, noise(1.0))
        corpus = read_corpus(manifest_with(tmp_path, [*GOOD_ROWS, f"sub/{listed},,,voice,train"]))
        assert corpus.recordings[-1].path == tmp_path / "sub" / there
        return
    folder = jamendo_folder(tmp_path)
    folder.add("train", there, song(5))
    folder.listing("train").write_text(f"one.wav\n{listed}\n", encoding="utf-8")
    assert read_corpus(tmp_path).recordings[1].path == folder.audio(there)


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_of_a_list_ends_at_a_line_end_alone(tmp_path: Path, odd: str, ending: str) -> None:
    folder = jamendo_folder(tmp_path)
    names = [f"Ghost{odd}Song.wav", f"{odd}two.wav"]
    for k, name in enumerate(names):
        folder.add("train", name, song(5 + k))
    folder.listing("train").write_bytes("".join(name + ending for name in names).encode())
    assert [r.path.name for r in read_corpus(tmp_path).split("train")] == names


def test_labels_that_contradict_each_other_are_named(jamendo: JamendoFolder) -> None:
    jamendo.label_file("three.wav").write_text("0 3 sing\n3 4 nosing\n1 2 nosing\n")
    message = message_of(jamendo.root, BadFile)
    assert (
        "labels/three.lab, line 1 and line 3: from 1 s on the labels are sing and nosing" in message
    )


def test_rows_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    rows = [*GOOD_ROWS, "a.wav,0.5,0.6,voice,train"]
    message = message_of(manifest_with(tmp_path, rows), BadFile)
    assert (
        "manifest.csv, line 2 and line 6: from 0.5 s on the labels are piano and voice" in message
    )


def test_labels_may_overlap_where_they_agree_or_by_rounding(jamendo: JamendoFolder) -> None:
    text = "0 3 sing\n1 2 sing\n2.99 3.5 nosing\n3.49 4 sing\n"
    jamendo.label_file("three.wav").write_text(text)
    assert len(read_corpus(jamendo.root).split("valid")[0].segments) == 4


@pytest.mark.parametrize("rate", [8000, RATE, 48000])
def test_label_times_are_seconds_at_any_rate(tmp_path: Path, rate: int) -> None:
    folder = JamendoFolder(tmp_path)
    folder.add("train", "a.wav", song(0, rate), rate=rate)
    folder.add("valid", "b.wav", song(1, rate), rate=rate)
    assert read_corpus(tmp_path).recordings[0].segments[-1].end == 4.0


def test_shared_corpus_is_read() -> None:
    root = SHARED_CORPUS
    if not root.is_dir():
        pytest.skip("the shared corpus is absent")
    corpus = read_corpus(root)
    assert [len(corpus.split(name)) for name in ("train", "valid", "test")] == [24, 11, 16]
    sung = sum(
        segment.end - segment.start
        for recording in corpus.recordings
        for segment in recording.segments
        if segment.label == 1
    )
    assert sung / 60 == pytest.approx(14.8 + 3.1 + 6.1, abs=0.5)  # SOURCES.md


# --- several corpora ------------------------------------------------------------------------


def test_corpora_of_the_same_classes_are_one(jamendo: JamendoFolder, tmp_path: Path) -> None:
    other = jamendo_folder(tmp_path / "other")
    corpus = read_corpora([str(jamendo.root), str(other.root)])
    assert len(corpus.split("train")) == 4 and corpus.classes == ("nosing", "sing")
    assert corpus.split("train")[2].path.is_relative_to(other.root)
    with pytest.raises(GanexplainError, match=r"one\.wav is listed twice"):
        read_corpora([str(jamendo.root), str(jamendo.root)])


def test_corpora_of_other_classes_are_named(jamendo: JamendoFolder, tmp_path: Path) -> None:
    manifest = manifest_with(tmp_path, GOOD_ROWS)
    with pytest.raises(GanexplainError, match=r"its classes are .* those of .* nosing, sing"):
        read_corpora([str(jamendo.root), str(manifest)])
