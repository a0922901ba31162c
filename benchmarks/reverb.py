"""Reverb by FFT compared with direct convolution: 64 clips of 5 s at 30 kHz, each in its own room.

    python benchmarks/reverb.py

Direct convolution uses torch (`conv1d`) and numpy (`convolve`, whose inner loop is a fast dot product).
Takes about a minute.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from audiosurvey.augment.wave.reverb import CLIPS_AT_ONCE, LEAD_SAMPLES, reverberate
from audiosurvey.randomness import stream

Convolve = Callable[[Tensor, Tensor], Tensor]


def by_torch(wave_S: Tensor, room_R: Tensor) -> Tensor:
    reach = len(room_R) - 1
    return conv1d(pad(wave_S, (reach, reach))[None, None], room_R.flip(0)[None, None])[0, 0]


def by_numpy(wave_S: Tensor, room_R: Tensor) -> Tensor:
    return torch.from_numpy(np.convolve(wave_S.numpy(), room_R.numpy()))


def direct(convolve: Convolve, wave_BS: Tensor, rooms_BR: Tensor) -> Tensor:
    """Convolution by its definition, then the same alignment and level as in the package."""
    samples = wave_BS.shape[1]
    wet_BS = torch.stack([convolve(wave, room) for wave, room in zip(wave_BS, rooms_BR, strict=True)])
    wet_BS = wet_BS[:, LEAD_SAMPLES : LEAD_SAMPLES + samples]
    return wet_BS * (wave_BS.square().mean(1, keepdim=True) / wet_BS.square().mean(1, keepdim=True)).sqrt()


def by_fft(wave_BS: Tensor, rooms_BR: Tensor) -> Tensor:
    groups = zip(wave_BS.split(CLIPS_AT_ONCE), rooms_BR.split(CLIPS_AT_ONCE), strict=True)
    return torch.cat([reverberate(waves, rooms) for waves, rooms in groups])


def timed(call: Callable[[], Tensor]) -> tuple[Tensor, float]:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--room-seconds", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rate, seconds = 30_000, 5
    rng = stream("benchmark", "reverb")
    wave_BS = torch.from_numpy(0.1 * rng.standard_normal((args.clips, rate * seconds), dtype=np.float32))
    time_s = np.arange(round(args.room_seconds * rate)) / rate
    tails = rng.standard_normal((args.clips, len(time_s))) * 10 ** (-3 * time_s / args.room_seconds)
    rooms = np.pad(tails, ((0, 0), (LEAD_SAMPLES, 0)))
    rooms_BR = torch.from_numpy((rooms / np.linalg.norm(rooms, axis=1, keepdims=True)).astype(np.float32))

    print(f"{args.clips} clips of {seconds} s at {rate} Hz, rooms of {args.room_seconds} s, ", end="")
    print(f"{args.threads} thread(s)")
    by_fft(wave_BS, rooms_BR)
    reverberated, fft_s = timed(lambda: by_fft(wave_BS, rooms_BR))
    print(f"FFT           {fft_s:8.3f} s  {1e3 * fft_s / args.clips:8.2f} ms per clip")
    ways: dict[str, Convolve] = {"direct, torch": by_torch, "direct, numpy": by_numpy}
    for name, convolve in ways.items():
        expected, direct_s = timed(lambda convolve=convolve: direct(convolve, wave_BS, rooms_BR))
        difference = (reverberated - expected).abs().max().item()
        print(f"{name} {direct_s:8.3f} s  {1e3 * direct_s / args.clips:8.2f} ms per clip", end="")
        print(f"  ratio {direct_s / fft_s:.0f}, maximum difference {difference:.1e} (waves of RMS 0.1)")


if __name__ == "__main__":
    main()
