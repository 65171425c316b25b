"""The classifiers that can be trained here, by the name a checkpoint carries."""

from __future__ import annotations

from ganexplain.models.compactnet import CompactNet
from ganexplain.models.excerptnet import ExcerptNet
from ganexplain.models.svdnet import SVDNet

ARCHITECTURES: dict[str, type[SVDNet] | type[CompactNet]] = {
    "svdnet": SVDNet,
    "compactnet": CompactNet,
}


def architecture_of(network: ExcerptNet) -> str:
    """The name under which the network's class is known."""
    return next(name for name, kind in ARCHITECTURES.items() if isinstance(network, kind))
