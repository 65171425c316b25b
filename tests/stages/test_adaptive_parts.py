"""An adaptive search is kept setting by setting: stopped, resumed and divided, it is the same."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from support.parted import files_of
from support.picture_run import picture_run

from ganexplain.artifacts.plan import TRIALS_FOLDER
from ganexplain.ascent.adaptive_blocks import AdaptiveBlockSearch, search_budget
from ganexplain.config import ExplainConfig, ResponsesConfig
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.explain import explain
from ganexplain.stages.responses import responses

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ExplainConfig:
    """The search of a unit of pictures."""
    root = tmp_path_factory.mktemp("networks")
    run = picture_run(root)
    sought = ResponsesConfig(classifier=run.classifier, corpus=run.corpus, neuron="0,1", top=3)
    responses(sought, root / "responses", NullProgress())
    return ExplainConfig(
        classifier=run.classifier, gan=run.gan, search="adaptive", iterations=(400,), examples=3,
        responses=str(root / "responses"), workers="1", device="cpu",
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(config: ExplainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that nothing stopped."""
    out = tmp_path_factory.mktemp("whole") / "out"
    explain(config, out, NullProgress())
    return out


def test_the_progress_names_what_is_searched_for_and_may_end_sooner(
    config: ExplainConfig, tmp_path: Path
) -> None:
    shown: list[tuple[str, bool]] = []

    class Shown(NullProgress):
        def start(self, description: str, total: int, done: int = 0, at_most: bool = False) -> None:
            shown.append((description, at_most))

    explain(replace(config, direction="min"), tmp_path, Shown())
    assert shown == [("search for a, min", True)]


class Interrupted(NullProgress):
    """Ctrl-C once so many settings are kept."""

    def __init__(self, out: Path, after: int) -> None:
        super().__init__()
        self.trials, self.after = out / TRIALS_FOLDER, after

    def advance(self, units: int = 1, **values: float) -> None:
        if len(list(self.trials.glob("*.npz"))) == self.after:
            raise KeyboardInterrupt


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The settings that are tried, one after the other."""
    found: list[object] = []
    try_setting = AdaptiveBlockSearch.try_setting

    def noted(self: AdaptiveBlockSearch, part, progress):  # type: ignore[no-untyped-def]
        found.append(part)
        return try_setting(self, part, progress)

    monkeypatch.setattr(AdaptiveBlockSearch, "try_setting", noted)
    return found


@pytest.mark.parametrize("after", [1, 3])
def test_a_search_goes_on_after_the_settings_that_are_kept(
    config: ExplainConfig, whole: Path, tmp_path: Path, tried: list[object], after: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        explain(config, tmp_path, Interrupted(tmp_path, after))
    kept = len(list((tmp_path / TRIALS_FOLDER).glob("*.npz")))
    assert kept == after
    before = tried[:after]
    tried.clear()
    explain(config, tmp_path, NullProgress(), resume=True)
    assert tried and not set(before) & set(tried)
    assert files_of(tmp_path) == files_of(whole)
    records = [json.loads((out / "run.json").read_text())["results"] for out in (tmp_path, whole)]
    assert records[0] == records[1]


@pytest.mark.parametrize("neuron", ["0", "0,1"])
def test_others_may_try_the_settings_or_whole_units(
    config: ExplainConfig, tmp_path: Path, neuron: str
) -> None:
    several = replace(config, neuron=neuron)
    explain(several, tmp_path / "one", NullProgress())
    with ThreadPoolExecutor(2) as threads:
        explain(several, tmp_path / "two", NullProgress(), executor=threads)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_a_search_may_use_a_tenth_of_a_grid_and_no_more_of_a_large_one(
    config: ExplainConfig,
) -> None:
    """Of nine pairs of settings, with 50 examples."""
    for iterations, budget in ((100, 50 * 90), (1000, 50 * 300)):
        assert search_budget(replace(config, iterations=(iterations,), examples=50)) == budget


def test_settings_of_another_search_are_not_taken(
    config: ExplainConfig, tmp_path: Path, tried: list[object]
) -> None:
    other, alone = replace(config, seed=1), tmp_path / "alone"
    one, two = tmp_path / "one", tmp_path / "two"
    for settings, out in ((config, one), (other, two)):
        with pytest.raises(KeyboardInterrupt):
            explain(settings, out, Interrupted(out, 1))
    tried.clear()
    explain(other, alone, NullProgress())
    fresh = list(tried)
    tried.clear()
    shutil.copytree(one / TRIALS_FOLDER, two / TRIALS_FOLDER, dirs_exist_ok=True)
    explain(other, two, NullProgress(), resume=True)
    assert tried == fresh[1:] and files_of(two) == files_of(alone)
