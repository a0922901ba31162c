"""HTML from Jinja2 templates, and media embedded as data URIs: pages need no network and no files beside them."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import numpy as np
import soundfile

_PLAYER_COLUMNS, _HALF_HEIGHT = 160, 18
_LEVELS, _SHADES = 64, 16
"""Colours of a spectrogram, and opacities of what is laid over it."""


def environment(
    package: str, finalize: Callable[[Any], Any] | None = None, others: Sequence[str] = ()
) -> jinja2.Environment:
    """Templates of `package` (in its folder `templates`), which may extend and import those of `others` and of
    `audiosurvey.pages`.

    All values are escaped. `finalize` is applied to each value before that.
    """
    loaders = [jinja2.PackageLoader(name) for name in (package, *others, "audiosurvey.pages")]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def spectrogram_uri(image_TF: np.ndarray, low: float, high: float) -> str:
    """A PNG with a column per frame and the first band at the bottom; `low` is darkest, `high` brightest."""
    from matplotlib import colormaps

    share_TF = ((image_TF - low) / (high - low)).clip(0, 1)
    palette = colormaps["magma"](np.linspace(0, 1, _LEVELS), bytes=True)
    return _palette_png(np.rint(share_TF * (_LEVELS - 1)), palette)


def shade_uri(dark_TF: np.ndarray, most: float = 0.8) -> str:
    """A PNG to lay over a spectrogram: black where `dark_TF` is 1 (opacity `most`), transparent where it is 0."""
    palette = np.zeros((_SHADES, 4), np.uint8)
    palette[:, 3] = np.rint(np.linspace(0, 255 * most, _SHADES))
    return _palette_png(np.rint(dark_TF.clip(0, 1) * (_SHADES - 1)), palette)


def _palette_png(index_TF: np.ndarray, palette: np.ndarray) -> str:
    """A PNG of indices into at most 256 colours (RGBA), which takes a third of the bytes of one in full colour."""
    from PIL import Image

    pixels = np.ascontiguousarray(index_TF.T[::-1].astype(np.uint8))
    image = Image.frombytes("P", (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    image.putpalette(palette[:, :3].tobytes())
    file = io.BytesIO()
    opaque = bool((palette[:, 3] == 255).all())
    image.save(file, "PNG", optimize=True, **({} if opaque else {"transparency": palette[:, 3].tobytes()}))
    return data_uri("image/png", file.getvalue())


@dataclass(frozen=True)
class Player:
    """An audio player with a picture of the waveform, for the macro `player` of `media.html`."""

    uri: str
    outline: str
    """Path of an SVG."""
    name: str
    caption: str
    columns: int = _PLAYER_COLUMNS
    height: int = 2 * _HALF_HEIGHT


def make_player(wave_S: np.ndarray, sample_rate: int, name: str, caption: str = "") -> Player:
    """A player of a mono wave with full scale 1. The sound is embedded as MP3 where possible, else as 16-bit WAV."""
    wave_S = wave_S.clip(-1, 1)
    file = io.BytesIO()
    if "MP3" in soundfile.available_formats() and sample_rate in (8000, 11025, 12000, 16000):
        soundfile.write(file, wave_S, sample_rate, format="MP3")
        uri = data_uri("audio/mpeg", file.getvalue())
    else:
        soundfile.write(file, wave_S, sample_rate, format="WAV", subtype="PCM_16")
        uri = data_uri("audio/wav", file.getvalue())
    return Player(uri, _outline(wave_S), name, caption)


def _outline(wave_S: np.ndarray) -> str:
    """Highest and lowest sample of each column as a closed path; full scale fills the height."""
    columns = np.array_split(wave_S, min(_PLAYER_COLUMNS, len(wave_S)))
    step = _PLAYER_COLUMNS / len(columns)
    upper = [f"{step * i:.0f} {_HALF_HEIGHT * (1 - float(part.max())):.1f}" for i, part in enumerate(columns)]
    lower = [f"{step * i:.0f} {_HALF_HEIGHT * (1 - float(part.min())) + 0.6:.1f}" for i, part in enumerate(columns)]
    return "M" + "L".join([*upper, *reversed(lower)]) + "Z"
