"""A page's words on the part that the decision has in a unit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from support.report_artifacts import EXAMPLES, Artifacts, real_side

from ganexplain.artifacts.merging import read_part
from ganexplain.artifacts.plan import PART
from ganexplain.files.arrays import read_arrays, write_arrays
from ganexplain.metrics.sharing import Sharing


def page(made: Artifacts) -> str:
    """The texts of the page, without markup."""
    text = made.report()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))


def with_beyond(folder: Path) -> Artifacts:
    made = Artifacts(folder)
    made.real |= real_side("beyond_", [500.0, 700.0], [3.0, 5.0])
    made.real |= real_side("beyond_bottom_", [500.0, 700.0], [-3.0, -5.0])
    made.real_meta["response_sharing"] = Sharing(1234, 2, 0.9412, {3: 0.97, 12: -0.95}).to_json()
    return made


def test_the_share_of_the_decision_and_the_units_alike_are_named(tmp_path: Path) -> None:
    text = page(with_beyond(tmp_path))
    assert (
        "94.1 % of the variance of the response over 1,234 real excerpts is fitted by a "
        "weighted sum of the outputs of the network, their squares and cubes (as many as the "
        "excerpts can fit: 2 numbers)" in text
    )
    assert "explain --beyond output searches for the rest" in text
    assert "fc9:3 (+0.97), fc9:12 (−0.95): correlation of at least 0.9 in size" in text
    assert "Real excerpts beyond the decision" in text
    assert "beyond_song700.0.ogg" in text


def test_every_row_of_a_page_has_a_colour(tmp_path: Path) -> None:
    text = with_beyond(tmp_path).complete().report()
    kinds = set(re.findall(r'class="row ([a-z-]+)', text))
    assert {"beyond", "held-out", "real"} <= kinds
    assert {kind for kind in kinds if f".row.{kind}" not in text} == set()


def test_files_of_earlier_versions_have_no_such_lines(tmp_path: Path) -> None:
    text = page(Artifacts(tmp_path))
    assert "The decision" not in text and "beyond the decision" not in text


def test_a_page_of_a_search_that_held_the_outputs_says_how_far_they_moved(tmp_path: Path) -> None:
    made = with_beyond(tmp_path)
    made.meta["beyond"] = "output"
    fixed_outputs = np.zeros((len(made.grid), EXAMPLES, 2), np.float32)
    made.made |= {
        "start_fixed_outputs": fixed_outputs[0],
        "fixed_outputs": fixed_outputs + np.float32(0.25),
    }
    made.made["fixed_outputs"][0, 0, 0] = 0.5
    text = page(made)
    assert "moved by 0.281 on average and by 0.500 at most" in text
    assert "searches for the rest" not in text
    # The real excerpts are those beyond the outputs; they are not sorted by their response.
    assert text.index("+3.00") < text.index("+5.00")
    extreme = "the highest responses beyond what the outputs explain"
    assert f"with {extreme} in the recordings searched" in text
    assert "response, while the outputs of the network stay the same; " in text
    assert f"that have {extreme}, and what samples" in text
    assert (
        "“sing” (fc9, neuron 0), upwards beyond the decision" in text
        and "output of the network" in text
    )


def test_a_file_with_the_first_names_of_fixed_outputs_is_read(tmp_path: Path) -> None:
    made = with_beyond(tmp_path)
    made.meta["beyond"] = "output"
    held = np.zeros((len(made.grid), EXAMPLES, 2), np.float32)
    made.made |= {"start_held": held[0], "held": held + np.float32(0.25)}
    assert "moved by 0.250 on average and by 0.250 at most" in page(made)
    arrays, meta = read_arrays(tmp_path / "explanations.npz", "explanations", ("held",))
    write_arrays(tmp_path / "part.npz", PART, arrays, meta | {"kind": PART})
    part, _ = read_part(tmp_path / "part.npz")
    np.testing.assert_array_equal(part["start_fixed_outputs"], held[0])
    assert "fixed_outputs" in part and not {"held", "start_held"} & set(part)


def test_a_page_of_matched_activations_does_not_claim_to_maximise(tmp_path: Path) -> None:
    made = with_beyond(tmp_path)
    made.meta["objective"] = "match"
    text = page(made)
    assert "searched for those whose activations in the network are like those of real" in text
    assert "Distance of activations" in text and "raise the neuron" not in text
