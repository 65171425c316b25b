"""Formats of sound files: types, lengths and damage, read from their bytes."""
