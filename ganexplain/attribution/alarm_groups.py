"""False alarms counted, explained and grouped by their causes, and the files of each class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganexplain.artifacts.edits import EditedExcerpt
from ganexplain.artifacts.false_alarms import (
    Alarm,
    AlarmGroup,
    ClassAlarms,
    ExplainedAlarms,
    RecordingAlarms,
)
from ganexplain.attribution.alarm_sounds import GeneratedClass
from ganexplain.attribution.alarms import AlarmTask
from ganexplain.attribution.causes import Cause, CauseSounds
from ganexplain.audio.io import encode_flac, load_excerpt, read_duration
from ganexplain.audio.round_trip import as_heard
from ganexplain.audio.sonify import limit_peak
from ganexplain.config.setting import command_text
from ganexplain.corpora.single import split_seconds
from ganexplain.files.atomic import write_bytes, write_text
from ganexplain.metrics.bootstrap import resample_rows, share_interval
from ganexplain.metrics.grouping import group_profiles, most_central
from ganexplain.metrics.shares import exact_interval
from ganexplain.report.false_alarms_page import (
    HeardClass,
    HeardGroup,
    HeardSound,
    false_alarms_page,
)

SOUNDS = ("whole", "without", "alone", "softer")  # of a group, in the names of its files
TICKS = 10**6  # a second, of the starts that are reported
COMMON = 0.5  # share of the causes of a group that have a band


def chosen_alarms(
    heard: Sequence[RecordingAlarms], most: int
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Starts and class numbers of the alarms to explain, for each recording.

    Of a class these are at most `most`: first the highest score of every recording, then the
    second of every one, and so on.
    """
    rows: dict[int, list[tuple[int, float, int, int]]] = {}
    for k, each in enumerate(heard):
        for number in np.unique(each.classes):
            own = np.flatnonzero(each.classes == number)
            order = own[np.argsort(-each.scores[own], kind="stable")]
            rows.setdefault(int(number), []).extend(
                (rank, -float(each.scores[row]), k, int(each.starts[row]))
                for rank, row in enumerate(order)
            )
    chosen: list[list[tuple[int, int]]] = [[] for _ in heard]
    for number, ranked in rows.items():
        for _, _, k, start in sorted(ranked)[:most]:
            chosen[k].append((start, number))
    return [
        (tuple(s for s, _ in sorted(each)), tuple(c for _, c in sorted(each))) for each in chosen
    ]


@dataclass(frozen=True)
class Counts:
    """Excerpts without each class and alarms among them, (R, C) for R recordings and C classes."""

    excerpts: np.ndarray
    alarms: np.ndarray

    @classmethod
    def of(cls, heard: Sequence[RecordingAlarms], classes: int) -> Counts:
        """Those of recordings."""
        alarms = [np.bincount(each.classes, minlength=classes) for each in heard]
        return cls(np.stack([each.excerpts for each in heard]), np.stack(alarms))


def count_alarms(task: AlarmTask, number: int, counts: Counts) -> ClassAlarms:
    """How often a class is found where it is not."""
    known = counts.excerpts[:, number] > 0
    excerpts, alarms = counts.excerpts[known, number], counts.alarms[known, number]
    name, count, fired = task.classes[number], len(excerpts), int((alarms > 0).sum())
    if not count:
        return ClassAlarms(name, 0, 0, 0.0, None, 0, 0, 0.0, (0.0, 1.0), 0, (), (), "")
    return ClassAlarms(
        name, int(excerpts.sum()), int(alarms.sum()), float(alarms.sum() / excerpts.sum()),
        _share_interval(alarms, excerpts, task.config.seed), count, fired, fired / count,
        exact_interval(fired / count, count), 0, (), (), "",
    )  # fmt: skip


def _share_interval(
    alarms: np.ndarray, excerpts: np.ndarray, seed: int
) -> tuple[float, float] | None:
    """The `share_interval` of alarms (R,) among excerpts (R,) of R recordings."""
    rows = resample_rows(len(alarms), seed, "recordings", varied=False)
    resampled = alarms[rows].sum(axis=1) / excerpts[rows].sum(axis=1)
    return share_interval(float(alarms.sum() / excerpts.sum()), resampled, len(alarms))


def explain_alarms(
    task: AlarmTask,
    path: Path,
    named: Sequence[tuple[int, int]],
    advance: Callable[[int], None],
) -> ExplainedAlarms:
    """The causes of alarms of a recording, by where they start and the numbers of their classes.

    One that is none once it is written to a file and read is left out.
    """
    alarms, numbers, causes = [], [], []
    for start, number in named:
        waveform = task.excerpt(path, start)
        heard = as_heard(waveform, task.sound.sample_rate)
        if task.margins(task.outputs(heard[None]))[0, number] > 0:
            finder = task.finder(number)
            cause = finder.find(waveform)
            sounds = finder.sounds(waveform, cause.bands, cause.spans, cause.attenuation_db)
            alarms.append(_alarm(task, path, start, number, cause, sounds))
            numbers.append(number)
            causes.append(cause)
        advance(1)
    bands = np.zeros((0, task.segments.bands))
    return ExplainedAlarms(
        tuple(alarms),
        np.array(numbers, dtype=np.int64),
        np.array([cause.weights for cause in causes] or bands),
        np.array([cause.bands for cause in causes] or bands, dtype=bool),
        np.array([cause.spans for cause in causes] or np.zeros((0, task.segments.spans)), bool),
    )


def _alarm(
    task: AlarmTask, path: Path, start: int, number: int, cause: Cause, sounds: CauseSounds
) -> Alarm:
    """The record of an alarm; its start has the digits that tell the sample."""
    outputs = task.outputs(np.stack([sounds.whole, sounds.removed, sounds.alone]))
    scores = task.scores(outputs)[:, number].round(4)
    length = task.sound.seconds
    begin = start * TICKS // task.sound.sample_rate / TICKS  # never behind the sample
    return Alarm(
        excerpt=f"{path}@{f'{begin:.6f}'.rstrip('0').rstrip('.')}",
        span_s=(begin, round(begin + length, 6)),
        is_whole=begin + length <= read_duration(path),
        score=float(scores[0]),
        bands_hz=task.segments.hertz(cause.bands),
        spans_s=task.segments.seconds(cause.spans, length),
        removed_score=float(scores[1]),
        alone_score=float(scores[2]),
        silenced=bool(task.margins(outputs)[1, number] <= 0),
        attenuation_db=cause.attenuation_db,
        elsewhere=cause.elsewhere,
    )


@dataclass(frozen=True)
class FoundGroup:
    """A group, and the bands (B,) and spans (S,) of the cause of its first alarm."""

    record: AlarmGroup
    bands: np.ndarray
    spans: np.ndarray


def group_alarms(
    task: AlarmTask, number: int, explained: Sequence[ExplainedAlarms]
) -> list[FoundGroup]:
    """The alarms of a class by what causes them, the largest group first."""
    alarms = [
        alarm
        for each in explained
        for alarm, own in zip(each.alarms, each.numbers, strict=True)
        if own == number
    ]
    if not alarms:
        return []
    weights, bands, spans = (
        np.concatenate([getattr(each, name)[each.numbers == number] for each in explained])
        for name in ("weights", "bands", "spans")
    )
    weights = weights * bands  # alarms without a cause are a group of their own
    labels = group_profiles(weights)
    groups = []
    for label in range(int(labels.max()) + 1):
        rows = np.flatnonzero(labels == label)
        first = rows[most_central(weights[rows])]
        members = [alarms[first], *(alarms[k] for k in rows if k != first)]
        record = AlarmGroup(
            bands_hz=task.segments.hertz(bands[rows].mean(axis=0) >= COMMON),
            recordings=len({split_seconds(each.excerpt)[0] for each in members}),
            silenced=float(np.mean([each.silenced for each in members])),
            alarms=tuple(members),
            sounds=(),
            edit=None,
        )
        groups.append(FoundGroup(record, bands[first], spans[first]))
    return groups


@dataclass(frozen=True)
class ClassFiles:
    """Writes the page of a class, and the sounds of its groups."""

    task: AlarmTask
    number: int
    out: Path

    def write(
        self,
        found: ClassAlarms,
        groups: Sequence[FoundGroup],
        edits: Sequence[EditedExcerpt | None],
        mixtures: GeneratedClass | None,
    ) -> ClassAlarms:
        """Write them, if there are alarms or generated sounds; the class with its groups."""
        if not (found.alarms or mixtures):
            return found
        made = mixtures.heard(self.task) if mixtures else []
        edits = [*edits, *[None] * (len(groups) - len(edits))]
        heard = [self._group(k, *each) for k, each in enumerate(zip(groups, edits, strict=True), 1)]
        page = self.out / f"{self.task.stem(self.number)}.html"
        found = replace(
            found,
            explained=sum(len(each.group.alarms) for each in heard),
            groups=tuple(each.group for each in heard),
            generated=mixtures.sounds if mixtures else (),
            page=str(page),
        )
        task = self.task
        said = (task.score_text(self.number), task.unlabelled())
        heard_class = HeardClass(heard, made, task.sound.sample_rate, *said)
        command = command_text("false-alarms", task.config)
        origin = [("network", task.source.name), ("command", command)]
        shown = false_alarms_page(found, heard_class, task.segments.view, origin)
        write_text(page, shown)
        return found

    def _group(self, place: int, group: FoundGroup, edit: EditedExcerpt | None) -> HeardGroup:
        """Write the sounds of a group; what its part of the page needs."""
        task, first = self.task, group.record.alarms[0]
        path, _ = split_seconds(first.excerpt)
        rate, softer = task.sound.sample_rate, first.attenuation_db
        excerpt = task.excerpt(path, round(first.span_s[0] * rate))
        heard = task.finder(self.number).sounds(excerpt, group.bands, group.spans, softer)
        waveforms = [heard.whole, heard.removed, heard.alone, heard.softer]
        if edit:
            waveforms.append(load_excerpt(Path(edit.changed_sound), 0.0, task.sound.samples, rate))
        scores = task.scores(task.outputs(np.stack(waveforms)))[:, self.number]
        names = ["the alarm", "without the cause", "the cause alone", "the cause softer", "edited"]
        if softer is not None:
            names[3] = f"the cause {softer:g} dB softer"
        files = []
        for name, waveform in zip(SOUNDS, waveforms, strict=False):
            stem = f"{task.stem(self.number)}-{place}-{name}"
            files.append(self.out / f"{stem}.flac")
            write_bytes(files[-1], encode_flac(limit_peak(waveform), rate))
        sounds = [
            HeardSound(name, waveform, task.log_mel(waveform), float(score))
            for name, waveform, score in zip(names, waveforms, scores, strict=False)
        ]
        return HeardGroup(replace(group.record, sounds=tuple(map(str, files)), edit=edit), sounds)
