"""What a network takes in and a GAN draws: log-mel excerpts, waveforms or pictures."""
