"""Pictures that `attribute` explains, and the ground truth of `--truth`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganexplain.attribution.inputs.piece import Side
from ganexplain.attribution.masking import Parts
from ganexplain.corpora.listed_files import files_below
from ganexplain.corpora.picture_files import is_picture, load_picture
from ganexplain.corpora.single import output_names
from ganexplain.errors import BadFile, UsageError
from ganexplain.inputs.picture import ImageInput
from ganexplain.report.pictures.attribution_picture import picture_attribution, picture_png


@dataclass(frozen=True)
class Picture:
    """A picture `values` (C, H, W) in 0..1, and the `name` of its folder in the run."""

    path: Path
    name: str
    values: np.ndarray

    suffix = "png"

    @property
    def text(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def title(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def at(self) -> float | None:
        """None: a picture has no time."""
        return None

    @property
    def span(self) -> None:
        """None: a picture has no time."""
        return None

    @property
    def seen(self) -> np.ndarray:
        """The picture (C, H, W) to display."""
        return self.values

    def on_view(self, area: np.ndarray) -> np.ndarray:
        """Return a map (H, W) unchanged."""
        return area

    def whole(self) -> Side:
        """Return the whole picture."""
        return Side(self.values, picture_png(self.values))

    def sides(self, parts: Parts, kept: np.ndarray) -> list[Side]:
        """Return the parts kept (n,) and the rest, with the fill in place of what is removed."""
        pictures = parts.compose(np.stack([kept, ~kept])).cpu().numpy()
        return [Side(picture, picture_png(picture)) for picture in pictures]

    def map_picture(self, area: np.ndarray, kept: np.ndarray, title: str) -> bytes:
        """Return a PNG of a map and of the cells kept, (H, W)."""
        return picture_attribution(self.values, area, kept, title)

    def truth(self, text: str) -> np.ndarray | None:
        """Return a mask (H, W) of the bright cells of a picture, or of its namesake in a folder.

        None if the folder has no such picture.
        """
        path = Path(text)
        if path.is_dir():
            named = [p for p in sorted(path.iterdir()) if p.stem == self.path.stem]
            named = [p for p in named if is_picture(p)]
            if not named:
                return None
            path = named[0]
        _, height, width = self.values.shape
        found: np.ndarray = load_picture(path, ImageInput(channels=1, height=height, width=width))
        return found[0] > 0.5


def read_pictures(inputs: Sequence[str], input_spec: ImageInput) -> list[Picture]:
    """Read the pictures of files and of folders with all their subfolders.

    Raises BadFile for a file that cannot be used, UsageError for a folder without pictures.
    """
    paths: list[Path] = []
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            below = [file for file in files_below(path) if is_picture(file)]
            if not below:
                raise UsageError(f"{path}: contains no picture")
            paths += below
        elif path.is_file():
            paths.append(path)
        else:
            raise BadFile(f"{path}: no such file")
    paths = list(dict.fromkeys(paths))
    names = output_names(paths)
    return [
        Picture(path, name, load_picture(path, input_spec))
        for path, name in zip(paths, names, strict=True)
    ]
