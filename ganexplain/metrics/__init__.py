"""Numbers from numbers: detection, distances of distributions, intervals."""
