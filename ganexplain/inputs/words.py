"""The words of a report: what the examples are, and the sense that takes them in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """How one kind of input is spoken of; texts of the page have the names in braces."""

    one: str  # "excerpt"
    many: str
    whole: str  # what one is: "sound"
    sources: str  # what they were taken from: "recordings"
    elsewhere: str  # said of real ones that no search saw
    perceive: str
    perceives: str
    perceived: str
    sense: str  # what one perceives with: "ear"
    description: str  # what the descriptors of one are of
    looks_for: str  # what a judge does
    heading: str
    alike: str  # what the GAN keeps examples like
    reality: str
    generated: str  # what the generator makes
    picked_by: str  # by what examples could be picked
    input_table: str  # title of the table of what an input is
    folders: int  # of a real one's file that its name includes

    def fill(self, text: str, **more: object) -> str:
        """A text with its names filled in, and with `more`."""
        return text.format(**vars(self), **more)


SOUND = Words(
    one="excerpt", many="excerpts", whole="sound", sources="recordings",
    elsewhere="of other recordings",
    perceive="hear", perceives="hears", perceived="heard", sense="ear", looks_for="Listens for",
    description="spectrum and modulation",
    heading="See and hear", alike="music", reality="real sound", generated="sound excerpts",
    picked_by="eye or ear", input_table="Front end and sound", folders=0,
)  # fmt: skip
PICTURES = Words(
    one="picture", many="pictures", whole="picture", sources="pictures",
    elsewhere="of other files",
    perceive="see", perceives="sees", perceived="seen", sense="eye", looks_for="Looks for",
    description="rows of pixels",
    heading="See", alike="real pictures", reality="real pictures", generated="pictures",
    picked_by="eye", input_table="Pictures", folders=1,
)  # fmt: skip
