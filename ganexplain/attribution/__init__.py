"""Why a network decides as it does on one input."""
