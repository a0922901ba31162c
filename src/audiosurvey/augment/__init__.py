"""Augmentation of training clips, drawn for each clip from its own random stream."""
