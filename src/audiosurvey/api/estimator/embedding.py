"""Embeddings of sounds by a frozen network, remembered within the process.

The folds of a cross-validation and the candidates of a search share their sounds: each is embedded once.
"""

import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch

from audiosurvey.artefact.arrays import as_array, is_path
from audiosurvey.artefact.classifier import sound_wave
from audiosurvey.artefact.embedding import hash_of_body
from audiosurvey.artefact.folder import Model
from audiosurvey.data.audio.sound_file import stamp_of
from audiosurvey.errors import UserError

_MOST_BYTES = 1 << 28
Advance = Callable[[int, int | None], object]


class EmbeddingMemory:
    """Embeddings by the hash of what they are computed from; those used least recently are forgotten."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._kept: OrderedDict[bytes, torch.Tensor] = OrderedDict()
        self._lock = Lock()

    def find(self, key: bytes) -> torch.Tensor | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: bytes, embedding_WN: torch.Tensor) -> None:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = embedding_WN
                self._bytes += embedding_WN.nbytes
            while self._bytes > self._most:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes


MEMORY = EmbeddingMemory()


class Embedder:
    """The features before the classifier of a model, which is in evaluation mode."""

    def __init__(self, model: Model, batch_size: int) -> None:
        self._model, self._batch_size, self._memory = model, batch_size, MEMORY
        self._body = hash_of_body(model)

    def embed(
        self, sounds: Sequence[Any], sample_rate: int | None, advance: Advance | None = None
    ) -> list[torch.Tensor]:
        """The features (W, N) of the windows of each sound, float32, on the CPU.

        `sample_rate`: of waves, in Hz; None: that of the model. Raises UserError for a sound that cannot be read.
        """
        keys = [self._key(sound, sample_rate) for sound in sounds]
        found = {key: known for key in keys if (known := self._memory.find(key)) is not None}
        missing = {key: row for row, key in enumerate(keys) if key not in found}
        windows = self._windows(missing.values(), sounds, sample_rate, advance)
        rows: defaultdict[int, list[torch.Tensor]] = defaultdict(list)
        # A batch at a time, so that no more sound than that is in memory.
        while batch := list(islice(windows, self._batch_size)):
            for (row, _), embedding_N in zip(batch, self._embedded([wave_S for _, wave_S in batch]), strict=True):
                rows[row].append(embedding_N)
        for key, row in missing.items():
            found[key] = torch.stack(rows[row])
            self._memory.keep(key, found[key])
        return [found[key] for key in keys]

    def _key(self, sound: Any, sample_rate: int | None) -> bytes:
        """What the embedding of a sound depends on: the body, and a file as it is now, or the samples of a wave."""
        hashed = hashlib.blake2b(self._body, digest_size=20)
        if is_path(sound):
            path = Path(sound).absolute()
            hashed.update(repr((path, stamp_of(path))).encode("utf-8", "surrogateescape"))
        else:
            wave = np.ascontiguousarray(as_array(sound))
            hashed.update(repr((wave.shape, wave.dtype, sample_rate)).encode())
            hashed.update(wave.tobytes())
        return hashed.digest()

    def _windows(
        self, rows: Collection[int], sounds: Sequence[Any], sample_rate: int | None, advance: Advance | None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """The windows of these sounds, each with the number of its sound."""
        for done, row in enumerate(rows):
            if advance is not None:
                advance(done, len(rows))
            for window_S in self._model.windows(wave_in(self._model, sounds[row], row, sample_rate)):
                yield row, window_S

    def _embedded(self, windows: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(self._model.features(np.stack(windows)))


def wave_in(model: Model, sound: Any, row: int, sample_rate: int | None) -> np.ndarray:
    """A sound of X as a wave (S) at the model's rate. Raises UserError, naming the sound, if it cannot be read."""
    try:
        return sound_wave(model, sound, sample_rate)
    except UserError as error:
        raise (error if is_path(sound) else error.at(f"X[{row}]")) from None
