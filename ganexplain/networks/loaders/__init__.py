"""Networks in the files of other people."""
