"""What the corpus is made of: the recordings, the singers and the list of files."""

from __future__ import annotations

from dataclasses import dataclass

from band import Band
from singer import Singer

SPLITS = ("train", "valid", "test")
PACKAGES = {
    "wesnoth": ("wesnoth-1.16-music", "1:1.16.9-1", "GPL-2.0-or-later"),
    "singularity": ("singularity-music", "007-2", "CC-BY-SA-3.0"),
    "hyperrogue": ("hyperrogue-music", "12.0q-1", "CC-BY-SA-3.0"),
    "nexuiz": ("nexuiz-music", "2.5.2-12", "GPL-2.0-or-later"),
    "sectoid": ("fretsonfire-songs-sectoid", "1.dfsg-3.1", "MIT"),
    "xmoto": ("xmoto-data", "0.6.1+repack-9", "GPL-2.0-or-later"),
    "etr": ("extremetuxracer-data", "0.8.2-1", "GPL-2.0-or-later"),
    "performous": ("performous", "1.1+git20181118-6", "GPL-2.0-or-later"),
}
FOLDERS = {
    "wesnoth": "usr/share/games/wesnoth/1.16/data/core/music/",
    "singularity": "usr/share/games/singularity/music/",
    "hyperrogue": "usr/share/hyperrogue/music/",
    "nexuiz": "usr/share/games/nexuiz/data/music.pk3!sound/cdtracks/",
    "sectoid": "usr/share/games/fretsonfire/data/songs/sectoid/",
    "xmoto": "usr/share/games/xmoto/Textures/Musics/",
    "etr": "usr/share/games/etr/music/",
    "performous": "usr/share/games/performous/themes/default/",
}


@dataclass(frozen=True)
class Track:
    """A recording inside a Debian package."""

    package: str
    file: str
    title: str
    composer: str
    split: str

    @property
    def source(self) -> str:
        """Path below the ingredients folder."""
        return FOLDERS[self.package] + self.file

    @property
    def licence(self) -> str:
        """SPDX name of the recording's licence."""
        return PACKAGES[self.package][2]


TRACKS: dict[str, Track] = {
    # train
    "journey": Track("singularity", "A New Journey.ogg", "A New Journey", "Max McCracken", "train"),
    "byproduct": Track("singularity", "By-Product.ogg", "By-Product", "Max McCracken", "train"),
    "media": Track("singularity", "Media Threat.ogg", "Media Threat", "Max McCracken", "train"),
    "simulacra": Track(
        "singularity", "Advanced Simulacra.ogg", "Advanced Simulacra", "Max McCracken", "train"
    ),
    "space": Track("singularity", "Through Space.ogg", "Through Space", "Max McCracken", "train"),
    "apex": Track("singularity", "win/Apex Aleph.ogg", "Apex Aleph", "Max McCracken", "train"),
    "caves": Track("hyperrogue", "hr3-caves.ogg", "Living Caves", "Shawn Parrotte", "train"),
    "icyland": Track("hyperrogue", "hr3-icyland.ogg", "Icy Land", "Shawn Parrotte", "train"),
    "laboratory": Track(
        "hyperrogue", "hr3-laboratory.ogg", "Laboratory", "Shawn Parrotte", "train"
    ),
    "mirror": Track("hyperrogue", "hr3-mirror.ogg", "Mirror Land", "Shawn Parrotte", "train"),
    "rlyeh": Track("hyperrogue", "hr3-rlyeh.ogg", "R'Lyeh", "Shawn Parrotte", "train"),
    "jungle": Track("hyperrogue", "hr3-jungle.ogg", "Jungle", "Shawn Parrotte", "train"),
    "chaosland": Track(
        "sectoid",
        "Escape from chaosland/song.ogg",
        "Escape from chaosland (band)",
        "Carlos Viola Iborra",
        "train",
    ),
    "feelings": Track(
        "sectoid", "Feelings/song.ogg", "Feelings (band)", "Carlos Viola Iborra", "train"
    ),
    "madness": Track(
        "sectoid", "Metal madness/song.ogg", "Metal madness (band)", "Carlos Viola Iborra", "train"
    ),
    "freedom": Track(
        "sectoid",
        "War of freedom/song.ogg",
        "War of freedom (band)",
        "Carlos Viola Iborra",
        "train",
    ),
    "feelings_guitar": Track(
        "sectoid", "Feelings/guitar.ogg", "Feelings (guitar)", "Carlos Viola Iborra", "train"
    ),
    "freedom_guitar": Track(
        "sectoid",
        "War of freedom/guitar.ogg",
        "War of freedom (guitar)",
        "Carlos Viola Iborra",
        "train",
    ),
    "chaosland_guitar": Track(
        "sectoid",
        "Escape from chaosland/guitar.ogg",
        "Escape from chaosland (guitar)",
        "Carlos Viola Iborra",
        "train",
    ),
    "mirror_elysis": Track(
        "nexuiz", "thru-the-mirror.ogg", "Thru the mirror", "Gerd Raudenbusch", "train"
    ),
    "neuronal": Track(
        "nexuiz", "neuronal-diving.ogg", "Neuronal Diving", "Gerd Raudenbusch", "train"
    ),
    "breakdown": Track(
        "nexuiz", "breakdown-easy.ogg", "Breakdown easy", "Gerd Raudenbusch", "train"
    ),
    "chains": Track(
        "wesnoth", "breaking_the_chains.ogg", "Breaking the Chains", "Mattias Westlund", "train"
    ),
    "sanctuary": Track(
        "wesnoth", "silvan_sanctuary.ogg", "Silvan Sanctuary", "Mattias Westlund", "train"
    ),
    "journeys_end": Track(
        "wesnoth", "journeys_end.ogg", "Journey's End", "Mattias Westlund", "train"
    ),
    "minstrels": Track(
        "wesnoth", "traveling_minstrels.ogg", "Traveling Minstrels", "Mattias Westlund", "train"
    ),
    "battle": Track("wesnoth", "battle.ogg", "Battle Music", "Aleksi Aubry-Carlson", "train"),
    "transience": Track("wesnoth", "transience.ogg", "Transience", "Aleksi Aubry-Carlson", "train"),
    "deep_path": Track("wesnoth", "the_deep_path.ogg", "The Deep Path", "Gianmarco Leone", "train"),
    "dangerous": Track(
        "wesnoth",
        "the_dangerous_symphony.ogg",
        "The Dangerous Symphony",
        "Gianmarco Leone",
        "train",
    ),
    "credits": Track("etr", "credits1-cp.ogg", "Credits Ballad", "Kristian Picon", "train"),
    "rewind": Track("performous", "menu.ogg", "The Final Rewind", "Tryad", "train"),
    # valid
    "elvish": Track("wesnoth", "elvish-theme.ogg", "Elvish theme", "Doug Kaufman", "valid"),
    "city": Track("wesnoth", "the_city_falls.ogg", "The City Falls", "Doug Kaufman", "valid"),
    "wanderer": Track(
        "wesnoth", "wanderer.ogg", "Still Another Wanderer", "Timothy Pinkham", "valid"
    ),
    "knolls": Track("wesnoth", "knolls.ogg", "The Knolls of Doldesh", "Timothy Pinkham", "valid"),
    "caribbean": Track(
        "hyperrogue", "hr-savino-caribbean.ogg", "Caribbean", "Will Savino", "valid"
    ),
    "ivory": Track("hyperrogue", "hr-savino-ivory.ogg", "Ivory Tower", "Will Savino", "valid"),
    "ocean": Track("hyperrogue", "hr-savino-ocean.ogg", "Ocean", "Will Savino", "valid"),
    "palace": Track("hyperrogue", "hr-savino-palace.ogg", "Palace", "Will Savino", "valid"),
    "brokenlight": Track("nexuiz", "brokenlight.ogg", "Broken Light", "blkrbt", "valid"),
    "ninesix": Track("nexuiz", "ninesix.ogg", "ninesix", "blkrbt", "valid"),
    "sixtyfour": Track(
        "nexuiz", "sixtyfour_revisited.ogg", "SixtyFour Revisited", "blkrbt", "valid"
    ),
    "loyalists": Track("wesnoth", "loyalists.ogg", "Loyalists", "Joseph G. Toscano", "valid"),
    # test
    "legolodio": Track("xmoto", "legolodio.ogg", "Legolodio", "Jens Erler", "test"),
    "ridealong": Track("xmoto", "ridealong.ogg", "Ride-A-Long", "Jens Erler", "test"),
    "trackdead": Track("xmoto", "menu.ogg", "Trackdead", "Jens Erler", "test"),
    "freezing": Track("etr", "freezingpoint.ogg", "Freezing Point", "Grady O'Connell", "test"),
    "calmrace": Track("etr", "calmrace-ks.ogg", "Calm race", "Karl Schroeder", "test"),
    "spunkyrace": Track("etr", "spunkyrace-ks.ogg", "Spunky race", "Karl Schroeder", "test"),
    "beast": Track(
        "nexuiz", "beast-of-insanity.ogg", "The Beast of Insanity", "Braden Walters", "test"
    ),
    "casualties": Track(
        "wesnoth", "casualties_of_war.ogg", "Casualties of War", "Tyler Johnson", "test"
    ),
    "shadows": Track(
        "wesnoth", "into_the_shadows.ogg", "Into the Shadows", "Tyler Johnson", "test"
    ),
    "hunting": Track("hyperrogue", "hr-domina-hunting.ogg", "Hunting", "Lincoln Domina", "test"),
    "frantic": Track("wesnoth", "frantic.ogg", "Frantic", "Stephen Rozanc", "test"),
}

SINGERS: dict[str, tuple[str, Singer]] = {
    # train
    "ana": ("train", Singer(56, 74, 6, (0.99, 1.0, 1.0), vibrato=(5.6, 35), breaths=0.5)),
    "bea": (
        "train",
        Singer(
            61, 80, 0, (1.06, 1.05, 1.04), tilt=-0.5, vibrato=(6.1, 70), glide=0.02, breath=0.12
        ),
    ),
    "cor": (
        "train",
        Singer(
            50,
            69,
            12,
            (0.9, 0.88, 0.9),
            tilt=-0.6,
            ring=2,
            vibrato=(5.4, 40),
            blend=(3, 0.3),
            breaths=0.4,
        ),
    ),
    "dov": (
        "train",
        Singer(
            45,
            63,
            17,
            (0.86, 0.84, 0.87),
            tilt=-1.0,
            vibrato=(4.9, 30),
            blend=(1, 0.25),
            breath=0.2,
        ),
    ),
    "eli": (
        "train",
        Singer(40, 58, 22, (0.8, 0.8, 0.83), tilt=-0.8, vibrato=(4.6, 45), glide=0.04),
    ),
    "fay": (
        "train",
        Singer(
            62,
            79,
            0,
            (1.2, 1.17, 1.13),
            tilt=-1.2,
            vibrato=(5.0, 8),
            breath=0.3,
            jitter=7,
            breaths=0.5,
        ),
    ),
    "gus": (
        "train",
        Singer(
            52,
            71,
            10,
            (0.92, 0.9, 0.9),
            tilt=1.2,
            vibrato=(5.9, 30),
            rough=0.4,
            breath=0.25,
            jitter=9,
            glide=0.045,
        ),
    ),
    "hana": (
        "train",
        Singer(
            55,
            72,
            8,
            (0.98, 1.02, 0.97),
            tilt=-2.0,
            vibrato=(5.2, 12),
            breath=0.55,
            blend=(4, 0.35),
            breaths=0.7,
        ),
    ),
    "ivo": (
        "train",
        Singer(50, 70, 11, (0.88, 0.92, 0.86), tilt=-0.5, ring=7, vibrato=(5.7, 80), glide=0.035),
    ),
    "jun": (
        "train",
        Singer(57, 77, 4, (1.0, 0.97, 0.98), ring=5, vibrato=(5.3, 95), blend=(2, 0.3), glide=0.05),
    ),
    "rob": (
        "train",
        Singer(45, 63, 0, (1.0, 1.0, 1.0), ring=2, vibrato=(5.2, 45), breaths=0.4, flite="rms"),
    ),
    "ray": (
        "train",
        Singer(
            49,
            68,
            0,
            (1.06, 1.05, 1.04),
            tilt=1.0,
            vibrato=(5.8, 30),
            rough=0.3,
            jitter=7,
            glide=0.04,
            flite="rms",
        ),
    ),
    "sue": (
        "train",
        Singer(56, 74, 0, (1.0, 1.0, 1.0), vibrato=(5.7, 55), breath=0.15, flite="slt"),
    ),
    "sky": (
        "train",
        Singer(
            58,
            77,
            0,
            (1.09, 1.06, 1.05),
            tilt=-1.0,
            vibrato=(5.3, 15),
            breath=0.4,
            breaths=0.6,
            glide=0.02,
            flite="slt",
        ),
    ),
    "rex": (
        "train",
        Singer(
            40, 58, 0, (0.92, 0.94, 0.95), tilt=-0.8, vibrato=(4.7, 40), breath=0.2, flite="rms"
        ),
    ),
    "sam": (
        "train",
        Singer(
            52,
            71,
            0,
            (0.93, 0.91, 0.94),
            tilt=0.5,
            vibrato=(5.5, 65),
            ring=3,
            glide=0.04,
            flite="slt",
        ),
    ),
    # valid
    "kit": (
        "valid",
        Singer(
            46, 65, 0, (1.02, 1.0, 1.0), vibrato=(5.4, 50), breath=0.15, breaths=0.3, flite="kal16"
        ),
    ),
    "kip": (
        "valid",
        Singer(
            50,
            68,
            0,
            (1.1, 1.08, 1.06),
            tilt=-0.8,
            vibrato=(5.8, 25),
            breath=0.3,
            jitter=6,
            flite="kal16",
        ),
    ),
    "kai": (
        "valid",
        Singer(
            44,
            62,
            18,
            (0.84, 0.87, 0.86),
            tilt=-0.4,
            ring=2,
            vibrato=(5.1, 38),
            blend=(4, 0.25),
            breath=0.18,
            breaths=0.4,
        ),
    ),
    "lea": (
        "valid",
        Singer(
            55, 73, 7, (0.97, 0.99, 1.02), tilt=-0.8, vibrato=(5.8, 45), blend=(3, 0.2), breath=0.25
        ),
    ),
    "mia": (
        "valid",
        Singer(61, 79, 1, (1.12, 1.1, 1.09), tilt=-1.0, vibrato=(6.0, 25), breath=0.2, breaths=0.5),
    ),
    "ned": (
        "valid",
        Singer(51, 69, 11, (0.91, 0.87, 0.92), tilt=0.6, vibrato=(5.5, 55), rough=0.25, jitter=7),
    ),
    # test
    "abe": (
        "test",
        Singer(47, 66, 0, (1.0, 1.0, 1.0), tilt=0.5, vibrato=(5.5, 65), breaths=0.3, flite="awb"),
    ),
    "art": (
        "test",
        Singer(
            42, 61, 0, (0.93, 0.94, 0.96), vibrato=(5.0, 30), rough=0.25, glide=0.04, flite="awb"
        ),
    ),
    "oda": (
        "test",
        Singer(59, 78, 2, (1.03, 1.08, 1.05), ring=3, vibrato=(5.7, 75), glide=0.025, breath=0.1),
    ),
    "pau": (
        "test",
        Singer(
            49,
            67,
            13,
            (0.89, 0.9, 0.87),
            tilt=-0.9,
            vibrato=(5.3, 35),
            blend=(1, 0.3),
            breath=0.22,
            breaths=0.5,
        ),
    ),
    "quin": (
        "test",
        Singer(
            42, 60, 20, (0.82, 0.85, 0.84), tilt=0.3, vibrato=(5.0, 50), rough=0.2, blend=(3, 0.25)
        ),
    ),
    "ria": (
        "test",
        Singer(
            56, 73, 6, (1.0, 0.96, 1.04), tilt=-1.5, vibrato=(5.6, 18), breath=0.45, breaths=0.6
        ),
    ),
}


BANDS: dict[str, Band] = {
    # General MIDI programs; those with voices (52-54, 85, 91) are not used
    "trio": Band("train", 66, 0, 32, True, "block", 0.25, 50, 70),
    "folk": Band("train", 73, 25, 32, False, "strum", 0.2, 64, 84),
    "rock": Band("train", 30, 29, 33, True, "block", 0.35, 52, 74),
    "pop": Band("train", 80, 4, 38, True, "arpeggio", 0.15, 62, 80),
    "chamber": Band("train", 40, 48, 42, False, "pad", 0.4, 58, 82),
    "organ": Band("train", 22, 16, 33, True, "pad", 0.2, 58, 76),
    "cello": Band("train", 42, vibrato=0.4, low=40, high=64),
    "fiddle": Band("train", 110, vibrato=0.35, low=57, high=80),
    "sax": Band("train", 65, vibrato=0.3, low=52, high=74),
    "whistle": Band("train", 78, 24, -1, False, "arpeggio", 0.3, 62, 80),
    "waltz": Band("valid", 71, 21, 32, True, "strum", 0.15, 52, 76),
    "soul": Band("valid", 56, 5, 33, True, "strum", 0.25, 57, 76),
    "viola": Band("valid", 41, vibrato=0.4, low=48, high=70),
    "country": Band("test", 68, 27, 33, True, "arpeggio", 0.2, 60, 80),
    "strings": Band("test", 71, 50, 43, False, "pad", 0.2, 55, 77),
    "bassoon": Band("test", 70, vibrato=0.25, low=40, high=64),
    "blues": Band("test", 64, 1, 33, True, "strum", 0.3, 56, 76),
    "violin": Band("test", 40, 0, -1, False, "block", 0.45, 56, 80),
}


@dataclass(frozen=True)
class Piece:
    """One file of the corpus. `kind`: mix, acappella, instrumental or song."""

    name: str
    split: str
    kind: str
    seconds: float
    singer: str = ""
    track: str = ""  # a recording, or
    band: str = ""  # a band of the sound font
    start: float = 0.0
    voices: str = "solo"  # solo, double, harmony or choir
    wet: bool = True
    scale: str = ""  # a cappella only


def _mix(
    split: str, singer: str, track: str, start: float, seconds: float, voices: str = "solo"
) -> Piece:
    return Piece(
        f"mix_{singer}_{track}",
        split,
        "mix",
        seconds,
        singer,
        track=track,
        start=start,
        voices=voices,
    )


def _gig(split: str, singer: str, band: str, seconds: float, voices: str = "solo") -> Piece:
    return Piece(f"gig_{singer}_{band}", split, "mix", seconds, singer, band=band, voices=voices)


def _alone(
    split: str, singer: str, seconds: float, wet: bool, scale: str, voices: str = "solo"
) -> Piece:
    room = "hall" if wet else "dry"
    return Piece(
        f"alone_{singer}_{scale}_{room}",
        split,
        "acappella",
        seconds,
        singer,
        voices=voices,
        wet=wet,
        scale=scale,
    )


def _cut(split: str, track: str, start: float, seconds: float) -> Piece:
    return Piece(f"band_{track}", split, "instrumental", seconds, track=track, start=start)


def _play(split: str, band: str, seconds: float) -> Piece:
    return Piece(f"play_{band}", split, "instrumental", seconds, band=band)


PIECES: tuple[Piece, ...] = (
    Piece("song_tryad_the_final_rewind", "train", "song", 126.0, track="rewind"),
    _mix("train", "ana", "journey", 60, 26),
    _mix("train", "bea", "byproduct", 20, 24, "harmony"),
    _mix("train", "cor", "media", 100, 26),
    _mix("train", "dov", "icyland", 20, 24, "choir"),
    _mix("train", "eli", "space", 40, 24),
    _mix("train", "fay", "caves", 8, 26),
    _mix("train", "gus", "chaosland", 20, 26),
    _mix("train", "hana", "feelings", 60, 26, "double"),
    _mix("train", "ivo", "simulacra", 50, 26),
    _mix("train", "jun", "rlyeh", 40, 26),
    _mix("train", "rob", "dangerous", 60, 26),
    _mix("train", "rob", "madness", 40, 24, "double"),
    _mix("train", "ray", "freedom", 70, 26),
    _mix("train", "ray", "chains", 12, 26),
    _mix("train", "rex", "neuronal", 60, 24),
    _mix("train", "rex", "battle", 40, 24, "choir"),
    _mix("train", "sue", "laboratory", 20, 26),
    _mix("train", "sue", "credits", 10, 26, "harmony"),
    _mix("train", "sky", "mirror", 20, 26),
    _mix("train", "sky", "mirror_elysis", 60, 24, "double"),
    _mix("train", "sam", "transience", 4, 26),
    _gig("train", "rob", "folk", 24),
    _gig("train", "sue", "pop", 24),
    _gig("train", "sam", "trio", 24),
    _gig("train", "jun", "organ", 22),
    _gig("train", "cor", "rock", 22, "harmony"),
    _alone("train", "ana", 20, False, "dorian"),
    _alone("train", "cor", 20, False, "hijaz"),
    _alone("train", "eli", 20, True, "minor", "choir"),
    _alone("train", "fay", 20, False, "pentatonic"),
    _alone("train", "jun", 22, True, "hijaz"),
    _alone("train", "rob", 20, False, "blues"),
    _alone("train", "ray", 20, True, "mixolydian"),
    _alone("train", "sue", 20, False, "major"),
    _alone("train", "sky", 20, True, "minor"),
    _alone("train", "sam", 20, False, "dorian"),
    _cut("train", "apex", 20, 20),
    _cut("train", "jungle", 40, 20),
    _cut("train", "feelings_guitar", 80, 20),
    _cut("train", "freedom_guitar", 30, 20),
    _cut("train", "chaosland_guitar", 100, 20),
    _cut("train", "breakdown", 40, 20),
    _cut("train", "sanctuary", 70, 20),
    _cut("train", "journeys_end", 50, 20),
    _cut("train", "minstrels", 46, 20),
    _cut("train", "deep_path", 110, 20),
    _play("train", "cello", 20),
    _play("train", "fiddle", 20),
    _play("train", "sax", 20),
    _play("train", "whistle", 20),
    _play("train", "chamber", 20),
    _mix("valid", "kai", "palace", 8, 28),
    _mix("valid", "lea", "caribbean", 5, 28),
    _mix("valid", "mia", "ivory", 10, 26, "harmony"),
    _mix("valid", "ned", "ocean", 10, 26),
    _mix("valid", "kit", "wanderer", 60, 28, "double"),
    _mix("valid", "kip", "sixtyfour", 40, 26),
    _mix("valid", "kit", "elvish", 60, 26, "choir"),
    _mix("valid", "kip", "brokenlight", 40, 26),
    _gig("valid", "lea", "soul", 26),
    _alone("valid", "kai", 20, False, "minor"),
    _alone("valid", "lea", 20, True, "hijaz"),
    _alone("valid", "kit", 20, False, "major"),
    _cut("valid", "city", 10, 20),
    _cut("valid", "knolls", 100, 20),
    _cut("valid", "loyalists", 30, 20),
    _play("valid", "viola", 20),
    _play("valid", "waltz", 20),
    _mix("test", "oda", "hunting", 10, 28),
    _mix("test", "abe", "freezing", 20, 28),
    _mix("test", "art", "trackdead", 30, 28),
    _mix("test", "abe", "casualties", 60, 28, "harmony"),
    _mix("test", "art", "ridealong", 20, 26, "double"),
    _mix("test", "abe", "calmrace", 30, 28),
    _mix("test", "art", "frantic", 50, 26),
    _gig("test", "ria", "country", 26),
    _gig("test", "pau", "strings", 26),
    _gig("test", "quin", "blues", 26),
    _alone("test", "oda", 20, True, "dorian"),
    _alone("test", "pau", 20, False, "hijaz"),
    _alone("test", "ria", 20, False, "major"),
    _cut("test", "legolodio", 20, 20),
    _cut("test", "spunkyrace", 52, 20),
    _cut("test", "beast", 30, 20),
    _cut("test", "shadows", 40, 20),
    _play("test", "bassoon", 20),
    _play("test", "violin", 20),
)
