"""The README's example of explaining a plain function from Python runs as printed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from conftest import ROOT


def test_the_example_of_a_plain_function_runs_as_printed() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "evolve(" in block]
    names: dict[str, Any] = {}
    exec(block, names)
    found, forest, digits = (names[name] for name in ("found", "forest", "digits"))
    assert found.kept.shape == (16,) and 0 < found.kept.sum() < 16
    shown = digits.images[8] * found.kept[names["labels"]]
    probability = forest.predict_proba(shown.reshape(1, -1))[0, 8]
    assert found.fitness == pytest.approx(probability - 0.1 * found.kept.mean(), abs=1e-6)
    assert found.fitness > found.full_fitness
