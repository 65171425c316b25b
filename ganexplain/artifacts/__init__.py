"""The files that commands pass on: one kind of file a module."""
