"""Sound files: decoding, integrity checks, resampling, windows."""
