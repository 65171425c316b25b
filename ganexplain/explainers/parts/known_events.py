"""Names of filters by listed events: the kind that a filter's peaks meet most often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ganexplain.audio.filterbank import mel_frequencies
from ganexplain.corpora.events import Event, kinds_of, read_events
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.corpora.listed_files import in_form_on_disk
from ganexplain.errors import UsageError
from ganexplain.explainers.parts.places import Geometry
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.event_peaks import PURE, EventSpans, kind_shares, met_kinds
from ganexplain.runs.inputs import Recording


@dataclass(frozen=True)
class FilterName:
    """The kind of event that a filter detects, and the share of its peaks that meet it."""

    kind: str
    purity: float


@dataclass(frozen=True)
class KnownEvents:
    """The events of a file, whose paths are relative to its `folder`."""

    folder: Path
    events: Sequence[Event]

    @classmethod
    def read(cls, path: Path) -> KnownEvents:
        """Read a CSV table of events; errors as `read_events`."""
        return cls(path.parent, read_events(path))

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds, sorted."""
        return kinds_of(self.events)

    @cached_property
    def _by_file(self) -> dict[Path, list[Event]]:
        """The events of each recording; its name may be in any Unicode form."""
        by_name = defaultdict(list)
        for event in self.events:
            by_name[event.path].append(event)
        found: defaultdict[Path, list[Event]] = defaultdict(list)
        for name, events in by_name.items():
            found[in_form_on_disk(self.folder, name).resolve()] += events
        return found

    def check(self, recordings: Sequence[Recording]) -> None:
        """Raise UsageError if no event is in one of the training recordings."""
        if not any(recording.path.resolve() in self._by_file for recording in recordings):
            raise UsageError(
                "--events: lists no event of a training recording; write paths relative to its "
                "folder"
            )

    def of_excerpts(self, split: AnySplit, centres: np.ndarray) -> list[EventSpans]:
        """Return the events that sound in excerpts around `centres` (N, 2) of a split."""
        starts, seconds = split.excerpt_sources(centres)["start_s"], split.front_end.seconds
        heard = [self._by_file.get(each.path.resolve(), []) for each in split.recordings]
        numbers = {kind: number for number, kind in enumerate(self.kinds)}
        return [
            _spans([e for e in heard[i] if -e.duration <= e.time - start < seconds], start, numbers)
            for (i, _), start in zip(centres, starts, strict=True)
        ]

    def name_filters(
        self,
        inputs: Sequence[EventSpans],
        strength: np.ndarray,
        seconds: np.ndarray,
        hertz: np.ndarray,
    ) -> list[FilterName | None]:
        """Return the name of each filter; None where fewer than half of its peaks meet one kind.

        `inputs` are the events of N excerpts, `strength` (N, D) that of the peaks in them; their
        `seconds` and `hertz` are as in `met_kinds`.
        """
        met = met_kinds(seconds, hertz, inputs, len(self.kinds))
        return [self._name(shares) for shares in kind_shares(strength, met)]

    def _name(self, shares: np.ndarray) -> FilterName | None:
        pure = np.nan_to_num(shares)
        best = int(pure.argmax())
        return FilterName(self.kinds[best], float(pure[best])) if pure[best] >= PURE else None


def _spans(events: Sequence[Event], start: float, numbers: Mapping[str, int]) -> EventSpans:
    """Events by their times in an excerpt that begins at `start`, with `numbers` of their kinds."""
    begins = np.array([[e.time, e.time + e.duration] for e in events]).reshape(-1, 2)
    bands = np.array([[e.low_hz, e.high_hz] for e in events]).reshape(-1, 2)
    return EventSpans(begins - start, bands, np.array([numbers[e.kind] for e in events], int))


def sound_places(
    places: np.ndarray, geometry: Geometry, front_end: FrontEnd
) -> tuple[np.ndarray, np.ndarray]:
    """Return the times (...) in s of a layer's places (..., 2), and their bands (..., 2) in Hz.

    A place is at the middle of its frame, and as high as it is far from the next one.
    """
    cells = geometry.cells(places)
    middle = 0.0 if front_end.centred else front_end.frame_length / 2
    seconds = (cells[..., 1] * front_end.hop_length + middle) / front_end.sample_rate
    peaks = mel_frequencies(front_end)[1:-1]
    ends = cells[..., :1] + np.array([-0.5, 0.5]) * geometry.down.stride
    return seconds, np.interp(ends, np.arange(len(peaks)), peaks)
