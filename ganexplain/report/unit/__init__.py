"""The page of one unit."""
