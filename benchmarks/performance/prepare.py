"""`prepare` (decode, resample, store) compared with `librosa.load`, one file after the other."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from rounds import Row, alternate, compared

from audiosurvey.config.loader import load_config
from audiosurvey.data.sounds import prepare_sounds

CLIPS, RATE, SECONDS, WANTED = 100, 44_100, 5, 32_000


def parts(files: list[Path]) -> list[Row]:
    """How much of `librosa.load` is decoding and how much resampling, in processor time of one thread."""
    import librosa
    import soxr

    files = files[:24]
    waves = [soundfile.read(file, dtype="float32")[0] for file in files]

    def resampling(quality: str) -> Callable[[], object]:
        return lambda: [soxr.resample(wave_S, RATE, WANTED, quality) for wave_S in waves]

    ways: dict[str, Callable[[], object]] = {
        "librosa.load": lambda: [librosa.load(file, sr=WANTED) for file in files],
        "libsndfile alone": lambda: [soundfile.read(file, dtype="float32") for file in files],
    }
    ways |= {f"soxr alone, quality {quality}": resampling(quality) for quality in ("VHQ", "HQ", "MQ", "LQ", "QQ")}
    return compared("`librosa.load`, one clip", alternate(ways, 3, time.process_time), items=len(files))


def measure() -> list[Row]:
    import librosa

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        for number in range(CLIPS):
            path = folder / "sounds" / f"class {number % 2}" / f"{number}.ogg"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.standard_normal(SECONDS * RATE), RATE)
        files = sorted((folder / "sounds").rglob("*.ogg"))
        overrides = [f"dataset={{name: folder, root: '{(folder / 'sounds').as_posix()}', num_folds: 2}}"]
        config = load_config("small", [*overrides, f"sample_rate={WANTED}"]).config
        before = os.environ.get("AUDIOSURVEY_CACHE")
        os.environ["AUDIOSURVEY_CACHE"] = str(folder / "cache")

        def ours() -> None:
            shutil.rmtree(folder / "cache", ignore_errors=True)
            prepare_sounds(config.dataset, config.sample_rate)

        def again() -> None:
            prepare_sounds(config.dataset, config.sample_rate)

        def theirs() -> None:
            for file in files:
                librosa.load(file, sr=WANTED)

        try:
            taken = alternate({"ours": ours, "librosa.load": theirs}, rounds=3)
            rows = compared("prepare, one clip of 5 s in Ogg Vorbis, 44.1 to 32 kHz", taken, items=CLIPS)
            ours()
            taken = alternate({"ours": again, "librosa.load": theirs}, rounds=3)
            return [*rows, *compared("prepare, already prepared, one clip", taken, items=CLIPS), *parts(files)]
        finally:
            if before is None:
                del os.environ["AUDIOSURVEY_CACHE"]
            else:
                os.environ["AUDIOSURVEY_CACHE"] = before
