"""Containers of sound read by their bytes: where frames and streams begin and end, and what the headers promise."""
