"""Fits a model to sounds: a linear probe to their embeddings, or a network to a store of them."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from audiosurvey.api.estimator.embedding import Embedder, wave_in
from audiosurvey.api.estimator.settings import TITLE
from audiosurvey.artefact.arrays import is_path, rate_of, wave_of
from audiosurvey.artefact.folder import Model
from audiosurvey.config.network import network_of
from audiosurvey.config.root import Config
from audiosurvey.data.audio.decoding import Mono
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.data.store.store import prepare
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError
from audiosurvey.model.network import Network
from audiosurvey.randomness import torch_seed
from audiosurvey.runs.listener import RunListener
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.stages.context import RunContext
from audiosurvey.runs.stages.embeddings import Embeddings
from audiosurvey.runs.stages.final import fit_last
from audiosurvey.runs.stages.head_problem import HeadProblem
from audiosurvey.runs.stages.probe import put_head
from audiosurvey.runs.stages.starting import fetch_pretrained
from audiosurvey.training.accelerator import make_accelerator
from audiosurvey.training.devices import check_device

_FOLD = 0
"""In the names of random streams, as for a final model; folds count from 1."""


def fit_model(
    config: Config,
    sounds: Sequence[Any],
    sample_rate: int | None,
    table: Table,
    *,
    device: str,
    listener: RunListener,
) -> tuple[Model, int]:
    """A model trained on sounds, and the number of epochs, or for a linear probe of iterations, that it took.

    `sounds`: paths, or waves at `sample_rate` Hz (None: that of the config), a clip of the table each.
    Raises UserError for a sound that cannot be read, and whatever else `train` would refuse.
    """
    check_device(device)
    fit = _fit_probe if config.train.head_only else _fit_network
    network, steps = fit(config, sounds, sample_rate, table, device, listener)
    return _model(config, network, table), steps


def probabilities(model: Model, sounds: Sequence[Any], sample_rate: int | None, *, device: str) -> np.ndarray:
    """Probabilities (N, K), float64: the mean over the windows of each sound, divided by their sum.

    Raises UserError for a sound that cannot be read.
    """
    with on_device(model, device), torch.inference_mode():
        if model.config.train.head_only:
            windows = Embedder(model, model.config.train.batch_size).embed(sounds, sample_rate)
            layer = model.network.classifier
            of_windows = [model.to_scores(layer(each.to(layer.weight.device))).double() for each in windows]
            score_NK = np.stack([score_WK.mean(dim=0).cpu().numpy() for score_WK in of_windows])
        else:
            found, rows = list[Any](), iter(enumerate(sounds))
            while part := list(islice(rows, model.config.train.batch_size)):
                found += model.predict([wave_in(model, sound, row, sample_rate) for row, sound in part])
            score_NK = np.array([[scores[label] for label in model.labels] for scores in found])
    # Of the sigmoids of `loss: bce` the sum is anything.
    return score_NK / np.maximum(score_NK.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)


def clips_of(sounds: Sequence[Any], class_N: np.ndarray, groups: Sequence[str] | None) -> tuple[Clip, ...]:
    """A clip for each sound, named as its path, or by its number; a path given again has a number too."""
    clips: dict[str, Clip] = {}
    for row, sound in enumerate(sounds):
        name = Path(sound).as_posix() if is_path(sound) else f"sound {row + 1}"
        name = f"{name} ({row + 1})" if name in clips else name
        source = None if groups is None else groups[row]
        clips[name] = Clip(name, Path(sound) if is_path(sound) else Path(), (int(class_N[row]),), source=source)
    return tuple(clips.values())


def table_of(labels: Sequence[str], clips: tuple[Clip, ...]) -> Table:
    """The table of the clips."""
    return Table("csv", Path(), tuple(labels), clips, given_title=TITLE)


@contextmanager
def on_device(model: Model, device: str) -> Iterator[None]:
    """The model is on this device within the block, and on the CPU after it."""
    check_device(device)
    model.to(device)
    try:
        yield
    finally:
        model.to("cpu")


def _fit_probe(
    config: Config, sounds: Sequence[Any], sample_rate: int | None, table: Table, device: str, listener: RunListener
) -> tuple[Network, int]:
    seed = torch_seed(config.seed, "train", _FOLD, "init")
    network = network_of(config, len(table.classes), seed=seed)
    if (init := fetch_pretrained(config, listener.bar)) is not None:
        init.weights.put_into(network)
    model = _model(config, network, table)
    with on_device(model, device), listener.bar(f"embedding {len(sounds)} sounds") as advance:
        found = Embedder(model, config.train.batch_size).embed(sounds, sample_rate, advance)
    embeddings = Embeddings({clip.id: windows for clip, windows in zip(table.clips, found, strict=True)}, 0.0)
    head = HeadProblem(config, table, table.clips, embeddings).fit()
    put_head(head, network)
    return network, head.iterations


def _fit_network(
    config: Config, sounds: Sequence[Any], sample_rate: int | None, table: Table, device: str, listener: RunListener
) -> tuple[Network, int]:
    accelerator = make_accelerator(device, config.precision, thaws=bool(config.model.thaw))
    with tempfile.TemporaryDirectory(prefix="audiosurvey-", ignore_cleanup_errors=True) as folder:
        opened = _stored(config, sounds, sample_rate, table, Path(folder), listener)
        init = fetch_pretrained(config, listener.bar)
        context = RunContext(RunFolder(Path(folder) / "run"), config, opened, accelerator, init)
        stage = context.stage(config, table.clips, _FOLD)
        ready = context.start(stage, listener)
        epochs = config.train.epochs or 0
        with listener.stages(["fit"], epochs) as (shown,):
            fit_last(stage, ready.network, context.run, shown)
        accelerator.free_memory()
    return ready.network, epochs


def _stored(
    config: Config,
    sounds: Sequence[Any],
    sample_rate: int | None,
    table: Table,
    folder: Path,
    listener: RunListener,
) -> Sounds:
    """The sounds in a store: in the user's cache, or in this temporary folder if any of them is a wave."""
    dataset, clips = config.dataset, list(table.clips)
    rate = config.sample_rate if sample_rate is None else rate_of(sample_rate)
    for row, sound in enumerate(sounds):
        if not is_path(sound):
            clips[row] = replace(clips[row], path=folder / f"{row}.wav")
            _write(clips[row].path, sound, row, rate, dataset.mono)
    filed = replace(table, clips=tuple(clips))
    kept_in = dataset.store if all(map(is_path, sounds)) else folder / "store"
    with listener.bar(f"preparing {len(sounds)} sounds") as advance:
        store = prepare(filed, sample_rate=config.sample_rate, mono=dataset.mono, folder=kept_in, progress=advance)
    if store.skipped:
        raise UserError(*(f"X: {bad.id}: {bad.reason}" for bad in store.skipped))
    return Sounds(dataset, filed, store)


def _write(path: Path, wave: Any, row: int, rate: int, mono: Mono) -> None:
    try:
        wave_S = wave_of(wave, mono)
    except UserError as error:
        raise error.at(f"X[{row}]") from None
    soundfile.write(path, wave_S, rate, format="WAV", subtype="FLOAT")


def _model(config: Config, network: Network, table: Table) -> Model:
    facts = {
        "labels": list(table.classes),
        "sample_rate": config.sample_rate,
        "clip_samples": config.clip_samples,
        "pad": config.dataset.pad,
        "mono": config.dataset.mono,
        "multi_label": False,
    }
    tensors = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    return Model(config, facts, tensors, Provenance({}))
