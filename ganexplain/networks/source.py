"""Where the network to explain is: a classifier trained here, or files of the user's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ganexplain.config import TrainExplainerConfig
from ganexplain.config.shared import BringsNetwork, NamesNetwork
from ganexplain.errors import UsageError, short_repr
from ganexplain.files.atomic import Document, file_hash
from ganexplain.inputs.specification import read_input_file
from ganexplain.networks.loaders.factories import code_of
from ganexplain.networks.loaders.formats import TORCH
from ganexplain.networks.loaders.names import is_factory, is_pretrained
from ganexplain.networks.loaders.pretrained import pretrained_files
from ganexplain.networks.loaders.weights import split_place

CODE = ("code", "features")  # of the files of a network, which may change without it


@dataclass(frozen=True)
class NetworkSource:
    """Where a network comes from: `classifier`, a file of ours, or `model`, one of the user's.

    The fields are options of the same names (`config.NamesNetwork`).
    """

    classifier: str = ""
    model: str = ""
    weights: str = ""
    input: str = ""
    trust_pickle: bool = False
    trust_features: bool = False
    backend: str = TORCH

    @classmethod
    def from_settings(cls, settings: NamesNetwork) -> NetworkSource:
        """The source that a config names; UsageError if it names none or two."""
        return cls._named(settings, settings.classifier)

    @classmethod
    def all_from_settings(cls, settings: TrainExplainerConfig) -> tuple[NetworkSource, ...]:
        """The sources of a config whose `classifier` is a tuple; errors as `from_settings`."""
        named = settings.classifier or ("",)
        return tuple(cls._named(settings, path) for path in dict.fromkeys(named))

    @classmethod
    def _named(cls, settings: BringsNetwork, classifier: str) -> NetworkSource:
        source = cls(
            classifier, settings.model, settings.weights, settings.input, settings.trust_pickle,
            settings.trust_features, settings.backend,
        )  # fmt: skip
        if bool(source.classifier) == bool(source.model):
            raise UsageError("name the network to explain: --classifier, or --model for your own")
        for option in ("weights", "input", "trust_pickle", "trust_features"):
            if getattr(source, option) and not source.model:
                flag = option.replace("_", "-")
                raise UsageError(f"--{flag}: goes with --model; a classifier.pt has all it needs")
        return source

    @classmethod
    def from_meta(
        cls, meta: Document, moved_to: str = "", trust: tuple[bool, bool] = (False, False)
    ) -> NetworkSource:
        """The source in the meta of an artifact, whose main file may have been moved.

        `trust` is for `trust_pickle` and `trust_features`. Raises UsageError for a factory that is
        not named again as `moved_to`: a factory runs code, and a file alone must not decide to run
        it.
        """
        classifier, model, weights, described, backend = (
            _text(meta, name) for name in ("classifier", "model", "weights", "input", "backend")
        )
        if is_factory(model) and not moved_to:
            raise UsageError(
                f"the explained network is made by {model}, which runs code; if you trust it, add "
                f"--classifier {model}"
            )
        if model:  # `classifier` has the same value in a meta
            return cls("", moved_to or model, weights, described, *trust, backend or TORCH)
        return cls(moved_to or classifier, "", weights, described, *trust)

    @property
    def name(self) -> str:
        """The file or the factory."""
        return self.classifier or self.model

    def files(self) -> dict[str, Path]:
        """The files of the network, by option; `code` is that of a factory, `model/...` those of
        a folder, `features` that of the function which computes its input.
        """
        named = {"classifier": self.classifier, "input": self.input}
        named["weights"] = str(split_place(self.weights)[0]) if self.weights else ""
        named["model"] = self.model if Path(self.model).is_file() else ""
        named["code"] = code_of(self.model) if is_factory(self.model) else ""
        named["features"] = code_of(self.features)
        files = {name: Path(path) for name, path in named.items() if path}
        if is_pretrained(self.model):
            files |= {f"model/{path.name}": path for path in pretrained_files(Path(self.model))}
        return files

    @property
    def features(self) -> str:
        """The function that computes its input, in the file of `input`; empty if there is none."""
        path = Path(self.input)
        return read_input_file(path)[0].features if self.input and path.is_file() else ""

    def digest(self) -> str:
        """SHA-256 of its file or, for several files, of their hashes and a factory's name."""
        files = {name: path for name, path in self.files().items() if name not in CODE}
        hashes = [file_hash(path) for _, path in sorted(files.items())]
        if set(files) in ({"classifier"}, {"model"}):
            return hashes[0]
        model = Path(self.model).name if is_factory(self.model) else self.model
        model = "" if is_pretrained(self.model) else model
        place = split_place(self.weights)[1]
        text = "\n".join([model, *hashes, *([place] if place else [])])
        return hashlib.sha256(text.encode()).hexdigest()


def _text(meta: Document, name: str) -> str:
    value = meta.get(name, "")
    if not isinstance(value, str):
        raise UsageError(f"{name} is {short_repr(value)}, not a text")
    return value


def named_source(text: str) -> NetworkSource:
    """The source that a text names: `classifier.pt` or MODEL@INPUT.toml."""
    model, _, described = text.rpartition("@")
    if model and described.endswith(".toml"):
        return NetworkSource(model=model, input=described)
    return NetworkSource(text)
