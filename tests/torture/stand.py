"""The stages as they are tortured: each with small settings, and what an undisturbed run gives."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile as sf

from .process import Running, start

ROOT = Path(__file__).parent.parent.parent
SAMPLE = ROOT / "sample_data"
PRETRAINED = SAMPLE / "pretrained"
SECONDS = 6.0
SPLITS = {
    "train": ("mix_abe_calmrace", "mix_lea_caribbean"),
    "valid": ("mix_kai_palace",),
    "test": ("mix_rob_madness",),
}
NETWORKS = f"--classifier {PRETRAINED}/classifier.pt --gan {PRETRAINED}/gan.pt"
SEARCH = (
    f"explain {NETWORKS} --layer fc8 --learning-rate 0.1 --learning-rate 0.01 "
    "--prior-weight 0.01 --iterations 2 --iterations 4 --examples 3"
)
UNITS = f"{SEARCH} --neuron 1,3 --direction both"


@dataclass(frozen=True)
class Stage:
    """A stage, its words but for `--out`, and with what it is taken up after a fault."""

    name: str
    words: str
    again: str = "--overwrite"
    afresh: bool = False  # it starts processes itself, which a forked one cannot well


STAGES = (
    Stage(
        "train-classifier",
        "train-classifier corpus --epochs 3 --updates-per-epoch 3 --batch-size 4 "
        "--checkpoint-every 2",
        "--resume",
    ),
    Stage(
        "train-gan",
        f"train-gan corpus --classifier {PRETRAINED}/classifier.pt --batch-size 4 "
        "--autoencoder-steps 3 --steps 6 --sample-every 3 --encoder-steps 2 --checkpoint-every 2",
        "--resume",
    ),
    Stage("explain", f"{SEARCH} --neuron 1 --batch-size 2 --jobs 1", "--resume"),
    Stage("explain, 4 units", f"{UNITS} --batch-size 2 --jobs 1", "--resume"),
    Stage("explain --jobs 2", f"{UNITS} --batch-size 6 --jobs 2", "--resume", afresh=True),
    Stage("explain --shard", f"{UNITS} --batch-size 2 --jobs 1 --shard 0/1", ""),
    Stage(
        "responses",
        f"responses corpus --classifier {PRETRAINED}/classifier.pt --layer fc8 "
        "--neuron 1,3 --top 3 --hop-frames 40",
    ),
    Stage(
        "train-explainer",
        f"train-explainer corpus --classifier {PRETRAINED}/classifier.pt --examples 4 "
        "--held-out 2 --occlusion-grid 2 --width 8 --steps 4 --batch-size 2 --look-every 2 "
        "--checkpoint-every 2",
        "--resume",
    ),
    Stage(
        "train-explainer, parts",
        f"train-explainer corpus --classifier {PRETRAINED}/classifier.pt --method parts "
        "--targets fc8 --held-out 2 --top 1 --shown 1 --steps 4 --batch-size 2 --look-every 2 "
        "--checkpoint-every 2",
        "--resume",
    ),
    Stage(
        "select",
        "select ready/explain --corpus corpus --hop-frames 40 --top 3 "
        f"--judge {PRETRAINED}/referee.pt",
    ),
    Stage(
        "select, 4 units",
        "select ready/explain-4-units --corpus corpus --hop-frames 40 --top 3 --no-controls",
    ),
    Stage(
        "report",
        "report ready/explain --selection ready/select --examples 1 --heard 1 "
        "--griffin-lim-iterations 3",
    ),
    Stage(
        "attribute",
        "attribute corpus/audio/mix_rob_madness.wav@3 --method lime --method elime "
        "--segments 4x2 --samples 40 --truth corpus/labels "
        f"--classifier {PRETRAINED}/classifier.pt",
    ),
    Stage("select of attribute", "select ready/attribute --by faithfulness"),
    Stage(
        "predict",
        "predict corpus/audio/mix_rob_madness.wav corpus/audio/mix_kai_palace.wav "
        f"--classifier {PRETRAINED}/classifier.pt",
    ),
    Stage(
        "counterfactual",
        "counterfactual --start-from corpus/audio/mix_rob_madness.wav@1.5 "
        f"{NETWORKS} --on gan --iterations 4 --refine-steps 4 --griffin-lim-iterations 3",
    ),
    Stage("rerun", "rerun ready/explain"),
)


class Stand:
    """A folder with a corpus of real music, an undisturbed run of each stage, and room for others.

    The runs stand in `ready/STAGE`; `seconds` says how long each took.
    """

    def __init__(self, folder: Path, names: Sequence[str] = ()) -> None:
        self.folder, self.runs = folder, 0
        self.temporary, self.cache = folder / "tmp", folder / "cache"
        for path in (folder / "ready", folder / "runs", self.temporary):
            path.mkdir()
        cut_corpus(folder / "corpus")
        self.stages = [stage for stage in STAGES if not names or stage.name in names]
        self.seconds: dict[str, float] = {}
        read = " ".join(stage.words for stage in self.stages) + " ready/explain"
        for stage in STAGES:
            if stage in self.stages or f"ready/{self.ready(stage).name} " in f"{read} ":
                self._prepare(stage)

    def _prepare(self, stage: Stage) -> None:
        out = self.ready(stage)
        before = time.monotonic()
        running = self.start(stage, out)
        if running.wait() != 0:
            raise RuntimeError(f"{stage.name} undisturbed ended with {running.said}")
        self.seconds[stage.name] = time.monotonic() - before

    def ready(self, stage: Stage) -> Path:
        """The directory of the undisturbed run."""
        return self.folder / "ready" / re.sub("[^a-z0-9]+", "-", stage.name)

    def new_run(self) -> Path:
        """Where another run may go."""
        self.runs += 1
        return self.folder / "runs" / str(self.runs)

    def start(
        self,
        stage: Stage,
        out: Path,
        more: str = "",
        cache: Path | None = None,
        afresh: bool = False,
        **limits: int,
    ) -> Running:
        """Start a stage; keywords as `process.start`."""
        environment = {
            "XDG_CACHE_HOME": str(cache or self.cache),
            "TMPDIR": str(self.temporary),
            "OMP_NUM_THREADS": "1",
            "NO_COLOR": "1",
            "MPLCONFIGDIR": str(self.cache / "matplotlib"),
            "TORCHINDUCTOR_CACHE_DIR": str(self.cache / "inductor"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        words = [*stage.words.split(), "--out", str(out), "--quiet", *more.split()]
        said_in = self.folder / "runs" / f"said-{self.runs}-{time.monotonic_ns()}.txt"
        return start(words, self.folder, said_in, environment, afresh or stage.afresh, **limits)


def cut_corpus(root: Path) -> None:
    """Six seconds from each of four recordings of `sample_data/`, in the Jamendo layout."""
    for name in ("audio", "labels", "filelists"):
        (root / name).mkdir(parents=True)
    for split, names in SPLITS.items():
        (root / "filelists" / split).write_text("".join(f"{name}.wav\n" for name in names))
        for name in names:
            sound, rate = sf.read(SAMPLE / "audio" / f"{name}.ogg", stop=-1)
            lines = (SAMPLE / "labels" / f"{name}.lab").read_text().splitlines()
            spans = [(float(a), float(b), label) for a, b, label in map(str.split, lines)]
            # Around the first change, so that each piece has both classes.
            first = max(0.0, spans[0][1] - SECONDS / 2)
            piece = sound[round(first * rate) : round((first + SECONDS) * rate)]
            sf.write(root / "audio" / f"{name}.wav", piece, rate)
            kept = [
                (max(a - first, 0.0), min(b - first, SECONDS), label)
                for a, b, label in spans
                if b > first and a < first + SECONDS
            ]
            (root / "labels" / f"{name}.lab").write_text(
                "".join(f"{a:.3f} {b:.3f} {label}\n" for a, b, label in kept)
            )
