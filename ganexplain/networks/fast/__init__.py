"""The same function, computed quicker."""
