"""The sanity check: does an explanation show the network, or the GAN? Judges decide.

After Adebayo et al. (2018): a search for a network with shuffled weights finds examples, too. The
explained network cannot judge them, because they were not made for it; so judges decide, by two
differences of shares of their votes. Do they find the unit's concept in the real examples that
drive it most, and not in those that drive it least? Do they find it in the explanation, and less in
the examples of the shuffled network? The bounds were set by tests/benchmarks/verdicts.py.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from ganexplain.metrics.shares import share_difference

FEWEST = 24  # least number of examples, and of real ones, for a conclusion
CLEAR = 0.6  # votes for real examples that drive the unit most, minus those that drive it least
SMALL = 0.25  # least relevant difference to the shuffled network
SATURATED = 0.9  # a judge with more votes, or fewer than 1 minus this, for all is not discerning

Outcome = Literal[
    "network", "gan", "unrelated", "unmoved", "absent", "untold", "few", "unjudged", "open"
]  # fmt: skip
SILENT: tuple[Outcome, ...] = ("untold", "few", "unjudged", "open")  # the judges decide nothing
BY_VOTES: tuple[Outcome, ...] = ("network", "gan", "unrelated")

CONCLUSIONS: dict[Outcome, str] = {
    "network": "this explanation shows what the classifier has learned",
    "gan": "this explanation shows the GAN, not the classifier",
    "unrelated": "this explanation shows the GAN, not the classifier: the judges find what the "
    "neuron is named for{missing} in {strong} of the real {many} that drive it most, and in {weak} "
    "of those that drive it least",
    "unmoved": "this explanation shows the GAN, not the classifier: the neuron hardly "
    "responds to real {many}",
    "absent": "nothing tells whether this explanation shows the classifier or the GAN: the network "
    "itself finds its class in {share} of the real {many}",
    "untold": "the judges cannot tell whether this explanation shows the classifier or the GAN: "
    "the real {many} that drive the neuron most get {strong} of their votes, those that drive it "
    "least {weak}",
    "few": "there are too few examples to tell whether this explanation shows the classifier or "
    "the GAN: {examples} {many} and {real} real ones, where " + str(FEWEST) + " of each are needed",
    "unjudged": "nothing tells whether this explanation shows the classifier or the GAN: no judge "
    "that tells real {many} apart was asked (--judge of select)",
    "open": "it remains open whether this explanation shows the classifier or the GAN: more "
    "examples, or another judge, may decide",
}
UNCHECKED = (
    "nothing tells whether this explanation shows the classifier or the GAN: no re-initialised "
    "network was searched for (--controls of select)"
)


class Votes(NamedTuple):
    """Shares of judges' votes, 0 to 1, for the unit's concept in four sets of examples.

    They are the chosen setting, the re-initialised network (`control`), and the real examples that
    drive the unit most (`strong`) and least (`weak`).
    """

    chosen: float
    control: float
    strong: float
    weak: float


def is_discerning(strong: float, weak: float) -> bool:
    """Whether a judge votes differently on some real examples of strong and weak responses."""
    return max(strong, weak) > 1 - SATURATED and min(strong, weak) < SATURATED


def sanity_check(named: bool, votes: Votes, examples: int, controls: int, real: int) -> Outcome:
    """Decide from judges' votes and the numbers of examples, control examples and real examples.

    If a unit is `named`, an output unit, the judges are asked for its class: if they do not find it
    more often in the strong than in the weak examples, the network has not learned it. For another
    unit this decides nothing, because its concept may be unknown to the judges.
    """
    if min(examples, controls, real) < FEWEST:
        return "few"
    contrast = share_difference(votes.strong, real, votes.weak, real)
    gain = share_difference(votes.chosen, examples, votes.control, controls)
    if contrast[1] < CLEAR:
        return "unrelated" if named else "untold"
    if gain[1] < SMALL:
        return "gan"
    return "network" if contrast[0] > CLEAR and gain[0] > 0 else "open"
