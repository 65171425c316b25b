"""Torture: every stage hit by every fault, every reader fed with anything, round after round.

    python -m tests.torture [--minutes N] [--only PART] [--seed N]

A part is a function from a `Room` to `Round`s; what they are and how they ended is counted.
"""
