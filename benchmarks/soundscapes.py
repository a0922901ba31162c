"""Soundscapes with known events, made of the test clips of a fold: recordings for `audiosurvey evaluate --events`.

    python benchmarks/soundscapes.py OUT [ROOT] [--fold 1] [--count 20] [--minutes 2] [--events 6] [--seed 0]

ROOT is a folder with the layout of ESC-50 (default: ../shared/data/esc10). Each soundscape is pink noise with clips of
the fold at random places that do not overlap. The root mean square of a clip, without its silent parts, is between 6 dB
below and 6 dB above that of the noise. Silence at the ends of a clip is cut off, so that the times in `events.csv` are
those of its sound. With `--events 0` there is nothing but noise.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import soundfile

from audiosurvey.data.audio.decoding import decode

RATE = 44_100
NOISE_RMS = 0.03
SPREAD_DB = 6.0
SILENT = 10 ** (-40 / 20)
"""Of the peak: what is below it at the ends of a clip, or in frames within it, is silence."""
FRAME = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("root", type=Path, nargs="?", default=Path("../shared/data/esc10"))
    parser.add_argument("--fold", type=int, default=1)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--events", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.root / "meta" / "esc50.csv").open(newline="", encoding="utf-8") as file:
        clips = [row for row in csv.DictReader(file) if int(row["fold"]) == given.fold]
    rows = [("path", "start_s", "end_s", "label", "clip")]
    for number in range(given.count):
        rng = np.random.default_rng([given.seed, number])
        wave_S = NOISE_RMS * pink(rng, round(given.minutes * 60 * RATE))
        chosen = rng.choice(len(clips), given.events, replace=False)
        sounds = [trimmed(decode(given.root / "audio" / clips[one]["filename"], sample_rate=RATE)) for one in chosen]
        starts = places(rng, [len(sound_S) for sound_S in sounds], len(wave_S))
        name = f"scape-{number:02d}.wav"
        rows += [(name, "", "", "", "")] if not sounds else []
        for one, start, sound_S in sorted(zip(chosen, starts, sounds, strict=True), key=lambda found: found[1]):
            gain = NOISE_RMS / sounding_rms(sound_S) * 10 ** (rng.uniform(-SPREAD_DB, SPREAD_DB) / 20)
            wave_S[start : start + len(sound_S)] += gain * sound_S
            end = start + len(sound_S)
            rows.append(
                (name, f"{start / RATE:.3f}", f"{end / RATE:.3f}", clips[one]["category"], clips[one]["filename"])
            )
        soundfile.write(given.out / name, wave_S / max(1.0, np.abs(wave_S).max()), RATE, subtype="PCM_16")
    with (given.out / "events.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    events = f"{given.count} soundscapes of {given.minutes:g} min with {given.events} events each"
    print(f"{given.out / 'events.csv'}: {events}")


def pink(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Noise with equal power in each octave, of unit root mean square."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    wave_S = np.fft.irfft(spectrum, samples)
    return (wave_S / wave_S.std()).astype(np.float32)


def trimmed(wave_S: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(wave_S) >= SILENT * np.abs(wave_S).max())
    return wave_S[loud[0] : loud[-1] + 1]


def sounding_rms(wave_S: np.ndarray) -> float:
    """The root mean square over the frames that are not silent."""
    frames = [wave_S[at : at + FRAME] for at in range(0, len(wave_S), FRAME)]
    powers = np.array([np.mean(np.square(frame, dtype=np.float64)) for frame in frames])
    return float(np.sqrt(powers[powers >= SILENT**2 * powers.max()].mean()))


def places(rng: np.random.Generator, lengths: list[int], samples: int) -> list[int]:
    """Where sounds begin, in random order, without overlap and at least a tenth of a second apart."""
    gap = RATE // 10
    free = samples - sum(lengths) - gap * (len(lengths) + 1)
    if free < 0:
        raise SystemExit("the events do not fit; give fewer of them, or more minutes")
    cuts = np.sort(rng.integers(0, free + 1, len(lengths)))
    starts = [0] * len(lengths)
    position = 0
    for place, index in enumerate(rng.permutation(len(lengths))):
        starts[index] = int(cuts[place]) + position + gap * (place + 1)
        position += lengths[index]
    return starts


if __name__ == "__main__":
    main()
