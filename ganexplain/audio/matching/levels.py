"""How well given features follow the mel levels of a front end, whatever its values are scaled by.

Features are an affine function of ln(mel + offset) wherever they are above a floor: `scale`,
`shift`, the base of the logarithm and the gain are in its slope and intercept. Features without a
logarithm are compared by their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ganexplain.audio.filterbank import mel_filterbank
from ganexplain.audio.matching.forms import levels_alone
from ganexplain.inputs.log_mel import QUIETEST, FrontEnd

SAME = 1e-5  # of the range of values: closer ones are equal
CLIPPED = 0.002  # share of equal lowest values from which on these are a floor
FEWEST = 8  # values of a band for a correlation


@dataclass(frozen=True)
class Target:
    """Features (T, F) that are looked for, and which of them count, (T, F).

    With `by_band` each band may have a scale and a shift of its own. `is_linear`: the features
    are the logarithms of what is looked for, which has none.
    """

    features: np.ndarray
    counted: np.ndarray
    by_band: bool = False
    is_linear: bool = False

    @classmethod
    def of(cls, features: np.ndarray, silence: float | None = None) -> Target:
        """A target whose lowest value is a floor, which does not count.

        It is one if many have it, or if it is the value without any sound, where that is known: an
        offset before the logarithm leaves all values above that.
        """
        values = np.asarray(features, dtype=np.float64)
        lowest, span = values.min(), np.ptp(values)
        at_floor = values <= lowest + SAME * span
        is_silent = silence is not None and abs(silence - lowest) <= SAME * span
        is_floor = is_silent or at_floor.mean() > CLIPPED
        return cls(values, ~at_floor if is_floor else np.ones_like(at_floor))

    def logarithmic(self) -> Target | None:
        """Their logarithms, if the features may have none; None if they are negative anywhere."""
        if self.features.min() < 0 or not self.features.any():
            return None
        values = np.log(np.maximum(self.features, QUIETEST))
        return replace(Target.of(values), is_linear=True)

    def loud(self, by_band: bool) -> Target:
        """The louder half of what counts, where an offset before a logarithm hardly matters."""
        louder = self.features > np.median(self.features[self.counted])
        return replace(self, counted=self.counted & louder, by_band=by_band or self.by_band)

    @property
    def by_rows(self) -> Target:
        """All values, where each row may have a scale and a shift of its own."""
        return replace(self, counted=np.ones_like(self.counted), by_band=True)

    @property
    def frames(self) -> int:
        """The number of frames."""
        return len(self.features)

    @property
    def has_floor(self) -> bool:
        """Whether its lowest values do not count."""
        return not self.counted.all()


@dataclass(frozen=True)
class Line:
    """Features = slope x ln(level + offset) + intercept; `residual` is a share of the deviation.

    Of a target by band the slope is that of all bands together, and there is no intercept.
    """

    slope: float
    intercept: float
    residual: float


NO_LINE = Line(0.0, 0.0, 1.0)


def spectral_bins(front_end: FrontEnd) -> FrontEnd:
    """The front end with the same frames whose bands are the magnitudes of all spectral bins."""
    return replace(
        levels_alone(front_end), filters="none", mel_scale="linear", triangles="hz", lowest_hz=0.0,
        highest_hz=0.0, mel_bands=front_end.transform_length // 2 + 1, power=1.0, logarithm="none",
        floor=QUIETEST,
    )  # fmt: skip


def mel_levels(magnitudes: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Mel levels (T, F) before the logarithm, without gain and offset, of magnitudes (T, bins)."""
    if front_end.filters == "none":
        bins = magnitudes[:, front_end.bins.start : front_end.bins.stop]
        return np.asarray(bins ** np.float32(front_end.power))
    filters = mel_filterbank(front_end)
    return magnitudes[:, : len(filters)] ** np.float32(front_end.power) @ filters


def fitted_line(values: np.ndarray, target: Target) -> Line:
    """The line from values (T, rows) of a form to the features of a target, by least squares."""
    frames = min(len(values), target.frames)
    x, y, counted = values[:frames], target.features[:frames], target.counted[:frames]
    if target.by_band:
        return _by_band(x, y, counted)
    x, y = x[counted], y[counted]
    if x.size < FEWEST or not (x.std() > 0 and y.std() > 0):
        return NO_LINE
    x_mean, y_mean = x.mean(), y.mean()
    slope = ((x - x_mean) * (y - y_mean)).mean() / np.square(x - x_mean).mean()
    if not slope > 0:
        return NO_LINE
    intercept = y_mean - slope * x_mean
    residual = np.sqrt(np.square(slope * x + intercept - y).mean()) / y.std()
    return Line(float(slope), float(intercept), float(residual))


def band_lines(values: np.ndarray, target: Target) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept (rows,) of the line of each row, from values (T, rows) of a form."""
    frames = min(len(values), target.frames)
    x, y = values[:frames], target.features[:frames]
    weight = target.counted[:frames].astype(np.float64)
    count = np.maximum(weight.sum(0), 1)
    x_mean, y_mean = (weight * x).sum(0) / count, (weight * y).sum(0) / count
    power = (weight * np.square(x - x_mean)).sum(0)
    slopes = (weight * (x - x_mean) * (y - y_mean)).sum(0) / np.maximum(power, QUIETEST)
    return slopes, y_mean - slopes * x_mean


def _by_band(x: np.ndarray, y: np.ndarray, counted: np.ndarray) -> Line:
    """The residual of a line for each band: sqrt(1 - r^2), r^2 the mean over bands."""
    weight = counted.astype(np.float64)
    count = weight.sum(0)
    used = count >= FEWEST
    if not used.any():
        return NO_LINE
    x, y, weight, count = x[:, used], y[:, used], weight[:, used], count[used]
    x = x - (weight * x).sum(0) / count
    y = y - (weight * y).sum(0) / count
    product = (weight * x * y).sum(0)
    powers = (weight * x * x).sum(0) * (weight * y * y).sum(0)
    explained = np.where(product > 0, product**2, 0) / np.maximum(powers, QUIETEST)
    share = float((explained * count).sum() / count.sum())
    slope = float(product.sum() / max((weight * x * x).sum(), QUIETEST))
    return Line(slope, 0.0, float(np.sqrt(max(1 - share, 0.0))))
