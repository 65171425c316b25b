"""`validate` and its place in a report, on the shipped classifier and written explanations."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from support.commands import Run, with_options
from support.paths import PRETRAINED
from support.recordings import JamendoFolder, song
from support.report_artifacts import Artifacts

from ganexplain.artifacts.prediction import PairShare, Prediction, read_prediction
from ganexplain.artifacts.unit_files import unit_files
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.config import ValidateConfig
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import open_corpus, read_corpus
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.files.atomic import file_hash
from ganexplain.files.checkpoints import write_checkpoint
from ganexplain.files.fields import Fields
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.decisions import output_regressors
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.units import Unit
from ganexplain.runs.progress import NullProgress
from ganexplain.selection import prediction
from ganexplain.stages.validate import ValidateTask

CLASSIFIER, JUDGE = PRETRAINED / "classifier.pt", PRETRAINED / "judge.pt"
HOP = 115


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """Explanations of the shipped classifier's output, with their ranking and real excerpts."""
    written = Artifacts(tmp_path_factory.mktemp("artifacts"))
    for meta in (written.meta, written.real_meta):
        meta["classifier_hash"] = file_hash(CLASSIFIER)
    written.meta["classifier"] = str(CLASSIFIER)
    written.real_meta["corpus"] = [str(written.folder / "gone")]
    written.write()
    return written


def words(artifacts: Artifacts, corpus: Path, out: Path, *more: str | Path) -> list[str | Path]:
    return ["validate", artifacts.folder / "explanations.npz", "--selection", artifacts.folder,
            "--corpus", corpus, "--hop-frames", str(HOP), "--out", out, "-q", *more]  # fmt: skip


@pytest.fixture(scope="module")
def tested(
    artifacts: Artifacts,
    some_of_the_sample: Path,
    tmp_path_factory: pytest.TempPathFactory,
    run: Run,
) -> tuple[str, Path]:
    """What the command prints, and its directory."""
    out = tmp_path_factory.mktemp("tested") / "v"
    more = ("--encoder", "descriptors", "--encoder", JUDGE)
    return run(*map(str, words(artifacts, some_of_the_sample, out, *more))).out, out


@pytest.fixture(scope="module")
def document(tested: tuple[str, Path]) -> Prediction:
    return read_prediction(tested[1])


def test_the_record_is_read_as_it_was_written(tested: tuple[str, Path]) -> None:
    written = json.loads((tested[1] / "prediction.json").read_text())
    assert read_prediction(tested[1]).to_json() == written


def test_the_outputs_explain_all_of_an_output(document: Prediction) -> None:
    (unit,) = document.units
    assert unit.explained_share == pytest.approx(1)
    names = {name for sets in unit.shares.values() for name in sets["generated"]}
    assert names == {"extreme", "top", "random"}  # nothing is left beyond the outputs


def test_a_corpus_of_real_excerpts_that_is_gone_is_said(document: Prediction) -> None:
    (note,) = [note for note in document.notes if "gone" in note]
    assert "it is not known whether the search for real excerpts had files" in note
    assert "gone: no such corpus" in note and not document.held_out


def test_excerpts_are_held_out_where_all_corpora_are_known(
    jamendo: JamendoFolder, tmp_path: Path
) -> None:
    """Network, GAN and search are of one corpus, and so are the recordings of its test split."""
    written, root = Artifacts(tmp_path), str(jamendo.root)
    write_checkpoint(tmp_path / "gan.pt", "gan", {"config": {"corpus": [root]}})
    written.meta |= {"gan": str(tmp_path / "gan.pt"), "gan_hash": file_hash(tmp_path / "gan.pt")}
    written.real_meta["corpus"] = [root]
    config = ValidateConfig(
        explanations=written.write().explanations, selection=str(tmp_path), corpus=(root,)
    )

    def leaks(trained_on: tuple[str, ...], corpus: str = root) -> tuple[str, ...]:
        explained = cast(TargetNetwork, SimpleNamespace(corpora=trained_on))
        files, found = unit_files(config), open_corpus([corpus])
        return ValidateTask(config, files, explained, (), found, FrontEnd()).leaks

    assert leaks((root,)) == ()
    (note,) = leaks(())
    assert note.startswith("it is not known whether the explained network had files")
    (tmp_path / "gan.pt").rename(tmp_path / "moved.pt")
    (note,) = leaks((root,))
    assert note.endswith(f"here: {tmp_path / 'gan.pt'} is not there; put it back")
    (tmp_path / "gan.pt").write_bytes(b"another")
    (note,) = leaks((root,))
    assert "gan.pt has changed since explain; put back the file that explain used" in note
    (tmp_path / "moved.pt").replace(tmp_path / "gan.pt")
    other = JamendoFolder(tmp_path / "other")
    other.add("test", "copy.wav", song(0))  # as one.wav of the training split
    for split in ("train", "valid"):
        other.add(split, f"{split}.wav", song(7))
    assert [" ".join(note.split()[:6]) for note in leaks((root,), str(other.root))] == [
        "1 of 1 file of the"
    ] * 3
    config_of = {"corpus": [str(other.root)], "start": str(tmp_path / "gan.pt")}
    write_checkpoint(tmp_path / "further.pt", "gan", {"config": config_of})
    further = tmp_path / "further.pt"
    written.meta |= {"gan": str(further), "gan_hash": file_hash(further)}
    written.write()
    assert [" ".join(note.split()[:6]) for note in leaks((root,), str(other.root))] == [
        "1 of 1 file of the"
    ] * 3  # the GAN itself was trained on another copy
    (tmp_path / "gan.pt").unlink()
    unknown = [note for note in leaks((root,), str(other.root)) if "not known" in note]
    assert [note.rpartition(": ")[2] for note in unknown] == [
        f"{tmp_path / 'gan.pt'} is not there; put it back"
    ]


def test_probabilities_explain_the_logits_that_they_are_made_of() -> None:
    logit = 3 * np.random.default_rng(0).normal(size=400)
    for logits in (np.stack([logit, np.zeros(400)], axis=1), logit[:, None]):
        values = torch.from_numpy(logits)
        outputs = values.softmax(dim=1) if logits.shape[1] > 1 else values.sigmoid()
        design = np.column_stack([np.ones(400), output_regressors(outputs.numpy())])
        left = logit - design @ np.linalg.lstsq(design, logit, rcond=None)[0]
        assert left.std() < 1e-6


def test_the_share_of_real_excerpts_is_that_of_a_loop(
    artifacts: Artifacts, document: Prediction, some_of_the_sample: Path
) -> None:
    split = load_log_mel_split(
        read_corpus(some_of_the_sample), "test", FrontEnd(), cache_directory(""), NullProgress()
    )
    mel = split.gather(split.whole_excerpts(HOP))
    networks = [load_classifier(path, torch.device("cpu")).network for path in (CLASSIFIER, JUDGE)]
    with torch.no_grad():
        response = networks[0](torch.from_numpy(mel))[:, 0].numpy()
        seen: list[np.ndarray] = []
        hook = (
            networks[1]
            .get_submodule("fc8")
            .register_forward_hook(lambda module, inputs, output: seen.append(output.numpy()))
        )
        for part in (mel, artifacts.real["mel"], artifacts.real["bottom_mel"]):
            networks[1](torch.from_numpy(part))
        hook.remove()
    deviation = seen[0].astype(np.float64).std(axis=0)
    excerpts, strong, weak = (each.astype(np.float64) / deviation for each in seen)
    width = np.median([np.linalg.norm(a - b) for i, a in enumerate(excerpts) for b in excerpts[:i]])

    def similarity(x: np.ndarray, examples: np.ndarray) -> float:
        return float(np.mean(np.exp(-((x - examples) ** 2).sum(axis=1) / 2 / width**2)))

    contrast = np.array([similarity(x, strong) - similarity(x, weak) for x in excerpts])
    order = np.argsort(response, kind="stable")
    some = round(len(order) / 10)
    right = [contrast[a] > contrast[b] for a in order[-some:] for b in order[:-some]]
    found = document.units[0].shares["judge"]["real"]["top"]
    assert found.share == pytest.approx(np.mean(right), abs=1e-3)
    assert found.interval and found.interval[0] <= found.share <= found.interval[1]


def test_the_result_is_printed_in_words(tested: tuple[str, Path], document: Prediction) -> None:
    share = document.units[0].shares["judge"]["generated"]["random"].share
    text = " ".join(tested[0].split())
    assert f"another network (judge) tells in {100 * share:.0f} % of pairs" in text
    assert "top 1 % top 10 % random" in text and "strongest 10 % and one of the rest" in text
    assert (document.input, document.explained_encoders) == ("log-mel", ())


def test_a_report_shows_the_test_of_its_explanations(
    artifacts: Artifacts, tested: tuple[str, Path], tmp_path: Path, run: Run
) -> None:
    given = ["report", artifacts.folder / "explanations.npz", "--selection", artifacts.folder,
             "--validation", tested[1], "--griffin-lim-iterations", "1"]  # fmt: skip
    run(*map(str, given), "--out", str(tmp_path / "r"), "-q")
    page = (tmp_path / "r" / "report.html").read_text()
    assert "Prediction: which excites the neuron more?" in page
    told = "which of two excerpts of the split test excites the unit more"
    assert page.count(told) == 2
    digest = file_hash(tested[1] / "prediction.json")
    assert f"sha256 {digest}" in page and ">validate</th>" in page
    record = json.loads((tmp_path / "r" / "run.json").read_text())
    assert record["inputs"]["validation"] == digest


@pytest.mark.parametrize("more, status, error", [
    (("--split", "tset"), 2, "--split"),
    (("--split", "test+test"), 2, "names test twice"),
    (("--encoder", "none.pt"), 2, "none.pt"),
    (("--hop-frames", "100000"), 1, "at least 20"),
])  # fmt: skip
def test_what_cannot_be_tested_is_refused(
    artifacts: Artifacts,
    some_of_the_sample: Path,
    tmp_path: Path,
    run: Run,
    more: tuple[str, ...],
    status: int,
    error: str,
) -> None:
    given = with_options(words(artifacts, some_of_the_sample, tmp_path / "v"), *more)
    assert error in run(*map(str, given), status=status).error_line()


def test_one_recording_has_no_interval() -> None:
    stream = np.random.default_rng(1)
    unit, values = Unit.parse("conv:0"), stream.normal(size=(30, 2))
    probes = prediction.Probes(
        {unit: values[:, 0]}, values[:, 1:], {"e": values}, np.zeros(30, np.int64)
    )
    sets = {"e": {"generated": prediction.ExampleSet(values[:5], values[5:])}}
    test = prediction.PredictionTest(probes, [prediction.TestedUnit(unit, "", {}, sets)], 0)
    (found,) = test.run(NullProgress())
    for each in found.shares["e"]["generated"].values():
        assert each.interval is None and PairShare.from_json(Fields("", each.to_json(), "")) == each


def test_a_column_of_fewer_units_is_compared_with_the_examples_of_the_same() -> None:
    stream = np.random.default_rng(0)
    encoded, one = stream.normal(size=(60, 4)), stream.normal(size=60)
    responses = [one, one + 0.1 * stream.normal(size=60), -one]  # nothing goes along with the last
    units = [Unit.parse(f"conv:{k}") for k in range(3)]
    probes = prediction.Probes(
        dict(zip(units, responses, strict=True)), one[:, None] ** 2, {"e": encoded},
        np.arange(60) // 5,
    )  # fmt: skip
    tested = [
        prediction.TestedUnit(
            unit,
            "",
            {},
            {"e": {"generated": prediction.ExampleSet(*stream.normal(size=(2, 5, 4)))}},
        )
        for unit in units
    ]
    test = prediction.PredictionTest(probes, tested, 0)
    each = [unit.shares["e"]["generated"]["random"].share for unit in test.run(NullProgress())]
    (note,) = test.notes()
    assert "“other unit” is of 2 of 3 units" in note
    assert note.endswith(f"“generated” has {50 * (each[0] + each[1]):.0f} %")
