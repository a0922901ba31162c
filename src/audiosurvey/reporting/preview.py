"""Writes what augmentation did to a clip: sound files before and after, a picture, and the drawn parameters."""

import io
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import soundfile
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from audiosurvey.atomic import replacing, write_text
from audiosurvey.config.root import Config
from audiosurvey.data.other.reading import is_made
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.table import Clip, clips_by_class
from audiosurvey.pages.plain_figure import PlainFigure
from audiosurvey.prediction.clip_names import safe_part
from audiosurvey.runs.evaluation.heldout import prepare
from audiosurvey.runs.listener import OpenBar, no_bar
from audiosurvey.runs.rendering import render_clip
from audiosurvey.targets import check_target


def write_previews(
    config: Config, clips: Sequence[str], epochs: Sequence[int], folder: Path, force: bool, bar: OpenBar = no_bar
) -> list[Path]:
    """Renders clips as in these epochs and writes them to `folder`.

    No `clips`: one of every class, and one of none if there are any.
    """
    sounds = prepare(config.dataset, config.sample_rate, bar)
    wanted = [(clip, epoch) for clip in clips or _one_of_every_class(sounds) for epoch in epochs]
    if folder.is_dir():
        inputs = [clip.path for clip in sounds.table.clips]
        for clip, epoch in wanted:
            for file in preview_files(folder, clip, epoch):
                check_target("output", file, inputs=inputs, force=force)
    rendered = (render_clip(config, sounds, clip, epoch) for clip, epoch in wanted)
    return [file for arguments in rendered for file in write_preview(folder, **arguments)]


def write_preview(
    folder: Path,
    clip: Clip,
    epoch: int,
    before: ArrayLike,
    after: ArrayLike,
    sample_rate: int,
    mel_before: ArrayLike,
    mel_after: ArrayLike,
    drawn: Sequence[Mapping[str, object]],
    hop_s: float,
    unit: str | None = None,
    centres_hz: Sequence[float] | None = None,
) -> tuple[Path, ...]:
    """Writes NAME-before.wav, NAME-after.wav, NAME.png and NAME.json; returns their paths in this order.

    `before`, `after`: waves (S) at `sample_rate` in Hz, written as 32-bit floats so that their levels compare
    and nothing clips; `mel_before`, `mel_after`: spectrograms (T, F) with frames `hop_s` seconds apart;
    `drawn`: as `Chain.describe` gives it; `unit`: of the spectrograms' values, if they have one (dB); `centres_hz`: of
    the bands, for the axis.
    NAME is the clip's id, fit for a file name, and the epoch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{file_name(clip.id)}-epoch{epoch}"
    mels_TF = (np.asarray(mel_before, np.float32), np.asarray(mel_after, np.float32))
    facts = {"clip": clip.id, "epoch": epoch, "sample_rate": sample_rate, "drawn": list(drawn)}
    writers: dict[str, Callable[[Path], object]] = {
        f"{name}-before.wav": lambda path: _write_wave(path, before, sample_rate),
        f"{name}-after.wav": lambda path: _write_wave(path, after, sample_rate),
        f"{name}.png": lambda path: draw_figure(
            f"{clip.id}, epoch {epoch}", *mels_TF, drawn, hop_s, unit, centres_hz
        ).savefig(path, format="png"),
    }
    for file, write in writers.items():
        with replacing(folder / file) as beside:
            write(beside)
    write_text(folder / f"{name}.json", json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    return tuple(folder / file for file in (*writers, f"{name}.json"))


def preview_files(folder: Path, clip_id: str, epoch: int) -> list[Path]:
    """The files that `write_preview` writes."""
    name = f"{file_name(clip_id)}-epoch{epoch}"
    return [folder / f"{name}{ending}" for ending in ("-before.wav", "-after.wav", ".png", ".json")]


def draw_figure(
    title: str,
    mel_before_TF: np.ndarray,
    mel_after_TF: np.ndarray,
    drawn: Sequence[Mapping[str, object]],
    hop_s: float,
    unit: str | None = None,
    centres_hz: Sequence[float] | None = None,
) -> Figure:
    """Both spectrograms, one above the other, with the same axes and colours."""
    figure = PlainFigure(figsize=(10, 6.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 1, sharex=True, sharey=True)
    # Percentiles: one loud instant or covered cell must not take up the whole scale.
    low = float(np.percentile(mel_before_TF, 0.5))
    high = float(np.percentile(np.concatenate([mel_before_TF.ravel(), mel_after_TF.ravel()]), 99.5))
    high = max(high, low + 1e-3)
    image = None
    for ax, name, mel_TF in zip(axes, ("before", "after"), (mel_before_TF, mel_after_TF), strict=True):
        frames, bands = mel_TF.shape
        # Frame i is centred on its time i * hop, and band j on its number.
        extent = (-hop_s / 2, (frames - 0.5) * hop_s, -0.5, bands - 0.5)
        image = ax.imshow(mel_TF.T, origin="lower", aspect="auto", extent=extent, vmin=low, vmax=high, cmap="magma")
        ax.set_title(name, fontsize=9, loc="left")
        if centres_hz is None:
            ax.set_ylabel("mel band")
        else:
            ax.set_yticks(*_frequency_ticks(centres_hz))
            ax.set_ylabel("frequency in Hz")
    axes[-1].set_xlabel("time in s")
    assert image is not None
    figure.colorbar(image, ax=list(axes), label=unit or "value on the spectrogram", pad=0.01, extend="both")
    figure.suptitle("\n".join([title, *textwrap.wrap(in_words(drawn), 120)]), fontsize=9)
    return figure


def _frequency_ticks(centres_hz: Sequence[float]) -> tuple[list[float], list[str]]:
    """Places between the bands, by number, of octaves from 125 Hz on, and their labels."""
    octaves = [125 * 2**number for number in range(10)]
    shown = [hertz for hertz in octaves if centres_hz[0] <= hertz <= centres_hz[-1]]
    places = np.interp(shown, centres_hz, np.arange(len(centres_hz)))
    return [float(place) for place in places], [f"{hertz:g}" for hertz in shown]


def _one_of_every_class(sounds: Sounds) -> list[str]:
    """The first readable clip of each class, in the order of the classes, and the first sound of no class if any."""
    by_class = clips_by_class(sounds.table.clips, len(sounds.table.classes))
    if sounds.others is not None:
        by_class.append(sorted(sounds.others.clips, key=lambda clip: is_made(clip.id)))
    found = [next((clip.id for clip in clips if clip.id in sounds.store), None) for clips in by_class]
    return list(dict.fromkeys(name for name in found if name)) or [sounds.table.clips[0].id]


def in_words(drawn: Sequence[Mapping[str, object]]) -> str:
    """`gain (gain_db -3.21); freq_masking (bands 33 to 38, 61 to 63)`, or that nothing was drawn."""
    parts = []
    for operation in drawn:
        facts = ", ".join(_fact(key, value) for key, value in operation.items() if key != "operation")
        parts.append(f"{operation['operation']} ({facts})")
    return "; ".join(parts) or "nothing drawn: the clip is left as it is"


def file_name(clip_id: str) -> str:
    """A clip's id as part of a file name on every system, in any script: folders joined by `__`, no `.wav` at the end.

    If characters are lost, eight digits of the id's hash keep file names unique.
    """
    plain = clip_id.removesuffix(".wav").replace("/", "__")
    safe = safe_part(plain, end=True)
    return (
        safe
        if safe == plain
        else f"{safe}-{blake2b(clip_id.encode(errors='surrogateescape'), digest_size=4).hexdigest()}"
    )


def _fact(key: str, value: object) -> str:
    """`snr_db 12.3`; what a mask covers as `bands 33 to 38, 61 to 63`."""
    if not key.startswith("covered_") or not isinstance(value, list | tuple):
        return f"{key} {_short(value)}"
    stretches = [str(first) if first == last else f"{first} to {last}" for first, last in value]
    return f"{key.removeprefix('covered_')} {', '.join(stretches) or 'none'}"


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return "[" + " ".join(_short(item) for item in value) + "]"
    return str(value)


def _write_wave(path: Path, wave_S: ArrayLike, sample_rate: int) -> None:
    # Through memory: libsndfile does not report a full disk as clearly as the operating system.
    file = io.BytesIO()
    soundfile.write(file, np.asarray(wave_S, np.float32), sample_rate, format="WAV", subtype="FLOAT")
    path.write_bytes(file.getvalue())
