"""Folds one after the other, in this process."""

from collections.abc import Sequence

from audiosurvey.runs.job import FoldJob, run_job
from audiosurvey.runs.listener import RunListener
from audiosurvey.runs.recorder import Recorder


def run_inline(jobs: Sequence[FoldJob], recorder: Recorder, listener: RunListener) -> None:
    """Trains the folds; each is on disk before the next begins. Of several processes the main one records."""
    context = recorder.context
    for job in jobs:
        result = run_job(job, context, listener)
        if context.is_main:
            recorder.fold(result)
            listener.recorded(context.run, recorder.collect())
        context.accelerator.wait_for_everyone()
