"""Atomic writing and checked reading of files."""
