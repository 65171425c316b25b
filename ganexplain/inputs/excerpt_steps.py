"""Keys of a front end that concern all frames of an excerpt together."""

from __future__ import annotations

from dataclasses import dataclass

MOST_FRAMES = 2**12  # of an excerpt, where a matrix (T, T) says how frames depend on each other


@dataclass(frozen=True)
class ExcerptSteps:
    """What a front end does to the log-mel of an excerpt as a whole, in this order.

    - PCEN (Wang et al. 2017), where the logarithm is `pcen`: (E / (`pcen_eps` + M) ** `pcen_gain`
      + `pcen_bias`) ** `pcen_power` - `pcen_bias` ** `pcen_power` of mel E and of M, which is E
      smoothed with a time constant of `pcen_seconds` and `pcen_start` before the first frame
      (librosa: 1; 0: the first frame itself);
    - values `relative` to the largest of the excerpt, or cut `range_below` it (0: not at all);
    - here the front end's `scale` and `shift`;
    - `cepstra` coefficients of the cosine transform over bands (0: none), weighted by
      1 + L / 2 sin(pi (n + `lifter_start`) / L) with L = `lifter` (0: not at all; `lifter_start`:
      0 in kaldi and HTK, 1 in librosa);
    - `deltas`, slopes over `delta_width` frames, and slopes of those: with ends repeated and twice
      (`repeated`, as kaldi and torchaudio) or by parabolas fitted at the ends, too (`fitted`, as
      librosa); beneath the bands or as channels (`delta_axis`);
    - `standardise`, over the excerpt or over the time of each band, or only less the mean of each
      band, or to the range from 0 to 1; with `unbiased` deviations (divided by N - 1) or not;
    - minus `mean`, by `deviation`: one number, or one a band or channel;
    - `stack` frames joined to one, the bands of the later beneath those of the earlier.
    """

    relative: bool = False
    range_below: float = 0.0
    pcen_seconds: float = 0.4
    pcen_gain: float = 0.98
    pcen_bias: float = 2.0
    pcen_power: float = 0.5
    pcen_eps: float = 1e-6
    pcen_start: float = 1.0
    cepstra: int = 0
    lifter: float = 0.0
    lifter_start: int = 0
    deltas: int = 0
    delta_width: int = 9
    delta_kind: str = "repeated"
    delta_axis: str = "bands"
    standardise: str = "none"
    unbiased: bool = True
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    stack: int = 1

    @property
    def channels(self) -> int:
        """Length of the axis of channels; 0 without one."""
        return 1 + self.deltas if self.deltas and self.delta_axis == "channels" else 0

    def rows(self, bands: int) -> int:
        """Length of the axis of bands behind the steps."""
        stacked = 1 + self.deltas if self.delta_axis == "bands" else 1
        return (self.cepstra or bands) * stacked

    def wrong_steps(self, bands: int, frames: int) -> dict[str, bool]:
        """Whether each key has a value that cannot be used."""
        lengths = {1, self.rows(bands), self.channels or 1}
        parabolas = self.deltas and self.delta_kind == "fitted"
        return {
            "range_below": self.range_below < 0,
            "pcen_seconds": self.pcen_seconds <= 0,
            "pcen_gain": not 0 <= self.pcen_gain <= 1,
            "pcen_bias": self.pcen_bias <= 0,
            "pcen_power": not 0 < self.pcen_power <= 1,
            "pcen_eps": self.pcen_eps <= 0,
            "pcen_start": self.pcen_start < 0,
            "cepstra": not 0 <= self.cepstra <= bands,
            "lifter": self.lifter < 0 or bool(self.lifter and not self.cepstra),
            "lifter_start": self.lifter_start not in (0, 1),
            "deltas": self.deltas not in (0, 1, 2) or bool(self.deltas and frames > MOST_FRAMES),
            "delta_width": not 3 <= self.delta_width <= MOST_FRAMES
            or self.delta_width % 2 == 0
            or bool(parabolas and self.delta_width > frames),
            "stack": not 1 <= self.stack <= frames or bool(self.stack > 1 and self.channels),
            "mean": len(self.mean) not in lengths,
            "deviation": len(self.deviation) not in lengths or min(self.deviation, default=0) <= 0,
        }
