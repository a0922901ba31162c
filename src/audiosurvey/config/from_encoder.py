"""What a config leaves out is that of its `encoder` block: the encoder's settings, sample rate and weights."""

from typing import Any

from audiosurvey.config.reading.document import Document, Path
from audiosurvey.errors import Fault, UserError
from audiosurvey.model.encoders.file_settings import SettingFault, is_current, read_file_settings
from audiosurvey.model.encoders.hub_folder import init_of, read_settings


def fill_from_encoder(document: Document) -> list[Fault]:
    """Reads the settings of encoders into the document, unless they are there; they may be downloaded.

    Returns a fault for each encoder whose settings cannot be read.
    """
    faults: list[Fault] = []
    model = document.data.get("model")
    blocks = model.get("blocks") if isinstance(model, dict) else None
    for index, block in enumerate(blocks if isinstance(blocks, list) else []):
        section = block.get("encoder") if isinstance(block, dict) else None
        if not isinstance(section, dict):
            continue
        path: Path = ("model", "blocks", index, "encoder")
        hub, file = section.get("hub"), section.get("file")
        if isinstance(hub, str) and hub and file is None:
            faults += _fill_from_hub(document, section, path)
        elif isinstance(file, str) and file and hub is None:
            faults += _fill_from_file(document, section, path)
    return faults


def _fill_from_hub(document: Document, section: dict[str, Any], path: Path) -> list[Fault]:
    place = document.place((*path, "hub"))
    if section.get("config") is None and section.get("extractor") is None:
        try:
            architecture, extractor = read_settings(section["hub"])
        except UserError as error:
            return [Fault((*path, "hub"), str(error))]
        for key, value in (("config", architecture), ("extractor", extractor)):
            document.put((*path, key), value, place)
    rate = section["extractor"].get("sampling_rate") if isinstance(section.get("extractor"), dict) else None
    _fill_beside(document, init_of(section["hub"]), rate, place)
    return []


def _fill_from_file(document: Document, section: dict[str, Any], path: Path) -> list[Fault]:
    place = document.place((*path, "file"))
    if not is_current(section):
        try:
            found = read_file_settings(section)
        except SettingFault as fault:
            key = fault.key if section.get(fault.key) is not None else "file"
            return [Fault((*path, key), str(fault))]
        values = {"sample_rate": found.sample_rate, "window_seconds": found.window_seconds}
        values |= {"output": found.graph.output, "graph": found.graph.model_dump()}
        for key, value in values.items():
            if section.get(key) is None or key == "graph":
                document.put((*path, key), value, place)
    _fill_beside(document, section["file"], section.get("sample_rate"), place)
    return []


def _fill_beside(document: Document, init: str, rate: Any, place: Any) -> None:
    if document.data["model"].get("init") is None:
        document.put(("model", "init"), init, place)
    if document.data.get("sample_rate") is None and isinstance(rate, int):
        document.put(("sample_rate",), rate, place)
