"""The tables of the corpus: manifest, draws, hours of each kind, and whom it is owed to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ganexplain.audio.io import read_duration
from ganexplain.files.atomic import write_table, write_text

from .listing import SPLITS
from .plan import Take

MANIFEST = ("path", "start", "end", "label", "split", "kind", "artist")
DRAWS = (
    "path", "split", "kind", "seconds", "sung", "seed", "voice", "voice_start", "voice_seconds",
    "music", "music_start", "speed", "formants", "room_s", "wet_db", "level_db", "peak_db",
)  # fmt: skip


def write_tables(out: Path, takes: Sequence[Take]) -> None:
    """Write manifest.csv, draws.csv, hours.md and SOURCES.md, and print the hours."""
    lengths = {take.name: read_duration(out / "audio" / f"{take.name}.flac") for take in takes}
    write_table(out / "manifest.csv", MANIFEST, manifest_rows(takes, lengths))
    write_table(out / "draws.csv", DRAWS, draw_rows(takes, lengths))
    hours = hours_table(takes, lengths)
    write_text(out / "hours.md", hours)
    write_text(out / "SOURCES.md", sources_text(takes))
    print(hours)


def manifest_rows(takes: Sequence[Take], lengths: dict[str, float]) -> Iterable[list[object]]:
    """Labels of all recordings, without gaps."""
    for take in takes:
        artist = " + ".join(layer.credit.artist for layer in take.layers())
        end = lengths[take.name]
        for first, last, label in labels_between(take.sung(), end):
            yield [
                f"audio/{take.name}.flac", f"{first:.3f}", f"{last:.3f}", label,
                take.split(), take.kind, artist,
            ]  # fmt: skip


def labels_between(
    sung: Sequence[tuple[float, float]], end: float
) -> list[tuple[float, float, str]]:
    """Spans from 0 to `end` (s), each `sing` or `nosing`."""
    labels: list[tuple[float, float, str]] = []
    at = 0.0
    for first, last in sorted(sung):
        first, last = max(first, at), min(last, end)
        if last - first < 0.001:
            continue
        if first > at:
            labels.append((at, first, "nosing"))
        labels.append((first, last, "sing"))
        at = last
    return labels if at >= end - 0.001 else [*labels, (at, end, "nosing")]


def draw_rows(takes: Sequence[Take], lengths: dict[str, float]) -> Iterable[list[object]]:
    """How each recording was made."""
    for take in takes:
        voice, music, draw = take.voice, take.music, take.draw
        sung = sum(last - first for first, last in take.sung())
        yield [
            *(f"audio/{take.name}.flac", take.split(), take.kind),
            *(f"{lengths[take.name]:.2f}", f"{sung:.2f}", draw.seed),
            *((voice.name, f"{voice.start:.2f}", f"{voice.seconds:.2f}") if voice else [""] * 3),
            *((music.name, f"{music.start:.2f}") if music else [""] * 2),
            *(draw.speed, draw.formants, draw.room, draw.wet, draw.level, draw.peak),
        ]


def hours_table(takes: Sequence[Take], lengths: dict[str, float]) -> str:
    """Hours of each kind and split as a Markdown table, with the share that is sung."""
    hours: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    sung: dict[str, float] = defaultdict(float)
    for take in takes:
        for kind in (take.kind, "all"):
            hours[kind][take.split()] += lengths[take.name] / 3600
            sung[kind] += sum(last - first for first, last in take.sung()) / 3600
    lines = ["| kind | train | valid | test | sung |", "|---|---|---|---|---|"]
    for kind in (*(k for k in hours if k != "all"), "all"):
        row = hours[kind]
        cells = [f"{row[split]:.2f} h" for split in SPLITS]
        share = sung[kind] / max(sum(row.values()), 1e-9)
        lines.append(f"| {kind} | {' | '.join(cells)} | {share:.0%} |")
    return "\n".join(lines) + "\n"


def sources_text(takes: Sequence[Take]) -> str:
    """SOURCES.md: every work, its maker and licence."""
    layers = {layer.name: layer for take in takes for layer in take.layers()}
    lines = [
        "# Sources and licences",
        "",
        "Each was cut, mixed to mono and resampled to 22,050 Hz; voices were changed and mixed",
        "over music as `draws.csv` says. A mix is under the licences of both its parts.",
        "",
        "| name | artist | title | source | licence | split |",
        "|---|---|---|---|---|---|",
    ]
    for name, layer in sorted(layers.items()):
        owed = layer.credit
        cells = (name, owed.artist, owed.title, owed.source, owed.licence, layer.split)
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines) + "\n"
