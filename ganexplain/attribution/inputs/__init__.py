"""What is explained: excerpts of recordings, or pictures."""
