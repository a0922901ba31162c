"""The demo's pictures and words as HTML: a sound that was heard, a mistake, what is to be known of a model.

Lines and bars are SVG and CSS that stretch with the window while the words keep their size; nothing refers to anything
outside the page. Text from files and models is escaped, also where Gradio would take it for a template.
"""

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.decision import Threshold, least_score
from audiosurvey.artefact.licence import NOT_STATED
from audiosurvey.demo.hearing import Heard
from audiosurvey.features.filters import hz_to_mel

COLOURS = ("#2563a8", "#d97706", "#15803d", "#b91c8b", "#6b7280")
"""Of the lines over time; told apart by readers who see fewer colours, too."""
_TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)


def sound_html(heard: Heard, *, top: int, threshold: Threshold | None, window_s: float) -> str:
    """The answer, the best classes as bars, and the pictures above a common axis of time."""
    long = bool(heard.over_time)
    how = "probability that the model gives each class"
    notes = "".join(f'<p class="outside">Note: {text(note)}.</p>' for note in heard.notes)
    how += f", mean over windows of {window_s:g} s" if long else ""
    panels = [_outline(heard), _spectrogram(heard)]
    if long:
        panels.append(_over_time(heard, threshold))
    return (
        f'<section class="heard"><div class="verdict"><p class="answer">{text(_plain(heard.answer))}</p>'
        f'<p class="what">{text(heard.name)}, {_duration(heard.seconds)}</p></div>{notes}'
        f"{_bars(heard, top, threshold, how)}"
        f'<div class="chart">{"".join(panels)}{_seconds(heard.seconds)}</div>'
        f"{_legend(heard) if long else ''}</section>"
    )


def mistake_html(message: str) -> str:
    """What is wrong with a sound, in place of the answer."""
    return f'<section class="heard"><p class="mistake" role="alert">{text(message)}</p></section>'


def refused_html(max_mb: float) -> str:
    """The place where the page's own script says what it does not send."""
    return f'<p class="refused mistake" role="alert" data-mb="{max_mb:g}" hidden></p>'


def waiting_html() -> str:
    """Before there is a sound."""
    return '<section class="heard"><p class="waiting">The classes of your sound appear here.</p></section>'


def model_html(name: str, model: Classifier) -> str:
    """What a model knows, what it was trained on, and under which licences."""
    about: dict[str, Any] = model.facts.get("about") or {}
    licence: dict[str, Any] = model.facts.get("licence") or {"parts": {"the data": about.get("licence")}}
    rows = [
        ("model", name),
        ("classes", f"{len(model.labels)}: {', '.join(map(_plain, model.labels))}"),
        ("listens to", f"mono, {model.sample_rate} Hz, windows of {model.clip_samples / model.sample_rate:g} s"),
        *([("trained on", about["dataset"])] if about.get("dataset") else []),
        *([("licence", licence["weights"])] if "weights" in licence else []),
        *((f"licence of {part}", stated or NOT_STATED) for part, stated in licence["parts"].items()),
        *(("note", said) for said in about.get("caveats", [])),
    ]
    return (
        '<dl class="model">' + "".join(f"<dt>{text(key)}</dt><dd>{text(value)}</dd>" for key, value in rows) + "</dl>"
    )


def text(value: Any) -> str:
    """Plain text for HTML. Braces and dollar signs as well: gr.HTML reads templates in what it is given."""
    escaped = html.escape(str(value))
    for sign in "{}$`@":
        escaped = escaped.replace(sign, f"&#{ord(sign)};")
    return escaped


def _plain(label: str) -> str:
    return label.replace("_", " ")


def _bars(heard: Heard, top: int, threshold: Threshold | None, how: str) -> str:
    """Each threshold that decides is a line on its bar: of exclusive classes that of the best one alone."""
    rows = []
    for place, (label, score) in enumerate(list(heard.scores.items())[:top]):
        least = None
        if threshold is not None and (place == 0 or heard.multi_label):
            least = least_score(label, threshold, heard.windows, multi_label=heard.multi_label) or None
        mark = f'<i class="least" style="left:{100 * least:.1f}%"></i>' if least is not None else ""
        below = " below" if least is not None and score < least else ""
        rows.append(
            f'<li class="row{below}"><span class="label">{text(_plain(label))}</span>'
            f'<span class="bar"><i style="width:{100 * score:.2f}%"></i>{mark}</span>'
            f'<span class="score">{score:.3f}</span></li>'
        )
    note = how if threshold is None else f"{how}; the line on a bar: less is unknown"
    return f'<ol class="bars">{"".join(rows)}</ol><p class="note">{text(note)}</p>'


def _outline(heard: Heard) -> str:
    peak = max(float(np.abs(heard.outline_C2).max()), 1e-6)
    low_C, high_C = heard.outline_C2[:, 0] / peak, heard.outline_C2[:, 1] / peak
    # A line of no height would not be seen.
    points = [f"{c},{-high:.3f}" for c, high in enumerate(high_C)]
    points += [f"{c},{-low:.3f}" for c, low in reversed(list(enumerate(low_C)))]
    drawing = _svg(f'<polygon points="{" ".join(points)}"/>', (0, -1.05, max(1, len(low_C) - 1), 2.1), "wave")
    ticks = [(0.5 - 0.5 / 1.05, f"{peak:.2g}"), (0.5, "0"), (0.5 + 0.5 / 1.05, f"-{peak:.2g}")]
    return _panel("waveform", "amplitude", ticks, drawing)


def _spectrogram(heard: Heard) -> str:
    mel_TF = heard.mel_TF
    # Percentiles: one click, or one silent frame, would leave the rest of the scale to nothing.
    low, high = (float(np.percentile(mel_TF, share)) for share in (1, 99.8))
    whose = "as the model hears it" if heard.own_front_end else "a general picture"
    alt = f"mel spectrogram, {whose}"
    drawing = f'<img class="plot" alt="{alt}" src="data:image/png;base64,{_png(mel_TF, low, max(high, low + 1e-3))}">'
    f_min, f_max = heard.mel.f_min, heard.mel.f_max or heard.sample_rate / 2
    ticks = [(1 - place, f"{hz / 1000:g}k" if hz >= 1000 else f"{hz}") for place, hz in _hz_places(heard, f_min, f_max)]
    unit = " dB" if heard.mel.compression == "db" and heard.mel.divide == 1 and not heard.mel.shift else ""
    title = f"mel spectrogram, {whose}: {mel_TF.shape[1]} bands, dark {low:.3g}{unit} to bright {high:.3g}{unit}"
    return _panel(title, "Hz", ticks, drawing, tall=True)


def _hz_places(heard: Heard, f_min: float, f_max: float) -> list[tuple[float, int]]:
    """Where round frequencies lie from the lowest band (0) to the highest (1), leaving out what would overlap."""
    low, high = (float(hz_to_mel(torch.tensor(hz, dtype=torch.float64), heard.mel.mel_scale)) for hz in (f_min, f_max))
    bands, places = heard.mel.n_mels, []
    for hz in _TICKS_HZ:
        mel = float(hz_to_mel(torch.tensor(float(hz), dtype=torch.float64), heard.mel.mel_scale))
        # Band b has its centre at (b + 1) / (bands + 1) of the way, and is drawn from b / bands to (b + 1) / bands.
        place = ((mel - low) / (high - low) * (bands + 1) - 0.5) / bands
        if 0.02 < place < 0.98 and (not places or place - places[-1][0] > 0.07):
            places.append((place, hz))
    return places


def _png(mel_TF: np.ndarray, low: float, high: float) -> str:
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, mel_TF.T, vmin=low, vmax=high, cmap="magma", origin="lower", format="png")
    return base64.b64encode(file.getvalue()).decode()


def _over_time(heard: Heard, threshold: Threshold | None) -> str:
    shown = _liveliest(heard)
    highest = max(float(window.score_K.max()) for window in heard.over_time)
    top = next(top for top in (0.1, 0.25, 0.5, 1.0) if highest <= top or top == 1)
    lines = []
    if isinstance(threshold, float) and threshold <= top:
        lines.append(f'<line class="least" x1="0" x2="{heard.seconds:.3f}" y1="{-threshold}" y2="{-threshold}"/>')
    for index, colour in zip(shown, COLOURS, strict=False):
        # A score belongs to its window's middle; the ends carry the first and the last on to the border.
        points = [((w.start_s + w.end_s) / 2, float(w.score_K[index])) for w in heard.over_time]
        points = [(0.0, points[0][1]), *points, (heard.seconds, points[-1][1])]
        path = " ".join(f"{x:.3f},{-y:.4f}" for x, y in points)
        lines.append(f'<polyline points="{path}" style="stroke:{colour}"/>')
    drawing = _svg("".join(lines), (0, -1.04 * top, heard.seconds, 1.08 * top), "lines")
    ticks = [(0.04 / 1.08, f"{top:g}"), (0.5, f"{top / 2:g}"), (1.04 / 1.08, "0")]
    return _panel("scores over time", "score", ticks, drawing)


def _liveliest(heard: Heard) -> list[int]:
    """The classes that reach the highest score in any window."""
    best_K = np.max([window.score_K for window in heard.over_time], axis=0)
    return np.argsort(-best_K, kind="stable")[: len(COLOURS)].tolist()


def _legend(heard: Heard) -> str:
    names = [
        f'<li><i style="background:{colour}"></i>{text(_plain(heard.labels[index]))}</li>'
        for index, colour in zip(_liveliest(heard), COLOURS, strict=False)
    ]
    return f'<ul class="legend">{"".join(names)}</ul>'


def _seconds(length_s: float) -> str:
    """The axis of time below all pictures."""
    clock, unit = (_minutes, "min:s") if length_s >= 120 else (_short, "s")
    ticks = [f'<span style="left:{100 * at / length_s:.2f}%">{clock(at)}</span>' for at in round_steps(length_s)]
    return f'<div class="axis" aria-hidden="true">{"".join(ticks)}</div><p class="unit">time in {unit}</p>'


def round_steps(length_s: float) -> list[float]:
    """Times from 0 on, in steps of 1, 2 or 5 (from two minutes on in halves, whole, twos or fives of a minute)."""
    steps = [scale * step for scale in (1e-3, 1e-2, 0.1, 1, 10) for step in (1, 2, 5)]
    if length_s >= 120:
        steps = [30, 60, 120, 300, 600, 1800, 3600]
    step = next((step for step in steps if length_s / step <= 7), steps[-1])
    # The last one keeps away from the border, where its words would stand out.
    return [number * step for number in range(int(length_s / step * 0.98) + 1)]


def _short(at_s: float) -> str:
    return f"{at_s:.4g}"


def _minutes(at_s: float) -> str:
    return f"{int(at_s) // 60}:{int(at_s) % 60:02}"


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 120 else f"{_minutes(seconds)} min"


def _panel(title: str, unit: str, ticks: Sequence[tuple[float, str]], drawing: str, *, tall: bool = False) -> str:
    marks = "".join(f'<span style="top:{100 * place:.2f}%">{mark}</span>' for place, mark in ticks)
    return (
        f'<figure class="panel{" tall" if tall else ""}"><figcaption>{text(title)}</figcaption>'
        f'<div class="scale" aria-hidden="true"><b>{text(unit)}</b>{marks}</div>{drawing}</figure>'
    )


def _svg(inside: str, box: tuple[float, float, float, float], kind: str) -> str:
    view = " ".join(f"{number:g}" for number in box)
    return f'<svg class="plot {kind}" viewBox="{view}" preserveAspectRatio="none" role="img">{inside}</svg>'
