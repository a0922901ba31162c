"""The page of a search by sound: the query and the nearest recordings, to see and to hear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosurvey.artefact.folder import Model
from audiosurvey.data.audio.decoding import BadAudio
from audiosurvey.data.names import as_text
from audiosurvey.embeddings.similar import SimilarSounds
from audiosurvey.embeddings.stretches import StretchSource, read_part
from audiosurvey.errors import number_of, some_of
from audiosurvey.pages.rendering import environment
from audiosurvey.prediction.sources import SoundSource
from audiosurvey.prediction.writers import clock
from audiosurvey.reporting.page.clip_views import HeardClip, Spectrogram, beginning
from audiosurvey.reporting.page.sound_bank import LONG_S, SoundBank
from audiosurvey.reporting.page.writing import write_page
from audiosurvey.version import __version__

SOUND_BUDGET = 6_000_000
_MOST = 200
"""Recordings on a page; the spectrogram of each takes about 30 kB."""

_MOST_QUERIES, _MOST_NAMES = 6, 3
"""Queries on a page, and in its title."""

_BEGINNING_S = 0.05
"""A window that begins no later begins with the recording, as far as times are shown."""


@dataclass(frozen=True)
class SimilarView:
    """A recording of the page."""

    name: str
    """Of its file."""
    place: str
    """Its folder, and when in the recording unless it is shown from its beginning."""
    similarity: float | None
    """None for a query."""
    spectrogram: Spectrogram | None
    heard: HeardClip | None
    fault: str = ""
    """Why it cannot be shown."""


def write_similar_page(
    path: Path, model: Model, found: SimilarSounds, queries: Sequence[SoundSource], sources: Sequence[SoundSource]
) -> int:
    """Writes the page of a search, whole or not at all, and returns its size in bytes."""
    return write_page(path, similar_page(model, found, queries, sources), sounds=True)


def similar_page(
    model: Model, found: SimilarSounds, queries: Sequence[SoundSource], sources: Sequence[SoundSource]
) -> str:
    """The page as HTML. `queries`, `sources`: what was searched by, and what was searched."""
    bank = SoundBank(SOUND_BUDGET)
    by_name = {source.name: source for source in sources}
    shown = found.hits[:_MOST]
    asked = [_query(model, bank, source) for source in queries[:_MOST_QUERIES]]
    hits = [
        _view(model, bank, by_name[hit.name], hit.start_s, hit.end_s, hit.similarity, ("hit", place))
        for place, hit in enumerate(shown)
    ]
    values = {
        "title": f"Sounds like {some_of([as_text(Path(name).name) for name in found.queries], _MOST_NAMES)}",
        "about": _about(found, len(shown)),
        "queries": asked,
        "num_queries": len(queries),
        "hits": hits,
        "note": bank.note,
        "sounds": bank.uris,
        "data": {},
        "version": __version__,
    }
    return environment("audiosurvey.reporting.page").get_template("similar.html").render(values)


def _about(found: SimilarSounds, shown: int) -> str:
    parts = [f"{shown} of {number_of(found.sounds, 'recording')}, the most similar first"]
    parts += [f"{len(found.silent)} silent"] if found.silent else []
    parts += [f"{len(found.failures)} could not be read"] if found.failures else []
    return "; ".join(parts)


def _query(model: Model, bank: SoundBank, source: SoundSource) -> SimilarView:
    start_s, end_s = (source.start_s, source.end_s) if isinstance(source, StretchSource) else (0.0, None)
    return _view(model, bank, source, start_s, start_s + LONG_S if end_s is None else end_s, None, source.name)


def _view(
    model: Model,
    bank: SoundBank,
    source: SoundSource,
    start_s: float,
    end_s: float,
    similarity: float | None,
    key: object,
) -> SimilarView:
    path = Path(as_text(source.name))
    times = f"{clock(start_s)} to {clock(end_s)}" if start_s > _BEGINNING_S else ""
    name, place = path.name, ", ".join(filter(None, [path.parent.as_posix() if path.parent.name else "", times]))
    try:
        wave_S = read_part(source, start_s, min(end_s, start_s + LONG_S), model.sample_rate, model.facts["mono"])
    except BadAudio as bad:
        return SimilarView(name, place, similarity, None, None, bad.reason)
    sound = bank.add(("similar", key), _given(wave_S), model.sample_rate)
    picture = beginning(model.config, wave_S, model.facts["pad"], name)
    return SimilarView(name, place, similarity, picture, HeardClip(name, place, sound))


def _given(wave_S: np.ndarray) -> Callable[[], np.ndarray]:
    return lambda: wave_S
