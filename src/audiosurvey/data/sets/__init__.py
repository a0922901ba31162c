"""Data sets as tables: a file for each published set, folders of sounds and CSV files."""
