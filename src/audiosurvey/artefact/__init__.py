"""The model folder: what is saved with a trained network, and how it is loaded and used."""
