"""The recordings of `augmentation.background`, checked against the data set: none of them may be one of its clips."""

from audiosurvey.augment.wave.background import FOLDER, open_background
from audiosurvey.config.root import Config
from audiosurvey.data.recordings import Recordings
from audiosurvey.data.sounds import Sounds
from audiosurvey.errors import UserError


def checked_background(config: Config, sounds: Sounds) -> Recordings | None:
    """The recordings that training mixes in, None if it mixes in none.

    Raises UserError if there are none, and for those that are clips: a test clip would be heard in training.
    """
    found = open_background(config.augmentation.background, config.sample_rate, config.dataset.store)
    if found is not None and (shared := found.shared_with(sounds.store)):
        raise UserError(
            f"{FOLDER}: {len(shared)} of its {len(found.names)} recordings are clips of the data set, such as "
            f"{shared[0]}; test clips would be heard in training; give a folder of other recordings"
        )
    return found
