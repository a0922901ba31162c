"""Configs: loading, checking, writing and describing them."""

from pathlib import Path
from typing import TYPE_CHECKING

from audiosurvey.api.arguments import PathLike, loaded, need_at_least, path_or_none
from audiosurvey.api.state import keeps_state

if TYPE_CHECKING:
    from audiosurvey.config.data_check import DataCheck
    from audiosurvey.config.loader import ConfigSource, LoadedConfig, Overrides
    from audiosurvey.config.manual.writing import Starter
    from audiosurvey.model.describe import Description


@keeps_state
def load_config(config: "ConfigSource", overrides: "Overrides" = ()) -> "LoadedConfig":
    """Reads and checks a config; every value that it leaves out is filled in.

    Args:
        config: a YAML file, the name of a preset, or a mapping with the keys of the file. `dataset` may be a table in
            memory (see `audiosurvey.table`).
        overrides: values of single keys: `{"train.lr": 1e-3}`, or texts such as `"train.lr=1e-3"`.

    Returns:
        The config: `.config` has the typed values, `.resolved_yaml()` writes them all.

    Raises:
        UserError: with a line for each fault; those of a file begin with its name and line.
    """
    return loaded(config, overrides)


@keeps_state
def init(
    path: PathLike,
    dataset: str | None = None,
    preset: str | None = None,
    *,
    root: PathLike | None = None,
    overrides: "Overrides" = (),
    force: bool = False,
) -> "Starter":
    """Writes a commented starter config. Your own data is examined, and the values are chosen to suit it.

    Args:
        path: the file to write.
        dataset: `esc50`, `urbansound8k`, `toy`, `folder`, `csv` or `raven`; None: what is found at `root`, or esc50.
        preset: the preset to start from, None for the default network.
        root: a folder, or the CSV file of a table; None: `sounds`, or `recordings` for raven.
        overrides: as in `load_config`; values that are given here are not chosen.
        force: overwrite an existing file.

    Returns:
        The path of the file, and the data in a few words.

    Raises:
        UserError: if the file is there, there is no such data set or preset, or the data cannot be read.
    """
    from audiosurvey.config.manual.writing import write_starter

    return write_starter(Path(path), dataset, preset, root=path_or_none(root), overrides=overrides, force=force)


def list_presets() -> dict[str, str]:
    """The shipped configs, which can be used by name wherever a config file can. The function of the command `presets`.

    Returns:
        The title of each preset, by name.
    """
    from audiosurvey.config.presets import preset_titles

    return preset_titles()


@keeps_state
def check(config: "ConfigSource", overrides: "Overrides" = ()) -> "DataCheck":
    """Checks a config and looks at its data, without decoding a sound.

    Args:
        config: as in `load_config`.
        overrides: as in `load_config`.

    Returns:
        What was seen of the data, in a few words, and notes.

    Raises:
        UserError: for faults of the config, and for whatever would prevent its training on this machine.
    """
    from audiosurvey.config.data_check import check_data

    found = loaded(config, overrides)
    found.refuse_obstacles()
    return check_data(found)


@keeps_state
def describe(config: "ConfigSource", overrides: "Overrides" = (), *, classes: int | None = None) -> "Description":
    """The layers of the network of a config: shapes, parameters, multiply-accumulates, receptive fields.

    Args:
        config: as in `load_config`.
        overrides: as in `load_config`.
        classes: number of classes; None: those of the data set.

    Returns:
        The layer table and the totals. Nothing is computed.

    Raises:
        UserError: for faults of the config.
    """
    from audiosurvey.config.checks.meta_network import meta_network
    from audiosurvey.data.dataset import builtin_classes, load_table
    from audiosurvey.model.describe import describe as layer_table

    need_at_least(1, classes=classes)
    found = loaded(config, overrides).config
    if classes is None:
        names = builtin_classes(found.dataset)
        classes = len(names if names is not None else load_table(found.dataset, make_folds=False).classes)
    return layer_table(meta_network(found, classes), found.input_shape)
