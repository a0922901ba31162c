"""Building blocks shared by HTML pages and figures: templates, colours, players, spectrogram images."""
