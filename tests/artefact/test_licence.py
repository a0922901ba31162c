"""Licences: what binds the weights, and what the Hub calls it."""

import pytest

from audiosurvey.artefact.licence import hub_id, non_commercial, strictest


@pytest.mark.parametrize(
    ("licence", "known_as"),
    [
        ("CC BY-NC 3.0 (non-commercial)", "cc-by-nc-3.0"),
        ("CC BY 3.0", "cc-by-3.0"),
        ("CC0", "cc0-1.0"),
        ("mit", "mit"),
        ("our own, see LICENSE", "other"),
        (None, "unknown"),
        ("not stated", "unknown"),
    ],
)
def test_names_of_the_hub(licence, known_as):
    assert hub_id(licence) == known_as


def test_non_commercial():
    assert non_commercial("CC BY-NC 3.0 (non-commercial)")
    assert non_commercial("non-commercial use only")
    assert not non_commercial("CC BY 3.0")
    assert not non_commercial(None)


@pytest.mark.parametrize(
    ("parts", "binding"),
    [
        ({"start": "CC BY 4.0", "data": "CC BY-NC 3.0 (non-commercial)"}, "CC BY-NC 3.0 (non-commercial)"),
        ({"start": "CC BY-NC 4.0", "data": None}, "CC BY-NC 4.0"),
        ({"start": "MIT", "data": None}, "not stated"),
        ({"start": "MIT", "data": "not stated"}, "not stated"),
        ({"start": "MIT", "data": "CC BY 3.0"}, "CC BY 3.0"),
        ({"data": "CC0"}, "CC0"),
        ({}, "not stated"),
    ],
)
def test_the_strictest_binds(parts, binding):
    assert strictest(parts) == binding
