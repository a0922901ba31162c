"""Sound containers at the level of bytes: where frames and streams begin and end, and what headers declare."""
