"""The data audit of a run's data set, stored in `RUN/analysis/doctor.json` in the form of `doctor --json`."""

from contextlib import suppress
from typing import Any

from audiosurvey.analysis.explanations import FOLDER
from audiosurvey.config.root import Config
from audiosurvey.doctor.audit import as_json, audit_dataset
from audiosurvey.errors import UserError
from audiosurvey.runs.listener import OpenBar, no_bar
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import read_json, write_json
from audiosurvey.version import __version__

FILE = "doctor.json"


def audit_run(run: RunFolder, config: Config, data_hash: str, bar: OpenBar = no_bar) -> dict[str, Any]:
    """Audits the data set, or reads the audit of this run, or of one beside it, that this version made of the same
    data (`data_hash`).

    Raises UserError if the data is missing.
    """
    path = run.path / FOLDER / FILE
    for place in (path, *sorted(run.path.resolve().parent.glob(f"*/{FOLDER}/{FILE}"))):
        with suppress(UserError):
            before = read_json(place)
            if (before.get("version"), before.get("data_hash")) == (__version__, data_hash):
                return before
    _, top_hz = config.mel_spectrogram.limits_hz(config.sample_rate)
    with bar("listening to the data") as advance:
        diagnosis = audit_dataset(config.dataset, top_hz=top_hz, progress=advance)
    found = {"version": __version__, "data_hash": data_hash, **as_json(diagnosis)}
    with suppress(OSError):
        write_json(path, found)
    return found
