"""What a config needs to know of a model file used as an encoder, found by reading the file and running it once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from audiosurvey.errors import UserError
from audiosurvey.model.encoders.file_frames import frames_of, shaped
from audiosurvey.model.encoders.model_file import SUFFIXES, ModelFile, Run, TensorInfo, is_model_file, open_model_file
from audiosurvey.section import Section

_FLOATS = ("float32", "float16", "float64")
_TRIED_S = (5.0, 10.0, 1.0)
"""Lengths of the noise for a file that takes any length."""
_LEAST_SAMPLES = 500
"""Inputs of fewer numbers take the bands of one frame of a spectrogram."""
_COMMON = "BirdNET: 48000, Perch: 32000, YAMNet and VGGish: 16000"


class FileGraph(Section):
    """What was read of a model file, which it must be equal to."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=1)
    """Bytes of the file."""
    output: str = Field(min_length=1)
    """The tensor that is used."""
    axes: int = Field(ge=1, le=3)
    """Of the input: (S), (B, S) or (B, 1, S)."""
    samples: int | None = Field(default=None, ge=1)
    """Length of a window. null: any."""
    batches: bool = False
    """Whether it takes several windows at once."""
    width: int = Field(ge=1)
    """Features."""
    parameters: int = Field(ge=0)
    """Constant numbers in the file."""


@dataclass(frozen=True)
class FileSettings:
    sample_rate: int
    window_seconds: float | None
    graph: FileGraph


class SettingFault(UserError):
    """What is wrong with a value of the block `encoder`, or is missing there."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def read_content(file: str) -> bytes:
    """Raises UserError, without the name of the file, if it cannot be read."""
    path = Path(file).expanduser()
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"no such file{_near(path)}") from None
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror or error})") from None
    if not content:
        raise UserError("is empty; copy it again")
    return content


def _near(path: Path) -> str:
    """What a mistyped path may have meant, or which model files are there."""
    there = sorted(each.name for each in path.parent.glob("*") if is_model_file(each))
    if near := get_close_matches(path.name, there, n=1, cutoff=0.8):
        return f"; did you mean {path.with_name(near[0]).as_posix()}?"
    shown = [path.with_name(name).as_posix() for name in there[:3]]
    return f"; model files there: {', '.join(shown)}" if shown else " (relative to the working directory)"


def read_file_settings(section: Mapping[str, Any]) -> FileSettings:
    """The settings that belong to the file of a block `encoder`. Raises SettingFault."""
    file, output = section["file"], section.get("output")
    if not is_model_file(file):
        raise SettingFault("file", f"{file}: expected a file whose name ends in {' or '.join(SUFFIXES)}")
    content = _at("file", file, read_content, file)
    model = _at("file", file, open_model_file, content)
    taken = _at("file", file, _only_input, model)
    name = _at("output", file, model.find, output)
    rate = _sample_rate(file, model, section.get("sample_rate"))
    fixed = _length(taken)
    samples = _window(file, fixed, rate, section.get("window_seconds"))
    run = _at("file", file, model.runner, name, 1)
    width, batches = _at("output", file, _tried, run, taken, samples, rate, name)
    graph = FileGraph(
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        output=name,
        axes=len(taken.shape or ()),
        samples=samples,
        batches=batches,
        width=width,
        parameters=model.parameters,
    )
    return FileSettings(rate, None if samples is None else samples / rate, graph)


def is_current(section: Mapping[str, Any]) -> bool:
    """Whether the `graph` in a block `encoder` was read for its values; False for a block without one."""
    graph, rate, window = section.get("graph"), section.get("sample_rate"), section.get("window_seconds")
    if not isinstance(graph, Mapping) or not isinstance(rate, int):
        return False
    samples = round(window * rate) if isinstance(window, (int, float)) else None
    return graph.get("output") == section.get("output") and graph.get("samples") == samples


def _at(key: str, file: str, call: Any, *given: Any) -> Any:
    """What `call` returns; its UserError at this key, with the name of the file."""
    try:
        return call(*given)
    except UserError as error:
        raise SettingFault(key, f"{file}: {error}") from None


def _only_input(model: ModelFile) -> TensorInfo:
    """Raises UserError for a model whose input is not a waveform."""
    if len(model.inputs) != 1:
        listed = ", ".join(one.text() for one in model.inputs)
        raise UserError(f"takes {len(model.inputs)} inputs ({listed}); an encoder takes one, the waveform")
    taken = model.inputs[0]
    if taken.kind not in _FLOATS:
        raise UserError(f"its input {taken.name} is of type {taken.kind}; an encoder takes waves of floats")
    shape = taken.shape
    if shape is None:
        raise UserError(f"does not state the shape of its input {taken.name}")
    mend = "use a file that contains its front end, with an input (samples), (batch, samples) or (batch, 1, samples)"
    if not 1 <= len(shape) <= 3 or (len(shape) == 3 and shape[1] != 1):
        raise UserError(f"its input {taken.text()} is a spectrogram, not a waveform; {mend}")
    if len(shape) > 1 and shape[0] not in (1, None):
        raise UserError(f"its input {taken.text()} is a batch of {shape[0]}; write the file anew for a batch of 1")
    length = _length(taken)
    if length is not None and length < _LEAST_SAMPLES:
        raise UserError(
            f"its input {taken.text()} takes {length} numbers, a frame of a spectrogram rather than a waveform; {mend}"
        )
    return taken


def _length(taken: TensorInfo) -> int | None:
    """The samples that the input takes; None: any number. LiteRT files give a free size as 1."""
    assert taken.shape is not None
    length = taken.shape[-1]
    return None if length in (None, 1) else length


def _sample_rate(file: str, model: ModelFile, stated: Any) -> int:
    found = model.sample_rate
    if stated is None and found is None:
        raise SettingFault(
            "sample_rate", f"{file}: the file does not state its sample rate; set sample_rate in Hz ({_COMMON})"
        )
    if stated is None:
        assert found is not None
        return found
    if isinstance(stated, bool) or not isinstance(stated, int) or stated < 1:
        raise SettingFault("sample_rate", f"{stated!r}: not a sample rate in Hz, such as 48000")
    if found not in (None, stated):
        raise SettingFault("sample_rate", f"{stated}, but {file} states {found} Hz; leave sample_rate out")
    return stated


def _window(file: str, fixed: int | None, rate: int, stated: Any) -> int | None:
    if stated is None:
        return fixed
    if isinstance(stated, bool) or not isinstance(stated, (int, float)) or round(stated * rate) < 1:
        raise SettingFault("window_seconds", f"{stated!r}: not a length in seconds, such as 3")
    if fixed not in (None, round(stated * rate)):
        raise SettingFault(
            "window_seconds",
            f"{stated:g}, but {file} takes windows of {fixed} samples, {fixed / rate:g} s at {rate} Hz; leave it out",
        )
    return round(stated * rate)


def _tried(run: Run, taken: TensorInfo, samples: int | None, rate: int, name: str) -> tuple[int, bool]:
    """The number of features, and whether two windows at once give what they give alone, from runs on noise."""
    lengths = [samples] if samples else [round(seconds * rate) for seconds in _TRIED_S]
    axes, rng = len(taken.shape or ()), np.random.default_rng(0)
    noise_BS, single, failure = np.empty((2, 0), np.float32), None, None
    for length in lengths:
        noise_BS = (0.1 * rng.standard_normal((2, length))).astype(np.float32)
        try:
            single = [run(shaped(row_S[None], axes)) for row_S in noise_BS]
            break
        # The exceptions of the runtimes have no common base.
        except Exception as error:
            failure = error
    if single is None:
        reason = " ".join(str(failure).split())[:160]
        raise UserError(f"does not run on noise of {', '.join(f'{one / rate:g}' for one in lengths)} s ({reason})")
    try:
        frames = [frames_of(found, noise_BS.shape[1]) for found in single]
    except UserError as error:
        raise UserError(f"its tensor {name} {error}") from None
    if not np.isfinite(frames[0]).all():
        raise UserError(f"its tensor {name} is not finite for soft noise (NaN or infinity)")
    if not _same(run(shaped(noise_BS[:1], axes)), single[0]):
        raise UserError(
            f"its tensor {name} differs each time for the same wave; write the file anew for inference, without dropout"
        )
    can_batch = axes > 1 and taken.shape is not None and taken.shape[0] is None
    return frames[0].shape[1], can_batch and _batches(run, noise_BS, axes, single)


def _batches(run: Run, noise_BS: np.ndarray, axes: int, single: list[np.ndarray]) -> bool:
    try:
        both = run(shaped(noise_BS, axes))
    # A free size may still be one that the runtime refuses.
    except Exception:
        return False
    alone = np.concatenate(single) if single[0].shape[:1] == (1,) else None
    return alone is not None and _same(both, alone)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-3, atol=1e-4)
