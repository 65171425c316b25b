"""The words of a report: what the examples are, and the sense that takes them in."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain.inputs.kinds import Input
from ganexplain.inputs.picture import ImageInput


@dataclass(frozen=True)
class Words:
    """How one kind of input is spoken of; texts of the page have the names in braces."""

    one: str  # "excerpt"
    many: str
    sources: str  # what they were taken from: "recordings"
    elsewhere: str  # said of real ones that no search saw
    perceive: str
    perceives: str
    sense: str  # what one perceives with: "ear"
    looks_for: str  # what a judge does
    heading: str
    alike: str  # what the GAN keeps examples like
    reality: str

    def fill(self, text: str, **more: object) -> str:
        """A text with its names filled in, and with `more`."""
        return text.format(**vars(self), **more)


SOUND = Words(
    one="excerpt", many="excerpts", sources="recordings", elsewhere="of other recordings",
    perceive="hear", perceives="hears", sense="ear", looks_for="Listens for",
    heading="See and hear", alike="music", reality="real sound",
)  # fmt: skip
PICTURES = Words(
    one="picture", many="pictures", sources="pictures", elsewhere="kept from training",
    perceive="see", perceives="sees", sense="eye", looks_for="Looks for",
    heading="See", alike="real pictures", reality="real pictures",
)  # fmt: skip


def words_for(input_spec: Input) -> Words:
    """The words for what a GAN draws."""
    return PICTURES if isinstance(input_spec, ImageInput) else SOUND
