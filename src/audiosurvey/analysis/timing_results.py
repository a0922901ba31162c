"""Time per clip of a run's model as typed data: the form of `analysis/timing.json`."""

from pydantic import Field

from audiosurvey.analysis.measured_model import still_has
from audiosurvey.errors import UserError
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import StoredPart, read_part, write_json

FILE = "analysis/timing.json"
"""Relative to the run folder."""
SCHEMA = 1


class TimingResults(StoredPart):
    """The form of timing.json: one model, measured in turn with others. Times of two measurements do not compare."""

    schema_version: int = Field(default=SCHEMA, validation_alias="schema", serialization_alias="schema")
    version: str
    fold: int | None
    """Whose model was measured; None: the final model."""
    model: str
    """SHA-256 of its weights."""
    ms_per_clip: float = Field(ge=0, allow_inf_nan=False)
    """Processor time of one window on one thread, front end included."""
    host: str
    processor: str
    measured: str
    """When, in UTC (ISO 8601)."""
    measurement: str
    """A name for the measurement, the same for all models that were measured in turn."""
    models: list[str]
    """The names of these models."""

    @property
    def machine(self) -> str:
        return f"{self.host} ({self.processor})"

    @property
    def when(self) -> str:
        """`2026-11-30 07:50 UTC`."""
        return f"{self.measured[:16].replace('T', ' ')} UTC"


def write_timing(run: RunFolder, timing: TimingResults) -> None:
    """Stores a measurement beside its run, in place of an earlier one."""
    write_json(run.path / FILE, timing.as_json())


def timing_of(run: RunFolder) -> TimingResults | None:
    """What was measured for the model of a run; None if nothing was.

    Raises UserError for a damaged file or another schema, and if the run had another model then. A model that was not
    kept counts as the one that was measured.
    """
    path = run.path / FILE
    if not path.exists():
        return None
    again = f"'audiosurvey compare {run.path.as_posix()} --timing' measures it again"
    found = read_part(TimingResults, path, again, what="timing", schema=SCHEMA)
    if not still_has(run, found.fold, found.model):
        raise UserError(f"{path}: was measured with another model; {again}")
    return found
