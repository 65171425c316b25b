"""`run` and `demo`: all stages from a corpus to a page, each a run of its own."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import Run
from support.paths import ROOT
from support.picture_run import picture_run
from support.recordings import JamendoFolder, noise, write_sound

from ganexplain.artifacts.plan import TRIALS_FOLDER
from ganexplain.ascent.adaptive_blocks import AdaptiveBlockSearch, TrialPart
from ganexplain.ascent.candidate import Tried
from ganexplain.config import (
    DemoConfig,
    ExplainConfig,
    ReportConfig,
    ResponsesConfig,
    RunConfig,
    SelectConfig,
    TrainClassifierConfig,
)
from ganexplain.corpora.load import open_corpus, read_corpus
from ganexplain.errors import GanexplainError, TooFewExcerpts, UsageError
from ganexplain.files import shipped as shipped_files
from ganexplain.pipeline import expected_training
from ganexplain.pipeline.settings import Trainings, with_shipped, with_trainings
from ganexplain.pipeline.steps import Step
from ganexplain.runs.progress import NullProgress, Progress
from ganexplain.stages import demo as demo_stage
from ganexplain.stages import run as run_stage
from ganexplain.stages.demo import demo, next_commands
from ganexplain.stages.explain import explain
from ganexplain.stages.responses import responses
from ganexplain.stages.run import WAY, do_all, notes_on, plan, run, steps
from ganexplain.stages.select import select

REPORT = ReportConfig(explanations="e", selection="s", validation="v")
TRAININGS = ["train-classifier", "train-gan"]
STAGES = ["responses", "explain", "select", "validate", "report"]


@pytest.fixture(scope="module", autouse=True)
def short_measurements() -> Iterator[None]:
    """Expected times are measured in three passes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expected_training, "SECONDS", 0.0)
        yield


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """Pictures of noise, and networks that have learned nothing."""
    return picture_run(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def whole(settings: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A whole run, and what it has noted."""
    out, progress = tmp_path_factory.mktemp("whole") / "out", NullProgress()
    assert run(settings, out, progress) == out / "report" / "report.html"
    return out, progress.notes


@pytest.fixture(scope="module")
def several(
    settings: RunConfig, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunConfig, Path]:
    """A run of two units, without a test split."""
    root = tmp_path_factory.mktemp("several")
    for split in ("train", "valid"):
        shutil.copytree(Path(settings.corpus[0]) / split, root / "pictures" / split)
    both = replace(settings, corpus=(str(root / "pictures"),), neuron="0,1")
    run(both, root / "out", NullProgress())
    return both, root / "out"


def test_each_stage_is_what_it_is_when_run_by_itself(
    settings: RunConfig, whole: tuple[Path, list[str]], tmp_path: Path
) -> None:
    networks, gan = settings.classifier, settings.gan
    quiet, found, made, chosen = NullProgress(), tmp_path / "r", tmp_path / "e", tmp_path / "s"
    responses(ResponsesConfig(classifier=networks, corpus=settings.corpus, top=3), found, quiet)
    search = ExplainConfig(
        classifier=networks,
        gan=gan,
        search="adaptive",
        responses=str(found),
        iterations=(5,),
        examples=3,
    )
    explain(search, made, quiet)
    select(SelectConfig(explanations=str(made), responses=str(found)), chosen, quiet)
    ours, theirs = (np.load(f / "explanations.npz") for f in (whole[0] / "explain", made))
    assert sorted(ours) == sorted(theirs)
    for name in set(ours) - {"meta"}:
        np.testing.assert_array_equal(ours[name], theirs[name])
    ranked = [json.loads((f / "selection.json").read_text()) for f in (whole[0] / "select", chosen)]
    assert ranked[0]["configurations"] == ranked[1]["configurations"]


def test_a_plan_has_commands_that_do_the_same(
    settings: RunConfig, whole: tuple[Path, list[str]], tmp_path: Path, command: Run
) -> None:
    here = replace(settings, device="cpu", workers="2", cache=str(tmp_path / "the cache"))
    lines = plan(here, tmp_path / "a run", NullProgress()).splitlines()
    assert [line.partition(",")[0] for line in lines[::2]] == STAGES
    assert all(re.search(r", \d+ to \d+ (s|min): [a-z]", line) for line in lines[::2])
    assert not any(tmp_path.iterdir())
    for stage, line in zip(STAGES, lines[1::2], strict=True):
        words = shlex.split(line)[1:]
        assert words[-1] == str(tmp_path / "a run" / stage)
        shown = command(*words, "--dry-run")
        there = tomllib.loads((whole[0] / stage / "config.toml").read_text())
        ours = tomllib.loads(shown.out.replace(str(tmp_path / "a run"), str(whole[0])))
        given = there.keys() & {"device", "workers", "cache"}
        assert ours == there | {key: getattr(here, key) for key in given}, stage


def test_the_plan_of_a_finished_run_has_nothing_to_do(
    settings: RunConfig, whole: tuple[Path, list[str]]
) -> None:
    lines = plan(settings, whole[0], NullProgress(), resume=True).splitlines()
    assert lines == [f"{name}: done before" for name in STAGES]


def test_what_run_refuses_is_not_planned(
    settings: RunConfig, whole: tuple[Path, list[str]], command: Run
) -> None:
    with pytest.raises(UsageError, match="contains an earlier run"):
        plan(settings, whole[0], NullProgress())
    words = [settings.corpus[0], "--classifier", settings.classifier, "--gan", settings.gan]
    refused = command("run", *words, "--out", whole[0], "--dry-run")
    assert refused.code == 2
    assert "contains an earlier run" in refused.err and not refused.out
    assert plan(settings, whole[0], NullProgress(), overwrite=True)


def test_what_it_does_and_how_long_is_noted_first(whole: tuple[Path, list[str]]) -> None:
    measuring, *notes = whole[1]
    assert "measuring" in measuring and notes[0].startswith("5 stages")
    lines = [line.split() for line in notes[2:7]]  # "responses 1 to 4 s finds ..."
    assert [line[0] for line in lines] == STAGES
    assert all(int(low) <= int(high) for _, low, _, high, *_ in lines)
    assert all(line[4] in ("s", "min") for line in lines)


def test_without_held_out_files_nothing_is_predicted(settings: RunConfig, tmp_path: Path) -> None:
    shutil.copytree(settings.corpus[0], tmp_path / "pictures")
    shutil.rmtree(tmp_path / "pictures" / "test")
    way = steps(settings, Trainings(), open_corpus([str(tmp_path / "pictures")]), tmp_path)
    assert [step.name for step in way] == [name for name in STAGES if name != "validate"]
    assert way[-1].config.validation == ""


def test_where_too_little_is_held_out_the_page_has_no_prediction(tmp_path: Path) -> None:
    done: list[Any] = []

    def too_few(*arguments: object) -> None:
        raise TooFewExcerpts("x: 7 excerpts in the split test")

    page = Step("report", lambda config, *_: done.append(config), "", "", config=REPORT)
    progress = NullProgress()
    todo = [Step("validate", too_few, "", ""), page]
    do_all(todo, lambda: {"validate": 1, "report": 1}, tmp_path, progress, (False, False))
    assert done == [replace(REPORT, validation="")]
    assert "validate: left out (x: 7 excerpts in the split test)" in progress.notes


def changed(out: Path) -> dict[str, int]:
    """When each stage wrote its record."""
    return {name: (out / name / "run.json").stat().st_mtime_ns for name in STAGES}


def test_a_run_goes_on_after_the_stages_that_are_done(
    settings: RunConfig, whole: tuple[Path, list[str]]
) -> None:
    out, _ = whole
    before, page = changed(out), (out / "report" / "report.html").read_bytes()
    record = out / "select" / "run.json"  # as if it had been killed there
    record.write_text(json.dumps(json.loads(record.read_text()) | {"state": "running"}))
    shutil.rmtree(out / "validate")
    progress = NullProgress()
    run(settings, out, progress, resume=True)
    left = [name for name, time in changed(out).items() if time == before[name]]
    assert left == ["responses", "explain", "report"]  # the page is made of the same files again
    assert progress.notes[:2] == ["responses: done before", "explain: done before"]
    (out / "report" / "report.html").unlink()
    run(settings, out, progress, resume=True)
    assert (out / "report" / "report.html").read_bytes() == page


def test_a_run_stopped_in_its_search_goes_on_there(
    settings: RunConfig,
    whole: tuple[Path, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = tmp_path / "explain" / TRIALS_FOLDER

    class Stopped(NullProgress):
        def advance(self, units: int = 1, **values: float) -> None:
            if list(kept.glob("*.npz")):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path, Stopped())
    tried: list[int] = []
    try_setting = AdaptiveBlockSearch.try_setting

    def noted(self: AdaptiveBlockSearch, part: TrialPart, progress: Progress) -> Tried:
        tried.append(part.number)
        return try_setting(self, part, progress)

    monkeypatch.setattr(AdaptiveBlockSearch, "try_setting", noted)
    run(settings, tmp_path, NullProgress(), resume=True)
    assert 0 not in tried
    ours, theirs = (np.load(f / "explain" / "explanations.npz") for f in (tmp_path, whole[0]))
    for name in set(theirs) - {"meta"}:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_a_run_of_other_settings_is_left_alone(
    settings: RunConfig, whole: tuple[Path, list[str]]
) -> None:
    out, _ = whole
    with pytest.raises(UsageError, match="contains an earlier run; --resume to continue"):
        run(settings, out, NullProgress())
    other = replace(settings, examples=4)
    with pytest.raises(UsageError, match=r"--resume: --examples was 3 in .*, now 4; give the same"):
        run(other, out, NullProgress(), resume=True)


@pytest.mark.parametrize("stage", ["responses", "explain", "select", "report"])
def test_a_file_of_one_unit_of_several_is_made_again(
    several: tuple[RunConfig, Path], stage: str
) -> None:
    settings, out = several
    output = next(step.output for step in WAY if step.name == stage)
    files = sorted((out / stage).glob(f"*/{output}"))
    before = [path.read_bytes() for path in files]
    assert len(before) == 2
    files[1].unlink()
    progress = NullProgress()
    run(settings, out, progress, resume=True)
    assert [path.read_bytes() for path in files] == before
    assert [note for note in progress.notes if note.endswith(": done before")] == [
        f"{name}: done before" for name in STAGES[: STAGES.index(stage)] if name != "validate"
    ]


def test_with_overwrite_nothing_of_the_earlier_run_is_left(
    several: tuple[RunConfig, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, earlier = several
    out = tmp_path / "out"
    shutil.copytree(earlier, out)
    shutil.copytree(out / "select", out / "validate")
    record = out / "validate" / "run.json"
    record.write_text(record.read_text().replace('"stage": "select"', '"stage": "validate"'))

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_stage, "do_all", killed)
    with pytest.raises(UsageError, match="--neuron c"):
        run(replace(settings, neuron="c"), out, NullProgress(), overwrite=True)
    assert (out / "report" / "index.html").is_file()
    with pytest.raises(KeyboardInterrupt):
        run(settings, out, NullProgress(), overwrite=True)
    left = {path.parent.name for path in out.rglob("*") if path.is_file()}
    assert left == {"responses", "fc9-0", "fc9-1"}


@pytest.fixture
def quick(few_validated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of a few updates."""
    few = {**TrainClassifierConfig.PRESETS["quick"], "epochs": 1, "updates_per_epoch": 3}
    monkeypatch.setattr(TrainClassifierConfig, "PRESETS", {"quick": few})


@pytest.mark.usefixtures("quick")
def test_labelled_files_without_networks_train_both(
    settings: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, progress = tmp_path / "out", NullProgress()
    alone = replace(settings, classifier="", gan="", minutes=0.01)
    run(alone, out, progress)
    assert progress.notes[1].startswith("7 stages")
    assert [line.split()[0] for line in progress.notes[3:10]] == TRAININGS + STAGES
    records = {name: json.loads((out / name / "run.json").read_text()) for name in TRAININGS}
    assert [records[name]["stage"] for name in TRAININGS] == TRAININGS
    searched = tomllib.loads((out / "explain" / "config.toml").read_text())
    assert searched["classifier"] == str(out / "train-classifier" / "classifier.pt")
    assert searched["gan"] == str(out / "train-gan" / "gan.pt")
    updates = tomllib.loads((out / "train-gan" / "config.toml").read_text())["steps"]
    (out / "train-gan" / "gan.pt").unlink()  # as if it had been stopped there
    left: list[Step] = []
    monkeypatch.setattr(run_stage, "do_all", lambda todo, *_: left.extend(todo))
    run(alone, out, progress, resume=True)
    assert f"train-gan: --resume keeps the {updates} updates of the run in {out}" in progress.notes
    assert [step.name for step in left] == ["train-gan", *STAGES]
    assert left[0].config.steps == updates
    assert "train-classifier: done before" in progress.notes


@pytest.mark.usefixtures("quick")
def test_with_overwrite_the_trainings_of_an_earlier_run_are_cleared(
    settings: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "train-gan"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"stage": "train-gan", "state": "done"}))
    (folder / "gan.pt").write_bytes(b"")
    done: list[Step] = []
    monkeypatch.setattr(run_stage, "do_all", lambda todo, *_: done.extend(todo))
    alone = replace(settings, classifier="", gan="", minutes=0.01)
    run(alone, tmp_path, NullProgress(), overwrite=True)
    assert [step.name for step in done] == ["train-gan", *STAGES]
    assert not list(folder.iterdir())


@pytest.mark.usefixtures("quick")
def test_what_cannot_be_done_is_refused_before_the_trainings(
    settings: RunConfig, tmp_path: Path
) -> None:
    out, alone = tmp_path / "out", replace(settings, classifier="", gan="", minutes=0.01)
    with pytest.raises(UsageError, match="--neuron c"):
        run(replace(alone, neuron="c"), out, NullProgress())
    with pytest.raises(GanexplainError, match="contains 'classifier', but 'gan' is needed"):
        run(replace(alone, gan=settings.classifier), out, NullProgress())
    shutil.copytree(settings.corpus[0], tmp_path / "pictures")
    shutil.rmtree(tmp_path / "pictures" / "valid")
    with pytest.raises(UsageError, match=r"train-classifier chooses the best .* split valid"):
        run(replace(alone, corpus=(str(tmp_path / "pictures"),)), out, NullProgress())
    assert not out.exists()


def test_labels_of_one_class_alone_are_refused_before_the_trainings(
    jamendo: JamendoFolder, tmp_path: Path
) -> None:
    for name in ("one.wav", "two.flac", "three.wav", "four.wav"):
        jamendo.label_file(name).write_text("0 4 sing\n")
    with pytest.raises(GanexplainError, match="no label of class 'nosing'; label some of it"):
        run(RunConfig(corpus=(str(jamendo.root),)), tmp_path / "out", NullProgress())
    assert not (tmp_path / "out").exists()


def test_what_few_files_cannot_say_is_noted(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", noise(2.0))
    one = notes_on(open_corpus([str(tmp_path)]))
    assert "only one file, a.wav" in one[0] and "validate is left out" in one[1]
    for name in ("b.wav", "c.wav"):
        write_sound(tmp_path / name, noise(2.0))
    assert notes_on(open_corpus([str(tmp_path)])) == []


def test_recordings_without_labels_are_heard_by_the_shipped_networks(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav"):
        write_sound(tmp_path / name, noise(2.0))
    corpus = open_corpus([str(tmp_path)])
    found = with_shipped(RunConfig(corpus=(str(tmp_path),)), corpus)
    named = [found.classifier, found.gan, *found.judge]
    assert [Path(name).name for name in named] == [
        "classifier.pt",
        "gan.pt",
        "judge.pt",
        "referee.pt",
    ]
    assert with_trainings(found, corpus, tmp_path) == (found, Trainings())
    with pytest.raises(UsageError, match=r"train-gan chooses .* from five files on"):
        with_trainings(replace(found, minutes=1.0), corpus, tmp_path)


def test_the_shipped_gan_is_trained_further_on_labelled_recordings(
    jamendo: JamendoFolder, tmp_path: Path
) -> None:
    corpus = open_corpus([str(jamendo.root)])
    config = RunConfig(corpus=(str(jamendo.root),), minutes=3.0)
    found, trainings = with_trainings(with_shipped(config, corpus), corpus, tmp_path)
    assert list(trainings.by_stage) == TRAININGS and found.judge == ()
    assert trainings.gan and Path(trainings.gan.start).name == "gan.pt"
    assert trainings.classifier and trainings.classifier.preset == "quick"
    assert trainings.classifier.updates_per_epoch == 200  # as the preset has it


def test_the_demo_runs_on_what_the_package_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunConfig] = []

    def noted(config: RunConfig, out: Path, *rest: object) -> Path:
        asked.append(with_shipped(config, open_corpus(config.corpus)))
        return out / "report.html"

    monkeypatch.setattr(demo_stage, "run", noted)
    monkeypatch.chdir(tmp_path)
    found = demo(DemoConfig(), Path("out"), NullProgress())
    assert found.page == Path("out/report.html")
    (config,) = asked
    named = [*config.corpus, config.classifier, config.gan, *config.judge, config.encoder[1]]
    assert all(Path(name).is_file() for name in named)
    songs = {recording.path for recording in read_corpus(Path(config.corpus[0])).recordings}
    assert len(songs) == 18
    for line, _ in found.next_commands:
        assert line.startswith("ganexplain ")


def test_the_readme_prints_what_the_demo_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(shipped_files, "PLACES", (ROOT / "sample_data",))  # as in a checkout
    text = (ROOT / "README.md").read_text()
    for line, what in next_commands(Path("runs/demo")):
        assert f"# {what}\n{line}\n" in text


def test_the_commands_of_the_demo_are_quoted_for_a_shell() -> None:
    folder = Path("my runs/it's")
    line = next(line for line, _ in next_commands(folder) if " select " in line)
    assert shlex.split(line)[2] == str(folder / "explain")
