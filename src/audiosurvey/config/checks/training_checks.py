"""Rules across sections about training: epochs, patience, pretraining, averages, classifiers, class weights."""

from collections.abc import Iterable

from torch import nn

from audiosurvey.augment.settings import AugmentationConfig
from audiosurvey.config.checks.meta_network import can_be_built, meta_network
from audiosurvey.config.checks.rule import ConfigWarning, Rule, defaults_beside, is_given
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import builtin_classes
from audiosurvey.data.sets.classes import unknown_classes
from audiosurvey.data.sets.registry import is_published
from audiosurvey.errors import Fault


def _momentum_falls(config: Config) -> Iterable[Fault]:
    low, key = config.schedule.momentum_low, "momentum" if config.optimizer.name == "sgd" else "beta1"
    high: float = getattr(config.optimizer, key)
    if low is not None and low > high:
        yield Fault(
            ("schedule", "momentum_low"), f"{low:g} is above optimizer.{key} ({high:g}), where it starts; lower it"
        )


def _patience_is_used(config: Config) -> Iterable[Fault]:
    if config.protocol.selection == "last" and config.train.patience:
        yield Fault(
            ("protocol", "selection"),
            "last takes the weights after a fixed number of epochs and does not use train.patience; "
            "remove train.patience, or choose selection: validation",
        )


def _stages_end(config: Config) -> Iterable[Fault]:
    for name, stage in (("train", config.train), ("pretrain", config.pretrain)):
        if stage.epochs == 0 and not stage.patience:
            message = f"0 means training until early stopping, but no patience is set; give {name}.patience or epochs"
            yield Fault((name, "epochs"), message)


def _pretraining_is_possible(config: Config) -> Iterable[Fault]:
    given, first = config.pretrain.dataset, config.pretrain_dataset
    if config.pretrain_urban and given is not None and given.name != "urbansound8k":
        message = f"true asks for UrbanSound8K, but pretrain.dataset is {given.name}; keep one of the two"
        yield Fault(("pretrain_urban",), message)
        return
    path = ("pretrain_urban",) if given is None else ("pretrain", "dataset")
    if first is None or first.name != config.dataset.name or not is_published(first.name):
        return
    # Other classes of the same data set may come first, such as ESC-50 without the ten of ESC-10.
    before, after = builtin_classes(first) or (), builtin_classes(config.dataset) or ()
    if set(before) <= set(after):
        yield Fault(
            path, f"pretraining and training both use {first.name}: all test clips would be seen in pretraining"
        )


def _pretraining_has_no_others(config: Config) -> Iterable[Fault]:
    if config.pretrain.dataset is not None and config.pretrain.dataset.other is not None:
        yield Fault(
            ("pretrain", "dataset", "other"),
            "sounds of no class are for the classes of the model; give them in dataset.other",
        )


def _thaw_is_reached(config: Config) -> Iterable[Fault]:
    epochs = config.train.epochs
    for index, step in enumerate(config.model.thaw):
        if epochs and step.epoch > epochs:
            yield Fault(("model", "thaw", index, "epoch"), f"{step.epoch} is never reached: train.epochs is {epochs}")


def _one_average(config: Config) -> Iterable[Fault]:
    if config.swa.start is not None and config.ema.decay:
        yield Fault(
            ("swa", "start"),
            f"one average of the weights is evaluated, and ema.decay: {config.ema.decay:g} asks for another; keep one",
        )


def _end_is_known_to_swa(config: Config) -> Iterable[Fault]:
    for name, stage in config.stages.items():
        if config.swa.start is not None and stage.open_ended:
            yield Fault(
                ("swa", "start"),
                f"a fraction of the steps, whose number is unknown with only {name}.patience; give {name}.epochs",
            )


def _head_has_a_body(config: Config) -> Iterable[Fault]:
    if config.model.init is not None or config.pretrain_dataset is not None:
        return
    for key in ("head_only", "head_first"):
        if getattr(config.train, key):
            yield Fault(
                ("train", key),
                "the network before the classifier would keep its random weights; set model.init or pretrain.dataset",
            )


def _head_alone_is_trained(config: Config) -> Iterable[Fault]:
    """Keys that have no effect because no training step is taken."""
    if not config.train.head_only:
        return
    defaults = defaults_beside(config)
    paths: list[tuple[str, ...]] = [("train", key) for key in _OF_STEPS] + [("model", "thaw")]
    if config.pretrain_dataset is None or config.model.init is None:
        # A pretraining that starts from weights freezes them too.
        paths += [("model", "freeze"), ("model", "keep_statistics")]
    if config.pretrain_dataset is None:
        # A pretraining takes steps with these settings.
        paths += [(name, key) for name in ("optimizer", "schedule", "ema") for key in _keys(config, name)]
        paths += [("precision",)]
        yield from (ConfigWarning(("augmentation", name), _NO_STEPS) for name in _augmented_by_choice(config, defaults))
        if config.swa.start is not None:
            yield ConfigWarning(("swa", "start"), _NO_STEPS)
    yield from (ConfigWarning(path, _NO_STEPS) for path in paths if is_given(config, path, defaults))


def _augmented_by_choice(config: Config, defaults: Config) -> list[str]:
    """Operations that the user switched on, rather than defaults."""
    absent, empty = defaults.augmentation, AugmentationConfig()
    return [
        name
        for name in _keys(config, "augmentation")
        if getattr(given := getattr(config.augmentation, name), "p", 0) > 0
        and given not in (getattr(absent, name), getattr(empty, name))
    ]


_NO_STEPS = "has no effect with train.head_only: true, which fits the classifier alone"
_OF_STEPS = (
    "patience",
    "head_first",
    "epochs",
    "crop_seconds",
    "lr",
    "weight_decay",
    "sampling",
    "accum_iter",
    "grad_clip_value",
    "grad_clip_norm",
    "sync_batchnorm",
    "use_checkpoint",
)


def _keys(config: Config, section: str) -> list[str]:
    return list(type(getattr(config, section)).model_fields)


def _weights_name_classes(config: Config) -> Iterable[Fault]:
    weights, classes = config.loss.class_weights, builtin_classes(config.dataset)
    if isinstance(weights, dict) and classes is not None:
        for name in weights:
            for fault in unknown_classes([name], classes):
                yield Fault(("loss", "class_weights", name), fault)


def _balanced_once(config: Config) -> Iterable[Fault]:
    if config.train.sampling == "balanced" and config.loss.class_weights == "balanced":
        yield ConfigWarning(
            ("loss", "class_weights"),
            "with train.sampling: balanced, rare classes count twice over; keep one of the two",
        )


def _norms_of_features_see_two_clips(config: Config) -> Iterable[Fault]:
    for name, stage in config.stages.items():
        if stage.batch_size == 1 and not stage.head_only and can_be_built(config) and _norms_features(config, name):
            yield Fault(
                (name, "batch_size"),
                "the norm behind `pooling` has no variance over one clip; take 2 or more, and accum_iter for larger "
                "steps",
            )


def _norms_features(config: Config, stage: str) -> bool:
    """Whether a batch norm of features computes statistics of its own in any epoch of a stage."""
    model, network = config.model, meta_network(config)
    network.freeze(model.frozen(stage, epoch=None))
    network.keep_statistics(model.keep_statistics and model.starts_from_weights(stage))
    return any(isinstance(part, nn.BatchNorm1d) and part.training for part in network.modules())


_STARTED = ("model.init", "pretrain_urban", "pretrain.dataset")
TRAINING_RULES = (
    Rule(("schedule.momentum_low", "optimizer"), _momentum_falls),
    Rule(("protocol.selection", "train.patience"), _patience_is_used),
    Rule(("train.epochs", "train.patience", "pretrain.epochs", "pretrain.patience"), _stages_end),
    Rule(("dataset", "pretrain_urban", "pretrain.dataset"), _pretraining_is_possible),
    Rule(("pretrain.dataset",), _pretraining_has_no_others),
    Rule(("model.thaw", "train.epochs"), _thaw_is_reached),
    Rule(("train.head_only", "train.head_first", "model.blocks", *_STARTED), _head_has_a_body),
    Rule(("train.head_only",), _head_alone_is_trained),
    Rule(("swa", "ema"), _one_average),
    Rule(("swa", "train", "pretrain", "pretrain_urban"), _end_is_known_to_swa),
    Rule(("dataset", "loss.class_weights"), _weights_name_classes),
    Rule(("train.sampling", "loss.class_weights"), _balanced_once),
    Rule(("model", "train", "pretrain", "pretrain_urban"), _norms_of_features_see_two_clips),
)
