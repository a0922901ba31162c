"""The model card: description, results, calibration, training and licences of a model, as Markdown with the metadata
of the Hugging Face Hub.

It is made from model.json and the config; nothing reads it back, except to add or replace the sections below.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml

from audiosurvey.artefact.detection import MEASURES, DetectionSettings
from audiosurvey.artefact.golden import Golden
from audiosurvey.artefact.licence import NOT_STATED, hub_id, non_commercial
from audiosurvey.atomic import write_text
from audiosurvey.config.root import Config
from audiosurvey.data.sets.registry import spec_of
from audiosurvey.data.sets.set_facts import SetFacts
from audiosurvey.model.encoders.settings import EncoderItem
from audiosurvey.training.metrics import METRICS

_SELECTIONS = {
    "last": "a fixed number of epochs, the last (averaged) weights",
    "validation": "the epoch chosen on a fold held out of training",
    "test": "the epoch chosen on the test fold itself",
}
SCORES = "Scores"
"""The title of the section on temperatures and thresholds."""
_EXPORTS_INTRO = (
    "Made by `audiosurvey export`. Input: waveforms, output: scores; the files contain labels, sample rate and window. "
    "Differences are to the scores of this model; times are for one processor core."
)


def model_card(facts: dict[str, Any], config: Config, golden: Golden) -> str:
    """README.md of a model folder. `facts`: its model.json."""
    about: dict[str, Any] = facts["about"]
    described = config.dataset.spec if isinstance(config.dataset.spec, SetFacts) else None
    head = yaml.safe_dump(_hub_metadata(facts, described), sort_keys=False, allow_unicode=True, width=10_000)
    std = {name: value for name, value in about.get("std", {}).items() if value is not None}
    metrics = [
        (METRICS[name].title, value, std.get(name)) for name, value in about["metrics"].items() if value is not None
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("audiosurvey.artefact"), trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    calibration = facts["calibration"]
    body = environment.get_template("card.md.jinja").render(
        name=_name(about),
        facts=facts,
        about={"epochs_from": None} | about,
        config=config,
        golden=golden,
        seconds=config.clip_samples / config.sample_rate,
        encoders=[block for block in config.model.blocks or [] if isinstance(block, EncoderItem)],
        dataset=_dataset(about, described),
        described=described,
        protocol=describe_protocol(about),
        std=std,
        metrics=metrics,
        calibration=calibration,
        classes=_class_table(about.get("by_class") or {}, "average_precision" if facts["multi_label"] else "f1"),
        other=_other_rows(about.get("other")),
        layers=", ".join(f"{row['layer']} {row['weight']:.3f}" for row in about.get("layers") or []),
        sound_temperature=calibration.get("sound_temperature", calibration["temperature"]),
        sound_thresholds=facts.get("sound_thresholds", facts["thresholds"]),
        thresholds=_threshold_table,
        non_commercial=non_commercial(facts["licence"]["weights"]),
        not_stated=NOT_STATED,
    )
    return f"---\n{head}---\n\n{body.strip()}\n"


def describe_protocol(about: dict[str, Any]) -> str:
    """The evaluation protocol: which folds were tested, and how the epoch was selected."""
    selection = _SELECTIONS[about["selection"]]
    if len(about["folds"]) == 1:
        return f"fold {about['folds'][0]} held out; {selection}"
    return f"mean over folds {', '.join(map(str, about['folds']))}, each held out once; {selection}"


def add_conditions(
    card: Path, rows: Sequence[dict[str, Any]], metric: str, *, fold: int | None = None, folds: Sequence[int] = ()
) -> None:
    """Add or replace the section on other recording conditions. Does nothing if there is no card.

    `rows`: `name`, `metric` and `mean_score` of each condition; `fold`: the test fold of the model; `folds`: for a
    final model, the folds whose models were measured.
    """
    if not card.is_file():
        return
    how = (
        "each clip changed after resampling. The mean score is that of the best label: if it stays high while the "
        "metric falls, the model is confidently wrong."
    )
    if fold is not None:
        text = f"Test clips of fold {fold}, {how}"
    else:
        numbers = ", ".join(map(str, folds))
        text = f"Mean over the test clips of fold{'s' if len(folds) > 1 else ''} {numbers}, {how}"
        text += "\n\n**These are not scores of this model**, but of the fold models."
    table = [f"| condition | {METRICS[metric].title} | mean score |", "|---|---|---|"]
    table += [f"| {row['name']} | {_number(row[metric], 3)} | {_number(row['mean_score'], 2)} |" for row in rows]
    before, _, after = _split(card.read_text(encoding="utf-8"), "Other recording conditions")
    if not after:
        before, labels, after = before.partition("\n## Labels\n")
        after = f"## Labels\n{after}" if labels else ""
    _write_sections(card, before, "## Other recording conditions\n\n" + text + "\n\n" + "\n".join(table), after)


def replace_section(card: Path, title: str, other: str) -> None:
    """Replaces a section by that of another card, given as text. Does nothing if there is no card, or no section."""
    if not card.is_file():
        return
    before, section, after = _split(card.read_text(encoding="utf-8"), title)
    new = _split(other, title)[1]
    if section:
        _write_sections(card, before, f"## {title}\n{new}", after)


def add_detection(card: Path, settings: DetectionSettings) -> None:
    """Add or replace the section on events in long recordings. Does nothing if there is no card."""
    if not card.is_file():
        return
    text = f"Sounds of more than 30 s are processed in {settings}."
    if settings.tuned_on is not None:
        text += f" These settings were chosen on {settings.tuned_on}."
    event, segment, false = (settings.measured.get(name) for name in MEASURES)
    if event is not None and segment is not None and false is not None:
        text += (
            f" Each half of them with the settings that are best on the other half: event F1 {event:.3f} (start within "
            f"1.5 s), segment F1 {segment:.3f} (segments of 1 s), {false:.3g} false alarms an hour."
        )
    if settings.background:
        text += " A sound that is there for more than half of five minutes is background, and no event."
    before, _, after = _split(card.read_text(encoding="utf-8"), "Events in long recordings")
    if not after:
        before, training, after = before.partition("\n## Training\n")
        after = f"## Training\n{after}" if training else ""
    _write_sections(card, before, f"## Events in long recordings\n\n{text}", after)


def add_export(card: Path, name: str, lines: list[str]) -> None:
    """Add or replace the part about the exported file `name` in the section on exports."""
    before, section, after = _split(card.read_text(encoding="utf-8"), "Exports")
    parts = dict(part.split("\n", 1) for part in section.split("\n### ")[1:])
    parts[name] = "\n".join(lines)
    texts = [f"### {title}\n\n{parts[title].strip()}" for title in sorted(parts)]
    _write_sections(card, before, "\n\n".join(["## Exports", _EXPORTS_INTRO, *texts]), after)


def _split(text: str, title: str) -> tuple[str, str, str]:
    """The text before a section, its body, and the text after it from the next heading on."""
    before, _, rest = text.partition(f"\n## {title}\n")
    section, heading, after = rest.partition("\n## ")
    return before, section, f"## {after}" if heading else ""


def _write_sections(card: Path, *sections: str) -> None:
    write_text(card, "\n\n".join(text.strip() for text in sections if text.strip()) + "\n")


def _hub_metadata(facts: dict[str, Any], described: SetFacts | None) -> dict[str, Any]:
    about = facts["about"]
    spec = spec_of(about["dataset"])
    known = spec.hub if spec else None
    hub_names = {name: metric.hub for name, metric in METRICS.items() if metric.hub}
    measured = {name: value for name, value in about["metrics"].items() if value is not None and name in hub_names}
    owner = [] if about["fold"] is not None else ["of the fold models, not of this model"]
    caveats = "".join(f" ({caveat})" for caveat in [*owner, *about["caveats"]])
    results = {
        "task": {"type": "audio-classification", "name": "Audio classification"},
        "dataset": {
            "type": known or about["dataset"],
            "name": _dataset(about, described),
            "split": describe_protocol(about),
        },
        "metrics": [
            {"type": hub_names[name], "name": METRICS[name].title + caveats, "value": round(value, 6)}
            for name, value in measured.items()
        ],
    }
    return {
        "license": hub_id(facts["licence"]["weights"]),
        "library_name": "audiosurvey",
        "pipeline_tag": "audio-classification",
        "tags": ["audio", "audio-classification", "sound-classification", "audiosurvey"],
        **({"datasets": [known]} if known else {}),
        "metrics": [hub_names[name] for name in measured],
        "model-index": [{"name": _name(about), "results": [results]}],
    }


def _name(about: dict[str, Any]) -> str:
    data = re.sub(r"[^\w.]+", "-", about.get("title") or "").strip("-") or about["subset"] or about["dataset"]
    return f"audiosurvey-{data}" + ("" if about.get("fold") is None else f"-fold-{about['fold']}")


def _dataset(about: dict[str, Any], described: SetFacts | None) -> str:
    own = about.get("title") or (described.title if described else None)
    return own or about["dataset"] + (f" ({about['subset']})" if about["subset"] else "")


_OTHER = {
    "auroc": "AUROC",
    "false_alarms": "share accepted",
    "made_false_alarms": "share of made silence, hum and noise accepted",
}


def _other_rows(other: dict[str, Any] | None) -> list[tuple[str, float, float | None]]:
    """Titles, values and deviations of how well sounds of no class are told from the classes; of a fold, or of all."""
    if other is None:
        return []
    mean, std = other.get("mean", other), other.get("std", {})
    return [(title, mean[name], std.get(name)) for name, title in _OTHER.items() if mean.get(name) is not None]


def _class_table(by_class: dict[str, dict[str, Any]], by: str) -> str:
    """The classes with the lowest score `by` first; empty for a model without scores of classes."""
    ordered = sorted(by_class.items(), key=lambda each: 2.0 if each[1][by] is None else each[1][by])
    names = ("recall", "precision", "f1", "average_precision", "auroc")
    rows = [
        f"| {_cell(name)} | {one['clips']} | {' | '.join(_number(one[key], 3) for key in names)} |"
        for name, one in ordered
    ]
    titles = "| class | test clips | recall | precision | F1 | average precision | AUROC |"
    return "\n".join([titles, "|---|---|---|---|---|---|---|", *rows]) if rows else ""


def _cell(name: str) -> str:
    return name.replace("|", "\\|")


def _threshold_table(thresholds: dict[str, float]) -> str:
    rows = [f"| {_cell(name)} | {value:.4f} |" for name, value in thresholds.items()]
    return "\n".join(["| class | threshold |", "|---|---|", *rows])


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
