"""A model file of another runtime as a module: waves (B, 1, S, 1) to features (B, N). It is never trained."""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import nn

from audiosurvey.errors import UserError
from audiosurvey.model.encoders.file_frames import embed_waves
from audiosurvey.model.encoders.file_settings import FileGraph
from audiosurvey.model.encoders.model_file import Run, open_model_file, require_runtime

CONTENT = "content"
"""The name of the file's content among the tensors of the block."""


class FileEncoder(nn.Module):
    """The runtime of a file, on the CPU, with as many threads as torch has.

    The content of the file is a tensor of the state: what saves, loads and compares the weights of a network includes
    it. It is neither a parameter nor a buffer, so that it stays on the CPU.
    """

    def __init__(self, graph: FileGraph, name: str, pool: Literal["mean", "max"]) -> None:
        """`name`: of the file, for messages."""
        super().__init__()
        self.graph, self.name = graph, name
        self.pool: Literal["mean", "max"] = pool
        self.content = torch.zeros(graph.size, dtype=torch.uint8)
        self._run: Run | None = None
        self._threads = 0

    @property
    def uncounted(self) -> str:
        """For `describe`."""
        return (
            f"{self.name}: {self.graph.parameters:,} constant numbers in the file, which are not trained, and the "
            "multiply-accumulates of its runtime are not counted"
        )

    def require_runtime(self) -> None:
        """Raises UserError, naming the extra, if the packages that run the file are not installed."""
        try:
            require_runtime(self.content[:8].numpy().tobytes())
        except UserError as error:
            raise error.at(f"encoder {self.name}") from None

    @torch.no_grad()
    def forward(self, wave_B1S1: torch.Tensor) -> torch.Tensor:
        wave_BS = wave_B1S1[:, 0, :, 0]
        if wave_BS.is_meta:
            return wave_BS.new_empty(len(wave_BS), self.graph.width)
        if wave_B1S1.requires_grad:
            raise UserError(
                f"encoder: {self.name} is run by its own runtime, through which no gradient passes; what the model "
                "attends to cannot be shown"
            )
        heard_BS = wave_BS.float().cpu().numpy()
        graph = self.graph
        try:
            found_BN = embed_waves(
                self._runner(), heard_BS, self.pool, window=graph.samples, axes=graph.axes, batches=graph.batches
            )
        except UserError as error:
            raise error.at(f"encoder: {self.name}") from None
        # The exceptions of the runtimes have no common base.
        except Exception as error:
            reason = " ".join(str(error).split())[:160]
            raise UserError(f"encoder: {self.name} refuses waves of {heard_BS.shape[1]} samples ({reason})") from error
        if found_BN.shape[1] != graph.width:
            raise UserError(
                f"encoder: {self.name} gives {found_BN.shape[1]} features for waves of {heard_BS.shape[1]} samples, "
                f"and {graph.width} for others; set window_seconds in the config"
            )
        return torch.from_numpy(found_BN).to(wave_B1S1.device)

    def _runner(self) -> Run:
        threads = torch.get_num_threads()
        if self._run is None or self._threads != threads:
            content = self.content.numpy().tobytes()
            if hashlib.sha256(content).hexdigest() != self.graph.sha256:
                raise UserError("is not the file that the config was made with")
            self._run, self._threads = open_model_file(content).runner(self.graph.output, threads), threads
        return self._run

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + CONTENT] = self.content

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        content = state_dict.get(prefix + CONTENT)
        if content is None:
            missing_keys.append(prefix + CONTENT)
        elif content.shape != self.content.shape or content.dtype != torch.uint8:
            error_msgs.append(f"{prefix}{CONTENT}: not the content of a file of {self.graph.size} bytes")
        else:
            self.content, self._run = content.cpu(), None

    def __getstate__(self) -> dict[str, Any]:
        """Runtimes cannot be copied; each process opens its own."""
        return {**self.__dict__, "_run": None}
