"""Changed excerpts in lines of text, for the command and for `print` in Python."""

from __future__ import annotations

from collections.abc import Sequence

from ganexplain.artifacts.counterfactuals import ChangedExcerpt, Counterfactuals
from ganexplain.artifacts.edits import EditedExcerpt
from ganexplain.audio.difference import LevelChange


def counterfactuals_text(found: Counterfactuals) -> str:
    """Lines for each excerpt: what it was, what would change the decision, and where to hear it."""
    texts = []
    for entry in found.excerpts:
        lines = _edit_lines(entry) if isinstance(entry, EditedExcerpt) else _change_lines(entry)
        if found.level is not None:
            lines[0] += f"; the decision changes at {found.level:.2f}"
        title = "{}, {:.2f} to {:.2f} s".format(entry.excerpt, *entry.span_s)
        files = f"to hear: {entry.changed_sound}", f"to see: {entry.picture}"
        texts.append("\n    ".join([title, *lines, *files]))
    return "\n".join(texts)


def remarks(entry: ChangedExcerpt | EditedExcerpt) -> Sequence[str]:
    """Warnings about an excerpt, beside its results."""
    if entry.no_gradient:
        return [
            f"{entry.excerpt}: the response has no gradient there (a dead rectifier, say), so "
            "nothing could be changed"
        ]
    if entry.iterations < 0 and isinstance(entry, EditedExcerpt):
        return [
            f"{entry.excerpt}: never changed side; give more --cells or --iterations, or change "
            "what a GAN makes of it with --on gan"
        ]
    if entry.iterations < 0:
        return [
            f"{entry.excerpt}: never changed side; give more --iterations, a smaller "
            "--prior-weight or a larger --learning-rate"
        ]
    if entry.iterations == 0:
        return [
            f"{entry.excerpt}: changed side by being redrawn alone, so the counterfactual is "
            "the reconstruction; give more --refine-steps"
        ]
    return []


def _edit_lines(entry: EditedExcerpt) -> list[str]:
    """What an edit of a recording is, and what it does."""
    responses, sides = entry.responses, entry.sides
    judges = (
        f"{each.judge} {each.sides[0]} {each.margins[0]:.2f}, edited {each.sides[1]} "
        f"{each.margins[1]:.2f}"
        for each in entry.judges
    )
    return [
        f"{sides.original} {responses.original:.2f}, edited {sides.edited} {responses.edited:.2f} "
        + _way(entry.iterations, "steps"),
        f"{100 * entry.cells:.1f} % of the cells change, by {entry.mean_db:.1f} dB on average",
        f"most at {_where(entry.change, '')}",
        f"the opposite edit: {sides.opposite} {responses.opposite:.2f}; elsewhere it changes the "
        f"decision in {100 * entry.elsewhere:.0f} % of places",
        *(["judged: " + "; ".join(judges)] if entry.judges else []),
    ]


def _change_lines(entry: ChangedExcerpt) -> list[str]:
    """What must change in what the GAN makes of an excerpt."""
    responses, sides, change = entry.responses, entry.sides, entry.change
    ranges = ", ".join(f"{name} {by:+.1f}" for name, by in change.ranges_db.items())
    return [
        f"{sides.original} {responses.original:.2f}, redrawn {responses.reconstruction:.2f} "
        f"({entry.reconstruction_off_db:.1f} dB off), "
        f"{sides.counterfactual} {responses.counterfactual:.2f} "
        + _way(entry.iterations, "iterations"),
        f"latent moved {entry.moved:.2f}: {ranges} dB",
        f"most at {_where(change, f' ({change.band_db:+.1f} dB)')}",
        f"the recording so changed: {sides.retouched} {responses.retouched:.2f}",
    ]


def _way(count: int, unit: str) -> str:
    return f"after {count} {unit}" if count >= 0 else "never changed side"


def _where(change: LevelChange, by: str) -> str:
    hz, seconds = ("{}-{}".format(*ends) for ends in (change.band_hz, change.time_s))
    return f"{hz} Hz{by}, {seconds} s"
