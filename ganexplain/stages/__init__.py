"""The commands: one file for each, which reads artifacts, computes and writes artifacts."""
