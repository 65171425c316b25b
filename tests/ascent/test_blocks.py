"""Runs of `explain` in parts: several units, processes and shards, and what a kill leaves."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.commands import (
    COMMAND,
    cli_environment,
    start_fork,
    torchrun_sets,
    torchrun_variables,
)
from support.paths import PRETRAINED
from torch import nn

from ganexplain.artifacts import merging
from ganexplain.artifacts.explanations import read_explanation_meta
from ganexplain.artifacts.merging import explanation_files
from ganexplain.artifacts.plan import parse_shard
from ganexplain.artifacts.selection import Selection
from ganexplain.ascent import blocks
from ganexplain.ascent.adaptive_blocks import search_budget
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.config import ExplainConfig, ResponsesConfig, SelectConfig
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.arrays import read_arrays, write_arrays
from ganexplain.files.checkpoints import write_checkpoint
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.networks import generator_for
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import input_values
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.layer_units import LayerUnits
from ganexplain.networks.unit_syntax import parse_readings
from ganexplain.networks.units import Unit
from ganexplain.runs import precision
from ganexplain.runs.progress import LineProgress, NullProgress
from ganexplain.stages.explain import explain
from ganexplain.stages.responses import responses
from ganexplain.stages.select import select

SMALL = ExplainConfig(
    classifier=str(PRETRAINED / "classifier.pt"),
    gan=str(PRETRAINED / "gan.pt"),
    learning_rate=(0.1, 0.01),
    prior_weight=(0.01,),
    iterations=(2, 4),
    examples=3,
    batch_size=2,
    workers="1",
)
SEVERAL = replace(SMALL, layer=("fc8", "conv5"), neuron="1,3", direction="both")
NAMES = [f"{layer}-{n}-{d}" for layer in ("fc8", "conv5") for n in (1, 3) for d in ("max", "min")]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("several") / "run"
    assert explain(SEVERAL, out, NullProgress()) == [
        out / name / "explanations.npz" for name in NAMES
    ]
    return out


def assert_same_run(one: Path, other: Path) -> None:
    for name in NAMES:
        found, wanted = ((run / name / "explanations.npz").read_bytes() for run in (one, other))
        assert found == wanted


@pytest.mark.slow
def test_a_unit_of_several_is_as_by_itself(several: Path, tmp_path: Path) -> None:
    config = replace(SEVERAL, layer=("conv5",), neuron="3", direction="min")
    (alone,) = explain(config, tmp_path / "e", NullProgress())
    one, meta = read_arrays(alone, "explanations", ())
    many, its_meta = read_arrays(several / "conv5-3-min" / "explanations.npz", "explanations", ())
    for name in one:
        np.testing.assert_array_equal(one[name], many[name])
    assert (meta["layer"], meta["neuron"], meta["direction"]) == ("conv5", 3, "min")
    assert meta["unit"] == its_meta["unit"]
    assert not (several / "parts").exists()


@pytest.mark.parametrize(
    "layers, neuron, direction, said",
    [
        (("fc8",), "3", "max", "fc8:3"),
        (("fc8",), "3", "both", "1 unit, both directions"),
        (("fc8", "conv5"), "1,3", "min", "4 units"),
        (("fc8",), "1,3", "both", "2 units, both directions"),
    ],
)
def test_the_units_searched_are_counted_once_and_the_end_is_said_once(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    layers: tuple[str, ...],
    neuron: str,
    direction: str,
    said: str,
) -> None:
    config = replace(SMALL, layer=layers, neuron=neuron, direction=direction, iterations=(1,))
    explain(replace(config, examples=2), tmp_path / "e", LineProgress())
    lines = capsys.readouterr().err.splitlines()
    assert f"search for {said} ..." in lines
    units = len(layers) * len(neuron.split(",")) * (2 if direction == "both" else 1)
    searches = units * 2 * 2  # two learning rates, two examples, an iteration each
    assert len([line for line in lines if f" {searches}/{searches} " in line]) == 1


@pytest.mark.slow
def test_parts_of_any_size_give_the_same_searches(several: Path, tmp_path: Path) -> None:
    config = replace(SEVERAL, layer=("fc8",), neuron="1", direction="max", batch_size=5)
    (alone,) = explain(config, tmp_path / "e", NullProgress())
    one, _ = read_arrays(alone, "explanations", ())
    many, _ = read_arrays(several / "fc8-1-max" / "explanations.npz", "explanations", ())
    for name in ("learning_rate", "prior_weight", "iterations", "trajectory", "seed"):
        np.testing.assert_array_equal(one[name], many[name])
    for name in ("start_mel", "start_response"):
        np.testing.assert_allclose(one[name], many[name], rtol=1e-4, atol=1e-4)
    trace, other = one["response_trace"], many["response_trace"]
    np.testing.assert_allclose(trace[..., :2], other[..., :2], rtol=1e-3, atol=1e-3)
    # From there on rounding may turn a maximum or a rectifier, and Adam scales up what follows.
    assert np.abs(one["latent"] - many["latent"]).max() < 0.05  # of steps of 0.4 in all


def test_each_setting_is_searched_with_its_own_values(tmp_path: Path) -> None:
    """Closed forms of Adam's first step: r in each coordinate, uphill; under a weight of 1e4
    towards the origin. Parts of four rows hold searches of two settings."""
    config = replace(SMALL, layer=("fc8",), neuron="1", learning_rate=(0.1, 0.02),
                     prior_weight=(1e4, 1e-6), iterations=(1,), batch_size=4)  # fmt: skip
    (path,) = explain(config, tmp_path / "e", NullProgress())
    found, _ = read_arrays(path, "explanations", ())
    starts = np.stack([np.random.RandomState(k).normal(size=128) for k in range(3)])
    settings = zip(found["learning_rate"], found["prior_weight"], strict=True)
    for c, (rate, weight) in enumerate(settings):
        row = found["trajectory"][c]
        inwards = np.linalg.norm(starts - rate * np.sign(starts), axis=1)
        off = np.abs(found["latent_norm_trace"][row, :, 1] - inwards)
        assert (off < 2e-3).all() if weight > 1 else (off > 0.02).all()
        moved = np.abs(found["latent"][c] - starts).max(axis=1)
        stepped = found["best_iteration"][c] == 1
        np.testing.assert_allclose(moved[stepped], rate, rtol=1e-3)
        assert stepped.any() or weight > 1  # a step uphill is better as a rule


def test_the_authors_kept_iterate_is_that_of_their_loop(tmp_path: Path) -> None:
    """Their rule over the responses of each search: trunc(10 | |best| - |response| |) >= 1."""
    config = replace(SMALL, learning_rate=(0.001, 0.0003), iterations=(7,), hysteresis=True)
    (path,) = explain(config, tmp_path / "e", NullProgress())
    found, meta = read_arrays(path, "explanations", ())
    assert meta["hysteresis"] is True
    late = 0
    for c, row in enumerate(found["trajectory"]):
        for k, trace in enumerate(found["response_trace"][row].astype(np.float64)):
            best, at = -1000.0, 0
            for step, response in enumerate(trace):
                if response > best and int(abs(abs(response) - abs(best)) * 10) >= 1:
                    best, at = response, step
            assert found["best_iteration"][c, k] == at
            late += at != trace.argmax()
    assert late > 0  # some search ends with a better one, by less than a tenth


@pytest.mark.slow
def test_a_search_in_bfloat16_is_written_in_float32(
    several: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other latents than those of a search in float32, with responses as float32 gives them."""
    config = replace(SEVERAL, layer=("fc8",), neuron="1", direction="max", precision="bfloat16")
    monkeypatch.setattr(precision, "is_bfloat16_fast", lambda _: True)
    (path,) = explain(config, tmp_path / "e", NullProgress())
    rough, _ = read_arrays(path, "explanations", ())
    exact, _ = read_arrays(several / "fc8-1-max" / "explanations.npz", "explanations", ())
    off = np.abs(rough["latent"] - exact["latent"]).mean()
    assert 0 < off < 0.1  # four steps of 0.1 and 0.01
    classifier = load_classifier(Path(SMALL.classifier), torch.device("cpu")).network
    with torch.no_grad(), unit_response(classifier, Unit.parse("fc8:1")) as respond:
        response = respond(torch.from_numpy(rough["mel"][0])).numpy()
    np.testing.assert_allclose(rough["response"][0], response, rtol=1e-4, atol=1e-4)
    searched = np.take_along_axis(
        rough["response_trace"][0], rough["best_iteration"][1][:, None], axis=1
    )
    assert np.abs(searched[:, 0] - rough["response"][1]).max() > 1e-4  # bfloat16 was used


@pytest.mark.slow
def test_the_meta_has_the_precision_in_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(SEVERAL, layer=("fc8",), neuron="1", direction="max", precision="bfloat16")
    monkeypatch.setattr(precision, "is_bfloat16_fast", lambda _: False)
    (path,) = explain(config, tmp_path / "e", progress := NullProgress())
    assert sum("--precision bfloat16" in note for note in progress.notes) == 1
    found, meta = read_arrays(path, "explanations", ())
    assert meta["precision"] == "float32"
    best = found["best_iteration"][1][:, None]
    searched = np.take_along_axis(found["response_trace"][0], best, axis=1)[:, 0]
    np.testing.assert_allclose(searched, found["response"][1], atol=1e-4)  # float32 was used
    made = read_explanation_meta(path)
    with pytest.raises(UsageError, match="computed in float32, not in bfloat16"):
        replace(made, precision="bfloat16").check_same_inputs(path, made)


@pytest.mark.slow
def test_shards_are_merged_to_the_unsharded_run(several: Path, tmp_path: Path) -> None:
    out = tmp_path / "e"
    for shard in ("2/3", "0/3"):
        assert explain(replace(SEVERAL, shard=shard), out, NullProgress()) == [out / "parts"]
    with pytest.raises(GanexplainError, match=r"8 of 24 parts are missing, first fc8-1-max-001"):
        explanation_files(out)
    explain(replace(SEVERAL, shard="1/3"), out, NullProgress())
    explanation_files(out)
    assert_same_run(out, several)
    progress = NullProgress()
    explain(replace(SEVERAL, shard="1/3"), out, progress)  # nothing is left to do
    assert progress.notes == [
        "8 of 8 parts were done before",
        "searched with 0 iterations, those of all examples added up",
    ]


@pytest.mark.slow
def test_a_resumed_run_still_says_what_all_of_it_took(several: Path, tmp_path: Path) -> None:
    whole = json.loads((several / "run.json").read_text())["results"]["example_iterations"]
    assert whole > 0
    shutil.copytree(several, tmp_path / "e")
    explain(SEVERAL, tmp_path / "e", NullProgress(), resume=True)
    again = json.loads((tmp_path / "e" / "run.json").read_text())
    assert again["results"]["example_iterations"] == whole


@pytest.mark.slow
def test_torchrun_shares_the_parts_out(several: Path, tmp_path: Path) -> None:
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = [*start, "-m", "ganexplain", "explain", "--config", several / "config.toml", "--quiet"]
    done = subprocess.run(
        [sys.executable, *map(str, words), "--out", str(tmp_path / "e")],
        capture_output=True, text=True, timeout=300, env=cli_environment(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "e" / "parts")]
    explanation_files(tmp_path / "e")
    assert_same_run(tmp_path / "e", several)


@pytest.mark.slow
def test_any_number_of_processes_share_the_parts_out(several: Path, tmp_path: Path) -> None:
    """With the variables that torchrun sets, as another launcher may set them."""
    words = ("explain", "--config", several / "config.toml", "--quiet", "--out", tmp_path / "e")
    started = [
        start_fork(words, tmp_path / "cache", torchrun_variables(rank, 3)) for rank in range(3)
    ]
    ended = [one.finished() for one in started]
    assert [done.code for done in ended] == [0, 0, 0], ended
    assert [done.out.strip() for done in ended] == [str(tmp_path / "e" / "parts"), "", ""]
    explanation_files(tmp_path / "e")
    assert_same_run(tmp_path / "e", several)


@pytest.mark.slow
def test_a_killed_process_leaves_whole_parts_and_the_rest_is_resumed(
    several: Path, tmp_path: Path
) -> None:
    out = tmp_path / "e"
    words = ("explain", "--config", several / "config.toml", "--out", out, "--jobs", "2")
    running = start_fork(words, tmp_path / "cache")
    deadline = time.monotonic() + 300  # of a busy machine
    while not list((out / "parts").glob("fc8*.npz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    pid = running.process.pid
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    spawned = [pid for pid in workers if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(int(spawned[0]), signal.SIGKILL)
    done = running.finished()
    assert done.code == 1
    assert "a worker process was killed" in done.err
    parts = list((out / "parts").glob("[!.]*"))
    assert 0 < len(parts) < 24
    for part in parts:
        read_arrays(part, "explanations part", ("latent", "start_mel"))
    explain(replace(SEVERAL), out, NullProgress(), resume=True)
    assert_same_run(out, several)


@pytest.mark.slow
def test_an_executor_searches_the_same(several: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        explain(SEVERAL, tmp_path / "e", NullProgress(), executor=threads)
    assert_same_run(tmp_path / "e", several)


@pytest.mark.slow
def test_workers_of_a_scheduler_search_the_same_though_one_is_killed(
    several: Path, tmp_path: Path
) -> None:
    """The first half is searched by this process, the rest resumed by two of a scheduler."""
    distributed = pytest.importorskip("distributed", reason="Dask is absent")
    out = tmp_path / "e"
    explain(replace(SEVERAL, shard="0/2"), out, NullProgress())
    (out / "run-0-of-2.json").rename(out / "run.json")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1"
    ) as cluster:
        words = ("explain", "--config", several / "config.toml", "--out", out, "--resume",
                 "--workers", cluster.scheduler_address)  # fmt: skip
        running = start_fork(words, tmp_path / "cache")
        with cluster.get_client() as client:
            first = next(iter(client.run(os.getpid).values()))
        while len(list((out / "parts").glob("*.npz"))) < 13 and running.running():
            time.sleep(0.02)
        os.kill(first, signal.SIGKILL)
        done = running.finished()
    assert done.code == 0, done.err
    assert "12 of 24 parts were done before" in done.err
    assert_same_run(out, several)


def test_parts_of_another_network_are_refused(tmp_path: Path) -> None:
    """By the shard that made them, and by the merge of two shards of which one had another."""
    link, other = tmp_path / "link.pt", tmp_path / "classifier.pt"
    other.write_bytes(Path(SMALL.classifier).read_bytes() + b" ")
    link.symlink_to(SMALL.classifier)
    config = replace(SMALL, classifier=str(link))
    explain(replace(config, shard="0/2"), tmp_path / "e", NullProgress())
    link.unlink()
    link.symlink_to(other)
    with pytest.raises(GanexplainError, match=r"link\.pt has changed since"):
        explain(replace(config, shard="0/2"), tmp_path / "e", NullProgress())
    (tmp_path / "e" / "run-0-of-2.json").unlink()  # its record of what it read
    with pytest.raises(UsageError, match="made with another classifier file"):
        explain(replace(config, shard="0/2"), tmp_path / "e", NullProgress())
    explain(replace(config, shard="1/2"), tmp_path / "e", NullProgress())
    with pytest.raises(GanexplainError, match="made with other networks than fc9-0-max-000"):
        explanation_files(tmp_path / "e")


@pytest.mark.parametrize(
    "wrong",
    [{"workers": "two"}, {"search": "adaptive", "iterations": (90,), "responses": "/nowhere"},
     {"neuron": "9"}, {"gan": "nowhere.pt"}],
)  # fmt: skip
def test_what_cannot_run_overwrites_nothing(tmp_path: Path, wrong: dict[str, Any]) -> None:
    (made,) = explain(SMALL, tmp_path / "e", NullProgress())
    before = made.read_bytes()
    with pytest.raises(UsageError):
        explain(replace(SMALL, **wrong), tmp_path / "e", NullProgress(), overwrite=True)
    assert made.read_bytes() == before


def test_torchrun_and_a_shard_exclude_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchrun_sets(monkeypatch, 0, 2)
    with pytest.raises(UsageError, match="torchrun divides the blocks itself"):
        explain(replace(SMALL, shard="0/2"), tmp_path / "e", NullProgress())


def test_shards_of_other_settings_or_with_overwrite_are_refused(tmp_path: Path) -> None:
    config = replace(SMALL, shard="0/2")
    explain(config, tmp_path / "e", NullProgress())
    with pytest.raises(UsageError, match="seed was 0"):
        explain(replace(config, seed=1, shard="1/2"), tmp_path / "e", NullProgress())
    with pytest.raises(UsageError, match="would delete the results of other shards"):
        explain(config, tmp_path / "e", NullProgress(), overwrite=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    with pytest.raises(UsageError, match="not empty; name another"):
        explain(config, tmp_path / "mine", NullProgress())


def without_path(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in figures.items() if key != "path_similarity"}


def without_network(found: object) -> list[Selection]:
    """Selections without what needs the network, which is not opened for given responses."""
    assert isinstance(found, list)
    selections = []
    for one in found:
        scores = [
            replace(
                score,
                figures=replace(
                    score.figures,
                    values=without_path(score.figures.values),
                    intervals=without_path(score.figures.intervals),
                ),
            )
            for score in one.scores
        ]
        selections.append(replace(one, scores=tuple(scores), transfer=None))
    return selections


@pytest.mark.slow
def test_select_ranks_every_unit_of_a_run(
    several: Path, some_of_the_sample: Path, corpus_cache: Path, tmp_path: Path
) -> None:
    config = SelectConfig(
        explanations=str(several), corpus=(str(some_of_the_sample),), controls=False,
        cache=str(corpus_cache), hop_frames=1000,
    )  # fmt: skip
    selections = select(config, tmp_path / "s", NullProgress())
    assert isinstance(selections, list)
    assert [f"{s.layer}-{s.neuron}-{s.direction}" for s in selections] == NAMES
    real = {}
    for name, selection in zip(NAMES, selections, strict=True):
        folder = tmp_path / "s" / name
        assert (folder / "selection.json").is_file()
        real[name], meta = read_arrays(folder / "responses.npz", "responses", ())
        assert (meta["layer"], meta["neuron"]) == (selection.layer, selection.neuron)
        assert (np.diff(real[name]["response"]) <= 0).all()
    np.testing.assert_array_equal(real["fc8-1-max"]["mel"], real["fc8-1-min"]["mel"])
    assert not np.array_equal(real["fc8-1-max"]["response"], real["fc8-3-max"]["response"])
    given = SelectConfig(explanations=str(several), responses=str(tmp_path / "s"), controls=False)
    wanted = without_network(selections)
    assert without_network(select(given, tmp_path / "again", NullProgress())) == wanted
    sought = ResponsesConfig(
        corpus=config.corpus, classifier=SMALL.classifier, layer=SEVERAL.layer, neuron="1,3",
        top=3, hop_frames=1000, cache=config.cache,
    )  # fmt: skip
    paths = responses(sought, tmp_path / "r", NullProgress())
    assert paths[0] == tmp_path / "r" / "fc8-1" / "responses.npz"
    assert paths[0].read_bytes() == (tmp_path / "s" / "fc8-1-max/responses.npz").read_bytes()
    given = replace(given, responses=str(tmp_path / "r"))
    assert without_network(select(given, tmp_path / "third", NullProgress())) == wanted


@pytest.mark.slow
def test_the_adaptive_search_aims_at_the_real_responses(
    some_of_the_sample: Path, corpus_cache: Path, tmp_path: Path
) -> None:
    sought = ResponsesConfig(
        corpus=(str(some_of_the_sample),), classifier=SMALL.classifier, neuron="0", top=4,
        hop_frames=1000, cache=str(corpus_cache),
    )  # fmt: skip
    (real,) = responses(sought, tmp_path / "r", NullProgress())
    config = replace(
        SMALL, search="adaptive", responses=str(tmp_path / "r"), direction="both", examples=4,
        learning_rate=(0.1, 0.03), prior_weight=(0.1, 0.01), iterations=(10, 40),
    )  # fmt: skip
    progress = NullProgress()
    explain(config, tmp_path / "e", progress)
    spent = int(progress.notes[-1].split()[2].replace(",", ""))
    assert 0 < spent <= 2 * 4 * 4 * 40 / 10
    selections = select(
        SelectConfig(
            explanations=str(tmp_path / "e"),
            responses=str(real),
            controls=False,
            by="fid-response",
        ),
        tmp_path / "s",
        NullProgress(),
    )
    assert isinstance(selections, list)
    for selection in selections:
        chosen = selection.scores[0]
        assert chosen.rank == 1  # what it took for the closest is
        grid = replace(
            SMALL, direction=selection.direction, examples=4,
            learning_rate=(chosen.learning_rate,), prior_weight=(chosen.prior_weight,),
            iterations=(chosen.iterations,), batch_size=4,
        )  # fmt: skip
        (path,) = explain(grid, tmp_path / selection.direction, NullProgress())
        found = tmp_path / "e" / f"fc9-0-{selection.direction}" / "explanations.npz"
        one, adaptive = (read_arrays(p, "explanations", ())[0] for p in (path, found))
        np.testing.assert_allclose(one["response"][0], adaptive["response"][0], rtol=1e-2)


def test_the_adaptive_search_wants_something_to_aim_at_and_to_spend(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pass them with --responses"):
        explain(replace(SMALL, search="adaptive", iterations=(90,)), tmp_path / "e", NullProgress())
    little = replace(SMALL, search="adaptive", responses="x")
    with pytest.raises(UsageError, match=r"leaves too few; give (\d+) or more") as told:
        explain(little, tmp_path / "e", NullProgress())
    least = int(re.search(r"give (\d+) or more", str(told.value))[1])  # type: ignore[index]
    with pytest.raises(UsageError, match="leaves too few"):
        search_budget(replace(little, iterations=(least - 1,)))
    assert search_budget(replace(little, iterations=(least,))) == 4 * little.examples
    with pytest.raises(UsageError, match=r"--search: 'adaptiv' is not known \(did you mean"):
        explain(replace(SMALL, search="adaptiv"), tmp_path / "e", NullProgress())


def small_networks(folder: Path) -> list[str]:
    """Options that name a network and a GAN of few weights, for excerpts of the usual size."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(80 * 115, 8))
    torch.jit.save(torch.jit.script(network), folder / "network.pt")
    (folder / "input.toml").write_text("mel_bands = 80\n")
    content = {
        "generator": generator_for(FrontEnd(), channels=16).state_dict(), "channels": 16,
        "latent_size": LATENT_SIZE, "step": 1, "figures": {}, "config": {},
        "front_end": input_values(FrontEnd()),
    }  # fmt: skip
    write_checkpoint(folder / "gan.pt", "gan", content)
    return [f"--{name}={folder / file}" for name, file in
            (("model", "network.pt"), ("input", "input.toml"), ("gan", "gan.pt"))]  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="no wait4")
@pytest.mark.slow
def test_eight_units_take_no_more_memory_than_one(tmp_path: Path) -> None:
    """The excerpts of one fill 12 MB, those of all nearly a quarter of what the process takes."""
    peaks, networks = [], small_networks(tmp_path)
    for neuron in ("0", "0-7"):
        words = [*COMMAND, "explain", *networks, "--layer", "1", "--neuron", neuron,
                 "--iterations", "1", "--iterations", "2", "--iterations", "3",
                 "--learning-rate", "0.1", "--prior-weight", "0.1", "--examples", "108",
                 "--jobs", "1", "--quiet", "--out", str(tmp_path / neuron)]  # fmt: skip
        running = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=cli_environment(tmp_path))
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        assert running.returncode == 0
        peaks.append(used.ru_maxrss)
    assert peaks[1] < 1.15 * peaks[0]


@pytest.mark.slow
def test_no_part_outlives_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the arrays of a part or of a unit are written, those before are gone."""
    written: list[weakref.ref[np.ndarray]] = []
    most = 0

    def write(path: Path, kind: str, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        nonlocal most
        gc.collect()
        most = max(most, sum(one() is not None for one in written))
        written.append(weakref.ref(arrays["latent"]))
        write_arrays(path, kind, arrays, meta)

    monkeypatch.setattr(blocks, "write_arrays", write)
    monkeypatch.setattr(merging, "write_arrays", write)
    explain(replace(SMALL, layer=("fc8",), neuron="0-3"), tmp_path / "e", NullProgress())
    assert len(written) == 4 * 3 + 4
    assert most <= 1


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("3", [3]), ("0-2", [0, 1, 2]), ("5,0-1,1", [5, 0, 1]), (" 2 , 4 ", [2, 4]),
     ("all", range(6))],
)  # fmt: skip
def test_units_are_named_by_numbers_and_spans(text: str, numbers: list[int]) -> None:
    found = parse_readings(text, LayerUnits("fc8", 6))
    assert [reading.neuron for reading in found] == list(numbers)


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "1-", "0,6", "1..3", "all,1"])
def test_units_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--neuron"):
        parse_readings(text, LayerUnits("fc8", 6))


def test_shards_are_read() -> None:
    assert parse_shard("") is None and parse_shard("0/8") == (0, 8) and parse_shard("7/8") == (7, 8)
    for text in ("8/8", "1", "1/0", "-1/2", "a/b"):
        with pytest.raises(UsageError, match="--shard"):
            parse_shard(text)
