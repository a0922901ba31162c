"""The sounds of a page: each is embedded once, however often it is shown, within a budget of bytes."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np

from audiosurvey.data.audio.decoding import resample
from audiosurvey.pages.rendering import make_player

PLAY_RATE = 16_000
LONG_S, SHORT_S = 5.0, 2.0
"""Sounds are cut to the first, and to the second once half of the budget is used."""


@dataclass(frozen=True)
class BankedSound:
    """A sound of the page, for the macro `sound` of `sounds.html`."""

    number: int
    """Its place in the list of all sounds."""
    outline: str
    columns: int
    height: int
    seconds: float


class SoundBank:
    """Collects sounds. `budget`: bytes of the page that they may take up; 0: no sounds."""

    def __init__(self, budget: int) -> None:
        self.uris: list[str] = []
        self.left_out = 0
        """Sounds that did not fit."""
        self.shortened = 0
        """Sounds cut to `SHORT_S`."""
        self.budget = budget
        self.used = 0
        self._full = False
        """Whether a sound did not fit; then no other is read."""
        self._known: dict[Hashable, BankedSound | None] = {}

    def add(self, key: Hashable, read: Callable[[], np.ndarray], sample_rate: int) -> BankedSound | None:
        """The sound of this key, read only if it is new; None if it does not fit, has no samples, or there are none.

        `read` returns a mono wave (S) with full scale 1 at `sample_rate` Hz.
        """
        if self.budget <= 0:
            return None
        if key not in self._known:
            self._known[key] = self._made(read, sample_rate)
        return self._known[key]

    def _made(self, read: Callable[[], np.ndarray], sample_rate: int) -> BankedSound | None:
        if self._full:
            self.left_out += 1
            return None
        short = self.used > self.budget / 2
        wave_S = read()
        if not len(wave_S):
            return None
        most = round((SHORT_S if short else LONG_S) * sample_rate)
        cut_S = wave_S[:most]
        if sample_rate > PLAY_RATE:
            cut_S, sample_rate = resample(cut_S, sample_rate, PLAY_RATE), PLAY_RATE
        player = make_player(cut_S, sample_rate, "")
        size = len(player.uri) + len(player.outline)
        if self.used + size > self.budget:
            self._full = True
            self.left_out += 1
            return None
        self.shortened += short and len(wave_S) > most
        self.used += size
        self.uris.append(player.uri)
        seconds = len(cut_S) / sample_rate
        return BankedSound(len(self.uris) - 1, player.outline, player.columns, player.height, seconds)

    @property
    def note(self) -> str:
        """What was shortened or left out; empty if nothing was."""
        parts = []
        if self.shortened:
            parts.append(f"{_sounds(self.shortened)} cut to {SHORT_S:g} s")
        if self.left_out:
            parts.append(f"{_sounds(self.left_out)} left out")
        return f"{' and '.join(parts)}, to keep this page small." if parts else ""


def _sounds(count: int) -> str:
    return "1 sound is" if count == 1 else f"{count} sounds are"
