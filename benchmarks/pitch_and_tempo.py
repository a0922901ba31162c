"""Pitch and tempo on mel bands compared with `speed` on the wave: 64 clips of 5 s, each with its own factor.

    python benchmarks/pitch_and_tempo.py

The time of the mel spectrogram, which every step computes anyway, is printed for comparison. Takes seconds.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from audiosurvey.augment.band.pitch import Pitch, PitchConfig
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.mel.tempo import Tempo, TempoConfig
from audiosurvey.augment.wave.speed import Speed, SpeedConfig
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.randomness import stream


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--rate", type=int, default=32_000)
    parser.add_argument("--hop", type=float, default=0.02, help="hop length in seconds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    samples = 5 * args.rate
    wave_BS = torch.from_numpy(
        0.1 * stream("benchmark", "pitch").standard_normal((args.clips, samples), dtype=np.float32)
    )
    mel = MelConfig(hop_length=args.hop, n_mels=64, f_min=40, f_max=args.rate * 0.47, compression="db", floor_db=-70)
    front_end = MelFrontEnd(mel, args.rate)
    frames = front_end.num_frames(samples)
    speed, pitch, tempo = Speed(SpeedConfig(p=1)), Pitch(PitchConfig(p=1)), Tempo(TempoConfig(p=1))
    draws = [stream("benchmark", clip) for clip in range(args.clips)]
    speeds = [speed.draw_fired(rng, Extent.whole(samples)) for rng in draws]
    pitches = [pitch.draw_fired(rng) for rng in draws]
    tempi = [tempo.draw_fired(rng, Extent.whole(frames), mel.n_mels) for rng in draws]
    power_BTF = front_end.mel(wave_BS)

    ways: dict[str, Callable[[], object]] = {
        "speed": lambda: speed.apply(wave_BS, speeds, [samples] * args.clips),
        "mel": lambda: front_end(wave_BS),
        "pitch": lambda: pitch.change(power_BTF, pitches, front_end),
        "tempo": lambda: tempo.apply(power_BTF[:, None], tempi),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(args.rounds + 1):
        for name, call in ways.items():
            taken = timed(call)
            if turn:  # the first round fills caches
                seconds[name].append(taken)
    for name, taken in seconds.items():
        print(f"{name}: {1000 * statistics.median(taken) / args.clips:.2f} ms per clip")
    more = [s / (p + t) for s, p, t in zip(seconds["speed"], seconds["pitch"], seconds["tempo"], strict=True)]
    span = f"{min(more):.0f} to {max(more):.0f}"
    print(f"speed compared with pitch and tempo: {statistics.median(more):.0f} times as long ({span})")


if __name__ == "__main__":
    main()
