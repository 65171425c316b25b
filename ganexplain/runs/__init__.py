"""One run on one machine or many: its directory, its record, its processes."""
