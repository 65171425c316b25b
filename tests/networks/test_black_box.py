"""Black boxes: functions from arrays to arrays, which are only called."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from support.commands import Run
from support.recordings import noise, write_sound

import ganexplain
from ganexplain.errors import GanexplainError
from ganexplain.inputs.specification import Call
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.black_box import BlackBox
from ganexplain.networks.gradient_faults import find_gradient_fault
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import adapt_network, load_target

CPU = torch.device("cpu")
SAMPLES = 1000
WAVE = WaveformInput(sample_rate=8000, samples=SAMPLES)
CODE = """
import numpy as np
import time
from torch import nn

calls = 0

def halves(wave):
    power = np.square(wave).reshape(len(wave), 2, -1)
    return np.log(power.mean(2) + 1e-6)

def two_outputs(wave):
    return {"f0": np.full((len(wave), 1), np.nan), "power": halves(wave)}

def rows_of_numbers(wave):
    return halves(wave).tolist()

def one_at_a_time(wave):
    if len(wave) != 1:
        raise ValueError("one sound at a time")
    return halves(wave)

def loaded():
    return halves

def reused(wave, buffer=np.zeros((64, 2))):
    buffer[: len(wave)] = halves(wave)
    return buffer[: len(wave)]

def writes(wave):
    wave *= 0
    return halves(wave)

def not_a_number(wave):
    return halves(wave) * np.nan

def raises(wave):
    raise KeyError("no session")

def exits(wave):
    raise SystemExit(3)

def hangs(wave):
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass

def makes_a_class():
    return nn.Linear

def random(wave):
    return halves(wave) + np.random.normal(size=(len(wave), 2))

def counts(wave):
    global calls
    calls += 1
    return halves(wave) + calls

def seven(wave):
    return np.zeros((7, 3))

def text(wave):
    return "bird"

def ragged(wave):
    return [[1.0], [1.0, 2.0]]

def makes_a_network(size):
    return nn.Linear(2, 2)

def then(wave, what):
    global calls
    calls += 1
    found = halves(wave)
    return found if calls < 12 else what(found)

def then_wider(wave):
    return then(wave, lambda found: np.repeat(found, 2, axis=1))

def then_longer(wave):
    return then(wave, lambda found: np.repeat(found, 2, axis=0))

def then_nan(wave):
    return then(wave, lambda found: found * np.nan)
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "their.py").write_text(CODE)
    return tmp_path / "their.py"


def described(folder: Path, more: str = "") -> Path:
    path = folder / "input.toml"
    path.write_text(
        f'kind = "waveform"\nsample_rate = 8000\nsamples = {SAMPLES}\n\n[network]\n{more}\n'
    )
    return path


def waves(count: int) -> np.ndarray:
    drawn = np.random.default_rng(3).normal(0, 0.1, (count, SAMPLES)).astype(np.float32)
    drawn[:, SAMPLES // 2 :] *= np.arange(1, count + 1, dtype=np.float32)[:, None]
    return drawn


def log_powers(wave: np.ndarray) -> np.ndarray:
    first, second = wave[:, : SAMPLES // 2], wave[:, SAMPLES // 2 :]
    return np.log(np.stack([(first**2).mean(1), (second**2).mean(1)], 1) + 1e-6)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("halves", ""),
        ("two_outputs", 'output = "power"'),
        ("rows_of_numbers", ""),
        ("one_at_a_time", ""),
        ("loaded", ""),
        ("reused", ""),
    ],
)
def test_a_function_of_arrays_is_a_network(code: Path, name: str, more: str) -> None:
    source = NetworkSource(model=f"{code}:{name}", input=str(described(code.parent, more)))
    explained = load_target(source, WAVE, CPU)
    x = waves(3)
    with torch.no_grad():
        found = explained.network(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), log_powers(x), rtol=1e-4)


def test_what_a_function_writes_into_its_input_is_not_seen(code: Path) -> None:
    explained = load_target(NetworkSource(model=f"{code}:writes"), WAVE, CPU)
    x = torch.from_numpy(waves(2))
    explained.network(x)
    assert torch.equal(x, torch.from_numpy(waves(2)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", r"does not take \(2, 1000\) \(\S+:raises fails: KeyError: 'no session'\)"),
        ("exits", "exits fails: SystemExit: 3"),
        ("not_a_number", "not_a_number returns NaN; check that --input describes its input"),
        ("hangs", r"hangs: a call took longer than 0.2 s; give timeout = more seconds"),
        ("makes_a_class", r"a class, Linear, not a network .* instance of it, Linear\(\.\.\.\)"),
        ("random", "returns other values for the same input: it draws random numbers"),
        ("counts", "returns other values for the same input: it keeps a state"),
        ("seven", r"the output for 2 inputs has shape \(7, 3\), of which no axis counts"),
        ("text", "text returns str, not an array of numbers"),
        ("ragged", "ragged returns list, not an array of numbers"),
        (
            "makes_a_network",
            "returns Linear, .*; a function that makes a network takes no argument",
        ),
    ],
)
def test_a_function_that_cannot_be_used_is_answered_in_one_line(
    code: Path, name: str, message: str
) -> None:
    given = described(code.parent, "timeout = 0.2")
    with pytest.raises(GanexplainError, match=message) as caught:
        load_target(NetworkSource(model=f"{code}:{name}", input=str(given)), WAVE, CPU)
    assert "\n" not in str(caught.value)


def test_a_call_ends_in_time_in_other_threads_too() -> None:
    """As in the workers of Dask; errors and results are those of the main thread."""
    end = threading.Event()

    def function(x: np.ndarray) -> np.ndarray:
        if x[0, 0] == 2:
            raise TimeoutError("no answer")
        if x[0, 0] == 1:
            end.wait(20)
        return 3 * x

    network = BlackBox("theirs", function, timeout=0.2)
    with ThreadPoolExecutor(1) as threads:
        x = torch.tensor([[0.0, 5.0]])
        assert torch.equal(threads.submit(network, x).result(), 3 * x)
        with pytest.raises(GanexplainError, match=r"theirs: a call took longer than 0\.2 s"):
            threads.submit(network, torch.ones(1, 2)).result()
        with pytest.raises(GanexplainError, match="theirs fails: no answer"):
            threads.submit(network, 2 * torch.ones(1, 2)).result()
    end.set()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("then_wider", r"returns \(2, 4\) after \(2, 2\) for as many inputs"),
        ("then_longer", r"returns \(4, 2\) after \(2, 2\) for as many inputs"),
        ("then_nan", "returns NaN"),
    ],
)
def test_what_a_function_returns_later_is_checked_too(code: Path, name: str, message: str) -> None:
    network = load_target(NetworkSource(model=f"{code}:{name}"), WAVE, CPU).network
    with pytest.raises(GanexplainError, match=message):
        for _ in range(12):
            network(torch.from_numpy(waves(2)))


def test_why_it_has_no_gradient_is_said() -> None:
    explained = adapt_network(BlackBox("theirs", log_powers), WAVE, None, Call(), CPU)
    x = torch.from_numpy(waves(2))
    cause = find_gradient_fault(explained.network, explained.network, x)
    assert cause == "theirs is a black box, which is only called"


def test_from_python_a_function_is_a_network() -> None:
    given = {"kind": "waveform", "sample_rate": 8000, "samples": SAMPLES}
    assert ganexplain.layers(log_powers, input=given) == {"output": (2,)}
    found = ganexplain.respond(log_powers, "output:1", waves(3), input=given)
    np.testing.assert_allclose(found, log_powers(waves(3))[:, 1], rtol=1e-4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("black box")
    (place / "their.py").write_text(CODE)
    described(place, 'classes = ["first half", "second half"]')
    sound = noise(SAMPLES / 8000, 8000) * np.repeat([0.01, 0.5], SAMPLES // 2)
    write_sound(place / "sound.wav", sound, 8000)
    return place


def test_methods_without_gradients_explain_it(folder: Path, run: Run) -> None:
    out, names = folder / "attribute", ("occlusion", "lime", "elime", "lime-forest")
    methods = [word for name in names for word in ("--method", name)]
    run(
        "attribute", folder / "sound.wav", "--model", f"{folder}/their.py:halves", "--input",
        folder / "input.toml", *methods, "--segments", "4x1", "--samples", "60", "--out", out,
    )  # fmt: skip
    found = sorted(out.rglob("attribution.npz"))
    assert len(found) == len(names)
    for path in found:
        weights = np.load(path)["weights"]  # the last two of four segments are the second half
        assert weights[2:].min() > weights[:2].max()
    (entry,) = json.loads((out / "attributions.json").read_text())["inputs"]
    assert entry["explained"] == "second half"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "grad-cam"], "their.py:halves is a black box, without layers and gradients"),
        (["--method", "lime", "--target", "conv5:3"], "a black box, which is only called"),
    ],
)
def test_what_needs_a_gradient_or_a_layer_says_so(
    folder: Path, run: Run, words: list[str], message: str
) -> None:
    done = run(
        "attribute", folder / "sound.wav", "--model", f"{folder}/their.py:halves", "--input",
        folder / "input.toml", *words, "--out", folder / "refused", "--overwrite", status=2,
    )  # fmt: skip
    assert message in done.err
    assert done.err.count("error:") == 1
