"""Activation maximisation: the search of the latent space."""
