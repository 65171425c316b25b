"""`select` on the shipped networks and real recordings: judges, controls, ties, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from support.commands import Run
from support.paths import PRETRAINED, SAMPLE

from ganexplain.artifacts.explanations import read_explanations
from ganexplain.ascent.candidate import Target
from ganexplain.ascent.engine import ascend, begin_search, start_latents
from ganexplain.ascent.input_ascent import InputSpace, ascend_input
from ganexplain.ascent.nearest import ascend_to_nearest
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.config import SelectConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.files.arrays import read_arrays, write_arrays
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.distances import frechet_distance
from ganexplain.metrics.scores import Examples
from ganexplain.networks.weight_shuffling import has_weights_to_shuffle, weights_shuffled
from ganexplain.runs.progress import NullProgress
from ganexplain.selection.controls import Controls, load_networks, spread_ratio
from ganexplain.selection.judges import load_judges
from ganexplain.selection.ranking import chosen_setting, score_settings

CPU = torch.device("cpu")
EXAMPLES = 12
pytestmark = pytest.mark.slow  # most tests look at one long selection


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory, run: Run) -> dict[str, Path]:
    """A run of `explain`, and what `select` makes of it with a judge and all controls."""
    root = tmp_path_factory.mktemp("selection")
    run("explain", "--classifier", PRETRAINED / "classifier.pt", "--gan", PRETRAINED / "gan.pt",
        "--examples", str(EXAMPLES), "--learning-rate", "0.1", "--prior-weight", "0.1",
        "--prior-weight", "0.01", "--iterations", "8", "--iterations", "30",
        "--out", root / "explain", "-q")  # fmt: skip
    run("select", root / "explain" / "explanations.npz", "--corpus", SAMPLE, "--hop-frames", "60",
        "--judge", PRETRAINED / "judge.pt", "--out", root / "select", "-q")  # fmt: skip
    return {"explain": root / "explain" / "explanations.npz", "select": root / "select"}


@pytest.fixture(scope="module")
def document(chosen: dict[str, Path]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((chosen["select"] / "selection.json").read_text())
    return found


def again(run: Run, chosen: dict[str, Path], out: Path, *more: object) -> dict[str, Any]:
    done = run("select", chosen["explain"], "--responses", chosen["select"] / "responses.npz",
               "--out", out, "--json", "-q", *more)  # fmt: skip
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.fixture(scope="module")
def other(
    run: Run, chosen: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[str], dict[str, Any]]:
    """The same by another rule and seed: the lines printed, and the document."""
    out = tmp_path_factory.mktemp("other") / "k"
    done = run("select", chosen["explain"], "--responses", chosen["select"] / "responses.npz",
               "--by", "kid", "--seed", "1", "--judge", PRETRAINED / "judge.pt",
               "--out", out, "-q")  # fmt: skip
    return done.out.splitlines(), json.loads((out / "selection.json").read_text())


# --- settings -------------------------------------------------------------------------------


def test_every_setting_has_scores_intervals_and_votes(document: dict[str, Any]) -> None:
    assert len(document["configurations"]) == 4
    for row in document["configurations"]:
        for name in ("fid_response", "fid_features", "wasserstein", "kid"):
            low, high = row[f"{name}_interval"]
            assert low <= row[name] <= high
        assert 0 <= row["precision"] <= 1 and 0 <= row["coverage"] <= 1
        assert 0 <= row["judges"]["judge"] <= 1
        assert row["shell_distance"] > 0 and row["nearest_real"] > 0
    assert sorted(row["rank"] for row in document["configurations"]) == [1, 2, 3, 4]


def test_the_smallest_mean_rank_is_chosen(document: dict[str, Any]) -> None:
    rows = document["configurations"]
    assert document["by"] == "composite"
    ranks = [rankdata([row[name] for row in rows]) for name in ("fid_response", "nearest_real")]
    assert [row["composite"] for row in rows] == np.mean(ranks, axis=0).tolist()
    mine = rows[document["chosen"]]
    assert mine["rank"] == 1 and mine["tied"]
    assert mine["composite"] == min(row["composite"] for row in rows)


def test_of_equal_scores_the_least_optimised_is_chosen() -> None:
    """Then the one with the largest prior weight; a worse one is not, however little it took."""
    stream = np.random.default_rng(0)
    one = {
        "mel": stream.normal(size=(8, 5, 5)),
        "response": stream.normal(size=8),
        "features": stream.normal(size=(8, 3)),
        "latent": stream.normal(size=(8, 4)),
    }
    made = {name: np.stack([value] * 4) for name, value in one.items()}
    made["response"][3] += 50
    made["learning_rate"] = np.array([0.1, 0.01, 0.01, 0.001])
    made["iterations"] = np.array([100, 100, 100, 100])
    made["prior_weight"] = np.array([0.1, 0.01, 0.1, 0.1])
    real = Examples(one["mel"], one["response"] + 1, one["features"])
    table = score_settings(made, real, "fid-response", 0, np.empty((4, 0)))
    assert chosen_setting(table) == 2
    assert table["rank"].tolist() == [3, 2, 1, 4]


def test_the_table_has_the_papers_rule_beside_any_other(
    other: tuple[list[str], dict[str, Any]],
) -> None:
    head, *rows = other[0]
    assert head.index("KID") < head.index("FID response") < head.index("judge judge")
    assert [row.split()[0] for row in rows[:4]] == ["1", "2", "3", "4"]
    assert sum("*" in row for row in rows[:4]) == 1
    for name in ("fresh", "start", "input ascent", "reinitialised", "held out"):
        assert sum(name in row for row in rows) == 1
    assert any("by kid" in row for row in rows)
    assert any("12 examples are few" in warning for warning in other[1]["warnings"])


def test_a_warning_is_printed_once(run: Run, chosen: dict[str, Path], tmp_path: Path) -> None:
    done = run("select", chosen["explain"], "--responses", chosen["select"] / "responses.npz",
               "--no-controls", "--out", tmp_path / "k")  # fmt: skip
    assert (done.out + done.err).count("12 examples are few") == 1
    assert "12 examples are few" in (tmp_path / "k" / "log.txt").read_text()


def test_the_same_seed_gives_the_same_selection(
    run: Run,
    chosen: dict[str, Path],
    document: dict[str, Any],
    other: tuple[list[str], dict[str, Any]],
    tmp_path: Path,
) -> None:
    assert again(run, chosen, tmp_path, "--judge", PRETRAINED / "judge.pt") == document
    one, two = (found["configurations"][0] for found in (document, other[1]))
    assert one["fid_response"] == two["fid_response"]
    assert one["fid_response_interval"] != two["fid_response_interval"]
    first, second = (d["controls"]["reinitialised"]["fid_features"] for d in (document, other[1]))
    assert first != second


# --- controls -------------------------------------------------------------------------------


def test_controls_say_what_an_explanation_is_worth(
    chosen: dict[str, Path], document: dict[str, Any]
) -> None:
    mine, controls = document["configurations"][document["chosen"]], document["controls"]
    assert set(controls) == {"fresh", "start", "held_out", "input_ascent", "reinitialised"}
    for name in ("start", "reinitialised"):
        assert controls[name]["fid_response"] > 3 * mine["fid_response"]
        assert controls[name]["judges"]["judge"] < mine["judges"]["judge"]
    for name in ("start", "reinitialised", "input_ascent"):
        assert controls["held_out"]["fid_features"] < controls[name]["fid_features"]
    assert controls["start"]["path_similarity"] < 0.25 < mine["path_similarity"]
    # Without the GAN responses get as high, and are stopped there, but it is not music.
    real, _ = read_arrays(chosen["select"] / "responses.npz", "responses", ())
    noise = controls["input_ascent"]
    assert abs(noise["mean_response"] - real["response"].mean()) < 1
    for name in ("precision", "density", "coverage"):
        assert noise[name] < mine[name]
    assert "shell_distance" not in controls["input_ascent"]
    assert all(control["meaning"] and control["examples"] == EXAMPLES
               for control in controls.values())  # fmt: skip


def test_control_examples_are_kept_to_look_at(chosen: dict[str, Path]) -> None:
    arrays, meta = read_arrays(chosen["select"] / "controls.npz", "controls", ())
    assert meta["seed"] == 0
    network = load_classifier(PRETRAINED / "classifier.pt", CPU).network
    for name in ("fresh", "input_ascent", "reinitialised"):
        mel = arrays[f"{name}_mel"]
        assert mel.shape == (EXAMPLES, 80, 115)
        with torch.no_grad():
            said = network(torch.from_numpy(mel))[:, 0].numpy()
        assert said == pytest.approx(arrays[f"{name}_response"], abs=1e-3)


def test_the_chosen_setting_is_scored_from_starts_that_had_no_part_in_choosing_it(
    run: Run, chosen: dict[str, Path], document: dict[str, Any], tmp_path: Path
) -> None:
    """The same as a run of `explain` with that setting alone and the seeds behind the first."""
    mine = document["configurations"][document["chosen"]]
    run("explain", "--classifier", PRETRAINED / "classifier.pt", "--gan", PRETRAINED / "gan.pt",
        "--examples", str(EXAMPLES), "--learning-rate", str(mine["learning_rate"]),
        "--prior-weight", str(mine["prior_weight"]), "--iterations", str(mine["iterations"]),
        "--seed", str(EXAMPLES), "--out", tmp_path, "-q")  # fmt: skip
    made, _ = read_arrays(tmp_path / "explanations.npz", "explanations", ())
    real, _ = read_arrays(chosen["select"] / "responses.npz", "responses", ())
    arrays, _ = read_arrays(chosen["select"] / "controls.npz", "controls", ())
    fresh = document["controls"]["fresh"]
    assert arrays["fresh_response"] == pytest.approx(made["response"][0], abs=0.05)
    distance = frechet_distance(arrays["fresh_response"], real["response"])
    assert fresh["fid_response"] == pytest.approx(distance)
    low, high = fresh["fid_response_difference"]
    assert low <= fresh["fid_response"] - mine["fid_response"] <= high


def test_fresh_starts_are_searched_by_the_rule_of_the_run(
    run: Run, chosen: dict[str, Path], tmp_path: Path
) -> None:
    """With the authors' hysteresis where the run had it, as `explain` with the seeds behind."""
    run("explain", "--classifier", PRETRAINED / "classifier.pt", "--gan", PRETRAINED / "gan.pt",
        "--examples", str(EXAMPLES), "--learning-rate", "0.01", "--prior-weight", "0.1",
        "--iterations", "8", "--seed", str(EXAMPLES), "--hysteresis",
        "--out", tmp_path, "-q")  # fmt: skip
    wanted, _ = read_arrays(tmp_path / "explanations.npz", "explanations", ())
    explanations = read_explanations(chosen["explain"])
    one = {"learning_rate": np.full(4, 0.01), "prior_weight": np.full(4, 0.1)}
    explanations = replace(explanations, arrays=explanations.arrays | one)
    real, _ = read_arrays(chosen["select"] / "responses.npz", "responses", ())
    networks = load_networks(SelectConfig(explanations=""), explanations, CPU)
    for hysteresis in (True, False):
        meta = replace(explanations.meta, hysteresis=hysteresis)
        controls = Controls(replace(explanations, meta=meta), real, networks)
        latent = controls.fresh(0, NullProgress())["fresh"].latent
        off = np.linalg.norm(latent - wanted["latent"][0], axis=1)
        assert bool(off.max() < 0.03) is hysteresis  # a step of the search is one of about 0.1


def test_held_out_excerpts_are_of_other_recordings(chosen: dict[str, Path]) -> None:
    arrays, _ = read_arrays(chosen["select"] / "responses.npz", "responses", ())
    listed = {
        split: set((SAMPLE / "filelists" / split).read_text().split())
        for split in ("train", "valid", "test")
    }
    stems = {name: {Path(f).name for f in files} for name, files in listed.items()}
    assert set(arrays["file"]) <= stems["train"]
    for key in ("held_out_file", "held_out_bottom_file"):
        assert set(arrays[key]) <= stems["valid"] | stems["test"]
    assert (arrays["held_out_response"] > arrays["held_out_bottom_response"].max()).all()


@pytest.fixture(scope="module")
def moved(chosen: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same run, whose GAN is no longer where it was."""
    arrays, meta = read_arrays(chosen["explain"], "explanations", ())
    path = tmp_path_factory.mktemp("moved") / "explanations.npz"
    write_arrays(path, "explanations", arrays, {**meta, "gan": "no-longer-here/gan.pt"})
    return {**chosen, "explain": path}


def test_without_controls_no_network_is_needed(
    run: Run, moved: dict[str, Path], document: dict[str, Any], tmp_path: Path
) -> None:
    found = again(run, moved, tmp_path / "x", "--no-controls")
    assert found["controls"] == {} and found["judges"] == {}
    assert not (tmp_path / "x" / "controls.npz").exists()
    assert found["chosen"] == document["chosen"]


def test_a_network_that_is_not_there_or_another_is_named(
    command: Run, moved: dict[str, Path], tmp_path: Path
) -> None:
    given = ("select", moved["explain"], "--responses", moved["select"] / "responses.npz",
             "--out", tmp_path / "x", "-q")  # fmt: skip
    done = command(*given)
    assert done.code == 2 and "say where the gan is with --gan" in done.error_line()
    done = command(*given, "--gan", tmp_path / "gan.pt")
    assert done.code == 2 and f"{tmp_path / 'gan.pt'}: no such file" in done.error_line()
    done = command(*given, "--gan", PRETRAINED / "gan.pt", "--classifier", PRETRAINED / "judge.pt")
    assert done.code == 2 and "not the classifier of" in done.error_line()
    assert not (tmp_path / "x").exists()


# --- judges ---------------------------------------------------------------------------------


def test_judges_have_names_of_their_own(tmp_path: Path) -> None:
    content = (PRETRAINED / "judge.pt").read_bytes()
    paths = [tmp_path / name for name in ("one/classifier.pt", "two/classifier.pt", "two/j.pt")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    judges = load_judges([*map(str, paths), str(paths[0])], (Path("e.npz"), FrontEnd()), CPU)
    assert [judge.name for judge in judges] == ["one", "two", "j", "one-2"]


def test_a_judge_says_what_it_says_of_recordings() -> None:
    """Of sung and of other excerpts the share said to be sung is as its own predictions are."""
    (judge,) = load_judges([str(PRETRAINED / "judge.pt")], (Path("e.npz"), FrontEnd()), CPU)
    split = load_log_mel_split(
        read_corpus(SAMPLE), "test", FrontEnd(), cache_directory(""), NullProgress()
    )
    rows = split.labelled_frames()
    stream = np.random.default_rng(0)
    each = (rows.of_class(k) for k in (1, 0))
    sung, other = (split.gather(one[stream.permutation(len(one))[:60]]) for one in each)
    verdict = judge.verdict("sing", "max", sung)
    assert verdict.agreement(sung) > 0.6 > 0.3 > verdict.agreement(other)
    assert judge.verdict("sing", "min", sung).agreement(sung) == pytest.approx(
        1 - verdict.agreement(sung)
    )
    assert verdict.agreement(np.stack([sung, other])).shape == (2,)
    hidden = judge.verdict("", "max", other)  # of a unit without a class: what the real ones are
    assert hidden.text == "nosing"
    assert verdict.text == "sing"


def test_judges_are_asked_of_strong_and_weak_real_ones_and_of_samples(
    chosen: dict[str, Path], document: dict[str, Any]
) -> None:
    """The shipped judge heard the same songs in its training: it votes as the classifier does."""
    (judge,) = document["judges"].values()
    assert judge["real_agreement"] > 0.8 > 0.2 > judge["weak_agreement"]
    assert judge["sample_agreement"] > 0.8
    corpora = torch.load(PRETRAINED / "classifier.pt", weights_only=True)["config"]["corpus"]
    assert judge["same_corpora"] == list(corpora)
    log = (chosen["select"] / "log.txt").read_text()
    assert "trained on corpora of the network explained, too: judge (--judge);" in log


def test_judges_of_the_same_songs_are_named_without_controls_too(
    chosen: dict[str, Path], tmp_path: Path, run: Run
) -> None:
    judge = ("--judge", PRETRAINED / "judge.pt", "--no-controls")
    document = again(run, chosen, tmp_path / "again", *judge)
    corpora = torch.load(PRETRAINED / "classifier.pt", weights_only=True)["config"]["corpus"]
    assert document["judges"]["judge"]["same_corpora"] == list(corpora)
    assert "may share its mistakes" in (tmp_path / "again" / "log.txt").read_text()


def test_how_well_responses_order_samples_by_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    (judge,) = load_judges([str(PRETRAINED / "judge.pt")], (Path("e.npz"), FrontEnd()), CPU)
    verdict, mel = judge.verdict("sing", "max", np.zeros((1, 80, 115))), np.zeros((4, 80, 115))
    monkeypatch.setattr(judge, "classes_of", lambda mel: np.array([1, 0, 1, 0]))
    assert verdict.sample_agreement(mel, np.array([3.0, 1.0, 4.0, 2.0])) == 1
    assert verdict.sample_agreement(mel, np.array([3.0, 1.0, 2.0, 2.5])) == 0.75
    monkeypatch.setattr(judge, "classes_of", lambda mel: np.ones(4, np.int64))
    assert verdict.sample_agreement(mel, np.arange(4.0)) is None


def exported(folder: Path, classes: str) -> str:
    """The shipped judge as a network of no origin known here, and what it takes."""
    judge = load_classifier(PRETRAINED / "judge.pt", CPU)
    traced = torch.jit.trace(judge.network, torch.full((2, 80, 115), -8.0))
    torch.jit.save(traced, str(folder / "theirs.pt"))
    level = float(np.log(judge.threshold / (1 - judge.threshold)))
    text = f"[network]\nclasses = [{classes}]\nthreshold = {level!r}\n"
    (folder / "theirs.toml").write_text(text)
    return f"{folder / 'theirs.pt'}@{folder / 'theirs.toml'}"


def test_a_network_of_any_origin_judges_as_its_checkpoint_does(
    command: Run, chosen: dict[str, Path], tmp_path: Path
) -> None:
    given = ("select", chosen["explain"], "--responses", chosen["select"] / "responses.npz",
             "--no-controls", "--out", tmp_path / "x", "-q")  # fmt: skip
    named = exported(tmp_path, "'nosing', 'sing'")
    done = command(*given, "--judge", named, "--judge", PRETRAINED / "judge.pt")
    assert done.code == 0, done.err
    document = json.loads((tmp_path / "x" / "selection.json").read_text())
    for row in document["configurations"]:
        assert row["judges"]["theirs"] == row["judges"]["judge"]
    assert document["judges"]["theirs"]["path"] == named
    inputs = json.loads((tmp_path / "x" / "run.json").read_text())["inputs"]
    assert {"judge theirs model", "judge theirs input", "judge judge"} <= set(inputs)


@pytest.mark.parametrize(
    ("classes", "said"),
    [("'sing'", "must name its classes"), ("'a', 'b', 'c'", "3 names for 1 output unit"),
     ("'spoken', 'singing'", "no class 'sing' (did you mean 'singing'?)")],
)  # fmt: skip
def test_a_network_of_other_classes_is_no_judge(
    command: Run, chosen: dict[str, Path], tmp_path: Path, classes: str, said: str
) -> None:
    done = command("select", chosen["explain"], "--responses",
                   chosen["select"] / "responses.npz", "--judge", exported(tmp_path, classes),
                   "--out", tmp_path / "x", "-q")  # fmt: skip
    assert done.code == 2
    assert done.error_line().startswith("--judge ") and said in done.error_line()
    assert not (tmp_path / "x").exists()


def test_a_judge_of_other_classes_is_refused(
    command: Run, chosen: dict[str, Path], tmp_path: Path
) -> None:
    content = torch.load(PRETRAINED / "judge.pt", weights_only=True)
    torch.save({**content, "classes": ["spoken", "singing"]}, tmp_path / "j.pt")
    done = command("select", chosen["explain"], "--responses",
                   chosen["select"] / "responses.npz", "--judge", tmp_path / "j.pt",
                   "--out", tmp_path / "x", "-q")  # fmt: skip
    assert done.code == 2
    assert "no class 'sing' (did you mean 'singing'?)" in done.error_line()
    assert not (tmp_path / "x").exists()


# --- what controls are made of --------------------------------------------------------------


def test_a_reinitialised_network_has_the_same_weights_elsewhere() -> None:
    network = load_classifier(PRETRAINED / "classifier.pt", CPU).network
    before = {name: value.clone() for name, value in network.state_dict().items()}

    def shuffled(seed: int) -> dict[str, torch.Tensor]:
        with weights_shuffled(network, seed):
            return {name: value.clone() for name, value in network.state_dict().items()}

    control = shuffled(0)
    for name, value in control.items():
        assert torch.equal(network.state_dict()[name], before[name])  # as it was, afterwards
        assert torch.equal(value.flatten().sort().values, before[name].flatten().sort().values)
        changed = value.numel() > 1 and name not in ("mean", "deviation")
        assert torch.equal(value, before[name]) != changed
    assert torch.equal(shuffled(0)["fc9.weight"], control["fc9.weight"])
    assert not torch.equal(shuffled(1)["fc9.weight"], control["fc9.weight"])


def test_weights_come_back_when_a_control_fails() -> None:
    network = SVDNet(1)
    before = network.fc9.weight.detach().clone()
    with pytest.raises(RuntimeError, match="stop"), weights_shuffled(network, 0):
        raise RuntimeError("stop")
    assert torch.equal(network.fc9.weight, before)
    assert has_weights_to_shuffle(network) and not has_weights_to_shuffle(torch.nn.ReLU())


def test_input_ascent_raises_a_response_by_small_steps() -> None:
    torch.manual_seed(0)
    network = SVDNet(1).eval().requires_grad_(False)
    mean, deviation = np.linspace(-2, 2, 80), np.full(80, 1.5)
    space = InputSpace((80, 115), mean[:, None], deviation[:, None], np.log(1e-7), np.inf)
    beyond = np.array([1e3, 1e3 + 1])  # so that the search runs to its end

    def ascent(iterations: int) -> tuple[np.ndarray, np.ndarray]:
        found, mel = ascend_input(
            lambda x: network(x)[:, 0], space, Starts(start_latents(5, 3, 80 * 115), 0.05),
            Target.of(beyond, "max"), iterations, AscentSettings(batch_size=2),
        )  # fmt: skip
        assert found.iterations == iterations
        return found.response, mel

    (early, first), (late, last) = ascent(1), ascent(20)
    assert last.shape == (3, 80, 115) and last.min() >= np.log(np.float32(1e-7))
    assert (late > early).all()
    with torch.no_grad():
        said = network(torch.from_numpy(last))[:, 0].numpy()
    assert said == pytest.approx(late, abs=1e-4)
    # It starts as unit noise around the mean of each band.
    start = np.random.RandomState(5).normal(0, 1, 80 * 115).reshape(80, 115)
    moved = (first[0] - mean[:, None]) / deviation[:, None] - start
    assert np.abs(moved).max() < 0.06


def test_responses_are_scaled_by_their_spread_but_not_by_rounding() -> None:
    wanted = np.array([0.0, 6.0])
    assert spread_ratio(wanted, np.array([1.0, 1.5], np.float32)) == pytest.approx(12)
    rounding = np.array([1.0, 1.0 + 2**-23], np.float32)
    assert spread_ratio(wanted, rounding) == spread_ratio(wanted, np.zeros(3)) == 1


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("level", [0.5, 2.0, 50.0])
def test_a_control_ends_at_the_iteration_nearest_to_the_real_responses(
    direction: str, level: float
) -> None:
    """Against every iteration count of `ascend`, told apart by the distance's own formula."""
    sign = 1.0 if direction == "max" else -1.0
    slope = torch.linspace(0.2, 1, 4)
    starts, settings = Starts(start_latents(3, 6, 4), 0.05, 0.01), AscentSettings(direction, 4)

    def objective(z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z) @ slope

    real = sign * (level + 0.2 * np.arange(5.0))
    counts = list(range(1, 41))
    every = ascend(objective, starts, counts, settings)
    ours = every.response.astype(np.float64)
    distance = (ours.mean(1) - real.mean()) ** 2 + (ours.std(1, ddof=1) - real.std(ddof=1)) ** 2
    search = begin_search(objective, starts, settings)
    found = ascend_to_nearest(search, Target.of(real, direction), 40)
    best = int(distance.argmin())
    assert found.iterations == counts[best]
    assert found.distance == pytest.approx(distance[best])
    assert found.response == pytest.approx(every.response[best])
    assert found.latent.numpy() == pytest.approx(every.latent[best])
    assert search.iteration < 40 or found.iterations > 20  # it does not run on in vain


def test_a_reinitialised_network_is_searched_to_what_is_real_to_itself(
    chosen: dict[str, Path],
) -> None:
    """Its own responses, not those of the network explained, end like its own to real excerpts."""
    arrays, _ = read_arrays(chosen["select"] / "controls.npz", "controls", ())
    real, _ = read_arrays(chosen["select"] / "responses.npz", "responses", ())
    pool = np.concatenate([real[key] for key in real if key.endswith("mel")])
    started = read_arrays(chosen["explain"], "explanations", ())[0]["start_mel"]
    network = load_classifier(PRETRAINED / "classifier.pt", CPU).network
    with torch.no_grad(), weights_shuffled(network, 0):
        own, found, before = (
            network(torch.from_numpy(mel))[:, 0].double().numpy()
            for mel in (pool, arrays["reinitialised_mel"], started)
        )
    target = np.sort(own)[-EXAMPLES:].mean()
    assert abs(found.mean() - target) < 0.2 * abs(before.mean() - target)


def test_controls_are_searched_with_the_setting_chosen(chosen: dict[str, Path]) -> None:
    """One whose learning rate is next to nothing does not move, another does."""
    explanations = read_explanations(chosen["explain"])
    arrays = {**explanations.arrays, "learning_rate": np.array([1e-9, 0.1, 1e-9, 0.1])}
    explanations = replace(explanations, arrays=arrays | {"iterations": np.full(4, 3)})
    real, _ = read_arrays(chosen["select"] / "responses.npz", "responses", ())
    networks = load_networks(SelectConfig(explanations=""), explanations, CPU)
    controls = Controls(explanations, real, networks)
    behind = start_latents(EXAMPLES, EXAMPLES, LATENT_SIZE)
    for setting, moves in ((0, False), (1, True)):
        shuffled = controls.reinitialised(setting, 0, NullProgress()).latent
        fresh = controls.fresh(setting, NullProgress())["fresh"].latent
        assert bool(np.abs(shuffled - controls.starts).max() > 0.05) is moves
        assert bool(np.abs(fresh - behind).max() > 0.05) is moves


def test_a_ranking_by_prediction_is_what_validate_finds_on_the_validation_split(
    run: Run, chosen: dict[str, Path], tmp_path: Path
) -> None:
    common = ("--corpus", SAMPLE, "--hop-frames", "230", "-q", "--json")
    done = run("select", chosen["explain"], "--by", "prediction", "--no-controls",
               "--out", tmp_path / "s", *common)  # fmt: skip
    ranked = json.loads(done.out)
    errors = [row["prediction_error"] for row in ranked["configurations"]]
    assert errors[ranked["chosen"]] == min(errors)
    done = run("validate", chosen["explain"], "--selection", tmp_path / "s", "--split", "valid",
               "--out", tmp_path / "v", *common)  # fmt: skip
    (unit,) = json.loads(done.out)["units"]
    share = unit["shares"]["descriptors"]["generated"]["top"]["share"]
    assert share == pytest.approx(1 - min(errors))
    held_out = read_arrays(tmp_path / "s" / "responses.npz", "responses", ())[0]["held_out_file"]
    tested = (SAMPLE / "filelists" / "test").read_text().split()
    assert set(held_out) <= set(tested)  # the pairs are of the validation split


def test_a_ranking_by_prediction_needs_a_corpus(
    run: Run, chosen: dict[str, Path], tmp_path: Path
) -> None:
    given = ("select", chosen["explain"], "--responses", chosen["select"] / "responses.npz",
             "--by", "prediction", "--out", tmp_path / "s", "-q")  # fmt: skip
    assert "--by prediction: name a --corpus" in run(*given, status=2).error_line()
    assert "name one" in run(*given, "--corpus", SAMPLE, status=2).error_line()


def test_a_ranking_by_prediction_needs_enough_excerpts(
    run: Run, chosen: dict[str, Path], some_of_the_sample: Path, tmp_path: Path
) -> None:
    done = run("select", chosen["explain"], "--corpus", some_of_the_sample, "--hop-frames",
               "100000", "--by", "prediction", "--out", tmp_path / "s", "-q", status=1)  # fmt: skip
    listed = (some_of_the_sample / "filelists" / "valid").read_text().split()
    assert f"{len(listed)} excerpts in the split valid" in done.error_line()
