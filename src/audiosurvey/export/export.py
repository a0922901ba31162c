"""`export`: a model as one file for other runtimes, compared with the model before it gets its name."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.artefact.exported import Exported, load_exported, quiet
from audiosurvey.artefact.folder import Model
from audiosurvey.artefact.golden import check_golden
from audiosurvey.atomic import naming
from audiosurvey.data.sets.folder import AUDIO_EXTENSIONS
from audiosurvey.errors import UserError, is_full
from audiosurvey.export.card import add_export
from audiosurvey.export.formats import OPSET, SUFFIXES, WRITERS, Format
from audiosurvey.export.graph import Scorer, exported_facts, least_samples
from audiosurvey.export.int8 import write_int8
from audiosurvey.export.parity import (
    INT8_TOLERANCE,
    LENGTHS_S,
    TOLERANCE,
    Compared,
    compare,
    probes,
    processor_ms,
)

MOST_WINDOWS = 256
"""Windows that ranges for 8 bits are measured on, at most."""


@dataclass(frozen=True)
class Outcome:
    """An exported file and how it compares with its model."""

    path: Path
    format: str
    megabytes: float
    tolerance: float
    golden: float | None
    """The largest difference of a score of the golden clips; None for a model without any."""
    compared: list[Compared]
    same_label: float | None
    """For 8 bits: the share of the calibration windows whose best label is the model's."""
    ms: float
    """Processor time of one clip of `clip_seconds`, batch of one."""
    torch_ms: float
    clip_seconds: float
    one_length: bool
    """Whether the file takes waves of one window only, not of any length."""

    @property
    def difference(self) -> float:
        """What the tolerance is for: the largest of all; for 8 bits, the mean over the clips that ranges are from."""
        golden = [self.golden] if self.golden is not None and self.same_label is None else []
        return max(*golden, *(row.difference for row in self.compared if row.difference is not None), 0.0)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"path": self.path.as_posix(), "difference": self.difference}

    def lines(self) -> list[str]:
        """For the model card and the terminal."""
        faster = self.torch_ms / self.ms
        lines = [
            f"- {self.format}, {self.megabytes:.2f} MB",
            f"- {self.ms:.1f} ms a clip of {self.clip_seconds:g} s; the model itself in torch: {self.torch_ms:.1f} ms "
            f"({faster:.2g} times as long)",
        ]
        if self.one_length:
            lines.append(f"- takes waves of {self.clip_seconds:g} s only, as `predict` cuts them")
        if self.golden is not None:
            lines.append(f"- golden clips: largest difference of a score {self.golden:.1e}")
        if self.same_label is not None:
            lines += [
                f"- scores differ by {self.difference:.1e} (largest of a clip, mean over {self.compared[0].batch} "
                f"clips; allowed: {self.tolerance:g}); best label the same for {self.same_label:.1%} of them"
            ]
            return lines
        lines += [
            f"- largest difference of a score: {self.difference:.1e} (allowed: {self.tolerance:g})",
            "",
            *_table(self.compared),
        ]
        return lines


def export(
    model: Model,
    output: Path,
    format: Format,
    *,
    calibration: Path | None = None,
    int8: bool = False,
    card: Path | None = None,
) -> Outcome:
    """Writes `model` to `output`, if what was written gives its scores. `card`: the README.md that is told of it.

    `int8`: ONNX with 8-bit integers; ranges are measured on the sounds in the folder `calibration`, on the golden clips
    where there is none. Raises UserError for a network that the format cannot hold, a runtime that is missing, or
    scores that differ; nothing is written then.
    """
    check_suffix(output, format)
    if not output.parent.is_dir():
        raise UserError(f"--output {output}: the folder {output.parent} is missing")
    if output.is_dir():
        raise UserError(f"--output {output}: is a folder; name a file")
    _refuse_changed(model)
    windows_WS = _calibration_windows(model, calibration) if int8 else None
    # Beside the target, so that the rename is one; under a name with its ending, by which loaders go.
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as folder:
        written = Path(folder) / f"model{output.suffix}"
        _write(model, format, windows_WS, written)
        outcome = _measure(model, format, windows_WS, written, output)
        written.replace(output)
    if card is not None and card.is_file():
        add_export(card, output.name, outcome.lines())
    return outcome


def check_suffix(output: Path, format: Format) -> None:
    """Raise UserError for a name that does not end as files of this format do."""
    if output.suffix != SUFFIXES[format]:
        raise UserError(f"--output {output}: a file of {format} ends in {SUFFIXES[format]}")


def takes_one_length(model: Model, format: Format) -> bool:
    """Whether a file takes waves of one window only.

    ExecuTorch plans its memory ahead. Networks that hear the wave shorten it a dozen times over, and torch.export does
    not come to an end with the formula of a free length.
    """
    return format == "executorch" or "wave" in model.config.model.hears


def _write(model: Model, format: Format, windows_WS: np.ndarray | None, path: Path) -> None:
    scorer, samples = Scorer(model), model.clip_samples
    one_length = takes_one_length(model, format)
    least = samples if one_length else least_samples(scorer, samples)
    facts = exported_facts(model, least, samples if one_length else None)
    try:
        with quiet(), naming(path):
            WRITERS[format](scorer, samples, facts, path)
            if windows_WS is not None:
                write_int8(path, windows_WS, path)
    except UserError:
        raise
    except OSError as error:
        if is_full(error):
            raise
        raise UserError(f"this network cannot be exported to {format}: {error.strerror or error}") from error
    # What an exporter raises for an operation that it does not know differs from one to the next.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"this network cannot be exported to {format}: {reason}") from error


def _measure(model: Model, format: Format, windows_WS: np.ndarray | None, written: Path, output: Path) -> Outcome:
    exported = load_exported(written, threads=1, trust=True)
    if windows_WS is None:
        same, tolerance = None, TOLERANCE
        compared = compare(model, exported, _lengths(model, exported))
    else:
        compared, same = _compare_windows(model, exported, windows_WS)
        tolerance = INT8_TOLERANCE
    ms, torch_ms = processor_ms(exported, model, probes(model)[0])
    named = {"onnx": f"ONNX, opset {OPSET}", "torch": "torch.export program", "executorch": "ExecuTorch program"}
    outcome = Outcome(
        path=output,
        format=named[format] + ("" if windows_WS is None else f", int8 (ranges of {len(windows_WS)} windows)"),
        megabytes=written.stat().st_size / 1e6,
        tolerance=tolerance,
        golden=_golden(model, exported),
        compared=compared,
        same_label=same,
        ms=ms,
        torch_ms=torch_ms,
        clip_seconds=model.clip_samples / model.sample_rate,
        one_length=exported.facts["most_samples"] is not None,
    )
    if not outcome.difference <= tolerance:
        raise UserError(
            f"{output}: its scores differ from the model's by {outcome.difference:.2g}, and {tolerance:g} are allowed; "
            "nothing was written"
        )
    return outcome


def _refuse_changed(model: Model) -> None:
    """A model that no longer gives what it gave when it was made is no measure of an exported file."""
    if model.golden is None:
        return
    difference = check_golden(model)
    if not difference <= model.golden.tolerance:
        raise UserError(
            f"the model's golden clips give other logits than when it was made (difference {difference:.2g}, allowed "
            f"{model.golden.tolerance:.2g}); nothing was written"
        )


def _golden(model: Model, exported: Exported) -> float | None:
    if model.golden is None:
        return None
    pairs = [(exported.scores(wave_S), model.scores(wave_S)) for wave_S in model.golden.wave_BS]
    return float(max(np.abs(given - wanted).max() for given, wanted in pairs))


def _lengths(model: Model, exported: Exported) -> tuple[int, ...]:
    if exported.facts["most_samples"] is not None:
        return (model.clip_samples,)
    lengths = sorted({seconds * model.sample_rate for seconds in LENGTHS_S} | {model.clip_samples})
    return tuple(samples for samples in lengths if samples >= exported.facts["least_samples"])


def _compare_windows(model: Model, exported: Exported, windows_WS: np.ndarray) -> tuple[list[Compared], float]:
    """The largest difference of each window's scores, in the mean, and how often the best label is the same."""
    pairs = [(model.scores(window_S)[0], exported.scores(window_S)[0]) for window_S in windows_WS]
    difference = float(np.mean([np.abs(wanted_K - given_K).max() for wanted_K, given_K in pairs]))
    same = float(np.mean([wanted_K.argmax() == given_K.argmax() for wanted_K, given_K in pairs]))
    return [Compared(len(windows_WS), model.clip_samples / model.sample_rate, difference)], same


def _calibration_windows(model: Model, folder: Path | None) -> np.ndarray:
    """Real windows (W, S): of the sounds in a folder, a few of each so that all are heard, or the golden clips."""
    if folder is None:
        if model.golden is None:
            raise UserError("--int8: this model has no golden clips; give --calibration FOLDER with sounds like its")
        return model.golden.wave_BS
    if not folder.is_dir():
        raise UserError(f"--calibration {folder}: no such folder; expected one with sounds like the model's")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_EXTENSIONS)
    if not paths:
        raise UserError(f"--calibration {folder}: no audio files found; expected a folder of sounds like the model's")
    # Spread over the names: folders of classes lie one behind the other.
    chosen = paths[:: -(-len(paths) // MOST_WINDOWS)]
    return np.stack([model.windows(model.decoded(path))[0] for path in chosen])


def _table(compared: Sequence[Compared]) -> list[str]:
    lengths = list(dict.fromkeys(row.seconds for row in compared))
    batches = list(dict.fromkeys(row.batch for row in compared))
    found = {(row.batch, row.seconds): row.difference for row in compared}
    head = [f"| batch | {' | '.join(f'{seconds:g} s' for seconds in lengths)} |", "|---" * (len(lengths) + 1) + "|"]
    return head + [
        f"| {batch} | {' | '.join(_cell(found[batch, seconds]) for seconds in lengths)} |" for batch in batches
    ]


def _cell(difference: float | None) -> str:
    return "not compared: takes too long" if difference is None else f"{difference:.1e}"
