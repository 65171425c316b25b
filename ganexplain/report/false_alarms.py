"""False alarms in lines of text, for the command and for `print` in Python, and in words."""

from __future__ import annotations

from collections.abc import Sequence

from ganexplain.artifacts.false_alarms import Alarm, ClassAlarms, FoundAlarms, GeneratedSound, Range
from ganexplain.errors import first_names

NOTHING = "nothing whose removal ends it"


def false_alarms_text(found: FoundAlarms) -> str:
    """Lines for each class: how often it is found where it is not, and what the causes are."""
    silent = [each.name for each in found.classes if not each.page]
    lines = [line for each in found.classes if each.page for line in _class_lines(each)]
    if silent:
        lines.append(f"no alarm: {first_names(silent)}")
    return "\n".join(lines)


def _class_lines(found: ClassAlarms) -> list[str]:
    lines = [f"{found.name}: {how_often(found)}"]
    for group in found.groups:
        first = group.alarms[0]
        lines += [
            f"    {times(len(group.alarms), 'alarm')}: {hertz(group.bands_hz)}",
            f"        {first.excerpt}: {first.score:.3g}, "
            + (f"without {cause(first)} {first.removed_score:.3g}" if first.spans_s else NOTHING),
        ]
    if made := found.generated:
        fire = [each for each in made if each.fires]
        lines.append(f"    generated without it: {len(fire)} of {len(made)} are taken for it")
    return [*lines, f"    to hear and see: {found.page}"]


def how_often(found: ClassAlarms) -> str:
    """The shares of excerpts and of recordings with their intervals."""
    return (
        f"{found.alarms:,} of {times(found.excerpts, 'excerpt')} ({percents(found.share)}, "
        f"{share_interval(found)}), in {found.alarm_recordings} of "
        f"{times(found.recordings, 'recording')} ({percents(*found.recordings_interval)})"
    )


def share_interval(found: ClassAlarms) -> str:
    """The interval of the share of excerpts."""
    if found.share_interval is None:
        return "interval unknown: recordings too few or alike"
    return percents(*found.share_interval)


def cause(alarm: Alarm | GeneratedSound) -> str:
    """The bands and times of the cause of an alarm."""
    return f"{hertz(alarm.bands_hz)} at {seconds(alarm.spans_s)}"


def hertz(ranges: Sequence[Range]) -> str:
    """Ranges of frequency: 350-600 and 900-1,200 Hz."""
    if not ranges:
        return "no band"
    return " and ".join(f"{low:,.0f}-{high:,.0f}" for low, high in ranges) + " Hz"


def seconds(ranges: Sequence[Range]) -> str:
    """Ranges of time: 0.2-0.4 s."""
    return " and ".join(f"{low:g}-{high:g}" for low, high in ranges) + " s"


def times(count: int, noun: str) -> str:
    """A number of things: 1 alarm, 2,000 alarms."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percents(*shares: float) -> str:
    """A share, or the ends of its interval: 3.5 %, 0.2 to 1.4 %."""
    return " to ".join(f"{100 * share:.1f}" for share in shares) + " %"
