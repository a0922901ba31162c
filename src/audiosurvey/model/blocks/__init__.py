"""The blocks of the grammar that belong to no family of networks."""
