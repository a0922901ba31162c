"""The mel front end of exported models: the spectrograms of `MelFrontEnd`, from matrix products only.

Not every runtime has a Fourier transform, and in those that do, matrix products are faster.

The transform of N = A * B samples has two steps (Cooley and Tukey 1965). With n = B a + b and k = i + A j,

    X[i + A j] = sum_b  W_N^(b (i + A j))  sum_a  W_A^(a i) x[B a + b],      W_N = exp(-2 pi i / N):

an A-point transform of the frame as A rows of B samples, then for each i a matrix from b to j that contains the twiddle
factors. A frame is real, so that X[N - k] has the power of X[k], and i up to A/2 covers every bin.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from audiosurvey.features.mel import MelFrontEnd


class MelProducts(nn.Module):
    """Equal to `MelFrontEnd` up to rounding, with operations that every runtime has."""

    first: torch.Tensor
    second: torch.Tensor
    window: torch.Tensor
    bank: torch.Tensor

    def __init__(self, front_end: MelFrontEnd) -> None:
        """Takes over `front_end` and removes its window and filter bank."""
        super().__init__()
        self.n_fft, self.hop = front_end.n_fft, front_end.hop
        self.rows, self.columns = factors(self.n_fft)
        self.kept = self.rows // 2 + 1
        """Outputs of the first step that are needed."""
        self.register_buffer("window", front_end.window.reshape(self.rows, self.columns), persistent=False)
        self.register_buffer("first", _first(self.rows), persistent=False)
        self.register_buffer("second", _second(self.rows, self.columns), persistent=False)
        self.register_buffer("bank", _bank(front_end.bank, self.rows, self.columns), persistent=False)
        front_end.register_buffer("window", None)
        front_end.register_buffer("bank", None)
        self.front_end = front_end

    def forward(self, wave_BS: torch.Tensor) -> torch.Tensor:
        """Waves (B, S) to spectrograms (B, 1, T, F)."""
        frames_BTN = self._frames(self.front_end.framed(wave_BS))
        clips, frames = frames_BTN.shape[0], frames_BTN.shape[1]
        grid = frames_BTN.reshape(clips * frames, self.rows, self.columns) * self.window
        # (frames, half * 2, columns) -> for each i all frames: (half, frames, 2 * columns).
        partial = (self.first @ grid).reshape(clips * frames, self.kept, 2 * self.columns).transpose(0, 1)
        spectrum = partial @ self.second
        power = spectrum[..., : self.columns].square() + spectrum[..., self.columns :].square()
        power_BTN = power.transpose(0, 1).reshape(clips, frames, self.kept * self.columns)
        if self.front_end.config.power != 2:
            power_BTN = (power_BTN + 1e-30) ** (self.front_end.config.power / 2)
        return self.front_end.compress(power_BTN @ self.bank).unsqueeze(1)

    def _frames(self, wave_BS: torch.Tensor) -> torch.Tensor:
        """Frames (B, T, N). The wave is reshaped to rows of one hop; a frame consists of a few adjacent rows."""
        frames = (wave_BS.shape[1] - self.n_fft) // self.hop + 1
        rows = -(-self.n_fft // self.hop)
        needed = frames + rows - 1
        wave_BS = F.pad(wave_BS, (0, rows * self.hop))[:, : needed * self.hop]
        hops = wave_BS.reshape(wave_BS.shape[0], needed, self.hop)
        frames_BTN = torch.cat([hops[:, row : row + frames] for row in range(rows)], dim=2)
        return frames_BTN[:, :, : self.n_fft]


def factors(n_fft: int) -> tuple[int, int]:
    """A and B with A * B = n_fft and the fewest multiplications; B is 1 for a prime."""

    def products(rows: int) -> int:
        columns, half = n_fft // rows, rows // 2 + 1
        return 2 * half * n_fft + 4 * half * columns**2

    rows = min((rows for rows in range(1, n_fft + 1) if n_fft % rows == 0), key=products)
    return rows, n_fft // rows


def _first(rows: int) -> torch.Tensor:
    """(half * 2, A): a cosine row and a sine row for each i, for the real and imaginary parts."""
    i, a = torch.arange(rows // 2 + 1)[:, None], torch.arange(rows)
    angle = -2 * math.pi * (i * a % rows).double() / rows
    return torch.stack([angle.cos(), angle.sin()], dim=1).reshape(-1, rows).float()


def _second(rows: int, columns: int) -> torch.Tensor:
    """(half, 2 B, 2 B): for each i a complex matrix in real form (real parts, then imaginary parts)."""
    n_fft = rows * columns
    i, b, j = torch.arange(rows // 2 + 1)[:, None, None], torch.arange(columns)[:, None], torch.arange(columns)
    angle = -2 * math.pi * (b * (i + rows * j) % n_fft).double() / n_fft
    real, imaginary = angle.cos(), angle.sin()
    return torch.cat([torch.cat([real, imaginary], 2), torch.cat([-imaginary, real], 2)], dim=1).float()


def _bank(bank: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """The filters (bins, F) in the order of the bins after both steps; mirrored bins get zeros."""
    n_fft = rows * columns
    ordered = torch.zeros((rows // 2 + 1) * columns, bank.shape[1], dtype=bank.dtype)
    placed: set[int] = set()
    for place in range(len(ordered)):
        k = place // columns + rows * (place % columns)
        k = min(k, n_fft - k)
        if k not in placed:
            placed.add(k)
            ordered[place] = bank[k]
    return ordered
