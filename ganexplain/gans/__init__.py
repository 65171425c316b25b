"""The GAN, from its layers to its training."""
