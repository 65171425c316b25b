"""The shipped music: complete, labelled to its ends, within its size, nobody in two splits."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest
import soundfile as sf
from support.paths import SAMPLE

from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.recordings import Corpus


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return read_corpus(SAMPLE)


def source_rows() -> list[list[str]]:
    """Cells of the table rows of SOURCES.md that describe a file."""
    lines = (SAMPLE / "SOURCES.md").read_text().splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if ".ogg |" in line
    ]


def test_about_half_an_hour_in_at_most_fifteen_megabytes(corpus: Corpus) -> None:
    files = list((SAMPLE / "audio").iterdir())
    assert sum(path.stat().st_size for path in files) <= 15e6
    assert {path.name for path in files} == {r.path.name for r in corpus.recordings}
    minutes = sum(sf.info(str(path)).duration for path in files) / 60
    assert 28 <= minutes <= 40


def test_labels_are_contiguous_and_end_with_the_sound(corpus: Corpus) -> None:
    for recording in corpus.recordings:
        spans = recording.segments
        assert spans[0].start == 0
        for before, after in pairwise(spans):
            assert before.end == after.start and before.label != after.label
        assert spans[-1].end == pytest.approx(sf.info(str(recording.path)).duration, abs=2e-3)


def test_both_classes_fill_every_split(corpus: Corpus) -> None:
    for split in ("train", "valid", "test"):
        spans = [s for recording in corpus.split(split) for s in recording.segments]
        total = sum(s.end - s.start for s in spans)
        sung = sum(s.end - s.start for s in spans if s.label == 1)
        assert 0.4 <= sung / total <= 0.6


def test_every_file_has_its_source_and_licence(corpus: Corpus) -> None:
    rows = {cells[0]: cells for cells in source_rows()}
    assert set(rows) == {recording.path.name for recording in corpus.recordings}
    for name, cells in rows.items():
        assert len(cells) == 8 and all(cells), name


def test_no_singer_composer_or_band_is_in_two_splits(corpus: Corpus) -> None:
    home = {recording.path.name: recording.split for recording in corpus.recordings}
    splits: dict[str, set[str]] = defaultdict(set)
    for cells in source_rows():
        for maker in cells[1].split(";"):
            splits[maker.split(" (")[0].strip()].add(home[cells[0]])
    assert len(splits) > 20
    assert {maker for maker, found in splits.items() if len(found) > 1} == set()


def test_the_recordings_of_the_demo_are_some_of_these_with_their_labels_and_splits(
    corpus: Corpus,
) -> None:
    known = {recording.path.name: recording for recording in corpus.recordings}
    for recording in read_corpus(SAMPLE / "demo.csv").recordings:
        own = known[recording.path.name]
        assert (recording.path, recording.split) == (own.path, own.split)
        assert recording.segments == own.segments
