"""Settings of the stage that finds false alarms."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain.config.setting import setting
from ganexplain.config.shared import (
    LAST_SEED,
    OUTPUTS,
    SEED,
    Computes,
    Divides,
    NamesNetwork,
    ReadsRecordings,
)

DAY = 86_400  # s
EVERY = "all"  # as a class of `target`


@dataclass(frozen=True, kw_only=True)
class FalseAlarmsConfig(NamesNetwork, ReadsRecordings, Computes, Divides):
    """Find what a network takes for a class that is not there, and why: OUT/CLASS.html.

    `ganexplain false-alarms --corpus field --classifier runs/classifier/classifier.pt
    --out runs/alarms`

    In a corpus without labels, every excerpt counts as one without the class. Where labels name the
    class, those excerpts count that are wholly labelled as something else. The bands and times that
    cause an alarm are removed from the recording, and the rest is written to a file, read and
    passed through the network again.
    No gradient is needed. Recordings that are done are kept for --resume.
    """

    corpus: tuple[str, ...] = setting(
        "Recordings: folder of sound files, folder in the Jamendo layout (audio, labels, "
        "filelists), or CSV manifest; repeat for several.",
        reads=True,
    )
    target: tuple[str, ...] = setting(
        "Class, or all; repeat for several. Default: the second of two classes, otherwise all; "
        "needed where a network always finds one of more classes and the corpus has no labels "
        "of them.",
        (),
    )
    outputs: str = setting(OUTPUTS, "auto")
    level: float = setting("Activations: value of a unit above which it is an alarm.", 0.5)
    hop_seconds: float = setting(
        "Seconds from the start of an excerpt to that of the next; 0: one after the other. What "
        "the last whole excerpt leaves of a recording is not heard.",
        0.0,
        0,
        DAY,
    )
    segments: str = setting(
        "Segments of which a cause consists: columns x rows (times x bands).", "8x16"
    )
    most: int = setting(
        "Number of alarms of each class that are explained, the highest scores of each recording "
        "first.",
        100,
        1,
    )
    generated: int = setting(
        "Number of sounds to generate for each class that has alarms or is named: mixtures of "
        "excerpts without it that are taken for it.",
        4,
        0,
    )
    edits: bool = setting(
        "Search the smallest edit of the first excerpt of each group, as `counterfactual` does; "
        "black boxes have none.",
        True,
    )
    seed: int = setting(SEED, 0, 0, LAST_SEED)
