"""From an uploaded sound to the answer: the JSON of `audiosurvey predict --format json`."""

import asyncio
import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.data.audio.decoding import BadAudio, Mono
from audiosurvey.errors import UserError
from audiosurvey.prediction.array_source import ArraySource
from audiosurvey.prediction.options import PredictOptions
from audiosurvey.prediction.postprocessing import FailedSound, make_predictions
from audiosurvey.prediction.sources import SoundSource
from audiosurvey.prediction.window_scoring import SHORT_S, WindowGroup
from audiosurvey.prediction.writers import JsonWriter
from audiosurvey.serving.lanes import Lane
from audiosurvey.serving.limits import TooLong, UploadLimits, header_seconds, limited_blocks
from audiosurvey.serving.metrics import Metrics
from audiosurvey.serving.uploads import RefusedUpload, Upload


@dataclass(frozen=True, slots=True)
class _UploadSource:
    """An uploaded file that is decoded while it is scored."""

    path: Path
    name: str
    model: Classifier
    limits: UploadLimits
    live: bool = False

    def blocks(self, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
        """`sample_rate` and `mono` are those of the model."""
        return limited_blocks(self.path, self.name, self.model, self.limits)

    def length(self, sample_rate: int) -> int:
        return sum(map(len, self.blocks(sample_rate, "mean")))


class Scorer:
    """Scores uploads of any length with one model, in bounded memory."""

    def __init__(
        self, model: Classifier, limits: UploadLimits, metrics: Metrics, *, batch_size: int, threads: int | None = None
    ) -> None:
        """`batch_size`: most windows and short sounds scored together; `threads`: of torch."""
        self.model, self.limits = model, limits
        self._metrics, self._batch_size = metrics, batch_size
        self._short_s = max(SHORT_S, model.clip_samples / model.sample_rate)
        self._short = Lane(model, batch_size, threads=threads, taken=metrics.batch)
        self._long = Lane(model, 1, threads=threads, taken=metrics.batch)
        workers = max(2, os.cpu_count() or 1)
        self._decoding = ThreadPoolExecutor(workers, thread_name_prefix="audiosurvey-decoding")
        # Decoded sounds are kept in memory until they are scored, undecoded ones on disk.
        self._in_memory = asyncio.Semaphore(2 * batch_size + workers)

    @property
    def alive(self) -> bool:
        """Whether sounds are scored."""
        return self._short.alive and self._long.alive

    def close(self) -> None:
        """Ends the threads; requests that still wait are cancelled."""
        self._short.close()
        self._long.close()
        self._decoding.shutdown(cancel_futures=True)

    async def predict(self, upload: Upload, asked: PredictOptions) -> str:
        """The answer to a request. Raises RefusedUpload for a sound that cannot be read or is too long."""
        groups = await self._scored(upload, asked)
        seconds = max((group.windows[-1].end_s for group in groups if group.windows), default=0.0)
        self._metrics.sound(seconds)
        how = asked.postprocessing(self.model)
        file = io.StringIO()
        writer = JsonWriter(file, how, self.model.labels, asked.all_scores(self.model))
        writer.begin()
        for result in make_predictions(groups, [upload.name], self.model.labels, how, self.model.training_range):
            if isinstance(result, FailedSound):
                raise RefusedUpload(422, f"{upload.name}: {result.reason}")
            writer.write(result)
        writer.end([])
        return file.getvalue()

    async def _scored(self, upload: Upload, asked: PredictOptions) -> list[WindowGroup]:
        windowing = asked.windowing(self.model)
        try:
            async with self._in_memory:
                source = await self._in_thread(upload)
                if isinstance(source, ArraySource):
                    return await asyncio.wrap_future(self._short.score(source, windowing))
            return await asyncio.wrap_future(self._long.score(source, windowing))
        except TooLong as error:
            raise RefusedUpload(413, error.lines[0]) from None
        except BadAudio as error:
            raise RefusedUpload(422, f"{upload.name}: {error.reason}") from None

    async def _in_thread(self, upload: Upload) -> SoundSource:
        return await asyncio.get_running_loop().run_in_executor(self._decoding, self._opened, upload)

    def _opened(self, upload: Upload) -> SoundSource:
        """A short sound decoded, or a long one to be read while it is scored."""
        at_length = _UploadSource(upload.path, upload.name, self.model, self.limits)
        seconds = header_seconds(upload.path, upload.name, self.limits)
        if seconds is not None and seconds > self._short_s:
            return at_length
        rate = self.model.sample_rate
        parts: list[np.ndarray] = []
        for block_S in limited_blocks(upload.path, upload.name, self.model, self.limits):
            parts.append(block_S)
            if sum(map(len, parts)) > self._short_s * rate:
                return at_length
        return ArraySource(np.concatenate(parts), rate, upload.name)


def question(model: Classifier, batch_size: int, **parameters: Any) -> PredictOptions:
    """The options of a prediction from the parameters of a request. Raises RefusedUpload for values that do not fit."""
    asked = PredictOptions(format="json", batch_size=batch_size, **parameters)
    try:
        asked.check()
        asked.postprocessing(model)
    except UserError as error:
        raise RefusedUpload(422, error.lines[0]) from None
    return asked
