"""The files of the networks of explanations, and the guides of their search, as they are now."""

from __future__ import annotations

from pathlib import Path

from ganexplain.artifacts.explanations import Explanations, meta_fields
from ganexplain.ascent.surrogate import SURROGATE
from ganexplain.config import SelectConfig
from ganexplain.errors import UsageError
from ganexplain.networks.loaders.names import is_factory
from ganexplain.networks.source import named_source


def require_file(path: Path, name: str) -> None:
    """Raise UsageError for a file that is not there, with the option that names it."""
    if not path.is_file():
        raise UsageError(f"{path}: no such file; say where the {name} is with --{name}")


def wrong_file(name: str, path: Path, explanations: Explanations) -> UsageError:
    """The error for another file than that of explanations."""
    return UsageError(f"{path}: not the {name} of {explanations.path}; name that one with --{name}")


def guides_of(config: SelectConfig, explanations: Explanations) -> tuple[str, ...]:
    """The guides of a surrogate search, where they are now.

    Raises UsageError for another guide, and for a factory that is not named again: it runs code,
    and a file alone must not decide to run it.
    """
    meta, path = explanations.meta, explanations.path
    used = meta_fields(path, meta.settings).texts("guide") if meta.search == SURROGATE else ()
    guides = config.guide or used
    if len(guides) != len(used):
        raise UsageError(f"--guide: {path} was made with {len(used)} guides; name as many, or none")
    if len(meta.guide_hashes) != len(used):
        raise UsageError(f"{path}: does not identify its guides; make it again")
    for text, digest in zip(guides, meta.guide_hashes, strict=True):
        source = named_source(text)
        if is_factory(source.model) and not config.guide:
            again = " ".join(f"--guide {each}" for each in used)
            raise UsageError(
                f"a guide of the search is made by {source.model}, which runs code; if you trust "
                f"it, add {again}"
            )
        for file in (Path(source.classifier or source.input), *source.files().values()):
            require_file(file, "guide")
        if source.digest() != digest:
            raise wrong_file("guide", Path(text), explanations)
    return guides
