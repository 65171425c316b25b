"""The splits that a generator or an explainer learns from and is tried on, as inputs."""

from __future__ import annotations

from ganexplain.config.shared import Trains
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.features import FeatureWorkers
from ganexplain.corpora.interfaces import AnyCorpus, AnySplit
from ganexplain.corpora.load import load_split
from ganexplain.inputs.base import Input

TRAINING_SPLITS = ("train", "valid")


def load_training_splits(
    config: Trains, corpus: AnyCorpus, input_spec: Input, features: FeatureWorkers
) -> dict[str, AnySplit]:
    """The splits by name; errors as `load_split`."""
    cache = cache_directory(config.cache)
    features.fill(corpus, TRAINING_SPLITS, input_spec, cache)
    return {
        name: load_split(corpus, name, input_spec, cache, features.progress, config.skip_bad_files)
        for name in TRAINING_SPLITS
    }
