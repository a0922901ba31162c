"""What is in a sound file: its streams, each as libsndfile reads it whole, and whether the end is there.

libsndfile believes headers: it reads a file that was cut short without a word, so that a broken download would train
as a shorter clip; it stops where a wrong header says so, and after the first of several streams. Here the file is
looked at without decoding it. Enters: an open file; leaves: its parts (`byte_view.Part`), with a plain reason for each
that ends before its header says so.

A writer that cannot seek back (ffmpeg or sox into a pipe, a recorder that was switched off) leaves a placeholder for
the size: 0, -1, or about 2 GiB. Nothing is promised then, and what is there is taken as the whole recording. The length
of an MP3 is never estimated: its frames are counted.
"""

from typing import BinaryIO

from audiosurvey.data.audio.byte_view import Part, Window
from audiosurvey.data.audio.flac_frames import flac_parts
from audiosurvey.data.audio.mp3_frames import after_tags, is_mpeg, mp3_begin, mp3_parts
from audiosurvey.data.audio.ogg_pages import ogg_parts
from audiosurvey.data.audio.promised_bytes import promise
from audiosurvey.data.audio.wav_header import is_placeholder
from audiosurvey.data.audio.wav_parts import w64_parts, wav_parts


def sound_parts(stream: BinaryIO) -> list[Part]:
    """The streams of a sound file, one after the other; the whole file where nothing is to be mended.

    Moves the position of `stream`.
    """
    window = Window(stream)
    head = window.get(0, 12)
    whole = [Part(((0, window.size),))]
    if head[:4] == b"OggS":
        return ogg_parts(window)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return wav_parts(stream, window) or whole
    if head[:4] == b"riff":
        return w64_parts(window) or whole
    begin = after_tags(window)
    if window.get(begin, 4) == b"fLaC":
        return flac_parts(window, begin)
    found = promise(window)
    if found is not None:
        return [Part(((0, window.size),), fault=_missing(window.size, *found))]
    first = mp3_begin(window)
    if first is not None:
        return mp3_parts(window, first, window.size) or whole
    # MP3 of free format: its frames cannot be counted. Without a Xing header its length is open.
    free = is_mpeg(window, begin) and not any(mark in window.get(begin, 64) for mark in (b"Xing", b"Info"))
    return [Part(((begin, window.size),), open_end=True)] if free else whole


def _missing(size: int, begin: int, promised: int) -> str | None:
    there = max(0, size - begin)
    if promised <= there or is_placeholder(promised):
        return None
    return f"cut short: its header promises {promised} bytes of sound, {there} are there"
