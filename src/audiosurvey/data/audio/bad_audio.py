"""The reason why a sound file cannot be used, as an exception."""


class BadAudio(Exception):
    """A file, or a segment of it, without usable sound; `reason` says why, without the path."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MissingDecoder(BadAudio):
    """The file may be in order, but the package that reads its format is not installed."""
