"""The built site in a browser: nothing from elsewhere, no errors, no page wider than a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import CHROMIUM, Page, browser
from support.paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, with warnings as errors."""
    pytest.importorskip("mkdocs", reason="`make docs` installs mkdocs")
    pytest.importorskip("material")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    place = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKIP_NOTEBOOKS", "1")  # `make docs` has run them
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(place), strict=True))
    return place


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with browser(tmp_path) as opened:
        yield opened


def test_pages_fit_a_phone_and_a_desk_without_a_complaint(site: Path, page: Page) -> None:
    """Fetches of files are the site's own."""
    pages = [path for path in sorted(site.rglob("*.html")) if path.name != "404.html"]
    assert len(pages) > 50
    for width in (400, 1280):
        page.look(width)
        for path in pages:
            page.open(path)
            too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert too_wide <= 0, path
            assert page.complaints == [], path


def test_sounds_of_the_gallery_play(site: Path, page: Page) -> None:
    page.open(site / "gallery.html")
    played = page.evaluate(
        "(async () => { const found = [];"
        " for (const sound of document.querySelectorAll('audio')) {"
        "  await sound.play(); found.push(sound.duration); sound.pause(); }"
        " return found; })()"
    )
    assert len(played) == 12 and all(1 < seconds < 10 for seconds in played)


def test_llms_txt_lists_pages_that_exist(site: Path) -> None:
    lines = (site / "llms.txt").read_text().splitlines()
    listed = [line.rpartition("(")[2].rstrip(")") for line in lines if line.startswith("- [")]
    assert len(listed) > 40 and all((site / name).is_file() for name in listed)
