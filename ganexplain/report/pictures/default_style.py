"""Pictures look the same whatever settings of Matplotlib the user has."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ganexplain.errors import GanexplainError

NOT_LOOKS = ("backend", "backend_fallback", "interactive", "toolbar", "timezone")


@contextmanager
def default_style() -> Iterator[None]:
    """While open (or around a function, as its decorator), Matplotlib has its own defaults.

    A `matplotlibrc` or a style in force otherwise changes fonts, sizes and lines, or asks for
    LaTeX. Characters without a glyph are drawn as a box. Raises GanexplainError where Matplotlib
    cannot read its settings.
    """
    try:
        import matplotlib
    except (ValueError, OSError) as error:  # an unreadable matplotlibrc, a backend it has not
        raise GanexplainError(
            f"Matplotlib cannot start ({error}); correct the matplotlibrc, or set MATPLOTLIBRC"
        ) from error
    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        looks = {k: v for k, v in matplotlib.rcParamsDefault.items() if k not in NOT_LOOKS}
        matplotlib.rcParams.update(looks)
        yield
