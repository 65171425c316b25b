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

    In a corpus without labels, every excerpt counts as one without the class. If labels name the
    class, only excerpts that are wholly labelled as something else count. The bands and times that
    cause an alarm are removed from the recording, and the rest is written to a file, read and
    passed through the network again. No gradient is needed. Finished recordings are kept for
    --resume.
    """

    corpus: tuple[str, ...] = setting(
        "Recordings: folder of sound files, folder in the Jamendo layout (audio, labels, "
        "filelists), or CSV manifest; repeat for several.",
        reads=True,
    )
    target: tuple[str, ...] = setting(
        "Class, or all; repeat for several. Default: the second of two classes, otherwise all; "
        "required if the network always finds one of more than two classes and the corpus has no "
        "labels of them.",
        (),
    )
    outputs: str = setting(OUTPUTS, "auto")
    level: float = setting(
        "With `--outputs activations`: value of a unit above which it is an alarm.", 0.5
    )
    hop_seconds: float = setting(
        "Seconds between the starts of successive excerpts; 0: one excerpt after another. A rest "
        "of a recording that is shorter than an excerpt is not used.",
        0.0,
        0,
        DAY,
    )
    segments: str = setting(
        "Segments of which a cause consists: columns x rows (times x bands).", "8x16"
    )
    most: int = setting(
        "Maximum number of alarms that are explained for each class, the highest score of each "
        "recording first.",
        100,
        1,
    )
    generated: int = setting(
        "Number of sounds to generate for each class that has alarms or is named: mixtures of "
        "excerpts without the class that the network takes for it.",
        4,
        0,
    )
    edits: bool = setting(
        "Find the smallest edit that ends the first alarm of each group, as `counterfactual` does "
        "(not for black boxes).",
        True,
    )
    seed: int = setting(SEED, 0, 0, LAST_SEED)
