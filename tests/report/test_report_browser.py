"""The report in a headless Chromium: what a listener clicks, presses, hears and prints."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from support.report_artifacts import SHOWN, Artifacts

pytest.importorskip("websockets")
from support.browser import CHROMIUM, Page, browser

from ganexplain.artifacts.unit_files import unit_files
from ganexplain.report.html.notation import signed
from ganexplain.report.unit.index import render_index, unit_line
from ganexplain.stages.report import read_evidence

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is absent")

WIDE, NARROW, PAPER = 1280, 400, 718  # CSS pixels; A4 within its margins


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    made = Artifacts(tmp_path_factory.mktemp("artifacts")).complete()
    made.made["mel"][6] = made.made["mel"][6, :, ::-1]  # a setting that looks like no other
    return made


@pytest.fixture(scope="module")
def window(artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One browser for all tests of this file."""
    artifacts.report()
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def page(window: Page, artifacts: Artifacts) -> Iterator[Page]:
    """The report, freshly loaded; whatever the console said on the way fails the test."""
    window.look(WIDE)
    window.open(artifacts.folder / "report" / "report.html")
    yield window
    assert window.complaints == []


def texts(page: Page, selector: str) -> list[str]:
    found: list[str] = page.evaluate(
        f"[...document.querySelectorAll('{selector}')].map((e) => e.textContent)"
    )
    return found


def cell(index: int) -> str:
    return f'.map.shown .cell[data-setting="{index}"]'


# --- The grid -------------------------------------------------------------------------------


def test_a_click_on_a_cell_shows_its_examples(page: Page, artifacts: Artifacts) -> None:
    responses = artifacts.made["response"]
    shown = ".explored .row.setting .response"
    assert texts(page, shown) == [signed(r) for r in responses[1, :SHOWN]]  # the chosen one
    before = page.evaluate("document.querySelector('.explored .row.setting image').href.baseVal")
    page.click(cell(6))
    assert texts(page, shown) == [signed(r) for r in responses[6, :SHOWN]]
    after = page.evaluate("document.querySelector('.explored .row.setting image').href.baseVal")
    assert before != after
    assert texts(page, ".explored .row.real .response") == ["+9.00", "+8.00"]  # beside them
    assert "10 iterations" not in texts(page, ".unseen[role=status]")[0]
    assert "0.001, 5 iterations" in texts(page, ".unseen[role=status]")[0]


def test_cells_by_keyboard(page: Page, artifacts: Artifacts) -> None:
    page.evaluate("document.querySelector('.map.shown .cell.chosen').focus()")
    assert "rank" in texts(page, ".readout dt")[0].lower()
    start = texts(page, ".readout h3")
    page.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.setting") == "5"
    assert texts(page, ".readout h3") != start
    page.press("Enter")
    shown = texts(page, ".explored .row.setting .response")
    assert shown == [signed(r) for r in artifacts.made["response"][5, :SHOWN]]
    assert page.evaluate(f"document.querySelector('{cell(5)}').ariaPressed") == "true"


def test_hovering_tells_the_numbers(page: Page) -> None:
    page.evaluate(f"document.querySelector('{cell(3)}').scrollIntoView({{block: 'center'}})")
    box = page.evaluate(f"document.querySelector('{cell(3)}').getBoundingClientRect().toJSON()")
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=box["x"] + 9, y=box["y"] + 9)
    page.until("document.querySelector('.readout').textContent.includes('4 of 8')")
    assert "0.250 (0.190 to 0.310)" in texts(page, ".readout dd")  # KID of the fourth


def test_one_map_is_shown_at_a_time(page: Page) -> None:
    assert texts(page, ".map.shown h3") == ["FID response"]
    page.evaluate("document.querySelector('.choice input').focus()")
    page.press("ArrowRight")
    assert texts(page, ".map.shown h3") == ["Wasserstein"]
    heights = page.evaluate(
        "[...document.querySelectorAll('.map')].filter((m) => m.offsetHeight > 0).length"
    )
    assert heights == 1


# --- Sound ----------------------------------------------------------------------------------


# Sounds last five times as long, so that a busy machine is not too late to look.
SLOWLY = """(() => {
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    this.playbackRate = 0.2;
    return play.call(this);
  };
})()"""


def test_a_button_plays_and_stops(page: Page) -> None:
    assert page.evaluate(
        "Promise.all([...document.querySelectorAll('audio')].map((a) => new Promise((done) => {"
        "a.onloadedmetadata = () => done(a.duration); a.onerror = () => done(0); a.load(); })))"
        ".then((all) => Math.min(...all))"
    ) == pytest.approx(1.675, abs=0.01)
    page.evaluate(SLOWLY)
    page.click(".row.chosen .play")
    page.until("playing && playing.audio.currentTime > 0.1")
    assert page.evaluate("playing.panel.classList.contains('playing')")
    assert page.evaluate("document.querySelector('.row.chosen .play').ariaPressed") == "true"
    assert page.evaluate("playing.line.getAttribute('transform')").startswith("translate(")
    page.press("Escape")
    assert page.evaluate("playing") is None
    assert page.evaluate("document.querySelectorAll('.play[aria-pressed=true]').length") == 0


def test_a_sound_ends_by_itself(page: Page) -> None:
    audio = "document.querySelector('.row.real audio')"
    page.evaluate(f"{audio}.addEventListener('ended', () => (window.ended = true))")
    page.click(".row.real .play")
    page.until("window.ended && playing === null")


def test_one_sound_at_a_time_however_fast_one_clicks(page: Page) -> None:
    page.evaluate(SLOWLY)
    page.evaluate("for (const b of document.querySelectorAll('.row.chosen .play')) b.click()")
    page.until("playing && playing.audio.currentTime > 0.1")
    assert page.evaluate(
        "playing.panel === document.querySelector('.row.chosen .panel:last-child')"
    )
    sounding = "[...document.querySelectorAll('audio')].filter((a) => !a.paused).length"
    assert page.evaluate(sounding) == 1


def test_a_b_switches_in_place_while_it_plays(page: Page) -> None:
    row = ".row.chosen .panel:nth-child(2)"
    box = page.evaluate(f"document.querySelector('{row} .picture').getBoundingClientRect().top")
    made = page.evaluate(f"document.querySelector('{row} image').href.baseVal")
    real = page.evaluate(
        "document.querySelector('.row.real .panel:nth-child(2) image').href.baseVal"
    )
    page.evaluate(SLOWLY)
    page.evaluate(f"document.querySelector('{row} .play').click()")
    page.until("playing && playing.audio.currentTime > 0.3")
    page.press("x")
    assert page.evaluate(f"document.querySelector('{row} image').href.baseVal") == real != made
    assert texts(page, f"{row} .response") == ["+8.00"]
    page.until("playing && !playing.audio.paused && playing.audio.currentTime > 0.3")
    assert page.evaluate("playing.audio.closest('.row').classList.contains('real')")
    assert page.evaluate("playing.panel.closest('.row').classList.contains('chosen')")
    assert (
        page.evaluate("[...document.querySelectorAll('audio')].filter((a) => !a.paused).length")
        == 1
    )
    page.press("x")
    assert page.evaluate(f"document.querySelector('{row} image').href.baseVal") == made
    assert page.evaluate("playing.audio.closest('.row').classList.contains('chosen')")
    top = page.evaluate(f"document.querySelector('{row} .picture').getBoundingClientRect().top")
    assert top == box


def test_a_b_by_its_button_and_in_the_grid(page: Page) -> None:
    page.evaluate(SLOWLY)
    page.click(cell(6))
    page.click(".explored .switch")
    assert texts(page, ".explored .row.setting .response") == ["+9.00", "+8.00"]
    page.click(".explored .row.setting .play")
    page.until("playing && playing.audio.currentTime > 0")
    assert page.evaluate("playing.audio.closest('.row').classList.contains('real')")
    page.click(cell(5))  # what is playing is gone
    assert page.evaluate("playing") is None
    assert page.evaluate("document.querySelector('.explored .switch').ariaPressed") == "false"


# --- Looks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_and_the_scheme_is_followed(page: Page, width: int, scheme: str) -> None:
    page.look(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    image = Image.open(io.BytesIO(page.picture())).convert("L")
    paper = np.median(np.asarray(image)[:, :8])
    assert paper > 240 if scheme == "light" else paper < 40
    # Body text and every button stand out from what is behind them (WCAG AA, 4.5 to 1).
    assert min(page.evaluate(CONTRASTS)) >= 4.5


def test_print_shows_every_map_and_no_button(page: Page) -> None:
    page.look(PAPER, media="print")
    assert page.evaluate("document.documentElement.scrollWidth") == PAPER
    seen = "[...document.querySelectorAll('{}')].filter((e) => e.offsetHeight > 0).length"
    assert page.evaluate(seen.format(".map")) == len(texts(page, ".map"))
    assert page.evaluate(seen.format("button, .readout, .explored, .choice")) == 0
    assert page.pdf().startswith(b"%PDF")


def test_the_page_reads_without_scripts(window: Page, artifacts: Artifacts) -> None:
    window.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        window.look(WIDE)
        window.open(artifacts.folder / "report" / "report.html")
        seen = "[...document.querySelectorAll('{}')].filter((e) => e.offsetHeight > 0).length"
        assert window.evaluate(seen.format(".map")) == len(texts(window, ".map"))
        assert window.evaluate(seen.format(".player audio")) > 0
        assert window.evaluate(seen.format("button, .scripted")) == 0
    finally:
        window.call("Emulation.setScriptExecutionDisabled", value=False)


def test_everything_that_acts_has_a_name_and_shows_its_focus(page: Page) -> None:
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, .cell, input, audio, svg[role], img')]"
        ".filter((e) => !(e.ariaLabel || e.alt || e.textContent.trim() || e.labels?.length)).length"
    )
    assert nameless == 0
    page.press("Tab")
    focused = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    assert page.evaluate(focused) == "solid"
    identities = "[...document.querySelectorAll('[id]')].map((e) => e.id)"
    assert page.evaluate(f"new Set({identities}).size === {identities}.length")


def test_an_index_fits_and_opens_its_pages(window: Page, artifacts: Artifacts) -> None:
    (unit,) = unit_files(artifacts.write())
    line = unit_line(read_evidence(unit, SHOWN), "report/report.html")
    index = artifacts.folder / "index.html"
    index.write_text(render_index([line, line]))
    for width in (WIDE, NARROW):
        window.look(width)
        window.open(index)
        assert window.evaluate("document.documentElement.scrollWidth") == width
        assert min(window.evaluate(CONTRASTS)) >= 4.5
    window.look(WIDE)
    window.click("tbody a")
    window.until("location.pathname.endsWith('report/report.html')")
    window.until("document.querySelector('.explored .row')")
    assert window.complaints == []


# The contrast (WCAG 2.1) of text in a sample of places against the nearest painted background.
CONTRASTS = """(() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = (c) => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const places = "h1, .guide, .note, .row h3, .setting, .response, .side, .choice span, td, th, "
    + ".warnings li, .readout dt, .detail";
  return [...document.querySelectorAll(places)].filter((e) => e.offsetHeight > 0).map((e) => {
    const pair = [light(parse(getComputedStyle(e).color)), light(behind(e))];
    const [a, b] = pair.sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  });
})()"""
