"""Descriptions of the input of a network: found, compared and checked."""
