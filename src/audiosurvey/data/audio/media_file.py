"""A sound file, or the sound of a video, that PyAV (FFmpeg) decodes: its first audio stream, in blocks.

The samples are those of FFmpeg's own output: where a container says how many samples at the beginning are the encoder's
delay, they are left out. PyAV is loaded with the first such file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from audiosurvey.data.audio.bad_audio import BadAudio, MissingDecoder
from audiosurvey.data.containers.byte_view import Part, View

if TYPE_CHECKING:
    from av import AudioFrame, CodecContext
    from av.container import InputContainer


class MediaFile:
    """An open file, read forward as `soundfile.SoundFile` is."""

    def __init__(self, stream: BinaryIO, part: Part, unknown_frames: int) -> None:
        """`unknown_frames`: the value of `frames`, since only decoding tells the length. Raises BadAudio."""
        try:
            import av
        except ImportError:
            need = "needs PyAV; install it with pip install 'audiosurvey[media]'"
            raise MissingDecoder(f"{part.container} ({part.codecs}) {need}") from None
        self.frames = unknown_frames
        self.format = part.container or ""
        with _decoding_errors():
            # The format is fixed, so that no playlist can name other files or addresses.
            self._container: InputContainer = av.open(
                cast(BinaryIO, View(stream, part)), "r", format=part.demuxer, metadata_errors="replace"
            )
        try:
            if not self._container.streams.audio:
                raise BadAudio("contains no sound: the file has no audio stream")
            context: CodecContext | None = self._container.streams.audio[0].codec_context
            if context is None:
                raise BadAudio("cannot be decoded (FFmpeg does not know the codec of its sound)")
            self.subtype = context.codec.canonical_name.upper()
            # The rate in the header of an HE-AAC file may be half of what is decoded.
            self._rest = self._decoded()
            self._waiting: list[np.ndarray] = []
            self.samplerate, self.channels = 0, 0
            first_SC = next(self._rest, None)
            if first_SC is None:
                raise BadAudio("contains no sound (zero frames)")
            self._waiting.append(first_SC)
        except BaseException:
            self._container.close()
            raise

    def read(self, frames: int, dtype: str = "float32", always_2d: bool = True) -> np.ndarray:
        """The next float32 (S, C): as many frames as asked for, fewer at the end, none after it.

        Raises BadAudio where the file is damaged, after the frames before.
        """
        count = sum(map(len, self._waiting))
        while count < frames:
            try:
                more_SC = next(self._rest, None)
            except BadAudio as bad:
                self._rest = _raising(bad)
                if count:
                    break
                raise
            if more_SC is None:
                break
            self._waiting.append(more_SC)
            count += len(more_SC)
        if not self._waiting:
            return np.empty((0, self.channels), np.float32)
        block_SC = np.concatenate(self._waiting)
        rest_SC = block_SC[frames:]
        self._waiting = [rest_SC] if len(rest_SC) else []
        return block_SC[:frames]

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> "MediaFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _decoded(self) -> Iterator[np.ndarray]:
        """The decoded frames (S, C) of the first audio stream."""
        sound = self._container.streams.audio[0]
        for other in self._container.streams:
            if other is not sound and hasattr(other, "discard"):  # since PyAV 16
                other.discard = type(other.discard).all  # the reader then skips the pictures of a video
        with _decoding_errors():
            for packet in self._container.demux(sound):
                if packet.is_corrupt:
                    raise BadAudio("truncated or damaged: a packet of its sound is incomplete")
                for frame in packet.decode():
                    form = frame.sample_rate, frame.layout.nb_channels
                    self.samplerate, self.channels = known = (self.samplerate, self.channels) if self.channels else form
                    if form != known:
                        raise BadAudio(
                            f"contains several streams of different formats: {known[1]} channels at {known[0]} Hz, "
                            f"then {form[1]} channels at {form[0]} Hz"
                        )
                    if frame.samples:
                        yield _samples(frame)


def _samples(frame: "AudioFrame") -> np.ndarray:
    """float32 (S, C); full scale is 1."""
    x = frame.to_ndarray()
    x_SC = x.T if frame.format.is_planar else x.reshape(-1, frame.layout.nb_channels)
    if x_SC.dtype.kind == "f":
        return x_SC.astype(np.float32)
    if x_SC.dtype == np.uint8:
        return (x_SC.astype(np.float32) - 128) / 128
    return x_SC.astype(np.float32) * np.float32(2.0 ** (1 - 8 * x_SC.dtype.itemsize))


def _raising(bad: BadAudio) -> Iterator[np.ndarray]:
    raise bad
    yield


@contextmanager
def _decoding_errors() -> Iterator[None]:
    """Turns errors of FFmpeg into BadAudio."""
    from av.error import FFmpegError

    try:
        yield
    except FFmpegError as error:
        raise BadAudio(f"cannot be decoded ({error.strerror or error})") from error
    except OSError as error:
        raise BadAudio(f"cannot be read ({error.strerror or error})") from error
    except (ValueError, RuntimeError, NotImplementedError) as error:
        raise BadAudio(f"cannot be decoded ({error})") from error
