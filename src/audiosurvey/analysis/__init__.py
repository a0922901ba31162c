"""Analyses of finished runs that need networks or sounds; each is stored in `RUN/analysis` and read by reports."""
