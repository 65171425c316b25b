"""The explainer that is a conditional GAN: maps from inputs."""
