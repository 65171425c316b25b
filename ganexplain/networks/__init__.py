"""Any network, and what is read from it."""
