"""The audit as one HTML file with findings, figures and players; it needs no network and no other files.

Sounds are limited in length and number, so that the page stays at a few megabytes.
"""

from pathlib import Path
from typing import Any

from audiosurvey.atomic import write_text
from audiosurvey.data.audio.decoding import BadAudio, read, resample, to_mono
from audiosurvey.data.table import Clip
from audiosurvey.diagnosis.audit import Diagnosis
from audiosurvey.diagnosis.figures import overview, spectra
from audiosurvey.diagnosis.finding import Finding
from audiosurvey.diagnosis.terminal import COUNTED, by_check, describe_data, finding_text, summary
from audiosurvey.pages.rendering import Player, data_uri, environment, make_player
from audiosurvey.version import __version__

MOST_SOUNDS = 48
SOUNDS_A_CHECK = 8
SOUND_S = 5.0
SHOWN_A_CHECK = 15
_SPECTRA = 4
_PLAY_RATE = 16_000


def write_page(path: Path, diagnosis: Diagnosis) -> None:
    """Write the page, completely or not at all."""
    write_text(path, audit_page(diagnosis))


def audit_page(diagnosis: Diagnosis) -> str:
    """The page as HTML."""
    clips = {clip.id: clip for clip in (*diagnosis.table.clips, *diagnosis.others)}
    left = MOST_SOUNDS
    groups: list[dict[str, Any]] = []
    for severity, check, findings in by_check(diagnosis):
        shown: list[dict[str, Any]] = []
        spare = min(left, SOUNDS_A_CHECK)
        for finding in findings[:SHOWN_A_CHECK]:
            players = _players(finding, clips, diagnosis, spare)
            spare, left = spare - len(players), left - len(players)
            shown.append({"text": finding_text(finding), "players": players, "spectra": None})
            if check == "band-limit" and finding.class_name and len(shown) <= _SPECTRA:
                shown[-1]["spectra"] = data_uri("image/png", spectra(diagnosis, finding.class_name))
        groups.append(
            {
                "severity": severity,
                "check": check,
                "title": findings[0].title,
                "remedy": findings[0].remedy,
                "count": len(findings),
                "shown": shown,
                "more": len(findings) - len(shown),
            }
        )
    about, *notes = describe_data(diagnosis)
    return (
        environment("audiosurvey.diagnosis")
        .get_template("doctor.html")
        .render(
            about=about,
            notes=[note.removeprefix("note: ") for note in notes],
            summary=summary(diagnosis),
            counts=diagnosis.counts,
            counted=COUNTED,
            groups=groups,
            plots=[(title, data_uri("image/png", png)) for title, png in overview(diagnosis)],
            version=__version__,
        )
    )


def _players(finding: Finding, clips: dict[str, Clip], diagnosis: Diagnosis, spare: int) -> list[Player]:
    """Players of the first readable clips: three of a class, two of a group of copies."""
    most = min(spare, 3 if finding.class_name else 2)
    playable = [clips[name] for name in finding.clips if name in clips and name in diagnosis.profiles][:most]
    return [player for clip in playable if (player := _player(clip, diagnosis))]


def _player(clip: Clip, diagnosis: Diagnosis) -> Player | None:
    begin = clip.start_s or 0.0
    end = begin + SOUND_S if clip.end_s is None else min(clip.end_s, begin + SOUND_S)
    try:
        x_SC, rate = read(clip.path, start_s=begin, end_s=end)
        # Channels that cancel would play as silence.
        wave_S = to_mono(x_SC, "left" if diagnosis.profiles[clip.id].cancels else "mean")
        if rate > _PLAY_RATE:
            wave_S, rate = resample(wave_S, rate, _PLAY_RATE), _PLAY_RATE
    except BadAudio:
        return None
    classes = " | ".join(diagnosis.table.classes[label] for label in clip.labels)
    classes = "no class" if clip.other else classes
    fold = f"fold {clip.fold}" if clip.fold is not None else clip.side or ""
    return make_player(wave_S, rate, clip.id, ", ".join(part for part in (classes, fold) if part))
