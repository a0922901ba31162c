"""The run that another one continued (`train --more`): parent.json, and a part of results.json."""

from audiosurvey.runs.results.stored import StoredPart


class ParentFacts(StoredPart):
    """The run that another one continued with `train --more`."""

    run: str
    """Its folder, as it was given."""
    epochs: int
    """Epochs that it had trained."""
