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
from audiosurvey.detection.soundscapes import coloured, mix, trimmed

RATE = 44_100
NOISE_RMS = 0.03


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
        background_S = NOISE_RMS * coloured(rng, round(given.minutes * 60 * RATE), 1)
        chosen = rng.choice(len(clips), given.events, replace=False)
        sounds = [trimmed(decode(given.root / "audio" / clips[one]["filename"], sample_rate=RATE)) for one in chosen]
        try:
            wave_S, placed = mix(rng, background_S, sounds, RATE, NOISE_RMS)
        except ValueError as error:
            raise SystemExit(f"{error}; give fewer of them, or more minutes") from None
        name = f"scape-{number:02d}.wav"
        rows += [(name, "", "", "", "")] if not sounds else []
        for one in placed:
            clip, end = clips[chosen[one.number]], one.start + one.samples
            times = f"{one.start / RATE:.3f}", f"{end / RATE:.3f}"
            rows.append((name, *times, clip["category"], clip["filename"]))
        soundfile.write(given.out / name, wave_S / max(1.0, np.abs(wave_S).max()), RATE, subtype="PCM_16")
    with (given.out / "events.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    events = f"{given.count} soundscapes of {given.minutes:g} min with {given.events} events each"
    print(f"{given.out / 'events.csv'}: {events}")


if __name__ == "__main__":
    main()
