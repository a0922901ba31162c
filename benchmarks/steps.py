"""Shared by the training benchmarks: the network of a preset and one full training step on random sound."""

from collections.abc import Callable

import torch
from torch import nn

from audiosurvey.config.loader import load_config
from audiosurvey.config.network import network_of
from audiosurvey.features.mel import MelFrontEnd


def training_step(
    name: str, *, batch_size: int, seconds: float = 5.0, checkpoint: bool = False, precision: str = "fp32"
) -> tuple[nn.Module, Callable[[], None]]:
    """The network of a preset with 50 classes, and a function for one step: mel, forward, backward, AdamW."""
    # Without augmentation, because masks may be longer than a very short clip.
    overrides = [f"dataset.clip_seconds={seconds:g}", f"train.batch_size={batch_size}", "augmentation={}"]
    config = load_config(name, overrides).config
    front_end = MelFrontEnd(config.mel_spectrogram, config.sample_rate)
    network = network_of(config, 50).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    network.use_checkpoint = checkpoint
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    wave_BS = 0.1 * torch.randn(batch_size, config.clip_samples)
    target_B = torch.arange(batch_size) % 50

    def step() -> None:
        with torch.no_grad():
            mel_BCTF = front_end(wave_BS).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits_BK = network(mel_BCTF)
        torch.nn.functional.cross_entropy(logits_BK.float(), target_B).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return network, step
