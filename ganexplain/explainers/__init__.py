"""Networks that are trained to explain another network."""
