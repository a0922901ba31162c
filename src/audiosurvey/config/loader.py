"""Loads a config: a file or a preset, `--set` overrides, presets and what weights determine filled in, all checked."""

import errno
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from audiosurvey.config.checks.checks import cross_faults
from audiosurvey.config.checks.obstacles import device_obstacles, obstacles
from audiosurvey.config.from_encoder import fill_from_encoder
from audiosurvey.config.from_weights import fill_from_weights
from audiosurvey.config.presets import preset_document, preset_names
from audiosurvey.config.reading.document import Document, read
from audiosurvey.config.reading.faults import did_you_mean, lines, refuse
from audiosurvey.config.reading.mapping import document_of
from audiosurvey.config.reading.overrides import override, override_value
from audiosurvey.config.reading.validate import validate
from audiosurvey.config.resolved import resolved_yaml
from audiosurvey.config.root import Config
from audiosurvey.config.set_file import fill_set
from audiosurvey.config.stored import is_resolved, keep_meaning
from audiosurvey.config.tables import overrides_with_sections, with_sections
from audiosurvey.data.dataset import Name as DatasetName
from audiosurvey.errors import Fault, UserError

DATASETS: tuple[str, ...] = get_args(DatasetName)


@dataclass(frozen=True)
class LoadedConfig:
    """A checked config and where it came from."""

    config: Config
    """Resolved: every `auto` and absent length settled."""
    source: str
    """CONFIG as the user typed it."""
    warnings: tuple[str, ...]
    """Located lines on what runs but is likely a mistake; the command line writes them to stderr."""
    notes: tuple[str, ...]
    """Located lines on what was filled in from the model of `model.init`; they are written there too."""
    document: Document = field(repr=False)
    """What it was read from, where each key has its line."""

    @property
    def name(self) -> str:
        """A short name for run folders: the file's, without folder and extension, or the preset's."""
        return Path(self.source).stem

    def refuse_obstacles(self) -> None:
        """Raises UserError with a located line for everything that training needs and this machine lacks."""
        refuse(self.document, obstacles(self.config))

    def refuse_device(self, device_type: str) -> None:
        """Raises UserError with a located line for each key that this type of device (`cpu`) does not support."""
        refuse(self.document, device_obstacles(self.config, device_type))

    def resolved_yaml(self) -> str:
        """A valid config with every value in it, which loads to the same config."""
        return resolved_yaml(self.config)


ConfigSource = str | Path | Mapping[str, Any] | Config | LoadedConfig
"""What a config is read from: a file, the name of a preset, a mapping, or a config that was read before."""
Overrides = Sequence[str] | Mapping[str, Any]
"""`["train.lr=1e-3"]`, or `{"train.lr": 1e-3}`."""


def load_config(source: ConfigSource, overrides: Overrides = ()) -> LoadedConfig:
    """Read, override and check a config.

    `source`: a file, a preset's name, or a mapping; `overrides`: `KEY=VALUE` texts, or a mapping of keys to values.
    Raises UserError with one line a fault, by line of the file, those of the overrides last.
    """
    if isinstance(source, LoadedConfig):
        if not overrides:
            return source
        return load_document(replace(deepcopy(source.document), overrides=[], faults=[]), overrides)
    if isinstance(source, Mapping):
        source = with_sections(source)
    if isinstance(source, Mapping | Config):
        return load_document(document_of(source), overrides)
    return load_document(open_document(source), overrides)


def load_text(text: str | bytes, name: str, overrides: Overrides = ()) -> LoadedConfig:
    """As `load_config`, for a config's text; `name` stands for the file in messages."""
    return load_document(read(text, name), overrides)


def load_document(document: Document, overrides: Overrides = ()) -> LoadedConfig:
    if "configs" in document.data:
        raise UserError(
            f"{document.name}: is a survey file, not a config; 'audiosurvey survey {document.name}' trains it"
        )
    if is_resolved(document):
        # That of a run or a model, given as a config again.
        keep_meaning(document)
    fill_preset(document)
    if isinstance(overrides, Mapping):
        overrides = overrides_with_sections(overrides)
    for word in overrides:
        if isinstance(overrides, Mapping):
            document.override_word = "overrides"
            override_value(document, word, overrides[word])
        else:
            override(document, word)
        fill_preset(document)
    fill_set(document)
    if faults := fill_from_encoder(document):
        # Without its settings, nothing can be said about what follows an encoder.
        refuse(document, faults)
    taken = fill_from_weights(document)
    checked = validate(Config, document)
    if checked.config is None:
        refuse(document, checked.faults)
        raise RuntimeError("an invalid config without a fault")
    config = checked.config.resolved()
    crossed, warnings = cross_faults(config, checked.replaced)
    refuse(document, [*checked.faults, *crossed])
    told = lines(document, [*_front_end_changed(document), *warnings])
    return LoadedConfig(config, document.name, told, lines(document, taken), document)


def _front_end_changed(document: Document) -> list[Fault]:
    """`--set mel_spectrogram.n_mels=80` makes the section exist, and with it the defaults of the original."""
    section, path = document.data.get("mel_spectrogram"), ("mel_spectrogram",)
    if not isinstance(document.place(path), str) or not isinstance(section, dict) or "compression" in section:
        return []
    keep = "--set mel_spectrogram.compression=db --set mel_spectrogram.standardize=batch_norm"
    return [Fault(path, f"a section given without compression uses log10p1, as the original did; add {keep}")]


def open_document(source: str | Path) -> Document:
    """The document that CONFIG names: a file first, else a preset."""
    name, path = str(source), Path(source)
    if not name:
        raise UserError("CONFIG is empty; expected a file, or the name of a preset")
    if path.suffix.lower() in (".csv", ".tsv") and path.is_file():
        mend = "'audiosurvey init my.yaml --dataset csv' writes a config for it"
        raise UserError(f"{name}: is a table, not a config file; {mend}")
    text = _content(path, name)
    if text is not None:
        return read(text, name)
    if name in preset_names():
        return preset_document(name)
    if _is_dir(path):
        inside = path / "config.yaml"
        init = "; 'audiosurvey init my.yaml --dataset folder' writes a config for a folder of sounds"
        more = f"; did you mean {inside.as_posix()}? 'train {name} --more 40' trains a finished run for more epochs"
        mend = more if inside.is_file() else init
        raise UserError(f"{name}: is a folder, not a config file{mend}")
    if name in DATASETS:
        mend = f"'audiosurvey init --dataset {name}' writes a config for it"
        raise UserError(f"{name}: is a data set, not a config; {mend}")
    raise UserError(f"{name}: no such file or folder, and no preset of that name{_near_source(path, name)}")


def _content(path: Path, name: str) -> bytes | None:
    """The content of a file; None where there is none of this name."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        # A folder, to Windows, is a file that may not be read.
        if not _is_dir(path) and error.errno != errno.ENAMETOOLONG:
            raise UserError(f"{name}: cannot be read ({error.strerror})") from None
        return None


def fill_preset(document: Document) -> None:
    """Replace `model: {preset: NAME}` by the model of that preset; further keys beside it (`init`) stay
    and win."""
    seen: list[str] = []
    while (model := document.data.get("model")) and isinstance(model, dict):
        name = model.get("preset")
        if not isinstance(name, str):
            return
        where = ("model", "preset")
        place = document.place(where)
        if fault := _cannot_fill(model, name, seen):
            document.faults.append((place, Fault(where, fault)))
            document.put(where, None, place)
            return
        seen.append(name)
        preset = preset_document(name).data.get("model") or {}
        for key, value in preset.items():
            if key not in model or key == "preset":
                document.put(("model", key), value, place)
        if "preset" not in preset:
            del model["preset"]


def _cannot_fill(model: dict[str, object], name: str, seen: list[str]) -> str | None:
    if name not in preset_names():
        return f"no preset {name!r}{did_you_mean(name, preset_names())} (audiosurvey presets lists them)"
    if not seen and model.get("blocks") is not None:
        mend = f"--set 'model={{preset: {name}}}' replaces the whole section"
        return f"the preset brings its own blocks, and blocks are given too; keep one of the two ({mend})"
    return "this preset leads back to itself" if name in seen else None


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _near_source(path: Path, name: str) -> str:
    """What the user may have meant: a preset, or a config that lies beside the missing file."""
    known = preset_names()
    if _is_dir(path.parent):
        known += [file.as_posix() for file in sorted(path.parent.glob("*.y*ml"))]
    return f"{did_you_mean(name, known)} (audiosurvey presets lists them)"
