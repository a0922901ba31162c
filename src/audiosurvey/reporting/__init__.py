"""What a user sees of a run: progress, tables, pictures, previews. Nothing that trains imports this."""
