"""Finds the front end that computes given features of a sound."""
