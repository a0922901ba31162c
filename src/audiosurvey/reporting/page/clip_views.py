"""Clips to see and hear: mistakes with what the model attended to, suspects, and what augmentation does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from audiosurvey.analysis.saliency import shown_spectrogram
from audiosurvey.analysis.suspects import Suspect
from audiosurvey.config.root import Config
from audiosurvey.data.audio.windows import Pad, window_at
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.table import Clip
from audiosurvey.demo.view import frequency_ticks, round_steps
from audiosurvey.features.front_end import mel_for_show
from audiosurvey.features.mel import MelFrontEnd
from audiosurvey.pages.rendering import shade_uri, spectrogram_uri
from audiosurvey.reporting.page.audit_table import findings_of_clip
from audiosurvey.reporting.page.material import RunMaterial
from audiosurvey.reporting.page.sound_bank import LONG_S, BankedSound, SoundBank
from audiosurvey.reporting.preview import in_words

_TOP = 5


@dataclass(frozen=True)
class Spectrogram:
    """A spectrogram with axes, and what is laid over it."""

    image: str
    alt: str
    seconds: float
    frequencies: Sequence[tuple[float, str]]
    """Position from the top (0 to 1) and text."""
    times: Sequence[tuple[float, str]]
    shade: str = ""
    """An image that dims what the model did not attend to."""


@dataclass(frozen=True)
class HeardClip:
    """A sound with a caption."""

    title: str
    caption: str
    sound: BankedSound | None
    other: bool = False
    """Whether it is another sound than that of the spectrogram beside it."""


@dataclass(frozen=True)
class MistakeView:
    """A test clip that was taken for another class."""

    clip: str
    labels: str
    chosen: str
    score: float
    fold: int
    source: str | None
    scores: Sequence[tuple[str, float, bool]]
    """The best classes, their scores, and whether they are right."""
    spectrogram: Spectrogram | None
    sounds: Sequence[HeardClip]
    findings: Sequence[str]
    """What the data audit found about this clip, not about its whole class."""


def mistake_views(material: RunMaterial, bank: SoundBank) -> list[MistakeView]:
    """The mistakes of `material`, the worst first."""
    return [_mistake(material, bank, place) for place in range(len(material.mistakes))]


def _mistake(material: RunMaterial, bank: SoundBank, place: int) -> MistakeView:
    mistake = material.mistakes[place]
    table, row = next(
        (table, table.clips.index(mistake.clip)) for table in material.tables if mistake.clip in table.clips
    )
    best = np.argsort(-table.scores_NK[row], kind="stable")[:_TOP]
    scores = [(table.classes[k], float(table.scores_NK[row, k]), bool(table.truth_NK[row, k])) for k in best]
    spectrogram, heard = _shown(material, bank, place)
    findings = (material.audit or {}).get("findings", [])
    return MistakeView(
        mistake.clip,
        " | ".join(mistake.labels) or "no class",
        mistake.chosen,
        mistake.score,
        mistake.fold,
        table.sources[row],
        scores,
        spectrogram,
        heard,
        findings_of_clip(findings, mistake.clip),
    )


def _shown(material: RunMaterial, bank: SoundBank, place: int) -> tuple[Spectrogram | None, list[HeardClip]]:
    """Spectrogram and sounds of a mistake: of the window that was explained, else of the beginning of the clip."""
    sounds, config, mistake = material.sounds, material.config, material.mistakes[place]
    if sounds is None or config is None:
        return None, []
    rate = sounds.store.sample_rate
    found = material.explanations.of.get(mistake.clip)
    if found is None:
        heard = HeardClip("the clip", "", bank.add(mistake.clip, lambda: sounds.store.read(mistake.clip), rate))
        return _beginning(config, sounds, mistake.clip), [heard] if heard.sound else []
    front_end = shown_spectrogram(config)
    frames = max(1, round(LONG_S * rate / front_end.hop))
    mel_TF, mask_TF = found.mel_TF[:frames], found.mask_TF[:frames]
    alt = f"Mel spectrogram of {mistake.clip}; dimmed: what the model did not attend to"
    count = round(LONG_S * rate)
    key = (mistake.clip, found.start) if found.start else mistake.clip
    heard = [
        HeardClip("the clip", "", bank.add(key, lambda: sounds.store.read(mistake.clip, found.start, count), rate)),
        HeardClip(
            "what the model attended to",
            "the rest muted; raised to the level of the clip",
            bank.add(("masked", mistake.clip), lambda: found.masked_S[:count], rate),
        ),
    ]
    if (near := found.neighbour) is not None:
        caption = f"{near.clip}, similarity {near.similarity:.2f}"
        sound = bank.add(near.clip, lambda: sounds.store.read(near.clip), rate)
        heard.append(HeardClip(f"nearest training clip of {mistake.chosen}", caption, sound, other=True))
    return spectrogram(mel_TF, front_end, alt, 1 - mask_TF), heard


def _beginning(config: Config, sounds: Sounds, clip: str) -> Spectrogram:
    return beginning(config, sounds.store.read(clip, 0, round(LONG_S * config.sample_rate)), sounds.config.pad, clip)


@torch.no_grad()
def beginning(config: Config, wave_S: np.ndarray, pad: Pad, name: str) -> Spectrogram:
    """The spectrogram of the beginning of a sound, without padding."""
    front_end = shown_spectrogram(config)
    wave_S = wave_S[: round(LONG_S * config.sample_rate)]
    # Front ends may need as many samples as a window has.
    window_S = window_at(wave_S, 0, max(len(wave_S), config.clip_samples), pad)
    mel_TF = front_end(torch.from_numpy(window_S)[None])[0, 0].numpy()
    frames = max(1, -(-len(wave_S) // front_end.hop))
    return spectrogram(mel_TF[:frames], front_end, f"Mel spectrogram of {name}")


def spectrogram(
    mel_TF: np.ndarray, front_end: MelFrontEnd, alt: str, dark_TF: np.ndarray | None = None, limits: Any = None
) -> Spectrogram:
    """A picture of a spectrogram. `dark_TF`: 1 where it is dimmed; `limits`: darkest and brightest value."""
    # Percentiles, so that a click or a silent frame does not determine the scale.
    low, high = limits or (float(np.percentile(mel_TF, share)) for share in (1, 99.8))
    seconds = len(mel_TF) * front_end.hop / front_end.sample_rate
    return Spectrogram(
        spectrogram_uri(mel_TF, low, max(high, low + 1e-3)),
        alt,
        seconds,
        frequency_ticks(front_end.config, front_end.sample_rate),
        [(at_s / seconds, f"{at_s:.3g}") for at_s in round_steps(seconds)],
        "" if dark_TF is None else shade_uri(dark_TF),
    )


@dataclass(frozen=True)
class SuspectView:
    """A clip whose label is probably wrong."""

    clip: str
    given: str
    likely: str
    given_score: float
    likely_score: float
    heard: HeardClip


def suspect_views(suspects: Sequence[Suspect], sounds: Sounds | None, bank: SoundBank, most: int) -> list[SuspectView]:
    """The first `most` suspects."""
    found: list[SuspectView] = []
    for one in suspects[:most]:
        sound = None
        if sounds is not None and one.clip in sounds.store:
            sound = bank.add(one.clip, lambda clip=one.clip: sounds.store.read(clip), sounds.store.sample_rate)
        heard = HeardClip(one.clip, "", sound)
        found.append(SuspectView(one.clip, one.given, one.likely, one.given_score, one.likely_score, heard))
    return found


@dataclass(frozen=True)
class AugmentedView:
    """A training clip before and after augmentation."""

    clip: str
    versions: Sequence[tuple[str, str, Spectrogram, HeardClip]]
    """Title, what was drawn, spectrogram and sound of each."""


def augmented_views(material: RunMaterial, bank: SoundBank) -> list[AugmentedView]:
    """The rendered training clips of `material`."""
    if material.config is None:
        return []
    # That of `render_clip`.
    front_end = mel_for_show(material.config.heard_mel, material.config.sample_rate)
    return [_augmented(front_end, rendered, bank) for rendered in material.augmented]


def _augmented(front_end: MelFrontEnd, rendered: Sequence[Mapping[str, Any]], bank: SoundBank) -> AugmentedView:
    first = rendered[0]
    clip: Clip = first["clip"]
    rate = first["sample_rate"]
    frames = max(1, round(LONG_S * rate / front_end.hop))

    def version(title: str, words: str, wave_S: np.ndarray, mel_TF: np.ndarray) -> Any:
        # Each has its own range: a clip that was made much softer would be black in that of the original.
        limits = tuple(float(np.percentile(mel_TF, share)) for share in (1, 99.8))
        picture = spectrogram(mel_TF[:frames], front_end, f"Mel spectrogram of {clip.id}, {title}", limits=limits)
        sound = bank.add(("augmented", clip.id, title), lambda: wave_S, rate)
        return title, words, picture, HeardClip(clip.id, title, sound)

    before = version("before", "as in the data set", first["before"], first["mel_before"])
    after = [
        version(f"epoch {one['epoch']}", in_words(one["drawn"]), one["after"], one["mel_after"]) for one in rendered
    ]
    return AugmentedView(clip.id, [before, *after])
