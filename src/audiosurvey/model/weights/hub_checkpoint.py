"""The checkpoints of encoders of the Hugging Face Hub: read by `transformers` itself, into the block `encoder`."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from audiosurvey.errors import UserError, some_of
from audiosurvey.model.encoders.hub_folder import CONFIG, read_json, weights_files
from audiosurvey.model.encoders.kinds import checkpoint_kind, checkpoint_settings, config_class, model_class
from audiosurvey.model.network import Network
from audiosurvey.model.weights.family import Family, Placed

_MODEL = "model."


def read_encoder(folder: Path) -> tuple[dict[str, Tensor], Path]:
    """The encoder's tensors by the names of `transformers`, and the file that identifies them.

    Only safetensors are read, and no code of the folder is run. Raises UserError where tensors are missing or damaged.
    """
    files = weights_files(folder)
    settings = read_json(folder / CONFIG)
    kind = checkpoint_kind(settings["model_type"])
    loader = model_class(kind, kind.whole)
    try:
        with _quiet():
            model, found = loader.from_pretrained(
                folder,
                config=config_class(kind).from_dict(checkpoint_settings(settings)),
                attn_implementation="eager",
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                dtype="float32",
            )
    # transformers raises many kinds of errors for a damaged checkpoint.
    except Exception as error:
        raise UserError(f"{folder}: its weights cannot be read ({' '.join(str(error).split())[:120]})") from None
    encoder = getattr(model, kind.part) if kind.part else model
    begin = f"{kind.part}." if kind.part else ""
    lacking = sorted(name for name in found["missing_keys"] if name.startswith(begin) and "masked_spec" not in name)
    if lacking:
        raise UserError(f"{folder}: no weights for {some_of(lacking, 3)} of the encoder; copy the whole folder again")
    return dict(encoder.state_dict()), files[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without progress bars, and without messages on parts of the checkpoint that are not needed."""
    from transformers.utils import logging as said  # pyright: ignore[reportMissingImports]

    level, bars = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity(logging.CRITICAL)
    said.disable_progress_bar()
    try:
        yield
    finally:
        said.set_verbosity(level)
        if bars:
            said.enable_progress_bar()


def place(tensors: Mapping[str, Tensor], network: Network) -> Placed:
    """Every tensor belongs to the block `encoder`; the mixture of its layers starts even."""
    blocks = [(index, block) for index, block in enumerate(network.blocks) if hasattr(block, "depth_groups")]
    if len(blocks) != 1:
        raise UserError("model.init: the weights are those of an encoder, and the network has no `encoder` block")
    index, block = blocks[0]
    placed = Placed(begun={f"blocks.{index}.{name}" for name, _ in block.named_parameters(recurse=False)})
    for name, tensor in tensors.items():
        placed.put(name, f"blocks.{index}.{_MODEL}{name}", tensor)
    return placed


def family_of(settings: Mapping[str, Any]) -> Family:
    return Family(
        name=f"transformers, {settings['model_type']}",
        recognises=lambda tensors: False,
        place=place,
        front_end=lambda tensors: None,
    )
