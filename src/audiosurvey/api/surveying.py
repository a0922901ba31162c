"""Surveys: many configs, data sets, folds and seeds."""

from pathlib import Path
from typing import TYPE_CHECKING

from audiosurvey.api.arguments import PathLike, need_at_least, path_or_none
from audiosurvey.api.progress import ShowProgress, say
from audiosurvey.api.state import keeps_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosurvey.surveys.dry_run import SurveyForecast
    from audiosurvey.surveys.status import SurveyStatus
    from audiosurvey.surveys.survey import FinalModel, OpenSurvey


@keeps_state
def survey(
    survey: PathLike,
    overrides: "Sequence[str]" = (),
    *,
    run_dir: PathLike | None = None,
    jobs: int = 1,
    ray: str | None = None,
    shard: str | None = None,
    retry_failed: bool = False,
    fresh: bool = False,
    progress: ShowProgress = False,
) -> "SurveyStatus":
    """Trains many configs on all folds and seeds, and goes on where an earlier call stopped.

    Args:
        survey: a survey file, or a survey folder.
        overrides: `KEY=VALUE` texts, for every config.
        run_dir: the survey folder; None: `surveys/NAME`.
        jobs: cells trained in parallel, each in its own process.
        ray: train on a Ray cluster: `local`, `auto` or its address.
        shard: `I/N`: train only every N-th cell, from number I, for job arrays.
        retry_failed: also train cells that failed before.
        fresh: train cells again that another version of audiosurvey has trained.
        progress: True: a table that refreshes itself; or a function, called with the cells that have ended.

    Returns:
        What is done, running and failed, row by row.

    Raises:
        UserError: for faults of the survey file and its configs, located in the file.
    """
    opened = _opened(survey, overrides, run_dir, jobs, ray, shard, progress, retry_failed=retry_failed, fresh=fresh)
    from audiosurvey.api.survey_listeners import listener_of

    listener = listener_of(progress, opened.reader)
    with listener.shown():
        return opened.train(listener)


@keeps_state
def survey_forecast(
    survey: PathLike,
    overrides: "Sequence[str]" = (),
    *,
    run_dir: PathLike | None = None,
    jobs: int = 1,
    ray: str | None = None,
    shard: str | None = None,
    retry_failed: bool = False,
    fresh: bool = False,
    progress: ShowProgress = False,
) -> "SurveyForecast":
    """What is missing of a survey and what it will cost, from a few training steps of each config.

    Args:
        survey: as in `survey`.
        overrides: as in `survey`.
        run_dir: as in `survey`.
        jobs: as in `survey`.
        ray: as in `survey`.
        shard: as in `survey`.
        retry_failed: as in `survey`.
        fresh: as in `survey`.
        progress: see `audiosurvey.Progress`.

    Returns:
        Cells, time, memory and disk of each row and in all.

    Raises:
        UserError: as `survey` does.
    """
    opened = _opened(survey, overrides, run_dir, jobs, ray, shard, progress, retry_failed=retry_failed, fresh=fresh)
    from audiosurvey.api.bars import bar_of

    for line in opened.notes:
        say(line)
    return opened.forecast(bar_of(progress))


def survey_status(survey: PathLike) -> "SurveyStatus":
    """What of a survey is done, running and failed, also while processes work on it.

    Args:
        survey: a survey folder, or a survey file with the default folder.

    Returns:
        The status, row by row.

    Raises:
        UserError: if there is no such survey.
    """
    from audiosurvey.surveys.planning.place import survey_folder
    from audiosurvey.surveys.status import survey_status as status_of

    return status_of(survey_folder(Path(survey)).path)


@keeps_state
def train_final(survey: PathLike, row: str, *, progress: ShowProgress = False) -> "FinalModel":
    """Trains one model of a row of a survey on the clips of all folds, for use.

    Args:
        survey: a survey folder, or a survey file with the default folder.
        row: `NAME`, or `NAME-seedS`; all of its folds must be done.
        progress: see `audiosurvey.Progress`.

    Returns:
        The model folder, and the results of the folds.

    Raises:
        UserError: if there is no such row, or one of its folds is missing.
    """
    from audiosurvey.api.listeners import listener_of
    from audiosurvey.surveys.survey import train_final as train_row

    return train_row(Path(survey), row, listener_of(progress))


def _opened(
    survey: PathLike,
    overrides: "Sequence[str]",
    run_dir: PathLike | None,
    jobs: int,
    ray: str | None,
    shard: str | None,
    progress: ShowProgress,
    *,
    retry_failed: bool,
    fresh: bool,
) -> "OpenSurvey":
    from audiosurvey.surveys.planning.place import find_survey, read_survey_file
    from audiosurvey.surveys.shard import Shard

    need_at_least(1, jobs=jobs)
    # Mistakes are told before torch is loaded.
    part = Shard.parse(shard) if shard else Shard()
    read_survey_file(find_survey(Path(survey), path_or_none(run_dir)).file)
    from audiosurvey.api.bars import bar_of
    from audiosurvey.surveys.survey import SurveyOptions, open_survey

    options = SurveyOptions(
        path_or_none(run_dir), jobs, ray, part, retry_failed=retry_failed, fresh=fresh, overrides=overrides
    )
    return open_survey(Path(survey), options, bar_of(progress))
