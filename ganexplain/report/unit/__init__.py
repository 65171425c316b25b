"""The HTML page of one unit, and the index of several units."""
