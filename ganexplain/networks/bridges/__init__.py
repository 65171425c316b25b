"""Conversions of a GAN's output to what a network takes."""
