"""Features that workers compute into the cache before a corpus is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.recordings import JamendoFolder

from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.config.shared import Divides
from ganexplain.corpora.features import FeatureWorkers
from ganexplain.corpora.interfaces import AnyCorpus
from ganexplain.corpora.load import load_split, open_corpus
from ganexplain.errors import BadFile
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.runs.progress import NullProgress
from ganexplain.runs.workers import Workers

SPLITS = ("train", "valid")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A run directory, by whose settings workers know it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text("")
    return tmp_path / "run"


def filled(corpus: AnyCorpus, input_spec: Input, out: Path) -> list[Path]:
    """What two threads have written into an empty cache."""
    with ThreadPoolExecutor(2) as threads:
        workers = Workers.of(Divides(), threads)
        features = FeatureWorkers(workers, out, NullProgress())
        features.fill(corpus, SPLITS, input_spec, out / "cache")
    return sorted((out / "cache").iterdir())


def test_the_features_are_those_that_are_read(jamendo: JamendoFolder, out: Path) -> None:
    corpus = open_corpus([str(jamendo.root)])
    written = filled(corpus, FrontEnd(), out)
    assert len(written) == 3
    split = load_split(corpus, "train", FrontEnd(), out / "cache", NullProgress())
    for recording, mel in zip(split.recordings, split.whole_files(), strict=True):
        expected = log_mel(load_mono(recording.path, 22050), FrontEnd())
        np.testing.assert_allclose(np.asarray(mel).T, expected)
    assert sorted((out / "cache").iterdir()) == written  # none was computed again


def test_waveforms_are_cached_too(jamendo: JamendoFolder, out: Path) -> None:
    corpus = open_corpus([str(jamendo.root)])
    first = filled(corpus, WaveformInput(sample_rate=22050, samples=4096), out)[0]
    assert np.load(first).shape == (4 * 22050,)


def test_a_recording_that_cannot_be_used_is_named_when_it_is_read(
    jamendo: JamendoFolder, out: Path
) -> None:
    corpus = open_corpus([str(jamendo.root)])
    jamendo.audio("one.wav").write_bytes(b"RIFF")
    assert len(filled(corpus, FrontEnd(), out)) == 2
    with pytest.raises(BadFile, match=r"one\.wav"):
        load_split(corpus, "train", FrontEnd(), out / "cache", NullProgress())


def test_one_process_computes_features_as_it_reads_them(jamendo: JamendoFolder, out: Path) -> None:
    workers = Workers.of(Divides())  # auto: three recordings are not worth several
    features = FeatureWorkers(workers, out, NullProgress())
    features.fill(open_corpus([str(jamendo.root)]), SPLITS, FrontEnd(), out / "cache")
    assert not (out / "cache").exists()
