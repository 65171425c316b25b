"""Networks of any origin: loading, adapting, and reading the responses of units."""
