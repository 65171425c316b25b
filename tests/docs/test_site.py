"""The site and what the package says of itself: tables of options, pages in the navigation."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
from support.paths import ROOT

from ganexplain import config
from ganexplain.artifacts.controls import SEARCHED
from ganexplain.artifacts.explanations import EXPLANATION_AXES, FIXED_AXES
from ganexplain.artifacts.responses import BEYOND, HELD_OUT, RANDOM, REAL_AXES
from ganexplain.metrics.scores import SCORES
from ganexplain.version import __version__

COMMANDS = import_module("commands")  # docs/build/commands.py
NOTEBOOKS = import_module("notebooks")  # the same, which `make docs` runs


def section_of(command: str) -> str:
    tables: str = COMMANDS.command_tables()
    return tables.partition(f"## {command}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("command", config.STAGES)
def test_every_setting_of_a_command_has_a_row_with_its_help(command: str) -> None:
    rows = [line for line in section_of(command).splitlines() if line.startswith("| `")]
    for field in fields(config.STAGES[command][0]):
        name = field.name.replace("_", "-")
        label = f"`{field.name.upper()}`" if field.metadata["argument"] else f"`--{name}`"
        (row,) = [row for row in rows if label in row.split(" | ")[0]]
        assert field.metadata["help"].replace("|", "\\|") in row
    assert any("`--out`" in row and "required" in row for row in rows)


def test_the_page_of_files_names_the_arrays_and_scores_of_artifacts() -> None:
    page = (ROOT / "docs/reference/files.md").read_text()
    arrays = {**EXPLANATION_AXES, **FIXED_AXES, **REAL_AXES}
    controls = [f"{name}_{key}" for name in SEARCHED for key in ("mel", "response")]
    scores = [kind.key for kind in SCORES.values()]
    named = [*arrays, *controls, *scores, HELD_OUT, BEYOND, f"{RANDOM}mel"]
    assert len(named) > 40
    assert [name for name in named if f"`{name}`" not in page] == []


def test_every_page_is_in_the_navigation() -> None:
    listed = set(
        re.findall(r"^ +- ([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    )
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    pages |= {f"notebooks/{notebook.stem}.md" for notebook in NOTEBOOKS.NOTEBOOKS.glob("*.py")}
    assert {name for name in listed if not name.startswith("repository/")} == pages | {"index.md"}


def test_the_version_to_cite_is_the_packages() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {__version__}\n" in citation
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["urls"]["Paper"] in citation


def test_a_notebook_becomes_text_code_and_what_its_cells_show(tmp_path: Path) -> None:
    class Shown:
        def _repr_html_(self) -> str:
            return "<b>shown</b>"

    (tmp_path / "one.py").write_text(
        "# %% [markdown]\n# # Title\n#\n# Text.\n\n# %%\nx = 2\nprint(x + 1)\nx * 21\n"
        "\n# %%\nimport builtins\nbuiltins.shown\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.shown", Shown(), raising=False)
        page = NOTEBOOKS.page_of(tmp_path / "one.py")
    assert page.startswith("# Title\n\nText.\n\nThis page is the notebook")
    assert "```python\nx = 2\nprint(x + 1)\nx * 21\n```\n\n```\n3\n```\n\n```\n42\n```" in page
    assert page.endswith('<div class="shown"><b>shown</b></div>\n')
    assert "which is run when the site is made" in page
    page = NOTEBOOKS.page_of(tmp_path / "one.py", run=False)
    assert "which was not run for this site" in page and "42" not in page
    (tmp_path / "two.py").write_text("# %% [markdown]\n# # Title\n# %%\n1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        NOTEBOOKS.page_of(tmp_path / "two.py")
