"""The mel front end of exported models: the same spectrograms as `MelFrontEnd`, out of matrix products alone.

Waveforms (B, S) in, mel spectrograms (B, 1, T, F) out, for any B and S. Not every runtime has a Fourier transform, and
where one has, its products are faster still.

The transform of N = A * B samples is done in two steps (Cooley and Tukey 1965). With n = B a + b and k = i + A j,

    X[i + A j] = sum_b  W_N^(b (i + A j))  sum_a  W_A^(a i) x[B a + b],      W_N = exp(-2 pi i / N):

an A-point transform of the frame written as A rows of B samples, then for each i one matrix from b to j that holds the
twiddle factors. A frame is real, so X[N - k] has the power of X[k], and i up to A/2 reaches every bin.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from audiosurvey.features.mel import MelFrontEnd


class MelProducts(nn.Module):
    """What `MelFrontEnd` gives, to rounding, in operations that every runtime has."""

    first: torch.Tensor
    second: torch.Tensor
    window: torch.Tensor
    bank: torch.Tensor

    def __init__(self, front_end: MelFrontEnd) -> None:
        """`front_end` is taken over: its own bank leaves it."""
        super().__init__()
        self.n_fft, self.hop = front_end.n_fft, front_end.hop
        self.rows, self.columns = factors(self.n_fft)
        self.kept = self.rows // 2 + 1
        """How many of the first transform's outputs are needed."""
        self.register_buffer("window", front_end.window.reshape(self.rows, self.columns), persistent=False)
        self.register_buffer("first", _first(self.rows), persistent=False)
        self.register_buffer("second", _second(self.rows, self.columns), persistent=False)
        self.register_buffer("bank", _bank(front_end.bank, self.rows, self.columns), persistent=False)
        front_end.register_buffer("window", None)
        front_end.register_buffer("bank", None)
        self.front_end = front_end

    def forward(self, wave_BS: torch.Tensor) -> torch.Tensor:
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
        """Frames (B, T, N). The wave is written in rows of one hop; a frame is a few rows on end."""
        frames = (wave_BS.shape[1] - self.n_fft) // self.hop + 1
        rows = -(-self.n_fft // self.hop)
        needed = frames + rows - 1
        wave_BS = F.pad(wave_BS, (0, rows * self.hop))[:, : needed * self.hop]
        hops = wave_BS.reshape(wave_BS.shape[0], needed, self.hop)
        frames_BTN = torch.cat([hops[:, row : row + frames] for row in range(rows)], dim=2)
        return frames_BTN[:, :, : self.n_fft]


def factors(n_fft: int) -> tuple[int, int]:
    """A and B with A * B = n_fft and the fewest products in both steps; B is 1 for a prime."""

    def products(rows: int) -> int:
        columns, half = n_fft // rows, rows // 2 + 1
        return 2 * half * n_fft + 4 * half * columns**2

    rows = min((rows for rows in range(1, n_fft + 1) if n_fft % rows == 0), key=products)
    return rows, n_fft // rows


def _first(rows: int) -> torch.Tensor:
    """(half * 2, A): for each i its cosine row and its sine row, which give real and imaginary parts."""
    i, a = torch.arange(rows // 2 + 1)[:, None], torch.arange(rows)
    angle = -2 * math.pi * (i * a % rows).double() / rows
    return torch.stack([angle.cos(), angle.sin()], dim=1).reshape(-1, rows).float()


def _second(rows: int, columns: int) -> torch.Tensor:
    """(half, 2 B, 2 B): for each i the product of complex numbers (real parts, then imaginary) with its matrix."""
    n_fft = rows * columns
    i, b, j = torch.arange(rows // 2 + 1)[:, None, None], torch.arange(columns)[:, None], torch.arange(columns)
    angle = -2 * math.pi * (b * (i + rows * j) % n_fft).double() / n_fft
    real, imaginary = angle.cos(), angle.sin()
    return torch.cat([torch.cat([real, imaginary], 2), torch.cat([-imaginary, real], 2)], dim=1).float()


def _bank(bank: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """The filters (bins, F) in the order in which the two steps give the bins; a bin's mirror image gets none."""
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
