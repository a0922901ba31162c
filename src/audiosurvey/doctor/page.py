"""The page of the doctor: one HTML file with the findings, plots, and the sounds in question to be played.

Enters: a `Diagnosis`. Leaves: a page that needs nothing else, no network and no file beside it. Sounds are cut to five
seconds and limited in number, so that the page stays at a few megabytes.
"""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile

from audiosurvey.atomic import write_text
from audiosurvey.data.audio.decoding import BadAudio, read, resample, to_mono
from audiosurvey.data.table import Clip
from audiosurvey.doctor.examination import Diagnosis
from audiosurvey.doctor.figures import overview, spectra
from audiosurvey.doctor.finding import CHECKS, Finding
from audiosurvey.doctor.terminal import about, by_check, in_words, summary
from audiosurvey.version import __version__

MOST_SOUNDS = 48
SOUNDS_A_CHECK = 8
SOUND_S = 5.0
SHOWN_A_CHECK = 15
_SPECTRA = 4
_PLAY_RATE = 16_000
_COLUMNS, _HALF = 160, 18


@dataclass(frozen=True)
class Sound:
    """A clip to be played: its name, the data URI, and the outline of its wave as the path of an SVG."""

    name: str
    uri: str
    outline: str
    words: str


def write_page(path: Path, diagnosis: Diagnosis) -> None:
    """Writes the page, whole or not at all."""
    write_text(path, page(diagnosis))


def page(diagnosis: Diagnosis) -> str:
    """The page as HTML."""
    clips = {clip.id: clip for clip in diagnosis.table.clips}
    left = MOST_SOUNDS
    groups: list[dict[str, Any]] = []
    for severity, check, findings in by_check(diagnosis):
        shown: list[dict[str, Any]] = []
        spare = min(left, SOUNDS_A_CHECK)
        for finding in findings[:SHOWN_A_CHECK]:
            sounds = _sounds(finding, clips, diagnosis, spare)
            spare, left = spare - len(sounds), left - len(sounds)
            shown.append({"words": in_words(finding), "sounds": sounds, "spectra": None})
            if check == "band-limit" and finding.plot and len(shown) <= _SPECTRA:
                shown[-1]["spectra"] = _uri("image/png", spectra(diagnosis, finding.plot))
        groups.append(
            {
                "severity": severity,
                "check": check,
                "title": CHECKS[check].title,
                "mend": CHECKS[check].mend,
                "count": len(findings),
                "shown": shown,
                "more": len(findings) - len(shown),
            }
        )
    first, *notes = about(diagnosis)
    template = _environment().get_template("doctor.html")
    return template.render(
        about=first,
        notes=[note.removeprefix("note: ") for note in notes],
        summary=summary(diagnosis),
        counts=diagnosis.counts,
        groups=groups,
        plots=[(title, _uri("image/png", png)) for title, png in overview(diagnosis)],
        version=__version__,
        columns=_COLUMNS,
        height=2 * _HALF,
    )


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("audiosurvey.doctor"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _sounds(finding: Finding, clips: Mapping[str, Clip], diagnosis: Diagnosis, spare: int) -> list[Sound]:
    """The first clips of a finding that can be played; of a group of copies the first two, of a class three."""
    most = min(spare, 3 if finding.plot else 2)
    playable = [clips[name] for name in finding.clips if name in clips and name in diagnosis.facts][:most]
    return [sound for clip in playable if (sound := _sound(clip, diagnosis))]


def _sound(clip: Clip, diagnosis: Diagnosis) -> Sound | None:
    begin = clip.start_s or 0.0
    end = begin + SOUND_S if clip.end_s is None else min(clip.end_s, begin + SOUND_S)
    try:
        x_SC, rate = read(clip.path, start_s=begin, end_s=end)
        # Channels that cancel would play as silence.
        wave_S = to_mono(x_SC, "left" if diagnosis.facts[clip.id].cancels else "mean")
        if rate > _PLAY_RATE:
            wave_S, rate = resample(wave_S, rate, _PLAY_RATE), _PLAY_RATE
    except BadAudio:
        return None
    classes = " | ".join(diagnosis.table.classes[label] for label in clip.labels)
    fold = f"fold {clip.fold}" if clip.fold is not None else clip.side or ""
    return Sound(
        clip.id, _audio_uri(wave_S, rate), _outline(wave_S), ", ".join(part for part in (classes, fold) if part)
    )


def _audio_uri(wave_S: np.ndarray, rate: int) -> str:
    """MP3, a tenth of the size, where libsndfile writes it; else WAV."""
    file = io.BytesIO()
    wave_S = wave_S.clip(-1, 1)
    if "MP3" in soundfile.available_formats() and rate in (8000, 11025, 12000, 16000):
        soundfile.write(file, wave_S, rate, format="MP3")
        return _uri("audio/mpeg", file.getvalue())
    soundfile.write(file, wave_S, rate, format="WAV", subtype="PCM_16")
    return _uri("audio/wav", file.getvalue())


def _outline(wave_S: np.ndarray) -> str:
    """Highest and lowest sample of each column as a closed path, full scale from edge to edge."""
    columns = np.array_split(wave_S.clip(-1, 1), min(_COLUMNS, len(wave_S)))
    step = _COLUMNS / len(columns)
    upper = [f"{step * i:.0f} {_HALF - _HALF * float(part.max()):.1f}" for i, part in enumerate(columns)]
    lower = [f"{step * i:.0f} {_HALF - _HALF * float(part.min()) + 0.6:.1f}" for i, part in enumerate(columns)]
    return "M" + "L".join([*upper, *reversed(lower)]) + "Z"


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
