"""Reads a survey file: YAML, checked like a config, with every fault located."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.config.manual.schema import tidy
from audiosurvey.config.reading.document import Document, decode, read
from audiosurvey.config.reading.faults import refuse
from audiosurvey.config.reading.validate import validate
from audiosurvey.errors import Fault, UserError
from audiosurvey.surveys.planning.place import Origin, read_survey_file
from audiosurvey.surveys.planning.reserved import reserved_faults
from audiosurvey.surveys.planning.spec import SurveySpec


@dataclass(frozen=True)
class LoadedSurvey:
    """A checked survey file."""

    spec: SurveySpec
    document: Document
    text: str
    """Of the file."""
    origin: Origin
    """For the copy in a survey folder, that of the file that it was copied from."""

    def refuse(self, path: tuple[str | int, ...], lines: Sequence[str]) -> None:
        """Raises the faults of a config that the key at `path` asked for, located in the survey file."""
        refuse(self.document, [Fault(path, line) for line in lines])


def load_survey(path: Path, origin: Origin | None = None) -> LoadedSurvey:
    """Reads a survey file. `origin`: that of the file that it was copied from. Raises UserError with one located line
    per fault."""
    origin = origin or Origin(path)
    text = decode(read_survey_file(path), str(path), "survey file")
    document = read(text, str(path), kind="survey file", example="configs: [tiny]")
    if "blocks" in document.data or ("configs" not in document.data and {"model", "train"} & document.data.keys()):
        raise UserError(f"{path}: is a config, not a survey file; list it there as `configs: [{path}]`")
    checked = validate(SurveySpec, document)
    if checked.faults:
        refuse(document, [*_missing_configs(document, origin), *checked.faults])
    assert checked.config is not None, "a survey without a fault is one"
    refuse(document, list(reserved_faults(checked.config)))
    return LoadedSurvey(checked.config.resolve_paths(origin.find), document, text, origin)


def _missing_configs(document: Document, origin: Origin) -> Iterator[Fault]:
    """One for each entry of `configs` that is neither a file nor a preset, in a survey file with other faults."""
    from audiosurvey.config.loader import open_document

    entries = document.data.get("configs")
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        source = entry.get("config") if isinstance(entry, dict) else entry
        if isinstance(source, str) and origin.find(source) is None:
            try:
                open_document(source)
            except UserError as error:
                yield Fault(("configs", index), error.lines[0])


def schema_text() -> str:
    """The JSON Schema of survey files."""
    schema = tidy(SurveySpec.model_json_schema())
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "audiosurvey survey"}
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"
