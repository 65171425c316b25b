"""What `select` weighs."""
