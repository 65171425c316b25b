"""Signal functions: reading, log-mel, filters, and sound from a log-mel."""
