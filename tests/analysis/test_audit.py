"""The audit of a run's data: stored, shared with runs beside it, made again for other settings."""

from pathlib import Path
from typing import Any

import pytest

from audiosurvey.analysis.audit import audit_run
from audiosurvey.config.root import Config
from audiosurvey.runs.results.run_folder import RunFolder


def audit(run: Path, config: Config) -> dict[str, Any]:
    results = RunFolder(run).read_results()
    assert results is not None
    return audit_run(RunFolder(run), config, results.dataset.hash)


def test_the_audit_is_stored_and_reused(run: Path, monkeypatch: pytest.MonkeyPatch):
    config = RunFolder(run).read_config()
    found = audit(run, config)
    assert found["dataset"]["clips"] == 24
    monkeypatch.setattr("audiosurvey.analysis.audit.audit_dataset", lambda *a, **k: pytest.fail("audited again"))
    assert audit(run, config) == found


@pytest.mark.parametrize(
    ("section", "change"),
    [("dataset", {"mono": "left"}), ("dataset", {"num_folds": 4}), ("mel_spectrogram", {"f_max": 2000})],
)
def test_other_settings_are_audited_again(run: Path, section: str, change: dict[str, Any]):
    config = RunFolder(run).read_config()
    found = audit(run, config)
    other = config.model_copy(update={section: getattr(config, section).model_copy(update=change)})
    again = audit(run, other)
    assert again["settings"] != found["settings"]
    assert audit(run, other) == again
