"""The pages of Ogg files: the streams of "chained" files, and whether the end is there.

libsndfile reads only the first of several streams that follow each other (joined files, recorded internet radio).
"""

from audiosurvey.data.containers.byte_view import Part, Window

_FIRST, _LAST = 2, 4
"""Flags of a page."""


def ogg_parts(window: Window) -> list[Part]:
    """The streams of a file that begins with an Ogg page, one after the other."""
    parts: list[Part] = []
    place = begin = 0
    fault: str | None = None
    sounding, flags, found = False, 0, 0
    while (place := window.find(b"OggS\0", place, window.size)) >= 0:
        size, page_flags = _page(window, place)
        if size is None:
            fault = "truncated: the last page of the Ogg stream is incomplete"
            break
        if page_flags & _FIRST and sounding:
            # Streams that play together all have their first pages before any other page.
            parts.append(_part(begin, place, flags, fault))
            begin, sounding, fault = place, False, None
        sounding = sounding or not page_flags & _FIRST
        flags, found, place = page_flags, found + 1, place + size
    if found < 2 and window.size > 1 << 17:
        fault = fault or "truncated or damaged: no page of the Ogg stream near its end"
    parts.append(_part(begin, window.size, flags, fault))
    return parts


def _part(begin: int, end: int, flags: int, fault: str | None) -> Part:
    if fault is None and not flags & _LAST:
        fault = "truncated: the Ogg stream has no end-of-stream page"
    return Part(((begin, end),), fault=fault)


def _page(window: Window, place: int) -> tuple[int | None, int]:
    """The size of the page, None where it goes beyond the end, and its flags."""
    header = window.get(place, 27)
    if len(header) < 27:
        return None, 0
    table = window.get(place + 27, header[26])
    size = 27 + len(table) + sum(table)
    if len(table) < header[26] or place + size > window.size:
        return None, header[5]
    return size, header[5]
