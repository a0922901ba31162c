"""Shipped configs, each usable by name wherever a config file is."""
