"""Sound files as bytes: which format they are, and how long they are."""
