"""The endings of names of sound files, in lower case. What a file contains is decided by its content alone."""

LIBSNDFILE_EXTENSIONS = frozenset(
    f".{name}"
    for name in (
        *("wav", "wave", "bwf", "rf64", "w64", "flac", "ogg", "oga", "opus", "mp3", "mp2"),
        *("aif", "aiff", "aifc", "au", "snd", "caf", "voc", "sph", "nist", "avr", "paf", "pvf"),
        *("svx", "8svx", "ircam", "sf", "wve", "xi"),
    )
)
"""Files that libsndfile reads; without headerless samples (.raw)."""

MEDIA_EXTENSIONS = frozenset(
    f".{name}"
    for name in (
        *("m4a", "m4b", "mp4", "m4v", "mov", "qt", "3gp", "3g2", "aac"),
        *("wma", "wmv", "asf", "webm", "mkv", "mka", "avi", "amr", "awb"),
    )
)
"""Files that PyAV reads (the extra `media`), videos among them."""

AUDIO_EXTENSIONS = LIBSNDFILE_EXTENSIONS | MEDIA_EXTENSIONS

OTHER_EXTENSIONS = frozenset({".ac3", ".ape", ".wv", ".dsf"})
"""Sounds that are not read: they get a note instead of being ignored silently."""
