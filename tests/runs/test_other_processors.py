"""What stays the same where a processor has other vector units: draws, and single passes.

The libraries below choose their kernels by the processor. Their variables have this machine
compute as one without AVX does: another order of additions, other rounding.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.processors import OLDER
from support.commands import COMMAND, cli_environment
from support.paths import PRETRAINED, ROOT

pytestmark = pytest.mark.slow  # both tests look at four commands in processes of their own
CLASSIFIER = ("--classifier", PRETRAINED / "classifier.pt")
SONG = ROOT / "sample_data" / "audio" / "gig_cor_rock.ogg"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same commands on this processor and as an older one computes."""
    folder = tmp_path_factory.mktemp("processors")
    environment = cli_environment(folder / "cache")
    outs = []
    for name, variables in (("this", {}), ("older", OLDER)):
        for words in (
            ["explain", *CLASSIFIER, "--gan", PRETRAINED / "gan.pt", "--learning-rate", "0.001",
             "--prior-weight", "0.01", "--iterations", "3", "--examples", "2", "--jobs", "1"],
            ["predict", SONG, *CLASSIFIER],
        ):  # fmt: skip
            subprocess.run(
                [*COMMAND, *map(str, words), "--out", str(folder / name / str(words[0])), "-q"],
                check=True, env={**environment, **variables}, capture_output=True,
            )  # fmt: skip
        outs.append(folder / name)
    return outs[0], outs[1]


@pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64",
    reason="the variables are those of x86-64 libraries",
)
def test_starts_and_a_short_search_agree_to_rounding(runs: tuple[Path, Path]) -> None:
    mine, older = (np.load(run / "explain" / "explanations.npz") for run in runs)
    np.testing.assert_array_equal(mine["seed"], older["seed"])
    for key in ("start_mel", "start_response", "response_trace", "latent", "response"):
        np.testing.assert_allclose(older[key], mine[key], rtol=1e-4, atol=1e-3, err_msg=key)
    if torch.backends.cpu.get_cpu_capability() != "DEFAULT":  # else both are the same machine
        assert (mine["start_mel"] != older["start_mel"]).any(), "the variables change nothing"


def test_predictions_agree(runs: tuple[Path, Path]) -> None:
    mine, older = (
        np.loadtxt(run / "predict" / f"{SONG.stem}.csv", delimiter=",", skiprows=1) for run in runs
    )
    np.testing.assert_allclose(older, mine, rtol=0, atol=1e-5)
