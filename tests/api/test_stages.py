"""Every command as a function: its signature, its example, and its way from objects to files."""

from __future__ import annotations

import doctest
import filecmp
import inspect
import json
import pickle
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from schemas import SCHEMAS, schema_text
from stubs import STUB, stub_text
from support.paths import PRETRAINED, SAMPLE
from support.recordings import jamendo_folder
from torch import nn

import ganexplain
from ganexplain import (
    Explanation,
    Run,
    TrainedGan,
    api,
    explain,
    respond,
    responses,
    select,
    train_gan,
)
from ganexplain.config import OTHERS, STAGES
from ganexplain.errors import UsageError
from ganexplain.gans import validation
from ganexplain.networks.loaders.given import GivenNetwork
from ganexplain.stages import load_stage
from ganexplain.stages import train_gan as training

CLASSIFIER, GAN = PRETRAINED / "classifier.pt", PRETRAINED / "gan.pt"
ORDER = (  # what an example uses is made by one before it
    "layers", "respond", "train_classifier", "predict", "train_gan", "responses", "explain",
    "select", "validate", "write_report", "rerun", "attribute", "counterfactual",
    "false_alarms", "describe_input", "label_stems", "train_explainer",
)  # fmt: skip
FEW: dict[str, Any] = {"learning_rate": 0.1, "prior_weight": 0.01, "iterations": 2, "examples": 2}


class Loudness(nn.Module):
    """Two units: the mean of a log-mel, and of its lower half."""

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return torch.stack([mel.mean((1, 2)), mel[:, :40].mean((1, 2))], dim=1)


def make_home(root: Path, patch: pytest.MonkeyPatch) -> Path:
    """A folder with a small `sample_data`, as the examples name it; it becomes the current one."""
    corpus = jamendo_folder(root / "sample_data").root
    (corpus / "pretrained").mkdir()
    for path in (CLASSIFIER, GAN):
        shutil.copy(path, corpus / "pretrained")
    (corpus / "audio" / "gig_lea_soul.ogg").symlink_to(SAMPLE / "audio" / "gig_lea_soul.ogg")
    patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    patch.chdir(root)
    return root


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brief_validation: None) -> Path:
    return make_home(tmp_path, monkeypatch)


@dataclass(frozen=True)
class Examples:
    """The names that the examples of all functions define, and how many fail."""

    names: dict[str, Any]
    failures: int


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    names: dict[str, Any] = {name: getattr(api, name) for name in api.__all__}
    runner = doctest.DocTestRunner(verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        home = make_home(tmp_path_factory.mktemp("examples"), patch)
        for name in ("EXCERPTS", "CANDIDATES"):
            patch.setattr(validation, name, 20)
        patch.setattr(training, "EXCERPTS", 20)
        for name in ORDER:
            example = doctest.DocTestParser().get_doctest(names[name].__doc__, {}, name, name, 0)
            assert example.examples, name
            example.globs = names
            runner.run(example, clear_globs=False)
        copy = home / "sample_data" / "pretrained" / "classifier.pt"
        assert filecmp.cmp(copy, CLASSIFIER, shallow=False)
        yield Examples(names, runner.failures)


@pytest.mark.slow
def test_the_example_of_every_function_runs_as_printed(examples: Examples) -> None:
    assert examples.failures == 0
    functions = {name for name in api.__all__ if name.islower()}
    assert set(ORDER) == functions - {"rank", "run", "demo"}  # whose examples take minutes


@pytest.mark.slow
def test_what_commands_write_is_as_the_schemas_say(examples: Examples) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    runs = [each for each in examples.names.values() if isinstance(each, Run)]
    seen, wrong = set[str](), []
    for out in {run.out for run in runs}:
        for name, content in documents(out):
            schema = json.loads(schema_text(name))
            jsonschema.Draft202012Validator.check_schema(schema)
            errors = jsonschema.Draft202012Validator(schema).iter_errors(content)
            wrong += [f"{name}: {error.json_path}: {error.message}" for error in errors]
            seen.add(name)
    assert not wrong, "\n".join(wrong)
    assert seen >= {
        "run.json", "metrics.jsonl", "plan.json", "selection.json", "prediction.json",
        "attributions.json", "explanations.npz", "responses.npz", "selection.npz",
        "attribution.npz", "counterfactual.npz", "explain config.toml",
    }  # fmt: skip


def documents(out: Path) -> Iterator[tuple[str, Any]]:
    """The names of schemas, and the content of the files of a run that have one."""
    if not (out / "run.json").is_file():
        return
    stage = json.loads((out / "run.json").read_text())["stage"]
    for path in sorted(out.rglob("*")):
        if path.name == "config.toml":
            yield f"{stage} config.toml", tomllib.loads(path.read_text())
        elif path.name not in SCHEMAS:
            continue
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                yield path.name, json.loads(str(arrays["meta"]))
        elif path.suffix == ".jsonl":
            yield from ((path.name, json.loads(line)) for line in path.read_text().splitlines())
        else:
            yield path.name, json.loads(path.read_text())


@pytest.mark.parametrize(
    ("name", "key"),
    [("selection.json", "chosen"), ("prediction.json", "units"), ("explanations.npz", "layer")],
)
def test_a_schema_refuses_a_document_without_a_field_and_with_one_of_a_stranger(
    name: str, key: str
) -> None:
    schema = json.loads(schema_text(name))
    schema = schema.get("anyOf", [schema])[0]
    assert key in schema["required"] and schema["additionalProperties"] is False


def test_the_stub_for_editors_is_that_of_the_settings() -> None:
    assert STUB.read_text() == stub_text(), "run: python docs/build/stubs.py"


@pytest.mark.parametrize("command", [*STAGES, *OTHERS])
def test_a_function_takes_what_its_stage_takes(command: str) -> None:
    place = (STAGES | OTHERS)[command][1]
    wanted = set(inspect.signature(load_stage(place)).parameters) - {"config"}
    function: Callable[..., Any] = getattr(ganexplain, place.rpartition(":")[2])
    running = {"out", "progress", "overwrite", "resume", "executor"}
    assert set(inspect.signature(function).parameters) & running == wanted
    assert function.__doc__ and "Args:" in function.__doc__


def test_a_module_goes_from_search_to_selection_without_a_file_of_it(home: Path) -> None:
    network, seen = Loudness(), list[tuple[int, int]]()
    real = responses("sample_data", network, "output:1", gan=GAN, top=4, features="output")
    found = explain(
        network, GAN, ["output:0", "output:1"], responses=real, features="output",
        progress=lambda done, total, _: seen.append((done, total)), **FEW,
    )  # fmt: skip
    strongest = int(real.response.argmax())
    place = f"{real.recording[strongest]}@{real.start_s[strongest]:.2f}"
    assert str(real).splitlines()[2].split() == [f"{real.response[strongest]:.2f}", place]
    first, second = found.units
    assert (first.neuron, second.neuron, seen[-1]) == (0, 1, (8, 8))
    expected = second.inputs[0][:, :40].mean((1, 2))
    np.testing.assert_allclose(second.response[0], expected, atol=1e-4)
    np.testing.assert_allclose(respond(network, "output:1", second.inputs[0]), expected, atol=1e-4)
    with pytest.raises(UsageError, match="has 2 units; take one of `units`"):
        _ = found.inputs
    ranking = select(second, responses=real, controls=False)  # the network comes with the run
    assert ranking.chosen == 0 and ranking.units[0].layer == "output"
    page = ranking._repr_html_()
    assert page.count("<img") == 4 + 2 and page.count("<audio") == 2 and "learning rate" in page


def test_what_is_wrong_names_the_argument() -> None:
    with pytest.raises(UsageError, match=r"^iterations: give at least one value"):
        explain(CLASSIFIER, GAN, **{**FEW, "iterations": ()})
    with pytest.raises(UsageError, match=r"^examples 1: must be at least 2"):
        explain(CLASSIFIER, GAN, **{**FEW, "examples": 1})
    with pytest.raises(UsageError, match=r"^examples is 'two'; give int"):
        explain(CLASSIFIER, GAN, **{**FEW, "examples": "two"})
    with pytest.raises(UsageError, match=r"^prior: 'l3' is not known"):
        explain(CLASSIFIER, GAN, prior="l3", **FEW)
    with pytest.raises(UsageError, match=r"^unit 9: layer fc9 has units 0 to 0"):
        explain(CLASSIFIER, GAN, "fc9:9", **FEW)
    with pytest.raises(TypeError, match=r"^explain\(\): .* 'prio' \(did you mean 'prior'\?\)$"):
        explain(CLASSIFIER, GAN, prio="l2", **FEW)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^explain\(\): .*'neuron' \(did you mean 'unit'\?\)$"):
        explain(CLASSIFIER, GAN, neuron="sing", **FEW)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^explain\(\): missing a required argument: 'network'$"):
        explain(**FEW)
    with pytest.raises(UsageError, match=r"no layer or class 'singg' \(did you mean 'sing'\?\)"):
        explain(CLASSIFIER, GAN, "singg", **FEW)


def test_dir_offers_the_functions_and_records_alone() -> None:
    names = dir(ganexplain)
    assert {"run", "explain", "false_alarms", "WholeRun"} <= set(names) and "Any" not in names


def test_a_temporary_directory_lasts_as_long_as_a_run_that_needs_it() -> None:
    found = explain(CLASSIFIER, GAN, "sing", **FEW)
    folder, unit = found.out, found.units[0]
    del found
    assert unit.inputs.shape == (1, 2, 80, 115)
    del unit
    assert not folder.exists()


def test_a_run_directory_is_kept_and_not_overwritten(tmp_path: Path) -> None:
    found = explain(CLASSIFIER, GAN, "sing-nosing", direction="min", out=tmp_path / "run", **FEW)
    assert found.file == tmp_path / "run" / "explanations.npz" and found.direction == "min"
    assert found.record["state"] == "done" and found.figures["example_iterations"] == 4
    with pytest.raises(UsageError, match="not empty; add overwrite"):
        explain(CLASSIFIER, GAN, "sing", out=tmp_path / "run", **FEW)


def test_a_given_network_is_told_apart_by_its_weights_and_goes_to_other_processes() -> None:
    torch.manual_seed(0)
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    setting = GivenNetwork(one)
    assert setting == GivenNetwork(one) != GivenNetwork(other)
    sent: GivenNetwork = pickle.loads(pickle.dumps(setting))
    x = torch.randn(4, 3)
    assert sent == setting and torch.equal(sent.load()(x), one(x))
    assert setting.load() is not one
    with pytest.raises(UsageError, match="cannot be sent to other processes"):
        pickle.dumps(GivenNetwork(lambda x: x))


def test_a_gan_shows_and_plays_samples(home: Path) -> None:
    gan = train_gan("sample_data", steps=1, sample_every=1, autoencoder_steps=0, encoder_steps=1)
    assert gan.generate(3).shape == (3, 80, 115) and gan._repr_html_().count("<img") == 8
    again = TrainedGan.read(gan)
    assert np.array_equal(again.generate(2, seed=1), gan.generate(3, seed=1)[:2])
    found = explain(Loudness(), gan, **FEW)
    assert isinstance(found, Explanation) and "loudness" not in repr(found)
