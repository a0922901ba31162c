"""The manual, the JSON schema and starter configs, generated from the config classes."""
