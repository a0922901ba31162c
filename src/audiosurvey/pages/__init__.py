"""Building blocks shared by HTML pages, figures and tables: templates, colours, players, spectrograms, columns."""
