"""Matplotlib's default style, so that pictures do not depend on the user's settings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ganexplain.errors import GanexplainError

NOT_LOOKS = ("backend", "backend_fallback", "interactive", "toolbar", "timezone")


@contextmanager
def default_style() -> Iterator[None]:
    """Use Matplotlib's own defaults in a context, or in a function as its decorator.

    Otherwise a `matplotlibrc` or a style could change fonts, sizes and lines, or require LaTeX.
    Characters without a glyph are drawn as a box. Raises GanexplainError where Matplotlib cannot
    read its settings.
    """
    try:
        import matplotlib
    except (ValueError, OSError) as error:  # an unreadable matplotlibrc, an unknown backend
        raise GanexplainError(
            f"Matplotlib cannot start ({error}); correct the matplotlibrc, or set MATPLOTLIBRC"
        ) from error
    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        looks = {k: v for k, v in matplotlib.rcParamsDefault.items() if k not in NOT_LOOKS}
        matplotlib.rcParams.update(looks)
        yield
