"""Networks that are trained to explain."""
