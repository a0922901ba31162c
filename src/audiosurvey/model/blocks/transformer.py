"""The `transformer` block: a transformer encoder over the frames of a map, with a class token.

Layers are post-norm with GELU, like torch's TransformerEncoderLayer with its defaults (Vaswani et al. 2017; EAT,
arXiv 2204.11479).
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from audiosurvey.model.blocks.fields import Rate, Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Reach, Shape, ShapeError, map_sizes
from audiosurvey.section import Section


class TransformerConfig(Section):
    """A transformer encoder with learned position embeddings. The output of a learned class token becomes the
    features."""

    layers: int = Field(default=4, ge=1, le=64)
    """Number of encoder layers; all are initialised with the same weights."""
    heads: int = Field(default=8, ge=1, le=256)
    """Number of attention heads."""
    hidden: Width = 512
    """Hidden features of the feed-forward network."""
    dropout: Rate = 0.1
    """Dropout rate of attention weights, hidden features and the output of each sub-layer."""


class TransformerItem(BlockItem):
    """A transformer encoder over the frames, which replaces `pooling`: as many features as channels. Needs a map of
    one band."""

    transformer: TransformerConfig

    def output_shape(self, shape: Shape) -> Shape:
        channels, _, bands = map_sizes(shape, "transformer")
        if bands != 1:
            raise ShapeError(f"transformer: needs one band, not {bands}; put `mean: bands` before it")
        if channels % self.transformer.heads:
            raise ShapeError(f"transformer: {channels} channels cannot be divided among {self.transformer.heads} heads")
        return (channels,)

    def build(self, shape: Shape) -> nn.Module:
        block = self.transformer
        return Transformer(shape[1], shape[0], block.layers, block.heads, block.hidden, block.dropout)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (Reach((shape[1], 1)),)


class Transformer(nn.Module):
    """(B, C, T, 1) -> (B, C). Position embeddings for `tokens` frames are resampled for clips of other lengths."""

    def __init__(self, tokens: int, width: int, layers: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        # Both have two dimensions, so that weight decay applies to them.
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
        """Torch's default initialisation with zero biases; every layer is a copy of the first. The class token and the
        positions start at 0."""
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
    """(B, T, C) -> same: self-attention, then a feed-forward network, each with a residual connection and a norm."""

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
    """Multi-head self-attention (B, T, C) -> same."""

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
        """Queries by keys, and attention weights by values: T x T x C each, over all heads."""
        clips, tokens, width = output.shape
        return 2 * clips * tokens * tokens * width


def resized(positions_NC: torch.Tensor, tokens: int) -> torch.Tensor:
    """Nearest-neighbour resampling to `tokens` rows; the class token's row stays first."""
    # Integer arithmetic without a branch on the length, so that exported graphs can have a dynamic length.
    rows = torch.arange(tokens, device=positions_NC.device) * len(positions_NC) // tokens
    return positions_NC[rows]


def resize_positions(tensors: dict[str, Any], network: nn.Module) -> dict[str, str]:
    """Resamples position embeddings in `tensors`, in place, to the clip length of `network`.

    Returns a message for each changed tensor.
    """
    changed: dict[str, str] = {}
    for name, module in network.named_modules():
        key = f"{name}.positions"
        if not isinstance(module, Transformer) or key not in tensors:
            continue
        theirs, ours = tensors[key], module.positions
        if theirs.shape[1:] == ours.shape[1:] and len(theirs) != len(ours):
            tensors[key] = resized(theirs, len(ours))
            changed[key] = f"{len(theirs)} positions to {len(ours)}, by the nearest"
    return changed
