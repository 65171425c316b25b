"""The elements of HTML pages."""
