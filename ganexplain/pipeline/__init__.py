"""Several stages one after the other: their settings, and how long they take."""
