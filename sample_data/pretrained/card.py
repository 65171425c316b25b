"""What the model card says of the GAN: figures against held-out excerpts, and sixteen samples.

    python sample_data/pretrained/card.py sample_data CORPUS

Held out are the test splits of the corpora named. The samples are those of seeds 0 to 15, the
starts of `explain --seed 0`, whatever they look and sound like: samples.png and samples.flac.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ganexplain.ascent.engine import start_latents
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import read_corpora
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.files.atomic import write_bytes
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.validation import Validation
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.pictures.sample_sheet import sample_sheet, sample_sounds
from ganexplain.runs.progress import NullProgress

HERE = Path(__file__).parent
SAMPLES, ROW = 16, 8


def main() -> None:
    """Print the figures and write the two sheets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--gan", type=Path, default=HERE / "gan.pt")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    cpu = torch.device("cpu")
    generator, front_end = load_generator(arguments.gan, cpu)
    corpus = read_corpora(arguments.corpus)
    train, test = (
        load_log_mel_split(corpus, name, FrontEnd(), cache_directory(""), NullProgress())
        for name in ("train", "test")
    )
    for name in ("classifier", "judge", "referee"):
        network = load_classifier(HERE / f"{name}.pt", cpu).network
        validation = Validation(0, train, test, cpu, network)
        figures = validation.measure(generator) | validation.reference()
        samples, floor = figures["held_out"], figures["floor"]
        print(
            f"{name}: Frechet distance to test excerpts: samples {samples:.2f}, training "
            f"excerpts {floor:.2f} (ratio {samples / floor:.2f}); responses "
            f"{figures['response_mean']:.2f} +- {figures['response_std']:.2f}, real "
            f"{figures['real_response_mean']:.2f} +- {figures['real_response_std']:.2f} (ratio "
            f"{figures['response_std'] / figures['real_response_std']:.2f})"
        )
    nearest = validation.nearest(generator)
    print(
        f"nearest training excerpt {nearest['nearest_training']:.3f}, held-out "
        f"{nearest['nearest_held_out']:.3f}; held-out to training "
        f"{nearest['held_out_to_training']:.3f}; diversity {figures['diversity']:.2f}"
    )
    with torch.no_grad():
        drawn = generator(torch.from_numpy(start_latents(0, SAMPLES, LATENT_SIZE))).numpy()
    rows = {"seeds 0 to 7": drawn[:ROW], "seeds 8 to 15": drawn[ROW:]}
    write_bytes(arguments.out / "samples.png", sample_sheet(rows, front_end))
    write_bytes(arguments.out / "samples.flac", sample_sounds(drawn, front_end))
    assert np.isfinite(drawn).all()


if __name__ == "__main__":
    main()
