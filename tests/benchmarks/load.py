"""What hours of audio and thousands of parts take, in time and in memory.

    OMP_NUM_THREADS=1 python tests/benchmarks/load.py audio sample_data FOLDER --hours 10 100
    OMP_NUM_THREADS=1 python tests/benchmarks/load.py predict sample_data FOLDER --hours 1 10
    OMP_NUM_THREADS=1 python tests/benchmarks/load.py merge FOLDER --units 100 1000
    OMP_NUM_THREADS=1 python tests/benchmarks/load.py responses CORPUS FOLDER --hours 10 1000

`audio` makes files of an hour from the recordings of a corpus, in random order, each piece louder
or softer by up to 6 dB and begun anywhere, as FLAC with their labels; then extracts the features
of the first so many hours, and trains on them for an epoch of 200 updates (preset `quick`, without
the final evaluation). `predict` joins these files to one and has the command predict it, features
not yet computed. `merge` copies the parts that a run of `explain` leaves for one unit to many,
and merges them. `responses` gives the recordings of a corpus of about an hour (Jamendo layout) so
many names by hard links (with `--joined` those of each split as one), passes the hour through a
small network once, gives its parts as many names, and has the command finish the run: all of it
but the network. Each size has a process of its own, whose largest memory is told: all of it, and
without the pages of files it has mapped, which the system takes back where it needs them.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from ganexplain.audio.io import load_mono
from ganexplain.config import ExplainConfig, ResponsesConfig, TrainClassifierConfig
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.recordings import SPLITS, Recording
from ganexplain.files.arrays import read_arrays, write_arrays
from ganexplain.files.atomic import write_json
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.units import Unit
from ganexplain.runs.progress import LineProgress, NullProgress

RATE = 22050
HOUR = 3600 * RATE
UPDATES = 200
UNITS = ("1:0", "1:1", "1:3-minus-5", "3:0")  # all 64 units of layer 1 are measured
NETWORK = """import torch
from torch import nn
class Small(nn.Sequential):
    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Flatten(), nn.Linear(80 * 115, 64), nn.ReLU(), nn.Linear(64, 1))
"""
PRETRAINED = Path(__file__).parent.parent.parent / "sample_data" / "pretrained"


def make_hours(corpus: Path, folder: Path, hours: int) -> Path:
    """Files of an hour below `folder`, those there are kept; gives the manifest of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    recordings = [r for r in read_corpus(corpus).recordings]
    sounds = [np.round(load_mono(r.path, RATE) * 32767).astype(np.int16) for r in recordings]
    classes = read_corpus(corpus).classes
    manifest = folder / f"{hours}-hours.csv"
    rows = []
    for number in range(hours):
        path = folder / f"{number:03d}.flac"
        sound, spans = an_hour(recordings, sounds, np.random.default_rng(number))
        if not path.is_file():
            sf.write(path, sound, RATE, compression_level=0.0)
        split = "valid" if number % 10 == 9 else "train"
        rows += [[path.name, f"{a:.3f}", f"{b:.3f}", classes[k], split] for a, b, k in spans]
    with manifest.open("w", newline="") as stream:
        csv.writer(stream).writerows([["path", "start", "end", "label", "split"], *rows])
    return manifest


def an_hour(
    recordings: list[Recording], sounds: list[np.ndarray], stream: np.random.Generator
) -> tuple[np.ndarray, list[tuple[float, float, int]]]:
    """An hour of pieces of the recordings (samples,) int16, and spans (start s, end s, class)."""
    hour, filled, spans = np.zeros(HOUR, np.int16), 0, []
    while filled < HOUR:
        chosen = int(stream.integers(len(sounds)))
        begin = int(stream.integers(sounds[chosen].size // 2))
        piece = sounds[chosen][begin : begin + HOUR - filled]
        gain = 10 ** (stream.uniform(-6, 6) / 20)
        hour[filled : filled + piece.size] = np.clip(piece * gain, -32768, 32767)
        shift, end = (filled - begin) / RATE, (filled + piece.size) / RATE
        for span in recordings[chosen].segments:
            low, high = max(span.start + shift, filled / RATE), min(span.end + shift, end)
            if f"{low:.3f}" != f"{high:.3f}" and high > low:
                spans.append((low, high, span.label))
        filled += piece.size
    return hour, spans


class Memory:
    """Largest memory of this process so far, in MB, all of it and without mapped files."""

    def __init__(self) -> None:
        self.all = self.own = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            status = Path("/proc/self/status").read_text().split("\n")
            sizes = {
                line.split(":")[0]: line.split()[1] for line in status if line.startswith("Rss")
            }
            own, mapped = (int(sizes[name]) / 1024 for name in ("RssAnon", "RssFile"))
            self.all, self.own = max(self.all, own + mapped), max(self.own, own)
            time.sleep(0.02)

    def __str__(self) -> str:
        return f"{self.all:6.0f} MB, {self.own:6.0f} MB without mapped files"


def train(manifest: Path, cache: Path) -> None:
    """Features of a corpus and an epoch on it; prints time and memory after each."""
    import torch

    from ganexplain.classifiers.training import ClassifierTraining
    from ganexplain.corpora.batches import ExcerptBatches
    from ganexplain.corpora.splits import load_log_mel_split

    memory, hours = Memory(), int(manifest.name.split("-")[0])
    quick: dict[str, Any] = {**TrainClassifierConfig.PRESETS["quick"]}
    quick |= {"epochs": 1, "updates_per_epoch": UPDATES}
    config = TrainClassifierConfig(corpus=(str(manifest),), **quick)
    started = time.perf_counter()
    corpus = read_corpus(manifest)
    split = load_log_mel_split(corpus, "train", FrontEnd(), cache, NullProgress())
    load_log_mel_split(corpus, "valid", FrontEnd(), cache, NullProgress())
    spent = time.perf_counter() - started
    speed = 3600 * hours / spent
    print(f"{hours:4} h  features  {spent:7.1f} s ({speed:5.0f} x)  {memory}", flush=True)
    started = time.perf_counter()
    batches = ExcerptBatches(config, split, [])
    training = ClassifierTraining(config, 1, split, torch.device("cpu"))
    ready = time.perf_counter() - started
    for step in range(UPDATES):
        training.step(step, batches.make(step))
    spent = time.perf_counter() - started
    print(f"{hours:4} h  epoch     {spent:7.1f} s ({ready:.1f} s before it)  {memory}", flush=True)


def predict(recording: Path, out: Path) -> None:
    """The command on one recording, nothing in its cache; prints time and memory."""
    from ganexplain.config import PredictConfig
    from ganexplain.runs.machine import keep_freed_memory
    from ganexplain.stages.predict import predict as stage

    keep_freed_memory()  # as the command line does
    memory, started = Memory(), time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        config = PredictConfig(
            files=(str(recording),), classifier=str(PRETRAINED / "classifier.pt"), cache=cache
        )
        (found,) = stage(config, out, NullProgress(), overwrite=True).recordings
    spent, hours = time.perf_counter() - started, found.seconds / 3600
    speed = 3600 * hours / spent
    print(f"{hours:4.0f} h  predict  {spent:7.1f} s ({speed:5.0f} x)  {memory}", flush=True)


def joined(folder: Path, hours: int) -> Path:
    """The first so many files of an hour as one."""
    path = folder / f"{hours}-hours.flac"
    with sf.SoundFile(path, "w", RATE, 1) as out:
        for number in range(hours):
            out.write(sf.read(folder / f"{number:03d}.flac", dtype="int16")[0])
    return path


def make_parts(folder: Path, units: int) -> None:
    """The parts of a run of `explain` of so many units, each with those of a real one."""
    from ganexplain.artifacts.plan import PART
    from ganexplain.stages.explain import explain

    real, out = folder / "one", folder / f"{units}-units"
    if not real.is_dir():
        config = ExplainConfig(
            classifier=str(PRETRAINED / "classifier.pt"), gan=str(PRETRAINED / "gan.pt"),
            layer=("fc7",), learning_rate=(0.1, 0.01), prior_weight=(0.1, 0.01),
            iterations=(20, 100), examples=4, workers="1",
        )  # fmt: skip
        explain(config, real, NullProgress())
    arrays, meta = read_arrays(real / "explanations.npz", "explanations", ())
    meta = {name: value for name, value in meta.items() if name not in ("kind", "schema")}
    lines, counts, examples = 4, 2, 4

    def by_row(name: str) -> np.ndarray:
        split = arrays[name].reshape(lines, counts, examples, *arrays[name].shape[2:])
        return split.swapaxes(0, 1).reshape(counts, lines * examples, *split.shape[3:])

    rows = {n: by_row(n) for n in ("latent", "mel", "response", "features", "best_iteration")}
    traces = {n: arrays[n].reshape(lines * examples, -1)
              for n in ("response_trace", "latent_norm_trace")}  # fmt: skip
    starts = {name: arrays[name] for name in ("start_mel", "start_response")}
    names = [{"layer": "fc7", "neuron": n, "direction": "max"} for n in range(units)]
    (out / "parts").mkdir(parents=True, exist_ok=True)
    write_json(out / "plan.json", {"units": names, "bounds": [0, 8, 16]})
    for unit in names:
        for block in range(2):
            part = {n: v[:, 8 * block : 8 * block + 8] for n, v in rows.items()}
            part |= {n: v[8 * block : 8 * block + 8] for n, v in traces.items()}
            part |= {n: v if block == 0 else v[:0] for n, v in starts.items()}
            path = out / "parts" / f"fc7-{unit['neuron']}-max-{block:03d}.npz"
            write_arrays(path, PART, part, {**meta, **unit})


def merge(out: Path) -> None:
    """Merge the parts of a run; prints time and memory."""
    from ganexplain.artifacts.merging import explanation_files

    sizes = [path.stat().st_size for path in (out / "parts").iterdir()]
    memory, started = Memory(), time.perf_counter()
    merged = explanation_files(out)
    spent = time.perf_counter() - started
    what = f"{len(merged):5} units, {len(sizes)} parts of {np.mean(sizes) / 1e6:.2f} MB"
    print(f"{what}  {spent:6.1f} s ({1000 * spent / len(merged):.1f} ms a unit)  {memory}")


def as_one(corpus: Path, folder: Path) -> Path:
    """A corpus with the recordings of each split of a corpus (Jamendo layout) as one."""
    for name in ("audio", "labels", "filelists"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        sounds, labels, begin = [], [], 0.0
        for name in (corpus / "filelists" / split).read_text().split():
            sounds.append(load_mono(corpus / "audio" / name, RATE))
            length = sounds[-1].size / RATE
            for line in (corpus / "labels" / name).with_suffix(".lab").read_text().splitlines():
                start, end, label = line.split()
                labels.append(
                    f"{begin + float(start):.3f} {begin + min(float(end), length):.3f} {label}"
                )
            begin += length
        whole = np.concatenate(sounds)
        path = folder / "audio" / f"{split}.ogg"
        with sf.SoundFile(path, "w", RATE, 1, compression_level=1.0) as out:
            for first in range(0, whole.size, RATE):  # libsndfile dies of more Vorbis at once
                out.write(whole[first : first + RATE])
        (folder / "labels" / f"{split}.lab").write_text("\n".join(labels))
        (folder / "filelists" / split).write_text(path.name)
    return folder


def responses_config(corpus: Path) -> ResponsesConfig:
    """The settings of the benchmark."""
    network, described = corpus.with_name("small.py"), corpus.with_name("small.toml")
    network.write_text(NETWORK)
    described.write_text('kind = "log-mel"\n')
    return ResponsesConfig(
        corpus=(str(corpus),), model=f"{network}:Small", input=str(described), layer=UNITS,
        cache=str(corpus.with_name("cache")), workers="1",
    )  # fmt: skip


def searched(corpus: Path) -> dict[str, list[str]]:
    """The files of the splits that are searched."""
    train, *others = ((corpus / "filelists" / s).read_text().split() for s in SPLITS)
    return {"train": train, "valid+test": [name for names in others for name in names]}


def responses_by_file(corpus: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Responses (m, C) and places (m,) of the excerpts of each file; those on the disk are kept."""
    from ganexplain.corpora.load import open_corpus
    from ganexplain.selection import response_parts
    from ganexplain.selection.real_excerpts import CorpusResponses

    size, response_parts.RECORDINGS = response_parts.RECORDINGS, 1
    config, folder = responses_config(corpus), corpus / "parts"
    explained = response_parts.load_explained(config)
    found = CorpusResponses(config, explained, open_corpus(config.corpus), explained.front_end)
    found.prepare([Unit.parse(text) for text in UNITS], config.top, LineProgress(), folder)
    response_parts.RECORDINGS = size
    made = {}
    for split, names in searched(corpus).items():
        for number, name in enumerate(names):
            read = response_parts.ResponsePart(split, number, number + 1).read(folder)
            assert read is not None
            made[name] = read[0], read[1][:, 1]
    return made


def make_copies(hour: Path, corpus: Path, copies: int) -> None:
    """A corpus with the recordings of another under so many names, by hard links."""
    for name in ("audio", "labels", "filelists"):
        (corpus / name).mkdir(parents=True)
    for split in SPLITS:
        own = (hour / "filelists" / split).read_text().split()
        listed = [(f"{copy:04d}-{name}", name) for copy in range(copies) for name in own]
        (corpus / "filelists" / split).write_text("\n".join(name for name, _ in listed))
        for name, source in listed:
            os.link(hour / "audio" / source, corpus / "audio" / name)
            label = Path(name).with_suffix(".lab")
            os.link(hour / "labels" / Path(source).with_suffix(".lab"), corpus / "labels" / label)


def begin_responses(corpus: Path, made: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """A run that was stopped when its parts were done; equal ones are one file."""
    from ganexplain.runs.directory import RunDirectory
    from ganexplain.selection.response_parts import RECORDINGS, ResponsePart

    out, equal = corpus.with_name(f"{corpus.name}-run"), dict[tuple[str, ...], Path]()
    with suppress(KeyboardInterrupt), RunDirectory(out, "responses", responses_config(corpus)):
        raise KeyboardInterrupt
    (out / "parts").mkdir()
    for split, names in searched(corpus).items():
        for first in range(0, len(names), RECORDINGS):
            own = tuple(name.partition("-")[2] for name in names[first : first + RECORDINGS])
            part = ResponsePart(split, first, first + len(own))
            numbers = np.repeat(first + np.arange(len(own)), [len(made[n][1]) for n in own])
            places = np.concatenate([made[name][1] for name in own])
            np.save(part.centres_path(out / "parts"), np.stack([numbers, places], axis=1))
            if own in equal:
                os.link(equal[own], part.path(out / "parts"))
            else:
                equal[own] = part.path(out / "parts")
                np.save(equal[own], np.concatenate([made[name][0] for name in own]))


def finish_responses(corpus: Path) -> None:
    """Resume a run whose parts are there; prints time and memory."""
    from ganexplain.runs.machine import keep_freed_memory
    from ganexplain.stages.responses import responses

    keep_freed_memory()  # as the command line does
    memory, started = Memory(), time.perf_counter()
    out = corpus.with_name(f"{corpus.name}-run")
    responses(responses_config(corpus), out, LineProgress(60), resume=True)
    spent = time.perf_counter() - started
    files = sum(map(len, searched(corpus).values()))
    print(f"{corpus.name}, {files} files  responses {spent:7.1f} s  {memory}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="what", required=True)
    for name, usual in (("audio", [10, 100]), ("predict", [1, 10]), ("responses", [10, 1000])):
        audio = kinds.add_parser(name)
        audio.add_argument("corpus", type=Path)
        audio.add_argument("folder", type=Path)
        audio.add_argument("--hours", type=int, nargs="+", default=usual)
        audio.add_argument("--joined", action="store_true", help="responses: a file for each split")
    parts = kinds.add_parser("merge")
    parts.add_argument("folder", type=Path)
    parts.add_argument("--units", type=int, nargs="+", default=[100, 1000])
    for name in ("train", "predict-one", "merge-one", "responses-one"):  # in a process of its own
        kinds.add_parser(name).add_argument("path", type=Path)
    asked = parser.parse_args()
    again = [sys.executable, __file__]
    if asked.what == "audio":
        for hours in asked.hours:
            manifest = make_hours(asked.corpus, asked.folder, hours)
            subprocess.run([*again, "train", manifest], check=True)
    elif asked.what == "predict":
        for hours in asked.hours:
            make_hours(asked.corpus, asked.folder, hours)
            subprocess.run([*again, "predict-one", joined(asked.folder, hours)], check=True)
    elif asked.what == "merge":
        for units in asked.units:
            make_parts(asked.folder, units)
            subprocess.run([*again, "merge-one", asked.folder / f"{units}-units"], check=True)
    elif asked.what == "responses":
        hour = asked.folder / "hour"
        if asked.joined:
            as_one(asked.corpus, hour)
        elif not hour.is_dir():
            shutil.copytree(asked.corpus, hour, copy_function=shutil.copyfile)
        made = responses_by_file(hour)
        for hours in asked.hours:
            corpus = asked.folder / f"{hours}-hours"
            make_copies(hour, corpus, hours)
            begin_responses(corpus, made)
            subprocess.run([*again, "responses-one", corpus], check=True)
    elif asked.what == "responses-one":
        finish_responses(asked.path)
    elif asked.what == "train":
        train(asked.path, asked.path.parent / "cache")
    elif asked.what == "predict-one":
        predict(asked.path, asked.path.with_suffix(""))
    else:
        merge(asked.path)


if __name__ == "__main__":
    main()
