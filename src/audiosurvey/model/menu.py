"""The registry of blocks by YAML key. A new block adds a line here."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, core_schema

from audiosurvey.model.blocks.activation import ActivationItem
from audiosurvey.model.blocks.conv_block import ConvBlockItem
from audiosurvey.model.blocks.convolution import ConvItem
from audiosurvey.model.blocks.drop import CellDropoutItem, DropItem, DropoutItem
from audiosurvey.model.blocks.inputs import InputItem, JoinItem
from audiosurvey.model.blocks.inverted import InvertedItem
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.linear import FcItem
from audiosurvey.model.blocks.normalise import BandNormItem, LayerNormItem, NormItem, RelativeItem
from audiosurvey.model.blocks.pooling import MaxPoolItem, MeanItem, PoolingItem, PoolItem
from audiosurvey.model.blocks.res import ResItem
from audiosurvey.model.blocks.residual import ResidualItem
from audiosurvey.model.blocks.separable import SeparableItem
from audiosurvey.model.blocks.transformer import TransformerItem
from audiosurvey.model.blocks.wave import ChannelsToBandsItem, PadMultipleItem, PeakNormItem
from audiosurvey.model.encoders.settings import EncoderItem
from audiosurvey.model.families.ced import AttentionItem, PatchesItem
from audiosurvey.model.families.eat import ResTfItem, WaveConvItem, WaveDownItem
from audiosurvey.model.families.erann import ArbItem
from audiosurvey.model.families.mobilenetv3 import MnBlockItem, MnConvItem
from audiosurvey.model.families.panns import PannsResidualItem

BLOCKS: dict[str, type[BlockItem]] = {
    "res": ResItem,
    "max_pool": MaxPoolItem,
    "activation": ActivationItem,
    "drop": DropItem,
    "dropout": DropoutItem,
    "fc": FcItem,
    "pooling": PoolingItem,
    "conv": ConvItem,
    "conv_block": ConvBlockItem,
    "residual": ResidualItem,
    "separable": SeparableItem,
    "norm": NormItem,
    "band_norm": BandNormItem,
    "layer_norm": LayerNormItem,
    "relative": RelativeItem,
    "pool": PoolItem,
    "mean": MeanItem,
    "cell_dropout": CellDropoutItem,
    "panns_residual": PannsResidualItem,
    "inverted": InvertedItem,
    "arb": ArbItem,
    "mn_conv": MnConvItem,
    "mn_block": MnBlockItem,
    "input": InputItem,
    "join": JoinItem,
    "peak_norm": PeakNormItem,
    "pad_multiple": PadMultipleItem,
    "channels_to_bands": ChannelsToBandsItem,
    "wave_conv": WaveConvItem,
    "wave_down": WaveDownItem,
    "res_tf": ResTfItem,
    "transformer": TransformerItem,
    "patches": PatchesItem,
    "attention": AttentionItem,
    "encoder": EncoderItem,
}


class _OneOfBlocks:
    """Validates a one-key mapping as the block of that key, so that errors have the path of the block's values."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        menu = core_schema.union_schema([handler.generate_schema(item) for item in BLOCKS.values()])
        return core_schema.no_info_wrap_validator_function(_by_key, menu)


def _by_key(value: Any, _: ValidatorFunctionWrapHandler) -> BlockItem:
    if isinstance(value, BlockItem):
        return value
    if not isinstance(value, Mapping):
        hint = f"; write `{value}: ...`" if isinstance(value, str) and value in BLOCKS else ", such as `res: [32, 32]`"
        raise ValueError(f"a block is one key with its value{hint}")
    if len(value) != 1:
        keys = ", ".join(str(key) for key in value) or "nothing"
        raise ValueError(f"one block per item, found {keys}; start each block on a new line with a dash")
    key = str(next(iter(value)))
    if key not in BLOCKS:
        close = get_close_matches(key.lower().replace("-", "_"), BLOCKS, n=1)
        mend = f"did you mean {close[0]}?" if close else f"known blocks: {', '.join(BLOCKS)}"
        raise ValueError(f"unknown block {key}; {mend}")
    # Errors inside keep their own paths (`res.0`); pydantic prepends the path to here.
    return BLOCKS[key].model_validate(value)


Block = Annotated[BlockItem, _OneOfBlocks()]
