"""The streams of a sound file, each as its decoder reads it completely, and whether the end of the file is missing.

libsndfile believes headers: it reads a truncated file without complaint, stops where a wrong header says so, and after
the first of several streams. Here the file is examined without decoding it.

A writer that cannot seek back (ffmpeg or sox into a pipe, a recorder that was switched off) leaves a placeholder for
the size: 0, -1, or about 2 GiB. Then nothing is promised, and what is there is the whole recording. The length of an
MP3 is never estimated: its frames are counted.
"""

from typing import BinaryIO

from audiosurvey.data.containers.byte_view import Part, Window
from audiosurvey.data.containers.flac_frames import flac_parts
from audiosurvey.data.containers.media_containers import media_part
from audiosurvey.data.containers.mp3_frames import after_tags, is_mpeg, mp3_begin, mp3_parts
from audiosurvey.data.containers.ogg_pages import ogg_parts
from audiosurvey.data.containers.promised_bytes import promise
from audiosurvey.data.containers.wav_header import missing_bytes
from audiosurvey.data.containers.wav_parts import w64_parts, wav_parts


def sound_parts(stream: BinaryIO) -> list[Part]:
    """The streams of a sound file, one after the other; the whole file where nothing has to be corrected.

    Moves the position of `stream`.
    """
    window = Window(stream)
    head = window.get(0, 12)
    whole = [Part(((0, window.size),))]
    if head[:4] == b"OggS":
        return ogg_parts(window)
    if (media := media_part(window)) is not None:
        return [media]
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return wav_parts(stream, window) or whole
    if head[:4] == b"riff":
        return w64_parts(window) or whole
    begin = after_tags(window)
    if window.get(begin, 4) == b"fLaC":
        return flac_parts(window, begin)
    found = promise(window)
    if found is not None:
        return [Part(((0, window.size),), fault=missing_bytes(window.size, *found))]
    first = mp3_begin(window)
    if first is not None:
        return mp3_parts(window, first, window.size) or whole
    # The frames of free-format MP3 cannot be counted. Without a Xing header its length is open.
    free = is_mpeg(window, begin) and not any(mark in window.get(begin, 64) for mark in (b"Xing", b"Info"))
    return [Part(((begin, window.size),), open_end=True)] if free else whole
