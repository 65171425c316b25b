"""How many selected pictures of each class an independent classifier takes for that class.

    python tests/benchmarks/pictures.py runs/digits/select --explanations runs/digits/explain \
        --corpus digits

The judge is a support vector machine (scikit-learn) on the pixels of the training split, which
has nothing in common with the network explained but the pictures.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.svm import SVC

from ganexplain.corpora.picture_folders import load_image_split, read_image_corpora
from ganexplain.files.arrays import read_arrays
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import front_end_from_dict
from ganexplain.runs.progress import NullProgress


def judge_of(corpus: Path, taken: ImageInput) -> tuple[SVC, float, tuple[str, ...]]:
    """A support vector machine, its accuracy on the test split, and the classes."""
    pictures = read_image_corpora([str(corpus)])
    train, test = (
        load_image_split(pictures, name, taken, NullProgress()) for name in ("train", "test")
    )
    judge = SVC(gamma="scale", C=10.0)
    judge.fit(train.pictures.reshape(len(train.pictures), -1), train.classes)
    right = judge.predict(test.pictures.reshape(len(test.pictures), -1)) == test.classes
    return judge, float(right.mean()), pictures.classes


def agreement(judge: SVC, classes: tuple[str, ...], made: Path, chosen: int) -> tuple[str, float]:
    """The class that explanations are of, and the share of the chosen setting the judge agrees."""
    arrays, meta = read_arrays(made, "explanations", ())
    drawn = arrays["mel"][chosen]
    said = judge.predict(drawn.reshape(len(drawn), -1))
    return meta["unit"], float(np.mean(said == classes.index(meta["unit"])))


def main() -> None:
    """Print a line a class and the share over all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("selection", type=Path)
    parser.add_argument("--explanations", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    arguments = parser.parse_args()
    made = sorted(arguments.explanations.glob("*/explanations.npz"))
    meta = read_arrays(made[0], "explanations", ())[1]
    taken = front_end_from_dict(made[0], meta["front_end"])
    assert isinstance(taken, ImageInput)
    judge, accuracy, classes = judge_of(arguments.corpus, taken)
    print(f"judge: {100 * accuracy:.1f} % of the test split right")
    shares, firsts = [], []
    for path in made:
        document = json.loads(
            (arguments.selection / path.parent.name / "selection.json").read_text()
        )
        name, share = agreement(judge, classes, path, document["chosen"])
        shares.append(share)
        ranks = [row["rank"] for row in document["configurations"]]
        firsts.append(agreement(judge, classes, path, ranks.index(1))[1])
        print(f"{name}: {100 * share:.0f} %")
    print(f"all: {100 * np.mean(shares):.1f} %")
    print(f"all, first of the ranking instead, ties or not: {100 * np.mean(firsts):.1f} %")


if __name__ == "__main__":
    main()
