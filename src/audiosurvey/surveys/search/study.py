"""Studies of Optuna: which values are tried next, given the trials so far. One file holds them all."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from filelock import FileLock

from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.randomness import torch_seed
from audiosurvey.surveys.search.spec import Range, SearchSpec

STARTUP_TRIALS = 5
"""Trials with random values, before the sampler learns from them, and before any is pruned."""


@dataclass(frozen=True)
class Trial:
    """Values to try."""

    number: int
    values: dict[str, Any]
    """By dotted key."""


class Study:
    """One search. Its whole state is in the journal, so that a search continues where it was stopped.

    The sampler is created again before every suggestion, with a seed that depends on the number of trials: an
    interrupted search asks for the same values as one that was not interrupted.

    One process at a time may make a study, ask or tell: there is a lock for this, `journal_lock`.
    """

    def __init__(self, journal: Path, name: str, spec: SearchSpec, *, minimise: bool, number: int = 1) -> None:
        """`number`: how often the search was begun, this time included. Each time it has a study of its own."""
        optuna = import_optuna()
        self._optuna, self._spec, self._name = optuna, spec, name
        journal.parent.mkdir(parents=True, exist_ok=True)
        backend = optuna.storages.journal.JournalFileBackend(str(journal))
        self._study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name=name if number == 1 else f"{name}-{number}",
            direction="minimize" if minimise else "maximize",
            load_if_exists=True,
        )
        self.minimise = minimise

    @property
    def asked(self) -> int:
        """All trials so far, whatever became of them."""
        return len(self._study.get_trials(deepcopy=False))

    def ask(self) -> Trial:
        """A new trial. Its values are drawn in a copy of the study, and are written together with the trial: a process
        that is killed leaves no trial without values."""
        create_trial, states = self._optuna.trial.create_trial, self._optuna.trial.TrialState
        copy = self._optuna.create_study(direction=self._study.direction)
        copy.add_trials(self._study.get_trials(deepcopy=False))
        seed = torch_seed(self._spec.seed, self._name, self.asked) % 2**32
        copy.sampler = self._optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True
        )
        distributions = {key: self._distribution(values) for key, values in self._spec.space.items()}
        drawn = copy.ask(distributions)
        self._study.add_trial(create_trial(state=states.RUNNING, params=drawn.params, distributions=distributions))
        return self._trial(self._study.get_trials(deepcopy=False)[-1])

    def tell(self, trial: Trial, score: float | None, *, pruned: bool = False) -> None:
        """Records the score of a trial; None for one that was pruned, or that will never have a score.

        A trial that may be tried again is not told: the journal cannot change the state of one that has ended. While it
        is open, the sampler avoids values close to it.
        """
        states = self._optuna.trial.TrialState
        state = None if score is not None else states.PRUNED if pruned else states.FAIL
        self._study.tell(trial.number, score, state=state, skip_if_finished=True)

    def scores(self) -> list[tuple[Trial, float | None, str]]:
        """All trials with score and state: complete, pruned, fail (for good), or running: interrupted or failed."""
        trials = self._study.get_trials(deepcopy=False)
        return [(self._trial(one), one.value if one.values else None, one.state.name.lower()) for one in trials]

    def best(self) -> tuple[Trial, float]:
        """The best complete trial; of equal scores, the first. Raises UserError if there is none."""
        complete = [
            (trial, score) for trial, score, state in self.scores() if state == "complete" and score is not None
        ]
        if not complete:
            raise ArgumentError(
                f"search {self._name}: no trial succeeded; correct what failed, and run the survey again with "
                "{retry_failed}",
                retry_failed=True,
            )
        sign = 1 if self.minimise else -1
        return min(complete, key=lambda pair: (sign * pair[1], pair[0].number))

    def _trial(self, found: Any) -> Trial:
        return Trial(found.number, self._values(found.params))

    def _values(self, params: dict[str, Any]) -> dict[str, Any]:
        """Choices are kept by their index, since Optuna stores plain values only."""
        found = {}
        for key, values in self._spec.space.items():
            found[key] = values.choice[params[key]] if values.choice is not None else params[key]
        return found

    def _distribution(self, values: Range) -> Any:
        distributions = self._optuna.distributions
        if values.choice is not None:
            return distributions.CategoricalDistribution(range(len(values.choice)))
        if values.int is not None:
            return distributions.IntDistribution(int(values.int[0]), int(values.int[1]))
        low, high = values.log or values.uniform or (0.0, 1.0)
        return distributions.FloatDistribution(low, high, log=values.log is not None)


@contextmanager
def journal_lock(journal: Path) -> Iterator[None]:
    """Held by a process while it makes a study, asks or tells."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(journal.with_suffix(".lock")):
        # Optuna's own lock stays if its process is killed, and nobody would ever get it. Here nobody else holds it.
        journal.with_name(journal.name + ".lock").unlink(missing_ok=True)
        yield


def repair_journal(journal: Path) -> str | None:
    """Cuts a journal off at its first damaged line: trials that are lost with it are asked for and told again. Returns
    a line about it, except for half a line at the end, which a full disk or a power cut may leave."""
    if not journal.exists():
        return None
    lines = journal.read_bytes().splitlines(keepends=True)
    good = list(takewhile(_is_record, lines))
    if len(good) == len(lines):
        return None
    found, half = None, len(good) == len(lines) - 1 and not lines[-1].endswith(b"\n")
    if not half:
        kept = journal.with_name(journal.name + ".damaged")
        shutil.copyfile(journal, kept)
        line = f"{journal.as_posix()}: line {len(good) + 1} is damaged"
        found = f"{line}; cut off before it; the whole is kept as {kept.name}"
    os.truncate(journal, sum(map(len, good)))
    return found


def _is_record(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and "op_code" in json.loads(line)
    except (ValueError, TypeError):
        return False


def import_optuna() -> Any:
    """Optuna without its chatter. Raises UserError if it is not installed."""
    try:
        import optuna
        import optuna.storages.journal
    except ImportError:
        raise UserError("search: needs Optuna; install it with pip install 'audiosurvey[search]'") from None
    import warnings

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def below_median(value: float, others: Sequence[float], *, minimise: bool) -> bool:
    """Whether a score is worse than the median of the scores of other trials after the same epoch."""
    if len(others) < STARTUP_TRIALS:
        return False
    ranked = sorted(others)
    middle = (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2
    return value > middle if minimise else value < middle
