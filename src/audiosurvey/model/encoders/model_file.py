"""What is known of a model file of another runtime: its tensors, its sample rate, and how it is run."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.errors import UserError, some_of
from audiosurvey.extras import require_installed

Run = Callable[[np.ndarray], np.ndarray]
"""From the input of a model, in its own shape, to one of its tensors."""
SUFFIXES = (".onnx", ".tflite")
RATE_KEYS = ("sample_rate", "sampling_rate", "samplerate", "sr")
"""Keys under which metadata has the sample rate in Hz."""
_RATES_HZ = (1_000, 768_000)
_SHOWN_INNER = 6


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of a model file. `shape`: None where it is not known, and for each size that is free."""

    name: str
    shape: tuple[int | None, ...] | None
    kind: str
    """Type of its numbers as NumPy calls it (`float32`)."""

    def text(self) -> str:
        return self.name if self.shape is None else f"{self.name} {self.sizes()}"

    def sizes(self) -> str:
        return f"({', '.join('?' if size is None else str(size) for size in self.shape or ())})"


class ModelFile(ABC):
    """A model file that was read, of ONNX or LiteRT."""

    inputs: Sequence[TensorInfo]
    outputs: Sequence[TensorInfo]
    sample_rate: int | None
    """Rate of its waveform in Hz, if its metadata has it."""
    parameters: int
    """Constant numbers of the graph, filters and windows included."""

    @abstractmethod
    def inner(self) -> Sequence[TensorInfo]:
        """The tensors that are computed on the way to the outputs, in order."""

    @abstractmethod
    def runner(self, output: str, threads: int) -> Run:
        """Runs the model up to a tensor, an output or an inner one; may be called from several threads.

        Raises UserError where the runtime cannot load the model.
        """

    def find(self, output: str | None) -> str:
        """The name of the tensor that is asked for; None: the only output. Raises UserError for none."""
        listed = some_of([one.text() for one in self.outputs], 8)
        if output is None:
            if len(self.outputs) == 1:
                return self.outputs[0].name
            raise UserError(f"the file has {len(self.outputs)} outputs; name one: {listed}")
        inner = self.inner()
        names = [one.name for one in (*self.outputs, *inner)]
        if output in names:
            return output
        close = get_close_matches(output, names, n=1)
        near = f"; did you mean {close[0]}?" if close else ""
        last = ", ".join(one.text() for one in inner[-_SHOWN_INNER:])
        before = f"; the last tensors before them: {last}" if last else ""
        raise UserError(f"the file has no tensor {output!r}{near}; outputs: {listed}{before}")


def open_model_file(content: bytes) -> ModelFile:
    """The model in the content of a file. Raises UserError for anything else, and without the package that reads it."""
    require_runtime(content)
    # The runtimes are needed by networks with such an encoder alone.
    if _is_litert(content):
        from audiosurvey.model.encoders.litert_file import LiteRTFile

        return LiteRTFile(content)
    from audiosurvey.model.encoders.onnx_file import OnnxFile

    return OnnxFile(content)


def require_runtime(content: bytes) -> None:
    """Raises UserError, naming the extra, without the packages that run a file that begins like this."""
    if _is_litert(content):
        require_installed("ai_edge_litert", extra="litert")
    else:
        require_installed("onnx", "onnxruntime", extra="onnx")


def _is_litert(content: bytes) -> bool:
    return content[4:8] == b"TFL3"


def is_model_file(name: str | Path) -> bool:
    """Whether a path has the suffix of a model file."""
    return Path(name).suffix.lower() in SUFFIXES


def rate_in(metadata: Mapping[str, Any]) -> int | None:
    """The sample rate in metadata, if there is a plausible one."""
    known = {key.lower(): value for key, value in metadata.items()}
    for key in RATE_KEYS:
        try:
            rate = float(known[key])
        except (KeyError, TypeError, ValueError):
            continue
        if _RATES_HZ[0] <= rate <= _RATES_HZ[1] and rate == int(rate):
            return int(rate)
    return None


def unreadable(what: str, error: Exception) -> UserError:
    """The UserError for a file that a library refuses."""
    reason = " ".join(str(error).split())[:160]
    return UserError(f"cannot be read as {what} ({reason or type(error).__name__})")
