"""Does a run behave as the method says it should?

    python tests/benchmarks/trends.py runs/trends

Reads the explanations and the selection of a grid, in RUN/explain and RUN/select, and says of each
expected behaviour whether it holds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ganexplain.artifacts.explanations import read_explanations
from ganexplain.files.arrays import read_arrays
from ganexplain.files.atomic import read_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    explanations = read_explanations(run / "explain" / "explanations.npz")
    arrays, sign = explanations.arrays, 1 if explanations.meta.direction == "max" else -1
    chosen = read_json(run / "select" / "selection.json")["chosen"]
    table, _ = read_arrays(run / "select" / "selection.npz", "selection", ())
    score = table["fid_response"]
    worst = int(score.argmax())
    loosest = (
        table["learning_rate"].max(), table["prior_weight"].min(), table["iterations"].max()
    )  # fmt: skip
    found = (
        table["learning_rate"][worst],
        table["prior_weight"][worst],
        table["iterations"][worst],
    )
    gain = sign * (arrays["response"][chosen] - arrays["start_response"])
    checks = {
        f"every example of the chosen setting is driven further than its start "
        f"(smallest gain {gain.min():.2f})": (gain > 0).all(),
        f"the FID over the grid spans two decades "
        f"({score.min():.3g} to {score.max():.3g})": score.max() >= 100 * score.min(),
        f"the worst setting is the least regularised with the largest budget "
        f"(learning rate {found[0]:g}, prior weight {found[1]:g}, {found[2]} iterations)":
            found == loosest,
        f"no latent of the chosen setting left the shell by half "
        f"(mean |z| {table['latent_norm'][chosen]:.1f} of {np.sqrt(128):.1f})":
            abs(table["latent_norm"][chosen] / np.sqrt(128) - 1) < 0.5,
    }  # fmt: skip
    for text, holds in checks.items():
        print(f"{'holds' if holds else 'FAILS'}  {text}")


if __name__ == "__main__":
    main()
