"""How a network is called, whether it repeats itself, and what its code does to gradients."""
