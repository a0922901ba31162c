"""The demo's HTML: the result of a sound, errors, and the description of a model.

Lines and bars are SVG and CSS that stretch with the window while text keeps its size; nothing refers to anything
outside the page.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import markupsafe
import numpy as np
import torch

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.decision import Threshold, least_score
from audiosurvey.artefact.licence import NOT_STATED
from audiosurvey.demo.sound_analysis import SoundAnalysis
from audiosurvey.features.filters import hz_to_mel
from audiosurvey.features.mel import MelConfig
from audiosurvey.pages.rendering import environment, spectrogram_uri

COLOURS = ("#2563a8", "#d97706", "#15803d", "#b91c8b", "#6b7280")
"""Of the lines over time; distinguishable with colour blindness."""
_TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)


@dataclass(frozen=True)
class _Panel:
    """A plot above the time axis: an image, the outline of a waveform, or lines."""

    title: str
    unit: str
    ticks: Sequence[tuple[float, str]]
    """Position from the top (0 to 1) and text."""
    tall: bool = False
    image: str = ""
    alt: str = ""
    kind: str = ""
    box: str = ""
    """View box of the SVG."""
    outline: str = ""
    lines: Sequence[tuple[str, str]] = ()
    """Points and colour."""
    threshold: float | None = None


def sound_html(sound: SoundAnalysis, *, top: int, threshold: Threshold | None, window_s: float) -> str:
    """The prediction, the best classes as bars, and plots above a common time axis."""
    note = "probability of each class"
    note += f", mean over windows of {window_s:g} s" if sound.over_time else ""
    note += "" if threshold is None else "; the line on a bar: lower scores are unknown"
    panels = [_waveform(sound), _spectrogram(sound), *([_over_time(sound, threshold)] if sound.over_time else [])]
    long = sound.seconds >= 120
    return _render(
        "sound.html",
        answer=_plain(sound.answer),
        name=sound.name,
        duration=f"{_minutes(sound.seconds)} min" if long else f"{sound.seconds:.3g} s",
        seconds=sound.seconds,
        notes=sound.notes,
        bars=_bars(sound, top, threshold),
        bars_note=note,
        panels=panels,
        times=[(s / sound.seconds, _minutes(s) if long else f"{s:.4g}") for s in round_steps(sound.seconds)],
        time_unit="min:s" if long else "s",
        legend=[(_plain(sound.labels[k]), colour) for k, colour in _highest(sound)] if sound.over_time else [],
    )


def error_html(message: str) -> str:
    """What is wrong with a sound, in place of the result."""
    return f'<section class="heard"><p class="mistake" role="alert">{text(message)}</p></section>'


def refused_html(max_mb: float) -> str:
    """The place where the page's own script reports files that it does not send."""
    return f'<p class="refused mistake" role="alert" data-mb="{max_mb:g}" hidden></p>'


def waiting_html() -> str:
    """Before there is a sound."""
    return '<section class="heard"><p class="waiting">The classes of your sound appear here.</p></section>'


def model_html(name: str, model: Classifier) -> str:
    """The classes of a model, its training data and licences."""
    about: dict[str, Any] = model.facts.get("about") or {}
    licence: dict[str, Any] = model.facts.get("licence") or {"parts": {"the data": about.get("licence")}}
    rows = [
        ("model", name),
        ("classes", f"{len(model.labels)}: {', '.join(map(_plain, model.labels))}"),
        ("input", f"mono, {model.sample_rate} Hz, windows of {model.clip_samples / model.sample_rate:g} s"),
        *([("trained on", about.get("title") or about["dataset"])] if about.get("dataset") else []),
        *([("licence", licence["weights"])] if "weights" in licence else []),
        *((f"licence of {part}", stated or NOT_STATED) for part, stated in licence["parts"].items()),
        *(("note", caveat) for caveat in about.get("caveats", [])),
    ]
    return _render("model.html", rows=rows)


def text(value: Any) -> str:
    """Escaped text for HTML. Braces and dollar signs too, since gr.HTML evaluates templates in its value."""
    escaped = html.escape(str(value))
    for sign in "{}$`@":
        escaped = escaped.replace(sign, f"&#{ord(sign)};")
    return escaped


def _render(template: str, **values: Any) -> str:
    def escape(value: Any) -> Any:
        return markupsafe.Markup(text(value)) if type(value) is str else value

    return environment("audiosurvey.demo", escape).get_template(template).render(values)


def _plain(label: str) -> str:
    return label.replace("_", " ")


def _bars(sound: SoundAnalysis, top: int, threshold: Threshold | None) -> list[dict[str, Any]]:
    """The best classes, with the thresholds that matter: of exclusive classes only that of the best one."""
    bars: list[dict[str, Any]] = []
    for place, (label, score) in enumerate(list(sound.scores.items())[:top]):
        least = None
        if threshold is not None and (place == 0 or sound.multi_label):
            least = least_score(label, threshold, sound.windows, multi_label=sound.multi_label) or None
        below = least is not None and score < least
        bars.append({"label": _plain(label), "score": score, "least": least, "below": below})
    return bars


def _waveform(sound: SoundAnalysis) -> _Panel:
    peak = max(float(np.abs(sound.outline_C2).max()), 1e-6)
    low_C, high_C = sound.outline_C2[:, 0] / peak, sound.outline_C2[:, 1] / peak
    points = [f"{c},{-high:.3f}" for c, high in enumerate(high_C)]
    points += [f"{c},{-low:.3f}" for c, low in reversed(list(enumerate(low_C)))]
    ticks = [(0.5 - 0.5 / 1.05, f"{peak:.2g}"), (0.5, "0"), (0.5 + 0.5 / 1.05, f"-{peak:.2g}")]
    box = _view_box(0, -1.05, max(1, len(low_C) - 1), 2.1)
    return _Panel("waveform", "amplitude", ticks, kind="wave", box=box, outline=" ".join(points))


def _spectrogram(sound: SoundAnalysis) -> _Panel:
    mel, mel_TF = sound.mel, sound.mel_TF
    # Percentiles, so that a click or a silent frame does not determine the scale.
    low, high = (float(np.percentile(mel_TF, share)) for share in (1, 99.8))
    alt = f"mel spectrogram, {'input of the model' if sound.own_front_end else 'not the input of the model'}"
    ticks = frequency_ticks(mel, sound.sample_rate)
    unit = " dB" if mel.compression == "db" and mel.divide == 1 and not mel.shift else ""
    title = f"{alt}: {mel_TF.shape[1]} bands, dark {low:.3g}{unit} to bright {high:.3g}{unit}"
    image = spectrogram_uri(mel_TF, low, max(high, low + 1e-3))
    return _Panel(title, "Hz", ticks, tall=True, image=image, alt=alt)


def frequency_ticks(mel: MelConfig, sample_rate: int) -> list[tuple[float, str]]:
    """Round frequencies on a mel spectrogram, without overlaps: position from the top (0 to 1), and text."""
    f_min, f_max = mel.limits_hz(sample_rate)

    def to_mel(hz: float) -> float:
        return float(hz_to_mel(torch.tensor(float(hz), dtype=torch.float64), mel.mel_scale))

    low, high, bands = to_mel(f_min), to_mel(f_max), mel.n_mels
    places: list[tuple[float, int]] = []
    for hz in _TICKS_HZ:
        # Band b has its centre at (b + 1) / (bands + 1), and is drawn from b / bands to (b + 1) / bands.
        place = ((to_mel(hz) - low) / (high - low) * (bands + 1) - 0.5) / bands
        if 0.02 < place < 0.98 and (not places or place - places[-1][0] > 0.07):
            places.append((place, hz))
    return [(1 - place, f"{hz / 1000:g}k" if hz >= 1000 else f"{hz}") for place, hz in places]


def _over_time(sound: SoundAnalysis, threshold: Threshold | None) -> _Panel:
    highest = max(float(window.score_K.max()) for window in sound.over_time)
    top = next(top for top in (0.1, 0.25, 0.5, 1.0) if highest <= top or top == 1)
    lines = []
    for k, colour in _highest(sound):
        # A score is drawn at the middle of its window; the first and last extend to the border.
        points = [((w.start_s + w.end_s) / 2, float(w.score_K[k])) for w in sound.over_time]
        points = [(0.0, points[0][1]), *points, (sound.seconds, points[-1][1])]
        lines.append((" ".join(f"{x:.3f},{-y:.4f}" for x, y in points), colour))
    return _Panel(
        "scores over time",
        "score",
        [(0.04 / 1.08, f"{top:g}"), (0.5, f"{top / 2:g}"), (1.04 / 1.08, "0")],
        kind="lines",
        box=_view_box(0, -1.04 * top, sound.seconds, 1.08 * top),
        lines=lines,
        threshold=threshold if isinstance(threshold, float) and threshold <= top else None,
    )


def _highest(sound: SoundAnalysis) -> list[tuple[int, str]]:
    """The classes with the highest score in any window, with their colours."""
    best_K = np.max([window.score_K for window in sound.over_time], axis=0)
    return list(zip(np.argsort(-best_K, kind="stable").tolist(), COLOURS, strict=False))


def round_steps(length_s: float) -> list[float]:
    """Times from 0 in steps of 1, 2 or 5 (from two minutes on in steps of 1/2, 1, 2, 5, ... minutes)."""
    steps = [scale * step for scale in (1e-3, 1e-2, 0.1, 1, 10) for step in (1, 2, 5)]
    if length_s >= 120:
        steps = [30, 60, 120, 300, 600, 1800, 3600]
    step = next((step for step in steps if length_s / step <= 7), steps[-1])
    # Not at the border, where the text would stick out.
    return [number * step for number in range(int(length_s / step * 0.98) + 1)]


def _minutes(at_s: float) -> str:
    return f"{int(at_s) // 60}:{int(at_s) % 60:02}"


def _view_box(*numbers: float) -> str:
    return " ".join(f"{number:g}" for number in numbers)
