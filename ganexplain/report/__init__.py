"""Reports: HTML pages, SVG charts, PNG pictures and tables as text."""
