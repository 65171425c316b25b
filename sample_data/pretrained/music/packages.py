"""Downloads Debian packages without installing them, and finds the files that are listed."""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from ganexplain.errors import GanexplainError
from ganexplain.files.atomic import file_hash

from .listing import Origin, Piece, Speaker


class Missing(GanexplainError):
    """A file that is listed is not there or is another one: one line, with the reason."""


def fetch_package(package: str, wanted: Sequence[str], store: Path) -> Path:
    """The folder with the `wanted` files and folders of a package, downloaded unless it is there.

    The package's copyright file is kept too. Raises Missing where `apt-get` or `dpkg-deb` fails.
    """
    folder = store / package
    if folder.is_dir():
        return folder
    part = store / f"{package}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _call(["apt-get", "download", "-q", package], part, f"{package}: cannot be downloaded")
    archives = list(part.glob("*.deb"))
    if len(archives) != 1:
        raise Missing(f"{package}: apt-get download left {len(archives)} packages in {part}")
    content = part / "content.tar"
    with content.open("wb") as file:
        command = ["dpkg-deb", "--fsys-tarfile", str(archives[0])]
        _call(command, part, f"{archives[0].name}: is damaged", file)
    unpack_content(content, (*wanted, f"usr/share/doc/{package}/copyright"), part / "files")
    (part / "files").rename(folder)
    shutil.rmtree(part)
    return folder


def unpack_content(content: Path, wanted: Sequence[str], folder: Path) -> None:
    """Extract the wanted files, and all files in wanted folders, of a tar file."""
    folder.mkdir()
    with tarfile.open(content) as archive:
        members = [
            member
            for member in archive
            if member.isfile()
            and any(f"{member.name.removeprefix('./')}/".startswith(f"{name}/") for name in wanted)
        ]
        archive.extractall(folder, members, filter="data")


def _call(command: list[str], folder: Path, failure: str, output: IO[bytes] | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, stdout=output or subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    except FileNotFoundError as error:
        raise Missing(f"{failure}: {command[0]} is not installed; use a Debian system") from error
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise Missing(f"{failure}: {''.join(reason) or 'no reason given'}")


def origin_folder(origin: Origin, store: Path) -> Path:
    """The folder of an origin; its archive is unpacked beside it. Missing if it is not there."""
    root = store / origin.package
    if origin.archive:
        archive = root / origin.archive
        root = archive.with_name(archive.name + ".files")
        if not root.is_dir():
            if not archive.is_file():
                raise Missing(f"{origin.package}: has no {origin.archive}; another version?")
            part = archive.with_name(archive.name + ".part")
            shutil.rmtree(part, ignore_errors=True)
            with zipfile.ZipFile(archive) as content:
                wanted = [n for n in content.namelist() if n.startswith(origin.folder)]
                content.extractall(part, wanted)
            part.rename(root)
    return root / origin.folder


def find_piece(piece: Piece, store: Path) -> Path:
    """The file of a piece; Missing if it is not the listed one."""
    path = origin_folder(piece.origin, store) / piece.file
    if not path.is_file():
        raise Missing(f"{piece.name}: {piece.origin.package} has no {piece.file}; another version?")
    size, digest = path.stat().st_size, file_hash(path)[:16]
    if (size, digest) != (piece.size, piece.sha256):
        raise Missing(
            f"{piece.name}: {path} has {size} bytes and hash {digest}, not {piece.size} and "
            f"{piece.sha256}; it is another version"
        )
    return path


def find_speech(speaker: Speaker, store: Path) -> list[Path]:
    """The files of a speaker, sorted; Missing if their number is not the listed one."""
    folder = origin_folder(speaker.origin, store)
    paths = sorted(
        path
        for path in folder.rglob("*")
        if fnmatch.fnmatch(str(path.relative_to(folder)), speaker.files)
        and not any(fnmatch.fnmatch(str(path.relative_to(folder)), no) for no in speaker.without)
    )
    if len(paths) != speaker.count:
        raise Missing(
            f"{speaker.name}: {folder} has {len(paths)} files {speaker.files}, not "
            f"{speaker.count}; it is another version"
        )
    return paths
