"""The mel front end compared with torch.stft and a matrix product, on 64 clips of 5 s at 32 kHz.

    python benchmarks/mel.py

Prints the ratio of the times (median over alternating pairs) and the largest difference relative to the maximum of each
clip.
"""

import statistics
import time
from collections.abc import Callable

import torch

from audiosurvey.features.mel import MelConfig, MelFrontEnd

RATE, CLIPS, SECONDS = 32_000, 64, 5
CONFIG = MelConfig(win_length=0.032, hop_length=0.010, n_mels=64, f_min=50, f_max=14_000)


def by_stft(wave_BS: torch.Tensor, front_end: MelFrontEnd) -> torch.Tensor:
    spectrum = torch.stft(
        wave_BS, front_end.n_fft, front_end.hop, window=front_end.window, center=True, return_complex=True
    )
    return (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2) @ front_end.bank


def seconds(call: Callable[[], torch.Tensor]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(2)
    front_end = MelFrontEnd(CONFIG, RATE)
    wave_BS = torch.randn(CLIPS, SECONDS * RATE, generator=torch.Generator().manual_seed(0)) * 0.1
    ours, theirs = front_end.mel(wave_BS), by_stft(wave_BS, front_end)
    difference = ((ours - theirs).abs().amax(dim=(1, 2)) / theirs.amax(dim=(1, 2))).max()
    pairs = [(seconds(lambda: by_stft(wave_BS, front_end)), seconds(lambda: front_end.mel(wave_BS))) for _ in range(9)]
    ratios = [slow / fast for slow, fast in pairs]
    print(f"ours: {statistics.median(fast for _, fast in pairs) / CLIPS * 1e3:.2f} ms per clip")
    span = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"torch.stft + matmul compared with ours: {statistics.median(ratios):.2f} times as long ({span})")
    print(f"largest difference relative to the clip's maximum: {difference:.1e}")


if __name__ == "__main__":
    main()
