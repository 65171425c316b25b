"""Recordings, labels, features and sound."""
