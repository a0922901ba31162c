"""Caveats of the scores of a run, shown wherever the scores are shown; and what uneven classes do to the accuracy."""

from audiosurvey.config.suited import BALANCED_FROM
from audiosurvey.errors import number_of, some_of
from audiosurvey.runs.results.class_scores import ByClass, is_uneven, largest_class, never_recognised
from audiosurvey.runs.results.results import RunResults

_NAMED = 6
_BALANCED_SAMPLING = "train.sampling: balanced"
"""The setting that trains all classes equally often."""


def caveats(results: RunResults) -> list[str]:
    """What has to be said of the mean."""
    found = marks(results)
    if not results.published:
        found.append("own folds; there is no official protocol for this data")
    elif not results.official:
        found.append("not the official protocol" + (f": {results.not_official}" if results.not_official else ""))
    if results.parent:
        twice = "the learning rate ran through its schedule twice"
        found.append(f"continues {results.parent.run} after epoch {results.parent.epochs}: {twice}")
    if results.versions:
        found.append(f"folds trained by several versions of audiosurvey: {', '.join(results.versions)}")
    return found


def marks(results: RunResults) -> list[str]:
    """What has to be said of the number of any single fold."""
    found = []
    if results.quick is not None:
        found.append("quick look: a tenth of the epochs on one fold, no result")
    if results.optimistic:
        found.append("optimistic: the epoch was chosen on the test fold")
    if results.leaking:
        found.append("leaking: one recording is on both sides of a split")
    if folds := results.tuned_on:
        found.append(f"tuned on fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}")
    return found


def imbalance(results: RunResults) -> list[str]:
    """A line each: what always predicting the largest class scores, classes never recognised, and the key that helps.

    The accuracy may be high although rare classes are never recognised. Nothing for classes of similar size that are
    all recognised.
    """
    found = class_lines(results.class_scores, multi_label=results.multi_label)
    uneven = is_uneven(results.class_scores, BALANCED_FROM) and not results.multi_label
    if uneven and _can_balance(results):
        found.append(f"set {_BALANCED_SAMPLING} to train all classes equally often")
    return found


def class_lines(by_class: ByClass, *, multi_label: bool) -> list[str]:
    """The accuracy of always predicting the largest class, if classes are uneven, and classes never recognised."""
    if multi_label or not is_uneven(by_class):
        return unrecognised(by_class)
    name, share = largest_class(by_class)
    classes = sum(one.clips > 0 for one in by_class.values())
    baseline = f"uneven classes: always '{name}' gives accuracy {share:.3f}, balanced accuracy {1 / classes:.3f}"
    return [baseline, *unrecognised(by_class)]


def unrecognised(by_class: ByClass) -> list[str]:
    """Classes of which no test clip was recognised."""
    named = [f"{name} ({number_of(by_class[name].clips, 'clip')})" for name in never_recognised(by_class)]
    return [f"never recognised: {some_of(named, _NAMED)}"] if named else []


def _can_balance(results: RunResults) -> bool:
    """Whether nothing in the config makes up for uneven classes yet, and sampling would. A probe fits all clips."""
    train, loss = (results.config.get(name) or {} for name in ("train", "loss"))
    balanced = train.get("sampling") == "balanced" or loss.get("class_weights") is not None
    return bool(train) and not balanced and not train.get("head_only")
