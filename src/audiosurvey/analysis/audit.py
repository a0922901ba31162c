"""The data audit of a run's data set, stored in `RUN/analysis/doctor.json` in the form of `doctor --json`."""

from contextlib import suppress
from typing import Any

from audiosurvey.analysis.explanations import FOLDER
from audiosurvey.config.root import Config
from audiosurvey.diagnosis.audit import as_json, audit_dataset
from audiosurvey.errors import UserError
from audiosurvey.runs.listener import OpenBar, no_bar
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import read_json, write_json
from audiosurvey.version import __version__

FILE = "doctor.json"


def audit_run(run: RunFolder, config: Config, data_hash: str, bar: OpenBar = no_bar) -> dict[str, Any]:
    """Audits the data set, or reads the audit of this run, or of one beside it, that this version made of the same
    data (`data_hash`) with the same settings.

    Raises UserError if the data is missing.
    """
    path = run.path / FOLDER / FILE
    _, top_hz = config.mel_spectrogram.limits_hz(config.sample_rate)
    data = config.dataset
    made_of = {
        "version": __version__,
        "data_hash": data_hash,
        "settings": {"mono": data.mono, "num_folds": data.num_folds, "top_hz": top_hz},
    }
    for place in (path, *sorted(run.path.resolve().parent.glob(f"*/{FOLDER}/{FILE}"))):
        with suppress(UserError, OSError):
            before = read_json(place)
            if all(before.get(key) == value for key, value in made_of.items()):
                return before
    with bar("listening to the data") as advance:
        diagnosis = audit_dataset(data, top_hz=top_hz, progress=advance)
    found = {**made_of, **as_json(diagnosis)}
    with suppress(OSError):
        write_json(path, found)
    return found
