"""The config section `model`: a list of blocks or the name of a preset."""

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
"""The default network: a small residual network with early strides and batch-norm throughout."""


class ModelConfig(Section):
    """The network. The default, without `blocks` and `preset`, is a small residual network that is fast on a CPU."""

    preset: str | None = None
    """Name of a built-in architecture, instead of `blocks`; listed by `audiosurvey presets`."""
    res_block: ResBlockConfig = ResBlockConfig()
    initial: Initial = "he"
    """Weight initialisation. `he`: He normal (fan-in), with small weights in the classifier; `xavier`: Xavier uniform
    (PANNs); `fan_out`: He normal with fan-out (MobileNetV3); `eat`: convolutions normal with standard deviation 0.02,
    linear layers uniform by fan-in (EAT)."""
    blocks: list[Block] | None = Field(default=None, min_length=1)
    """The layers from the input to the features, one block per item. The input is the mel spectrogram unless the list
    begins with `input: wave`. The classifier, a linear layer, is appended automatically."""
    init: str | None = Field(default=None, min_length=1)
    """Pretrained weights: a file, a model folder, a URL, or a name such as `efficientat/mn04_as`. The classifier is
    newly initialised. The front end must match the weights: keys not set in the config are taken from them, and
    conflicting values are an error. A model of audiosurvey, such as `runs/x/model`, also gives the network, unless
    `blocks` or `preset` is set."""
    freeze: Freeze = None
    """Blocks that are not trained: `body` (all but the classifier), the number of blocks counted from the first, or a
    list of block numbers as printed by `describe`."""
    thaw: list[ThawConfig] = []
    """Gradual unfreezing: `[{epoch: 3, freeze: 10}, {epoch: 6}]` keeps the first 10 blocks frozen from epoch 3 of
    `train`, and none from epoch 6. Frozen blocks also keep their batch-norm statistics."""
    keep_statistics: bool = False
    """Keep the running statistics of all batch-norms at their pretrained values during `train`; scale and shift are
    trained. Useful for small data sets."""
    views: int = Field(default=1, ge=1, le=16)
    """Test-time augmentation: in evaluation and prediction, features are averaged over this many circular shifts of a
    clip. Multiplies the MACs of inference; training is not affected."""
    members: int = Field(default=1, ge=1, le=16)
    """Size of the ensemble: this many copies of the blocks, each with its own weights and its own loss, are trained
    together on the same batches, and their logits are averaged. Only the input standardisation and the classifier's
    bias are shared. Multiplies parameters and MACs. Cannot be combined with `init`, unless the weights are from an
    ensemble of the same size."""

    @field_validator("blocks", mode="before")
    @classmethod
    def _blocks_or_preset(cls, blocks: Any, info: ValidationInfo) -> Any:
        preset = info.data.get("preset")
        if blocks == []:
            raise ValueError("an empty list; leave `blocks` out for the default network")
        if blocks is not None and preset is not None:
            raise ValueError(f"cannot be combined with `preset: {preset}`; keep one of the two")
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
        """The inputs of the network: the wave, the mel spectrogram, or both in this order."""
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
            raise ValueError("cannot be combined with a `join` block")
        for place, block in enumerate(info.data.get("blocks") or []):
            if (written := block.member_count()) not in (None, members):
                where = f"blocks.{place} ({block.key()})"
                raise ValueError(f"{where} lists values for {written} members; set members: {written}")
        if members > 1 and (info.data.get("freeze") not in (None, "body") or info.data.get("thaw")):
            raise ValueError("an ensemble supports only `freeze: body`, without thaw")
        return members

    def starts_from_weights(self, stage: str) -> bool:
        """Whether a stage starts from pretrained weights: pretraining does so only with `init`."""
        return stage == "train" or self.init is not None

    def frozen(self, stage: str, epoch: int | None) -> list[int]:
        """Indices of the blocks frozen in an epoch of a stage, "pretrain" or "train"; epoch None: in its last."""
        if not self.starts_from_weights(stage):
            return []
        thaw = self.thaw if stage == "train" else []
        return frozen_in(sys.maxsize if epoch is None else epoch, self.freeze, thaw, len(self.network_blocks()))

    def network_blocks(self) -> list[Block]:
        """The blocks of all members; a preset must already be replaced by its blocks."""
        if self.blocks is None:
            raise RuntimeError(f"preset {self.preset!r} is not replaced by its blocks yet")
        own = [[block.bound(member, self.res_block) for block in self.blocks] for member in range(self.members)]
        if self.members == 1:
            return own[0]
        begun = [] if self._begins_by_name else [InputItem(input="mel")]
        return [*(block for blocks in own for block in (*begun, *blocks)), JoinItem(join="features")]

    def written(self, index: int) -> int:
        """Index in `blocks` of block `index` of `network_blocks`."""
        blocks = len(self.network_blocks())
        if self.members == 1:
            return index
        own = (blocks - 1) // self.members
        place = own - 1 if index == blocks - 1 else index % own
        return place if self._begins_by_name else max(0, place - 1)

    @property
    def _begins_by_name(self) -> bool:
        return self.blocks is not None and isinstance(self.blocks[0], InputItem)
