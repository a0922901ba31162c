"""The `transformer` block: the frames of a map as tokens that look at each other, and a class token that sums up.

Layers are those of torch's TransformerEncoderLayer with norms after the additions and GELU, as EAT (arXiv 2204.11479)
and Vaswani et al. 2017 have them.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from audiosurvey.model.blocks.fields import Rate, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, ShapeError, map_sizes
from audiosurvey.section import Section


class TransformerConfig(Section):
    """Layers of attention and of two linear maps. A learned token before all frames looks at them and leaves as the
    features; each place has a learned position."""

    layers: int = Field(default=4, ge=1, le=64)
    """Layers in a row; all start from the same weights."""
    heads: int = Field(default=8, ge=1, le=256)
    """Attentions beside each other, each on its share of the channels."""
    hidden: Width = 512
    """Features between the two linear maps of a layer."""
    dropout: Rate = 0.1
    """Share dropped of attentions, of hidden features, and of what each half of a layer adds."""


class TransformerItem(BlockItem):
    """Frames to features, as many as channels: attention over the whole clip in place of `pooling`. Needs a map of one
    band."""

    transformer: TransformerConfig

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        channels, _, bands = map_sizes(shape, "transformer")
        if bands != 1:
            raise ShapeError(f"transformer: frames are its tokens, so it needs one band, not {bands}; `mean: bands`")
        if channels % self.transformer.heads:
            raise ShapeError(f"transformer: {channels} channels cannot be shared by {self.transformer.heads} heads")
        return (channels,)

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        block = self.transformer
        return Transformer(shape[1], shape[0], block.layers, block.heads, block.hidden, block.dropout)

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        return (Reach((shape[1], 1)),)


class Transformer(nn.Module):
    """(B, C, T, 1) -> (B, C). Built for `tokens` frames; clips of another length get the nearest positions."""

    def __init__(self, tokens: int, width: int, layers: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        # Tables of one and of many rows: as matrices they are among what weight decay shrinks.
        self.class_token = nn.Parameter(torch.zeros(1, width))
        self.positions = nn.Parameter(torch.zeros(tokens + 1, width))
        self.layers = nn.ModuleList(EncoderLayer(width, heads, hidden, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x_BCT1: torch.Tensor) -> torch.Tensor:
        frames_BTC = x_BCT1.squeeze(3).transpose(1, 2).float()
        token_B1C = self.class_token.expand(frames_BTC.shape[0], 1, -1)
        x_BTC = torch.cat([token_B1C, frames_BTC], dim=1)
        x_BTC = x_BTC + resized(self.positions, x_BTC.shape[1])
        for layer in self.layers:
            x_BTC = layer(x_BTC)
        return self.norm(x_BTC[:, 0])

    def draw_weights(self, generator: torch.Generator) -> None:
        """As torch draws the weights of its own layers, with biases at 0; every layer as the first; the class token and
        the positions start at 0."""
        first, *others = self.layers
        for name, module in first.named_modules():
            if isinstance(module, nn.Linear):
                inputs, outputs = module.in_features, module.out_features
                bound = math.sqrt(6 / (inputs + outputs)) if name.endswith("qkv") else 1 / math.sqrt(inputs)
                nn.init.uniform_(module.weight, -bound, bound, generator=generator)
                nn.init.zeros_(module.bias)
        for layer in others:
            layer.load_state_dict(first.state_dict())


class EncoderLayer(nn.Module):
    """(B, T, C) -> same: attention, then two linear maps, each added to what it read and normed."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.norm1 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTC: torch.Tensor) -> torch.Tensor:
        x_BTC = self.norm1(x_BTC + self.dropout(self.attention(x_BTC)))
        hidden_BTN = self.dropout(F.gelu(self.linear1(x_BTC)))
        return self.norm2(x_BTC + self.dropout(self.linear2(hidden_BTN)))


class Attention(nn.Module):
    """(B, T, C) -> same: each token a mixture of all, weighted by how their queries meet the keys, head by head."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x_BTC: torch.Tensor) -> torch.Tensor:
        # (B, T, 3 C) -> three of (B, heads, T, C / heads).
        query, key, value = self.qkv(x_BTC).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed_BHTD = F.scaled_dot_product_attention(query, key, value, dropout_p=self.dropout if self.training else 0.0)
        return self.out(mixed_BHTD.transpose(1, 2).flatten(2))

    def own_macs(self, output: torch.Tensor) -> int:
        """Queries by keys, and weights by values: over all heads, each takes T x C products for each of T tokens."""
        clips, tokens, width = output.shape
        return 2 * clips * tokens * tokens * width


def resized(positions_NC: torch.Tensor, tokens: int) -> torch.Tensor:
    """A row for each of `tokens` places, the nearest from before; the class token's stays first."""
    # In whole numbers, and without asking whether anything changes, so that an export may leave the length open.
    rows = torch.arange(tokens, device=positions_NC.device) * len(positions_NC) // tokens
    return positions_NC[rows]


def resize_positions(tensors: dict[str, Any], network: nn.Module) -> dict[str, str]:
    """Brings positions among `tensors`, learned on clips of another length, to that of `network`.

    Changes `tensors` in place, and says of each what was done to it.
    """
    said: dict[str, str] = {}
    for name, module in network.named_modules():
        key = f"{name}.positions"
        if not isinstance(module, Transformer) or key not in tensors:
            continue
        theirs, ours = tensors[key], module.positions
        if theirs.shape[1:] == ours.shape[1:] and len(theirs) != len(ours):
            tensors[key] = resized(theirs, len(ours))
            said[key] = f"{len(theirs)} positions to {len(ours)}, by the nearest"
    return said
