"""The report: what stands on the page is what the artifacts hold; bad inputs are named."""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from PIL import Image

from ganexplain.artifacts import file_hash, read_json, write_arrays, write_json
from ganexplain.config import FrontEnd, ReportConfig
from ganexplain.data.frontend import log_mel, mel_frequencies
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.pages.axes import Axis, fitted_axis, hz_ticks
from ganexplain.pages.document import _policy
from ganexplain.pages.heatmap import colour_shares
from ganexplain.pages.markup import element
from ganexplain.pages.notation import clock, number, ordinal, signed
from ganexplain.pages.spectrograms import ColourScale, colour_scale
from ganexplain.runtime import Silent
from ganexplain.stages.report import write_report

FRONT_END = FrontEnd()
EXAMPLES, SHOWN, LATENT, FEATURES = 4, 2, 8, 3
RATES, WEIGHTS, COUNTS = (0.1, 0.01), (0.1, 0.001), (5, 10)
HOSTILE = '<script>alert("x")</script>&.ogg'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


# --- Artifacts ------------------------------------------------------------------------------


def tone(hertz: float, level: float = 0.1) -> np.ndarray:
    """A sine (samples,) over one excerpt."""
    seconds = np.arange(FRONT_END.excerpt_samples) / FRONT_END.sample_rate
    return (level * np.sin(2 * np.pi * hertz * seconds)).astype(np.float32)


def real_side(prefix: str, hertz: list[float], responses: list[float]) -> dict[str, np.ndarray]:
    """One half of `responses.npz`."""
    sounds = [tone(h) for h in hertz]
    return {
        prefix + "mel": np.stack([log_mel(sound, FRONT_END).T for sound in sounds]),
        prefix + "response": np.array(responses),
        prefix + "features": np.ones((len(hertz), FEATURES), np.float32),
        prefix + "file": np.array([HOSTILE, *(f"{prefix}song{k}.ogg" for k in hertz[1:])]),
        prefix + "start_s": np.arange(len(hertz)) * 61.5,
        prefix + "audio": np.stack([np.round(sound * 32767).astype(np.int16) for sound in sounds]),
    }


@dataclass
class Artifacts:
    """The three inputs of a report as they will be written; a test may spoil them first."""

    folder: Path
    grid: list[tuple[float, float, int]] = field(
        default_factory=lambda: list(itertools.product(RATES, WEIGHTS, COUNTS))
    )
    meta: dict[str, Any] = field(
        default_factory=lambda: {
            "layer": "fc9", "neuron": 0, "direction": "max", "features_layer": "fc8",
            "front_end": asdict(FRONT_END), "classes": ["nosing", "sing"], "unit": "sing",
            "classifier": "none.pt", "classifier_hash": "c" * 64, "gan": "none.pt",
            "gan_hash": "a" * 64, "version": "0.1.0",
        }
    )  # fmt: skip

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        count = len(self.grid)
        pairs = sorted({setting[:2] for setting in self.grid}, reverse=True)
        start = np.stack([log_mel(tone(200 * (k + 1)), FRONT_END).T for k in range(EXAMPLES)])
        gain = np.linspace(0.2, 300, count)[:, None, None, None]
        response = np.linspace(4, 90, count)[:, None] + rng.normal(size=(count, EXAMPLES))
        steps = max(setting[2] for setting in self.grid) + 1
        trace = np.linspace(0, 90, steps) + rng.normal(size=(len(pairs), EXAMPLES, steps))
        self.made = {
            "learning_rate": np.array([s[0] for s in self.grid]),
            "prior_weight": np.array([s[1] for s in self.grid]),
            "iterations": np.array([s[2] for s in self.grid]),
            "trajectory": np.array([pairs.index(s[:2]) for s in self.grid]),
            "seed": 7 + np.arange(EXAMPLES),
            "latent": rng.normal(size=(count, EXAMPLES, LATENT)).astype(np.float32),
            "mel": (start[None] + gain * (start[None] > 0)).astype(np.float32),
            "response": response,
            "features": np.ones((count, EXAMPLES, FEATURES), np.float32),
            "best_iteration": np.zeros((count, EXAMPLES), np.int64),
            "response_trace": trace,
            "latent_norm_trace": np.abs(trace),
            "start_mel": start,
            "start_response": rng.normal(size=EXAMPLES),
        }
        self.real = real_side("", [300.0, 600.0, 900.0], [9.0, 8.0, 7.5])
        self.real |= real_side("bottom_", [150.0, 250.0, 350.0], [-9.0, -8.0, -7.5])
        self.real_meta = {
            name: self.meta[name]
            for name in ("layer", "neuron", "features_layer", "classifier_hash", "front_end")
        }
        self.selection: dict[str, Any] = {
            "chosen": 0, "by": "fid-response", "direction": "max", "layer": "fc9", "neuron": 0,
            "configurations": [
                {
                    "learning_rate": s[0], "prior_weight": s[1], "iterations": s[2], "rank": k + 1,
                    "fid_response": 1.5 * 3.0**k, "fid_features": 2.5 * 3.0**k,
                    "mean_response": float(response[k].mean()), "std_response": 1.0,
                }
                for k, s in enumerate(self.grid)
            ],
        }  # fmt: skip

    def write(self) -> ReportConfig:
        """Write the files; give settings that name them."""
        made, real, chosen = (
            self.folder / name for name in ("explanations.npz", "responses.npz", "selection.json")
        )
        write_arrays(made, "explanations", self.made, self.meta)
        write_arrays(real, "responses", self.real, self.real_meta)
        write_json(chosen, {"explanations_hash": file_hash(made), **self.selection})
        return ReportConfig(
            explanations=str(made), responses=str(real), selection=str(chosen), examples=SHOWN,
            griffin_lim_iterations=3,
        )  # fmt: skip

    def report(self, name: str = "report") -> str:
        """The page."""
        return write_report(self.write(), self.folder / name, Silent()).read_text()


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""


class Elements(HTMLParser):
    """Every element of a page with its attributes and its own text; checks that tags nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Element] = []
        self.open: list[Element] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(Element(tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "link"):
            self.open.append(self.found[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1].text += data

    def of(self, tag: str, class_: str = "") -> list[Element]:
        """Elements of a tag, with a class where one is named."""
        return [
            e for e in self.found
            if e.tag == tag and (not class_ or class_ in e.attributes.get("class", "").split())
        ]  # fmt: skip


def decoded(uri: str, kind: str) -> bytes:
    assert uri.startswith(f"data:{kind};base64,")
    return base64.b64decode(uri.split(",", 1)[1])


# --- The page -------------------------------------------------------------------------------


def test_page_holds_every_row_and_every_sound(artifacts: Artifacts) -> None:
    page = Elements(artifacts.report())
    rows = [e.attributes["class"] for e in page.of("section", "row")]
    assert rows == ["row real", "row best", "row start", "row median", "row worst"]
    assert len(page.of("figure", "panel")) == 5 * SHOWN
    audios = page.of("audio")
    assert len(audios) == len(page.of("button", "play")) == 6 * SHOWN  # the real ones have two
    for audio in audios:
        samples, rate = sf.read(io.BytesIO(decoded(audio.attributes["src"], "audio/wav")))
        assert (rate, samples.shape) == (22050, (FRONT_END.excerpt_samples,))
        assert 1e-3 < np.abs(samples).max() <= 0.99
        assert "controls" in audio.attributes  # what shows where scripts do not run
    for button in page.of("button"):
        assert button.attributes["aria-label"].startswith("Play ")


def test_original_is_the_recording_and_resynth_keeps_its_tone(artifacts: Artifacts) -> None:
    audios = Elements(artifacts.report()).of("audio")[:2]
    original, again = (
        sf.read(io.BytesIO(decoded(a.attributes["src"], "audio/wav")), dtype="int16")[0]
        for a in audios
    )
    np.testing.assert_array_equal(original, artifacts.real["audio"][0])
    spectrum = np.abs(np.fft.rfft(again * np.hanning(again.size)))
    assert np.argmax(spectrum) * 22050 / again.size == pytest.approx(300, abs=22)


def test_pictures_share_one_scale_and_show_the_arrays(artifacts: Artifacts) -> None:
    page = Elements(artifacts.report())
    scale = colour_scale(artifacts.real["mel"])
    pictures = [
        Image.open(io.BytesIO(decoded(e.attributes["href"], "image/png"))) for e in page.of("image")
    ]
    assert len({bytes(p.getpalette()) for p in pictures}) == 1
    first = np.asarray(pictures[1])[::3, ::3]  # after the colour bar
    np.testing.assert_array_equal(first, scale.indices(artifacts.real["mel"][0][::-1]))
    legend = page.of("svg", "colour-bar")[0].attributes["aria-label"]
    assert legend == f"colour scale from {scale.low:g} to {scale.high:g} nat"


def test_what_the_colours_cut_is_said(artifacts: Artifacts) -> None:
    details = [e.text for e in Elements(artifacts.report()).of("span", "detail")]
    highest = artifacts.made["mel"][-1, 0].max()
    assert f"reaches +{highest:.0f} nat" in details


def test_responses_stand_under_the_pictures(artifacts: Artifacts) -> None:
    shown = [e.text for e in Elements(artifacts.report()).of("span", "response")]
    best = [signed(r) for r in artifacts.made["response"][0, :SHOWN]]
    assert shown[:SHOWN] == ["+9.00", "+8.00"]
    assert shown[SHOWN : 2 * SHOWN] == best


def test_minimising_shows_the_bottom_excerpts(artifacts: Artifacts) -> None:
    artifacts.meta["direction"] = artifacts.selection["direction"] = "min"
    page = artifacts.report()
    assert "What drives fc9, neuron 0 (sing), downwards" in page
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
    artifacts.selection["chosen"] = len(artifacts.grid) - 1
    page = Elements(artifacts.report())
    cells = page.of("g", "cell")
    assert len(cells) == 2 * len(artifacts.grid)
    marked = [c for c in cells if "chosen" in c.attributes["class"].split()]
    assert [c.attributes["data-setting"] for c in marked] == ["7", "7"]
    assert [c.attributes["tabindex"] for c in marked] == ["0", "0"]
    assert all("rank 1 of 8" in c.attributes["aria-label"] for c in marked)
    texts = [e.text for e in page.of("text")]
    for entry in artifacts.selection["configurations"]:
        assert number(entry["fid_response"]) in texts
        assert number(entry["fid_features"]) in texts


@pytest.mark.parametrize(
    ("grid", "rows"),
    [
        ([(0.1, 0.1, 10)], ["real", "best", "start"]),
        ([(0.1, 0.1, 10), (0.1, 0.0, 10)], ["real", "best", "start", "worst"]),
        ([(0.1, 0.1, 10), (0.01, 0.1, 5), (0.1, 0.01, 7)], None),
        ([(10.0**-k, 0.1, 10 + n) for k in range(4) for n in range(5)], None),
    ],
)
def test_any_grid_has_a_page(tmp_path: Path, grid: list, rows: list[str] | None) -> None:
    page = Elements(Artifacts(tmp_path, grid).report())
    expected = rows or ["real", "best", "start", "median", "worst"]
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
    assert _policy(scripts[0].text) in policies
    assert len(text) < 20e6


def test_hostile_names_are_text(artifacts: Artifacts) -> None:
    artifacts.meta["unit"] = artifacts.meta["classifier"] = HOSTILE
    text = artifacts.report()
    assert "<script>alert" not in text
    page = Elements(text)
    name = HOSTILE.split("/")[-1]  # a path: its last part is shown
    assert page.of("span", "origin")[0].text == name
    assert HOSTILE in page.of("h1")[0].text


def test_same_inputs_same_bytes(artifacts: Artifacts) -> None:
    first = artifacts.report("one")
    assert first == artifacts.report("two")


def test_run_directory_tells_what_happened(artifacts: Artifacts) -> None:
    progress = Silent()
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
        ({"chosen": "0"}, "'chosen'"),
        ({"by": "taste"}, "'by' is 'taste'"),
        ({"neuron": 1}, "neuron is 1, but 0"),
        ({"direction": "min"}, "direction is 'min', but 'max'"),
        ({"configurations": None}, "configurations"),
    ],
)
def test_selection_fields(artifacts: Artifacts, change: dict, said: str) -> None:
    artifacts.selection.update(change)
    message = refused(artifacts)
    assert "selection.json" in message
    assert said in message


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", 0.3), ("fid_response", None), ("rank", 5), ("mean_response", "high"),
     ("iterations", True)],
)  # fmt: skip
def test_configuration_fields(artifacts: Artifacts, name: str, value: object) -> None:
    artifacts.selection["configurations"][2][name] = value
    message = refused(artifacts)
    assert "selection.json" in message
    assert name in message


def test_selection_that_is_no_json(artifacts: Artifacts) -> None:
    config = artifacts.write()
    Path(config.selection).write_text("{")
    with pytest.raises(GanexplainError, match=r"selection\.json: not a JSON"):
        write_report(config, artifacts.folder / "report", Silent())


@pytest.mark.parametrize(
    ("change", "said"),
    [({"classifier_hash": "d" * 64}, "classifier_hash"), ({"layer": "fc8"}, "layer is 'fc8'"),
     ({"neuron": None}, "neuron"), ({"front_end": {}}, "front_end")],
)  # fmt: skip
def test_responses_of_something_else(artifacts: Artifacts, change: dict, said: str) -> None:
    artifacts.real_meta.update(change)
    message = refused(artifacts)
    assert "responses.npz" in message
    assert said in message


def test_a_selection_of_other_explanations_is_refused(artifacts: Artifacts) -> None:
    artifacts.selection["explanations_hash"] = "0" * 64
    assert "ranks other explanations" in refused(artifacts)


def test_shapes_that_do_not_fit(artifacts: Artifacts) -> None:
    artifacts.made["start_mel"] = artifacts.made["start_mel"][:, :, :-1]
    assert "start_mel has shape (4, 80, 114)" in refused(artifacts)


def test_missing_key_and_missing_meta(artifacts: Artifacts) -> None:
    del artifacts.real["start_s"]
    assert "'start_s' is missing" in refused(artifacts)
    del artifacts.meta["layer"]
    assert "'layer' is missing" in refused(artifacts)


def test_responses_that_are_not_finite(artifacts: Artifacts) -> None:
    artifacts.made["response"][0, 0] = np.nan
    assert "response holds values that are not finite" in refused(artifacts)


def test_exploded_excerpts_still_have_a_page(artifacts: Artifacts) -> None:
    artifacts.made["mel"][-1, 0, 3, 4] = np.inf
    artifacts.made["mel"][-1, 1, 3, 4] = np.nan
    assert artifacts.report().count("holds values that are not finite") == 2


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
    assert colour_scale(np.full((1, 2, 2), -16.1)).low < -16


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


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.541, "0.541"), (33.087, "33.1"), (999.6, "1.00k"), (1557.7, "1.56k"), (60533.1, "60.5k"),
     (1.2e6, "1.20M"), (3.4e12, "3.4e12"), (-0.02, "−0.0200"), (2e-7, "2.0e−7"), (0, "0")],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_other_notation() -> None:
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
    assert made == '<p class="&quot;x&quot;" hidden x="1">&lt;i&gt;<b>&amp;</b></p>'


# --- A real browser -------------------------------------------------------------------------


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is absent")
def test_browser_runs_the_page_without_a_complaint(artifacts: Artifacts, tmp_path: Path) -> None:
    artifacts.report()
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
        "--disable-background-networking --disable-component-update --enable-logging=stderr "
        "--virtual-time-budget=3000 --dump-dom"
    )
    ran = subprocess.run(
        [str(CHROMIUM), *flags.split(), f"--user-data-dir={tmp_path / 'profile'}",
         (artifacts.folder / "report" / "report.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    complaints = [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
    assert complaints == []
    assert re.search(r'<html[^>]*class="js"', ran.stdout)
    readout = re.search(r'class="readout"[^>]*>([^<]+)<', ran.stdout)  # the script ran to its end
    assert readout is not None
    assert "rank 1 of 8" in readout[1]
    assert json.dumps(HOSTILE) not in ran.stderr
