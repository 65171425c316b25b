"""Inputs on the other side of a decision: latents and excerpts that cross its boundary."""
