"""The training step: the one place to read what happens to a group of batches.

waves -> mixing -> wave augmentation -> mel -> mel augmentation -> network -> loss -> gradients -> clipping -> step

Nothing in a step waits for the device: draws are made before, and loss, accuracy and the finite check are read later.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import nn

from audiosurvey.augment.chain import Chain
from audiosurvey.augment.tensors import on_device
from audiosurvey.data.batches.batches import Batch
from audiosurvey.errors import UserError, some_of
from audiosurvey.features.front_end import NetworkInput
from audiosurvey.model.blocks.inputs import laid_out
from audiosurvey.model.network import Network
from audiosurvey.randomness import torch_seed
from audiosurvey.training.ensemble import average_shared, clip_members
from audiosurvey.training.loss import Loss
from audiosurvey.training.settings import TrainConfig
from audiosurvey.training.statistics import FirstBatches, count_statistics


@dataclass(frozen=True, slots=True)
class StepResult:
    """The outcome of one optimizer step, still on the device. `read_results` waits for it."""

    stage: str
    epoch: int
    step: int
    clip_ids: tuple[str, ...]
    """The clips of this process."""
    clips: int
    """Clips of the group over all processes."""
    totals_3: torch.Tensor
    """Sum of the loss over the clips, number of correct clips, norm of the gradient (0 where it is not checked)."""
    multi_label: bool = False
    others: int = 0
    """Those of the clips that are sounds of no class."""


@dataclass(frozen=True, slots=True)
class StepScores:
    """The outcome of one optimizer step as numbers."""

    loss: float
    """Mean over the clips of the group."""
    accuracy: float | None
    """Share of the clips of the classes whose highest score is the class of greatest weight in the target; None for
    multi-label data."""
    clips: int
    others: int = 0
    """Those of the clips that are sounds of no class."""


class MemberLogits(nn.Module):
    """The network as accelerate wraps it, so that the network itself stays unwrapped for evaluation.

    Returns the logits of each member, (B, M, K).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: NetworkInput) -> torch.Tensor:
        if isinstance(self.network, Network):
            return self.network.member_logits(inputs)
        return self.network(inputs).unsqueeze(1)


class TrainStep:
    """One optimizer step on a group of `accum_iter` batches (fewer at the end of an epoch)."""

    def __init__(
        self,
        *,
        accelerator: Accelerator,
        network: nn.Module,
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
            # One accelerator serves a whole run: each stage starts with a fresh loss scale.
            accelerator.scaler = torch.amp.GradScaler(accelerator.device.type)
        self.network, self.optimizer = accelerator.prepare(MemberLogits(network), optimizer)
        self.chain = chain
        self.loss = loss
        self.settings = settings
        self.stream = stream
        self._first: FirstBatches | None = None

    def __call__(
        self, group: Sequence[Batch], *, epoch: int, step: int, lr: float, momentum: float | None = None
    ) -> StepResult:
        """Takes the step. Where the loss or a gradient is not finite, all gradients count as 0; `read_results` raises.

        `momentum`: beta1 of the Adam family, momentum of SGD; None leaves it as it is.
        """
        for part in self.optimizer.param_groups:
            part["lr"] = lr * part.get("rate", 1.0)
            if momentum is not None:
                part.update({"betas": (momentum, part["betas"][1])} if "betas" in part else {"momentum": momentum})
        self.optimizer.zero_grad(set_to_none=True)
        alone = self.accelerator.num_processes == 1
        clips = sum(len(batch.clips) if alone else batch.global_clips or 0 for batch in group)
        loss_sum = correct = torch.zeros((), device=self.accelerator.device)
        with _seeded(torch_seed(*self.stream, epoch, step, self.accelerator.process_index), self.accelerator.device):
            for index, batch in enumerate(group):
                last = index == len(group) - 1
                with nullcontext() if last else self.accelerator.no_sync(self.network):
                    batch_loss, batch_correct = self._backward(batch, clips)
                loss_sum, correct = loss_sum + batch_loss, correct + batch_correct
        totals_2 = torch.stack([loss_sum, correct.to(loss_sum.dtype)])
        totals_2 = torch.as_tensor(self.accelerator.reduce(totals_2, reduction="sum"))
        if self.ensemble is not None:
            average_shared(self.ensemble)
        norm = self._clip()
        self._drop_gradients(~(totals_2[0].isfinite() & norm.isfinite()))
        self.optimizer.step()
        ids = tuple(clip.id for batch in group for clip in batch.clips)
        totals_3 = torch.cat([totals_2, norm.to(totals_2)[None]])
        others = sum(batch.others if alone else batch.global_others or 0 for batch in group)
        return StepResult(self.stream[1], epoch, step, ids, clips, totals_3, self.loss.multi_label, others)

    def count_statistics(self, average: nn.Module, like: nn.Module, batches: Iterator[Batch]) -> None:
        """Counts the batch-norm statistics of `average` over training batches, augmented as in training, in float32."""
        device = self.accelerator.device
        inputs = (laid_out(self.chain.render(batch.to(device))[0]) for batch in batches)
        count_statistics(average, inputs, like)

    def _backward(self, batch: Batch, clips: int) -> tuple[torch.Tensor, torch.Tensor]:
        inputs, targets = self.chain.render(batch.to(self.accelerator.device))
        if self._first is None:  # not before: a checkpoint may have been loaded into the network meanwhile
            self._first = FirstBatches(self.network)
        self._first.next_batch()
        logits_BMK = self.network(laid_out(inputs))
        loss_MB = torch.stack([self.loss.of(logits_BK, targets) for logits_BK in logits_BMK.unbind(1)])
        # Each clip of the group has the same weight, in a short last batch too. Processes average their gradients, so
        # each scales by their number. Members share no weights but those of `average_shared`: the sum over members
        # trains each as if alone.
        self.accelerator.backward(loss_MB.sum(0).sum() * (self.accelerator.num_processes / clips))
        correct_B = logits_BMK.mean(1).argmax(1) == targets.weighted_BK.argmax(1)
        if batch.others:
            correct_B = correct_B & on_device([not clip.other for clip in batch.clips], correct_B.device)
        return loss_MB.detach().mean(0).sum(), correct_B.sum()

    def _clip(self) -> torch.Tensor:
        """Clips the norm, then the elements; 0 disables either. Returns the norm, or 0 where it is not to be checked:
        a scaled gradient of fp16 may overflow, and the scaler then skips the step."""
        parameters = list(self.network.parameters())
        # A bound of infinity clips nothing and measures the norm all the same.
        bound = self.settings.grad_clip_norm or math.inf
        norm = self.accelerator.clip_grad_norm_(parameters, math.inf if self.ensemble else bound)
        if self.ensemble and self.settings.grad_clip_norm > 0:
            clip_members(self.ensemble, self.settings.grad_clip_norm)
        if self.settings.grad_clip_value > 0:
            # Not the accelerator's, which would unscale the gradients of fp16 a second time.
            torch.nn.utils.clip_grad_value_(parameters, self.settings.grad_clip_value)
        if norm is None or self.accelerator.scaler is not None:
            return torch.zeros((), device=self.accelerator.device)
        return norm

    def _drop_gradients(self, broken: torch.Tensor) -> None:
        """Sets all gradients to 0 if `broken`, without waiting for its value."""
        for parameter in self.network.parameters():
            if parameter.grad is not None:
                parameter.grad.masked_fill_(broken, 0)


def read_results(results: Iterable[StepResult]) -> list[StepScores]:
    """Waits for these steps. Raises UserError for the first whose loss or gradient is not finite."""
    results, scores = list(results), list[StepScores]()
    totals = torch.stack([result.totals_3 for result in results]).tolist() if results else []
    for result, (loss_sum, correct, norm) in zip(results, totals, strict=True):
        loss = loss_sum / result.clips
        if not math.isfinite(loss):
            raise UserError(_not_finite(f"the loss is {loss}", result))
        if not math.isfinite(norm):
            raise UserError(_not_finite(f"the gradient's norm is {norm}", result))
        known = result.clips - result.others
        accuracy = None if result.multi_label else correct / max(known, 1)
        scores.append(StepScores(loss, accuracy, result.clips, result.others))
    return scores


def average_statistics(accelerator: Accelerator, *networks: nn.Module) -> None:
    """Replaces batch-norm's running statistics, which each process counts over its own clips, by the mean over all."""
    if accelerator.num_processes == 1:
        return
    for network in networks:
        for buffer in network.buffers():
            if buffer.is_floating_point():
                buffer.copy_(torch.as_tensor(accelerator.reduce(buffer, reduction="mean")))


def _not_finite(what: str, result: StepResult) -> str:
    stage, names = result.stage, result.clip_ids
    return (
        f"{stage}: epoch {result.epoch}, step {result.step}: {what}; lower {stage}.lr, set {stage}.grad_clip_norm: 1 "
        f"or precision: fp32. Clips of the step: {some_of(names, 8)}"
    )


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Inside: torch's generators seeded for this step. Outside: as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
