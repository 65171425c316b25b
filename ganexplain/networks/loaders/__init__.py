"""Readers of network files of any origin."""
