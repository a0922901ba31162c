"""`AudioClassifier`: an audio classifier with the interface of scikit-learn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from audiosurvey.api.estimator.inputs import groups_of, sounds_of, targets_of
from audiosurvey.api.state import keeps_state
from audiosurvey.data.names import composed
from audiosurvey.errors import UserError

if TYPE_CHECKING:
    from audiosurvey.config.loader import ConfigSource, Overrides


class AudioClassifier(ClassifierMixin, BaseEstimator):
    """An audio classifier with the interface of scikit-learn, for `cross_val_score`, `GridSearchCV` and pipelines.

    `fit` trains one model, on all sounds that it is given, to the last epoch: nothing is held out, and nothing is
    chosen. A linear probe (the default) takes seconds; embeddings are remembered, so that folds and candidates of a
    search share them.

    Args:
        preset: name of a preset, or a config file. `audiosurvey.list_presets()` lists presets.
        config: a config in place of the preset, as in `audiosurvey.load_config`, such as a mapping. Of its data set
            only `clip_seconds`, `pad`, `mono`, `store` and `licence` are used.
        overrides: changed keys, such as `{"train.epochs": 30, "dataset.clip_seconds": 2}`.
        sample_rate: of waves, in Hz; None: that of the config.
        random_state: seed of all random numbers, or a `RandomState` to draw it from; None: the seed of the config, so
            that results can be repeated.
        device: `auto` (a GPU if available), `cpu`, `cuda`, `cuda:1` or `mps`.
        verbose: whether to show progress.

    Attributes:
        classes_: the classes (K), in the order of the columns of probabilities.
        model_: the trained model, an `audiosurvey.Classifier` on the CPU.
        n_iter_: epochs of training; for a linear probe, iterations of the fit.
        n_features_in_: samples per wave, if `fit` was given a 2-D array.
        feature_names_in_: names of its columns, if it was a data frame.
    """

    def __init__(
        self,
        preset: str = "probe-mn04",
        *,
        config: "ConfigSource | None" = None,
        overrides: "Overrides | None" = None,
        sample_rate: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.preset = preset
        self.config = config
        self.overrides = overrides
        self.sample_rate = sample_rate
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    @keeps_state
    def fit(self, X: Any, y: Any, groups: Sequence[Any] | None = None) -> Self:
        """Trains a model on sounds.

        Args:
            X: sounds: a list (or column) of paths, a list of waves (S) of any length, or an array (N, S) whose rows are
                waves of equal length. Integers are PCM, floats have full scale 1.
            y: the class (N) of each sound: text or numbers.
            groups: the recording (N) that each sound was cut from. Used by `train.head_penalty: auto` alone, which
                does not divide a recording; `cross_val_score` has its own.

        Returns:
            The estimator.

        Raises:
            ValueError: for faults of the config, sounds that cannot be read, and fewer than two classes.
        """
        from audiosurvey.api.estimator.fitting import clips_of, fit_model, table_of
        from audiosurvey.api.estimator.settings import fitting_config
        from audiosurvey.api.listeners import listener_of

        sounds = sounds_of(self, X, reset=True)
        classes_K, class_N = targets_of(y, len(sounds))
        config = fitting_config(
            self.config if self.config is not None else self.preset, self.overrides, self.random_state
        )
        table = table_of(_labels(classes_K), clips_of(sounds, class_N, groups_of(groups, len(sounds))))
        listener = listener_of(bool(self.verbose))
        self.model_, self.n_iter_ = fit_model(
            config, sounds, self.sample_rate, table, device=self.device, listener=listener
        )
        self.classes_ = classes_K
        return self

    @keeps_state
    def predict_proba(self, X: Any) -> np.ndarray:
        """The probabilities of the classes: the mean over the windows of a sound.

        Args:
            X: sounds, as in `fit`.

        Returns:
            Probabilities (N, K); columns in the order of `classes_`.

        Raises:
            ValueError: for a sound that cannot be read; NotFittedError before `fit`.
        """
        check_is_fitted(self)
        from audiosurvey.api.estimator.fitting import probabilities

        sounds = sounds_of(self, X, reset=False)
        return probabilities(self.model_, sounds, self.sample_rate, device=self.device)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of sounds.

        Args:
            X: sounds, as in `fit`.

        Returns:
            Classes (N).

        Raises:
            ValueError: as `predict_proba` does.
        """
        score_NK = self.predict_proba(X)
        return self.classes_[score_NK.argmax(axis=1)]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        # The points that scikit-learn tries classifiers with are sounds of two samples here.
        assert tags.classifier_tags is not None
        tags.classifier_tags.poor_score = True
        return tags


def _labels(classes_K: np.ndarray) -> list[str]:
    """The classes as labels of a model. Raises UserError for classes with equal labels."""
    labels = [composed(str(name)) for name in classes_K.tolist()]
    if len(set(labels)) < len(labels):
        raise UserError(f"y: classes with equal names: {', '.join(labels)}")
    return labels
