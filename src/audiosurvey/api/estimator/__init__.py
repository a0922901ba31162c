"""The scikit-learn estimator: an audio classifier that is fitted to paths or waves."""
