"""General building blocks of networks."""
