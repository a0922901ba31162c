"""Sounds by their embeddings: search by sound, and the clips to label next."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiosurvey.api.arguments import PathLike, need_at_least, path_or_none, several
from audiosurvey.api.prediction import opened_model, sources_of
from audiosurvey.api.progress import ShowProgress
from audiosurvey.api.state import keeps_state
from audiosurvey.errors import ArgumentError, UserError

if TYPE_CHECKING:
    from audiosurvey.artefact.classifier import Classifier
    from audiosurvey.artefact.folder import Model
    from audiosurvey.embeddings.similar import SimilarSounds
    from audiosurvey.embeddings.suggest import Suggestions
    from audiosurvey.prediction.sources import SoundSource


@keeps_state
def similar(
    model: "Classifier | PathLike",
    query: Any,
    sounds: Any,
    *,
    number: int = 20,
    start_s: float | None = None,
    end_s: float | None = None,
    hop_s: float | None = None,
    sample_rate: int | None = None,
    page: PathLike | None = None,
    force: bool = False,
    batch_size: int = 8,
    device: str = "auto",
    threads: int | None = None,
    progress: ShowProgress = False,
) -> "SimilarSounds":
    """Searches by sound: the recordings that are nearest to a sound by the embedding of a model.

    A recording is as near as the nearest of its windows. Embeddings of files are kept in the cache, so that another
    search of the same files takes seconds. The query itself is left out by content, and so is silence.

    Args:
        model: a loaded model, a model folder, a run with one, or its name on the Hugging Face Hub.
        query: the sound to search for; if several are given, the mean of their embeddings. Paths, folders, patterns, or
            arrays as in `predict`.
        sounds: the sounds to search: as in `predict`, and CSV files with a column `path`, and optionally `start`
            and `end`.
        number: maximum number of recordings to list.
        start_s: where the part of the query begins that is searched by, in seconds; for a single file.
        end_s: where it ends.
        hop_s: step between windows in seconds; None: a window, and evenly spaced windows for sounds of up to 30 s.
        sample_rate: of arrays, in Hz; None: that of the model.
        page: an HTML file to write, with players and spectrograms.
        force: replace an existing page.
        batch_size: windows computed at once.
        device: as in `train`.
        threads: processor threads; None: as many as torch uses now.
        progress: see `audiosurvey.Progress`; counts files to read, then sounds that are not in the cache.

    Returns:
        The nearest recordings with their similarity, and what was left out.

    Raises:
        UserError: for arguments that do not fit, a query that cannot be read or is silent, an exported file, which has
            no embedding, and if there is no such model or sound.
    """
    from audiosurvey.artefact.embedding import hash_of_body
    from audiosurvey.embeddings.kept import contents_of, stream_collection
    from audiosurvey.embeddings.similar import embed_query, nearest_sounds
    from audiosurvey.embeddings.stretches import find_stretches
    from audiosurvey.targets import check_target

    need_at_least(1, number=number, batch_size=batch_size, threads=threads)
    _check_times(start_s, end_s, hop_s)
    target = path_or_none(page)
    if target is not None:
        check_target("page", target, force=force)
    with _opened(model, device, threads) as loaded:
        queries = _part(sources_of(query, loaded, sample_rate), start_s, end_s)
        sources = sources_of(sounds, loaded, sample_rate, find_stretches)
        if target is not None:
            check_target("page", target, inputs=_inputs(query, sounds, queries, sources), force=force)
        body = hash_of_body(loaded)
        searched = embed_query(loaded, queries, batch_size, body)
        with _bar(progress, "reading files") as advance:
            contents = contents_of(sources, advance)
        with _bar(progress, "computing embeddings") as advance:
            collection = stream_collection(loaded, sources, hop_s, batch_size, advance, body, contents)
            found = nearest_sounds(searched, collection, number)
        if target is not None:
            from audiosurvey.reporting.page.similar_page import write_similar_page

            write_similar_page(target, loaded, found, queries, sources)
    return found


@keeps_state
def suggest(
    model: "Classifier | PathLike",
    sounds: Any,
    *,
    number: int = 50,
    labelled: PathLike | Sequence[PathLike] = (),
    hop_s: float | None = None,
    seed: int = 0,
    batch_size: int = 8,
    device: str = "auto",
    threads: int | None = None,
    progress: ShowProgress = False,
) -> "Suggestions":
    """Active learning: the clips whose label would teach a model most, uncertain and different from each other.

    The method is BADGE (Ash et al. 2020, arXiv 1906.03671): k-means++ on gradient embeddings. A sound of up to 30 s is
    one clip; of longer ones, each window is a clip. Left out are what the model was trained on, what is `labelled`,
    copies (all by content), and silence. Embeddings of files are kept in the cache.

    Args:
        model: a loaded model, a model folder, a run with one, or its name on the Hugging Face Hub.
        sounds: the sounds to choose from: paths, folders, patterns, and CSV files with a column `path`, perhaps with
            `start` and `end`.
        number: maximum number of clips to choose.
        labelled: tables whose rows with a label are left out, and folders of labelled sounds.
        hop_s: step between windows in seconds. If given, every window is a clip, even in short sounds. None: a window.
        seed: random seed.
        batch_size: windows computed at once.
        device: as in `train`.
        threads: processor threads; None: as many as torch uses now.
        progress: see `audiosurvey.Progress`; counts files to read, then sounds that are not in the cache.

    Returns:
        The chosen clips, with `write(path)` for a CSV to fill in, and what was left out.

    Raises:
        UserError: for arguments that do not fit, an exported file, which has no embedding, and if there is no such
            model, sound or table.
    """
    from audiosurvey.embeddings.kept import contents_of, stream_collection
    from audiosurvey.embeddings.labelled import labelled_stretches
    from audiosurvey.embeddings.stretches import find_stretches
    from audiosurvey.embeddings.suggest import suggest_clips
    from audiosurvey.prediction.array_source import ArraySource

    need_at_least(1, number=number, batch_size=batch_size, threads=threads)
    _check_times(None, None, hop_s)
    with _opened(model, device, threads) as loaded:
        sources = sources_of(sounds, loaded, None, find_stretches)
        if any(isinstance(source, ArraySource) for source in sources):
            raise UserError("sounds: a clip to label is part of a file; give paths, not arrays")
        known = labelled_stretches(loaded, [str(one) for one in several(labelled)])
        with _bar(progress, "reading files") as advance:
            contents = contents_of(sources, advance)
        with _bar(progress, "computing embeddings") as advance:
            collection = stream_collection(loaded, sources, hop_s, batch_size, advance, contents=contents)
            return suggest_clips(loaded, collection, known, number, hop_s=hop_s, seed=seed)


@contextmanager
def _opened(model: "Classifier | PathLike", device: str, count: int | None) -> "Iterator[Model]":
    """The model on its device, and the threads that it may use. Raises UserError for an exported file."""
    import torch

    from audiosurvey.artefact.arrays import is_path
    from audiosurvey.artefact.exported import is_exported
    from audiosurvey.artefact.folder import Model
    from audiosurvey.threads import threads
    from audiosurvey.training.devices import check_device

    check_device(device)
    no_embedding = "an exported file has scores, but no embedding; give the model folder that it was made from"
    if is_path(model) and is_exported(Path(str(model))):
        raise UserError(f"{model}: {no_embedding}")
    loaded = opened_model(model)
    if not isinstance(loaded, Model):
        raise UserError(f"model: {no_embedding}")
    loaded.to(device)
    with threads(count or torch.get_num_threads()):
        yield loaded


def _inputs(query: Any, sounds: Any, queries: "Sequence[SoundSource]", sources: "Sequence[SoundSource]") -> list[Path]:
    """All files that are read: sounds, and the tables that list them."""
    from audiosurvey.artefact.arrays import is_path
    from audiosurvey.artefact.arrays import several as sounds_of
    from audiosurvey.embeddings.stretches import tables_of
    from audiosurvey.prediction.array_source import ArraySource

    words = [str(one) for given in (query, sounds) for one in sounds_of(given)[0] if is_path(one)]
    tables = [table for word in words for table in tables_of(word)]
    return [*tables, *(Path(one.name) for one in (*queries, *sources) if not isinstance(one, ArraySource))]


def _bar(progress: ShowProgress, title: str) -> Any:
    from audiosurvey.api.bars import bar_of

    return bar_of(progress)(title)


def _check_times(start_s: float | None, end_s: float | None, hop_s: float | None) -> None:
    if hop_s is not None and not 0 < hop_s < float("inf"):
        raise ArgumentError("{hop_s}: expected seconds above 0", hop_s=hop_s)
    for name, value in {"start_s": start_s, "end_s": end_s}.items():
        if value is not None and not 0 <= value < float("inf"):
            raise ArgumentError(f"{{{name}}}: expected seconds, at least 0", **{name: value})
    if end_s is not None and end_s <= (start_s or 0.0):
        raise ArgumentError("{end_s}: is not after the start of the part to search by", end_s=end_s)


def _part(queries: "list[SoundSource]", start_s: float | None, end_s: float | None) -> "list[SoundSource]":
    """The queries, or a part of the only one."""
    from audiosurvey.embeddings.stretches import part_of
    from audiosurvey.prediction.sources import FileSource

    if start_s is None and end_s is None:
        return queries
    if len(queries) != 1 or not isinstance(queries[0], FileSource):
        given = {"start_s": start_s} if start_s is not None else {"end_s": end_s}
        (name,) = given
        raise ArgumentError(f"{{{name}}}: is for a query of one sound file, not {len(queries)} sounds", **given)
    return [part_of(queries[0], start_s, end_s)]
