"""Whether an explanation shows the network or the GAN: the rule, and the sentences of the page."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from support.commands import Run
from support.elements import Elements
from support.paths import PRETRAINED, SAMPLE
from support.report_artifacts import Artifacts

from ganexplain.artifacts.figures import Control, Figures, JudgeAgreement
from ganexplain.inputs.words import SOUND
from ganexplain.report.unit.findings import sanity_conclusion
from ganexplain.report.unit.sanity_check import CONCLUSIONS, Votes, is_discerning, sanity_check

LEARNED = "this explanation shows what the classifier has learned"
GAN = "this explanation shows the GAN, not the classifier"


@pytest.mark.parametrize(
    ("votes", "counts", "outcome"),
    [
        # A trained detector: all real top excerpts are sung, no bottom one, the control at random.
        (Votes(1.0, 0.5, 1.0, 0.0), (24, 24, 50), "network"),
        (Votes(0.92, 0.31, 1.0, 0.0), (50, 50, 50), "network"),
        (Votes(1.0, 0.75, 1.0, 0.0), (24, 24, 50), "network"),
        # Shuffled and untrained ones: the real excerpts that drive them most are as any others.
        (Votes(0.62, 0.42, 0.46, 0.21), (24, 24, 50), "unrelated"),
        (Votes(1.0, 0.2, 0.28, 0.56), (24, 24, 50), "unrelated"),
        (Votes(0.65, 0.4, 0.65, 0.23), (24, 24, 50), "unrelated"),
        # The judges find it in the real ones, but the control has it as well.
        (Votes(0.5, 0.6, 1.0, 0.0), (24, 24, 50), "gan"),
        (Votes(1.0, 1.0, 1.0, 0.0), (50, 50, 50), "gan"),
        (Votes(0.9, 0.75, 1.0, 0.0), (24, 24, 50), "open"),
        # More often in the strong than in the weak ones, but by how much is not known enough.
        (Votes(1.0, 0.3, 1.0, 0.45), (24, 24, 50), "open"),
        (Votes(1.0, 0.3, 0.75, 0.25), (24, 24, 100), "open"),
        # No claim of fewer than 24, of whatever kind.
        (Votes(1.0, 0.0, 1.0, 0.0), (23, 24, 50), "few"),
        (Votes(1.0, 0.0, 1.0, 0.0), (24, 23, 50), "few"),
        (Votes(0.5, 0.5, 0.5, 0.5), (24, 24, 23), "few"),
    ],
)
def test_the_votes_decide(votes: Votes, counts: tuple[int, int, int], outcome: str) -> None:
    assert sanity_check(True, votes, *counts) == outcome
    hidden = {"unrelated": "untold"}.get(outcome, outcome)
    assert sanity_check(False, votes, *counts) == hidden


def test_a_judge_that_votes_the_same_for_all_real_ones_tells_nothing_apart() -> None:
    assert is_discerning(1.0, 0.0) and is_discerning(0.46, 0.21) and is_discerning(0.0, 1.0)
    assert not is_discerning(1.0, 0.95) and not is_discerning(0.05, 0.0)


@pytest.mark.parametrize(
    ("examples", "real", "votes", "said"),
    [
        (24, 24, {}, f"; so {LEARNED} (by the votes of judge, trained on the same recordings as"),
        (24, 24, {"same_corpora": []}, f"; so {LEARNED} (by the votes of judge)."),
        (24, 24, {"real_agreement": 0.25, "weak_agreement": 0.375}, f"; so {GAN}: the judges find"),
        (24, 24, {"agreement": 0.25}, f"; so {GAN} (by the votes of judge,"),
        (
            24,
            24,
            {"weak_agreement": 1.0},
            "no judge that tells real excerpts apart was asked (--judge of select)",
        ),
        (
            24,
            24,
            {"weak_agreement": None},
            "no judge that tells real excerpts apart was asked (--judge of select)",
        ),
        (4, 3, {}, "too few examples to tell whether this explanation shows the classifier"),
    ],
)
def test_the_page_says_what_the_votes_decide(
    tmp_path: Path, examples: int, real: int, votes: dict[str, float | None], said: str
) -> None:
    """Of the network's examples 7 of 8 are voted for, of the re-initialised one's 1 of 4."""
    artifacts = Artifacts(tmp_path).complete()
    artifacts.selection["judges"]["judge"] |= {"weak_agreement": 0.0} | votes
    artifacts.repeat(examples, real)
    page = artifacts.report()
    assert said in page
    assert (LEARNED in page) == said.startswith(f"; so {LEARNED}")
    assert (GAN in page) == said.startswith(f"; so {GAN}")
    (verdict,) = Elements(page).of("p", "verdict")
    finding = said.removeprefix("; so ")
    assert finding[1:] in verdict.text


@pytest.mark.parametrize(
    ("upwards", "said"), [(True, "named for in 40"), (False, "named for missing in 40")]
)
def test_of_a_neuron_driven_downwards_judges_are_asked_for_any_other_class(
    upwards: bool, said: str
) -> None:
    judge = JudgeAgreement(0.5, 0.4, "sing" if upwards else "not sing", "", "", weak_agreement=0.45)
    evidence: Any = SimpleNamespace(
        made={"response": np.zeros((1, 24))}, real={"response": np.zeros(24)},
        meta=SimpleNamespace(class_name="sing"), upwards=upwards, words=SOUND,
        selection=SimpleNamespace(judges={"judge": judge}, weakness=""), absence="",
    )  # fmt: skip
    told = sanity_conclusion(evidence, Control("", 24, Figures({}, judges={"judge": 0.5})))
    assert said in told and "of the real excerpts that drive it most, and in 45" in told
    evidence.meta = SimpleNamespace(class_name="")  # a hidden unit
    told = sanity_conclusion(evidence, Control("", 24, Figures({}, judges={"judge": 0.5})))
    assert "cannot tell" in told and "most get 40" in told


def test_a_neuron_that_hardly_responds_needs_no_judge(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path).complete()
    variation = {"excerpts": 99, "mean": 1.0, "layer_std": None, "size": 1.0}
    artifacts.selection["response_variation"] = variation | {"std": 0.01}
    assert f"; so {GAN}: the neuron hardly responds to real excerpts." in artifacts.report("weak")
    artifacts.selection["response_variation"] = variation | {"std": 1.0}
    assert "too few examples to tell" in artifacts.report("strong")


def test_real_excerpts_without_the_class_decide_nothing(tmp_path: Path) -> None:
    """The judges hear it in few of the real ones: nobody is to blame, they are without it."""
    artifacts = Artifacts(tmp_path).complete()
    artifacts.selection["judges"]["judge"] |= {"real_agreement": 0.2, "weak_agreement": 0.0}
    artifacts.repeat(24, 24)
    assert GAN in artifacts.report("unknown")
    artifacts.real_meta["class_decisions"] = {"class": "sing", "found": 0, "excerpts": 432}
    page = artifacts.report("none")
    (verdict,) = Elements(page).of("p", "verdict")
    assert "the network itself finds its class in none of the real excerpts" in verdict.text
    assert GAN not in page and "do not take the examples for" not in page
    (box,) = Elements(page).of("div", "warnings")
    first = page.index("none of the 432 real excerpts")
    assert first < page.index("too few &lt;examples&gt;") and box


@pytest.mark.slow
def test_a_network_of_shuffled_weights_from_the_command_line_to_the_page(
    command: Run, tmp_path: Path
) -> None:
    content = torch.load(PRETRAINED / "classifier.pt", weights_only=True)
    stream = torch.Generator().manual_seed(0)
    for name, weight in content["weights"].items():
        if name not in ("mean", "deviation"):
            order = torch.randperm(weight.numel(), generator=stream)
            content["weights"][name] = weight.flatten()[order].view(weight.shape)
    torch.save(content, tmp_path / "shuffled.pt")
    made, chosen, page = (tmp_path / name for name in ("explain", "select", "report"))
    for line in (
        ("explain", "--classifier", tmp_path / "shuffled.pt", "--gan", PRETRAINED / "gan.pt",
         "--examples", 2, "--learning-rate", "0.1", "--prior-weight", "0.001",
         "--iterations", 2, "--jobs", 1, "--out", made),
        ("select", made, "--corpus", SAMPLE, "--hop-frames", 1000, "--out", chosen),
        ("report", made, "--selection", chosen, "--examples", 1, "--heard", 0,
         "--griffin-lim-iterations", 1, "--out", page),
    ):  # fmt: skip
        done = command(*line, "-q")
        assert done.code == 0, done.err
    assert (
        f"; so {GAN}: the neuron hardly responds to real excerpts."
        in (page / "report.html").read_text()
    )


def test_the_page_says_what_was_found() -> None:
    assert LEARNED in CONCLUSIONS["network"]
    assert GAN in CONCLUSIONS["gan"] and GAN in CONCLUSIONS["unrelated"]
    assert GAN in CONCLUSIONS["unmoved"]
    for outcome in set(CONCLUSIONS) - {"network", "gan", "unrelated", "unmoved"}:
        assert LEARNED not in CONCLUSIONS[outcome] and GAN not in CONCLUSIONS[outcome]
