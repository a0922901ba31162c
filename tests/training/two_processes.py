"""One of two processes that train together on the CPU: what `test_processes.py` starts twice.

Its own half of each batch goes through the training step; what it ends with is written to the folder that is named.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import nn

from audiosurvey.augment.chain import AugmentationConfig, Chain
from audiosurvey.data.batches.batches import Batch
from audiosurvey.data.table import Clip
from audiosurvey.model.blocks.normalise import BandBatchNorm
from audiosurvey.training.accelerator import make_accelerator
from audiosurvey.training.averaging import Average
from audiosurvey.training.loss import Loss, LossConfig
from audiosurvey.training.settings import TrainConfig
from audiosurvey.training.statistics import count_statistics
from audiosurvey.training.step import TrainStep, average_statistics

FRAMES, BANDS, CLASSES, HALF = 6, 4, 3, 5
OFFSETS = (0.0, 10.0)
"""What the two halves of a batch are shifted by, so that their statistics differ."""
STEPS = 3


class Reshape(nn.Module):
    """In place of the front end: waves (B, S) as maps (B, 1, T, F)."""

    def forward(self, wave_BS: torch.Tensor) -> torch.Tensor:
        return wave_BS.reshape(-1, 1, FRAMES, BANDS)


CHAIN = Chain(AugmentationConfig(), seed=0, sample_rate=8000, train_clips=(), front_end=Reshape())


def network() -> nn.Sequential:
    """Batch norms of all kinds: of the bands of the input, of the channels of a map, of features. In float64."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            BandBatchNorm(BANDS),
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.BatchNorm1d(4),
            nn.Linear(4, CLASSES),
        ).double()


def half(rank: int, step: int = 0) -> Batch:
    """The clips of one process."""
    numbers = range(HALF)
    clips = tuple(Clip(f"{rank}-{n}", Path(f"{rank}-{n}"), (n % CLASSES,)) for n in numbers)
    generator = torch.Generator().manual_seed(100 * step + rank)
    wave_BS = torch.randn(HALF, FRAMES * BANDS, generator=generator, dtype=torch.float64) + OFFSETS[rank]
    target_BK = nn.functional.one_hot(torch.tensor([n % CLASSES for n in numbers]), CLASSES).double()
    samples = FRAMES * BANDS
    draws = CHAIN.draw(clips, 1, samples=samples, valid_of=lambda clip: samples)
    return Batch(clips, wave_BS, torch.full((HALF,), samples), target_BK, draws, global_clips=2 * HALF)


def step_of(net: nn.Module, accelerator: Accelerator, **settings: Any) -> TrainStep:
    return TrainStep(
        accelerator=accelerator,
        network=net,
        chain=CHAIN,
        loss=Loss(LossConfig(), multi_label=False),
        optimizer=torch.optim.SGD(net.parameters(), lr=1.0),
        settings=TrainConfig(**settings),
        stream=(0, "train", 1),
    )


def gradients(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.grad.clone() for name, value in net.named_parameters() if value.grad is not None}


def trained(accelerator: Accelerator, rank: int) -> dict[str, torch.Tensor]:
    """Weights and gradients after one step."""
    net = network()
    step_of(net, accelerator)([half(rank)], epoch=1, step=0, lr=0.5)
    return {f"weight.{name}": value for name, value in net.named_parameters()} | {
        f"gradient.{name}": value for name, value in gradients(net).items()
    }


def statistics(accelerator: Accelerator, rank: int) -> dict[str, torch.Tensor]:
    """Running statistics after a few steps that change no weight: of the network, and of an average of it."""
    net = network()
    average, step = Average(net, 0.5), step_of(net, accelerator)
    for number in range(STEPS):
        step([half(rank, number)], epoch=1, step=number, lr=0.0)
        average.update(net, number)
    own = {f"own.{name}": value.clone() for name, value in net.named_buffers()}
    own |= {f"own_average.{name}": value.clone() for name, value in average.network.named_buffers()}
    average_statistics(accelerator, net, average.network)
    both = {f"network.{name}": value for name, value in net.named_buffers()}
    both |= {f"average.{name}": value for name, value in average.network.named_buffers()}
    counted = network()
    count_statistics(counted, (Reshape()(half(rank, number).wave_BS) for number in range(STEPS)), net)
    average_statistics(accelerator, counted)
    return own | both | {f"counted.{name}": value for name, value in counted.named_buffers()}


def main(folder: Path) -> None:
    accelerator = make_accelerator("cpu", "fp32")
    assert accelerator.num_processes == 2
    rank = accelerator.process_index
    found = trained(accelerator, rank) | statistics(accelerator, rank)
    save_file({name: value.detach().contiguous() for name, value in found.items()}, folder / f"{rank}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
