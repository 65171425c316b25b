"""All stages through the real command line on music that is shipped, with small settings."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from support.commands import Run, finished_fork, with_options
from support.paths import ROOT, SAMPLE

from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.files.arrays import read_arrays
from ganexplain.files.atomic import file_hash
from ganexplain.gans.checkpoint import load_generator
from ganexplain.metrics.distances import frechet_distance
from ganexplain.networks.hooks import responses_and_features
from ganexplain.networks.units import Unit
from ganexplain.stages.rerun import artifacts_of

GRID = (
    "--learning-rate 0.1 --learning-rate 0.001 --prior-weight 0.1 --prior-weight 0.001 "
    "--iterations 2 --iterations 6 --examples 4"
).split()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def walk(
    some_of_the_sample: Path, corpus_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """One run of the five stages in processes of their own; the path each printed."""
    root = tmp_path_factory.mktemp("walk")
    paths: dict[str, Path] = {}

    def stage(name: str, *words: str | Path) -> None:
        done = finished_fork((name, *words, "--out", root / name), corpus_cache)
        assert done.code == 0, done.err
        paths[name] = Path(done.out.strip().splitlines()[-1])

    train = "--epochs 2 --updates-per-epoch 8 --batch-size 16".split()
    stage("train-classifier", some_of_the_sample, *train)
    stage(
        "train-gan",
        some_of_the_sample,
        *"--autoencoder-steps 2 --steps 4 --encoder-steps 4 --channels 16".split(),
        *"--batch-size 8 --sample-every 2".split(),
    )
    checkpoints = ("--classifier", paths["train-classifier"], "--gan", paths["train-gan"])
    stage("explain", *checkpoints, *GRID)
    stage("select", paths["explain"], "--corpus", some_of_the_sample, "--hop-frames", "60",
          "--by", "fid-response")  # fmt: skip
    paths["select"] = root / "select" / "selection.json"
    paths["responses"] = root / "select" / "responses.npz"
    stage("report", paths["explain"], "--selection", paths["select"],
          "--responses", paths["responses"], "--examples", "2")  # fmt: skip
    return paths


def test_every_stage_leaves_its_artifact_and_a_record(walk: dict[str, Path]) -> None:
    for name, path in walk.items():
        assert path.is_file(), name
        record = json.loads((path.parent / "run.json").read_text())
        assert record["state"] == "done"
        # The wheel for CUDA on PyPI does not name its build, which torch itself does.
        assert record["libraries"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
        settings = tomllib.loads((path.parent / "config.toml").read_text())
        assert settings
        leftovers = [p.name for p in path.parent.iterdir() if p.name.startswith(".")]
        assert not leftovers
    sheets = sorted(walk["train-gan"].parent.glob("samples-*.png"))
    assert [sheet.name for sheet in sheets] == ["samples-000002.png", "samples-000004.png"]
    assert sheets[0].read_bytes().startswith(b"\x89PNG")


def test_the_classifier_reports_its_figures(
    walk: dict[str, Path], some_of_the_sample: Path
) -> None:
    results = json.loads((walk["train-classifier"].parent / "run.json").read_text())["results"]
    for split in ("valid", "test"):
        assert 0 <= results[split]["frame_error"] <= 1
        assert 0 <= results[split]["auroc"] <= 1
    # All labelled frames of the test split are scored: 70 a second of every recording.
    names = (some_of_the_sample / "filelists" / "test").read_text().split()
    seconds = sum(sf.info(str(SAMPLE / "audio" / name)).duration for name in names)
    assert results["test"]["frames"] == pytest.approx(70 * seconds, rel=0.01)


def test_explanations_can_be_drawn_again_from_their_latents(walk: dict[str, Path]) -> None:
    arrays, meta = read_arrays(walk["explain"], "explanations", ())
    assert arrays["mel"].shape == (8, 4, 80, 115) and arrays["latent"].shape == (8, 4, 128)
    assert arrays["features"].shape == (8, 4, 64)
    assert arrays["response_trace"].shape == (4, 4, 7) == arrays["latent_norm_trace"].shape
    cpu = torch.device("cpu")
    generator, _ = load_generator(walk["train-gan"], cpu)
    network = load_classifier(walk["train-classifier"], cpu).network
    for c in range(8):
        mel = generator(torch.from_numpy(arrays["latent"][c]))
        assert arrays["mel"][c] == pytest.approx(mel.numpy(), abs=1e-4)
        unit = Unit.from_meta(meta["layer"], meta["neuron"])
        response, _ = responses_and_features(network, unit, "fc8", mel)
        assert arrays["response"][c] == pytest.approx(response.numpy(), abs=1e-3)
        line, best = arrays["trajectory"][c], arrays["best_iteration"][c]
        trace = arrays["response_trace"][line][:, : arrays["iterations"][c] + 1]
        assert trace[np.arange(4), best] == pytest.approx(trace.max(axis=1))
        assert arrays["response"][c] == pytest.approx(trace.max(axis=1), abs=1e-3)


def test_the_grid_is_complete_and_shares_its_starts(walk: dict[str, Path]) -> None:
    arrays, _ = read_arrays(walk["explain"], "explanations", ())
    settings = set(
        zip(arrays["learning_rate"], arrays["prior_weight"], arrays["iterations"], strict=True)
    )
    assert settings == {(r, w, k) for r in (0.1, 0.001) for w in (0.1, 0.001) for k in (2, 6)}
    assert (arrays["response_trace"][:, :, 0] == arrays["response_trace"][0, :, 0]).all()
    assert arrays["seed"].tolist() == [0, 1, 2, 3]


def test_real_responses_are_apart_and_ordered(
    walk: dict[str, Path], some_of_the_sample: Path
) -> None:
    real, meta = read_arrays(walk["responses"], "responses", ())
    assert real["mel"].shape == (4, 80, 115) and real["audio"].shape == (4, 36_934)
    assert (np.diff(real["response"]) <= 1e-5).all()
    assert (np.diff(real["bottom_response"]) >= -1e-5).all()
    assert real["response"].min() >= real["bottom_response"].max()
    training = (some_of_the_sample / "filelists" / "train").read_text().split()
    assert set(real["file"]) <= set(training)
    moments: dict[str, list[float]] = {}
    for name, start in zip(real["file"], real["start_s"], strict=True):
        moments.setdefault(name, []).append(start)
    for starts in moments.values():
        assert (np.diff(sorted(starts)) >= 115 / 70 - 1e-6).all()
    assert meta["classifier_hash"]


def test_the_real_audio_is_the_cut_that_was_scored(walk: dict[str, Path]) -> None:
    from ganexplain.audio.log_mel import log_mel
    from ganexplain.inputs.log_mel import FrontEnd

    real, _ = read_arrays(walk["responses"], "responses", ())
    sound = real["audio"][0].astype(np.float32) / 32767
    again = log_mel(sound, FrontEnd()).T
    loud = real["mel"][0] > real["mel"][0].max() - 6
    assert np.abs(again - real["mel"][0])[loud].mean() < 0.05


def test_the_ranking_is_by_the_papers_score(walk: dict[str, Path]) -> None:
    document = json.loads(walk["select"].read_text())
    arrays, _ = read_arrays(walk["explain"], "explanations", ())
    real, _ = read_arrays(walk["responses"], "responses", ())
    rows = document["configurations"]
    for c, row in enumerate(rows):
        ours, theirs = arrays["response"][c].astype(float), real["response"].astype(float)
        score = (ours.mean() - theirs.mean()) ** 2 + (ours.std(ddof=1) - theirs.std(ddof=1)) ** 2
        assert row["fid_response"] == pytest.approx(score, rel=1e-6)
        assert row["fid_features"] == pytest.approx(
            frechet_distance(arrays["features"][c], real["features"])
        )
    scores = [row["fid_response"] for row in sorted(rows, key=lambda row: row["rank"])]
    assert scores == sorted(scores)
    assert rows[document["chosen"]]["rank"] == 1


def test_select_prints_a_table_best_first_or_json(
    run: Run, walk: dict[str, Path], tmp_path: Path
) -> None:
    common = ("select", walk["explain"], "--responses", walk["responses"], "--by", "fid-response",
              "--quiet")  # fmt: skip
    table = run(*common, "--no-controls", "--out", tmp_path / "table").out.splitlines()
    assert table[0].split()[:3] == ["rank", "learning", "rate"]
    assert [int(line.split()[0]) for line in table[1:9]] == list(range(1, 9))
    document = json.loads(run(*common, "--out", tmp_path / "json", "--json").out)
    assert document == json.loads(walk["select"].read_text())
    by_features = run(*with_options(common, "--by", "fid-features"), "--json", "--no-controls",
                      "--out", tmp_path / "features")  # fmt: skip
    rows = json.loads(by_features.out)["configurations"]
    first = min(rows, key=lambda row: row["rank"])
    assert first["rank"] == 1
    assert first["fid_features"] == min(row["fid_features"] for row in rows)


def test_explain_minimises_and_repeats_itself(
    run: Run, walk: dict[str, Path], tmp_path: Path
) -> None:
    words = ("explain", "--classifier", walk["train-classifier"], "--gan", walk["train-gan"],
             "--direction", "min", "--iterations", "3", "--examples", "3", "--seed", "1",
             "--learning-rate", "0.1", "--prior-weight", "0.01", "--quiet")  # fmt: skip
    first, again = (
        Path(run(*words, "--out", tmp_path / name).out.strip()) for name in ("first", "again")
    )
    assert first.read_bytes() == again.read_bytes()
    arrays, meta = read_arrays(first, "explanations", ())
    assert meta["direction"] == "min"
    assert (arrays["response"] <= arrays["start_response"] + 1e-4).all()
    # Example k depends on seed + k alone: seeds 1, 2, 3 of seed 0's run are the same starts.
    whole, _ = read_arrays(walk["explain"], "explanations", ())
    assert arrays["start_mel"] == pytest.approx(whole["start_mel"][1:], abs=1e-4)


def test_a_hidden_unit_can_be_explained(run: Run, walk: dict[str, Path], tmp_path: Path) -> None:
    done = run("explain", "--classifier", walk["train-classifier"], "--gan", walk["train-gan"],
               "--layer", "conv5", "--neuron", "17", "--iterations", "3", "--examples", "2",
               "--learning-rate", "0.1", "--prior-weight", "0",
               "--out", tmp_path / "x")  # fmt: skip
    arrays, meta = read_arrays(Path(done.out.strip()), "explanations", ())
    assert (meta["layer"], meta["neuron"]) == ("conv5", 17)
    assert (arrays["response"] > arrays["start_response"]).all()


def test_resolved_settings_run_again(run: Run, walk: dict[str, Path], tmp_path: Path) -> None:
    config = walk["explain"].parent / "config.toml"
    run("explain", "--config", config, "--out", tmp_path / "again")
    again = tmp_path / "again" / "explanations.npz"
    assert again.read_bytes() == walk["explain"].read_bytes()


@pytest.mark.parametrize(
    "edited, rerun",
    [
        ("train-classifier", ["train-classifier", "run"]),
        ("train-gan", ["train-gan", "run"]),
        ("run", ["run"]),
        (None, []),
    ],
)
def test_make_reruns_an_edited_stage_and_those_after_it(
    tmp_path: Path, edited: str | None, rerun: list[str]
) -> None:
    settings = tmp_path / "settings"
    stages = ["train-classifier", "train-gan", "run"]
    products = ["classifier/classifier.pt", "gan/gan.pt", "report/report.html"]
    newest = max(p.stat().st_mtime for p in (SAMPLE / "filelists").iterdir())
    settings.mkdir()
    for at, (stage, product) in enumerate(zip(stages, products, strict=True)):
        (settings / f"{stage}.toml").touch()
        made = tmp_path / "run" / product
        made.parent.mkdir(parents=True)
        made.touch()
        os.utime(settings / f"{stage}.toml", (newest, newest))
        os.utime(made, (newest + 10 + at, newest + 10 + at))
    if edited:
        os.utime(settings / f"{edited}.toml", (newest + 100, newest + 100))
    planned = subprocess.run(
        ["make", "-n", "demo-from-scratch", f"SCRATCH={tmp_path / 'run'}", f"SETTINGS={settings}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    ran = [line.split()[1] for line in planned.splitlines() if "/ganexplain " in line]
    assert sorted(ran, key=stages.index) == sorted(rerun, key=stages.index)


def test_the_demo_trains_nothing(tmp_path: Path) -> None:
    planned = subprocess.run(
        ["make", "-n", "demo", f"RUN={tmp_path / 'run'}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    ran = [line.split()[1] for line in planned.splitlines() if "/ganexplain " in line]
    assert ran == ["demo"]


@pytest.mark.parametrize("stage", ["train-gan", "explain", "select", "report"])
def test_the_same_command_gives_the_same_bytes(
    run: Run, walk: dict[str, Path], tmp_path: Path, stage: str
) -> None:
    before, again = walk[stage].parent, tmp_path / "again"
    told = run("rerun", before, "--out", again, "--quiet").out.splitlines()
    hashes = [
        {name: file_hash(path) for name, path in artifacts_of(made).items()}
        for made in (before, again)
    ]
    assert hashes[0] == hashes[1] and walk[stage].name in hashes[0]
    assert told == [f"{name}\tequal" for name in sorted(hashes[0])]
