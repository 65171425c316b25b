"""The classifiers that can be trained here, by the name a checkpoint carries."""

from __future__ import annotations

from ganexplain.classifiers.base import ExcerptNet
from ganexplain.classifiers.compactnet import CompactNet
from ganexplain.classifiers.picturenet import PictureNet
from ganexplain.classifiers.svdnet import SVDNet
from ganexplain.inputs.kinds import Input

ARCHITECTURES: dict[str, type[SVDNet] | type[CompactNet] | type[PictureNet]] = {
    "svdnet": SVDNet,
    "compactnet": CompactNet,
    "picturenet": PictureNet,
}
OF_SOUND = ("svdnet", "compactnet")


def build(architecture: str, outputs: int, taken: Input) -> ExcerptNet:
    """The network of that name; pictures need one for their shape."""
    kind = ARCHITECTURES[architecture]
    if issubclass(kind, PictureNet):
        return kind(outputs, taken.shape)
    return kind(outputs)


def architecture_of(network: ExcerptNet) -> str:
    """The name under which the network's class is known."""
    return next(name for name, kind in ARCHITECTURES.items() if isinstance(network, kind))
