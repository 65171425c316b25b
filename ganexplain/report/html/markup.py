"""HTML and SVG elements as text, escaped unless they are markup already."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import numpy as np
from markupsafe import Markup, escape

from ganexplain.audio.io import encode_flac

Child = str | Iterable["Child"]


def joined(children: Child) -> Markup:
    """Concatenate nested texts and elements; texts are escaped."""
    if isinstance(children, str):
        return escape(children)
    return Markup("".join(joined(child) for child in children))


def element(tag: str, *children: Child, **attributes: object) -> Markup:
    """Return an element: `element("p", "a < b", class_="note")` is `<p class="note">a &lt; b</p>`.

    An underscore in an attribute's name becomes a hyphen, a final one is removed. None and False
    omit the attribute, True writes only its name, floats are written with two decimals.
    """
    text = "".join(_attribute(name, value) for name, value in attributes.items())
    return Markup(f"<{tag}{text}>{joined(children)}</{tag}>")


def void(tag: str, **attributes: object) -> Markup:
    """Return an element without content: `<rect .../>`."""
    text = "".join(_attribute(name, value) for name, value in attributes.items())
    return Markup(f"<{tag}{text}/>")


def svg_text(
    text: str, x: float, y: float, class_: str = "tick", anchor: str = "middle", **more: object
) -> Markup:
    """Return a text of an SVG with its anchor at (x, y)."""
    return element("text", text, class_=class_, x=x, y=y, text_anchor=anchor, **more)


def definitions(pairs: Iterable[tuple[str, Child]], **attributes: object) -> Markup:
    """Return names and values as a definition list."""
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in pairs]
    return element("dl", rows, **attributes)


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    if isinstance(value, float):
        value = f"{value:.2f}".rstrip("0").rstrip(".")
    return f' {name}="{escape(value)}"'


def data_uri(media_type: str, content: bytes) -> str:
    """Return bytes as a `data:` address."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def flac_uri(waveform: np.ndarray, sample_rate: int) -> str:
    """Return a waveform (samples,) as the `data:` address of a FLAC."""
    return data_uri("audio/flac", encode_flac(waveform, sample_rate))
