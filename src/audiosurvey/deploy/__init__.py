"""From a trained network to something people use."""
