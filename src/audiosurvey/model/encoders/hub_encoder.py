"""A pretrained encoder as a module: waves (B, 1, S, 1) to features (B, N)."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch
from torch import nn

from audiosurvey.model.encoders.features import make_features
from audiosurvey.model.encoders.kinds import kind_of, layers, limits, new_model, positions, width

Layer = Literal["last", "mean", "all"] | int
Pool = Literal["mean", "max", "token"]

_NEVER_TRAINED = (
    *("embed_positions.", "masked_spec_embed"),
    *("audio_encoder.patch_embed.fusion_model.", "audio_encoder.patch_embed.mel_conv2d."),
    *("embedder.dac_encoder.", "embedder.bottleneck."),
)
"""Whisper's sinusoids, the mask of a pretraining that is not done here, what CLAP has for longer clips, and PE-A's
codec, which transformers computes without gradients."""
_IN_LAYER = re.compile(r"(?:encoder\.|audio_encoder\.)?layers\.(\d+)\.")
_NORM = re.compile(r"(?:encoder\.|audio_encoder\.)?(?:layer_?norm|norm)\.")
_AFTER = ("adapter.", "output.")
"""Beside the layers: what comes after the last one."""
_TOKENS = {"kaldi": 2, "codec": 1}
"""Class tokens, which are the first positions."""


class HubEncoder(nn.Module):
    """The feature extractor, the encoder, the layers that are taken, and pooling over the positions of a clip."""

    def __init__(
        self,
        architecture: Mapping[str, Any],
        extractor: Mapping[str, Any],
        layer: Layer,
        pool: Pool,
        samples: int,
    ) -> None:
        super().__init__()
        self.input_type = kind_of(architecture).input_type
        self.front_end = make_features(architecture, extractor)
        self.model = new_model(architecture)
        self.layer: Layer = layer
        self.pool: Pool = pool
        self.longest = limits(architecture, extractor)[1]
        self.layers, self.width = layers(architecture), width(architecture)
        self.positions = positions(architecture, samples)
        # Encoders of waves have their norm before the layers, unless the layers themselves begin with one.
        self.norm_is_last = self.input_type != "wave" or bool(architecture.get("do_stable_layer_norm"))
        if layer == "all":
            self.mixture = nn.Parameter(torch.zeros(self.layers + 1))
        self.apart = False
        """Whether the features of all layers are returned one after the other (B, L * N), in place of their mixture."""
        if torch.get_default_device().type == "meta":
            self.to("meta")  # some of transformers' tensors are not made on the default device
        self.requires_grad_(True)

    def forward(self, wave_B1S1: torch.Tensor) -> torch.Tensor:
        wave_BS = wave_B1S1[:, 0, :, 0].float()
        if self.longest is not None and wave_BS.shape[1] > self.longest:
            raise ValueError(f"encoder: {wave_BS.shape[1]} samples; it takes at most {self.longest}")
        device = wave_BS.device.type
        # The meta device, on which costs are counted, has no autocast.
        with nullcontext() if device == "meta" else torch.autocast(device, enabled=False):
            heard = self.front_end(wave_BS)
        states = self._states(heard)
        pooled = [self._pooled(state_BNC, wave_BS.shape[1]) for state_BNC in states]
        if self.apart:
            return torch.cat(pooled, dim=1)
        if self.layer == "all":
            share_L = self.mixture.softmax(dim=0)
            return torch.einsum("l,lbc->bc", share_L, torch.stack(pooled))
        return pooled[0]

    def _states(self, heard: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        """The hidden states (B, N, C) that are taken: one, or those of all layers."""
        if self.input_type == "codec":
            return self._codec_states(heard)
        if self.layer == "last":
            found = self.model(**heard).last_hidden_state
            # CLAP's is a map (B, C, F, T).
            return [found.flatten(2).transpose(1, 2) if found.dim() == 4 else found]
        hidden = self.model(**heard, output_hidden_states=True).hidden_states
        if self.layer == "mean":
            return [torch.stack(list(hidden)).mean(dim=0)]
        return list(hidden) if self.layer == "all" else [hidden[self.layer]]

    def _codec_states(self, heard: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        """Those of PE-A, which gives the class token of the last layer apart."""
        out = self.model(**heard, output_hidden_states=self.layer != "last")
        last = torch.cat([out.pooler_output.unsqueeze(1), out.last_hidden_state], dim=1)
        if self.layer == "last":
            return [last]
        hidden = [*out.hidden_states[:-1], last]
        if self.layer == "mean":
            return [torch.stack(hidden).mean(dim=0)]
        return hidden if self.layer == "all" else [hidden[self.layer]]

    def _pooled(self, state_BNC: torch.Tensor, samples: int) -> torch.Tensor:
        state_BNC = state_BNC.float()
        if self.input_type in _TOKENS:
            tokens = _TOKENS[self.input_type]
            if self.pool == "token":
                return state_BNC[:, :tokens].mean(dim=1)
            state_BNC = state_BNC[:, tokens:]
        elif self.input_type == "whisper":
            assert self.longest is not None
            step = self.longest // state_BNC.shape[1]
            # The rest is the silence that the clip was padded with.
            state_BNC = state_BNC[:, : -(-samples // step)]
        return state_BNC.amax(dim=1) if self.pool == "max" else state_BNC.mean(dim=1)

    @property
    def layer_weights(self) -> list[float] | None:
        """Shares of the layers in the mixture, from the input of the first layer on; None without a mixture."""
        return self.mixture.softmax(dim=0).tolist() if self.layer == "all" else None

    @contextmanager
    def layers_apart(self) -> Iterator[None]:
        """The features of every layer in one pass; for encoders with a mixture."""
        self.apart = True
        try:
            yield
        finally:
            self.apart = False

    def requires_grad_(self, requires_grad: bool = True) -> "HubEncoder":
        """Freezes the encoder; the mixture of its layers is trained all the same."""
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(requires_grad and not name.startswith(_NEVER_TRAINED))
        return self

    def depth_groups(self) -> list[list[nn.Parameter]]:
        """The parameters by depth, from the input on, for learning rates that differ by layer."""
        groups: list[list[nn.Parameter]] = [[] for _ in range(self.layers + 2)]
        for name, parameter in self.named_parameters():
            inside = name.removeprefix("model.")
            is_last = inside.startswith(_AFTER) or (self.norm_is_last and _NORM.match(inside))
            if name == "mixture" or is_last:
                groups[-1].append(parameter)
            elif found := _IN_LAYER.match(inside):
                groups[int(found[1]) + 1].append(parameter)
            else:
                groups[0].append(parameter)
        return [group for group in groups if group]

    def draw_weights(self, generator: torch.Generator) -> None:
        """Matrices normal with standard deviation 0.02; the rest is as its classes leave it. Pretrained weights replace
        all of them."""
        for module in self.model.modules():
            for name, parameter in module.named_parameters(recurse=False):
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, std=0.02, generator=generator)
                elif name == "bias":
                    nn.init.zeros_(parameter)

    def own_macs(self, output: torch.Tensor) -> int:
        """Queries by keys, and attention weights by values, over all layers and heads; windows of CLAP are not
        counted."""
        if self.input_type == "clap":
            return 0
        return 2 * self.layers * len(output) * self.positions**2 * self.width


def mixing_encoder(network: nn.Module) -> HubEncoder | None:
    """The encoder of a network that mixes its layers, if there is one."""
    encoders = (block for block in network.modules() if isinstance(block, HubEncoder))
    return next((one for one in encoders if one.layer == "all"), None)


def layer_shares(network: nn.Module) -> list[float] | None:
    """The shares of the layers of a network's encoder, if it mixes them."""
    encoder = mixing_encoder(network)
    return None if encoder is None else encoder.layer_weights
