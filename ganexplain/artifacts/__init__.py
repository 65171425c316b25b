"""The files that commands exchange, and the documents that they report: a module for each."""
