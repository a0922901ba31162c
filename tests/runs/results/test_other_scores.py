"""AUROC and false alarms by hand."""

from pathlib import Path

import numpy as np
import pytest

from audiosurvey.data.table import Clip
from audiosurvey.runs.results.other_scores import OtherScores, other_scores, separation, summary


def array(*values: float) -> np.ndarray:
    return np.array(values)


def test_auroc_and_false_alarms_by_hand() -> None:
    """Of six pairs four are in order, and one is a tie. All of two clips are kept with the threshold 0.5."""
    found = separation(array(0.9, 0.5), array(0.7, 0.5, 0.2), array(0.1, 0.6))
    assert found is not None
    assert found.auroc == pytest.approx((3 + 0 + 0.5 + 1) / 6)
    assert found.false_alarms == pytest.approx(2 / 3)
    assert found.made_false_alarms == pytest.approx(1 / 2)
    assert (found.clips, found.made) == (3, 2)


def test_ninety_five_percent_of_the_clips_are_kept() -> None:
    """Of forty clips with the scores 0.01, 0.02, ... two may be lost: the threshold is 0.03."""
    known_N = np.arange(1, 41) / 100
    found = separation(known_N, array(0.029, 0.03, 0.5), array())
    assert found is not None
    assert found.false_alarms == pytest.approx(2 / 3)
    assert found.made_false_alarms is None
    assert (known_N >= 0.03).mean() == 0.95


def test_without_sounds_there_is_nothing_and_without_clips_no_number() -> None:
    assert separation(array(0.5), array(), array()) is None
    found = separation(array(), array(0.5), array())
    assert found is not None
    assert (found.clips, found.auroc, found.false_alarms) == (1, None, None)


def test_clips_without_a_label_are_neither_known_nor_other() -> None:
    clips = [Clip("a", Path("a"), (0,)), Clip("b", Path("b"), ())]
    others = [Clip("other:c", Path("c"), (), other=True), Clip("other:made/d", Path("d"), (), other=True)]
    found = other_scores(clips, np.array([[0.8, 0.1], [0.3, 0.2]]), others, np.array([[0.5, 0.4], [0.9, 0.1]]))
    assert found is not None
    assert (found.auroc, found.false_alarms, found.made_false_alarms) == (1.0, 0.0, 1.0)


def test_means_are_over_the_folds_that_have_such_sounds() -> None:
    rows = [OtherScores(clips=1, auroc=0.5), OtherScores(clips=1, auroc=0.7), None]
    found = summary(rows)
    assert found is not None
    assert found.mean == {"auroc": pytest.approx(0.6)}
    assert found.std["auroc"] == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert summary([None]) is None
