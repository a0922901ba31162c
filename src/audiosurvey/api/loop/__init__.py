"""The parts of a training, for a loop of one's own: front end, augmentation, network, data sets, losses, splits."""
