"""Rules across sections about how a network is trained: thawing, averages, class weights, probes, small batches."""

from collections.abc import Iterable

from torch import nn

from audiosurvey.augmentation.settings import AugmentationConfig
from audiosurvey.config.checks.rule import Check, Warn
from audiosurvey.config.checks.sketch import can_be_built, sketch
from audiosurvey.config.reading.given import defaults_beside, is_given
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import builtin_classes
from audiosurvey.data.sets.classes import unknown_classes
from audiosurvey.errors import Fault


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
                f"a share of steps whose number is not known, as {name}.patience alone ends them; give {name}.epochs",
            )


def _head_has_a_body(config: Config) -> Iterable[Fault]:
    if config.model.init is not None or config.pretrain_dataset is not None:
        return
    for key in ("head_only", "head_first"):
        if getattr(config.train, key):
            yield Fault(
                ("train", key),
                "the network before the classifier would stay as it was drawn; give model.init, or a pretraining",
            )


def _head_alone_is_trained(config: Config) -> Iterable[Fault]:
    """Keys that were set and change nothing, as no step of training is taken."""
    if not config.train.head_only:
        return
    defaults = defaults_beside(config)
    paths: list[tuple[str, ...]] = [("train", key) for key in _OF_STEPS] + [("model", "thaw")]
    if config.pretrain_dataset is None or config.model.init is None:
        # A pretraining keeps what is frozen of the weights that it starts from.
        paths += [("model", "freeze"), ("model", "keep_statistics")]
    if config.pretrain_dataset is None:
        # A pretraining takes steps, and these are its settings too.
        paths += [(name, key) for name in ("optimizer", "schedule", "ema") for key in _keys(config, name)]
        paths += [("precision",)]
        yield from (Warn(("augmentation", name), _NO_STEPS) for name in _augmented_by_choice(config, defaults))
        if config.swa.start is not None:
            yield Warn(("swa", "start"), _NO_STEPS)
    yield from (Warn(path, _NO_STEPS) for path in paths if is_given(config, path, defaults))


def _augmented_by_choice(config: Config, defaults: Config) -> list[str]:
    """Operations that are on, and not only because they are on by default."""
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
        yield Warn(
            ("loss", "class_weights"),
            "balanced beside train.sampling: balanced makes rare classes count twice over; keep one of the two",
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
    """Whether a batch norm of features counts statistics of its own in any epoch of a stage."""
    model, network = config.model, sketch(config)
    network.freeze(model.frozen(stage, epoch=None))
    network.keep_statistics(model.keep_statistics and model.starts_from_weights(stage))
    return any(isinstance(part, nn.BatchNorm1d) and part.training for part in network.modules())


TRAINING_CHECKS = (
    Check(("model.thaw", "train.epochs"), _thaw_is_reached),
    Check(
        ("train.head_only", "train.head_first", "model.init", "pretrain_urban", "pretrain.dataset"), _head_has_a_body
    ),
    Check(("train.head_only",), _head_alone_is_trained),
    Check(("swa", "ema"), _one_average),
    Check(("swa", "train", "pretrain", "pretrain_urban"), _end_is_known_to_swa),
    Check(("dataset", "loss.class_weights"), _weights_name_classes),
    Check(("train.sampling", "loss.class_weights"), _balanced_once),
    Check(("model", "train", "pretrain", "pretrain_urban"), _norms_of_features_see_two_clips),
)
