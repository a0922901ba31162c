"""`model`: the section of the config that describes a network, as a list of blocks or the name of a
preset."""

import sys
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from audiosurvey.features.front_end import Input
from audiosurvey.model.blocks.inputs import InputItem, JoinItem, heard_by
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.freeze import Freeze, ThawConfig, check_thaw, frozen_blocks, frozen_in
from audiosurvey.model.initial import Initial
from audiosurvey.model.menu import Block
from audiosurvey.section import Section

DEFAULT_BLOCKS: list[dict[str, Any]] = [
    {"conv_block": {"channels": 16, "layers": 1, "kernel": [5, 5], "stride": [2, 2], "pool": [1, 1]}},
    {"residual": {"channels": 24, "stride": [2, 2]}},
    {"residual": {"channels": 56, "stride": [2, 2]}},
    {"residual": {"channels": 128, "stride": [2, 2]}},
    {"pooling": {"mode": "avg+max", "flat": False}},
    {"dropout": 0.2},
]
"""The small residual network of a config that names none: strides early, batch-norm everywhere."""


class ModelConfig(Section):
    """The network. Without `blocks` and `preset` it is a small residual network that is fast on a CPU."""

    preset: str | None = None
    """Name of a shipped architecture instead of `blocks`; `audiosurvey presets` lists them."""
    res_block: ResBlockConfig = ResBlockConfig()
    """What all `res` blocks share."""
    initial: Initial = "he"
    """How fresh weights are drawn: `he`, normal by a layer's inputs, and small for the classes; `xavier`, uniform by
    inputs and outputs, as PANNs; `fan_out`, normal by outputs, as MobileNetV3; `eat`, convolutions normal with
    deviation 0.02 and linear layers uniform by inputs, as EAT."""
    blocks: list[Block] | None = Field(default=None, min_length=1)
    """The network from input to features, a block an item. It hears the mel spectrogram unless it begins with `input:
    wave`. A linear layer to the classes is appended by itself."""
    init: str | None = Field(default=None, min_length=1)
    """Pretrained weights to start from: a file, the folder of a model of ours, an address, or a name such as
    `efficientat/mn04_as`. The classifier stays fresh. The front end is that of the weights: what the config leaves out
    is taken from them, what differs is refused."""
    freeze: Freeze = None
    """What keeps its pretrained weights: `body` (all but the classifier), a number of blocks from the first, or a list
    of block numbers as `describe` counts them."""
    thaw: list[ThawConfig] = []
    """Gradual unfreezing: `[{epoch: 3, freeze: 10}, {epoch: 6}]` leaves the first 10 blocks frozen from epoch 3 of
    `train` on, and none from epoch 6 on. Until a block thaws, its batch-norm statistics stay too."""

    keep_statistics: bool = False
    """Batch norms keep the running statistics of the pretrained weights all through `train`; their scale and shift are
    trained. For few clips, whose own statistics are poor ones."""
    views: int = Field(default=1, ge=1, le=16)
    """Test-time augmentation: in evaluation and in use, the features of a clip are the mean over so many views of it,
    turned in time by equal steps (a circular shift). Costs so many times the MACs; training is as without."""

    members: int = Field(default=1, ge=1, le=16)
    """An ensemble: so many networks of these blocks, each with weights of its own, trained together on the same clips,
    each by a loss of its own, as if alone but for the standardisation of the input and the classifier's bias, which
    they share. Its logits are the mean of theirs. Costs so many times the parameters and MACs. Not beside `init`,
    unless that is such an ensemble itself."""

    @field_validator("blocks", mode="before")
    @classmethod
    def _blocks_or_preset(cls, blocks: Any, info: ValidationInfo) -> Any:
        preset = info.data.get("preset")
        if blocks == []:
            raise ValueError("an empty list; leave `blocks` out for the network that is used by default")
        if blocks is not None and preset is not None:
            raise ValueError(f"stands beside `preset: {preset}`; keep one of the two")
        return DEFAULT_BLOCKS if blocks is None and preset is None else blocks

    @field_validator("freeze")
    @classmethod
    def _freezes_what_is_there(cls, freeze: Freeze, info: ValidationInfo) -> Freeze:
        blocks = info.data.get("blocks")
        if blocks is not None:
            frozen_blocks(freeze, len(blocks))
        return freeze

    @property
    def hears(self) -> tuple[Input, ...]:
        """What the network is given: the wave, the mel spectrogram, or both in this order."""
        return heard_by(self.blocks or [])

    @field_validator("thaw")
    @classmethod
    def _thaws_what_is_frozen(cls, thaw: list[ThawConfig], info: ValidationInfo) -> list[ThawConfig]:
        blocks = info.data.get("blocks")
        if blocks is not None and "freeze" in info.data:
            check_thaw(info.data["freeze"], thaw, len(blocks))
        return thaw

    @field_validator("members")
    @classmethod
    def _members_stand_alone(cls, members: int, info: ValidationInfo) -> int:
        if members > 1 and any(isinstance(block, JoinItem) for block in info.data.get("blocks") or []):
            raise ValueError("blocks with `join` make one network; leave members out, or the join")
        for place, block in enumerate(info.data.get("blocks") or []):
            if block.shares() not in (None, members):
                where, written = f"blocks.{place} ({block.key()})", block.shares()
                raise ValueError(f"{where} has a list of {written}, one a member; write members: {written}")
        if members > 1 and (info.data.get("freeze") not in (None, "body") or info.data.get("thaw")):
            raise ValueError("freeze and thaw count the blocks of one network; freeze `body`, or leave members out")
        return members

    def starts_from_weights(self, stage: str) -> bool:
        """Whether a stage has weights to keep: a pretraining that starts from nothing has none."""
        return stage == "train" or self.init is not None

    def frozen(self, stage: str, epoch: int | None) -> list[int]:
        """The blocks that keep their weights in an epoch of a stage, "pretrain" or "train"; None: to its end."""
        if not self.starts_from_weights(stage):
            return []
        thaw = self.thaw if stage == "train" else []
        return frozen_in(sys.maxsize if epoch is None else epoch, self.freeze, thaw, len(self.network_blocks()))

    def network_blocks(self) -> list[Block]:
        """The blocks to build, those of all members; a preset must have been replaced by its blocks before."""
        if self.blocks is None:
            raise RuntimeError(f"preset {self.preset!r} was not replaced by its blocks before the network was built")
        own = [[block.of_member(member) for block in self.blocks] for member in range(self.members)]
        if self.members == 1:
            return own[0]
        begun = [] if self._begins_by_name else [InputItem(input="mel")]
        return [*(block for blocks in own for block in (*begun, *blocks)), JoinItem(join="features")]

    def written(self, index: int) -> int:
        """The place in `blocks` of the one that stands at `index` of `network_blocks`."""
        blocks = len(self.network_blocks())
        if self.members == 1:
            return index
        own = (blocks - 1) // self.members
        place = own - 1 if index == blocks - 1 else index % own
        return place if self._begins_by_name else max(0, place - 1)

    @property
    def _begins_by_name(self) -> bool:
        return self.blocks is not None and isinstance(self.blocks[0], InputItem)
