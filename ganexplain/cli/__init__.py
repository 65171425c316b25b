"""The command line."""

from ganexplain.cli.app import main

__all__ = ["main"]
