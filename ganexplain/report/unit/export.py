"""What the page of a unit shows, as files: sounds, pictures and numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import soundfile as sf

from ganexplain.artifacts.figures import SETTING, Figures
from ganexplain.artifacts.selection import Selection
from ganexplain.errors import UsageError
from ganexplain.files.atomic import (
    atomic_folder,
    file_hash,
    write_bytes,
    write_table,
    write_text,
)
from ganexplain.files.bounded import read_text
from ganexplain.report.html.panels import Excerpt, Row
from ganexplain.report.unit.page import Page
from ganexplain.runs.progress import Progress

README, EXAMPLES, SCORES = "README.md", "examples.csv", "scores.csv"
LONGEST_README = 2**20  # bytes that are read
MARK = "The files of a page that `ganexplain report` made."
OF_EXAMPLES = ("folder", "number", "origin", "start_s", "response", "picture")
SOUND_FILES = ("sound", "resynth")  # columns behind them
TABLES = f"""\
- `{EXAMPLES}`: a line for each example: the seed or the recording that it is from, where it starts
  there in seconds, its response, and its files.
- `{SCORES}`: a line for each setting of the search and for each control: mean and standard
  deviation of the responses, the scores with the ends of their 95 % intervals (`_low`, `_high`),
  and the share of examples in which a judge finds the class (`judge NAME`).
"""
PICTURES = "Pictures are PNG files; the spectrograms of a page share one colour scale."
SOUNDS = """\
Sounds are WAV files of 16 bits. `N.wav` of a real excerpt is the recording, and `N-resynth.wav` its
spectrogram turned back into sound as those of generated excerpts are."""


def check_export(folder: Path, out: Path, units: Iterable[str], replaces: bool) -> None:
    """Raise UsageError if files of `units` in `folder` would replace other files.

    Files of an earlier export are replaced where a run `replaces` an earlier one. A unit that is
    the only one has the name "".
    """
    own, run = folder.resolve(), out.resolve()
    if own.is_relative_to(run) or run.is_relative_to(own):
        raise UsageError(f"--export {folder}: name a folder that is neither in --out nor around it")
    for target in (folder / unit for unit in units):
        if target.exists() and not target.is_dir():
            raise UsageError(f"--export {target}: is a file; name a folder")
        if target.is_dir() and any(target.iterdir()):
            earlier = _is_export(target)
            if not (earlier and replaces):
                way = "add --overwrite or name another" if earlier else "name another"
                raise UsageError(f"--export {target}: not empty; {way}")
            own_files = set(_listed(target))
            for file in target.rglob("*"):
                if not (file.is_dir() or file in own_files or file.name.startswith(".")):
                    raise UsageError(f"--export {file}: is of no export; move it, or name another")


def _is_export(folder: Path) -> bool:
    try:
        return MARK in read_text(folder / README, LONGEST_README)
    except (OSError, ValueError):
        return False


def export_files(folder: Path, page: Path) -> list[Path]:
    """The files of the export of the page in a file; one that does not exist without such."""
    missing = folder / f"{README} of {page.name}"
    try:
        if file_hash(page) not in read_text(folder / README, LONGEST_README):
            return [missing]
    except (OSError, ValueError, UsageError):
        return [missing]
    return _listed(folder)


def _listed(folder: Path) -> list[Path]:
    """The files of an export by its table of examples."""
    files = [folder / name for name in (README, EXAMPLES, SCORES)]
    with suppress(OSError, ValueError, csv.Error):
        for line in csv.DictReader(io.StringIO(read_text(folder / EXAMPLES))):
            names = (line.get(column) for column in ("picture", *SOUND_FILES))
            files += [folder / name for name in names if name]
    return files


def export_page(
    folder: Path, page: Page, digest: str, selection: Selection, progress: Progress
) -> None:
    """Write the examples of a page and the scores of its selection, everything or nothing.

    `digest` is the SHA-256 of the page's file, by which `export_files` knows it. Raises
    GanexplainError if the folder cannot be written.
    """
    rows = [*page.compared, *page.others]
    progress.start("files", sum(len(row.excerpts) for row in rows))
    with atomic_folder(folder) as made:
        lines = []
        for row in rows:
            for number, excerpt in enumerate(row.excerpts, 1):
                lines.append(_write_example(made, row.kind, number, excerpt, page))
                progress.advance()
        sounds = SOUND_FILES[: max(map(len, lines)) - len(OF_EXAMPLES)]
        write_table(made / EXAMPLES, [*OF_EXAMPLES, *sounds], lines)
        write_table(made / SCORES, *_scores(selection))
        write_text(made / README, _readme(page, digest, rows))


def _write_example(
    folder: Path, kind: str, number: int, excerpt: Excerpt, page: Page
) -> list[object]:
    """Write picture and sounds of an example; return its line of the table."""
    picture = f"{kind}/{number}.png"
    write_bytes(folder / picture, page.medium.png(excerpt.values))
    start = "" if excerpt.start_s is None else excerpt.start_s
    names: list[str] = []
    for sound in excerpt.sounds:
        names.append(f"{kind}/{number}{f'-{sound.label}' if names else ''}.wav")
        write_bytes(folder / names[-1], _as_wav(sound.flac))
    return [kind, number, excerpt.origin, start, excerpt.response, picture, *names]


def _as_wav(flac: bytes) -> bytes:
    """The samples of a 16-bit FLAC as a WAV file."""
    samples, rate = sf.read(io.BytesIO(flac), dtype="int16")
    stream = io.BytesIO()
    sf.write(stream, samples, rate, format="WAV", subtype="PCM_16")
    return stream.getvalue()


def _scores(selection: Selection) -> tuple[list[str], list[list[object]]]:
    """Header and lines of the table of settings and controls."""
    controls = selection.controls.items()
    figures = [score.figures for score in selection.scores]
    figures += [control.figures for _, control in controls]
    keys = list(dict.fromkeys(key for each in figures for key in each.values))
    ends = list(dict.fromkeys(key for each in figures for key in each.intervals))
    judges = list(dict.fromkeys(name for each in figures for name in each.judges))

    def measured(found: Figures) -> Iterator[object]:
        yield from (found.values.get(key, "") for key in keys)
        for key in ends:
            yield from (found.interval(key) or ("", ""))
        yield from (found.judges.get(name, "") for name in judges)

    header = ["examples", *SETTING, "rank", "tied", *keys]
    header += [f"{key}_{end}" for key in ends for end in ("low", "high")]
    lines: list[list[object]] = []
    for index, score in enumerate(selection.scores):
        name = "chosen" if index == selection.chosen else "setting"
        place = (*score.setting, score.rank, "yes" if score.tied else "no")
        lines.append([name, *place, *measured(score.figures)])
    for name, control in controls:
        lines.append([name, *[""] * (len(SETTING) + 2), *measured(control.figures)])
    return header + [f"judge {name}" for name in judges], lines


def _readme(page: Page, digest: str, rows: Sequence[Row]) -> str:
    folders = [f"- `{row.kind}/`: {row.heading}: {row.setting}." for row in rows]
    warnings = ["", "Read with care:", "", *(f"- {text}" for text in page.warnings)]
    lines = [
        f"# {page.title}", "", MARK, f"SHA-256 of the page: {digest}", "",
        page.verdict, "", TABLES.rstrip(), *folders, "", PICTURES,
        *([SOUNDS] if page.playable else []), *(warnings if page.warnings else []),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
