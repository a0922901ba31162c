"""Single operations, and the chain of six with mel, compared with audiomentations and librosa, one thread.

Not every operation has an exact counterpart: `time_shift` warps parts of a clip, the other stretches all of it.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from clips import CLIPS, RATE, Augmented, rooms, waves
from rounds import Row, alternate, compared

SIX: dict[str, Any] = {
    "reverb": {"p": 1},
    "time_shift": {"p": 1},
    "noise": {"p": 1, "min_snr_db": 1, "max_snr_db": 30},
    "dropblock": {"p": 1, "dp": 0.5, "block_size": {"t": 32, "f": 4}},
    "time_masking": {"p": 1, "tmp": 20, "num": 6},
    "freq_masking": {"p": 1, "fmp": 5, "num": 5},
}


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        return _measured(rooms(Path(folder) / "rooms"))


def _measured(folder: Path) -> list[Row]:
    import audiomentations as peers  # pyright: ignore[reportMissingImports]
    import librosa

    wave_BS = waves()
    reverb = {"p": 1, "folder": folder.as_posix()}
    stretch = peers.TimeStretch(0.8, 1.25, leave_length_unchanged=True, p=1)
    room = peers.ApplyImpulseResponse(folder.as_posix(), p=1)
    noise = peers.AddGaussianSNR(1, 30, p=1)
    rng = np.random.default_rng(0)

    def mel(wave_S: np.ndarray) -> np.ndarray:
        return librosa.power_to_db(
            librosa.feature.melspectrogram(
                y=wave_S, sr=RATE, n_fft=1024, hop_length=320, n_mels=64, fmin=50, fmax=14_000
            )
        )

    def masked(mel_FT: np.ndarray) -> np.ndarray:
        for axis, longest, num in ((1, 20, 6), (0, 5, 5)):
            for _ in range(num):
                length = rng.integers(longest + 1)
                start = rng.integers(mel_FT.shape[axis] - length + 1)
                place: list[Any] = [slice(None), slice(None)]
                place[axis] = slice(start, start + length)
                mel_FT[tuple(place)] = -80
        for _ in range(16):  # blocks
            t, f = rng.integers(mel_FT.shape[1] - 32), rng.integers(mel_FT.shape[0] - 4)
            mel_FT[f : f + 4, t : t + 32] = -80
        return mel_FT

    def chain_of_peers() -> list[np.ndarray]:
        steps: list[Any] = [room, stretch, noise]
        found = []
        for wave_S in wave_BS:
            for step in steps:
                wave_S = step(wave_S, RATE)
            found.append(masked(mel(wave_S)))
        return found

    def each(transform: Any) -> Callable[[], object]:
        return lambda: [transform(wave_S, RATE) for wave_S in wave_BS]

    singles = {
        "reverb": (reverb, room),
        "time_shift": ({"p": 1}, stretch),
        "noise": (SIX["noise"], noise),
        "low_pass": ({"p": 1}, peers.LowPassFilter(min_cutoff_freq=2500, max_cutoff_freq=8000, p=1)),
        "clipping": ({"p": 1}, peers.ClippingDistortion(p=1)),
        "gain": ({"p": 1}, peers.Gain(p=1)),
        "speed": ({"p": 1}, stretch),
    }
    rows = []
    for name, (config, peer) in singles.items():
        ours = Augmented({name: config}, wave_BS, mel=False)
        taken = alternate({"ours": ours, "audiomentations": each(peer)}, clock=time.thread_time)
        rows += compared(f"`{name}`, one clip", taken, items=CLIPS)
    chain = Augmented({**SIX, "reverb": reverb}, wave_BS)
    taken = alternate({"ours": chain, "audiomentations + librosa": chain_of_peers}, clock=time.thread_time)
    return [*rows, *compared("six operations and mel, one clip", taken, items=CLIPS)]
