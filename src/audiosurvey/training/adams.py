"""AdamS: Adam with stable weight decay, scaled by the root mean squared gradient of all weights.

Source: Xie et al., "On the Overlooked Pitfalls of Weight Decay and How to Mitigate Them", NeurIPS 2023
(arXiv 2011.11152). With v^ the bias-corrected mean squared gradient and v- its mean over all n elements of all groups:

    theta <- theta - lr * m^ / (sqrt(v^) + eps) - lr * decay / sqrt(v-) * theta

Typical decays are those of L2 penalties and SGD (1e-4 to 5e-4), not those of AdamW. v- includes groups without decay.
Each member of an ensemble (`model.members`) has its own v-.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.optim import Optimizer

_LEAST_MEAN_SQUARE = 1e-16
"""Lower bound of v-, so that zero gradients do not give an infinite decay."""


@dataclass(frozen=True)
class Belonging:
    """Which ensemble member each parameter belongs to. Parameters not listed belong to all."""

    networks: int = 1
    whole: Mapping[torch.Tensor, int] = field(default_factory=dict)
    """Parameters of single members, with the index of the member."""
    divided: Collection[torch.Tensor] = frozenset()
    """Parameters whose second axis is split evenly among the members, in order."""

    def parts(self, parameter: torch.Tensor, values: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """Index of each member that the parameter belongs to, and its part of `values` (of the same shape)."""
        if parameter in self.whole:
            yield self.whole[parameter], values
        elif parameter in self.divided:
            yield from enumerate(values.tensor_split(self.networks, dim=1))
        else:
            yield from ((number, values) for number in range(self.networks))

    def factor(self, parameter: torch.Tensor, factor_N: torch.Tensor) -> torch.Tensor:
        """The factor of a parameter, given one per member; the mean for shared parameters."""
        if parameter in self.whole:
            return factor_N[self.whole[parameter]]
        if parameter in self.divided:
            share = parameter.shape[1] // self.networks
            return factor_N.to(parameter.dtype)[:, None].expand(-1, share).reshape(-1)
        return factor_N.sum() / self.networks


class AdamS(Optimizer):
    """Has the arguments of `torch.optim.Adam`, and equals it for a decay of 0."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-4,
        belonging: Belonging = Belonging(),
    ) -> None:
        self.belonging = belonging
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step. The moments of all groups are updated first, as every decay depends on all of them."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # Sums stay on the device, so that the step does not wait for them.
        squares: list[Any] = [0.0] * self.belonging.networks
        elements = [0] * self.belonging.networks
        for group in self.param_groups:
            for parameter in _with_gradient(group):
                corrected = self._move(parameter, group["betas"])
                # Apple's GPUs have no float64.
                wide = torch.float32 if corrected.device.type == "mps" else torch.float64
                for number, part in self.belonging.parts(parameter, corrected):
                    squares[number] = squares[number] + part.sum().to(wide)
                    elements[number] += part.numel()
        means = [torch.as_tensor(total) / max(count, 1) for total, count in zip(squares, elements, strict=True)]
        root_N = torch.stack(means).clamp(min=_LEAST_MEAN_SQUARE).sqrt()
        for group in self.param_groups:
            for parameter in _with_gradient(group):
                self._apply(parameter, group, root_N)
        return loss

    def _move(self, parameter: torch.Tensor, betas: tuple[float, float]) -> torch.Tensor:
        """Updates both moments of a tensor; returns the bias-corrected second moment."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        state["exp_avg"].lerp_(parameter.grad, 1 - betas[0])
        state["exp_avg_sq"].mul_(betas[1]).addcmul_(parameter.grad, parameter.grad, value=1 - betas[1])
        return state["exp_avg_sq"] / (1 - betas[1] ** float(state["step"]))

    def _apply(self, parameter: torch.Tensor, group: dict[str, Any], root_N: torch.Tensor) -> None:
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        step = float(state["step"])
        spread = (state["exp_avg_sq"] / (1 - beta2**step)).sqrt_().add_(group["eps"])
        kept_N = 1 - group["lr"] * group["weight_decay"] / root_N
        parameter.mul_(self.belonging.factor(parameter, kept_N))
        parameter.addcdiv_(state["exp_avg"], spread, value=-group["lr"] / (1 - beta1**step))


def _with_gradient(group: dict[str, Any]) -> list[torch.Tensor]:
    return [parameter for parameter in group["params"] if parameter.grad is not None]
