"""The page of a run: result, curves, classes, mistakes, probable label errors, data, robustness, costs, config."""

import shlex
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiosurvey.comparison.stats.significance import corrected_t
from audiosurvey.config.resolved import resolved_yaml
from audiosurvey.pages.rendering import environment as templates
from audiosurvey.reporting.page.audit_table import audit_table
from audiosurvey.reporting.page.clip_views import augmented_views, mistake_views, suspect_views
from audiosurvey.reporting.page.confusion import MOST_RIGHT, confusion_table, listed_clips
from audiosurvey.reporting.page.facts import costs, differences
from audiosurvey.reporting.page.material import RunMaterial
from audiosurvey.reporting.page.other_sounds import other_sounds
from audiosurvey.reporting.page.robustness_table import robustness_table
from audiosurvey.reporting.page.scores import (
    class_scores,
    learning_curves,
    over_recordings,
    reliability,
    tested_per_trained,
)
from audiosurvey.reporting.page.sound_bank import LONG_S, PLAY_RATE, SoundBank
from audiosurvey.runs.results.class_scores import worst_first
from audiosurvey.runs.results.recipes import flat
from audiosurvey.runs.validity import caveats, imbalance
from audiosurvey.training.loss import Loss
from audiosurvey.training.metrics import METRICS
from audiosurvey.version import __version__

SOUND_BUDGET = 3_400_000
"""Bytes of sounds, so that a page stays below 5 MB."""
_SUSPECTS = 20
_CLASS_FIELDS = {
    "recall": "recall",
    "precision": "precision",
    "F1": "f1",
    "AP": "average_precision",
    "AUROC": "auroc",
}
_SOUND_FOOTER = f"Sounds are cut to {LONG_S:g} seconds and resampled to at most {PLAY_RATE / 1000:g} kHz."


@dataclass(frozen=True)
class _Sorted:
    """A cell of a table that sorts."""

    text: str
    value: str | None = None
    """What it is sorted by, if that is not the text."""


def run_page(material: RunMaterial, *, audio: bool) -> str:
    """The page as HTML. `audio`: with players."""
    results = material.results
    bank = SoundBank(SOUND_BUDGET if audio else 0)
    # In the order of importance: what comes last is shortened or left out first.
    views = {
        "mistakes": mistake_views(material, bank),
        "suspects": _suspects(material, bank),
        "augmented": augmented_views(material, bank),
    }
    confusion, data = _confusion(material, bank)
    named = None if material.row is None else material.row.config
    run = shlex.quote(material.run.path.as_posix())
    page = {
        "title": f"{material.run.path.resolve().name}: {results.dataset.title}",
        "about": _about(material),
        "headline": _headline(material),
        "folds": _folds(material),
        "multi_label": results.multi_label,
        "notes": results.notes,
        "others": other_sounds(material),
        "curves": learning_curves(material.histories),
        "classes": _classes(material),
        "confusion": confusion,
        "reliability": _reliability(material),
        "audit": None if material.audit is None else audit_table(material.audit["findings"]),
        "robustness": None if material.robustness is None else robustness_table(material.robustness),
        "robustness_command": f"audiosurvey robustness {run}",
        "costs": costs(material.run, results, material.environment, material.timing),
        "differences": None if material.config is None else differences(material.config, named),
        "config_text": None if material.config is None else resolved_yaml(material.config),
        "command": f"audiosurvey reproduce {run}",
        "environment": [(key, _words(value)) for key, value in flat(dict(material.environment)).items()],
        "absent": defaultdict(str, material.absent),
        "data": data,
        "sounds": bank.uris,
        "sound_note": bank.note,
        "footer": _SOUND_FOOTER if audio else "",
        "version": __version__,
        **views,
    }
    page["explained"] = any(one.spectrogram and one.spectrogram.shade for one in views["mistakes"])
    page["sections"] = _sections(page)
    return templates("audiosurvey.reporting.page").get_template("run.html").render(page)


def _sections(page: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = [
        ("folds", "Folds", True),
        ("others", "Sounds of no class", page["others"]),
        ("curves", "Curves", page["curves"]),
        ("classes", "Classes", True),
        ("confusion", "Confusion", page["confusion"]),
        ("reliability", "Reliability", True),
        ("mistakes", "Mistakes", True),
        ("suspects", "Probable label errors", True),
        ("audit", "Data audit", True),
        ("robustness", "Robustness", True),
        ("augmentation", "Augmentation", True),
        ("costs", "Costs", True),
        ("config", "Config", page["differences"]),
        ("reproduce", "Reproduction", True),
    ]
    return [(name, title) for name, title, there in shown if there]


def _about(material: RunMaterial) -> str:
    data = material.results.dataset
    parts = [f"{data.clips} clips, {len(material.results.classes)} classes"]
    if data.sample_rate:
        parts.append(f"{data.sample_rate / 1000:g} kHz")
    parts += [f"licence of the data: {data.licence}"] if data.licence else []
    parts += [f"audiosurvey {material.results.version}"] if material.results.version else []
    return "; ".join(parts)


def _headline(material: RunMaterial) -> dict[str, Any]:
    results = material.results
    metric = "map" if results.multi_label else "accuracy"
    values = [value for row in results.folds if (value := row.metrics([metric])[metric]) is not None]
    mean, folds = results.mean.get(metric), len(results.folds)
    estimate = corrected_t(np.array(values), tested_per_trained(results)) if len(values) == folds else None
    if estimate is not None and estimate.low is not None and estimate.high is not None:
        low, high = max(estimate.low, 0.0), min(estimate.high, 1.0)
        words = f"95 % interval {low:.3f} to {high:.3f}: mean over {folds} folds, corrected for shared training clips"
        words += "; two folds give very wide intervals" if folds == 2 else ""
    else:
        words = "one fold only: no interval" if folds == 1 else "not defined in every fold: no interval"
    if material.tables and not results.multi_label:
        low, high = over_recordings(material.tables)
        words += f"; {low:.3f} to {high:.3f} by a bootstrap over recordings"
    of = f"{folds} of {len(results.all_folds)} folds" if results.done != results.all_folds else f"{folds} folds"
    official = "official protocol; " if results.official else ""
    start = f"; starts from {results.init}" if results.init else ""
    return {
        "value": "–" if mean is None else f"{mean:.3f}",
        "metric": f"{METRICS[metric].title}, {of}",
        "interval": words,
        "protocol": f"Protocol: {official}checkpoint selection: {results.selection}; seed {results.seed}{start}.",
        "imbalance": imbalance(results),
        "caveats": caveats(results),
    }


def _folds(material: RunMaterial) -> dict[str, Any]:
    results = material.results
    names = [name for name in results.metric_names if name in results.mean]
    rows = []
    for row in results.folds:
        cells = [
            _Sorted("–", "") if value is None else _Sorted(f"{value:.4f}") for value in row.metrics(names).values()
        ]
        epochs = _Sorted(str(row.epochs))
        if row.chosen_epoch != row.epochs:
            epochs = _Sorted(f"{row.chosen_epoch} of {row.epochs}", str(row.chosen_epoch))
        others = (_Sorted(str(row.clips)), _Sorted(str(row.train_clips)), epochs, _Sorted(f"{row.seconds:.0f}"))
        rows.append([_Sorted(str(row.fold)), *cells, *others])
    titles = [METRICS[name].short or METRICS[name].title for name in names]
    return {"names": ["fold", *titles, "test clips", "training clips", "epoch", "seconds"], "rows": rows}


def _classes(material: RunMaterial) -> dict[str, Any] | None:
    if not material.tables:
        return None
    several, by_class = material.results.multi_label, material.results.class_scores
    name = "Average precision" if several else "Recall"
    how = "are bootstrapped over recordings" if several else "count recordings, not clips (Wilson)"
    note = f"{name} of each class over the test clips of all folds; 95 % intervals {how}."
    if by_class:
        decided = "scores from 0.5 on count as predicted" if several else "the class with the best score is predicted"
        note += f" Precision and F1: {decided}."
        if not several:
            note += " Average precision (AP) and AUROC: one class against the rest, mean over the folds."
    names = ("precision", "F1", "recall", "AUROC") if several else ("precision", "F1", "AP", "AUROC")
    fields = [_CLASS_FIELDS[one] for one in names] if by_class else []
    # Results of earlier versions tell what the confusion matrix does.
    known = [field for field in fields if any(getattr(one, field) is not None for one in by_class.values())]
    order = [name for name, _ in worst_first(by_class, multi_label=several)]
    scores = class_scores(material.tables, several)
    if by_class:
        scores.sort(key=lambda one: order.index(one.name))
    rows = [(one, [_share(getattr(by_class[one.name], field)) for field in known]) for one in scores]
    titles = [name for name, field in zip(names, fields, strict=False) if field in known]
    return {"metric": "average precision" if several else "recall", "note": note, "rows": rows, "more": titles}


def _share(value: float | None) -> _Sorted:
    return _Sorted("–", "") if value is None else _Sorted(f"{value:.3f}")


def _confusion(material: RunMaterial, bank: SoundBank) -> tuple[Any, dict[str, Any]]:
    """The matrix, and the clips behind its cells: all mistakes, with sounds, and correct clips up to a limit."""
    results = material.results
    data: dict[str, Any] = {"classes": results.classes, "clips": [], "unlisted": 0}
    if results.multi_label or not results.confusion:
        return None, data
    store = None if material.sounds is None else material.sounds.store
    listed, data["unlisted"] = listed_clips(material.tables, MOST_RIGHT)
    for one in listed:
        sound = None
        if store is not None and one.true != one.predicted and one.clip in store:
            sound = bank.add(one.clip, lambda clip=one.clip: store.read(clip), store.sample_rate)
        data["clips"].append(one.as_json(None if sound is None else sound.number))
    return confusion_table(np.asarray(results.confusion), results.classes), data


def _reliability(material: RunMaterial) -> dict[str, Any] | None:
    if not material.tables:
        return None
    several = material.results.multi_label
    chart, error = reliability(material.tables, binary=several)
    what = "All scores of all classes" if several else "The highest score of each test clip"
    note = f"{what}, uncalibrated, in bins of equal width. Dots below the line are overconfident."
    if material.config is not None and not several and Loss(material.config.loss, False).binary:
        note += " The network was trained with an independent score for each class; scores do not add up to 1."
    return {"chart": chart, "error": error, "note": note}


def _suspects(material: RunMaterial, bank: SoundBank) -> dict[str, Any] | None:
    found = material.suspects
    if found is None:
        return None
    shown = f"; the {_SUSPECTS} most suspicious are shown" if len(found.suspects) > _SUSPECTS else ""
    note = "Confident learning on the scores of models that were not trained on these clips (Northcutt et al. 2021): "
    clips = len({one.clip for one in found.suspects})
    labels = f"{len(found.suspects)} labels of " if material.results.multi_label else ""
    note += f"{labels}{clips} of {found.clips} clips{shown}. A weak model also flags many correct labels."
    rows = suspect_views(found.suspects, material.sounds, bank, _SUSPECTS)
    return {"note": note, "rows": rows, "sounds": any(row.heard.sound for row in rows)}


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "none"
    return "none" if value is None else str(value)
