"""The axes of outputs of layers: examples, units and places."""
