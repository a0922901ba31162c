"""Caveats of the scores of a run, shown wherever the scores are shown."""

from audiosurvey.runs.results.results import RunResults


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
