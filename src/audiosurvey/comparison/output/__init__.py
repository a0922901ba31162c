"""A comparison as tables on the terminal, CSV and JSON files, and HTML pages."""
