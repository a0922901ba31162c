"""Reports as self-contained HTML pages: of a run, and of a survey."""
