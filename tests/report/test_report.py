"""The report: what stands on the page is what the artifacts hold; bad inputs are named."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from PIL import Image
from support.elements import Elements
from support.report_artifacts import FRONT_END, HOSTILE, SHOWN, Artifacts, tone

from ganexplain.audio.filterbank import mel_frequencies
from ganexplain.audio.log_mel import log_mel
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.files.atomic import read_json, write_json
from ganexplain.metrics.scores import SCORES
from ganexplain.report.charts.axes import Axis, fitted_axis, hz_ticks
from ganexplain.report.charts.heatmap import colour_shares
from ganexplain.report.charts.spectrograms import ColourScale, colour_scale
from ganexplain.report.html.document import content_policy
from ganexplain.report.html.markup import element
from ganexplain.report.html.notation import clock, number, ordinal, signed
from ganexplain.report.unit.evidence import MOST_EXPLORED
from ganexplain.runs.progress import NullProgress
from ganexplain.stages.report import write_report


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path)


@pytest.fixture
def complete(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path).complete()


def decoded(uri: str, kind: str) -> bytes:
    assert uri.startswith(f"data:{kind};base64,")
    return base64.b64decode(uri.split(",", 1)[1])


# --- The page -------------------------------------------------------------------------------


def test_page_holds_every_row_and_every_sound(artifacts: Artifacts) -> None:
    page = Elements(artifacts.report())
    rows = [e.attributes["class"] for e in page.of("section", "row")]
    assert rows == ["row real", "row chosen", "row start", "row median", "row worst"]
    assert len(page.of("figure", "panel")) == 5 * SHOWN
    audios = page.of("audio")
    assert len(audios) == len(page.of("button", "play")) == 6 * SHOWN  # the real ones have two
    for audio in audios:
        samples, rate = sf.read(io.BytesIO(decoded(audio.attributes["src"], "audio/flac")))
        assert (rate, samples.shape) == (22050, (FRONT_END.excerpt_samples,))
        assert 1e-3 < np.abs(samples).max() <= 0.99
        assert "controls" in audio.attributes  # what shows where scripts do not run
    for button in page.of("button", "play"):
        assert button.attributes["aria-label"].startswith("Play ")
    assert len(page.of("button", "switch")) == 4  # every row but the real one


def test_original_is_the_recording_and_resynth_keeps_its_tone(artifacts: Artifacts) -> None:
    audios = Elements(artifacts.report()).of("audio")[:2]
    original, again = (
        sf.read(io.BytesIO(decoded(a.attributes["src"], "audio/flac")), dtype="int16")[0]
        for a in audios
    )
    np.testing.assert_array_equal(original, artifacts.real["audio"][0])
    spectrum = np.abs(np.fft.rfft(again * np.hanning(again.size)))
    assert np.argmax(spectrum) * 22050 / again.size == pytest.approx(300, abs=22)


def test_pictures_share_one_scale_and_show_the_arrays(artifacts: Artifacts) -> None:
    page = Elements(artifacts.report())
    scale = colour_scale(artifacts.real["mel"], FRONT_END)
    pictures = [
        Image.open(io.BytesIO(decoded(e.attributes["href"], "image/png"))) for e in page.of("image")
    ]
    assert len({bytes(p.getpalette() or []) for p in pictures}) == 1
    first = np.asarray(pictures[1])[::3, ::3]  # after the colour bar
    np.testing.assert_array_equal(first, scale.indices(artifacts.real["mel"][0][::-1]))
    legend = page.of("svg", "colour-bar")[0].attributes["aria-label"]
    assert legend == f"colour scale from {scale.low:g} to {scale.high:g} nat"


def test_what_the_colours_cut_is_said(artifacts: Artifacts) -> None:
    details = [e.text for e in Elements(artifacts.report()).of("span", "detail")]
    highest = artifacts.made["mel"][-1, 0].max()
    assert f"reaches +{highest:.0f}\N{NO-BREAK SPACE}nat" in details


def test_responses_stand_under_the_pictures(artifacts: Artifacts) -> None:
    shown = [e.text for e in Elements(artifacts.report()).of("span", "response")]
    best = [signed(r) for r in artifacts.made["response"][0, :SHOWN]]
    assert shown[:SHOWN] == ["+9.00", "+8.00"]
    assert shown[SHOWN : 2 * SHOWN] == best


def test_minimising_shows_the_bottom_excerpts(artifacts: Artifacts) -> None:
    artifacts.meta["direction"] = artifacts.selection["direction"] = "min"
    page = artifacts.report()
    assert "What drives “sing” (fc9, neuron 0), downwards" in page
    assert Elements(page).of("span", "response")[0].text == "−9.00"
    assert "bottom_song250.0.ogg" in page
    assert "song600.0.ogg" not in page.replace("bottom_song", "")


def test_real_excerpts_are_sorted(artifacts: Artifacts) -> None:
    artifacts.real["response"] = np.array([1.0, 3.0, 2.0])
    shown = [e.text for e in Elements(artifacts.report()).of("span", "response")]
    assert shown[:SHOWN] == ["+3.00", "+2.00"]


def test_heat_maps_mark_the_chosen_cell(artifacts: Artifacts) -> None:
    for entry in artifacts.selection["configurations"]:
        entry["rank"] = entry["rank"] % len(artifacts.grid) + 1  # the last one is first now
        entry["tied"] = entry["rank"] == 2
    artifacts.selection["chosen"] = len(artifacts.grid) - 1
    page = Elements(artifacts.report())
    cells = page.of("g", "cell")
    assert len(cells) == 2 * len(artifacts.grid)
    marked = [c for c in cells if "chosen" in c.attributes["class"].split()]
    assert [c.attributes["data-setting"] for c in marked] == ["7", "7"]
    assert [c.attributes["tabindex"] for c in marked] == ["0", "0"]
    assert all("rank 1 of 8" in c.attributes["aria-label"] for c in marked)
    tied = [c for c in cells if "tied" in c.attributes["class"].split()]
    assert [c.attributes["data-setting"] for c in tied] == ["0", "0"]
    words = "rank 2 of 8, within one standard error of the best"
    assert all(words in c.attributes["aria-label"] for c in tied)
    texts = [e.text for e in page.of("text")]
    for entry in artifacts.selection["configurations"]:
        assert number(entry["fid_response"]) in texts
        assert number(entry["fid_features"]) in texts


@pytest.mark.parametrize(
    ("grid", "rows"),
    [
        ([(0.1, 0.1, 10)], ["real", "chosen", "start"]),
        ([(0.1, 0.1, 10), (0.1, 0.0, 10)], ["real", "chosen", "start", "worst"]),
        ([(0.1, 0.1, 10), (0.01, 0.1, 5), (0.1, 0.01, 7)], None),
        ([(10.0**-k, 0.1, 10 + n) for k in range(4) for n in range(5)], None),
    ],
)
def test_any_grid_has_a_page(tmp_path: Path, grid: list, rows: list[str] | None) -> None:
    page = Elements(Artifacts(tmp_path, grid).report())
    expected = rows or ["real", "chosen", "start", "median", "worst"]
    assert [e.attributes["class"].split()[1] for e in page.of("section", "row")] == expected
    assert len(page.of("g", "cell")) == 2 * len(grid)
    assert len(page.of("g", "plot")) == 2 * len({setting[:2] for setting in grid})


def test_nothing_is_fetched_and_only_one_script_runs(artifacts: Artifacts) -> None:
    text = artifacts.report()
    page = Elements(text)
    for found in page.found:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = found.attributes.get(name)
            assert value is None or value.startswith("data:"), (found.tag, name)
        assert not any(name.startswith("on") for name in found.attributes)
    assert not re.search(r"https?:|//www|@import|url\(", text)
    scripts = page.of("script")
    assert len(scripts) == 1
    policies = [e.attributes.get("content") for e in page.of("meta")]
    assert content_policy(scripts[0].text) in policies
    assert len(text) < 20e6


def test_hostile_names_are_text(artifacts: Artifacts) -> None:
    artifacts.meta["unit"] = artifacts.meta["classifier"] = HOSTILE
    text = artifacts.report()
    assert "<script>alert" not in text
    page = Elements(text)
    name = HOSTILE.split("/")[-1]  # a path: its last part is shown
    assert page.of("span", "origin")[0].text == name
    assert HOSTILE in page.of("h1")[0].text


def test_hostile_selections_are_text(complete: Artifacts) -> None:
    chosen = complete.selection
    chosen["warnings"], chosen["tie_rule"] = [HOSTILE], HOSTILE
    chosen["judges"] = {HOSTILE: chosen["judges"]["judge"] | {"path": HOSTILE, "class": HOSTILE}}
    for entry in (*chosen["configurations"], *chosen["controls"].values()):
        entry["judges"] = {HOSTILE: 0.5}
    chosen["controls"][HOSTILE] = chosen["controls"].pop("start") | {"meaning": HOSTILE}
    text = complete.report()
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") > 10
    assert len(Elements(text).of("script")) == 1


def test_same_inputs_same_bytes(artifacts: Artifacts) -> None:
    first = artifacts.report("one")
    assert first == artifacts.report("two")


def test_run_directory_tells_what_happened(artifacts: Artifacts) -> None:
    progress = NullProgress()
    out = artifacts.folder / "run"
    path = write_report(artifacts.write(), out, progress)
    assert path == out / "report.html"
    run = read_json(out / "run.json")
    assert (run["stage"], run["state"]) == ("report", "done")
    assert set(run["inputs"]) == {"explanations", "responses", "selection"}
    page = path.read_text()
    assert all(digest in page for digest in run["inputs"].values())
    with pytest.raises(UsageError, match="--overwrite"):
        write_report(artifacts.write(), out, progress)
    assert write_report(artifacts.write(), out, progress, overwrite=True) == path


def test_a_large_page_says_how_to_make_it_smaller(
    artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganexplain.stages.report.LARGE", 1e5)
    progress = NullProgress()
    path = write_report(artifacts.write(), artifacts.folder / "run", progress)
    assert progress.notes == [f"{path}: 1 MB; fewer --heard make it smaller"]
    assert "fewer --heard" in (path.parent / "log.txt").read_text()


def test_commands_of_earlier_runs_are_shown(artifacts: Artifacts) -> None:
    document = {
        "argv": ["x", "select", "--by", "<b>"],
        "stage": "select",
        "version": "1",
        "seed": 0,
    }
    write_json(artifacts.folder / "run.json", document)
    words = [e.text for e in Elements(artifacts.report()).of("span", "word")]
    assert words == ["ganexplain", "select", "--by", "'<b>'"]


# --- What select adds: ties, intervals, controls, judges --------------------------------------


def test_every_control_that_can_be_heard_has_a_row(complete: Artifacts) -> None:
    page = Elements(complete.report())
    rows = [e.attributes["class"].removeprefix("row ") for e in page.of("section", "row")]
    assert rows == ["real", "chosen", "start", "held-out", "fresh", "input-ascent", "reinitialised",
                    "best", "median", "worst"]  # fmt: skip
    audios = [e.attributes["src"] for e in page.of("audio")]
    held_out = audios[4 * SHOWN : 6 * SHOWN : 2]  # after two of each real one, and two rows
    assert held_out == audios[: 2 * SHOWN : 2]  # the same recordings in this fixture
    responses = [e.text for e in page.of("span", "response")]
    assert responses[3 * SHOWN : 4 * SHOWN] == ["+8.50", "+7.50"]  # half a unit below the real


def test_the_chosen_of_several_tied_is_explained(complete: Artifacts) -> None:
    page = complete.report()
    best, chosen = complete.selection["configurations"][:2]
    assert "the 2nd smallest of 8 settings" in page
    assert f"FID response {number(chosen['fid_response'])} (95 % interval" in page
    assert f"10 iterations: {number(best['fid_response'])}" not in page
    assert "2 other settings are within one standard error of the best, among them" in page
    assert "The least learning rate times iterations of those tied." in page
    facts = [e.text for e in Elements(page).of("dd")]
    assert "2 of 8, within one standard error of the best" in facts


def test_every_score_and_judge_has_a_map_with_its_intervals(complete: Artifacts) -> None:
    page = Elements(complete.report())
    names = [e.attributes["value"] for e in page.of("input")]
    assert names == [*SCORES, "judge-0"]
    assert [e.attributes["id"] for e in page.of("figure", "map")] == [f"map-{n}" for n in names]
    cells = page.of("g", "cell")
    assert len(cells) == len(names) * len(complete.grid)
    labels = [e.attributes["aria-label"] for e in cells]
    kid = [label for label in labels if ": KID " in label]
    assert len(kid) == len(complete.grid)
    assert any("KID −0.0500, 95 % interval −0.110 to 0.0100;" in label for label in kid)
    shades = {
        e.attributes["data-setting"]: float(e.attributes["style"].split(":")[1].rstrip("%"))
        for e in cells
        if ": Judge " in e.attributes["aria-label"]
    }
    assert shades["0"] == 0.0 and shades["7"] == 100.0  # high is better: the first is strongest
    details = [e.text for e in page.of("dd", held=True)]
    assert "−0.0500 (−0.110 to 0.0100)" in details


def test_each_cell_has_its_examples_and_the_first_have_sound(complete: Artifacts) -> None:
    page = Elements(complete.report())
    templates = [e.attributes["id"] for e in page.of("template")]
    assert templates == [f"setting-{k}" for k in range(len(complete.grid))]
    panels = page.of("figure", "panel", held=True)
    assert len(panels) == SHOWN * len(complete.grid)
    responses = [e.text for e in page.of("span", "response", held=True)]
    assert responses == [signed(r) for r in complete.made["response"][:, :SHOWN].ravel()]
    assert len(page.of("audio", held=True)) == SHOWN * len(complete.grid)
    config = replace(complete.write(), heard=0, examples=3)
    quiet = Elements(write_report(config, complete.folder / "q", NullProgress()).read_text())
    assert not quiet.of("audio", held=True)
    assert len(quiet.of("figure", "panel", held=True)) == 3 * len(complete.grid)


def test_a_page_holds_examples_of_so_many_settings_at_most(tmp_path: Path) -> None:
    grid = [(10.0**-k, 0.1, 5 + n) for k in range(4) for n in range(20)]
    page = Elements(Artifacts(tmp_path, grid).report())
    assert len(page.of("template")) == len(grid)
    shown = [e for e in page.of("section", "setting", held=True)]
    assert MOST_EXPLORED // 2 < len(shown) <= MOST_EXPLORED
    without = [e for e in page.of("p", held=True) if "are not on this page" in e.text]
    assert len(without) + len(shown) == len(grid)


def test_examples_that_do_not_drive_the_neuron_are_called_so(tmp_path: Path) -> None:
    """Real ones have 8.2 on average, the search began near 0: half of the way is 4."""
    artifacts = Artifacts(tmp_path)
    chosen = artifacts.selection["configurations"][0]
    for mean, called in ((3.0, True), (5.0, False)):
        chosen["mean_response"] = mean
        page = artifacts.report(f"report {mean}")
        assert ("the chosen setting hardly drives the neuron" in page) == called


def test_stronger_excerpts_of_other_splits_are_no_measure(complete: Artifacts) -> None:
    assert "these do not show how near" not in complete.report("weaker")
    complete.real["held_out_response"] = complete.real["response"] + 2.0
    assert "of the split train, with which the examples are compared" in complete.report("stronger")


def test_mixtures_of_recordings_are_not_called_generated(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    assert "Mixtures of real" not in artifacts.report("of a generator")
    artifacts.meta["prior_from"] = "my songs"
    page = artifacts.report("of mixtures")
    assert "Mixtures of real excerpts of my songs were searched" in page
    assert "A generator of" not in page and "every generated excerpt is a mixture" in page


def test_an_interval_of_no_width_is_not_shown(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    chosen = artifacts.selection["configurations"][0]
    for end, shown in ((2.0, True), (1.5, False)):
        chosen["fid_response_interval"] = [1.5, end]
        assert ("95 % interval 1.50 to" in artifacts.report(f"report {end}")) == shown


def test_controls_and_judges_are_told_in_words(complete: Artifacts) -> None:
    text = complete.report()
    cells = [e.text for e in Elements(text).of("td")]
    space = "\N{NO-BREAK SPACE}"
    (said,) = (cell for cell in cells if "too few examples" in cell)
    assert said == (
        f"25{space}% of judges’ votes against 88{space}%; worse by judges’ votes; so there are "
        "too few examples to tell whether this explanation shows the classifier or the GAN: 4 "
        "excerpts and 3 real ones, where 24 of each are needed."
    )
    (said,) = (cell for cell in cells if "too few to tell whether it is less" in cell)
    assert said.startswith(
        f"Hears it in 88{space}% of the examples and 100{space}% of the real excerpts: 3 are"
    )
    assert said.endswith(
        "It was trained on the same recordings as the network explained, and may share its "
        "mistakes. "
        "On samples of the generator it agrees with the network explained (AUROC 0.950)."
    )
    heads = [e.text for e in Elements(text).of("th")]
    assert heads.count("density") >= 1
    assert f"88{space}%" in cells
    assert "too few &lt;examples&gt; for 3 features" in text
    assert "e" * 64 in text


def test_what_a_judge_votes_for_without_telling_it_apart_is_said(complete: Artifacts) -> None:
    judges = complete.selection["judges"]["judge"]
    judges |= {"weak_agreement": 1.0, "sample_agreement": None, "same_corpora": []}
    complete.selection["controls"]["input_ascent"]["judges"]["judge"] = 1.0
    complete.selection["configurations"][-1]["judges"]["judge"] = 0.9
    space = "\N{NO-BREAK SPACE}"
    (said,) = (e.text for e in Elements(complete.report()).of("td") if "votes no less" in e.text)
    assert said.endswith(
        f"Real excerpts that drive the neuron least get 100{space}% of its votes too: it does "
        f"not tell the two apart. It votes no less for noise made for the neuron (100{space}%) and "
        f"the worst setting (90{space}%): a vote says that it hears the class, not that an example "
        "is like a real one."
    )


def test_old_selections_without_the_new_fields_have_a_page(artifacts: Artifacts) -> None:
    page = Elements(artifacts.report())
    assert [e.attributes["value"] for e in page.of("input")] == ["fid_response", "fid_features"]
    (few,) = page.of("li")
    assert few.text == (
        "4 examples are too few for a verdict, which needs 24; give more --examples"
    )
    headings = [e.text for e in page.of("h2")]
    assert not any(h.startswith(("Controls", "Judges")) for h in headings)


def test_a_page_says_that_its_real_excerpts_are_of_one_recording(artifacts: Artifacts) -> None:
    artifacts.real["file"] = np.array(["one.ogg"] * 3)
    _, one = Elements(artifacts.report()).of("li")
    assert one.text == "all real excerpts are of one recording: what they share may be its own"


# --- Inputs that do not fit -----------------------------------------------------------------


def refused(artifacts: Artifacts) -> str:
    """The one line with which a report is refused; nothing is left behind."""
    with pytest.raises(GanexplainError) as caught:
        artifacts.report()
    assert not (artifacts.folder / "report" / "report.html").exists()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_selection_of_another_grid(artifacts: Artifacts) -> None:
    del artifacts.selection["configurations"][-1]
    message = refused(artifacts)
    assert "selection.json" in message
    assert "7 configurations, but 8" in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chosen": 3}, "'chosen' (3)"),
        ({"chosen": "0"}, "chosen is '0', not a whole number"),
        ({"by": "taste"}, "'by' is 'taste'"),
        ({"neuron": 1}, "neuron is 1, but 0"),
        ({"direction": "min"}, "direction is 'min', but 'max'"),
        ({"configurations": None}, "configurations"),
    ],
)
def test_a_wrong_field_of_a_selection_is_named(
    artifacts: Artifacts, change: dict, said: str
) -> None:
    artifacts.selection.update(change)
    message = refused(artifacts)
    assert "selection.json" in message
    assert said in message


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", 0.3), ("fid_response", None), ("rank", 5), ("mean_response", "high"),
     ("iterations", True)],
)  # fmt: skip
def test_a_wrong_field_of_a_setting_is_named(
    artifacts: Artifacts, name: str, value: object
) -> None:
    artifacts.selection["configurations"][2][name] = value
    message = refused(artifacts)
    assert "selection.json" in message
    assert name in message


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("warnings", "few", "warnings is 'few', not a list of texts"),
        ("tie_rule", 3, "tie_rule is 3, not a text"),
        ("controls", [], "controls is [], not an object"),
        ("controls.start", 3, "controls.start is 3, not an object"),
        ("controls.start.kid", "low", "controls.start.kid is 'low', not a number"),
        ("controls.start.judges", {"judge": 31}, "judges.judge is 31, not a share from 0 to 1"),
        ("controls.start.kid_interval", [1], "kid_interval is [1], not two numbers"),
        ("configurations.0.kid_interval", [2, 1], "kid_interval is [2, 1], not a lower"),
        ("configurations.2.tied", 1, "configurations[2].tied is 1, not true or false"),
        ("judges.judge.agreement", -1, "judges.judge.agreement is -1, not a share"),
        ("judges.judge.path", [], "judges.judge.path is [], not a text"),
        ("chosen", 5, "'chosen' (5) is neither of rank 1 nor tied with it"),
        ("by", "composites", "'by' is 'composites', not one of fid-response"),
    ],
)  # fmt: skip
def test_new_fields_are_checked(complete: Artifacts, place: str, value: object, said: str) -> None:
    at, *inner = place.split(".")
    entry = complete.selection
    for step in inner:
        entry = entry[int(at) if isinstance(entry, list) else at]
        at = step
    entry[at] = value
    message = refused(complete)
    assert "selection.json: " in message
    assert said in message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("input_ascent_response", np.ones(3), "input_ascent_response has shape (3,)"),
        ("input_ascent_mel", np.ones((4, 80, 9)), "input_ascent_mel has shape (4, 80, 9)"),
        ("reinitialised_response", np.full(4, np.nan), "reinitialised_response contains values"),
        ("reinitialised_response", None, "'reinitialised_response' is missing"),
    ],
)
def test_controls_that_do_not_fit(
    complete: Artifacts, name: str, value: np.ndarray | None, said: str
) -> None:
    complete.controls.pop(name)
    if value is not None:
        complete.controls[name] = value
    message = refused(complete)
    assert "controls.npz: " in message
    assert said in message


def test_held_out_excerpts_that_do_not_fit(complete: Artifacts) -> None:
    del complete.real["held_out_audio"]
    message = refused(complete)
    assert "responses.npz: key 'held_out_audio' is missing" in message


def test_selection_that_is_no_json(artifacts: Artifacts) -> None:
    config = artifacts.write()
    Path(config.selection).write_text("{")
    with pytest.raises(GanexplainError, match=r"selection\.json: not a JSON"):
        write_report(config, artifacts.folder / "report", NullProgress())


@pytest.mark.parametrize(
    ("change", "said"),
    [({"classifier_hash": "d" * 64}, "classifier_hash"), ({"layer": "fc8"}, "layer is 'fc8'"),
     ({"neuron": None}, "neuron"), ({"front_end": {}}, "front_end")],
)  # fmt: skip
def test_responses_of_something_else_are_refused(
    artifacts: Artifacts, change: dict, said: str
) -> None:
    artifacts.real_meta.update(change)
    message = refused(artifacts)
    assert "responses.npz" in message
    assert said in message


def test_a_selection_of_other_explanations_is_refused(artifacts: Artifacts) -> None:
    artifacts.selection["explanations_hash"] = "0" * 64
    assert "ranks other explanations" in refused(artifacts)


def test_shapes_that_do_not_fit_are_named(artifacts: Artifacts) -> None:
    artifacts.made["start_mel"] = artifacts.made["start_mel"][:, :, :-1]
    assert "start_mel has shape (4, 80, 114)" in refused(artifacts)


def test_missing_key_and_missing_meta(artifacts: Artifacts) -> None:
    del artifacts.real["start_s"]
    assert "'start_s' is missing" in refused(artifacts)
    del artifacts.meta["layer"]
    assert "meta.layer is missing" in refused(artifacts)


def test_responses_that_are_not_finite(artifacts: Artifacts) -> None:
    artifacts.made["response"][0, 0] = np.nan
    assert "response contains values that are not finite" in refused(artifacts)


def test_exploded_excerpts_still_have_a_page(artifacts: Artifacts) -> None:
    artifacts.made["mel"][-1, 0, 3, 4] = np.inf
    artifacts.made["mel"][-1, 1, 3, 4] = np.nan
    said = [e.text for e in Elements(artifacts.report()).of("span", "detail")]
    assert said.count("contains values that are not finite") == 2


# --- Parts of the page ----------------------------------------------------------------------


def test_frequencies_stand_where_their_bands_are() -> None:
    peaks = mel_frequencies(FRONT_END)[1:-1]
    ticks = dict((label, height) for height, label in hz_ticks(FRONT_END))
    assert list(ticks) == ["100", "500", "1k", "2k", "4k"]
    for label, hertz in {"100": 100, "500": 500, "1k": 1000, "2k": 2000, "4k": 4000}.items():
        between = np.interp(hertz, peaks, np.arange(80) + 0.5)  # a band is drawn from b to b + 1
        assert ticks[label] == pytest.approx(between, abs=0.05)
    loudest = log_mel(tone(2000), FRONT_END).mean(axis=0).argmax()
    assert loudest <= ticks["2k"] <= loudest + 1


def test_colours_are_clipped_at_both_ends() -> None:
    scale = ColourScale(-4, 6)
    values = np.array([[-50.0, -4.0, 1.0, 6.0, 300.0, np.inf, -np.inf, np.nan]])
    assert scale.indices(values).tolist() == [[0, 0, 128, 255, 255, 255, 0, 0]]
    assert colour_scale(np.full((1, 2, 2), -16.1), FRONT_END).low < -16


def test_bent_axis_keeps_order_and_room() -> None:
    plain = fitted_axis([np.array([0.0, 12.0])], level=8.0)
    assert plain.knee is None
    axis = fitted_axis([np.array([-3.0, 9.0, 6e4])], level=8.0)
    values = np.array([-3, 0, 8, 100, 6e4])
    places = axis.position(values)
    assert (np.diff(places) > 0.03).all()
    assert 0 <= places[0] < places[-1] <= 1
    ticks = axis.ticks()
    assert 0.0 in ticks
    assert max(ticks) >= 1e4
    assert Axis(0.0, 1000.0).ticks(0.3) == [0.0, 500.0, 1000.0]


def test_heat_colours_are_logarithmic() -> None:
    assert colour_shares([1.0, 10.0, 100.0, None, 0.0]) == pytest.approx([0, 0.5, 1, 0, 0])
    assert colour_shares([3.0, 3.0]) == [0.0, 0.0]
    assert colour_shares([-1.0, 0.0, 3.0]) == pytest.approx([0, 0.25, 1])  # linear below zero
    assert colour_shares([0.2, 1.0, None, 0.6], "high") == pytest.approx([1, 0, 0, 0.5])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.541, "0.541"), (33.087, "33.1"), (999.6, "1.00k"), (1557.7, "1.56k"), (60533.1, "60.5k"),
     (1.2e6, "1.20M"), (3.4e12, "3.4e12"), (-0.02, "−0.0200"), (2e-7, "2.0e−7"), (0, "0")],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_signs_times_and_ordinals_have_their_notation() -> None:
    assert [signed(8.215), signed(-0.5), signed(480.25), signed(-60533)] == [
        "+8.21", "−0.50", "+480.2", "−60.5k",
    ]  # fmt: skip
    assert [clock(0), clock(61.5), clock(59.999)] == ["0:00.00", "1:01.50", "1:00.00"]
    assert [ordinal(n) for n in (1, 2, 3, 11, 14, 22)] == [
        "1st",
        "2nd",
        "3rd",
        "11th",
        "14th",
        "22nd",
    ]


def test_elements_escape_text_and_attributes() -> None:
    made = element("p", "<i>", element("b", "&"), class_='"x"', hidden=True, title=None, x=1.0)
    assert made == '<p class="&#34;x&#34;" hidden x="1">&lt;i&gt;<b>&amp;</b></p>'
