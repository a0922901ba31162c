"""What the cells of a survey share: data sets, weights and experiments, each opened once in a process."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from audiosurvey.config.root import Config
from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.sounds import Sounds
from audiosurvey.model.describe import Description
from audiosurvey.runs.background_recordings import checked_background
from audiosurvey.runs.evaluation.heldout import prepare
from audiosurvey.runs.experiment import Experiment, open_experiment
from audiosurvey.runs.listener import OpenBar, no_bar
from audiosurvey.runs.stages.starting import PretrainedWeights, fetch_pretrained
from audiosurvey.surveys.cell import DataKey


@dataclass
class Opener:
    """Opens data, weights and experiments, each once in a process."""

    bar: OpenBar = no_bar
    _sounds: dict[str, Sounds] = field(default_factory=dict)
    _weights: dict[str, PretrainedWeights | None] = field(default_factory=dict)
    _descriptions: dict[str, Description] = field(default_factory=dict)

    def sounds(self, dataset: DatasetConfig, sample_rate: int) -> Sounds:
        key = f"{sample_rate} {dataset.model_dump_json()}"
        if key not in self._sounds:
            self._sounds[key] = prepare(dataset, sample_rate, self.bar)
        return self._sounds[key]

    def weights(self, config: Config) -> PretrainedWeights | None:
        """Those of `model.init`; None if there are none."""
        if config.model.init is None:
            return None
        key = config.model_dump_json(include={"model", "mel_spectrogram", "sample_rate", "dataset"})
        if key not in self._weights:
            self._weights[key] = fetch_pretrained(config, self.bar)
        return self._weights[key]

    def experiment(self, config: Config, folds: Sequence[int]) -> Experiment:
        on, network = config.pretrain_dataset, config.model_copy(update={"seed": 0}).model_dump_json()
        experiment = open_experiment(
            config,
            self.sounds(config.dataset, config.sample_rate),
            init=self.weights(config),
            pretrain_on=self.sounds(on, config.sample_rate) if on else None,
            folds=folds,
            description=self._descriptions.get(network),
        )
        self._descriptions[network] = experiment.description
        return experiment

    def key(self, config: Config) -> DataKey:
        on, weights = config.pretrain_dataset, self.weights(config)
        sounds = self.sounds(config.dataset, config.sample_rate)
        background = checked_background(config, sounds)
        return DataKey(
            sounds.store.hash,
            self.sounds(on, config.sample_rate).store.hash if on else None,
            weights.report.sha256 if weights else None,
            background.hash if background else None,
        )
