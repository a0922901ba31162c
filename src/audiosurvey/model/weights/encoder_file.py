"""Model files of ONNX and LiteRT as weights: the content of the file is the one tensor of an `encoder` block."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from audiosurvey.errors import UserError
from audiosurvey.model.encoders.file_encoder import CONTENT, FileEncoder
from audiosurvey.model.encoders.file_settings import read_content
from audiosurvey.model.network import Network
from audiosurvey.model.weights.family import Family, Placed


def read_model_file(init: str, path: Path) -> dict[str, Tensor]:
    """Raises UserError for a file that cannot be read."""
    try:
        content = read_content(str(path))
    except UserError as error:
        raise UserError(f"model.init: {init}: {error}") from None
    return {CONTENT: torch.frombuffer(bytearray(content), dtype=torch.uint8)}


def place(tensors: Mapping[str, Tensor], network: Network) -> Placed:
    """The content into the block that was made for it."""
    content, placed = tensors[CONTENT], Placed()
    digest = hashlib.sha256(content.numpy().tobytes()).hexdigest()
    blocks = [(index, block) for index, block in enumerate(network.blocks) if isinstance(block, FileEncoder)]
    for index, block in blocks:
        if block.graph.sha256 == digest:
            placed.put(CONTENT, f"blocks.{index}.{CONTENT}", content)
    if not blocks:
        raise UserError(
            "model.init: a file of another runtime, and the network has no such encoder; write blocks: "
            "[{input: wave}, {encoder: {file: FILE}}]"
        )
    # What else the network has begins fresh.
    theirs = tuple(f"blocks.{index}." for index, _ in blocks)
    placed.begun = {name for name in network.state_dict() if not name.startswith(theirs)}
    if not placed.tensors:
        name = blocks[0][1].name
        raise UserError(f"model.init: not the file {name} that the config was made with, or it was changed since")
    return placed


ENCODER_FILE = Family(
    name="file of another runtime",
    recognises=lambda tensors: set(tensors) == {CONTENT},
    place=place,
    front_end=lambda tensors: None,
    hints=False,
)
