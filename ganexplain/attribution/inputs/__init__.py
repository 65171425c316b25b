"""The inputs that `attribute` explains: excerpts of recordings, or pictures."""
