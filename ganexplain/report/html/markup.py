"""HTML and SVG elements as text, escaped unless they are markup already."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import numpy as np
from markupsafe import Markup, escape

from ganexplain.audio.io import encode_flac

Child = str | Iterable["Child"]


def joined(children: Child) -> Markup:
    """Texts and elements, nested as they come, in one piece of markup."""
    if isinstance(children, str):
        return escape(children)
    return Markup("".join(joined(child) for child in children))


def element(tag: str, *children: Child, **attributes: object) -> Markup:
    """One element: `element("p", "a < b", class_="note")` is `<p class="note">a &lt; b</p>`.

    An underscore in an attribute's name stands for a hyphen, a last one is dropped. None and
    False leave the attribute out, True gives its bare name, floats keep two decimals.
    """
    text = "".join(_attribute(name, value) for name, value in attributes.items())
    return Markup(f"<{tag}{text}>{joined(children)}</{tag}>")


def void(tag: str, **attributes: object) -> Markup:
    """An element that holds nothing: `<rect .../>`."""
    text = "".join(_attribute(name, value) for name, value in attributes.items())
    return Markup(f"<{tag}{text}/>")


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
    """Bytes as a `data:` address."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def flac_uri(waveform: np.ndarray, sample_rate: int) -> str:
    """The same as a `data:` address."""
    return data_uri("audio/flac", encode_flac(waveform, sample_rate))
