"""The networks, their losses, and how they are stored and applied."""
