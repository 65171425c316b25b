"""A corpus and networks with which a whole run takes a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ganexplain.classifiers.checkpoint import Classifier, write_classifier
from ganexplain.classifiers.picturenet import PictureNet
from ganexplain.config import RunConfig, TrainClassifierConfig, TrainGanConfig
from ganexplain.gans.checkpoint import GanFile, write_gan
from ganexplain.gans.networks import generator_for
from ganexplain.inputs.picture import ImageInput

PIXELS = ImageInput(channels=1, height=8, width=8)


def picture_run(root: Path) -> RunConfig:
    """The settings of a run on pictures of noise, with networks that have learned nothing."""
    draw = np.random.default_rng(0)
    for split, count in (("train", 12), ("valid", 4), ("test", 24)):
        for index in range(count):
            path = root / "pictures" / split / "ab"[index % 2] / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw.integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    torch.manual_seed(0)
    network, generator = PictureNet(2, PIXELS.shape).eval(), generator_for(PIXELS, channels=16)
    for weights in (*network.parameters(), *generator.parameters()):
        torch.nn.init.normal_(weights, 0, 0.2)
    made = Classifier(network, PIXELS, ("a", "b"), 0.5, {})
    write_classifier(root / "classifier.pt", made, TrainClassifierConfig(corpus=("x",)))
    gan = GanFile(generator.state_dict(), 16, 0, {}, PIXELS)
    write_gan(root / "gan.pt", gan, TrainGanConfig(corpus=("x",)))
    return RunConfig(
        corpus=(str(root / "pictures"),),
        classifier=str(root / "classifier.pt"),
        gan=str(root / "gan.pt"),
        iterations=5,
        examples=3,
        workers="1",
        device="cpu",
    )
