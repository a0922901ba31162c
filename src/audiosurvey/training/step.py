"""The training step: the one place to read what happens to a group of batches.

waves -> mixing -> wave augmentation -> mel -> mel augmentation -> network -> loss -> gradients -> clipping -> step

Networks that hear the wave alone skip what is about mel.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from accelerate import Accelerator
from torch import nn

from audiosurvey.augmentation.chain import Chain
from audiosurvey.augmentation.mixing.mixing import Targets
from audiosurvey.data.batches.batches import Batch
from audiosurvey.errors import UserError
from audiosurvey.features.front_end import Heard
from audiosurvey.model.blocks.inputs import laid_out
from audiosurvey.model.network import Network
from audiosurvey.randomness import torch_seed
from audiosurvey.training.ensemble import average_shared, clip_members
from audiosurvey.training.loss import Loss
from audiosurvey.training.settings import TrainConfig
from audiosurvey.training.statistics import FirstBatches, count_statistics


@dataclass(frozen=True, slots=True)
class Progress:
    """What one optimizer step saw."""

    loss: float
    """Mean over the clips of the group."""
    accuracy: float | None
    """Share of clips whose heaviest target class scored highest; None where clips have several labels."""
    clips: int


class Prepared(nn.Module):
    """A view of the network for accelerate to wrap, so that the network itself stays as it was for evaluation.

    Gives the logits of each member, (B, M, K).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, heard: Heard) -> torch.Tensor:
        if isinstance(self.network, Network):
            return self.network.member_logits(heard)
        return self.network(heard).unsqueeze(1)


class TrainStep:
    """One optimizer step on a group of `accum_iter` batches (fewer at the end of an epoch)."""

    def __init__(
        self,
        *,
        accelerator: Accelerator,
        network: nn.Module,
        front_end: nn.Module,
        chain: Chain,
        loss: Loss,
        optimizer: torch.optim.Optimizer,
        settings: TrainConfig,
        stream: tuple[int, str, int],
    ) -> None:
        """`stream` names the random stream of dropout: (seed, name of the stage, fold)."""
        self.accelerator = accelerator
        self.ensemble = network if isinstance(network, Network) and network.members > 1 else None
        if accelerator.scaler is not None:
            # One accelerator serves a whole run: the scale that its last training came to is none of this one's.
            accelerator.scaler = torch.amp.GradScaler(accelerator.device.type)
        self.network, self.optimizer = accelerator.prepare(Prepared(network), optimizer)
        self.front_end = front_end
        self.chain = chain
        self.loss = loss
        self.settings = settings
        self.stream = stream
        self._first: FirstBatches | None = None

    def __call__(
        self, group: Sequence[Batch], *, epoch: int, step: int, lr: float, momentum: float | None = None
    ) -> Progress:
        """Raises UserError, before a weight is changed, where the loss or a gradient is not finite.

        `momentum`: beta1 of the Adam family, momentum of SGD; None leaves it as it is.
        """
        for part in self.optimizer.param_groups:
            part["lr"] = lr * part.get("rate", 1.0)
            if momentum is not None:
                part.update({"betas": (momentum, part["betas"][1])} if "betas" in part else {"momentum": momentum})
        self.optimizer.zero_grad(set_to_none=True)
        clips = self._total(sum(len(batch.clips) for batch in group))
        loss_sum = correct = torch.zeros((), device=self.accelerator.device)
        with _seeded(torch_seed(*self.stream, epoch, step, self.accelerator.process_index), self.accelerator.device):
            for index, batch in enumerate(group):
                last = index == len(group) - 1
                with nullcontext() if last else self.accelerator.no_sync(self.network):
                    batch_loss, batch_correct = self._backward(batch, epoch, clips)
                loss_sum, correct = loss_sum + batch_loss, correct + batch_correct
        totals = self.accelerator.reduce(torch.stack([loss_sum, correct.float()]), reduction="sum")
        loss_mean, accuracy = (float(total) / clips for total in totals)
        if not torch.isfinite(torch.tensor(loss_mean)):
            raise UserError(self._not_finite(f"the loss is {loss_mean}", group, epoch, step))
        if self.ensemble is not None:
            average_shared(self.ensemble)
        self._clip(group, epoch, step)
        self.optimizer.step()
        return Progress(loss_mean, None if self.loss.multi_label else accuracy, clips)

    def count_statistics(self, average: nn.Module, like: nn.Module, batches: Iterator[Batch], epoch: int) -> None:
        """Counts the batch-norm statistics of `average` over training batches, rendered as in training, in float32."""
        shown = (render(batch, epoch, self.chain, self.front_end, self.accelerator.device)[0] for batch in batches)
        count_statistics(average, (laid_out(heard) for heard in shown), like)

    def _backward(self, batch: Batch, epoch: int, clips: int) -> tuple[torch.Tensor, torch.Tensor]:
        heard, targets = render(batch, epoch, self.chain, self.front_end, self.accelerator.device)
        if self._first is None:  # not before: a checkpoint may have been loaded into the network meanwhile
            self._first = FirstBatches(self.network)
        self._first.next_batch()
        logits_BMK = self.network(laid_out(heard))
        loss_MB = torch.stack([self.loss.of(logits_BK, targets) for logits_BK in logits_BMK.unbind(1)])
        # Each clip of the group weighs the same, the short last batch included. Processes average their gradients, so
        # each of them scales by their number.
        # Members have no weight in common but for what `average_shared` is there for: the sum trains each as if alone.
        self.accelerator.backward(loss_MB.sum(0).sum() * (self.accelerator.num_processes / clips))
        correct = (logits_BMK.mean(1).argmax(1) == targets.weighted_BK.argmax(1)).sum()
        return loss_MB.detach().mean(0).sum(), correct

    def _clip(self, group: Sequence[Batch], epoch: int, step: int) -> None:
        """The norm first, then the elements; 0 switches either off."""
        parameters = list(self.network.parameters())
        # A bound of infinity clips nothing and measures the norm all the same.
        bound = self.settings.grad_clip_norm or math.inf
        norm = self.accelerator.clip_grad_norm_(parameters, math.inf if self.ensemble else bound)
        # Under fp16 a scaled gradient may overflow: the scaler then skips the step by itself.
        if self.accelerator.scaler is None and norm is not None and not torch.isfinite(norm):
            raise UserError(self._not_finite(f"the gradient's norm is {float(norm)}", group, epoch, step))
        if self.ensemble and self.settings.grad_clip_norm > 0:
            clip_members(self.ensemble, self.settings.grad_clip_norm)
        if self.settings.grad_clip_value > 0:
            # Not the accelerator's, which would unscale the gradients of fp16 a second time.
            torch.nn.utils.clip_grad_value_(parameters, self.settings.grad_clip_value)

    def _total(self, clips: int) -> int:
        if self.accelerator.num_processes == 1:
            return clips
        counted = self.accelerator.reduce(torch.tensor(clips, device=self.accelerator.device), reduction="sum")
        return int(torch.as_tensor(counted))

    def _not_finite(self, what: str, group: Sequence[Batch], epoch: int, step: int) -> str:
        stage = self.stream[1]
        names = [clip.id for batch in group for clip in batch.clips]
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        return (
            f"{stage}: epoch {epoch}, step {step}: {what}; lower {stage}.lr, set {stage}.grad_clip_norm: 1 "
            f"or precision: fp32. Clips of the step: {shown}"
        )


@torch.no_grad()
def render(batch: Batch, epoch: int, chain: Chain, front_end: nn.Module, device: torch.device) -> tuple[Heard, Targets]:
    """What the network hears of a batch, augmented, and what is true of it."""
    return chain.render(_moved(batch, device), epoch, front_end)


def average_statistics(accelerator: Accelerator, *networks: nn.Module) -> None:
    """Each process counts batch-norm's running statistics over its own clips; this makes them the mean over all."""
    if accelerator.num_processes == 1:
        return
    for network in networks:
        for buffer in network.buffers():
            if buffer.is_floating_point():
                buffer.copy_(torch.as_tensor(accelerator.reduce(buffer, reduction="mean")))


def _moved(batch: Batch, device: torch.device) -> Batch:
    """The batch with its waves and targets on the device."""
    tensors = {name: value for name, value in vars(batch).items() if isinstance(value, torch.Tensor)}
    return replace(batch, **{name: value.to(device, non_blocking=True) for name, value in tensors.items()})


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Inside: torch's generators seeded for this step. Outside: as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
