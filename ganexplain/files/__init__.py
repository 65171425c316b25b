"""How anything is written whole and read safely."""
