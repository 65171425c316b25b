"""The report page: pure functions from arrays to markup, pictures and sounds."""
