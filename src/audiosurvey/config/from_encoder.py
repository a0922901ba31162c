"""What a config leaves out is that of its `encoder` block: the encoder's settings, sample rate and weights."""

from typing import Any

from audiosurvey.config.reading.document import Document, Path
from audiosurvey.errors import Fault, UserError
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
        if not isinstance(section, dict) or not isinstance(section.get("hub"), str) or not section["hub"]:
            continue
        path: Path = ("model", "blocks", index, "encoder")
        if section.get("config") is None and section.get("extractor") is None:
            try:
                architecture, extractor = read_settings(section["hub"])
            except UserError as error:
                faults.append(Fault((*path, "hub"), str(error)))
                continue
            for key, value in (("config", architecture), ("extractor", extractor)):
                document.put((*path, key), value, document.place((*path, "hub")))
        _fill_beside(document, section, path)
    return faults


def _fill_beside(document: Document, section: dict[str, Any], path: Path) -> None:
    place = document.place((*path, "hub"))
    if document.data["model"].get("init") is None:
        document.put(("model", "init"), init_of(section["hub"]), place)
    rate = section["extractor"].get("sampling_rate") if isinstance(section.get("extractor"), dict) else None
    if document.data.get("sample_rate") is None and isinstance(rate, int):
        document.put(("sample_rate",), rate, place)
