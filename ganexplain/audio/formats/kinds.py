"""What a file is that is not what its name says, by its first bytes."""

from __future__ import annotations

from pathlib import Path

SNIFFED = 512  # bytes
TEXTS = {  # beginnings, in lower case, behind white space
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"<?xml": "an XML text",
    b"version https://git-lfs": "a pointer of Git LFS, whose file was not fetched (git lfs pull)",
    b"#extm3u": "a playlist",
    b"[playlist]": "a playlist",
    b"{": "a text of JSON",
}
CONVERT = "convert it to FLAC or WAV"
MAGIC = (  # place, bytes, what it is
    (4, b"ftyp", f"an MPEG-4 file (M4A, AAC, ALAC), which is not read here: {CONVERT}"),
    (0, b"\x1a\x45\xdf\xa3", f"a Matroska or WebM file, which is not read here: {CONVERT}"),
    (0, b"\x30\x26\xb2\x75", f"a Windows Media file (WMA), which is not read here: {CONVERT}"),
    (0, b"\xff\xf1", f"an AAC stream, which is not read here: {CONVERT}"),
    (0, b"\xff\xf9", f"an AAC stream, which is not read here: {CONVERT}"),
    (0, b"wvpk", f"a WavPack file, which is not read here: {CONVERT}"),
    (0, b"MAC ", f"a Monkey's Audio file, which is not read here: {CONVERT}"),
    (0, b"DSD ", f"a DSD file, which is not read here: {CONVERT}"),
    (0, b"FRM8", f"a DSD file, which is not read here: {CONVERT}"),
    (28, b"Speex   ", f"Speex in an Ogg file, which is not read here: {CONVERT}"),
    (0, b"#!AMR", f"an AMR file, which is not read here: {CONVERT}"),
    (0, b"FLV\1", f"a Flash video, which is not read here: {CONVERT}"),
    (8, b"AVI ", f"an AVI video, which is not read here: {CONVERT}"),
    (0, b"MThd", "a MIDI file, which holds notes, not sound"),
    (0, b"\0\5\x16\7", "an AppleDouble file, which a Mac leaves beside the file itself"),
    (0, b"PK\3\4", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"%PDF", "a PDF"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
)


def kind_of(path: Path) -> str:
    """What a file is, with its article; empty where that cannot be told, or it is sound."""
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
