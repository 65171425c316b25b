"""The conditional-GAN explainer, which generates an attribution map for an input."""
