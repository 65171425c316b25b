"""How far a search drifts on a processor with other vector units, iteration by iteration.

    python tests/benchmarks/processors.py

The same `explain` runs twice: as this processor computes, and with environment variables that make
the libraries compute as on one without AVX. Prints the largest difference of the response, in
logits, after some iterations of two learning rates, over eight examples of the shipped networks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
PRETRAINED = ROOT / "sample_data" / "pretrained"
OLDER = {
    "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "OPENBLAS_CORETYPE": "Nehalem",
}  # fmt: skip
RATES = (0.1, 0.001)
SHOWN = (0, 1, 2, 3, 5, 10, 20)


def traces(out: Path, variables: dict[str, str]) -> np.ndarray:
    """Responses (rates, examples, iterations + 1) of a search under environment variables."""
    subprocess.run(
        [sys.executable, "-m", "ganexplain", "explain", "--quiet", "--out", str(out),
         "--classifier", str(PRETRAINED / "classifier.pt"), "--gan", str(PRETRAINED / "gan.pt"),
         *(word for rate in RATES for word in ("--learning-rate", str(rate))),
         "--prior-weight", "0.01", "--iterations", str(SHOWN[-1]), "--examples", "8",
         "--jobs", "1"],
        check=True, env={**os.environ, "OMP_NUM_THREADS": "1", **variables}, cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with np.load(out / "explanations.npz") as found:
        order = np.argsort(-found["learning_rate"])  # as RATES
        return found["response_trace"][found["trajectory"][order]]


def main() -> None:
    """Print a row a learning rate."""
    with tempfile.TemporaryDirectory() as folder:
        this, older = (
            traces(Path(folder, name), variables)
            for name, variables in (("this", {}), ("older", OLDER))
        )
    drift = np.abs(this - older).max(axis=1)
    print("learning rate  " + "".join(f"{count:>10}" for count in SHOWN))
    for rate, row in zip(RATES, drift, strict=True):
        print(f"{rate:<15g}" + "".join(f"{row[count]:10.1g}" for count in SHOWN))


if __name__ == "__main__":
    main()
