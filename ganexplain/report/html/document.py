"""HTML documents with inline style and scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from string import Template

from markupsafe import Markup, escape

from ganexplain.report.html.markup import element


def document(title: str, body: Markup, scripts: Sequence[str] = ()) -> str:
    """Return an HTML document with the style and the named scripts inline."""
    script = "\n".join(_resource(name) for name in scripts)
    return Template(_resource("page.html")).substitute(
        title=escape(title),
        policy=content_policy(script),
        style=_resource("page.css"),
        script=script,
        body=body,
    )


def _resource(name: str) -> str:
    return files("ganexplain.report.html").joinpath(name).read_text(encoding="utf-8")


def content_policy(script: str) -> str:
    """Return a content security policy that allows only this script and no requests."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )


def warning_box(warnings: Sequence[str]) -> Markup:
    """Return warnings as a list in a box, empty without warnings."""
    if not warnings:
        return Markup("")
    listed = element("ul", [element("li", warning) for warning in warnings])
    heading = element("strong", "Read with care")
    return element("div", heading, listed, class_="warnings", role="note")
