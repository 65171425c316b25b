"""Pictures that `attribute` is asked about, and what is known of them."""

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
    """A picture `values` (C, H, W) in 0..1, and the `name` of its folder."""

    path: Path
    name: str
    values: np.ndarray

    suffix = "png"

    @property
    def title(self) -> str:
        """Its file."""
        return self.path.name

    @property
    def at(self) -> float | None:
        """Of no time."""
        return None

    @property
    def span(self) -> None:
        """There is no time in a picture."""
        return None

    @property
    def seen(self) -> np.ndarray:
        """What is looked at, (C, H, W)."""
        return self.values

    def on_view(self, area: np.ndarray) -> np.ndarray:
        """A map (H, W) as it lies over what is looked at: as it is."""
        return area

    def whole(self) -> Side:
        """The picture."""
        return Side(self.values, picture_png(self.values))

    def sides(self, parts: Parts, kept: np.ndarray) -> list[Side]:
        """The parts kept (n,), and the rest, the fill standing for what is not there."""
        pictures = parts.compose(np.stack([kept, ~kept])).cpu().numpy()
        return [Side(picture, picture_png(picture)) for picture in pictures]

    def map_picture(self, area: np.ndarray, kept: np.ndarray, title: str) -> bytes:
        """PNG of a map and the cells kept, (H, W)."""
        return picture_attribution(self.values, area, kept, title)

    def truth(self, text: str) -> np.ndarray | None:
        """Cells (H, W) of booleans that are bright in a picture, or that of the name in a folder.

        None where the folder has none.
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


def pictures(inputs: Sequence[str], input_spec: ImageInput) -> list[Picture]:
    """The pictures that files and folders name, folders with all below them.

    Raises BadFile for a file that cannot be used, UsageError for a folder without pictures.
    """
    paths: list[Path] = []
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            below = [file for file in files_below(path) if is_picture(file)]
            if not below:
                raise UsageError(f"{path}: holds no picture")
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
