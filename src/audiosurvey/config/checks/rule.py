"""What a rule across sections of the config is made of."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from audiosurvey.config.root import Config
from audiosurvey.errors import Fault


class Warn(Fault):
    """Of the same form as a fault; it does not keep a run from starting."""


@dataclass(frozen=True)
class Check:
    """One rule, and the dotted keys that it reads."""

    needs: tuple[str, ...]
    find: Callable[[Config], Iterable[Fault]]
    about_length: bool = False
    """Longer clips would mend it. Where a needed key is faulty, what stays wrong with clips twice as long is
    still told; every other rule is left out then, since it would judge by defaults that nobody asked for."""
    about_mel: bool = False
    """Has no say where the network hears no mel spectrogram."""
