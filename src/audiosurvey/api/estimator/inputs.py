"""From the X, y and groups of scikit-learn to sounds, classes and recordings."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d, validate_data

from audiosurvey.artefact.arrays import is_path
from audiosurvey.errors import UserError

_LEAST_SAMPLES = 2


def sounds_of(estimator: BaseEstimator, X: Any, *, reset: bool) -> list[Any]:
    """The sounds in X: paths, or waves (S).

    X is a list, a column or a 1-D array of paths or waves, or a 2-D array whose rows are waves of equal length; this
    one is checked as scikit-learn checks features. `reset`: note the number and names of features (`n_features_in_`),
    rather than compare with them.
    Raises ValueError or TypeError for other input.
    """
    if is_path(X):
        raise UserError(f"X: {os.fspath(X)}: one path; give a list of sounds")
    found = _listed(X)
    if found is None:
        _refuse_tables(X)
        least = _LEAST_SAMPLES if reset else 1
        return list(validate_data(estimator, X, reset=reset, dtype="numeric", ensure_min_features=least))
    if reset:
        for name in ("n_features_in_", "feature_names_in_"):
            vars(estimator).pop(name, None)
    return found


def targets_of(y: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The classes (K), in ascending order, and the class (N) of each sound, a row of the former.

    Raises ValueError for a y that names no classes, or fewer than two, or is not as long as X.
    """
    if y is None:
        raise ValueError("AudioClassifier requires y to be passed, but the target y is None")
    y_N = column_or_1d(y, warn=True)
    check_consistent_length(range(count), y_N)
    assert_all_finite(y_N, input_name="y")
    check_classification_targets(y_N)
    classes_K, class_N = np.unique(y_N, return_inverse=True)
    if len(classes_K) < 2:
        raise UserError(f"y: contains one class, {classes_K[0]}; classification needs at least two")
    return classes_K, class_N


def groups_of(groups: Any, count: int) -> list[str] | None:
    """The name of the group of each sound; None without groups. Raises ValueError for another number of them."""
    if groups is None:
        return None
    group_N = column_or_1d(groups)
    check_consistent_length(range(count), group_N)
    return [str(group) for group in group_N]


def _refuse_tables(X: Any) -> None:
    """Raises UserError for what is a table in other parts of the package."""
    if isinstance(X, Sequence):
        if X and isinstance(X[0], Mapping):
            raise UserError("X[0]: a dict is no sound; give a path, or samples")
    elif hasattr(X, "iloc") and X.ndim == 2 and any(is_path(value) for value in X.iloc[:1].to_numpy().ravel()):
        raise UserError(f"X: has columns {', '.join(map(str, X.columns))}; give the one with the paths")


def _listed(X: Any) -> list[Any] | None:
    """The elements of a list of sounds; None if X is an array of numbers, or no list at all."""
    if hasattr(X, "iloc"):
        X = _column(X)
    if isinstance(X, np.ndarray):
        if X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind not in "biufc":
            X = X[:, 0]
        X = list(X) if X.ndim == 1 and X.dtype.kind not in "biufc" else None
    if not isinstance(X, Sequence) or not X:
        return None
    return list(X) if all(_is_sound(sound) for sound in X) else None


def _column(X: Any) -> Any:
    """The only column of a data frame, or a series, as an array; the frame itself if it has more."""
    return X.to_numpy() if X.ndim == 1 or X.shape[1] == 1 else X


def _is_sound(value: Any) -> bool:
    return is_path(value) or (hasattr(value, "shape") and len(value.shape) > 0)
