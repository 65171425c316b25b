"""Does an explanation show the network, or the GAN? Decided by networks that are not explained.

After Adebayo et al. (2018): a search for a network of shuffled weights finds examples too. To the
network explained these never look right, for they were not made for it; so judges decide, by two
differences between shares of their votes. Do they find what the unit stands for in the real
examples that drive it most, and not in those that drive it least? And do they find it in the
explanation, and less in the examples of the shuffled network? The bounds were set by
tests/benchmarks/verdicts.py.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from ganexplain.report.html.shares import share_difference

FEWEST = 24  # examples, and real ones, that a claim needs
CLEAR = 0.6  # votes for real examples that drive the unit most, minus those that drive it least
SMALL = 0.25  # a smaller difference to the shuffled network is none
SATURATED = 0.9  # a judge that votes so, or so seldom, for all real examples tells nothing apart

Outcome = Literal["network", "gan", "unrelated", "unmoved", "untold", "few", "unjudged", "open"]
SILENT: tuple[Outcome, ...] = ("untold", "few", "unjudged", "open")  # the judges decide nothing

CONCLUSIONS: dict[Outcome, str] = {
    "network": "this explanation shows what the classifier has learned",
    "gan": "this explanation shows the GAN, not the classifier",
    "unrelated": "this explanation shows the GAN, not the classifier: the judges find what the "
    "neuron is named for{missing} in {strong} of the real {many} that drive it most, and in {weak} "
    "of those that drive it least",
    "unmoved": "this explanation shows the GAN, not the classifier: to real {many} the neuron "
    "hardly responds",
    "untold": "the judges cannot tell whether this explanation shows the classifier or the GAN: "
    "the real {many} that drive the neuron most get {strong} of their votes, those that drive it "
    "least {weak}",
    "few": "there are too few examples to tell whether this explanation shows the classifier or "
    "the GAN: {examples} {many} and {real} real ones, where " + str(FEWEST) + " of each are needed",
    "unjudged": "nothing tells whether this explanation shows the classifier or the GAN: no judge "
    "was asked (--judge of select) that tells real {many} apart",
    "open": "it remains open whether this explanation shows the classifier or the GAN: more "
    "examples, or another judge, may tell",
}


class Votes(NamedTuple):
    """Shares of judges' votes, 0 to 1, for what the unit stands for.

    In the examples of the setting chosen, those of the re-initialised network, and the real ones
    that drive the unit most (`strong`) and least (`weak`).
    """

    chosen: float
    control: float
    strong: float
    weak: float


def tells_apart(strong: float, weak: float) -> bool:
    """Whether a judge votes differently on some real examples of strong and weak responses."""
    return max(strong, weak) > 1 - SATURATED and min(strong, weak) < SATURATED


def sanity_check(named: bool, votes: Votes, examples: int, controls: int, real: int) -> Outcome:
    """What judges' votes say of an explanation, by the numbers of examples voted on.

    Of a unit that is `named`, an output unit, the judges are asked for its class: where they do
    not find it more often in the strong than in the weak ones, the network has not learned it. Of
    another unit that says nothing, for what drives it need not be what the judges know.
    """
    if min(examples, controls, real) < FEWEST:
        return "few"
    heard = share_difference(votes.strong, real, votes.weak, real)
    gain = share_difference(votes.chosen, examples, votes.control, controls)
    if heard[1] < CLEAR:
        return "unrelated" if named else "untold"
    if gain[1] < SMALL:
        return "gan"
    return "network" if heard[0] > CLEAR and gain[0] > 0 else "open"
