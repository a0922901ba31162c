"""The command line: words to calls, a file for each group of commands."""
