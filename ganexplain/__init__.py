"""Activation maximisation with a GAN prior, selected automatically, for audio networks."""

__version__ = "0.1.0"
