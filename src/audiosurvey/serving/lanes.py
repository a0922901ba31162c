"""Scores the sounds of many requests: short ones that wait at the same time together, long ones one after another.

A long sound has a lane, a thread, of its own, so that short ones do not wait for it.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import closing
from dataclasses import dataclass, field, replace

import torch

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.prediction.sources import SoundSource
from audiosurvey.prediction.window_scoring import WindowGroup, Windowing, score_sources


@dataclass
class _Waiting:
    source: SoundSource
    windowing: Windowing
    scored: "Future[list[WindowGroup]]" = field(default_factory=Future)


class Lane:
    """A thread that scores sounds in the order in which they come, up to `most` of them together."""

    def __init__(
        self, model: Classifier, most: int, *, threads: int | None, taken: Callable[[int], object] = lambda sounds: None
    ) -> None:
        """`threads`: of torch, None: its own number; `taken`: called with the number of sounds of each batch."""
        self._model, self._most, self._threads, self._taken = model, most, threads, taken
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="audiosurvey-lane", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def score(self, source: SoundSource, windowing: Windowing) -> "Future[list[WindowGroup]]":
        """The windows of a sound with their scores; sounds scored together have the same windowing."""
        one = _Waiting(source, windowing)
        with self._changed:
            if self._closed:
                one.scored.cancel()
                return one.scored
            self._waiting.append(one)
            self._changed.notify()
        return one.scored

    def close(self) -> None:
        """Ends the thread after the windows that it scores now; sounds that are not done are cancelled."""
        with self._changed:
            self._closed = True
            for one in self._waiting:
                one.scored.cancel()
            self._waiting.clear()
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        while batch := self._next():
            self._taken(len(batch))
            try:
                found = self._scores(batch)
            # Whatever goes wrong is answered to those who wait; the lane must go on.
            except Exception as error:
                for one in batch:
                    one.scored.set_exception(error)
            else:
                for one, groups in zip(batch, found, strict=True):
                    one.scored.set_result(groups)

    def _next(self) -> list[_Waiting]:
        """The next batch; empty when the lane is closed."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return []
                if batch := self._taken_from_queue():
                    return batch

    def _taken_from_queue(self) -> list[_Waiting]:
        """Those at the head of the queue with one windowing, without requests that were given up."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._most:
            if batch and self._waiting[0].windowing != batch[0].windowing:
                break
            one = self._waiting.popleft()
            if one.scored.set_running_or_notify_cancel():
                batch.append(one)
        return batch

    def _scores(self, batch: Sequence[_Waiting]) -> list[list[WindowGroup]]:
        found: list[list[WindowGroup]] = [[] for _ in batch]
        left = len(batch)
        sources = [one.source for one in batch]
        with closing(score_sources(self._model, sources, batch[0].windowing)) as scored:
            for groups in scored:
                for group in groups:
                    found[group.sound].append(replace(group, sound=0))
                left -= sum(group.done for group in groups)
                if self._closed and left:
                    raise CancelledError
        return found
