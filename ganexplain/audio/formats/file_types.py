"""Recognises files that are not readable sound by their first bytes."""

from __future__ import annotations

from pathlib import Path

from ganexplain.audio.formats.ffmpeg_decoder import KINDS

SNIFFED = 512  # bytes
SOUND_FILES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif"),
    *(".m4a", ".mp4", ".aac", ".wma", ".wv", ".ape", ".webm", ".mka", ".amr"),  # by ffmpeg
)
TEXTS = {  # beginnings in lower case, without white space
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"<?xml": "an XML text",
    b"version https://git-lfs": "a pointer of Git LFS, whose file was not fetched (git lfs pull)",
    b"#extm3u": "a playlist",
    b"[playlist]": "a playlist",
    b"{": "a text of JSON",
}
CONVERT = ", which is not supported: convert it to FLAC or WAV"
MAGIC = (  # offset, bytes, type
    *((kind.at, kind.magic, kind.name) for kind in KINDS),
    (0, b"DSD ", "a DSD file" + CONVERT),
    (0, b"FRM8", "a DSD file" + CONVERT),
    (28, b"Speex   ", "Speex in an Ogg file" + CONVERT),
    (8, b"AVI ", "an AVI video" + CONVERT),
    (0, b"MThd", "a MIDI file, which contains notes, not sound"),
    (0, b"\0\5\x16\7", "an AppleDouble file, which a Mac writes beside the file itself"),
    (0, b"PK\3\4", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"%PDF", "a PDF"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
)


def describe_type(path: Path) -> str:
    """The type of a file, with its article; empty if it is sound or unknown."""
    if path.is_dir():
        return "a folder"
    try:
        with path.open("rb") as stream:
            head = stream.read(SNIFFED)
    except OSError as error:
        return f"not to be opened ({error.strerror})"
    if not head:
        return "empty"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, kind in TEXTS.items():
        if text.startswith(beginning):
            return kind
    return next((kind for at, magic, kind in MAGIC if head[at:].startswith(magic)), "")
