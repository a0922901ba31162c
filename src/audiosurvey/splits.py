"""Splits: official folds, and stratified ones that never separate the clips of a recording. Public."""

from audiosurvey.api.loop.splits import Split, split, splits, stratified_folds

__all__ = ["Split", "split", "splits", "stratified_folds"]
